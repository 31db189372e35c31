/* params.h - the parameters of one rule: what their values may be, and the values converted.
 *
 * On the wire every value is a string; the types and what they accept are those of the original
 * (docs/policy.md). Blanks and digits are those of ASCII. */
#ifndef KELLET_POLICY_PARAMS_H
#define KELLET_POLICY_PARAMS_H

#include "policy/gate.h"

struct param_kind { /* as the specification shows it */
    const char *type, *pattern, *description;
};
extern const struct param_kind param_kinds[]; /* by enum param_type; pattern NULL: any string */
/* Words of an enumeration (PARAM_BOOL and PARAM_ENUM), ended by NULL; NULL: none. */
const char *const *param_choices(const struct gate_param *p);
/* What PARAM_LINKED accepts, in the specification's order. */
extern const char *const param_linked_patterns[3];

/* The values given to a rule, by the index of their parameter: the last one given under a name
 * counts. NULL: none, or null. *strange: a name that the trigger does not know. False: memory. */
bool params_given(const struct gate_trigger *t, yyjson_val *params, struct arena *a,
                  yyjson_val ***out, bool *strange);
size_t params_count(const struct gate_trigger *t); /* at most RULE_PARAMS_MAX */

/* 1: `v` may be the value of parameter i; 0: it may not, and `why` gets the reason in the
 * original's words (schema and detail, without the place). v NULL: not given. */
int param_check(const struct gate_trigger *t, size_t i, yyjson_val **given, struct buf *why);
/* Converts a value that param_check() accepts. 0; ERR_USAGE: it has no meaning all the same ("-"
 * as a number with decimals); ERR_NO_MEMORY. */
int param_convert(const struct gate_param *p, yyjson_val *v, struct arena *a,
                  struct rule_value *out, struct err *e);

#endif
