/* posting_merge.c - brings the images that came and went into the posting lists. */
#include "base/auto.h"
#include "store/posting_internal.h"

enum { WENT = 1, PAIRS_MAX = 40000000 };

/* One change of a list: package, place in the block, whether it is to be taken out. Numbers of
 * packages have 46 bits. */
struct pairs {
    VEC(uint64_t) list; /* of the block at hand */
    uint64_t place;
};

static int add_pair(void *ctx, int64_t package)
{
    struct pairs *p = ctx;
    uint64_t *slot = p->list.n < PAIRS_MAX ? vec_push(&p->list) : NULL;
    if (slot)
        *slot = (uint64_t)package << 17 | p->place;
    return slot ? 0 : -1;
}

static int by_value(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

static int read_list(struct db_tx *tx, int64_t package, int64_t block, uint64_t *words, bool *was,
                     struct err *e)
{
    auto_rows *r = NULL;
    int rc =
        db_query(tx, "SELECT images FROM posting WHERE package = $1 AND block = $2 {for_update}",
                 DB(DBI(package), DBI(block)), &r, e);
    if (rc >= 0)
        rc = db_next(r, e);
    *was = rc == 1;
    return rc == 1 ? posting_decode(db_blob(r, 0), words, e) : rc;
}

static int write_list(struct db_tx *tx, int64_t package, int64_t block, const uint64_t *words,
                      bool was, struct buf *bytes, struct err *e)
{
    int64_t n = 0;
    buf_clear(bytes);
    posting_encode(words, bytes);
    int rc = buf_check(bytes, "a list of images", e);
    if (rc < 0)
        return rc;
    if (bytes->n && was)
        n = db_exec(tx, "UPDATE posting SET images = $3 WHERE package = $1 AND block = $2",
                    DB(DBI(package), DBI(block), DBB(buf_view(bytes))), e);
    else if (bytes->n)
        n = db_exec(tx, "INSERT INTO posting (package, block, images) VALUES ($1, $2, $3)",
                    DB(DBI(package), DBI(block), DBB(buf_view(bytes))), e);
    else if (was)
        n = db_exec(tx, "DELETE FROM posting WHERE package = $1 AND block = $2",
                    DB(DBI(package), DBI(block)), e);
    return n < 0 ? (int)n : 0;
}

static int merge_block(struct db_tx *tx, struct pairs *p, int64_t block, struct err *e)
{
    uint64_t words[POSTING_WORDS];
    auto_buf bytes;
    int rc = 0;
    buf_init(&bytes, POSTING_BYTES_MAX + 100);
    if (p->list.n)
        qsort(p->list.p, p->list.n, sizeof *p->list.p, by_value);
    for (size_t i = 0; rc >= 0 && i < p->list.n;) {
        int64_t package = (int64_t)(p->list.p[i] >> 17);
        bool was;
        memset(words, 0, sizeof words);
        rc = read_list(tx, package, block, words, &was, e);
        for (; i < p->list.n && (int64_t)(p->list.p[i] >> 17) == package; i++) {
            uint64_t at = p->list.p[i] >> 1 & (POSTING_BLOCK - 1);
            uint64_t bit = (uint64_t)1 << at % 64;
            words[at / 64] = p->list.p[i] & WENT ? words[at / 64] & ~bit : words[at / 64] | bit;
        }
        if (rc >= 0)
            rc = write_list(tx, package, block, words, was, &bytes, e);
    }
    p->list.n = 0;
    return rc;
}

struct merged {
    int64_t image;
    bool went;
};
struct merging {
    size_t limit;
    bool summed;
    VEC(struct merged) images;
};

/* DELETE waits for whoever deletes the image at this moment, so that what it returns is ours. */
static int take(struct db_tx *tx, struct merging *m, const char *sql, bool went, struct err *e)
{
    auto_rows *r = NULL;
    int rc = db_query(tx, sql, DB(DBI(m->limit)), &r, e);
    while (rc >= 0 && (rc = db_next(r, e)) == 1) {
        struct merged *slot = vec_push(&m->images);
        if (!slot)
            return err_no_memory(e);
        *slot = (struct merged){db_int(r, 0), went};
    }
    return rc;
}

static int by_image(const void *a, const void *b)
{
    const struct merged *x = a, *y = b;
    return (x->image > y->image) - (x->image < y->image);
}

static int add_image(struct db_tx *tx, const struct merged *m, struct pairs *p, struct err *e)
{
    auto_rows *r = NULL;
    const char *sql = m->went ? "SELECT packages FROM posting_dead WHERE image = $1"
                              : "SELECT packages FROM posting_list WHERE image = $1";
    int rc = db_query(tx, sql, DB(DBI(m->image)), &r, e);
    if (rc < 0 || (rc = db_next(r, e)) <= 0)
        return rc;
    p->place = ((uint64_t)m->image % POSTING_BLOCK) << 1 | (m->went ? WENT : 0);
    rc = posting_unpack(db_blob(r, 0), add_pair, p, e);
    db_rows_close(TAKE(r));
    if (rc == 0 && m->went)
        rc = (int)db_exec(tx, "DELETE FROM posting_dead WHERE image = $1", DB(DBI(m->image)), e);
    return rc < 0 ? rc : 0;
}

static int merge(struct db_tx *tx, void *ctx, struct err *e)
{
    struct merging *m = ctx;
    struct pairs pairs = {0};
    m->images.n = 0;
    const char *fresh = m->summed ? "DELETE FROM posting_fresh WHERE image IN (SELECT f.image FROM"
                                    " posting_fresh f CROSS JOIN finding_summary s WHERE s.image ="
                                    " f.image"
                                    " ORDER BY f.image LIMIT $1) RETURNING image"
                                  : "DELETE FROM posting_fresh WHERE image IN (SELECT image FROM"
                                    " posting_fresh ORDER BY image LIMIT $1) RETURNING image";
    int rc = take(tx, m, fresh, false, e);
    if (rc >= 0)
        rc = take(tx, m, "SELECT image FROM posting_dead ORDER BY image LIMIT $1 {for_update}",
                  true, e);
    if (m->images.n)
        qsort(m->images.p, m->images.n, sizeof *m->images.p, by_image);
    for (size_t i = 0; rc >= 0 && i < m->images.n; i++) {
        int64_t block = m->images.p[i].image / POSTING_BLOCK;
        rc = add_image(tx, &m->images.p[i], &pairs, e);
        if (rc >= 0 && (i + 1 == m->images.n || m->images.p[i + 1].image / POSTING_BLOCK != block))
            rc = merge_block(tx, &pairs, block, e);
    }
    vec_done(&pairs.list);
    return rc;
}

int64_t posting_merge(struct db *db, size_t limit, bool summed, struct err *e)
{
    struct merging m = {.limit = limit < POSTING_BLOCK ? limit : POSTING_BLOCK, .summed = summed};
    int rc = db_run(db, DB_WRITE, merge, &m, e);
    int64_t n = (int64_t)m.images.n;
    vec_done(&m.images);
    return rc < 0 ? rc : n;
}

int posting_waiting(struct db_tx *tx, int64_t *out, struct err *e)
{
    return db_query_int(tx,
                        "SELECT (SELECT COUNT(*) FROM posting_fresh) +"
                        " (SELECT COUNT(*) FROM posting_dead)",
                        DB0, out, e);
}
