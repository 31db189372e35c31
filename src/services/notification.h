/* notification.h - what an account asked to be told: rows of the outbox, written in the transaction
 * of the thing that they tell of, delivered by the catalog (catalog/notifier.c) at least once, in
 * order for each key.
 *
 * Tables: outbox (what is told), outbox_delivery (to whom: one row for each receiver that the
 * configuration names, with its tries and last error). A row is kept for a week after the last
 * receiver has it, or has given up. */
#ifndef KELLET_SERVICES_NOTIFICATION_H
#define KELLET_SERVICES_NOTIFICATION_H

#include "services/call.h"

#define NOTIFICATION_CHANNEL "outbox"
enum {
    NOTIFICATION_DAYS = 3, /* a receiver that fails is tried this long */
    NOTIFICATION_KEEP = 7, /* days that what was delivered stays visible */
    NOTIFICATION_MAX = 4 << 20,
};

struct notification {
    str account;
    str type;    /* "policy_eval", "tag_update", "vuln_update", "analysis_update", "repo_update",
                    "event_log" */
    str key;     /* of the subscription: a tag or repository */
    str id;      /* empty: made up */
    str members; /* JSON: members of the payload beside userId, notificationId and the
                    subscription's:
                    "\"last_eval\": [...], \"curr_eval\": [...]" */
};
/* Adds it when the account has an active subscription of this type and key (event_log needs none):
 * 1, else 0. */
int notification_put(struct db_tx *tx, const struct notification *n, struct err *e);

#endif
