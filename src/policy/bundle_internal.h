/* bundle_internal.h - a compiled bundle, for the room's own files. */
#ifndef KELLET_POLICY_BUNDLE_INTERNAL_H
#define KELLET_POLICY_BUNDLE_INTERNAL_H

#include "policy/allowlist.h"
#include "policy/mapping.h"
#include "policy/own.h"

struct compiled_rule {
    const struct gate *gate;
    const struct gate_trigger *trigger;
    enum policy_action action;
    struct rule_params params;
    void *state;        /* of the trigger's prepare() */
    const char *broken; /* why it can't be judged; NULL: it can */
    str id;             /* p NULL: it has none */
    size_t group;       /* rank of its gate by first appearance */
    size_t order;
};

/* One policy: only good ones have rules. */
struct compiled_policy {
    yyjson_val *json;
    str id;
    struct compiled_rule *rules; /* in the order of evaluation */
    size_t n;
    struct policy_problems errors, notes;
};

struct compiled_list {
    struct allowlist *list; /* NULL: it has errors */
    str id;
    yyjson_val *name; /* a string, or NULL */
    struct policy_problems errors;
    const void *last_mapping; /* that refers to it, while mappings are compiled */
};

struct compiled_mapping {
    struct selector select;
    struct compiled_policy **policies;
    size_t n_policies;
    struct compiled_list **lists;
    size_t n_lists;
    struct policy_problems errors; /* its own; those of what it refers to are with those */
};

struct selectors {
    struct selector *items;
    size_t n;
};

struct policy_bundle {
    struct arena arena;
    yyjson_doc *doc;
    str id;
    struct policy_problems errors; /* that leave nothing to evaluate */
    struct compiled_mapping *mappings;
    size_t n_mappings;
    struct selectors allowed, denied;
    struct compiled_policy **policies; /* all that are compiled, for release */
    size_t n_policies;
    struct compiled_list **lists;
    size_t n_lists;
    uint32_t n_items; /* of all allowlists */
    unsigned needs;
    struct bundle_options options;
};

#endif
