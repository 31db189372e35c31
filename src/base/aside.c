#include "base/aside.h"

static void *run(void *arg)
{
    struct aside *a = arg;
    a->run(a->ctx);
    return NULL;
}

void aside_begin(struct aside *a, void (*work)(void *ctx), void *ctx)
{
    a->run = work;
    a->ctx = ctx;
    a->started = pthread_create(&a->thread, NULL, run, a) == 0;
}

void aside_end(struct aside *a)
{
    if (a->started)
        pthread_join(a->thread, NULL);
    else
        a->run(a->ctx);
}
