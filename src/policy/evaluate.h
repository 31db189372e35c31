/* evaluate.h - the verdict: a pure function of image, findings, data, bundle and time.
 *
 * The same subject and bundle give the same verdict, row for row. A rule that can't be judged (a
 * missing part, an expression that takes too many steps) is a problem entry; by the bundle's member
 * "on_rule_failure" it counts as if it had fired ("closed", the default) or not ("open"). */
#ifndef KELLET_POLICY_EVALUATE_H
#define KELLET_POLICY_EVALUATE_H

#include "policy/bundle.h"

enum policy_action { ACTION_STOP, ACTION_WARN, ACTION_GO };
extern const char *const policy_action_names[3]; /* "stop", "warn", "go" */

enum { VERDICT_ROWS_MAX = 1000000, VERDICT_BYTES_MAX = 512 << 20 };

struct policy_row {
    str trigger_id, message;
    const char *gate, *trigger;
    enum policy_action action; /* "go" when allowed */
    /* the allowlist item that allows it; names p NULL: none does */
    bool allowed;
    str allowlist_name, allowlist_id, allowlist_rule_id;
    yyjson_val *allowlist_item; /* of the bundle's JSON: reason, owner, expires_on ... */
    str policy_id;              /* of the policy inside the bundle */
    str rule_id;                /* of the rule; p NULL: it has none */
};

struct policy_verdict {
    struct arena arena; /* owns every slice; the bundle must outlive the verdict */
    struct policy_row *rows;
    size_t n_rows;
    enum policy_action policy_action; /* of the rows */
    enum policy_action final_action;  /* with the lists of images */
    const char *reason;               /* "policy_evaluation", "whitelisted", "blacklisted" */
    yyjson_val *mapping, *allowed_image,
        *denied_image; /* of the bundle's JSON; NULL: none matched */
    struct policy_problems problems;
    int64_t valid_until_us; /* INT64_MAX: the clock alone changes nothing */
};

/* Negative only when memory or the verdict's maximum ran out. */
int policy_evaluate(const struct policy_bundle *b, const struct policy_subject *s,
                    struct policy_verdict **out, struct err *e);
void policy_verdict_free(struct policy_verdict *v); /* NULL is fine */
static inline bool policy_passes(const struct policy_verdict *v)
{
    return v->final_action != ACTION_STOP;
}

/* The document that the original's API gives as detail.result, without the members that the catalog
 * adds (image_digest, status): built in d. */
int policy_verdict_json(const struct policy_verdict *v, const struct policy_bundle *b,
                        const struct policy_subject *s, yyjson_mut_doc *d, yyjson_mut_val **out,
                        struct err *e);

#endif
