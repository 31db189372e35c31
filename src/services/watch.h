/* watch.h - runs the watchers of the services of this process, each on a thread of its own.
 *
 * A watcher that is not `everywhere` runs in the one process that holds its lease, for as long as
 * that process lives: the lease is prolonged between rounds and during them. Others look every few
 * seconds whether it has become free. A round that failed is logged and tried again soon. */
#ifndef KELLET_SERVICES_WATCH_H
#define KELLET_SERVICES_WATCH_H

#include "services/engine.h"

struct watch;

/* `holder` names this process in leases. */
int watch_start(struct engine *en, const char *holder, struct watch **out, struct err *e);
/* Prolongs the leases that this process has. To be called every few seconds. */
void watch_keep(struct watch *w);
/* Waits for rounds under way and gives the leases back. The engine must be stopping. */
void watch_stop(struct watch *w); /* NULL is fine */

#endif
