#include "policy/validate.h"

#include "codec/schema.h"
#include "policy/own.h"
#include "policy/params.h"
#include "policy/problems.h"
#include "policy/when.h"

enum { TEXT_MAX = 64 << 10 };

static const char none_type[] = "'NoneType' object is not iterable";
const char *const policy_action_names[3] = {"stop", "warn", "go"};

static void out_of_memory(struct checker *c)
{
    if (!c->failed)
        c->failed = err_no_memory(c->e);
}

#define problem(c, type, ...)                                                                      \
    do {                                                                                           \
        if (!problems_addf((c)->out, "error", type, __VA_ARGS__))                                  \
            out_of_memory(c);                                                                      \
    } while (0)

yyjson_val *bundle_member(yyjson_val *obj, const char *old_name, const char *new_name)
{
    yyjson_val *v = json_get(obj, old_name);
    return v || !new_name ? v : json_get(obj, new_name);
}

static str text_or_none(yyjson_val *obj, const char *key)
{
    str s = json_str(obj, key);
    return s.n ? s : STR("None");
}

/* ---- one rule ---------------------------------------------------------------------------------
 */
static void add_name(struct buf *b, const char *name)
{
    buf_addf(b, "%s'%s'", b->n > 1 ? ", " : "[", name);
}

static void gate_unknown(struct checker *c, str gate, str id)
{
    auto_buf b;
    buf_init(&b, TEXT_MAX);
    for (size_t i = 0; all_gates[i]; i++)
        if (!all_gates[i]->own)
            add_name(&b, all_gates[i]->name);
    problem(c, "GateNotFoundError",
            "The specified gate is not found in the policy engine as a valid gate name"
            " (gate=%.*s,trigger=None,rule_id=%.*s,valid_gates=%.*s])",
            STR_ARG(gate), STR_ARG(id), STR_ARG(buf_view(&b)));
}

static void trigger_unknown(struct checker *c, const struct gate *g, str trigger, str id)
{
    auto_buf b;
    buf_init(&b, TEXT_MAX);
    buf_add_char(&b, '[');
    for (const struct gate_trigger *t = g->triggers; t->name; t++)
        if (g->own || !(t->flags & TRIGGER_OWN))
            buf_addf(&b, "%s'%s'", b.n > 1 ? ", " : "", t->name);
    problem(c, "TriggerNotFoundError",
            "Trigger not found for specified gate. Valid triggers are: %.*s]"
            " (gate=%s,trigger=%.*s,rule_id=%.*s)",
            STR_ARG(buf_view(&b)), g->name, STR_ARG(trigger), STR_ARG(id));
}

static void gate_ended(struct checker *c, const struct gate *g, str name)
{
    const char *next = g->superceded_by;
    struct policy_problems *to = c->lenient ? c->notes : c->out;
    bool ended = g->state == GATE_EOL;
    if (!problems_addf(to, ended ? "error" : "warn",
                       ended ? "EndOfLifedError" : "DeprecationWarning", "Gate %.*s %s%s%s%s",
                       STR_ARG(name),
                       ended ? "has been End-of-Lifed. It will not be evaluated, and should be"
                               " removed from policies"
                             : "is deprecated. It will continue to function, but it should be"
                               " removed from policies",
                       next ? " and replaced with '" : "", next ? next : "", next ? "'" : ""))
        out_of_memory(c);
}

static int by_name(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static void parameter_unknown(struct checker *c, const struct checked_rule *r)
{
    const char *names[RULE_PARAMS_MAX];
    size_t n = 0, count = params_count(r->trigger);
    bool own = r->gate->own || r->trigger->flags & TRIGGER_OWN;
    for (size_t i = 0; i < count; i++)
        if (own || !r->trigger->params[i].own)
            names[n++] = r->trigger->params[i].name;
    qsort(names, n, sizeof *names, by_name);
    auto_buf b;
    buf_init(&b, TEXT_MAX);
    buf_add_char(&b, '[');
    for (size_t i = 0; i < n; i++)
        buf_addf(&b, "%s'%s'", i ? ", " : "", names[i]);
    problem(c, "InvalidParameterError",
            "Rule validation error (gate=%s,trigger=%s,rule_id=None,parameter=None,"
            "valid_parameters=%.*s])",
            r->gate->name, r->trigger->name, STR_ARG(buf_view(&b)));
}

static bool check_parameters(struct checker *c, yyjson_val *params, struct checked_rule *r)
{
    bool strange, good = true;
    if (!params_given(r->trigger, params, c->a, &r->given, &strange)) {
        out_of_memory(c);
        return false;
    }
    for (size_t i = 0, n = params_count(r->trigger); i < n; i++) {
        auto_buf why;
        buf_init(&why, TEXT_MAX);
        const struct gate_param *p = &r->trigger->params[i];
        bool absent = p->required && !r->given[i] && p->type != PARAM_LINKED;
        if (absent)
            buf_add_str(&why, STR("Required parameter"));
        else if (param_check(r->trigger, i, r->given, &why) == 1)
            continue;
        else if (c->lenient && !r->given[i])
            continue; /* the original refuses "exists" without a value that nobody looks at */
        good = false;
        problem(c, "ParameterValueInvalidError", "%.*s (gate=%s,trigger=%s,rule_id=%.*s)",
                (int)why.n, why.p, r->gate->name, r->trigger->name, STR_ARG(r->id));
    }
    if (strange)
        parameter_unknown(c, r);
    return good && !strange;
}

static bool check_action(struct checker *c, yyjson_val *rule, struct checked_rule *r)
{
    char small[64];
    str action = json_str(rule, "action");
    for (int i = 0; i < 3; i++) {
        if (str_eq_nocase(action, str_z(policy_action_names[i]))) {
            r->action = (enum policy_action)i;
            return true;
        }
    }
    action = str_sub(action.n ? action : STR("none"), 0, sizeof small);
    for (size_t i = 0; i < action.n; i++)
        small[i] = ke_tolower(action.p[i]);
    problem(c, "PolicyError", "%.*s", (int)action.n, small);
    return false;
}

bool check_rule(struct checker *c, yyjson_val *rule, struct checked_rule *r)
{
    str gate = json_str(rule, "gate"), trigger = json_str(rule, "trigger");
    yyjson_val *params = json_get(rule, "params");
    *r = (struct checked_rule){.id = text_or_none(rule, "id")};
    if (++c->rules > BUNDLE_RULES_MAX) {
        if (c->rules == BUNDLE_RULES_MAX + 1)
            problem(c, "PolicyError", "the bundle has more than %d rules", BUNDLE_RULES_MAX);
        return false;
    }
    if (!yyjson_is_arr(params)) {
        problem(c, "PolicyError", "%s", none_type);
        return false;
    }
    if (!check_action(c, rule, r))
        return false;
    if (!(r->gate = gate_find(gate))) {
        gate_unknown(c, gate, r->id);
        return false;
    }
    r->trigger = trigger_find(r->gate, trigger);
    r->ended = r->gate->state == GATE_EOL;
    if (r->ended && !c->lenient) {
        gate_ended(c, r->gate, gate);
        return false;
    }
    if (!r->trigger) {
        trigger_unknown(c, r->gate, trigger, r->id);
        return false;
    }
    if (r->gate->state != GATE_ACTIVE && c->lenient)
        gate_ended(c, r->gate, gate);
    return r->ended || check_parameters(c, params, r);
}

/* ---- policies, allowlists, mappings ------------------------------------------------------------
 */
bool check_version(struct checker *c, yyjson_val *thing)
{
    str version = json_str(thing, "version");
    if (str_eq(version, STR("1_0")))
        return true;
    auto_buf repr;
    buf_init(&repr, TEXT_MAX);
    if (yyjson_is_str(json_get(thing, "version")))
        buf_add_str(&repr, version);
    else if (json_get(thing, "version"))
        schema_repr(json_get(thing, "version"), &repr);
    else
        buf_add_str(&repr, STR("None"));
    version = buf_view(&repr);
    problem(c, "UnsupportedVersionError",
            "Found version %.*s, expected one of supported versions ['1_0']."
            " Detail:\"Version not supported\" (supported_versions=['1_0'],found_version=%.*s)",
            STR_ARG(version), STR_ARG(version));
    return false;
}

static bool check_selection(struct checker *c, yyjson_val *item, const char *list, size_t i)
{
    static const char *const texts[] = {"registry", "repository"};
    yyjson_val *image = json_get(item, "image");
    str type = json_str(image, "type");
    bool good = true;
    for (size_t k = 0; k < KE_ARRAY_LEN(texts); k++) {
        if (yyjson_is_str(json_get(item, texts[k])))
            continue;
        problem(c, "PolicyError", "%s.%zu.%s is not a text", list, i, texts[k]);
        good = false;
    }
    if (!yyjson_is_str(json_get(image, "value"))) {
        problem(c, "PolicyError", "%s.%zu.image.value is not a text", list, i);
        good = false;
    }
    if (str_eq(type, STR("tag")) || str_eq(type, STR("digest")) || str_eq(type, STR("id")))
        return good;
    problem(c, "PolicyError", "%s.%zu.image.type is none of 'tag', 'digest', 'id'", list, i);
    return false;
}

bool check_shape(struct checker *c, yyjson_val *bundle)
{
    static const struct {
        const char *name, *other;
        bool required, selects;
    } parts[] = {
        {"policies", NULL, true, false},
        {"mappings", NULL, true, true},
        {"whitelists", "allowlists", false, false},
        {"whitelisted_images", "allowlisted_images", false, true},
        {"blacklisted_images", "denylisted_images", false, true},
    };
    bool good = true;
    for (size_t k = 0; k < KE_ARRAY_LEN(parts); k++) {
        yyjson_val *list = bundle_member(bundle, parts[k].name, parts[k].other), *item;
        size_t i, n;
        if ((list && !yyjson_is_null(list) && !yyjson_is_arr(list)) ||
            (parts[k].required && !yyjson_is_arr(list))) {
            problem(c, "PolicyError", "%s is not a list", parts[k].name);
            good = false;
        }
        yyjson_arr_foreach(list, i, n, item)
        {
            if (!yyjson_is_obj(item)) {
                problem(c, "PolicyError", "%s.%zu is not an object", parts[k].name, i);
                good = false;
                continue;
            }
            good = (!parts[k].selects || check_selection(c, item, parts[k].name, i)) && good;
        }
    }
    return good;
}

static yyjson_val *members(struct checker *c, yyjson_val *thing, const char *key)
{
    yyjson_val *list = json_get(thing, key);
    if (!check_version(c, thing))
        return NULL;
    if (yyjson_is_arr(list))
        return list;
    problem(c, "TypeError", "%s", none_type);
    return NULL;
}

yyjson_val *check_policy(struct checker *c, yyjson_val *policy)
{
    return members(c, policy, "rules");
}

yyjson_val *check_allowlist(struct checker *c, yyjson_val *list)
{
    return members(c, list, "items");
}

bool check_item(struct checker *c, yyjson_val *item, int64_t *until)
{
    *until = INT64_MAX;
    if (!check_item_members(c, item))
        return false;
    yyjson_val *v = json_get(item, "expires_on");
    str text = json_text(v);
    if (!v || yyjson_is_null(v) || (yyjson_is_str(v) && !text.n))
        return true;
    if (text.n > 10 && when_parse(text, until))
        return true;
    auto_buf repr;
    buf_init(&repr, TEXT_MAX);
    if (yyjson_is_str(v))
        buf_add_str(&repr, text);
    else
        schema_repr(v, &repr);
    problem(c, "Exception",
            "could not convert input value (%.*s) into datetime using formats in"
            " ['%%Y-%%m-%%dT%%H:%%M:%%SZ', '%%Y-%%m-%%dT%%H:%%M:%%S.%%fZ',"
            " '%%Y-%%m-%%dT%%H:%%M:%%S:%%fZ']",
            STR_ARG(buf_view(&repr)));
    return false;
}

bool check_mapping(struct checker *c, yyjson_val *m, struct mapping_refs *out)
{
    yyjson_val *one = json_get(m, "policy_id"), *several = json_get(m, "policy_ids");
    yyjson_val *lists = bundle_member(m, "whitelist_ids", "allowlist_ids");
    if (yyjson_is_null(one))
        one = NULL;
    if (one && several) {
        problem(c, "ValidationError",
                "Cannot specify both policy_id and policy_ids properties in mapping rule, must use"
                " one or the other ()");
        return false;
    }
    if (!one && !several) {
        auto_buf repr;
        buf_init(&repr, TEXT_MAX);
        schema_repr(m, &repr);
        problem(c, "ValidationError",
                "No policy_id or policy_ids property found for mapping rule: %.*s ()",
                STR_ARG(buf_view(&repr)));
        return false;
    }
    if (!yyjson_is_arr(lists) || (several && !yyjson_is_arr(several))) {
        problem(c, "TypeError", "%s", none_type);
        return false;
    }
    *out = (struct mapping_refs){one, several, lists};
    return true;
}

/* ---- what mappings refer to -------------------------------------------------------------------
 */
bool part_index_init(struct part_index *x, yyjson_val *list, const char *word, struct arena *a)
{
    yyjson_val *item;
    size_t i, n;
    x->word = word;
    map_init(&x->ids);
    yyjson_arr_foreach(list, i, n, item)
    {
        void **slot = map_slot(&x->ids, json_str(item, "id"));
        if (!slot || (!*slot && !(*slot = arena_new(a, struct part))))
            return false;
        struct part *p = *slot;
        if (p->count++ == 0)
            p->json = item;
    }
    return true;
}

void part_index_done(struct part_index *x)
{
    map_done(&x->ids);
}

struct part *part_refer(struct checker *c, struct part_index *x, yyjson_val *id, bool once,
                        bool *good)
{
    str name = json_text(id);
    void **slot = map_slot(&x->ids, name);
    if (!slot || (!*slot && !(*slot = arena_new(c->a, struct part)))) {
        out_of_memory(c);
        return NULL;
    }
    struct part *p = *slot;
    bool quiet = once && p->seen;
    *good = p->count == 1;
    p->seen = true;
    if (p->count == 0 && !quiet)
        problem(c, "ReferencedObjectNotFoundError",
                "Referenced object not found (reference_type=%s,reference_id=%.*s)", x->word,
                STR_ARG(name));
    else if (p->count > 1 && !quiet)
        problem(c, "DuplicateIdentifierFoundError",
                "Object identifier found multiple times, not unique (identifier=%.*s,"
                "identifier_type=%s)",
                STR_ARG(name), x->word);
    return p;
}

/* ---- a whole bundle ----------------------------------------------------------------------------
 */
struct validation {
    struct checker c;
    struct part_index policies, lists;
};

static void validate_policy(struct checker *c, yyjson_val *policy)
{
    struct checked_rule r;
    yyjson_val *rule, *rules = check_policy(c, policy);
    size_t i, n;
    yyjson_arr_foreach(rules, i, n, rule)
    {
        if (c->failed || c->rules > BUNDLE_RULES_MAX)
            return;
        check_rule(c, rule, &r);
    }
}

static void validate_list(struct checker *c, yyjson_val *list)
{
    int64_t until;
    yyjson_val *item, *items = check_allowlist(c, list);
    size_t i, n;
    yyjson_arr_foreach(items, i, n, item) check_item(c, item, &until);
}

static void refer(struct validation *v, struct part_index *x, yyjson_val *id)
{
    bool good, first;
    struct part *known = map_get(&x->ids, json_text(id));
    first = !known || !known->seen;
    struct part *p = v->c.failed ? NULL : part_refer(&v->c, x, id, true, &good);
    if (!p || !good || !first)
        return;
    if (x == &v->policies)
        validate_policy(&v->c, p->json);
    else
        validate_list(&v->c, p->json);
}

static void validate_mapping(struct validation *v, yyjson_val *m)
{
    struct mapping_refs refs;
    yyjson_val *id;
    size_t i, n;
    if (!check_mapping(&v->c, m, &refs))
        return;
    if (refs.one)
        refer(v, &v->policies, refs.one);
    yyjson_arr_foreach(refs.several, i, n, id) refer(v, &v->policies, id);
    yyjson_arr_foreach(refs.lists, i, n, id) refer(v, &v->lists, id);
}

int policy_validate(yyjson_val *bundle, struct arena *a, struct policy_problems *out, struct err *e)
{
    struct arena work;
    struct validation v = {.c = {.a = &work, .out = out, .e = e}};
    struct bundle_options options;
    yyjson_val *m;
    size_t i, n;
    arena_init(&work, BUNDLE_ARENA_MAX);
    problems_init(out, a);
    bool ready = part_index_init(&v.policies, json_get(bundle, "policies"), "policy", &work);
    ready &= part_index_init(&v.lists, bundle_member(bundle, "whitelists", "allowlists"),
                             "whitelist", &work);
    if (!ready) {
        v.c.failed = err_no_memory(e);
    } else if (check_version(&v.c, bundle) && check_shape(&v.c, bundle)) {
        check_options(&v.c, bundle, &options);
        yyjson_arr_foreach(json_get(bundle, "mappings"), i, n, m)
        {
            if (v.c.failed)
                break;
            validate_mapping(&v, m);
        }
    }
    part_index_done(&v.policies);
    part_index_done(&v.lists);
    arena_done(&work);
    return v.c.failed ? v.c.failed : (int)out->total;
}
