/* queue.h - work that is leased, never lost.
 *
 * An item waits in a queue until someone takes it: then it has an owner and a deadline, which the
 * owner moves forward while it works. An owner that dies lets the deadline pass, and the item goes
 * to the next one. Tries are counted; after the last the item becomes a dead letter with the
 * reason. Items of many accounts are served in turn (an account with a thousand waiting does not
 * hold up one with a single item), within equal priority. All times are the database's. */
#ifndef KELLET_STORE_QUEUE_H
#define KELLET_STORE_QUEUE_H

#include "store/db.h"

struct queue_item {
    int64_t id;
    str queue, account, payload; /* payload: JSON text */
    str dedupe;       /* at most one waiting or leased item per queue and key; "": any number */
    int64_t priority; /* higher first; default 0 */
    int64_t tries, max_tries;   /* tries includes the one under way */
    int64_t created, deadline;  /* microseconds; deadline of the lease */
    str owner, receipt, reason; /* receipt proves the lease: a new one for each take */
};

struct queue_put {
    str queue, account, payload, dedupe;
    int64_t priority;
    int64_t max_tries; /* 0: 5 */
    int64_t delay_us;  /* not to be taken before */
};
/* 1: added; 0: one with this dedupe key is there already. Tells listeners of channel
 * "queue_<name>". */
int queue_put(struct db_tx *tx, const struct queue_put *p, int64_t *id, struct err *e);
/* Takes up to `n` items for `lease_us`. Items whose lease ran out are taken too (tries permitting).
 * Returns how many; out[] is in the arena. */
int queue_take(struct db *db, struct arena *a, str queue, str owner, int64_t lease_us,
               struct queue_item *out, size_t n, struct err *e);
/* Moves the deadline to now + lease_us. ERR_NOT_FOUND: the lease was lost (someone else has it, or
 * it is done): stop working on it. */
int queue_extend(struct db *db, str queue, str receipt, int64_t lease_us, struct err *e);
/* Done: removes the item, in the transaction that stores the work's result, so that nothing is done
 * twice. ERR_NOT_FOUND: the lease was lost: roll back. */
int queue_done(struct db_tx *tx, str queue, str receipt, struct err *e);
/* Failed: waits `retry_us` and is tried again, or becomes a dead letter when this was its last try
 * (or `final`). Returns 1 when it is dead now, 0 when it will be tried again. */
int queue_fail(struct db_tx *tx, str queue, str receipt, str reason, int64_t retry_us, bool final,
               struct err *e);
/* Handed back by an owner that shuts down: at once to the next one, and this try does not count. */
int queue_release(struct db_tx *tx, str queue, str receipt, struct err *e);
/* Hands back everything that `owner` has leased (SIGTERM). Returns how many. */
int64_t queue_release_owner(struct db *db, str owner, struct err *e);
/* Items whose last try's lease ran out become dead letters; calls `dead` for each in the same
 * transaction. */
int64_t queue_reap(struct db *db,
                   int (*dead)(struct db_tx *tx, const struct queue_item *q, void *ctx,
                               struct err *e),
                   void *ctx, struct err *e);

struct queue_count {
    str queue;
    int64_t waiting, leased, dead;
    int64_t oldest_us;       /* age of the oldest waiting item; 0: none */
    int64_t oldest_lease_us; /* age of the oldest lease */
};
int queue_counts(struct db_tx *tx, struct arena *a, struct queue_count **out, size_t *n,
                 struct err *e);
/* Dead letters, newest first. */
int queue_dead(struct db_tx *tx, struct arena *a, str queue, struct queue_item **out, size_t *n,
               size_t limit, struct err *e);
/* A dead letter is tried afresh. */
int queue_revive(struct db_tx *tx, int64_t id, struct err *e);

/* ---- named leases (one watcher at a time, whichever process)
 * --------------------------------------------- */
/* 1: held by `holder` until now + ttl_us (taken or prolonged); 0: someone else has it. */
int lease_hold(struct db *db, str name, str holder, int64_t ttl_us, struct err *e);
int lease_release(struct db *db, str name, str holder, struct err *e);

#endif
