#include "services/analyzer/analyzer.h"

#include "base/cond.h"
#include "packages/zygote.h"
#include "services/log.h"
#include "services/metrics.h"

#include <errno.h>

enum {
    LEASE_US = 30000000,
    HEARTBEAT_S = 10,
    LOOK_S = 2, /* for work that nobody told of */
};

static const char service[] = "analyzer";

bool slot_unwanted(void *p)
{
    struct slot *s = p;
    return __atomic_load_n(&s->lost, __ATOMIC_ACQUIRE) ||
           __atomic_load_n(&s->an->stopping, __ATOMIC_ACQUIRE);
}

bool analyzer_can_scan(struct analyzer *an)
{
    const struct err why = {ERR_IO, "the process that starts analysers is gone: restart kellet"};
    if (!an->en->zygote || zygote_alive(an->en->zygote))
        return true;
    engine_fail(an->en, "the analyzer service", &why);
    return false;
}

static void wait_locked(struct analyzer *an, unsigned seconds)
{
    cond_wait_until(&an->wake, &an->lock, clock_us() + seconds * (int64_t)1000000);
}

/* ---- a worker ----------------------------------------------------------------------------------
 */

static void slot_holds(struct slot *s, str receipt)
{
    pthread_mutex_lock(&s->an->lock);
    snprintf(s->receipt, sizeof s->receipt, "%.*s", STR_ARG(receipt));
    s->account[0] = s->digest[0] = 0;
    __atomic_store_n(&s->lost, false, __ATOMIC_RELEASE);
    pthread_mutex_unlock(&s->an->lock);
}

void slot_names(struct slot *s, str account, str digest)
{
    pthread_mutex_lock(&s->an->lock);
    snprintf(s->account, sizeof s->account, "%.*s", STR_ARG(account));
    snprintf(s->digest, sizeof s->digest, "%.*s", STR_ARG(digest));
    pthread_mutex_unlock(&s->an->lock);
}

/* 1: something was done; 0: there was nothing. */
static int work_once(struct slot *s)
{
    struct arena a;
    struct queue_item item;
    struct err err = {0};
    arena_init(&a, 64 << 20);
    int n = queue_take(s->an->en->db, &a, STR(ANALYZER_QUEUE), str_z(s->owner), LEASE_US, &item, 1,
                       &err);
    if (n < 0)
        log_warn(service, "cannot look for work: %s", err.text);
    if (n == 1) {
        slot_holds(s, item.receipt);
        analyzer_work(s, &item);
        slot_holds(s, (str){0});
    }
    arena_done(&a);
    return n == 1;
}

static void *work_main(void *p)
{
    struct slot *s = p;
    struct analyzer *an = s->an;
    while (!__atomic_load_n(&an->stopping, __ATOMIC_ACQUIRE) && analyzer_can_scan(an)) {
        if (work_once(s))
            continue;
        pthread_mutex_lock(&an->lock);
        if (!an->stopping && !an->woken)
            wait_locked(an, LOOK_S);
        an->woken = false;
        pthread_mutex_unlock(&an->lock);
    }
    return NULL;
}

/* ---- leases ------------------------------------------------------------------------------------
 */

static void prolong(struct slot *s, const char *receipt)
{
    struct err err = {0};
    int rc = queue_extend(s->an->en->db, STR(ANALYZER_QUEUE), str_z(receipt), LEASE_US, &err);
    if (rc == ERR_NOT_FOUND) {
        pthread_mutex_lock(&s->an->lock);
        if (str_eq(str_z(s->receipt), str_z(receipt)))
            __atomic_store_n(&s->lost, true, __ATOMIC_RELEASE);
        pthread_mutex_unlock(&s->an->lock);
    } else if (rc < 0) {
        log_warn(service, "cannot prolong a lease: %s", err.text);
    }
}

static void *heart_main(void *p)
{
    struct analyzer *an = p;
    while (!__atomic_load_n(&an->stopping, __ATOMIC_ACQUIRE)) {
        engine_wait(an->en, (int64_t)HEARTBEAT_S * 1000000);
        for (unsigned i = 0; i < an->n_slots; i++) {
            char receipt[sizeof an->slots[i].receipt];
            pthread_mutex_lock(&an->lock);
            memcpy(receipt, an->slots[i].receipt, sizeof receipt);
            pthread_mutex_unlock(&an->lock);
            if (*receipt && !__atomic_load_n(&an->stopping, __ATOMIC_ACQUIRE))
                prolong(&an->slots[i], receipt);
        }
        if (engine_stopping(an->en))
            break;
    }
    return NULL;
}

/* ---- start and stop ----------------------------------------------------------------------------
 */

static void told(void *ctx, str payload)
{
    struct analyzer *an = ctx;
    pthread_mutex_lock(&an->lock);
    an->woken = true;
    pthread_cond_broadcast(&an->wake);
    pthread_mutex_unlock(&an->lock);
}

static void init_locks(struct analyzer *an)
{
    pthread_mutex_init(&an->lock, NULL);
    cond_init(&an->wake);
}

static int start_threads(struct analyzer *an, struct err *e)
{
    for (unsigned i = 0; i < an->n_slots; i++) {
        struct slot *s = &an->slots[i];
        s->an = an;
        snprintf(s->owner, sizeof s->owner, "%.150s/analyzer/%u", an->en->host_id, i);
        int rc = pthread_create(&s->thread, NULL, work_main, s);
        if (rc)
            return errno = rc, err_errno(e, "cannot start a worker");
        s->running = true;
    }
    int rc = pthread_create(&an->heart, NULL, heart_main, an);
    if (rc)
        return errno = rc, err_errno(e, "cannot start the heartbeat of the workers");
    an->heart_running = true;
    return 0;
}

static int release_tx(struct db_tx *tx, void *ctx, struct err *e)
{
    const struct slot *s = ctx;
    int rc = queue_release(tx, STR(ANALYZER_QUEUE), str_z(s->receipt), e);
    if (rc < 0)
        return rc;
    return image_set_status(tx, str_z(s->account), str_z(s->digest), 1 << IMAGE_ANALYZING,
                            IMAGE_NOT_ANALYZED, str_z(s->an->en->host_id),
                            STR("handed back: the worker is shutting down"), e);
}

/* Whatever the thread waits for (a registry that hangs), its image goes to another worker now. */
static void release(struct slot *s)
{
    struct slot copy;
    struct err err = {0};
    pthread_mutex_lock(&s->an->lock);
    copy = *s;
    pthread_mutex_unlock(&s->an->lock);
    if (!copy.receipt[0] || !copy.digest[0])
        return;
    int rc = db_run(s->an->en->db, DB_WRITE, release_tx, &copy, &err);
    if (rc >= 0)
        __atomic_store_n(&s->lost, true, __ATOMIC_RELEASE);
    else if (rc != ERR_NOT_FOUND)
        log_warn(service, "%s could not be handed back: %s", copy.digest, err.text);
}

static void analyzer_drain(struct engine *en)
{
    struct analyzer *an = en->state[SERVICE_ANALYZER];
    if (!an)
        return;
    pthread_mutex_lock(&an->lock);
    __atomic_store_n(&an->stopping, true, __ATOMIC_RELEASE);
    pthread_cond_broadcast(&an->wake);
    pthread_mutex_unlock(&an->lock);
    for (unsigned i = 0; i < an->n_slots; i++)
        release(&an->slots[i]);
}

static void analyzer_stop(struct engine *en)
{
    struct analyzer *an = en->state[SERVICE_ANALYZER];
    if (!an)
        return;
    analyzer_drain(en);
    for (unsigned i = 0; i < an->n_slots; i++)
        if (an->slots[i].running)
            pthread_join(an->slots[i].thread, NULL);
    if (an->heart_running)
        pthread_join(an->heart, NULL);
    an->n_slots = 0;
    an->heart_running = false;
}

/* The store's listening thread may tell us of work until it is closed. */
static void analyzer_gone(struct engine *en)
{
    struct analyzer *an = en->state[SERVICE_ANALYZER];
    if (!an)
        return;
    en->state[SERVICE_ANALYZER] = NULL;
    analyzer_settings_free(an->settings);
    pthread_cond_destroy(&an->wake);
    pthread_mutex_destroy(&an->lock);
    free(an);
}

static int analyzer_start(struct engine *en, struct err *e)
{
    struct analyzer *an = calloc(1, sizeof *an);
    if (!an)
        return err_no_memory(e);
    an->en = en;
    an->n_slots = en->config->analyzer_threads ? en->config->analyzer_threads : 1;
    if (an->n_slots > ANALYZER_THREADS_MAX)
        an->n_slots = ANALYZER_THREADS_MAX;
    init_locks(an);
    en->state[SERVICE_ANALYZER] = an;
    int rc = analyzer_settings_load(en->config, &an->settings, e);
    if (rc >= 0)
        rc = db_listen(en->db, "queue_" ANALYZER_QUEUE, told, an, e);
    return rc < 0 ? rc : start_threads(an, e);
}

static void analyzer_metrics(struct engine *en, struct buf *out)
{
    const struct analyzer *an = en->state[SERVICE_ANALYZER];
    if (!an)
        return;
    unsigned busy = 0;
    for (unsigned i = 0; i < an->n_slots; i++)
        busy += an->slots[i].receipt[0] != 0;
    metrics_head(out, "kellet_analysis_running", "gauge", "Analyses that go on now");
    metrics_sample(out, "kellet_analysis_running", NULL, (str){0}, busy);
    metrics_head(out, "kellet_analysis_workers", "gauge", "Analyses that can go on at once");
    metrics_sample(out, "kellet_analysis_workers", NULL, (str){0}, an->n_slots);
}

const struct service_ops service_analyzer = {
    .id = SERVICE_ANALYZER,
    .start = analyzer_start,
    .drain = analyzer_drain,
    .stop = analyzer_stop,
    .gone = analyzer_gone,
    .metrics = analyzer_metrics,
};
