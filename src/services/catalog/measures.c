#include "services/catalog/measures.h"

#include "base/auto.h"
#include "services/metrics.h"

enum { COUNT_MAX = 100000 }; /* a scrape is never a long query */

static const char *const states[] = {"not_analyzed", "analyzing", "analysis_failed"};
struct measures {
    int64_t images[KE_ARRAY_LEN(states)], waiting, oldest_us;
};

static int one_row(struct db_tx *tx, const char *sql, const struct db_value *v, size_t n,
                   int64_t *first, int64_t *second, struct err *e)
{
    auto_rows *rows = NULL;
    int k = db_query(tx, sql, v, n, &rows, e);
    if (k >= 0 && (k = db_next(rows, e)) == 1) {
        *first = db_int(rows, 0);
        if (second)
            *second = db_int(rows, 1);
    }
    return k < 0 ? k : 0;
}

static int measure(struct db_tx *tx, void *ctx, struct err *e)
{
    struct measures *m = ctx;
    int k = one_row(tx,
                    "SELECT COUNT(*), CASE WHEN COUNT(*) = 0 THEN 0 ELSE now_us() -"
                    " MIN(created_at) END FROM (SELECT created_at FROM outbox"
                    " WHERE delivered_at IS NULL ORDER BY id LIMIT $1) AS x",
                    DB(DBI(COUNT_MAX)), &m->waiting, &m->oldest_us, e);
    for (size_t i = 0; k == 0 && i < KE_ARRAY_LEN(states); i++)
        k = one_row(tx,
                    "SELECT COUNT(*) FROM (SELECT 1 FROM catalog_image WHERE analysis_status = $2"
                    " AND analysis_status <> 'analyzed' LIMIT $1) AS x",
                    DB(DBI(COUNT_MAX), DBZ(states[i])), &m->images[i], NULL, e);
    return k;
}

void catalog_metrics(struct engine *en, struct buf *out)
{
    struct measures m = {0};
    struct err ignored = {0};
    if (db_run(en->db, DB_READ, measure, &m, &ignored) < 0)
        return;
    metrics_head(out, "kellet_images", "gauge", "Images that are not analysed, at most 100000");
    for (size_t i = 0; i < KE_ARRAY_LEN(states); i++)
        metrics_sample(out, "kellet_images", "analysis_status", str_z(states[i]),
                       (double)m.images[i]);
    metrics_head(out, "kellet_notifications_waiting", "gauge",
                 "Notifications that were not delivered to all, at most 100000");
    metrics_sample(out, "kellet_notifications_waiting", NULL, (str){0}, (double)m.waiting);
    metrics_head(out, "kellet_notifications_wait_seconds", "gauge", "Age of the oldest of them");
    metrics_sample(out, "kellet_notifications_wait_seconds", NULL, (str){0},
                   (double)m.oldest_us / 1e6);
}
