#include "base/vec.h"
#include "services/analyzer/analyzer.h"
#include "services/catalog/watchers.h"
#include "services/image.h"
#include "services/log.h"

static const char log_name[] = "catalog";
enum { BATCH = 500 };

struct owned {
    str account, digest;
};

struct found {
    struct arena a;
    const char *sql;
    VEC(struct owned) list;
};

static int find_in(struct db_tx *tx, void *ctx, struct err *e)
{
    struct found *f = ctx;
    auto_rows *rows = NULL;

    f->list.n = 0;
    int rc = db_query(tx, f->sql, DB(DBI(BATCH)), &rows, e);
    while (rc >= 0 && (rc = db_next(rows, e)) > 0) {
        struct owned *o = vec_push(&f->list);
        if (!o)
            return err_no_memory(e);
        o->account = arena_dup(&f->a, db_text(rows, 0));
        o->digest = arena_dup(&f->a, db_text(rows, 1));
    }
    return rc < 0 ? rc : f->a.full ? err_no_memory(e) : 0;
}

struct one {
    struct engine *en;
    const struct owned *image;
};

/* Finds images by a query and calls fn for each in a transaction of its own; how many there were.
 */
static int for_found(struct engine *en, const char *sql,
                     int (*fn)(struct db_tx *tx, void *ctx, struct err *e), struct err *e)
{
    struct found f = {.sql = sql};

    arena_init(&f.a, 16 << 20);
    int rc = db_run(en->db, DB_READ, find_in, &f, e);
    for (size_t i = 0; rc >= 0 && i < f.list.n && !engine_stopping(en); i++) {
        struct one one = {en, &f.list.p[i]};
        rc = db_run(en->db, DB_WRITE, fn, &one, e);
    }
    int n = (int)f.list.n;
    vec_done(&f.list);
    arena_done(&f.a);
    return rc < 0 ? rc : n;
}

/* ---- analyzer_queue ----------------------------------------------------------------------------
 */

#define IN_NO_QUEUE                                                                                \
    "AND image_status = 'active' AND NOT EXISTS (SELECT 1 FROM queue_item q WHERE "                \
    "q.queue = 'images_to_analyze' AND q.dedupe = account || ' ' || image_digest) LIMIT $1"

static int queue_in(struct db_tx *tx, void *ctx, struct err *e)
{
    const struct one *o = ctx;
    enum image_state state;
    int rc = image_status(tx, o->image->account, o->image->digest, &state, e);
    if (rc <= 0 || state != IMAGE_NOT_ANALYZED)
        return rc < 0 ? rc : 0;
    rc = image_queue(tx, o->image->account, o->image->digest, e);
    if (rc > 0)
        log_info(log_name, "image %.*s of %.*s was in no queue: it is now",
                 STR_ARG(o->image->digest), STR_ARG(o->image->account));
    return rc;
}

static int reset_in(struct db_tx *tx, void *ctx, struct err *e)
{
    const struct one *o = ctx;
    int rc = image_set_status(tx, o->image->account, o->image->digest, 1u << IMAGE_ANALYZING,
                              IMAGE_NOT_ANALYZED, str_z(o->en->host_id),
                              STR("it was being analyzed, but is in no queue"), e);
    if (rc == ERR_CONFLICT || rc == ERR_NOT_FOUND)
        return 0;
    return rc < 0 ? rc : image_queue(tx, o->image->account, o->image->digest, e);
}

int analyzer_queue_run(struct engine *en, struct err *e)
{
    int64_t dead = queue_reap(en->db, analyzer_item_dead, en, e);
    if (dead < 0)
        return (int)dead;
    int rc = for_found(en,
                       "SELECT account, image_digest FROM catalog_image WHERE "
                       "analysis_status = 'not_analyzed' " IN_NO_QUEUE,
                       queue_in, e);
    if (rc >= 0)
        rc = for_found(
            en,
            "SELECT account, image_digest FROM catalog_image WHERE "
            "analysis_status = 'analyzing' AND last_updated < now_us() - 60000000 " IN_NO_QUEUE,
            reset_in, e);
    return rc < 0 ? rc : 0;
}

/* ---- image_gc ----------------------------------------------------------------------------------
 */

static int remove_in(struct db_tx *tx, void *ctx, struct err *e)
{
    const struct one *o = ctx;
    int64_t n;
    /* Revived since the list was made? */
    int rc = db_query_int(tx,
                          "SELECT COUNT(*) FROM catalog_image WHERE account = $1 AND "
                          "image_digest = $2 AND image_status = 'deleting'",
                          DB(DBS(o->image->account), DBS(o->image->digest)), &n, e);
    if (rc < 0 || n == 0)
        return rc;
    return image_remove(tx, o->en->documents, o->image->account, o->image->digest, e);
}

int image_gc_run(struct engine *en, struct err *e)
{
    int n;

    do {
        n = for_found(en,
                      "SELECT account, image_digest FROM catalog_image WHERE "
                      "image_status = 'deleting' LIMIT $1",
                      remove_in, e);
    } while (n == BATCH && !engine_stopping(en));
    return n < 0 ? n : 0;
}

int documents_sweep_run(struct engine *en, struct err *e)
{
    int64_t n;

    do {
        n = documents_sweep(en->documents, BATCH, e);
    } while (n == BATCH && !engine_stopping(en));
    return n < 0 ? (int)n : 0;
}
