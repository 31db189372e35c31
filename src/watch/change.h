/* change.h - what is different about a reference since it was last told: from what is remembered
 * and what was seen now to rows of changes, and from those to items for people and programs.
 *
 * Kinds (the payload's member "change"), and the type of notification that carries them:
 *     findings         vuln_update      diff_vulnerability_result (vuln_diff_was()), imageDigest
 *     tag-moved        tag_update       last_eval, curr_eval: lists of one digest
 *     verdict          policy_eval      last_eval, curr_eval: final_action, status
 *     tag-new          repo_update      imageDigest, severities, final_action
 *     image-gone, image-back, not-checked, checked-again, incomplete, complete
 *                      analysis_update  last_eval, curr_eval: analysis_status; reason */
#ifndef KELLET_WATCH_CHANGE_H
#define KELLET_WATCH_CHANGE_H

#include "codec/json.h"
#include "vulndb/claim.h"
#include "watch/state.h"

struct seen { /* what a look at an image gave; members as in struct remembered */
    str digest, image, findings, generation, uncovered, policy, verdict, gaps;
    int64_t valid_until_us;
};
/* Remembers what was seen and writes down what is different. `fresh`: a tag that its repository did
 * not have before. When the same image is no longer covered by the data, its findings stay as they
 * were. *first: it was never seen before (and nothing is a change). */
int change_settle(struct db_tx *tx, struct arena *a, const struct remembered *was,
                  const struct seen *is, bool fresh, struct err *e);

/* Remembers why the registry could not tell; kind "" : it could. Nothing is written when the kind
 * is as before. */
int change_trouble(struct db_tx *tx, struct arena *a, const struct remembered *was, str kind,
                   str why, struct err *e);

/* ---- items ------------------------------------------------------------------------------------
 */

struct item {
    const char *what; /* "finding-new", "finding-gone", "finding-changed", else the kind */
    bool worse;
    yyjson_val *entry, *was; /* of findings; was: the members that were others, or NULL */
    enum severity severity;
};
struct items {
    yyjson_doc *doc; /* owns what they point to */
    yyjson_val *payload;
    struct item *list;
    size_t n;
};
/* Those at or above a severity (before or now). A vulnerability that is there under another version
 * of the same package is no new one. */
int change_items(const struct change *c, enum severity min, struct items *out, struct err *e);
void items_done(struct items *i);

/* "2 critical, 5 high" of a list of findings; "none". */
void severities_words(yyjson_val *findings, struct buf *out);

#endif
