/* cond.h - condition variables that wait by the clock that never jumps (clock.h). */
#ifndef KELLET_BASE_COND_H
#define KELLET_BASE_COND_H

#include "base/clock.h"

#include <pthread.h>
#include <stdbool.h>

void cond_init(pthread_cond_t *c);

/* Waits until somebody wakes it, perhaps nobody, or until clock_us() is `us`: then false. The mutex
 * is held, before and after. */
bool cond_wait_until(pthread_cond_t *c, pthread_mutex_t *m, int64_t us);

#endif
