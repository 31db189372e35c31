/* policy_check.h - evaluations for the API: the answer of /images/{digest}/check, as text.
 *
 * A verdict is kept with the text of its answer (the least recently used go, beyond 96 MiB), and
 * good for as long as the image, the bundle, the data and their last synchronisation are the same
 * and the verdict itself says (valid_until_us): asking again costs a look-up. */
#ifndef KELLET_SERVICES_POLICY_ENGINE_POLICY_CHECK_H
#define KELLET_SERVICES_POLICY_ENGINE_POLICY_CHECK_H

#include "services/call.h"
#include "services/policy_engine/policy_load.h"

struct policy_checks;
/* max_bytes: of what is kept in memory. */
int policy_checks_new(size_t max_bytes, struct policy_checks **out, struct err *e);
void policy_checks_free(struct policy_checks *p); /* NULL is fine */

struct policy_question {
    str account, image; /* digest, or id when by_id */
    bool by_id;
    str tag;    /* as the user wrote it; empty: each of the image's */
    str policy; /* empty: the active one */
    bool detail, history;
    bool interactive; /* nothing is stored */
};
/* Answers c. */
int policy_check_answer(struct call *c, struct policy_checks *p, struct vuln_reports *reports,
                        const struct policy_question *q);
/* Answers with the verdict on a bundle that is not stored: the original's check_inline. */
int policy_check_inline(struct call *c, struct policy_checks *p, struct vuln_reports *reports,
                        str account, str image_id, str tag, yyjson_val *bundle);

enum { DRY_RUN_MAX = 1000 }; /* images a call */
struct dry_run_question {
    str account;
    str policy;    /* which the new bundle is compared with; empty: the active one */
    str after;     /* "next" of the page before; empty: from the beginning */
    int64_t limit; /* 1 to DRY_RUN_MAX: tags of images to look at */
    bool all;      /* name those too whose final action stays */
};
/* Answers with what a bundle that is not stored would change on the account's analysed images, tag
 * by tag in their order: old and new final action, counts of this page, and where the next page
 * begins (null: this is the last). Stores nothing. A page ends early after 20 seconds, or when the
 * client leaves; an image that cannot be judged has "error" and counts as failed. */
int policy_dry_run(struct call *c, struct policy_checks *p, struct vuln_reports *reports,
                   const struct dry_run_question *q, yyjson_val *bundle);

/* Whether verdicts are kept. */
bool policy_checks_caching(struct policy_checks *p);
void policy_checks_set_caching(struct policy_checks *p, bool on);

#endif
