/* rpm's ndb package database: see ndb.h. */
#include "codec/ndb.h"

#include "base/buf.h"
#include "base/cursor.h"

#include <zlib.h>

enum {
    PAGE = 4096,
    BLOCK = 16,
    HEADER = 32,
    SLOT = 16,
    BLOB_HEAD = 16,
    BLOB_TAIL = 12,
    BLOB_ALL_MAX = RPMDB_BLOB_MAX + BLOB_HEAD + BLOB_TAIL + BLOCK,
};

/* The magic numbers, as a little-endian cursor reads them. */
#define MAGIC(a, b, c, d)                                                                          \
    ((uint32_t)(a) | (uint32_t)(b) << 8 | (uint32_t)(c) << 16 | (uint32_t)(d) << 24)
#define MAGIC_FILE MAGIC('R', 'p', 'm', 'P')
#define MAGIC_SLOT MAGIC('S', 'l', 'o', 't')
#define MAGIC_HEAD MAGIC('B', 'l', 'b', 'S')
#define MAGIC_TAIL MAGIC('B', 'l', 'b', 'E')

struct ndb {
    const struct spool *file;
    const struct rpmdb_sink *sink;
    uint64_t left; /* bytes of blobs that may still come */
    struct buf blob;
};

struct slot {
    uint32_t number, block, n_blocks;
};

static void lost(const struct ndb *n, struct err *why, const char *what, uint32_t number)
{
    err_wrap(why, "%s %u", what, number);
    n->sink->lost(n->sink->ctx, why);
}

/* Reads the blob with head, padding and tail into n->blob. */
static int blob_fetch(struct ndb *n, const struct slot *s, struct err *e)
{
    uint64_t at = (uint64_t)s->block * BLOCK, size = (uint64_t)s->n_blocks * BLOCK;
    if (at > spool_size(n->file) || size > spool_size(n->file) - at)
        return err_set(e, ERR_FORMAT, "blocks %u and %u more lie behind the end of the file",
                       s->block, s->n_blocks);
    if (size < BLOB_HEAD + BLOB_TAIL)
        return err_set(e, ERR_FORMAT, "%u blocks are too few", s->n_blocks);
    if (size > BLOB_ALL_MAX)
        return err_set(e, ERR_LIMIT, "it has %llu bytes, more than %d", (unsigned long long)size,
                       RPMDB_BLOB_MAX);
    if (size > n->left)
        return err_set(e, ERR_FORMAT, "packages lie on top of each other");
    n->left -= size;
    buf_clear(&n->blob);
    char *to = buf_reserve(&n->blob, (size_t)size);
    if (!to)
        return err_no_memory(e);
    int r = spool_read(n->file, to, (size_t)size, at, e);
    if (r == 0)
        n->blob.n = (size_t)size;
    return r;
}

/* Checks what is in n->blob. *out is empty when it is no blob of this slot; a wrong checksum is an
 * error too, but *out is given. */
static int blob_check(const struct ndb *n, const struct slot *s, str *out, struct err *e)
{
    str all = buf_view(&n->blob);
    struct cursor head = cursor_over(all.p, BLOB_HEAD);
    struct cursor tail = cursor_over(all.p + all.n - BLOB_TAIL, BLOB_TAIL);
    uint32_t magic = cursor_u32le(&head), number = cursor_u32le(&head);
    cursor_skip(&head, 4);
    uint32_t length = cursor_u32le(&head), sum = cursor_u32le(&tail);
    *out = (str){"", 0};
    if (magic != MAGIC_HEAD || number != s->number)
        return err_set(e, ERR_FORMAT, "no blob of it at block %u", s->block);
    uint64_t blocks = ((uint64_t)length + BLOB_HEAD + BLOB_TAIL + BLOCK - 1) / BLOCK;
    if (blocks != s->n_blocks)
        return err_set(e, ERR_FORMAT, "its %u bytes do not take %u blocks", length, s->n_blocks);
    *out = str_sub(all, BLOB_HEAD, BLOB_HEAD + (size_t)length);
    uint32_t sum_found = (uint32_t)adler32(1, (const Bytef *)all.p, (uInt)(all.n - BLOB_TAIL));
    if (sum != sum_found || cursor_u32le(&tail) != length || cursor_u32le(&tail) != MAGIC_TAIL)
        return err_set(e, ERR_FORMAT, "its checksum is wrong");
    return 0;
}

static int slot_read(struct ndb *n, const struct slot *s, struct err *e)
{
    struct err why = {0};
    str blob = {"", 0};
    int r = blob_fetch(n, s, &why);
    if (r == ERR_NO_MEMORY || r == ERR_IO)
        return err_set(e, r, "%s", why.text);
    if (r < 0 || blob_check(n, s, &blob, &why) < 0)
        lost(n, &why, "package", s->number);
    return blob.n ? n->sink->blob(n->sink->ctx, s->number, blob, e) : 0;
}

static int page_read(struct ndb *n, uint32_t page, struct err *e)
{
    uint8_t bytes[PAGE];
    int r = spool_read(n->file, bytes, sizeof bytes, (uint64_t)page * PAGE, e);
    if (r < 0)
        return r;
    struct cursor c = cursor_over(bytes, sizeof bytes);
    cursor_skip(&c, page == 0 ? HEADER : 0);
    while (cursor_left(&c) >= SLOT) {
        uint32_t magic = cursor_u32le(&c);
        struct slot s = {.number = cursor_u32le(&c), .block = cursor_u32le(&c)};
        s.n_blocks = cursor_u32le(&c);
        if (magic != MAGIC_SLOT || (s.block == 0 && s.number != 0)) {
            struct err why;
            err_set(&why, ERR_FORMAT, "slot %zu is damaged",
                    (sizeof bytes - cursor_left(&c)) / SLOT - 1);
            lost(n, &why, "slot page", page);
            continue;
        }
        r = s.block ? slot_read(n, &s, e) : 0;
        if (r < 0)
            return r;
    }
    return 0;
}

static int header_read(const struct spool *file, uint32_t *slot_pages, struct err *e)
{
    uint8_t bytes[HEADER];
    if (spool_size(file) < sizeof bytes)
        return err_set(e, ERR_FORMAT, "%llu bytes are no ndb database",
                       (unsigned long long)spool_size(file));
    int r = spool_read(file, bytes, sizeof bytes, 0, e);
    if (r < 0)
        return r;
    struct cursor c = cursor_over(bytes, sizeof bytes);
    uint32_t magic = cursor_u32le(&c), version = cursor_u32le(&c);
    cursor_skip(&c, 4);
    *slot_pages = cursor_u32le(&c);
    if (magic != MAGIC_FILE || *slot_pages == 0)
        return err_set(e, ERR_FORMAT, "no ndb database");
    if (version != 0)
        return err_set(e, ERR_UNSUPPORTED, "ndb database version %u", version);
    return 0;
}

int ndb_read(const struct spool *file, const struct rpmdb_sink *sink, struct err *e)
{
    struct ndb n = {.file = file, .sink = sink, .left = spool_size(file)};
    uint32_t slot_pages = 0;
    int r = header_read(file, &slot_pages, e);
    if (r < 0)
        return r;
    buf_init(&n.blob, BLOB_ALL_MAX);
    for (uint32_t i = 0; r == 0 && i < slot_pages; i++) {
        if (((uint64_t)i + 1) * PAGE > spool_size(file)) {
            struct err why;
            err_set(&why, ERR_FORMAT, "the file ends before it");
            lost(&n, &why, "slot page", i);
            break;
        }
        r = page_read(&n, i, e);
    }
    buf_done(&n.blob);
    return r;
}
