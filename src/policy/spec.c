#include "policy/params.h"

static const char *const states[] = {"active", "deprecated", "eol"};

static bool put(yyjson_mut_doc *d, yyjson_mut_val *o, const char *key, const char *value)
{
    return yyjson_mut_obj_add_val(d, o, key, value ? yyjson_mut_str(d, value) : yyjson_mut_null(d));
}

static yyjson_mut_val *string_schema(yyjson_mut_doc *d, const char *const *words,
                                     const char *pattern)
{
    yyjson_mut_val *o = yyjson_mut_obj(d), *list = words ? yyjson_mut_arr(d) : NULL;
    bool ok = put(d, o, "type", "string") && (!pattern || put(d, o, "pattern", pattern)) &&
              (!words || yyjson_mut_obj_add_val(d, o, "enum", list));
    for (size_t i = 0; ok && words && words[i]; i++)
        ok = yyjson_mut_arr_add_str(d, list, words[i]);
    return ok ? o : NULL;
}

static yyjson_mut_val *criteria(yyjson_mut_doc *d, const struct gate_param *p)
{
    if (p->type != PARAM_LINKED)
        return string_schema(d, param_choices(p), param_kinds[p->type].pattern);
    yyjson_mut_val *o = yyjson_mut_obj(d), *any = yyjson_mut_arr(d);
    bool ok = yyjson_mut_obj_add_val(d, o, "anyOf", any);
    for (size_t i = 0; ok && i < KE_ARRAY_LEN(param_linked_patterns); i++)
        ok = yyjson_mut_arr_append(any, string_schema(d, NULL, param_linked_patterns[i]));
    return ok ? o : NULL;
}

static bool put_param(yyjson_mut_doc *d, yyjson_mut_val *list, const struct gate_param *p)
{
    const struct param_kind *kind = &param_kinds[p->type];
    yyjson_mut_val *o = yyjson_mut_obj(d), *validator = yyjson_mut_obj(d);
    return put(d, validator, "description", kind->description) &&
           yyjson_mut_obj_add_val(d, validator, "criteria", criteria(d, p)) &&
           put(d, validator, "type", kind->type) && put(d, o, "name", p->name) &&
           put(d, o, "description", p->description) && put(d, o, "example", p->example) &&
           put(d, o, "state", states[GATE_ACTIVE]) && put(d, o, "superceded_by", NULL) &&
           yyjson_mut_obj_add_bool(d, o, "required", p->required) &&
           yyjson_mut_obj_add_val(d, o, "validator", validator) && yyjson_mut_arr_append(list, o);
}

static bool put_trigger(yyjson_mut_doc *d, yyjson_mut_val *list, const struct gate *g,
                        const struct gate_trigger *t, bool own)
{
    yyjson_mut_val *o = yyjson_mut_obj(d), *params = yyjson_mut_arr(d);
    bool ok = put(d, o, "name", t->name) && put(d, o, "description", t->description) &&
              put(d, o, "state", states[g->state]) && put(d, o, "superceded_by", NULL) &&
              yyjson_mut_obj_add_val(d, o, "parameters", params) && yyjson_mut_arr_append(list, o);
    for (size_t i = 0, n = params_count(t); ok && i < n; i++)
        if (own || !t->params[i].own)
            ok = put_param(d, params, &t->params[i]);
    return ok;
}

static bool put_gate(yyjson_mut_doc *d, yyjson_mut_val *list, const struct gate *g, bool own)
{
    yyjson_mut_val *o = yyjson_mut_obj(d), *triggers = yyjson_mut_arr(d);
    bool ok = put(d, o, "name", g->name) && put(d, o, "description", g->description) &&
              put(d, o, "state", states[g->state]) &&
              put(d, o, "superceded_by", g->superceded_by) &&
              yyjson_mut_obj_add_val(d, o, "triggers", triggers) && yyjson_mut_arr_append(list, o);
    for (const struct gate_trigger *t = g->triggers; ok && t->name; t++)
        if (own || !(t->flags & TRIGGER_OWN))
            ok = put_trigger(d, triggers, g, t, own);
    return ok;
}

int gate_spec_write(yyjson_mut_doc *d, yyjson_mut_val *out, bool own, struct err *e)
{
    for (int state = GATE_ACTIVE; state <= GATE_EOL; state++)
        for (size_t i = 0; all_gates[i]; i++)
            if ((int)all_gates[i]->state == state && (own || !all_gates[i]->own) &&
                !put_gate(d, out, all_gates[i], own))
                return err_no_memory(e);
    return 0;
}
