/* history.h - the memory: since when an image has which findings, which images were affected when,
 * and how many findings there were on each day.
 *
 * What is remembered stands with the distinct package (finding_span); an image has it since the
 * later of two times: when the image came, and when the finding was first known of its package. An
 * image that is deleted takes its memory with it. Times are microseconds. */
#ifndef KELLET_SERVICES_POLICY_ENGINE_HISTORY_H
#define KELLET_SERVICES_POLICY_ENGINE_HISTORY_H

#include "store/posting.h"
#include "vulndb/claim.h"

struct history_row {
    str vulnerability, package, version, type;
    str source, fix, generation; /* generation: of the data that gave it */
    enum severity severity;
    enum fix_state fix_state;
    int64_t first_seen; /* of this package's finding in this image, whatever its severity then */
    int64_t from, to;   /* when it was held for true as it stands here; to 0: still */
};
/* By vulnerability, package, time; in the arena. 1; 0 when the image is not in the index. */
int history_image(struct db_tx *tx, struct arena *a, str account, str digest,
                  struct history_row **out, size_t *n, struct err *e);

/* Calls fn once for each of the account's images (all accounts' when it is empty) that were there
 * at the time `at` and had the vulnerability: by what was known then, or by what is known now. ids:
 * all its names; findings stand under the CVE, or under an advisory's id while there is none. */
int history_affected(struct db_tx *tx, str account, const str *ids, size_t n_ids, int64_t at,
                     bool known_now,
                     int (*fn)(void *ctx, const struct posting_image *i, struct err *e), void *ctx,
                     struct err *e);

/* Counts findings for today (UTC) anew, when the last time is a quarter of an hour ago or `now`. */
int history_trends(struct db *db, bool now, struct err *e);
struct history_day {
    int64_t day; /* since 1970 */
    int64_t images;
    int64_t findings[SEV_CRITICAL + 1]; /* packages x vulnerabilities, by severity */
};
/* The days that were counted among the last `days`, oldest first; in the arena. */
int history_days(struct db_tx *tx, struct arena *a, str account, int64_t days,
                 struct history_day **out, size_t *n, struct err *e);

#endif
