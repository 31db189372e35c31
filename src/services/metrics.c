#include "services/metrics.h"

#include "base/map.h"

#include <math.h>
#include <pthread.h>

enum { SERIES_MAX = 500, VALUE_MAX = 200, BOUNDS_MAX = 15, LABELS_MAX = 4 };

enum kind { COUNTER, SUMMARY, HISTOGRAM };

struct family {
    const char *name, *help;
    enum kind kind;
    bool per_service;               /* the first label chooses the page */
    const char *labels[LABELS_MAX]; /* those that are printed */
    const double *bounds;           /* ended by 0 */
};

static const double request_bounds[] = {0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5,
                                        0.75,  1,    2.5,   5,    7.5,   10,  0};
static const double analysis_bounds[] = {1, 5, 10, 30, 60, 120, 300, 600, 1800, 3600, 0};

static const struct family families[METRIC_COUNT] = {
    [METRIC_HTTP_SECONDS] = {"flask_http_request_duration_seconds",
                             "Time that requests took",
                             HISTOGRAM,
                             true,
                             {"method", "path", "status"},
                             request_bounds},
    [METRIC_HTTP_TOTAL] =
        {"flask_http_request_total", "Requests", COUNTER, true, {"method", "status"}},
    [METRIC_HTTP_BYTES] = {"kellet_http_sent_bytes_total", "Bytes of answers", COUNTER, true},
    [METRIC_MONITOR_SECONDS] = {"anchore_monitor_runtime_seconds",
                                "Time that rounds of watchers took",
                                SUMMARY,
                                false,
                                {"function", "status"}},
    [METRIC_ANALYSIS_SUCCESS] = {"anchore_analysis_success_total", "Images analyzed", COUNTER},
    [METRIC_ANALYSIS_ERROR] = {"anchore_analysis_error_total", "Analyses that failed", COUNTER},
    [METRIC_ANALYSIS_RETRIES] = {"kellet_analysis_retries_total",
                                 "Analyses that are to be tried again", COUNTER},
    [METRIC_ANALYSIS_SECONDS] = {"anchore_analysis_time_seconds",
                                 "Time that analyses took",
                                 HISTOGRAM,
                                 false,
                                 {"status"},
                                 analysis_bounds},
    [METRIC_ANALYSIS_STEP_SECONDS] = {"kellet_analysis_seconds",
                                      "Time that steps of analyses took",
                                      HISTOGRAM,
                                      false,
                                      {"step"},
                                      analysis_bounds},
    [METRIC_IMPORT_SUCCESS] = {"anchore_import_success_total", "Imports", COUNTER},
    [METRIC_IMPORT_SECONDS] = {"anchore_import_time_seconds",
                               "Time that imports took",
                               HISTOGRAM,
                               false,
                               {"status"},
                               analysis_bounds},
    [METRIC_EVALUATION_SECONDS] = {"anchore_policy_evaluation_time_seconds",
                                   "Time that policy evaluations took",
                                   HISTOGRAM,
                                   false,
                                   {NULL},
                                   request_bounds},
    [METRIC_EVALUATION_CACHE_HITS] = {"anchore_policy_evaluation_cache_hits_total",
                                      "Evaluations answered from the cache", COUNTER},
    [METRIC_EVALUATION_CACHE_MISSES] = {"anchore_policy_evaluation_cache_misses_total",
                                        "Evaluations not answered from the cache", COUNTER},
    [METRIC_EVALUATION_CACHE_NOT_FOUND] = {"anchore_policy_evaluation_cache_misses_notfound_total",
                                           "Of the misses: never evaluated before", COUNTER},
    [METRIC_EVALUATION_CACHE_INVALID] = {"anchore_policy_evaluation_cache_misses_invalid_total",
                                         "Of the misses: the bundle has changed", COUNTER},
    [METRIC_EVALUATION_CACHE_STALE] = {"anchore_policy_evaluation_cache_misses_stale_total",
                                       "Of the misses: the vulnerability data has changed",
                                       COUNTER},
    [METRIC_EVALUATION_CACHE_SECONDS] = {"anchore_policy_evaluation_cache_access_latency",
                                         "Time that looks into the cache took", SUMMARY},
    [METRIC_VULNERABILITIES_CACHE_HITS] = {"anchore_vulnerabilities_cache_hits_total",
                                           "Vulnerability reports answered from the cache",
                                           COUNTER},
    [METRIC_VULNERABILITIES_CACHE_MISSES] = {"anchore_vulnerabilities_cache_misses_total",
                                             "Vulnerability reports not answered from the cache",
                                             COUNTER},
    [METRIC_VULNERABILITIES_CACHE_SECONDS] = {"anchore_vulnerabilities_cache_access_latency",
                                              "Time that looks into the cache took",
                                              SUMMARY,
                                              false,
                                              {"status"}},
    [METRIC_WEBHOOK_TOTAL] = {"anchore_image_policy_webhooks_evaluation_total",
                              "Images that were asked about",
                              COUNTER,
                              false,
                              {"allowed"}},
    [METRIC_NOTIFICATIONS_TOTAL] =
        {"kellet_notifications_total", "Notifications sent", COUNTER, false, {"webhook", "status"}},
};

struct series {
    struct series *next;
    str values[LABELS_MAX];
    double sum;
    uint64_t count, buckets[BOUNDS_MAX];
};

struct table {
    pthread_mutex_t lock;
    struct arena arena;
    struct map by_key;
    struct series *first, *last;
    struct series *other; /* what came too late */
    size_t n;
};

struct metrics {
    struct table tables[METRIC_COUNT];
};

struct metrics *metrics_new(void)
{
    struct metrics *m = calloc(1, sizeof *m);
    for (size_t i = 0; m && i < METRIC_COUNT; i++) {
        pthread_mutex_init(&m->tables[i].lock, NULL);
        arena_init(&m->tables[i].arena, 4 << 20);
        map_init(&m->tables[i].by_key);
    }
    return m;
}

void metrics_free(struct metrics *m)
{
    for (size_t i = 0; m && i < METRIC_COUNT; i++) {
        map_done(&m->tables[i].by_key);
        arena_done(&m->tables[i].arena);
        pthread_mutex_destroy(&m->tables[i].lock);
    }
    free(m);
}

/* ---- counting --------------------------------------------------------------------------------
 */

static size_t n_labels(const struct family *f)
{
    size_t n = f->per_service;
    for (size_t i = 0; i < LABELS_MAX && f->labels[i]; i++)
        n++;
    return n;
}

static struct series *add_series(struct table *t, str key, const str *values, size_t n)
{
    struct series *s = arena_new(&t->arena, struct series);
    str own = arena_dup(&t->arena, key);
    if (!s || !own.p)
        return NULL;
    for (size_t i = 0; i < n; i++) {
        s->values[i] = arena_dup(&t->arena, values[i]);
        if (!s->values[i].p)
            return NULL;
    }
    if (!map_put(&t->by_key, own, s))
        return NULL;
    if (t->last)
        t->last->next = s;
    else
        t->first = s;
    t->last = s;
    t->n++;
    return s;
}

/* Under the table's lock. NULL: no memory, nothing is counted. */
static struct series *series_of(struct table *t, const struct family *f,
                                const struct metric_labels *labels)
{
    char text[LABELS_MAX * (VALUE_MAX + 1)];
    str values[LABELS_MAX];
    size_t n = n_labels(f), used = 0;
    for (size_t i = 0; i < n; i++) {
        str v = str_sub(str_z(labels->v[i]), 0, VALUE_MAX);
        memcpy(text + used, v.p ? v.p : "", v.n);
        values[i] = (str){text + used, v.n};
        used += v.n;
        text[used++] = '\0';
    }
    struct series *s = map_get(&t->by_key, (str){text, used});
    if (s)
        return s;
    if (t->n < SERIES_MAX)
        return add_series(t, (str){text, used}, values, n);
    if (!t->other) {
        for (size_t i = f->per_service; i < n; i++)
            values[i] = STR("other");
        t->other = add_series(t, STR("other"), values, n);
    }
    return t->other;
}

void metric_add(struct metrics *m, enum metric_id id, double by, struct metric_labels labels)
{
    if (!m)
        return;
    struct table *t = &m->tables[id];
    pthread_mutex_lock(&t->lock);
    struct series *s = series_of(t, &families[id], &labels);
    if (s)
        s->sum += by;
    pthread_mutex_unlock(&t->lock);
}

void metric_observe(struct metrics *m, enum metric_id id, double value, struct metric_labels labels)
{
    if (!m)
        return;
    const struct family *f = &families[id];
    struct table *t = &m->tables[id];
    pthread_mutex_lock(&t->lock);
    struct series *s = series_of(t, f, &labels);
    if (s) {
        s->sum += value;
        s->count++;
        size_t i = 0;
        while (f->bounds && f->bounds[i] > 0 && value > f->bounds[i])
            i++;
        s->buckets[i]++;
    }
    pthread_mutex_unlock(&t->lock);
}

/* ---- printing ---------------------------------------------------------------------------------
 */

static void add_number(struct buf *out, double v)
{
    if (isinf(v))
        buf_add_str(out, v > 0 ? STR("+Inf") : STR("-Inf"));
    else if (v == floor(v) && fabs(v) < 1e15)
        buf_addf(out, "%.0f", v);
    else
        buf_addf(out, "%.9g", v);
}

static void add_value(struct buf *out, str v)
{
    for (size_t i = 0; i < v.n; i++) {
        if (v.p[i] == '\n')
            buf_add(out, "\\n", 2);
        else if (v.p[i] == '"' || v.p[i] == '\\')
            buf_addf(out, "\\%c", v.p[i]);
        else
            buf_add_char(out, v.p[i]);
    }
}

void metrics_head(struct buf *out, const char *name, const char *type, const char *help)
{
    buf_addf(out, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

void metrics_sample(struct buf *out, const char *name, const char *label, str value, double number)
{
    buf_add_str(out, str_z(name));
    if (label) {
        buf_addf(out, "{%s=\"", label);
        add_value(out, value);
        buf_add_str(out, STR("\"}"));
    }
    buf_add_char(out, ' ');
    add_number(out, number);
    buf_add_char(out, '\n');
}

/* name_suffix{labels,le="bound"} number; bound < 0: without. */
static void add_line(struct buf *out, const struct family *f, const struct series *s,
                     const char *suffix, double bound, double number)
{
    char separator = '{';
    buf_addf(out, "%s%s", f->name, suffix);
    for (size_t i = 0; i < LABELS_MAX && f->labels[i]; i++) {
        buf_addf(out, "%c%s=\"", separator, f->labels[i]);
        add_value(out, s->values[i + f->per_service]);
        buf_add_char(out, '"');
        separator = ',';
    }
    if (bound >= 0) {
        buf_addf(out, "%cle=\"", separator);
        add_number(out, bound);
        buf_add_char(out, '"');
        separator = ',';
    }
    if (separator == ',')
        buf_add_char(out, '}');
    buf_add_char(out, ' ');
    add_number(out, number);
    buf_add_char(out, '\n');
}

static void add_series_lines(struct buf *out, const struct family *f, const struct series *s)
{
    if (f->kind == COUNTER) {
        add_line(out, f, s, "", -1, s->sum);
        return;
    }
    uint64_t below = 0;
    for (size_t i = 0; f->kind == HISTOGRAM && f->bounds[i] > 0; i++) {
        below += s->buckets[i];
        add_line(out, f, s, "_bucket", f->bounds[i], (double)below);
    }
    if (f->kind == HISTOGRAM)
        add_line(out, f, s, "_bucket", INFINITY, (double)s->count);
    add_line(out, f, s, "_sum", -1, s->sum);
    add_line(out, f, s, "_count", -1, (double)s->count);
}

static void add_family(struct buf *out, struct table *t, const struct family *f, str service)
{
    static const char *const kinds[] = {"counter", "summary", "histogram"};
    static const struct series zero;
    pthread_mutex_lock(&t->lock);
    bool begun = !f->per_service;
    if (begun)
        metrics_head(out, f->name, kinds[f->kind], f->help);
    if (!t->first && n_labels(f) == 0) /* without labels there is one from the start */
        add_series_lines(out, f, &zero);
    for (const struct series *s = t->first; s; s = s->next) {
        if (f->per_service && !str_eq(s->values[0], service))
            continue;
        if (!begun)
            metrics_head(out, f->name, kinds[f->kind], f->help);
        begun = true;
        add_series_lines(out, f, s);
    }
    pthread_mutex_unlock(&t->lock);
}

void metrics_families(struct metrics *m, const char *service, struct buf *out)
{
    for (size_t i = 0; m && i < METRIC_COUNT; i++)
        add_family(out, &m->tables[i], &families[i], str_z(service));
}
