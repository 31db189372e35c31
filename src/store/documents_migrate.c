#include "store/documents_migrate.h"

#include "base/auto.h"
#include "base/vec.h"
#include "store/documents_internal.h"

enum { BATCH = 500 };

struct batch {
    struct documents *d;
    int64_t after, elsewhere;
    int64_t ids[BATCH];
    size_t n;
};

static int read_batch(struct db_tx *tx, void *ctx, struct err *e)
{
    struct batch *b = ctx;
    auto_rows *r = NULL;
    b->n = 0;
    int rc = db_query(tx,
                      "SELECT id FROM content WHERE id > $1 AND chunks IS NOT NULL ORDER BY id"
                      " LIMIT $2",
                      DB(DBI(b->after), DBI(BATCH)), &r, e);
    while (rc >= 0 && b->n < BATCH && (rc = db_next(r, e)) == 1)
        b->ids[b->n++] = db_int(r, 0);
    return rc < 0 ? rc : 0;
}

/* ---- which must be moved */

struct looking {
    struct documents *d;
    struct db_tx *tx;
    struct err *e;
    bool elsewhere;
};

static int look_at(void *ctx, int64_t id)
{
    struct looking *l = ctx;
    int64_t driver = 0;
    if (l->elsewhere)
        return 0;
    int rc =
        db_query_int(l->tx, "SELECT driver FROM chunk WHERE id = $1", DB(DBI(id)), &driver, l->e);
    if (rc == ERR_NOT_FOUND)
        return err_set(l->e, ERR_MISMATCH, "a chunk of a document is gone");
    l->elsewhere = driver != l->d->driver;
    return rc;
}

/* 1: one of its chunks is with another driver; 0: none is. */
static int is_elsewhere(struct documents *d, struct db_tx *tx, str list, bool runs, struct err *e)
{
    struct looking l = {.d = d, .tx = tx, .e = e};
    int rc = content_each_chunk(list, runs, look_at, &l, e);
    return rc < 0 ? rc : l.elsewhere;
}

/* ---- moving one */

struct left {
    int64_t id;
    struct sha256 digest;
    enum chunk_driver driver;
};

struct move {
    struct documents *d;
    int64_t id;
    uint64_t bytes;
    VEC(struct left) left; /* what the driver before still has of chunks that kept their rows */
};

static void note_moved(void *ctx, const struct chunk *c)
{
    struct move *m = ctx;
    struct left *x = c->driver == CHUNK_DB ? NULL : vec_push(&m->left);
    if (x) /* else the sweep for files and objects without rows finds it */
        *x = (struct left){c->id, c->digest, c->driver};
}

int content_chunks_here(struct documents *d, struct db_tx *tx, struct chunk *chunks, size_t n,
                        const struct content_move *m, struct err *e)
{
    int rc = chunks_put(d, tx, chunks, n, e);
    if (rc == 0)
        rc = chunks_move_here(d, tx, chunks, n, e);
    for (size_t i = 0; rc == 0 && i < n; i++)
        if (chunks[i].driver != d->driver)
            m->moved(m->ctx, &chunks[i]);
    return rc;
}

int content_chunks_rewrite(struct documents *d, struct db_tx *tx, const struct content_row *c,
                           const struct content_move *m, struct err *e)
{
    struct chunk_vec chunks = {0};
    auto_buf bytes, list;
    buf_init(&bytes, c->size + 2);
    buf_init(&list, RECIPE_MAX);
    int rc = content_chunks_get(d, tx, buf_view(&c->chunks), c->size, &bytes, e);
    if (rc == 0)
        rc = chunk_vec_cut(d, buf_view(&bytes), &chunks, e);
    if (rc == 0)
        rc = content_chunks_here(d, tx, chunks.p, chunks.n, m, e);
    for (size_t i = 0; rc == 0 && i < chunks.n; i++)
        buf_add_varint(&list, (uint64_t)chunks.p[i].id);
    vec_done(&chunks);
    if (rc == 0)
        rc = buf_check(&list, "list of chunks", e);
    if (rc < 0)
        return rc;
    int64_t n = db_exec(tx, "UPDATE content SET chunks = $2 WHERE id = $1",
                        DB(DBI(c->id), DBB(buf_view(&list))), e);
    if (n >= 0)
        n = content_chunks_left(tx, c->id, buf_view(&c->chunks), false, e);
    if (n >= 0)
        n = content_chunks_named(tx, c->id, buf_view(&list), false, e);
    return n < 0 ? (int)n : 0;
}

/* 1: *c is the content, which must be moved; 0: it need not, or is gone meanwhile. */
static int read_content(struct move *m, struct db_tx *tx, struct content_row *c, struct err *e)
{
    auto_rows *r = NULL;
    int rc = db_query(tx,
                      "SELECT " CONTENT_COLUMNS ", '' FROM content c"
                      " WHERE id = $1 AND chunks IS NOT NULL {for_update}",
                      DB(DBI(m->id)), &r, e);
    if (rc == 0)
        rc = db_next(r, e);
    if (rc <= 0)
        return rc;
    rc = content_row_copy(r, STR(""), c, e);
    return rc < 0 ? rc : is_elsewhere(m->d, tx, buf_view(&c->chunks), c->has_parts, e);
}

static int move_one(struct db_tx *tx, void *ctx, struct err *e)
{
    struct move *m = ctx;
    const struct content_move how = {note_moved, m};
    struct content_row c;
    m->left.n = 0; /* of an earlier try */
    content_row_init(&c);
    int rc = read_content(m, tx, &c, e);
    m->bytes = c.size;
    if (rc == 1) {
        rc = c.has_parts ? content_parts_rewrite(m->d, tx, &c, &how, e)
                         : content_chunks_rewrite(m->d, tx, &c, &how, e);
        rc = rc < 0 ? rc : 1;
    }
    content_row_done(&c);
    return rc;
}

/* ---- all of them */

static int migrate_content(struct documents *d, struct documents_migration *m, int64_t id,
                           struct err *e)
{
    struct move one = {.d = d, .id = id};
    int rc = db_run(d->db, DB_WRITE, move_one, &one, e);
    for (size_t k = 0; rc == 1 && !m->keep && k < one.left.n; k++)
        chunk_unlink(d, one.left.p[k].driver, &one.left.p[k].digest, one.left.p[k].id);
    vec_done(&one.left);
    if (rc < 0)
        return rc;
    m->contents++;
    m->moved += rc == 1;
    m->bytes += rc == 1 ? one.bytes : 0;
    return rc == 1 && m->progress ? m->progress(m->ctx, m, e) : 0;
}

int documents_migrate(struct documents *d, struct documents_migration *m, struct err *e)
{
    struct batch *b = calloc(1, sizeof *b);
    int rc = b ? 0 : err_no_memory(e);
    for (bool more = rc == 0; more && rc >= 0;) {
        rc = db_run(d->db, DB_READ, read_batch, b, e);
        for (size_t i = 0; rc >= 0 && i < b->n; i++)
            rc = migrate_content(d, m, b->ids[i], e);
        more = b->n == BATCH;
        b->after = b->n ? b->ids[b->n - 1] : b->after;
    }
    free(b);
    return rc < 0 ? rc : 0;
}

static int count_batch(struct db_tx *tx, void *ctx, struct err *e)
{
    struct batch *b = ctx;
    auto_rows *r = NULL;
    b->elsewhere = 0;
    int rc = db_query(tx, "SELECT chunks, parts IS NOT NULL FROM content WHERE chunks IS NOT NULL",
                      DB0, &r, e);
    while (rc >= 0 && (rc = db_next(r, e)) == 1) {
        rc = is_elsewhere(b->d, tx, db_blob(r, 0), db_int(r, 1), e);
        b->elsewhere += rc == 1;
    }
    return rc;
}

int64_t documents_elsewhere(struct documents *d, struct err *e)
{
    struct batch *b = calloc(1, sizeof *b);
    if (!b)
        return err_no_memory(e);
    b->d = d;
    int64_t rc = db_run(d->db, DB_READ, count_batch, b, e);
    rc = rc < 0 ? rc : b->elsewhere;
    free(b);
    return rc;
}
