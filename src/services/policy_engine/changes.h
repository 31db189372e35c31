/* changes.h - what became different about distinct packages, in the order in which it was found:
 * the feed of notifications (vuln_update) and of new verdicts (policy_eval), and part of the
 * memory.
 *
 * A change is about a distinct package, whatever number of images has it; changes_by_image() leads
 * to those. A consumer keeps a place of its own (changes_place) and moves it in the transaction in
 * which it writes what it made of the changes, so that nothing is lost and nothing done twice:
 *     changes_place(); changes_read(after the place); changes_by_image(...); one transaction:
 *     outbox rows + changes_move(from, to)
 * Tables: finding_change, finding_batch, finding_consumer. */
#ifndef KELLET_SERVICES_POLICY_ENGINE_CHANGES_H
#define KELLET_SERVICES_POLICY_ENGINE_CHANGES_H

#include "base/arena.h"
#include "store/db.h"
#include "vulndb/claim.h"

#define CHANGES_CHANNEL "findings" /* told when data have been gone through (db_notify) */

enum change_kind { /* bits: several may come together */
                   CHANGE_ADDED = 1,
                   CHANGE_REMOVED = 2,
                   CHANGE_SEVERITY = 4,
                   CHANGE_FIX_AVAILABLE = 8, /* there was none */
                   CHANGE_FIX = 16,          /* another fix, or another state of it */
};
/* "added", "removed", "severity", "fix_available", "fix". */
const char *change_kind_name(enum change_kind k);

struct finding_change {
    int64_t seq, batch, package;
    int64_t at; /* microseconds */
    unsigned kinds;
    str vulnerability; /* the CVE where it has one */
    enum severity severity_before, severity;
    enum fix_state fix_state_before, fix_state;
    str fix_before, fix;     /* versions, separated by ", " */
    str generation;          /* of the data that gave it */
    str name, version, type; /* of the package */
};
/* The next changes after `after`, at most `limit`, in order; only of data that have been gone
 * through to the end. In the arena. */
int changes_read(struct db_tx *tx, struct arena *a, int64_t after, size_t limit,
                 struct finding_change **out, size_t *n, struct err *e);

/* Calls fn once for each image that has a package of the list and was there when the change was
 * found; `mine` are its changes, in order; all live during the call. account empty: of all. */
int changes_by_image(struct db_tx *tx, str account, const struct finding_change *list, size_t n,
                     int (*fn)(void *ctx, str account, str digest,
                               const struct finding_change *const *mine, size_t n_mine,
                               struct err *e),
                     void *ctx, struct err *e);

/* Where a consumer is: 1; 0: it is new. */
int changes_known(struct db_tx *tx, str consumer, int64_t *seq, struct err *e);
/* The same in a transaction that writes; one that is new begins with what comes next. */
int changes_place(struct db_tx *tx, str consumer, int64_t *seq, struct err *e);
/* ERR_CONFLICT when it is not at `from` (another process was faster): roll back. */
int changes_move(struct db_tx *tx, str consumer, int64_t from, int64_t to, struct err *e);
/* Since when (microseconds) data are gone through whose changes `consumer` has not all been given
 * and done with; INT64_MAX: none are. */
int changes_open_since(struct db_tx *tx, str consumer, int64_t *at, struct err *e);
/* Forgets changes older than `days`, some thousand in a transaction, but none that a consumer has
 * not read; and the batches and lists of images (affected.h) that have no changes any more.
 * Returns how many changes went. */
int64_t changes_expire(struct db *db, int64_t days, struct err *e);

#endif
