#include "policy/gate.h"

const struct gate *gate_find(str name)
{
    for (size_t i = 0; all_gates[i]; i++)
        if (str_eq_nocase(str_z(all_gates[i]->name), name))
            return all_gates[i];
    return NULL;
}

bool gate_name_eq(str known, str given)
{
    static const struct {
        str now, once;
    } words[] = {{STR_INIT("allowlist"), STR_INIT("whitelist")},
                 {STR_INIT("denylist"), STR_INIT("blacklist")}};
    if (str_eq_nocase(known, given))
        return true;
    for (size_t i = 0; i < KE_ARRAY_LEN(words); i++) {
        str now = words[i].now, once = words[i].once;
        ptrdiff_t at = str_find(known, once);
        if (at < 0 || given.n + once.n != known.n + now.n)
            continue;
        size_t from = (size_t)at;
        if (str_eq_nocase(str_sub(known, 0, from), str_sub(given, 0, from)) &&
            str_eq_nocase(now, str_sub(given, from, from + now.n)) &&
            str_eq_nocase(str_from(known, from + once.n), str_from(given, from + now.n)))
            return true;
    }
    return false;
}

const struct gate_trigger *trigger_find(const struct gate *g, str name)
{
    for (size_t i = 0; g->triggers[i].name; i++)
        if (gate_name_eq(str_z(g->triggers[i].name), name))
            return &g->triggers[i];
    return NULL;
}
