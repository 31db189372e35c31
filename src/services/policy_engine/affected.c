#include "services/policy_engine/affected.h"

#include "base/auto.h"
#include "services/policy_engine/changes.h"

/* ---- the list */

int affected_read(struct db_tx *tx, int64_t batch, struct posting_set *out, struct err *e)
{
    auto_rows *r = NULL;
    int rc = db_query(tx, "SELECT block, images FROM finding_affected WHERE batch = $1",
                      DB(DBI(batch)), &r, e);
    while (rc >= 0 && (rc = db_next(r, e)) == 1) {
        uint64_t *words = posting_set_block(out, (uint64_t)db_int(r, 0));
        rc = words ? posting_decode(db_blob(r, 1), words, e) : err_no_memory(e);
    }
    return rc;
}

static int put_block(struct db_tx *tx, int64_t batch, size_t block, const uint64_t *words,
                     struct buf *bytes, struct err *e)
{
    buf_clear(bytes);
    posting_encode(words, bytes);
    int rc = buf_check(bytes, "a list of images", e);
    if (rc < 0 || !bytes->n)
        return rc;
    int64_t n =
        db_exec(tx, "INSERT INTO finding_affected (batch, block, images) VALUES ($1, $2, $3)",
                DB(DBI(batch), DBI(block), DBB(buf_view(bytes))), e);
    return n < 0 ? (int)n : 0;
}

int affected_publish(struct db_tx *tx, int64_t batch, const char *generation,
                     const struct posting_set *set, struct err *e)
{
    auto_buf bytes;
    buf_init(&bytes, POSTING_BYTES_MAX + 100);
    int64_t n = db_exec(tx, "DELETE FROM finding_affected WHERE batch = $1", DB(DBI(batch)), e);
    for (size_t i = 0; n >= 0 && i < set->n; i++)
        if (set->blocks[i])
            n = put_block(tx, batch, i, set->blocks[i], &bytes, e);
    if (n >= 0)
        n = db_exec(tx,
                    "UPDATE finding_batch SET listed_at = now_us(), generation = $2, images = $3"
                    " WHERE id = $1",
                    DB(DBI(batch), DBZ(generation), DBI(posting_set_count(set))), e);
    return n < 0 ? (int)n : db_notify(tx, CHANGES_CHANNEL, STR(""), e);
}

/* ---- asking */

int affected_batches(struct db_tx *tx, struct arena *a, int64_t before, size_t limit,
                     struct affected_batch **out, size_t *n, struct err *e)
{
    auto_rows *r = NULL;
    *n = 0;
    *out = arena_calloc(a, limit + 1, sizeof **out);
    if (!*out)
        return err_no_memory(e);
    int rc = db_query(tx,
                      "SELECT id, generation_before, generation, started_at, listed_at, ended_at"
                      " FROM finding_batch WHERE id < $1 OR $1 = 0 ORDER BY id DESC LIMIT $2",
                      DB(DBI(before), DBI(limit)), &r, e);
    while (rc >= 0 && (rc = db_next(r, e)) == 1)
        (*out)[(*n)++] = (struct affected_batch){.id = db_int(r, 0),
                                                 .generation_before = arena_dup(a, db_text(r, 1)),
                                                 .generation = arena_dup(a, db_text(r, 2)),
                                                 .started = db_int(r, 3),
                                                 .listed = db_int(r, 4),
                                                 .ended = db_int(r, 5)};
    return rc < 0 ? rc : a->full ? err_no_memory(e) : 0;
}

struct asking {
    size_t left;
    int (*fn)(void *ctx, const struct posting_image *i, struct err *e);
    void *ctx;
    bool full;
};

static int tell(void *ctx, const struct posting_image *i, struct err *e)
{
    struct asking *q = ctx;
    int rc = q->fn(q->ctx, i, e);
    if (rc >= 0 && q->left && --q->left == 0) {
        q->full = true;
        return ERR_LIMIT; /* ends the walk */
    }
    return rc;
}

/* Those up to `after` were told. */
static void drop_told(struct posting_set *s, int64_t after)
{
    for (int64_t i = posting_set_next(s, 0); i >= 0 && i <= after; i = posting_set_next(s, i + 1))
        s->blocks[i / POSTING_BLOCK][i % POSTING_BLOCK / 64] &= ~((uint64_t)1 << i % 64);
}

int affected_images(struct db_tx *tx, str account, int64_t batch, int64_t after, size_t limit,
                    int (*fn)(void *ctx, const struct posting_image *i, struct err *e), void *ctx,
                    struct err *e)
{
    struct asking q = {.left = limit, .fn = fn, .ctx = ctx};
    struct posting_set set;
    int64_t listed = 0;
    int rc = db_query_int(tx,
                          "SELECT COUNT(*) FROM finding_batch WHERE id = $1 AND listed_at"
                          " IS NOT NULL",
                          DB(DBI(batch)), &listed, e);
    if (rc < 0 || !listed)
        return rc < 0 ? rc : 0;
    posting_set_init(&set);
    rc = affected_read(tx, batch, &set, e);
    if (rc >= 0) {
        drop_told(&set, after);
        rc = posting_images(tx, &set, account, tell, &q, e);
    }
    posting_set_done(&set);
    return rc < 0 && !q.full ? rc : 1;
}
