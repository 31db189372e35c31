/* metrics.h - numbers about a process, as Prometheus text.
 *
 * All families are listed here at compile time, with the original's names where it has them.
 * Adding to one takes a lock of that family for some hundred nanoseconds. Label values come from
 * closed sets (route templates, not paths); a family keeps at most 500 of their combinations, those
 * that come later are counted together under "other". */
#ifndef KELLET_SERVICES_METRICS_H
#define KELLET_SERVICES_METRICS_H

#include "services/engine.h"

enum metric_id {
    METRIC_HTTP_SECONDS,    /* service, method, route template, status */
    METRIC_HTTP_TOTAL,      /* service, method, status */
    METRIC_HTTP_BYTES,      /* service */
    METRIC_MONITOR_SECONDS, /* function (watcher), "success" or "fail" */
    METRIC_ANALYSIS_SUCCESS,
    METRIC_ANALYSIS_ERROR,
    METRIC_ANALYSIS_RETRIES,
    METRIC_ANALYSIS_SECONDS,      /* "success" or "fail" */
    METRIC_ANALYSIS_STEP_SECONDS, /* step */
    METRIC_IMPORT_SUCCESS,
    METRIC_IMPORT_SECONDS, /* "success" or "fail" */
    METRIC_EVALUATION_SECONDS,
    METRIC_EVALUATION_CACHE_HITS,
    METRIC_EVALUATION_CACHE_MISSES,
    METRIC_EVALUATION_CACHE_NOT_FOUND,
    METRIC_EVALUATION_CACHE_INVALID,
    METRIC_EVALUATION_CACHE_STALE,
    METRIC_EVALUATION_CACHE_SECONDS,
    METRIC_VULNERABILITIES_CACHE_HITS,
    METRIC_VULNERABILITIES_CACHE_MISSES,
    METRIC_VULNERABILITIES_CACHE_SECONDS, /* "hit" or "miss" */
    METRIC_WEBHOOK_TOTAL,                 /* allowed: "true" or "false" */
    METRIC_NOTIFICATIONS_TOTAL,           /* section of webhooks, "success" or "fail" */
    METRIC_COUNT
};

struct metrics *metrics_new(void); /* NULL: no memory */
void metrics_free(struct metrics *m);

/* Up to four label values, in the order of the list above. Families of HTTP have the service's key
 * first; it is not printed, but chooses the page that they are on. */
struct metric_labels {
    const char *v[4];
};
#define METRIC_LABELS(...) ((struct metric_labels){{__VA_ARGS__}})
#define METRIC_NO_LABELS   ((struct metric_labels){{NULL}})

/* Counters; m NULL is fine everywhere. */
void metric_add(struct metrics *m, enum metric_id id, double by, struct metric_labels labels);
/* Histograms and summaries. */
void metric_observe(struct metrics *m, enum metric_id id, double value,
                    struct metric_labels labels);

/* The whole page of one service's port: the families above, the process, the database, the room
 * for scratch files, and what the service itself adds. */
void metrics_page(struct engine *en, const struct service_ops *ops, struct buf *out);
/* The families alone. */
void metrics_families(struct metrics *m, const char *service, struct buf *out);
#define METRICS_CONTENT_TYPE "text/plain; version=0.0.4; charset=utf-8"

/* For the `metrics` of services: the two comment lines of a family, then its samples. */
void metrics_head(struct buf *out, const char *name, const char *type, const char *help);
/* label NULL: none. */
void metrics_sample(struct buf *out, const char *name, const char *label, str value, double number);

#endif
