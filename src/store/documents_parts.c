#include "store/documents.h"

#include <zstd.h>

#include "base/auto.h"
#include "base/cursor.h"
#include "store/documents_internal.h"

/* Parts up to INLINE_MAX bytes are kept whole in the row, of larger ones the last TAIL bytes: that
 * is where the answers of the API name their image. */
enum {
    INLINE_MAX = 1 << 10,
    OWN_MAX = 64 << 10,
    TAIL = 160,
    TABLE_MAX = 16 << 20,
    PARTS_MAX = 1000,
    LEVEL = 9
};

/* ---- writing */

struct packing {
    struct chunk_vec chunks;
    struct buf table, tails, packed, runs;
    uint64_t size;
};

static void packing_init(struct packing *p)
{
    *p = (struct packing){0};
    buf_init(&p->table, TABLE_MAX);
    buf_init(&p->tails, TABLE_MAX);
    buf_init(&p->packed, TABLE_MAX);
    buf_init(&p->runs, TABLE_MAX);
}

static void packing_done(struct packing *p)
{
    vec_done(&p->chunks);
    buf_done(&p->table);
    buf_done(&p->tails);
    buf_done(&p->packed);
    buf_done(&p->runs);
}

/* Table: number of parts; for each its name, size, number of chunks, length of its tail; then all
 * tails. Integers and lengths are varints. */
static int add_part(struct documents *d, struct packing *p, const struct document_part *part,
                    struct err *e)
{
    size_t before = p->chunks.n, most = content_inline_max(d, part->own ? OWN_MAX : INLINE_MAX);
    size_t head = part->bytes.n > most ? part->bytes.n - TAIL : 0;
    int rc = chunk_vec_cut(d, str_sub(part->bytes, 0, head), &p->chunks, e);
    buf_add_varint(&p->table, part->name.n);
    buf_add_str(&p->table, part->name);
    buf_add_varint(&p->table, part->bytes.n);
    buf_add_varint(&p->table, p->chunks.n - before);
    buf_add_varint(&p->table, part->bytes.n - head);
    buf_add_str(&p->tails, str_from(part->bytes, head));
    p->size += part->bytes.n;
    return rc;
}

static int pack(struct documents *d, struct db_tx *tx, struct packing *p,
                const struct document_part *parts, size_t n, const struct content_move *move,
                struct err *e)
{
    int rc = 0;
    buf_add_varint(&p->table, n);
    for (size_t i = 0; i < n && rc == 0; i++)
        rc = add_part(d, p, &parts[i], e);
    buf_add_str(&p->table, buf_view(&p->tails));
    if (rc == 0)
        rc = move ? content_chunks_here(d, tx, p->chunks.p, p->chunks.n, move, e)
                  : chunks_put(d, tx, p->chunks.p, p->chunks.n, e);
    if (rc < 0)
        return rc;
    chunk_runs_write(&p->runs, p->chunks.p, p->chunks.n);
    buf_add_varint(&p->packed, p->table.n);
    size_t bound = ZSTD_compressBound(p->table.n);
    char *to = buf_reserve(&p->packed, bound);
    if (!to || !buf_ok(&p->table) || !buf_ok(&p->tails) || !buf_ok(&p->runs))
        return err_set(e, ERR_LIMIT, "a document of parts has a table larger than %d bytes",
                       TABLE_MAX);
    size_t packed = ZSTD_compress(to, bound, p->table.p, p->table.n, LEVEL);
    if (ZSTD_isError(packed))
        return err_set(e, ERR_NO_MEMORY, "zstd: %s", ZSTD_getErrorName(packed));
    p->packed.n += packed;
    return 0;
}

static struct sha256 digest_of(str table, str runs)
{
    struct sha256 both[2] = {sha256_of(table.p, table.n), sha256_of(runs.p ? runs.p : "", runs.n)};
    return sha256_of(both, sizeof both);
}

static int insert_content(struct db_tx *tx, const struct packing *p, int64_t *id, struct err *e)
{
    struct sha256 sum = digest_of(buf_view(&p->table), buf_view(&p->runs));
    str digest = {(const char *)sum.b, sizeof sum.b};
    for (int attempt = 0; attempt < 3; attempt++) {
        int rc = content_find(tx, digest, id, e);
        if (rc == ERR_NOT_FOUND)
            rc = db_query_int(
                tx,
                "INSERT INTO content (digest, size, chunks, parts)"
                " VALUES ($1, $2, $3, $4) ON CONFLICT (digest) DO NOTHING"
                " RETURNING id",
                DB(DBB(digest), DBI(p->size), DBB(buf_view(&p->runs)), DBB(buf_view(&p->packed))),
                id, e);
        if (rc != ERR_NOT_FOUND)
            return rc;
    }
    return err_set(e, ERR_CONFLICT, "the content of a document comes and goes");
}

int document_put_parts(struct documents *d, struct db_tx *tx, str account, str bucket, str key,
                       const struct document_part *parts, size_t n, struct err *e)
{
    struct packing p;
    auto_buf prefix;
    int64_t content = 0, gone = 0;
    packing_init(&p);
    buf_init(&prefix, 64 << 10);
    buf_add_str(&prefix, key);
    buf_add_char(&prefix, '/');
    int rc = n > PARTS_MAX ? err_set(e, ERR_LIMIT, "a document of %zu parts", n)
                           : buf_check(&prefix, "key", e);
    if (rc == 0)
        rc = pack(d, tx, &p, parts, n, NULL, e);
    if (rc == 0)
        rc = insert_content(tx, &p, &content, e);
    packing_done(&p);
    if (rc == 0)
        rc = document_name_content(tx, account, bucket, key, content, e);
    if (rc == 0) /* what stood there one by one */
        gone = document_delete_prefix(d, tx, account, bucket, buf_view(&prefix), e);
    rc = rc < 0 ? rc : gone < 0 ? (int)gone : 0;
    return rc < 0 ? err_wrap(e, "document %.*s/%.*s", STR_ARG(bucket), STR_ARG(key)) : 0;
}

/* ---- reading */

struct wanted {
    uint64_t size, skip, chunks; /* chunks before the part's, and its own */
    str tail;
    bool found;
};

static int damaged(struct err *e)
{
    return err_set(e, ERR_MISMATCH, "a stored document is damaged (parts)");
}

static int unpack(const struct content_row *c, struct buf *table, struct err *e)
{
    struct cursor in = cursor_over(c->parts.p, c->parts.n);
    uint64_t size = cursor_varint(&in);
    str packed = cursor_bytes(&in, cursor_left(&in));
    char *to = size < TABLE_MAX ? buf_reserve(table, size + 1) : NULL;
    if (!cursor_ok(&in) || !to)
        return damaged(e);
    if (ZSTD_decompress(to, size, packed.p, packed.n) != size)
        return damaged(e);
    table->n = size;
    struct sha256 is = digest_of(buf_view(table), buf_view(&c->chunks));
    return sha256_eq(&is, &c->digest) ? 0 : damaged(e);
}

static int look_up(str table, str name, struct wanted *w, struct err *e)
{
    struct cursor in = cursor_over(table.p, table.n);
    uint64_t n = cursor_varint(&in), before = 0, length = 0, chunks = 0;
    for (uint64_t i = 0; i < n && cursor_ok(&in); i++) {
        str is = cursor_bytes(&in, cursor_varint(&in));
        uint64_t size = cursor_varint(&in), count = cursor_varint(&in), tail = cursor_varint(&in);
        if (!w->found && str_eq(is, name)) {
            *w = (struct wanted){.size = size, .skip = chunks, .chunks = count, .found = true};
            length = tail;
        }
        before += w->found ? 0 : tail;
        chunks += count;
    }
    cursor_skip(&in, before);
    w->tail = cursor_bytes(&in, length);
    return cursor_ok(&in) ? 0 : damaged(e);
}

struct picking {
    const struct wanted *w;
    uint64_t seen;
    int64_t *ids;
};

static int pick(void *ctx, int64_t id)
{
    struct picking *p = ctx;
    uint64_t at = p->seen++;
    if (at >= p->w->skip && at - p->w->skip < p->w->chunks)
        p->ids[at - p->w->skip] = id;
    return 0;
}

static int read_part(struct documents *d, struct db_tx *tx, const struct content_row *c,
                     const struct wanted *w, struct buf *out, struct err *e)
{
    size_t before = out->n;
    int rc = content_fits(w->size, out, e);
    if (rc < 0)
        return rc;
    if (w->chunks > w->size) /* each has a byte at least */
        return damaged(e);
    struct picking p = {.w = w, .ids = calloc(w->chunks + 1, sizeof *p.ids)};
    if (!p.ids || !buf_reserve(out, w->size + 1))
        rc = err_no_memory(e);
    if (rc == 0)
        rc = chunk_runs_read(buf_view(&c->chunks), pick, &p, e);
    if (rc == 0)
        rc = chunks_get(d, tx, p.ids, w->chunks, out, e);
    free(p.ids);
    buf_add_str(out, w->tail);
    if (rc == 0 && out->n - before != w->size)
        rc = damaged(e);
    return rc < 0 ? rc : buf_check(out, "document", e);
}

int content_part_get(struct documents *d, struct db_tx *tx, const struct content_row *c,
                     struct buf *out, struct err *e)
{
    struct wanted w = {0};
    auto_buf table;
    buf_init(&table, TABLE_MAX);
    int rc = unpack(c, &table, e);
    if (rc == 0)
        rc = look_up(buf_view(&table), c->part, &w, e);
    if (rc == 0 && w.found)
        rc = read_part(d, tx, c, &w, out, e);
    return rc < 0 ? rc : w.found;
}

/* ---- writing all of them once more */

struct reading {
    int64_t *ids;
    size_t n, max;
};

static int collect(void *ctx, int64_t id)
{
    struct reading *r = ctx;
    if (r->n < r->max)
        r->ids[r->n++] = id;
    return 0;
}

/* The parts out of the table: bytes point into `bytes`, which holds all of them afterwards. */
static int read_all(struct documents *d, struct db_tx *tx, const struct content_row *c, str table,
                    struct document_part *parts, size_t n, struct buf *bytes, struct err *e)
{
    struct cursor in = cursor_over(table.p, table.n), tails = in;
    struct reading r = {.max = c->size + 1};
    uint64_t at = 0;
    cursor_varint(&tails);
    for (size_t i = 0; i < n; i++) {
        cursor_skip(&tails, cursor_varint(&tails));
        for (int k = 0; k < 3; k++)
            cursor_varint(&tails);
    }
    r.ids = calloc(r.max, sizeof *r.ids);
    int rc = r.ids && buf_reserve(bytes, c->size + 1) ? 0 : err_no_memory(e);
    if (rc == 0)
        rc = chunk_runs_read(buf_view(&c->chunks), collect, &r, e);
    cursor_varint(&in);
    for (size_t i = 0; i < n && rc == 0; i++) {
        str name = cursor_bytes(&in, cursor_varint(&in));
        uint64_t size = cursor_varint(&in), count = cursor_varint(&in), tail = cursor_varint(&in);
        size_t from = bytes->n;
        if (!cursor_ok(&in) || count > r.n - at || size > c->size - from)
            rc = damaged(e);
        else
            rc = chunks_get(d, tx, r.ids + at, count, bytes, e);
        buf_add_str(bytes, cursor_bytes(&tails, tail));
        at += count;
        if (rc == 0 && (!cursor_ok(&tails) || bytes->n - from != size))
            rc = damaged(e);
        parts[i] = (struct document_part){name, {bytes->p + from, size}, size && tail == size};
    }
    free(r.ids);
    return rc;
}

/* Another content may be the same by now: its documents name that one then. */
static int replace_row(struct db_tx *tx, int64_t id, const struct packing *p, struct err *e)
{
    struct sha256 sum = digest_of(buf_view(&p->table), buf_view(&p->runs));
    str digest = {(const char *)sum.b, sizeof sum.b};
    int64_t other = 0, n;
    int rc = content_find(tx, digest, &other, e);
    if (rc < 0 && rc != ERR_NOT_FOUND)
        return rc;
    if (rc == 0 && other != id) {
        n = db_exec(tx, "UPDATE document SET content_id = $2 WHERE content_id = $1",
                    DB(DBI(id), DBI(other)), e);
        if (n >= 0)
            n = db_exec(tx, "UPDATE content SET unnamed_since = now_us() WHERE id = $1",
                        DB(DBI(id)), e);
    } else {
        n = db_exec(tx, "UPDATE content SET digest = $2, chunks = $3, parts = $4 WHERE id = $1",
                    DB(DBI(id), DBB(digest), DBB(buf_view(&p->runs)), DBB(buf_view(&p->packed))),
                    e);
    }
    return n < 0 ? (int)n : 0;
}

int content_parts_rewrite(struct documents *d, struct db_tx *tx, const struct content_row *c,
                          const struct content_move *m, struct err *e)
{
    struct packing p;
    auto_buf table, bytes;
    buf_init(&table, TABLE_MAX);
    buf_init(&bytes, c->size + 2);
    packing_init(&p);
    int rc = unpack(c, &table, e);
    struct cursor in = cursor_over(table.p, table.n);
    uint64_t n = rc == 0 ? cursor_varint(&in) : 0;
    if (rc == 0 && n > PARTS_MAX)
        rc = damaged(e);
    autofree struct document_part *parts = calloc((rc == 0 ? n : 0) + 1, sizeof *parts);
    if (rc == 0 && !parts)
        rc = err_no_memory(e);
    if (rc == 0)
        rc = read_all(d, tx, c, buf_view(&table), parts, n, &bytes, e);
    if (rc == 0)
        rc = pack(d, tx, &p, parts, n, m, e);
    if (rc == 0)
        rc = replace_row(tx, c->id, &p, e);
    packing_done(&p);
    return rc;
}
