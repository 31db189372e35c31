/* reindex_images.c - the summaries of images: how many findings of each severity. */
#include "services/policy_engine/reindex_internal.h"

#include "base/auto.h"
#include "services/policy_engine/subscribed.h"

enum { WRITES = 1000, MERGE_AT = 1024, MERGE_MOST = 8192, NEW_MOST = 8192 };

/* ---- summaries ---------------------------------------------------------------------------------
 */

struct package_count {
    uint32_t of[SEVERITIES];
    bool known; /* the package was matched */
};
struct summing {
    const struct reindex_options *o;
    VEC(struct package_count) packages; /* by id */
    VEC(int64_t) images;                /* of the transaction at hand */
    int64_t batch;
};

static int read_counts(struct db_tx *tx, void *ctx, struct err *e)
{
    struct summing *s = ctx;
    auto_rows *r = NULL;
    s->packages.n = 0;
    int rc = db_query(tx, "SELECT id, counts FROM posting_package WHERE matched = 1 ORDER BY id",
                      DB0, &r, e);
    while (rc >= 0 && (rc = db_next(r, e)) == 1) {
        struct package_count *slot = NULL;
        struct package_sum sum;
        while (s->packages.n <= (size_t)db_int(r, 0))
            if (!(slot = vec_push(&s->packages)))
                return err_no_memory(e);
        package_sum_read(db_blob(r, 1), &sum);
        memcpy(slot->of, sum.of, sizeof slot->of);
        slot->known = true;
    }
    return rc;
}

static int put_summary(struct db_tx *tx, int64_t image, int64_t batch, str counts, struct err *e)
{
    auto_rows *r = NULL;
    int rc =
        db_query(tx, "SELECT counts FROM finding_summary WHERE image = $1", DB(DBI(image)), &r, e);
    if (rc < 0 || (rc = db_next(r, e)) < 0 || (rc == 1 && str_eq(db_blob(r, 0), counts)))
        return rc < 0 ? rc : 0;
    db_rows_close(TAKE(r));
    int64_t n = rc == 0 ? subscribed_newcomer(tx, image, e) : 0;
    if (n < 0)
        return (int)n;
    n = db_exec(tx,
                "INSERT INTO finding_summary (image, batch, counts) VALUES ($1, $2, $3)"
                " ON CONFLICT (image) DO UPDATE SET batch = excluded.batch,"
                " counts = excluded.counts",
                DB(DBI(image), DBI(batch), DBB(counts)), e);
    return n < 0 ? (int)n : 0;
}

static int sum_image(struct db_tx *tx, struct summing *s, int64_t image, posting_ids *list,
                     struct err *e)
{
    struct package_sum sum = {0};
    auto_buf text;
    buf_init(&text, 100);
    list->n = 0;
    int rc = posting_list(tx, image, list, e);
    if (rc <= 0)
        return rc; /* it went meanwhile */
    for (size_t i = 0; i < list->n; i++) {
        if ((size_t)list->p[i] >= s->packages.n || !s->packages.p[list->p[i]].known)
            return 0; /* the next round's */
        for (size_t k = 0; k < SEVERITIES; k++)
            sum.of[k] += s->packages.p[list->p[i]].of[k];
    }
    for (size_t i = 0; i < SEVERITIES; i++)
        buf_add_varint(&text, sum.of[i]);
    return put_summary(tx, image, s->batch, buf_view(&text), e);
}

static int sum_images(struct db_tx *tx, void *ctx, struct err *e)
{
    struct summing *s = ctx;
    posting_ids list = {0};
    int rc = reindex_fence(tx, s->o, e);
    for (size_t i = 0; rc >= 0 && i < s->images.n; i++)
        rc = sum_image(tx, s, s->images.p[i], &list, e);
    vec_done(&list);
    return rc;
}

static int flush(struct summing *s, struct err *e)
{
    if (s->o->stop && s->o->stop(s->o->ctx))
        return err_set(e, ERR_CONFLICT, "the engine is stopping");
    int rc = s->images.n ? db_run(s->o->db, DB_WRITE, sum_images, s, e) : 0;
    s->images.n = 0;
    return rc;
}

int reindex_summaries(const struct reindex_options *o, const struct posting_set *images,
                      int64_t batch, struct err *e)
{
    struct summing s = {.o = o, .batch = batch};
    int64_t i = posting_set_next(images, 0);
    int rc = i < 0 ? 0 : db_run(o->db, DB_READ, read_counts, &s, e);
    for (; rc >= 0 && i >= 0; i = posting_set_next(images, i + 1)) {
        int64_t *slot = vec_push(&s.images);
        if (slot)
            *slot = i;
        rc = !slot ? err_no_memory(e) : s.images.n == WRITES ? flush(&s, e) : 0;
    }
    if (rc >= 0)
        rc = flush(&s, e);
    vec_done(&s.packages);
    vec_done(&s.images);
    return rc < 0 ? rc : 0;
}

/* ---- images that came --------------------------------------------------------------------------
 */

struct newcomers {
    struct posting_set set;
    int64_t n, waiting;
};

static int read_newcomers(struct db_tx *tx, void *ctx, struct err *e)
{
    struct newcomers *c = ctx;
    auto_rows *r = NULL;
    posting_set_done(&c->set);
    c->n = 0;
    int rc = posting_waiting(tx, &c->waiting, e);
    if (rc == 0)
        rc = db_query(tx,
                      "SELECT f.image FROM posting_fresh f LEFT JOIN finding_summary s ON"
                      " s.image = f.image WHERE s.image IS NULL LIMIT $1",
                      DB(DBI(NEW_MOST)), &r, e);
    for (; rc >= 0 && (rc = db_next(r, e)) == 1; c->n++)
        if (!posting_set_add(&c->set, db_int(r, 0)))
            return err_no_memory(e);
    return rc;
}

int64_t reindex_images(const struct reindex_options *o, struct err *e)
{
    struct newcomers c = {.n = 0};
    posting_set_init(&c.set);
    int64_t rc = db_run(o->db, DB_READ, read_newcomers, &c, e);
    if (rc >= 0 && c.n)
        rc = reindex_summaries(o, &c.set, 0, e);
    if (rc >= 0 && c.waiting >= MERGE_AT)
        rc = posting_merge(o->db, MERGE_MOST, true, e);
    posting_set_done(&c.set);
    return rc < 0 ? rc : c.n;
}
