/* validate.h - the checks that validation and compilation share, part by part of a bundle.
 *
 * What is wrong goes to the checker's problems in the original's words. */
#ifndef KELLET_POLICY_VALIDATE_H
#define KELLET_POLICY_VALIDATE_H

#include "base/map.h"
#include "policy/evaluate.h"

enum { BUNDLE_ARENA_MAX = 1 << 30 };

struct checker {
    struct arena *a; /* not for problems: they have their own */
    struct policy_problems *out;
    bool lenient;                  /* gates that have ended are a note (ended), not an error */
    struct policy_problems *notes; /* where notes go; lenient only */
    size_t rules;                  /* seen so far */
    int failed;                    /* a negative code that ends everything */
    struct err *e;
};

/* Something with an id that mappings refer to. */
struct part {
    yyjson_val *json; /* the first of that id; NULL: there is none */
    size_t count;     /* how many have the id */
    bool seen;
    void *compiled;
};
struct part_index {
    struct map ids;
    const char *word; /* "policy", "whitelist" */
};
/* A member in the original's spelling or in the new one ("allowlists" for "whitelists"). */
yyjson_val *bundle_member(yyjson_val *obj, const char *old_name, const char *new_name);
/* False: memory. */
bool part_index_init(struct part_index *x, yyjson_val *list, const char *word, struct arena *a);
void part_index_done(struct part_index *x);
/* The part of that id; NULL: memory. Not found or found twice: is a problem, once if `once`. */
struct part *part_refer(struct checker *c, struct part_index *x, yyjson_val *id, bool once,
                        bool *good);

bool check_version(struct checker *c, yyjson_val *thing);
/* Are the bundle's parts lists of objects, and do its selections of images say by what? (The API's
 * schema has asked this of bundles that came through it.) */
bool check_shape(struct checker *c, yyjson_val *bundle);

struct mapping_refs {
    yyjson_val *one, *several, *lists; /* policy id, policy ids (NULL when one), allowlist ids */
};
bool check_mapping(struct checker *c, yyjson_val *mapping, struct mapping_refs *out);

struct checked_rule {
    const struct gate *gate;
    const struct gate_trigger *trigger; /* NULL: not known, and need not be */
    enum policy_action action;
    str id;
    yyjson_val **given; /* by the index of the parameter */
    bool ended;         /* does nothing any more */
};
/* True: it may be evaluated. */
bool check_rule(struct checker *c, yyjson_val *rule, struct checked_rule *out);
/* The rules of a policy, the items of an allowlist; NULL: it is not good enough to have any. */
yyjson_val *check_policy(struct checker *c, yyjson_val *policy);
yyjson_val *check_allowlist(struct checker *c, yyjson_val *list);
/* *until: INT64_MAX when it never expires. */
bool check_item(struct checker *c, yyjson_val *item, int64_t *until);

#endif
