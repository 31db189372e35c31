/* allowlist.h - one whitelist of a bundle, indexed: which of its items, the first in its order,
 * allows a row?
 *
 * An item names a gate (case aside) and a trigger_id, which may be a pattern (pattern.h). Our own
 * members narrow it further, all of them must hold: vulnerability_id (or an alias of the row's),
 * package (pattern), version (">= 1.0, < 2", in the package's scheme), purl, path (glob). An item
 * with one of these need not name a gate or a trigger_id. */
#ifndef KELLET_POLICY_ALLOWLIST_H
#define KELLET_POLICY_ALLOWLIST_H

#include "policy/pattern.h"
#include "policy/spending.h"
#include "policy/validate.h"

struct allow_item {
    yyjson_val *json;
    str gate; /* as written; empty: any */
    struct pattern trigger_id;
    bool extended;
    str vulnerability_id, version, purl, path; /* empty: any */
    struct pattern package;
    bool has_package;
    int64_t expires_us;             /* INT64_MAX: never */
    uint32_t order;                 /* in its list */
    uint32_t index;                 /* in the bundle: for marks of use */
    struct allow_item *next, *last; /* of those under the same key of an index; last: of the head */
};

struct allowlist;
/* Reads and indexes the items; what is wrong with them goes to c->out. `next_index` numbers the
 * bundle's items. NULL: not good enough, or c->failed. */
struct allowlist *allowlist_new(struct checker *c, yyjson_val *json, uint32_t *next_index);
void allowlist_free(struct allowlist *l); /* NULL is fine */
size_t allowlist_items(const struct allowlist *l, const struct allow_item **out);

struct allow_query {
    const char *gate;
    str trigger_id;
    const struct policy_finding *finding; /* NULL: none, as the next ones */
    const struct policy_package *package;
    str path;
    int64_t now_us;
    /* Expressions that could not be compared (they then do not match): counted; above a bound none
     * is tried any more. */
    unsigned *failures;
    struct spending *spending; /* when it is over no expression matches */
};
/* NULL: none allows it. */
const struct allow_item *allowlist_find(const struct allowlist *l, const struct allow_query *q);

/* Does the version lie in all of the constraints (">=1.0, <2", "= 1.2", "1.2")? One without a
 * release is compared with `version`, which is without it too, the others with `full_version`.
 * Without a scheme only equality can be judged. `good` false: the text is no constraint. */
bool version_within(str constraint, str scheme, str version, str full_version, bool *good);
/* Is it that purl? One without version or qualifiers stands for all of them. */
bool purl_covers(str wanted, str purl);
/* "?" is one character, "*" any within a component, "**" any. */
bool path_matches(str glob, str path);

#endif
