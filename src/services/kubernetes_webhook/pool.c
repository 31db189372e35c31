#include "services/kubernetes_webhook/pool.h"

#include <pthread.h>
#include <stdlib.h>

enum { THREADS_MAX = 64 };

struct hook_pool {
    pthread_mutex_t lock;
    pthread_cond_t more;
    void (*run)(void *), (*drop)(void *);
    void **line; /* a ring */
    unsigned cap, first, n, threads;
    bool ending;
    pthread_t ids[THREADS_MAX];
};

static void *work(void *arg)
{
    struct hook_pool *p = arg;
    pthread_mutex_lock(&p->lock);
    for (;;) {
        while (!p->n && !p->ending)
            pthread_cond_wait(&p->more, &p->lock);
        if (p->ending)
            break;
        void *item = p->line[p->first];
        p->first = (p->first + 1) % p->cap;
        p->n--;
        pthread_mutex_unlock(&p->lock);
        p->run(item);
        pthread_mutex_lock(&p->lock);
    }
    pthread_mutex_unlock(&p->lock);
    return NULL;
}

int hook_pool_new(unsigned threads, unsigned line, void (*run)(void *item),
                  void (*drop)(void *item), struct hook_pool **out, struct err *e)
{
    struct hook_pool *p = calloc(1, sizeof *p);
    if (!p || !(p->line = calloc(line, sizeof *p->line))) {
        free(p);
        return err_no_memory(e);
    }
    p->cap = line;
    p->run = run;
    p->drop = drop;
    pthread_mutex_init(&p->lock, NULL);
    pthread_cond_init(&p->more, NULL);
    for (; p->threads < threads && p->threads < THREADS_MAX; p->threads++) {
        if (pthread_create(&p->ids[p->threads], NULL, work, p) == 0)
            continue;
        hook_pool_free(p);
        return err_set(e, ERR_IO, "cannot start a thread");
    }
    *out = p;
    return 0;
}

bool hook_pool_add(struct hook_pool *p, void *item)
{
    pthread_mutex_lock(&p->lock);
    bool room = p->n < p->cap && !p->ending;
    if (room) {
        p->line[(p->first + p->n++) % p->cap] = item;
        pthread_cond_signal(&p->more);
    }
    pthread_mutex_unlock(&p->lock);
    return room;
}

void hook_pool_free(struct hook_pool *p)
{
    if (!p)
        return;
    pthread_mutex_lock(&p->lock);
    p->ending = true;
    pthread_cond_broadcast(&p->more);
    pthread_mutex_unlock(&p->lock);
    for (unsigned i = 0; i < p->threads; i++)
        pthread_join(p->ids[i], NULL);
    for (; p->n; p->n--, p->first = (p->first + 1) % p->cap)
        p->drop(p->line[p->first]);
    pthread_cond_destroy(&p->more);
    pthread_mutex_destroy(&p->lock);
    free(p->line);
    free(p);
}
