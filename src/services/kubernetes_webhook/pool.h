/* pool.h - a few threads and a bounded line of work for them. */
#ifndef KELLET_SERVICES_KUBERNETES_WEBHOOK_POOL_H
#define KELLET_SERVICES_KUBERNETES_WEBHOOK_POOL_H

#include "base/err.h"

#include <stdbool.h>

struct hook_pool;
/* `run` is called on one of the threads for each item; `drop` instead of it for those that still
 * stand in line at the end. */
int hook_pool_new(unsigned threads, unsigned line, void (*run)(void *item),
                  void (*drop)(void *item), struct hook_pool **out, struct err *e);
/* False: the line is full; the item remains the caller's. */
bool hook_pool_add(struct hook_pool *p, void *item);
/* Waits for the items that run. NULL is fine. */
void hook_pool_free(struct hook_pool *p);

#endif
