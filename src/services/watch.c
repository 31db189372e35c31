#include "services/watch.h"

#include "base/clock.h"
#include "base/vec.h"
#include "services/discovery.h"
#include "services/log.h"
#include "services/metrics.h"
#include "store/queue.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <time.h>

enum {
    SECOND = 1000000,
    WATCH_LEASE = 20 * SECOND,
    WATCH_LOOK = 5 * SECOND,
    WATCH_STACK = 1 << 20
};

struct watch_one {
    struct watch *all;
    enum service_id service;
    const struct watcher *watcher;
    int64_t interval; /* us */
    pthread_t thread;
    bool started;
    atomic_bool leads; /* holds the lease */
    unsigned seed;
};

struct watch {
    struct engine *en;
    const char *holder;
    VEC(struct watch_one) ones;
};

static const struct watcher own_watchers[] = {
    {.name = "service_watcher", .seconds = 10, .min = 1, .max = 15, .run = discovery_watch},
    {.name = NULL},
};

/* us, more or less by a tenth, so that processes do not walk in step. */
static int64_t jitter(struct watch_one *o, int64_t us)
{
    return us - us / 10 + (int64_t)(rand_r(&o->seed) % 1000) * (us / 5) / 1000;
}

static int watch_lead(struct watch_one *o, struct err *e)
{
    if (o->watcher->everywhere)
        return 1;
    int r =
        lease_hold(o->all->en->db, str_z(o->watcher->name), str_z(o->all->holder), WATCH_LEASE, e);
    atomic_store(&o->leads, r == 1);
    return r;
}

static int watch_round(struct watch_one *o, struct err *e)
{
    struct engine *en = o->all->en;
    double from = clock_seconds();
    int r = o->watcher->run(en, e);
    metric_observe(en->metrics, METRIC_MONITOR_SECONDS, clock_seconds() - from,
                   METRIC_LABELS(o->watcher->name, r < 0 ? "fail" : "success"));
    return r;
}

static void *watch_run(void *arg)
{
    struct watch_one *o = arg;
    struct engine *en = o->all->en;
    const char *service = service_names[o->service].key;
    int64_t first = o->interval < 3 * SECOND ? o->interval : 3 * SECOND;
    int64_t wait = jitter(o, first), failures = 0;
    uint64_t seen = 0;
    while (!engine_wait_for(en, wait, o->watcher->wake, &seen)) {
        struct err e = {0};
        int r = watch_lead(o, &e);
        if (r == 0) {
            wait = jitter(o, o->interval < WATCH_LOOK ? o->interval : WATCH_LOOK);
            continue;
        }
        if (r > 0)
            r = watch_round(o, &e);
        failures = r < 0 ? failures + 1 : 0;
        wait = jitter(o, o->interval);
        if (r >= 0 || engine_stopping(en))
            continue;
        log_warn(service, "%s: %s; it will be tried again", o->watcher->name, e.text);
        int64_t soon = (failures < 6 ? failures * 5 : 30) * SECOND;
        wait = jitter(o, soon < o->interval ? soon : o->interval);
    }
    return NULL;
}

static int watch_add(struct watch *w, enum service_id id, const struct watcher *list, struct err *e)
{
    const struct service_config *s = &w->en->config->services[id];
    for (; list && list->name; list++) {
        int64_t seconds = config_timer(s, list->name, list->seconds, list->min, list->max);
        if (seconds <= 0) {
            log_info(service_names[id].key, "%s is switched off", list->name);
            continue;
        }
        struct watch_one *o = vec_push(&w->ones);
        if (!o)
            return err_no_memory(e);
        *o = (struct watch_one){.all = w,
                                .service = id,
                                .watcher = list,
                                .interval = seconds * SECOND,
                                .seed = (unsigned)(uintptr_t)w ^ (unsigned)(w->ones.n * 7919)};
    }
    return 0;
}

int watch_start(struct engine *en, const char *holder, struct watch **out, struct err *e)
{
    struct watch *w = calloc(1, sizeof *w);
    if (!w)
        return err_no_memory(e);
    *w = (struct watch){.en = en, .holder = holder};
    *out = w;
    int r = 0;
    for (int i = 0; i < SERVICE_COUNT && r == 0; i++)
        if (en->config->services[i].selected)
            r = watch_add(w, (enum service_id)i, all_services[i]->watchers, e);
    if (r == 0 && en->config->services[SERVICE_CATALOG].selected)
        r = watch_add(w, SERVICE_CATALOG, own_watchers, e);
    for (size_t i = 0; i < w->ones.n && r == 0; i++)
        if (w->ones.p[i].watcher->wake)
            r = engine_listen(en, w->ones.p[i].watcher->wake, e);
    pthread_attr_t attr;
    pthread_attr_init(&attr);
    pthread_attr_setstacksize(&attr, WATCH_STACK);
    for (size_t i = 0; i < w->ones.n && r == 0; i++) {
        w->ones.p[i].started =
            pthread_create(&w->ones.p[i].thread, &attr, watch_run, &w->ones.p[i]) == 0;
        if (!w->ones.p[i].started)
            r = err_set(e, ERR_IO, "no thread for the watcher %s", w->ones.p[i].watcher->name);
    }
    pthread_attr_destroy(&attr);
    return r;
}

void watch_keep(struct watch *w)
{
    for (size_t i = 0; w && i < w->ones.n; i++) {
        struct err e = {0};
        if (atomic_load(&w->ones.p[i].leads) && watch_lead(&w->ones.p[i], &e) < 0)
            log_warn(NULL, "the lease of %s: %s", w->ones.p[i].watcher->name, e.text);
    }
}

void watch_stop(struct watch *w)
{
    if (!w)
        return;
    for (size_t i = 0; i < w->ones.n; i++)
        if (w->ones.p[i].started)
            pthread_join(w->ones.p[i].thread, NULL);
    for (size_t i = 0; i < w->ones.n; i++)
        if (atomic_load(&w->ones.p[i].leads))
            lease_release(w->en->db, str_z(w->ones.p[i].watcher->name), str_z(w->holder), NULL);
    vec_done(&w->ones);
    free(w);
}
