/* simplequeue.h - the service: the original's API of queues and leases, and what kellet shows of
 * its own queues. Waiting requests are parked: they hold no thread. */
#ifndef KELLET_SERVICES_SIMPLEQUEUE_SIMPLEQUEUE_H
#define KELLET_SERVICES_SIMPLEQUEUE_SIMPLEQUEUE_H

#include "services/engine.h"

extern const struct service_ops service_simplequeue;

/* ---- waiters.c: who waits for a message of which queue */
struct simplequeue_waiters;
struct simplequeue_waiter {
    struct simplequeue_waiter *next, *previous;
    struct httpd_request *rq;
    str queue;
    int64_t visibility;
    uint64_t deadline_us; /* of the monotonic clock */
    bool waits;           /* the handler's: it was added */
    bool listed;          /* under the lock */
};
int simplequeue_waiters_new(struct db *db, struct simplequeue_waiters **out, struct err *e);
void simplequeue_waiters_free(struct simplequeue_waiters *w);
void simplequeue_waiters_add(struct simplequeue_waiters *w, struct simplequeue_waiter *one);
void simplequeue_waiters_remove(struct simplequeue_waiters *w, struct simplequeue_waiter *one);

/* ---- the handlers of routes */
struct call;
int simplequeue_list_queues(struct call *c); /* queues.c */
int simplequeue_dequeue(struct call *c);
int simplequeue_enqueue(struct call *c);
int simplequeue_delete_message(struct call *c);
int simplequeue_set_visibility(struct call *c);
int simplequeue_is_inqueue(struct call *c);
int simplequeue_update_queueid(struct call *c);
int simplequeue_qlen(struct call *c);
int simplequeue_list_leases(struct call *c); /* lease_routes.c */
int simplequeue_create_lease(struct call *c);
int simplequeue_describe_lease(struct call *c);
int simplequeue_acquire_lease(struct call *c);
int simplequeue_refresh_lease(struct call *c);
int simplequeue_release_lease(struct call *c);
int simplequeue_overview(struct call *c); /* overview.c */
int simplequeue_revive(struct call *c);
void simplequeue_metrics(struct engine *en, struct buf *out);
int simplequeue_report(struct engine *en, struct err *e); /* logs the length of each queue */

#endif
