/* licences_own.h - licences as SPDX expressions: triggers of licenses.c that the original has not.
 */
#ifndef KELLET_POLICY_GATES_LICENCES_OWN_H
#define KELLET_POLICY_GATES_LICENCES_OWN_H

#include "policy/gates/gates.h"

extern const struct gate_param licence_allow_params[], licence_deny_params[],
    licence_missing_params[];
int licence_not_allowed(struct firing *f, void *state, struct err *e);
int licence_denied(struct firing *f, void *state, struct err *e);
int licence_missing(struct firing *f, void *state, struct err *e);

#endif
