/* queue_internal.h - what queue.c and queue_admin.c share. */
#ifndef KELLET_STORE_QUEUE_INTERNAL_H
#define KELLET_STORE_QUEUE_INTERNAL_H

#include "store/queue.h"

#define QUEUE_COLUMNS                                                                              \
    "id, queue, account, payload, dedupe, priority, tries, max_tries, created_at, deadline,"       \
    " owner, receipt, reason"

/* The row's QUEUE_COLUMNS, copied. */
int queue_read(const struct db_rows *r, struct arena *a, struct queue_item *out, struct err *e);
/* When it is the account's turn again: after its own items that wait, not before the first that
 * anyone waits for. */
int queue_turn(struct db_tx *tx, str queue, str account, int64_t priority, int64_t *out,
               struct err *e);
int queue_bury(struct db_tx *tx, int64_t id, str reason, struct err *e);
int queue_tell(struct db_tx *tx, str queue, struct err *e);

#endif
