#include "store/chunk_store_s3.h"

#include <zstd.h>

#include "base/aside.h"
#include "base/auto.h"
#include "base/cursor.h"
#include "store/chunk_pack.h"
#include "store/db_many.h"

enum { HASH_ASIDE_MIN = 128, FIND_MAX = 128, INSERT_MAX = 64, READ_MAX = 64, INSERT_VALUES = 5 };

static int64_t piece_max(enum chunk_driver driver)
{
    return driver == CHUNK_S3 ? CHUNK_S3_MAX : CHUNK_MAX;
}

static size_t packed_max(enum chunk_driver driver)
{
    return driver == CHUNK_S3 ? CHUNK_S3_MAX + (1 << 20) : 2 * CHUNK_MAX;
}

size_t chunk_piece(const struct documents *d, str rest, bool large)
{
    if (d->driver != CHUNK_S3)
        return chunk_cut(&d->cutter, rest, large);
    return rest.n < CHUNK_S3_MAX ? rest.n : CHUNK_S3_MAX;
}

static int expand_with(ZSTD_DCtx *z, str packed, uint64_t size, const struct sha256 *want,
                       struct buf *out, struct err *e)
{
    char *to = buf_reserve(out, size + 1);
    if (!to)
        return err_set(e, ERR_LIMIT, "a stored document is larger than %zu bytes", out->max);
    size_t n = ZSTD_decompressDCtx(z, to, size, packed.p ? packed.p : "", packed.n);
    if (ZSTD_isError(n) || n != size)
        return err_set(e, ERR_MISMATCH, "a stored document is damaged (zstd)");
    struct sha256 is = sha256_of(to, n);
    if (!sha256_eq(&is, want))
        return err_set(e, ERR_MISMATCH, "a stored document is damaged (digest)");
    out->n += n;
    return 0;
}

int chunk_expand(str packed, uint64_t size, const struct sha256 *want, struct buf *out,
                 struct err *e)
{
    ZSTD_DCtx *z = ZSTD_createDCtx();
    int rc = z ? expand_with(z, packed, size, want, out, e) : err_no_memory(e);
    ZSTD_freeDCtx(z);
    return rc;
}

/* ---- lists of ids */

void chunk_runs_write(struct buf *out, const struct chunk *chunks, size_t n)
{
    int64_t end = 0;
    for (size_t i = 0, run; i < n; i += run) {
        for (run = 1; i + run < n && chunks[i + run].id == chunks[i].id + (int64_t)run; run++)
            continue;
        int64_t step = chunks[i].id - end;
        buf_add_varint(out, step < 0 ? ((uint64_t)-step << 1) - 1 : (uint64_t)step << 1);
        buf_add_varint(out, run);
        end = chunks[i].id + (int64_t)run;
    }
}

int chunk_runs_read(str runs, int (*fn)(void *ctx, int64_t id), void *ctx, struct err *e)
{
    struct cursor c = cursor_over(runs.p, runs.n);
    int64_t end = 0;
    for (uint64_t total = 0; cursor_left(&c);) {
        uint64_t zigzag = cursor_varint(&c), run = cursor_varint(&c);
        int64_t step = zigzag & 1 ? -(int64_t)(zigzag >> 1) - 1 : (int64_t)(zigzag >> 1);
        total += run;
        if (!cursor_ok(&c) || run == 0 || run > UINT32_MAX || total > UINT32_MAX ||
            ke_add_overflow(end, step, &end))
            return err_set(e, ERR_MISMATCH, "a stored document is damaged (chunks)");
        for (; run; run--) {
            int rc = fn(ctx, end++);
            if (rc < 0)
                return rc;
        }
    }
    return 0;
}

/* ---- writing */

struct putting {
    struct documents *d;
    struct db_tx *tx;
    struct chunk **open; /* without id yet: by digest, each once */
    size_t n;
};

static int by_digest(const void *a, const void *b)
{
    return memcmp((*(struct chunk *const *)a)->digest.b, (*(struct chunk *const *)b)->digest.b,
                  sizeof(struct sha256));
}

static int by_place(const void *a, const void *b)
{
    const struct chunk *x = *(struct chunk *const *)a, *y = *(struct chunk *const *)b;
    return x < y ? -1 : x > y;
}

static struct chunk *open_chunk(struct putting *p, str digest)
{
    struct chunk key, *at = &key;
    if (digest.n != sizeof key.digest.b)
        return NULL;
    memcpy(key.digest.b, digest.p, digest.n);
    struct chunk **found = bsearch(&at, p->open, p->n, sizeof *p->open, by_digest);
    return found ? *found : NULL;
}

static str digest_bytes(const struct sha256 *d)
{
    return (str){(const char *)d->b, sizeof d->b};
}

/* Takes back what waits for its removal: a row that is gone meanwhile stays without id. */
static int take_back(struct putting *p, struct chunk **waiting, size_t n, struct err *e)
{
    for (size_t i = 0; i < n; i++) {
        int64_t changed = db_exec(p->tx,
                                  "UPDATE chunk SET unnamed_since = NULL"
                                  " WHERE id = $1 AND unnamed_since IS NOT NULL",
                                  DB(DBI(waiting[i]->id)), e);
        if (changed < 0)
            return (int)changed;
        if (changed == 0)
            waiting[i]->id = 0;
    }
    return 0;
}

static int find_some(struct putting *p, struct chunk **some, size_t n, struct err *e)
{
    auto_buf sql;
    buf_init(&sql, 64 << 10);
    struct chunk *waiting[FIND_MAX];
    struct db_value v[FIND_MAX];
    size_t n_waiting = 0, width = n == 1 ? 1 : FIND_MAX;
    for (size_t i = 0; i < width; i++)
        v[i] = DBB(digest_bytes(&some[i < n ? i : n - 1]->digest));
    buf_add_str(&sql, STR("SELECT id, digest, unnamed_since, driver FROM chunk WHERE digest IN "));
    db_places(&sql, 1, width);
    auto_rows *r = NULL;
    int rc = db_query(p->tx, buf_z(&sql), v, width, &r, e);
    while (rc >= 0 && (rc = db_next(r, e)) == 1) {
        struct chunk *c = open_chunk(p, db_blob(r, 1));
        if (!c || n_waiting == FIND_MAX)
            continue;
        c->id = db_int(r, 0);
        c->driver = (enum chunk_driver)db_int(r, 3);
        if (!db_is_null(r, 2))
            waiting[n_waiting++] = c;
    }
    return rc < 0 ? rc : take_back(p, waiting, n_waiting, e);
}

static void drop_found(struct putting *p)
{
    size_t kept = 0;
    for (size_t i = 0; i < p->n; i++)
        if (!p->open[i]->id)
            p->open[kept++] = p->open[i];
    p->n = kept;
}

static int find(struct putting *p, struct err *e)
{
    int rc = 0;
    for (size_t i = 0; i < p->n && rc >= 0; i += FIND_MAX)
        rc = find_some(p, p->open + i, p->n - i < FIND_MAX ? p->n - i : FIND_MAX, e);
    drop_found(p);
    return rc;
}

static int put_outside(struct documents *d, const struct chunk *c, str packed, struct err *e)
{
    return d->driver == CHUNK_S3 ? chunk_s3_put(d, &c->digest, c->id, packed, e)
                                 : chunk_file_put(d, &c->digest, c->id, packed, e);
}

/* n chunks from the i-th of those that are packed. */
static int insert_some(struct putting *p, struct chunk **order, const int64_t *ids,
                       struct chunk_packer *packer, size_t at, size_t n, struct err *e)
{
    auto_buf sql;
    buf_init(&sql, 64 << 10);
    struct db_value v[INSERT_MAX * INSERT_VALUES];
    str packed[INSERT_MAX];
    struct chunk **some = order + at;
    int rc = 0;
    for (size_t i = 0; i < n && rc >= 0; i++)
        rc = chunk_packer_get(packer, at + i, &packed[i], e);
    if (rc < 0)
        return rc;
    for (size_t i = 0; i < n; i++) {
        struct db_value *to = v + i * INSERT_VALUES;
        to[0] = ids ? DBI(ids[at + i]) : DBNULL;
        to[1] = DBB(digest_bytes(&some[i]->digest));
        to[2] = DBI(p->d->driver);
        to[3] = DBI(some[i]->raw.n);
        to[4] = p->d->driver == CHUNK_DB ? DBB(packed[i]) : DBNULL;
    }
    buf_add_str(&sql, STR("INSERT INTO chunk (id, digest, driver, size, data) VALUES "));
    db_places(&sql, n, INSERT_VALUES);
    buf_add_str(&sql, STR(" ON CONFLICT (digest) DO NOTHING RETURNING id, digest"));
    auto_rows *r = NULL;
    rc = db_query(p->tx, buf_z(&sql), v, n * INSERT_VALUES, &r, e);
    while (rc >= 0 && (rc = db_next(r, e)) == 1) {
        struct chunk *c = open_chunk(p, db_blob(r, 1));
        if (c)
            c->id = db_int(r, 0);
    }
    for (size_t i = 0; rc >= 0 && p->d->driver != CHUNK_DB && i < n; i++)
        if (some[i]->id)
            rc = put_outside(p->d, some[i], packed[i], e);
    return rc;
}

/* On PostgreSQL, where rows are written in the order of digests, ids are drawn beforehand so that
 * they follow the order of the document: its list of ids is a few runs then. */
static int draw_ids(struct putting *p, int64_t *ids, struct err *e)
{
    autofree struct chunk **placed = malloc((p->n + 1) * sizeof *placed);
    if (!placed)
        return err_no_memory(e);
    memcpy(placed, p->open, p->n * sizeof *placed);
    qsort(placed, p->n, sizeof *placed, by_place);
    auto_rows *r = NULL;
    int rc = db_query(p->tx,
                      "SELECT nextval(pg_get_serial_sequence('chunk', 'id'))"
                      " FROM generate_series(1, $1)",
                      DB(DBI(p->n)), &r, e);
    for (size_t i = 0; rc >= 0 && i < p->n && (rc = db_next(r, e)) == 1; i++) {
        struct chunk **at = bsearch(&placed[i], p->open, p->n, sizeof *p->open, by_digest);
        ids[at - p->open] = db_int(r, 0);
    }
    return rc < 0 ? rc : 0;
}

static int insert(struct putting *p, struct err *e)
{
    bool drawn = db_tx_kind(p->tx) == DB_POSTGRES;
    autofree int64_t *ids = drawn ? calloc(p->n + 1, sizeof *ids) : NULL;
    if (drawn && !ids)
        return err_no_memory(e);
    int rc = drawn ? draw_ids(p, ids, e) : 0;
    autofree struct chunk **order = malloc((p->n + 1) * sizeof *order);
    if (!order)
        return err_no_memory(e);
    memcpy(order, p->open, p->n * sizeof *order);
    if (!drawn) /* one writer at a time: ids are given in this order */
        qsort(order, p->n, sizeof *order, by_place);
    bool large = p->d->driver == CHUNK_S3;
    struct chunk_packer *packer = NULL;
    if (rc >= 0)
        rc = chunk_packer_new(order, p->n, !large, &packer, e);
    for (size_t i = 0, n; i < p->n && rc >= 0; i += n) {
        n = large ? 1 : db_batch(p->n - i, INSERT_MAX);
        rc = insert_some(p, order, ids, packer, i, n, e);
        if (rc >= 0)
            chunk_packer_drop(packer, i + n);
    }
    chunk_packer_free(packer);
    drop_found(p);
    return rc;
}

static int put_all(struct putting *p, struct err *e)
{
    int rc = find(p, e);
    for (int attempt = 0; rc >= 0 && p->n && attempt < 3; attempt++) {
        rc = insert(p, e);
        if (rc >= 0 && p->n) /* others were first */
            rc = find(p, e);
    }
    if (rc >= 0 && p->n)
        rc = err_set(e, ERR_CONFLICT, "a chunk of a document comes and goes");
    return rc < 0 ? rc : 0;
}

static void hash(struct chunk *chunks, size_t n)
{
    for (size_t i = 0; i < n; i++)
        chunks[i].digest = sha256_of(chunks[i].raw.p, chunks[i].raw.n);
}

struct hashing {
    struct chunk *chunks;
    size_t n;
};

static void hash_aside(void *ctx)
{
    const struct hashing *h = ctx;
    hash(h->chunks, h->n);
}

/* Half of many at the side. */
static void hash_all(struct chunk *chunks, size_t n)
{
    struct hashing half = {chunks + n / 2, n - n / 2};
    struct aside aside;
    if (n < HASH_ASIDE_MIN) {
        hash(chunks, n);
        return;
    }
    aside_begin(&aside, hash_aside, &half);
    hash(chunks, n / 2);
    aside_end(&aside);
}

static int put_or_find(struct documents *d, struct db_tx *tx, struct chunk *chunks, size_t n,
                       bool write, struct err *e)
{
    struct putting p = {.d = d, .tx = tx};
    autofree struct chunk **sorted = malloc((n + 1) * sizeof *sorted);
    p.open = malloc((n + 1) * sizeof *p.open);
    int rc = sorted && p.open ? 0 : err_no_memory(e);
    if (rc == 0)
        hash_all(chunks, n);
    for (size_t i = 0; i < n && rc == 0; i++) {
        chunks[i].id = 0;
        chunks[i].driver = d->driver;
        sorted[i] = &chunks[i];
    }
    if (rc == 0 && n) {
        qsort(sorted, n, sizeof *sorted, by_digest);
        for (size_t i = 0; i < n; i++)
            if (!i || by_digest(&sorted[i - 1], &sorted[i]) != 0)
                p.open[p.n++] = sorted[i];
        rc = write ? put_all(&p, e) : find(&p, e);
    }
    for (size_t i = 1; i < n && rc >= 0; i++)
        if (by_digest(&sorted[i - 1], &sorted[i]) == 0 && !sorted[i]->id)
            sorted[i]->id = sorted[i - 1]->id;
    free(p.open);
    return rc < 0 ? rc : 0;
}

int chunks_put(struct documents *d, struct db_tx *tx, struct chunk *chunks, size_t n, struct err *e)
{
    return put_or_find(d, tx, chunks, n, true, e);
}

int chunks_find(struct documents *d, struct db_tx *tx, struct chunk *chunks, size_t n,
                struct err *e)
{
    return put_or_find(d, tx, chunks, n, false, e);
}

/* The row keeps its id, so what the other driver still has is named by no row of that driver. */
static int move_one(struct documents *d, struct db_tx *tx, const struct chunk *c, struct err *e)
{
    auto_buf packed;
    buf_init(&packed, packed_max(d->driver));
    int rc = chunk_compress(c->raw, &packed, e);
    if (rc == 0 && d->driver != CHUNK_DB)
        rc = put_outside(d, c, buf_view(&packed), e);
    if (rc < 0)
        return rc;
    int64_t n = db_exec(
        tx, "UPDATE chunk SET driver = $2, data = $3 WHERE id = $1",
        DB(DBI(c->id), DBI(d->driver), d->driver == CHUNK_DB ? DBB(buf_view(&packed)) : DBNULL), e);
    return n < 0 ? (int)n : 0;
}

int chunks_move_here(struct documents *d, struct db_tx *tx, struct chunk *chunks, size_t n,
                     struct err *e)
{
    int rc = 0;
    for (size_t i = 0; i < n && rc == 0; i++)
        if (chunks[i].driver != d->driver)
            rc = move_one(d, tx, &chunks[i], e);
    return rc;
}

/* ---- reading */

struct stored {
    int64_t id, size;
    enum chunk_driver driver;
    struct sha256 digest;
    size_t at, n; /* in the batch's bytes */
};

static int by_id(const void *a, const void *b)
{
    const struct stored *x = a, *y = b;
    return x->id < y->id ? -1 : x->id > y->id;
}

static int read_some(struct db_tx *tx, const int64_t *ids, size_t n, struct stored *rows,
                     size_t *n_rows, struct buf *bytes, struct err *e)
{
    auto_buf sql;
    buf_init(&sql, 64 << 10);
    struct db_value v[READ_MAX];
    size_t width = n == 1 ? 1 : READ_MAX;
    for (size_t i = 0; i < width; i++)
        v[i] = DBI(ids[i < n ? i : n - 1]);
    buf_add_str(&sql, STR("SELECT id, digest, driver, size, data FROM chunk WHERE id IN "));
    db_places(&sql, 1, width);
    auto_rows *r = NULL;
    *n_rows = 0;
    int rc = db_query(tx, buf_z(&sql), v, width, &r, e);
    while (rc >= 0 && (rc = db_next(r, e)) == 1 && *n_rows < READ_MAX) {
        struct stored *s = &rows[(*n_rows)++];
        str digest = db_blob(r, 1), data = db_blob(r, 4);
        *s = (struct stored){db_int(r, 0), db_int(r, 3), (enum chunk_driver)db_int(r, 2),
                             .at = bytes->n, .n = data.n};
        if (digest.n != sizeof s->digest.b || s->size < 0 || s->size > piece_max(s->driver))
            return err_set(e, ERR_MISMATCH, "a stored document is damaged (row)");
        memcpy(s->digest.b, digest.p, digest.n);
        buf_add_str(bytes, data);
    }
    qsort(rows, *n_rows, sizeof *rows, by_id);
    return rc < 0 ? rc : buf_check(bytes, "chunks of a document", e);
}

static int expand_one(struct documents *d, ZSTD_DCtx *z, const struct stored *s, str bytes,
                      struct buf *out, struct err *e)
{
    auto_buf file;
    buf_init(&file, packed_max(s->driver));
    str packed = str_sub(bytes, s->at, s->at + s->n);
    if (s->driver != CHUNK_DB) {
        int rc = s->driver == CHUNK_S3 ? chunk_s3_get(d, &s->digest, s->id, &file, e)
                                       : chunk_file_get(d, &s->digest, s->id, &file, e);
        if (rc < 0)
            return rc;
        packed = buf_view(&file);
    }
    return expand_with(z, packed, (uint64_t)s->size, &s->digest, out, e);
}

int chunks_get(struct documents *d, struct db_tx *tx, const int64_t *ids, size_t n, struct buf *out,
               struct err *e)
{
    struct stored rows[READ_MAX];
    auto_buf bytes;
    buf_init(&bytes, READ_MAX * 2 * CHUNK_MAX);
    ZSTD_DCtx *z = ZSTD_createDCtx();
    int rc = z ? 0 : err_no_memory(e);
    for (size_t i = 0, some; i < n && rc >= 0; i += some) {
        size_t n_rows;
        some = n - i < READ_MAX ? n - i : READ_MAX;
        buf_clear(&bytes);
        rc = read_some(tx, ids + i, some, rows, &n_rows, &bytes, e);
        for (size_t k = 0; k < some && rc >= 0; k++) {
            const struct stored key = {.id = ids[i + k]};
            const struct stored *s = bsearch(&key, rows, n_rows, sizeof *rows, by_id);
            rc = s ? expand_one(d, z, s, buf_view(&bytes), out, e)
                   : err_set(e, ERR_MISMATCH, "a chunk of a document is gone");
        }
    }
    ZSTD_freeDCtx(z);
    return rc < 0 ? rc : 0;
}
