/* gates.h - the gates, one a file. */
#ifndef KELLET_POLICY_GATES_GATES_H
#define KELLET_POLICY_GATES_GATES_H

#include "policy/gate.h"

extern const struct gate gate_always;
extern const struct gate gate_vulnerabilities;

#endif
