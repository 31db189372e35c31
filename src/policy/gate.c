#include "policy/gate.h"

const struct gate *gate_find(str name)
{
    for (size_t i = 0; all_gates[i]; i++)
        if (str_eq_nocase(str_z(all_gates[i]->name), name))
            return all_gates[i];
    return NULL;
}

const struct gate_trigger *trigger_find(const struct gate *g, str name)
{
    for (size_t i = 0; g->triggers[i].name; i++)
        if (str_eq_nocase(str_z(g->triggers[i].name), name))
            return &g->triggers[i];
    return NULL;
}
