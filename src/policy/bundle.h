/* bundle.h - a policy bundle, checked and compiled.
 *
 * A bundle is JSON: policies (rules), whitelists, mappings and lists of images (docs/policy.md).
 * Compiled once - expressions, lists, an index of exact allowlist ids - it is immutable and may be
 * evaluated by many threads. */
#ifndef KELLET_POLICY_BUNDLE_H
#define KELLET_POLICY_BUNDLE_H

#include "codec/json.h"
#include "policy/gate.h"

enum {
    BUNDLE_BYTES_MAX = 64 << 20,
    BUNDLE_RULES_MAX = 200000,
    BUNDLE_PROBLEMS_MAX = 1000, /* later ones are counted only */
};

struct policy_problem {
    const char *severity; /* "error", "warn" */
    const char *type;     /* "GateNotFoundError" */
    str details;          /* in the owner's arena */
};
struct policy_problems {
    struct arena *arena;
    struct policy_problem *list;
    size_t n, total;
};

/* Checks a bundle that is valid by the API's schema: versions, references between its parts, each
 * rule of the policies in use. The number of problems, or a negative code. */
int policy_validate(yyjson_val *bundle, struct arena *a, struct policy_problems *out,
                    struct err *e);

/* What is allowed but likely not meant: rules in policies that no mapping uses, expressions that do
 * not compile, mappings that an earlier one hides, allowlist items that can never match or have
 * expired, duplicate ids, gates that have ended. Includes policy_validate()'s. */
int policy_lint(yyjson_val *bundle, int64_t now_us, struct arena *a, struct policy_problems *out,
                struct err *e);

struct policy_bundle;
/* Compiles for evaluation (lenient: ended gates stay and do nothing). A bundle with errors compiles
 * too: its verdict is `stop` with these problems. Keeps a copy of the text. ERR_FORMAT: not JSON;
 * ERR_LIMIT. */
int policy_bundle_new(str json, struct policy_bundle **out, struct err *e);
void policy_bundle_free(struct policy_bundle *b); /* NULL is fine */
yyjson_val *policy_bundle_json(const struct policy_bundle *b);
str policy_bundle_id(const struct policy_bundle *b);
/* Mask of enum policy_part: what an evaluation may look at. `tag` "": for any image. */
unsigned policy_bundle_needs(const struct policy_bundle *b);

#endif
