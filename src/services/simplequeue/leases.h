/* leases.h - the leases of the original's simplequeue API: kept for clients that use it. The
 * engine's own leases are in store/queue.h. */
#ifndef KELLET_SERVICES_SIMPLEQUEUE_LEASES_H
#define KELLET_SERVICES_SIMPLEQUEUE_LEASES_H

#include "store/db.h"

struct simplequeue_lease {
    str id, held_by; /* held_by.p NULL: free */
    int64_t expires_at, epoch;
};

enum { SIMPLEQUEUE_LEASES_MAX = 10000 };

/* Makes it if there is none; *out as it is now. */
int simplequeue_lease_make(struct db *db, struct arena *a, str id, struct simplequeue_lease *out,
                           struct err *e);
int simplequeue_lease_get(struct db *db, struct arena *a, str id, struct simplequeue_lease *out,
                          struct err *e);
int simplequeue_lease_list(struct db *db, struct arena *a, struct simplequeue_lease **out,
                           size_t *n, struct err *e);
/* 1: held by client for ttl seconds; 0: someone holds it (also the client itself). */
int simplequeue_lease_acquire(struct db *db, struct arena *a, str id, str client, int64_t ttl,
                              struct simplequeue_lease *out, struct err *e);
/* 1: prolonged; 0: the client doesn't hold it in that epoch, or it has expired. */
int simplequeue_lease_refresh(struct db *db, struct arena *a, str id, str client, int64_t ttl,
                              int64_t epoch, struct simplequeue_lease *out, struct err *e);
/* 1: free; 0: the client doesn't hold it, or holds a later epoch. */
int simplequeue_lease_release(struct db *db, struct arena *a, str id, str client, int64_t epoch,
                              struct simplequeue_lease *out, struct err *e);

#endif
