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
int policy_checks_new(struct policy_checks **out, struct err *e);
void policy_checks_free(struct policy_checks *p); /* NULL is fine */
struct policy_loads *policy_checks_loads(struct policy_checks *p);

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

/* Whether verdicts are kept. */
bool policy_checks_caching(struct policy_checks *p);
void policy_checks_set_caching(struct policy_checks *p, bool on);

#endif
