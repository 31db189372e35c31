#include "services/simplequeue/simplequeue.h"

#include <pthread.h>

struct simplequeue_waiters {
    pthread_mutex_t lock;
    struct simplequeue_waiter *first, *last;
};

static void add(struct simplequeue_waiters *w, struct simplequeue_waiter *one)
{
    one->next = NULL;
    one->previous = w->last;
    if (w->last)
        w->last->next = one;
    else
        w->first = one;
    w->last = one;
    one->listed = true;
}

static void cut(struct simplequeue_waiters *w, struct simplequeue_waiter *one)
{
    if (one->previous)
        one->previous->next = one->next;
    else
        w->first = one->next;
    if (one->next)
        one->next->previous = one->previous;
    else
        w->last = one->previous;
    one->listed = false;
}

void simplequeue_waiters_add(struct simplequeue_waiters *w, struct simplequeue_waiter *one)
{
    pthread_mutex_lock(&w->lock);
    if (!one->listed)
        add(w, one);
    pthread_mutex_unlock(&w->lock);
}

void simplequeue_waiters_remove(struct simplequeue_waiters *w, struct simplequeue_waiter *one)
{
    pthread_mutex_lock(&w->lock);
    if (one->listed)
        cut(w, one);
    pthread_mutex_unlock(&w->lock);
}

/* One message wakes one waiter: the one that waits longest. It goes to the end, so that the next
 * message wakes the next. */
static void on_message(void *ctx, str queue)
{
    struct simplequeue_waiters *w = ctx;
    pthread_mutex_lock(&w->lock);
    struct simplequeue_waiter *one = w->first;
    while (one && !str_eq(one->queue, queue))
        one = one->next;
    if (one) {
        cut(w, one);
        add(w, one);
        httpd_wake(one->rq);
    }
    pthread_mutex_unlock(&w->lock);
}

int simplequeue_waiters_new(struct db *db, struct simplequeue_waiters **out, struct err *e)
{
    struct simplequeue_waiters *w = calloc(1, sizeof *w);
    if (!w)
        return err_no_memory(e);
    pthread_mutex_init(&w->lock, NULL);
    int rc = db_listen(db, "simplequeue", on_message, w, e);
    if (rc < 0) {
        simplequeue_waiters_free(w);
        return rc;
    }
    *out = w;
    return 0;
}

void simplequeue_waiters_free(struct simplequeue_waiters *w)
{
    if (w)
        pthread_mutex_destroy(&w->lock);
    free(w);
}
