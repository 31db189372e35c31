/* reindex_share.c - a long list gone through by a few threads. */
#include "services/policy_engine/reindex_internal.h"

#include <pthread.h>
#include <stdatomic.h>
#include <unistd.h>

struct sharing {
    const struct reindex_options *o;
    size_t n, step;
    int (*fn)(void *ctx, unsigned thread, size_t from, size_t to, struct err *e);
    void *ctx;
    _Atomic size_t next;
    atomic_bool failed;
};
struct worker {
    struct sharing *s;
    unsigned number;
    pthread_t thread;
    struct err e;
    int rc;
};

static int stopped(const struct reindex_options *o, struct err *e)
{
    return o->stop && o->stop(o->ctx) ? err_set(e, ERR_CONFLICT, "the engine is stopping") : 0;
}

static void *work(void *arg)
{
    struct worker *w = arg;
    struct sharing *s = w->s;
    while (w->rc >= 0 && !s->failed) {
        size_t from = atomic_fetch_add(&s->next, s->step);
        if (from >= s->n)
            break;
        if (w->number == 0) /* whoever is asked need not know of threads */
            w->rc = stopped(s->o, &w->e);
        if (w->rc >= 0)
            w->rc = s->fn(s->ctx, w->number, from, s->n - from < s->step ? s->n : from + s->step,
                          &w->e);
    }
    if (w->rc < 0)
        s->failed = true;
    return NULL;
}

int reindex_share(const struct reindex_options *o, size_t n, size_t step,
                  int (*fn)(void *ctx, unsigned thread, size_t from, size_t to, struct err *e),
                  void *ctx, struct err *e)
{
    struct sharing s = {.o = o, .n = n, .step = step, .fn = fn, .ctx = ctx};
    struct worker list[REINDEX_THREADS] = {{.s = &s}};
    long cores = sysconf(_SC_NPROCESSORS_ONLN);
    unsigned most = cores < 1 ? 1 : cores < REINDEX_THREADS ? (unsigned)cores : REINDEX_THREADS;
    unsigned started = 1;
    while (started < most && started * step < n) {
        list[started] = (struct worker){.s = &s, .number = started};
        if (pthread_create(&list[started].thread, NULL, work, &list[started]) != 0)
            break;
        started++;
    }
    work(&list[0]);
    for (unsigned i = 1; i < started; i++)
        pthread_join(list[i].thread, NULL);
    for (unsigned i = 0; i < started; i++)
        if (list[i].rc < 0) {
            if (e)
                *e = list[i].e;
            return list[i].rc;
        }
    return 0;
}
