/* affected.h - the images that newer data change something for: the complete list, of each time
 * that newer data were gone through.
 *
 * It is stored, as a set of numbers (store/posting_set.h), as soon as it is known: the names that
 * claims speak of differently, their packages matched again, the union of these packages' posting
 * lists. That is seconds before the changes themselves and the images' summaries are written
 * (reindex.h), whatever the number of images. Tables: finding_batch, finding_affected. */
#ifndef KELLET_SERVICES_POLICY_ENGINE_AFFECTED_H
#define KELLET_SERVICES_POLICY_ENGINE_AFFECTED_H

#include "base/arena.h"
#include "store/posting.h"

struct affected_batch {
    int64_t id;
    str generation_before, generation; /* of the data; before: "" none */
    /* Microseconds: begun; the list was complete (0: not yet); every change is written (0). */
    int64_t started, listed, ended;
};
/* Newest first, those with numbers below `before` (0: all), at most `limit`; in the arena. */
int affected_batches(struct db_tx *tx, struct arena *a, int64_t before, size_t limit,
                     struct affected_batch **out, size_t *n, struct err *e);
/* Calls fn for the account's images of the batch's list (all accounts': empty) that are still in
 * the store, by number, from the one after `after` on, at most `limit` (0: no limit). Returns 1; 0
 * when there is no such list. */
int affected_images(struct db_tx *tx, str account, int64_t batch, int64_t after, size_t limit,
                    int (*fn)(void *ctx, const struct posting_image *i, struct err *e), void *ctx,
                    struct err *e);

/* Adds what is listed for the batch. */
int affected_read(struct db_tx *tx, int64_t batch, struct posting_set *out, struct err *e);
/* Makes the list exactly this. */
int affected_publish(struct db_tx *tx, int64_t batch, const char *generation,
                     const struct posting_set *set, struct err *e);

#endif
