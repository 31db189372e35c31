#include "policy/gates/gates.h"

const struct gate *const all_gates[] = {
    &gate_always,
    &gate_vulnerabilities,
    NULL,
};
