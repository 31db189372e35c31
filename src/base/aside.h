/* aside.h - one piece of work on a thread of its own while the caller goes on. */
#ifndef KELLET_BASE_ASIDE_H
#define KELLET_BASE_ASIDE_H

#include <pthread.h>
#include <stdbool.h>

struct aside {
    void (*run)(void *ctx);
    void *ctx;
    pthread_t thread;
    bool started;
};

/* When no thread is to be had, aside_end() does the work. */
void aside_begin(struct aside *a, void (*run)(void *ctx), void *ctx);
/* Waits until it is done. To be called once. */
void aside_end(struct aside *a);

#endif
