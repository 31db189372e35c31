/* packages.h - comparing packages' versions: packages.c, package_match.c. */
#ifndef KELLET_POLICY_GATES_PACKAGES_H
#define KELLET_POLICY_GATES_PACKAGES_H

#include "policy/gates/gates.h"

/* How the package's version compares with another by its scheme; releases count only when the other
 * one has one ("1.0-2"). ERR_UNSUPPORTED: they have no order. */
int package_version_compare(const struct policy_package *p, str wanted, int *out, struct err *e);

/* packages.match (package_match.c) */
extern const struct gate_param package_match_params[];
int package_match_prepare(const struct rule_params *p, struct arena *a, void **state,
                          struct err *e);
int package_match(struct firing *f, void *state, struct err *e);

#endif
