/* policy_spec.h - the gates and triggers that policies may use (share/api/policy_spec.json in the
 * binary), and whether a bundle uses them rightly. */
#ifndef KELLET_SERVICES_POLICY_SPEC_H
#define KELLET_SERVICES_POLICY_SPEC_H

#include "base/arena.h"
#include "codec/json.h"

extern const char policy_spec_json[];
extern const unsigned policy_spec_json_size;

/* What is wrong with a bundle, as users of the original's API know it. */
struct bundle_problem {
    const char *type; /* "GateNotFoundError" */
    str details;      /* in the arena */
};
struct bundle_problems {
    struct arena *arena;
    struct bundle_problem *list;
    size_t n, room; /* at most 1,000 are collected */
};

/* Checks a bundle that is valid by the API's schema: versions, references between its parts, and
 * each rule of the policies in use. The number of problems, or a negative code. */
int bundle_validate(yyjson_val *bundle, struct arena *a, struct bundle_problems *out,
                    struct err *e);

#endif
