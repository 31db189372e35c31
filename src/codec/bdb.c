/* Berkeley DB hash databases: see bdb.h. */
#include "codec/bdb.h"

#include "base/auto.h"
#include "base/buf.h"

#include <stdarg.h>

enum {
    META_SIZE = 128, /* the part of the metadata page that is looked at, and more */
    HASH_MAGIC = 0x061561,
    BTREE_MAGIC = 0x053162,
    VERSION_MIN = 5,
    VERSION_MAX = 10,
    META_CHECKSUM = 1,
    HEADER_PLAIN = 26,
    HEADER_CHECKSUM = 32,
    PAGES_MAX = 1 << 26,
};

enum page_type {
    PAGE_FREE = 0,
    PAGE_HASH_UNSORTED = 2,
    PAGE_OVERFLOW = 7,
    PAGE_HASH_META = 8,
    PAGE_HASH = 13,
};

enum item_kind { ITEM_PLAIN = 1, ITEM_DUPLICATES = 2, ITEM_CHAIN = 3 };

struct bdb {
    const struct spool *file;
    const struct rpmdb_sink *sink;
    bool big_endian;
    uint32_t page_size, n_pages, last_page, header_size;
    uint8_t *page, *overflow; /* page buffers */
    uint8_t *used;            /* one bit per page: belongs to a record */
    uint32_t n_used, n_overflow;
    struct buf blob;
};

struct page_header {
    uint32_t number, next;
    uint16_t entries, offset; /* of the free area's end; on overflow pages the bytes used */
    uint8_t type;
};

static uint32_t word(const struct bdb *b, const uint8_t *p)
{
    if (b->big_endian)
        return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
    return (uint32_t)p[3] << 24 | (uint32_t)p[2] << 16 | (uint32_t)p[1] << 8 | p[0];
}

static uint16_t half(const struct bdb *b, const uint8_t *p)
{
    return (uint16_t)(b->big_endian ? p[0] << 8 | p[1] : p[1] << 8 | p[0]);
}

static struct page_header header_of(const struct bdb *b, const uint8_t *p)
{
    return (struct page_header){
        .number = word(b, p + 8),
        .next = word(b, p + 16),
        .entries = half(b, p + 20),
        .offset = half(b, p + 22),
        .type = p[25],
    };
}

static void lost(const struct bdb *b, int code, const char *fmt, ...) KE_PRINTF(3, 4);
static void lost(const struct bdb *b, int code, const char *fmt, ...)
{
    struct err why = {.code = code};
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(why.text, sizeof why.text, fmt, ap);
    va_end(ap);
    b->sink->lost(b->sink->ctx, &why);
}

/* ---- overflow chains ----------------------------------------------------------------------------
 */

static int chain_page(struct bdb *b, uint32_t number, struct page_header *h, struct err *e)
{
    if (number == 0 || number >= b->n_pages)
        return err_set(e, ERR_FORMAT, "its chain leads to page %u of %u", number, b->n_pages);
    if (b->used[number / 8] & 1 << number % 8)
        return err_set(e, ERR_FORMAT, "its chain leads to page %u, which is already in use",
                       number);
    int r = spool_read(b->file, b->overflow, b->page_size, (uint64_t)number * b->page_size, e);
    if (r < 0)
        return r;
    *h = header_of(b, b->overflow);
    if (h->type != PAGE_OVERFLOW || h->number != number)
        return err_set(e, ERR_FORMAT, "its chain leads to page %u, which is no overflow page",
                       number);
    if (h->offset == 0 || h->offset > b->page_size - b->header_size)
        return err_set(e, ERR_FORMAT, "overflow page %u has %u bytes", number, h->offset);
    b->used[number / 8] |= (uint8_t)(1 << number % 8);
    b->n_used++;
    return 0;
}

/* Collects a value of `size` bytes that starts on page `number` into b->blob. */
static int chain_read(struct bdb *b, uint32_t number, uint32_t size, struct err *e)
{
    buf_clear(&b->blob);
    if (size > RPMDB_BLOB_MAX)
        return err_set(e, ERR_LIMIT, "it has %u bytes, more than %d", size, RPMDB_BLOB_MAX);
    while (b->blob.n < size) {
        struct page_header h = {0};
        int r = chain_page(b, number, &h, e);
        if (r < 0)
            return r;
        if (h.offset > size - b->blob.n)
            return err_set(e, ERR_FORMAT, "its chain is longer than its %u bytes", size);
        buf_add(&b->blob, b->overflow + b->header_size, h.offset);
        if (!buf_ok(&b->blob))
            return err_no_memory(e);
        number = h.next;
    }
    return 0;
}

/* ---- items --------------------------------------------------------------------------------------
 */

/* Item i of the hash page in b->page; empty when it lies outside of its place. */
static str item_at(const struct bdb *b, uint32_t entries, uint32_t i)
{
    const uint8_t *index = b->page + b->header_size;
    uint32_t from = half(b, index + 2 * i);
    uint32_t to = i ? half(b, index + 2 * (i - 1)) : b->page_size;
    if (from >= to || to > b->page_size || from < b->header_size + 2 * entries)
        return (str){"", 0};
    return (str){(const char *)b->page + from, to - from};
}

static int duplicates_read(struct bdb *b, uint32_t number, str items, struct err *e)
{
    while (items.n) {
        uint32_t n = items.n >= 2 ? half(b, (const uint8_t *)items.p) : 0;
        if (items.n < 4 || n > items.n - 4) {
            lost(b, ERR_FORMAT, "record %u: duplicates do not fit their item", number);
            return 0;
        }
        int r = b->sink->blob(b->sink->ctx, number, str_sub(items, 2, 2 + n), e);
        if (r < 0)
            return r;
        items = str_from(items, n + 4);
    }
    return 0;
}

static int value_read(struct bdb *b, uint32_t number, str value, struct err *e)
{
    const uint8_t *p = (const uint8_t *)value.p;
    struct err why = {0};
    switch (p[0]) {
    case ITEM_PLAIN:
        return b->sink->blob(b->sink->ctx, number, str_from(value, 1), e);
    case ITEM_DUPLICATES:
        return duplicates_read(b, number, str_from(value, 1), e);
    case ITEM_CHAIN:
        if (value.n < 12) {
            lost(b, ERR_FORMAT, "record %u: %zu bytes for an overflow item", number, value.n);
            return 0;
        }
        if (chain_read(b, word(b, p + 4), word(b, p + 8), &why) < 0) {
            lost(b, why.code, "record %u: %s", number, why.text);
            return why.code == ERR_NO_MEMORY || why.code == ERR_IO
                       ? err_set(e, why.code, "%s", why.text)
                       : 0;
        }
        return b->sink->blob(b->sink->ctx, number, buf_view(&b->blob), e);
    default:
        lost(b, ERR_UNSUPPORTED, "record %u: item of kind %u", number, p[0]);
        return 0;
    }
}

/* Items fill the page from its end without gaps: the last one begins where the free area ends. */
static bool page_filled(const struct bdb *b, uint32_t entries, uint32_t free_end)
{
    uint32_t last = b->page_size;
    if (entries)
        last = half(b, b->page + b->header_size + 2 * (entries - 1));
    return (last & 0xffff) == free_end; /* 65536 is written as 0 */
}

static int hash_page_read(struct bdb *b, uint32_t page, const struct page_header *h, struct err *e)
{
    uint32_t entries = h->entries;
    if (b->header_size + 2 * entries > b->page_size || entries % 2 != 0) {
        lost(b, ERR_FORMAT, "page %u: %u items", page, entries);
        return 0;
    }
    if (!page_filled(b, entries, h->offset))
        lost(b, ERR_FORMAT, "page %u: %u items, and more or less of them is in use", page, entries);
    for (uint32_t i = 0; i < entries; i += 2) {
        str key = item_at(b, entries, i), value = item_at(b, entries, i + 1);
        if (key.n != 5 || key.p[0] != ITEM_PLAIN || value.n == 0) {
            lost(b, ERR_FORMAT, "page %u: items %u and %u are no record", page, i, i + 1);
            continue;
        }
        uint32_t number = word(b, (const uint8_t *)key.p + 1);
        int r = number ? value_read(b, number, value, e) : 0;
        if (r < 0)
            return r;
    }
    return 0;
}

/* ---- the file -----------------------------------------------------------------------------------
 */

static int page_read(struct bdb *b, uint32_t page, struct err *e)
{
    uint64_t at = (uint64_t)page * b->page_size;
    int r = spool_read(b->file, b->page, HEADER_PLAIN, at, e);
    if (r < 0)
        return r;
    struct page_header h = header_of(b, b->page);
    switch (h.type) {
    case PAGE_FREE:
        if (h.entries)
            lost(b, ERR_FORMAT, "page %u is marked as free and has %u items", page, h.entries);
        return 0;
    case PAGE_OVERFLOW:
        b->n_overflow++;
        return 0;
    case PAGE_HASH:
    case PAGE_HASH_UNSORTED:
        break;
    default:
        lost(b, ERR_FORMAT, "page %u is of type %u", page, h.type);
        return 0;
    }
    if (h.number != page)
        lost(b, ERR_FORMAT, "page %u says that it is page %u", page, h.number);
    if (page > b->last_page && h.entries)
        lost(b, ERR_FORMAT, "page %u lies behind the last page, %u", page, b->last_page);
    r = spool_read(b->file, b->page, b->page_size, at, e);
    return r < 0 ? r : hash_page_read(b, page, &h, e);
}

static int meta_read(struct bdb *b, struct err *e)
{
    uint8_t meta[META_SIZE];
    uint64_t size = spool_size(b->file);
    if (size < sizeof meta)
        return err_set(e, ERR_FORMAT, "%llu bytes are no Berkeley DB file",
                       (unsigned long long)size);
    int r = spool_read(b->file, meta, sizeof meta, 0, e);
    if (r < 0)
        return r;
    uint32_t magic = word(b, meta + 12);
    b->big_endian = magic != HASH_MAGIC && magic != BTREE_MAGIC;
    magic = word(b, meta + 12);
    if (magic == BTREE_MAGIC)
        return err_set(e, ERR_UNSUPPORTED, "a Berkeley DB file, but a B-tree and no hash database");
    if (magic != HASH_MAGIC || meta[25] != PAGE_HASH_META)
        return err_set(e, ERR_FORMAT, "no Berkeley DB hash database");
    uint32_t version = word(b, meta + 16);
    if (version < VERSION_MIN || version > VERSION_MAX)
        return err_set(e, ERR_UNSUPPORTED, "Berkeley DB hash version %u", version);
    if (meta[24])
        return err_set(e, ERR_UNSUPPORTED, "an encrypted Berkeley DB file");
    b->page_size = word(b, meta + 20);
    b->last_page = word(b, meta + 32);
    if (b->page_size < 512 || b->page_size > 65536 || (b->page_size & (b->page_size - 1)))
        return err_set(e, ERR_FORMAT, "Berkeley DB pages of %u bytes", b->page_size);
    if (size / b->page_size > PAGES_MAX)
        return err_set(e, ERR_LIMIT, "a Berkeley DB file of %llu bytes", (unsigned long long)size);
    b->n_pages = (uint32_t)(size / b->page_size);
    b->header_size = meta[26] & META_CHECKSUM ? HEADER_CHECKSUM : HEADER_PLAIN;
    return 0;
}

static int sweep(struct bdb *b, struct err *e)
{
    if (b->n_pages <= b->last_page)
        lost(b, ERR_FORMAT, "the file ends in page %u; its last page is %u", b->n_pages,
             b->last_page);
    else if (spool_size(b->file) % b->page_size)
        lost(b, ERR_FORMAT, "the file ends within a page");
    for (uint32_t i = 1; i < b->n_pages; i++) {
        int r = page_read(b, i, e);
        if (r < 0)
            return r;
    }
    if (b->n_overflow > b->n_used)
        lost(b, ERR_FORMAT, "%u overflow pages belong to no record", b->n_overflow - b->n_used);
    return 0;
}

int bdb_read(const struct spool *file, const struct rpmdb_sink *sink, struct err *e)
{
    struct bdb b = {.file = file, .sink = sink};
    int r = meta_read(&b, e);
    if (r < 0)
        return r;
    autofree uint8_t *pages = malloc(2 * (size_t)b.page_size);
    autofree uint8_t *used = calloc(b.n_pages / 8 + 1, 1);
    if (!pages || !used)
        return err_no_memory(e);
    b.page = pages;
    b.overflow = pages + b.page_size;
    b.used = used;
    buf_init(&b.blob, RPMDB_BLOB_MAX);
    r = sweep(&b, e);
    buf_done(&b.blob);
    return r;
}
