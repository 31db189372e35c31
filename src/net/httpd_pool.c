#include "net/httpd_internal.h"

#include "base/cond.h"
#include <signal.h>

/* ---- lists: under the lock ------------------------------------------------------------------- */

static void list_add(struct httpd_list *l, struct httpd_request *rq)
{
    rq->next = NULL;
    rq->previous = l->last;
    if (l->last)
        l->last->next = rq;
    else
        l->first = rq;
    l->last = rq;
    l->n++;
}

static void list_remove(struct httpd_list *l, struct httpd_request *rq)
{
    if (rq->previous)
        rq->previous->next = rq->next;
    else
        l->first = rq->next;
    if (rq->next)
        rq->next->previous = rq->previous;
    else
        l->last = rq->previous;
    rq->next = rq->previous = NULL;
    l->n--;
}

static void *worker(void *arg);

static bool start_worker(struct httpd *h)
{
    for (size_t i = 0; i < h->o.pool_threads; i++) {
        struct httpd_worker *w = &h->workers[i];
        if (w->state == HTTPD_WORKER_RUNS)
            continue;
        if (w->state == HTTPD_WORKER_ENDED)
            pthread_join(w->thread, NULL);
        w->state = HTTPD_WORKER_NONE;
        w->server = h;
        sigset_t all, old;
        sigfillset(&all);
        pthread_sigmask(SIG_SETMASK, &all, &old);
        int rc = pthread_create(&w->thread, NULL, worker, w);
        pthread_sigmask(SIG_SETMASK, &old, NULL);
        if (rc != 0)
            return false;
        w->state = HTTPD_WORKER_RUNS;
        h->n_workers++;
        return true;
    }
    return false;
}

/* As many threads as there is work for. At the end those that are there do it: nobody would wait
 * for more. */
static void staff(struct httpd *h)
{
    if (!h->ending && h->line.n > h->idle_workers && h->n_workers < h->o.pool_threads)
        start_worker(h);
    if (h->line.n)
        pthread_cond_signal(&h->work);
}

static void enqueue(struct httpd *h, struct httpd_request *rq)
{
    list_add(&h->line, rq);
    staff(h);
}

static void unpark(struct httpd *h, struct httpd_request *rq)
{
    list_remove(&h->parked, rq);
    rq->parked = false;
    list_add(&h->line, rq);
}

/* Moves those whose time has passed into the line; the next deadline, or 0. */
static uint64_t expire(struct httpd *h)
{
    uint64_t now = (uint64_t)clock_us(), next_us = 0;
    struct httpd_request *next;
    for (struct httpd_request *rq = h->parked.first; rq; rq = next) {
        next = rq->next;
        if (rq->deadline_us <= now)
            unpark(h, rq);
        else if (!next_us || rq->deadline_us < next_us)
            next_us = rq->deadline_us;
    }
    return next_us;
}

/* ---- workers --------------------------------------------------------------------------------- */

static void run(struct httpd_request *rq)
{
    enum httpd_outcome outcome = HTTPD_UNANSWERED;
    rq->outcome = &outcome;
    rq->fn(rq->fn_ctx, rq);
    if (outcome == HTTPD_UNANSWERED)
        httpd_reply_text(rq, 500, "no answer was made\n");
}

static void wait_until(struct httpd *h, uint64_t us)
{
    h->idle_workers++;
    cond_wait_until(&h->work, &h->lock, (int64_t)us);
    h->idle_workers--;
}

/* The next request, or NULL when this worker is to end. As long as requests are parked, one that is
 * idle stays: it is their clock. */
static struct httpd_request *next_request(struct httpd *h, bool first)
{
    uint64_t end_us = (uint64_t)clock_us() + HTTPD_THREAD_IDLE_SECONDS * 1000000ull;
    for (;;) {
        uint64_t deadline = expire(h);
        struct httpd_request *rq = h->line.first;
        if (rq) {
            list_remove(&h->line, rq);
            staff(h);
            return rq;
        }
        if (h->ending)
            return NULL;
        uint64_t now = (uint64_t)clock_us();
        if (now >= end_us) {
            if (!first && (h->idle_workers || !h->parked.n))
                return NULL;
            end_us = now + HTTPD_THREAD_IDLE_SECONDS * 1000000ull;
        }
        wait_until(h, deadline && deadline < end_us ? deadline : end_us);
    }
}

static void *worker(void *arg)
{
    struct httpd_worker *w = arg;
    struct httpd *h = w->server;
    pthread_mutex_lock(&h->lock);
    struct httpd_request *rq;
    while ((rq = next_request(h, w == h->workers))) {
        pthread_mutex_unlock(&h->lock);
        run(rq);
        pthread_mutex_lock(&h->lock);
    }
    w->state = HTTPD_WORKER_ENDED;
    h->n_workers--;
    pthread_mutex_unlock(&h->lock);
    return NULL;
}

int httpd_pool_start(struct httpd *h, struct err *e)
{
    pthread_mutex_init(&h->lock, NULL);
    cond_init(&h->work);
    cond_init(&h->change);
    h->workers = calloc(h->o.pool_threads, sizeof *h->workers);
    if (!h->workers)
        return err_no_memory(e);
    pthread_mutex_lock(&h->lock);
    bool ok = start_worker(h);
    pthread_mutex_unlock(&h->lock);
    return ok ? 0 : err_set(e, ERR_IO, "cannot start a thread");
}

void httpd_pool_stop(struct httpd *h)
{
    pthread_mutex_lock(&h->lock);
    h->ending = true;
    pthread_cond_broadcast(&h->work);
    for (size_t i = 0; h->workers && i < h->o.pool_threads; i++) {
        if (h->workers[i].state == HTTPD_WORKER_NONE)
            continue;
        pthread_mutex_unlock(&h->lock);
        pthread_join(h->workers[i].thread, NULL);
        pthread_mutex_lock(&h->lock);
    }
    pthread_mutex_unlock(&h->lock);
    free(h->workers);
    pthread_cond_destroy(&h->change);
    pthread_cond_destroy(&h->work);
    pthread_mutex_destroy(&h->lock);
}

void httpd_pool_wake_all(struct httpd *h)
{
    pthread_mutex_lock(&h->lock);
    while (h->parked.first)
        unpark(h, h->parked.first);
    staff(h);
    pthread_mutex_unlock(&h->lock);
}

/* ---- handing on ------------------------------------------------------------------------------ */

/* The function that has rq gives it away: the connection sleeps until the answer is there. */
static void let_go(struct httpd_request *rq, httpd_fn *fn, void *ctx)
{
    struct httpd *h = rq->server;
    rq->fn = fn;
    rq->fn_ctx = ctx;
    if (rq->outcome)
        *rq->outcome = HTTPD_MOVED;
    rq->outcome = NULL;
    if (rq->suspended)
        return;
    rq->suspended = true;
    pthread_mutex_lock(&h->lock);
    h->suspended++;
    pthread_mutex_unlock(&h->lock);
    mhd.suspend_connection(rq->connection);
}

bool httpd_defer(struct httpd_request *rq, httpd_fn *fn, void *ctx)
{
    struct httpd *h = rq->server;
    pthread_mutex_lock(&h->lock);
    bool full = h->line.n >= HTTPD_LINE_MAX || h->stopping;
    pthread_mutex_unlock(&h->lock);
    if (full) {
        httpd_add_header(rq, "Retry-After", "5");
        httpd_reply_text(rq, 503, "the server is busy\n");
        return false;
    }
    let_go(rq, fn, ctx);
    pthread_mutex_lock(&h->lock);
    enqueue(h, rq);
    pthread_mutex_unlock(&h->lock);
    return true;
}

void httpd_park(struct httpd_request *rq, uint32_t milliseconds, httpd_fn *fn, void *ctx)
{
    struct httpd *h = rq->server;
    let_go(rq, fn, ctx);
    pthread_mutex_lock(&h->lock);
    rq->deadline_us = (uint64_t)clock_us() + milliseconds * 1000ull;
    if (rq->woken || h->draining) {
        rq->woken = false;
        enqueue(h, rq);
    } else {
        rq->parked = true;
        list_add(&h->parked, rq);
        if (!h->idle_workers && h->n_workers < h->o.pool_threads)
            start_worker(h);
        pthread_cond_signal(&h->work); /* whoever sleeps until an earlier deadline looks again */
    }
    pthread_mutex_unlock(&h->lock);
}

void httpd_wake(struct httpd_request *rq)
{
    struct httpd *h = rq->server;
    pthread_mutex_lock(&h->lock);
    if (rq->parked) {
        unpark(h, rq);
        staff(h);
    } else {
        rq->woken = true;
    }
    pthread_mutex_unlock(&h->lock);
}
