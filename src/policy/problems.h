/* problems.h - collecting what is wrong with a bundle or an evaluation. */
#ifndef KELLET_POLICY_PROBLEMS_H
#define KELLET_POLICY_PROBLEMS_H

#include "policy/bundle.h"

/* An empty list whose entries and texts will live in the arena. */
void problems_init(struct policy_problems *p, struct arena *a);
/* Adds one; those after BUNDLE_PROBLEMS_MAX are only counted. `severity` and `type` are literals,
 * `details` lives as long as the arena. False when memory is out. */
bool problems_add(struct policy_problems *p, const char *severity, const char *type, str details);
bool problems_addf(struct policy_problems *p, const char *severity, const char *type,
                   const char *fmt, ...) KE_PRINTF(4, 5);
/* Appends all of `from`, whose texts must live as long as p's arena. */
bool problems_append(struct policy_problems *p, const struct policy_problems *from);

#endif
