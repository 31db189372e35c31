#include "services/policy_spec.h"

#include "base/map.h"
#include "codec/schema.h"

#include <stdarg.h>

enum { PROBLEMS_MAX = 1000, TEXT_MAX = 64 << 10 };

static const char none_type[] = "'NoneType' object is not iterable";

struct validation {
    yyjson_val *bundle, *spec;
    struct schema_set *schemas;
    struct bundle_problems *out;
    struct err *e;
    int failed; /* a negative code that ends everything */
};

static void problem_str(struct validation *v, const char *type, str details)
{
    struct bundle_problems *p = v->out;
    if (p->n < PROBLEMS_MAX && details.p)
        p->list[p->n++] = (struct bundle_problem){type, details};
    else if (!details.p)
        v->failed = err_no_memory(v->e);
}

static void problem(struct validation *v, const char *type, const char *fmt, ...) KE_PRINTF(3, 4);
static void problem(struct validation *v, const char *type, const char *fmt, ...)
{
    char text[8192];
    va_list ap;
    va_start(ap, fmt);
    int n = vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    size_t size = n < 0 ? 0 : (size_t)n < sizeof text ? (size_t)n : sizeof text - 1;
    problem_str(v, type, arena_dup(v->out->arena, (str){text, size}));
}

/* ---- the parts of the specification -----------------------------------------------------------
 */
static yyjson_val *named(yyjson_val *list, str name)
{
    yyjson_val *item;
    size_t i, n;
    yyjson_arr_foreach(list, i, n, item)
    {
        if (str_eq_nocase(json_str(item, "name"), name))
            return item;
    }
    return NULL;
}

static bool is_eol(yyjson_val *thing)
{
    return str_eq(json_str(thing, "state"), STR("eol"));
}

static void add_name(struct buf *b, str name)
{
    buf_addf(b, "%s'%.*s'", b->n > 1 ? ", " : "", STR_ARG(name));
}

/* Always and dockerfile first, then what is no longer evaluated, then the rest. */
static void add_gates(struct validation *v, struct buf *b)
{
    yyjson_val *gate;
    size_t i, n;
    for (int pass = 0; pass < 3; pass++) {
        yyjson_arr_foreach(v->spec, i, n, gate)
        {
            int turn = is_eol(gate) ? 1 : i < 2 ? 0 : 2;
            if (turn == pass)
                add_name(b, json_str(gate, "name"));
        }
    }
}

/* ---- one rule ---------------------------------------------------------------------------------
 */
struct rule {
    yyjson_val *json, *gate, *trigger;
    str gate_name, trigger_name, id;
};

static str where(struct validation *v, const struct rule *r)
{
    return arena_printf(v->out->arena, "(gate=%.*s,trigger=%.*s,rule_id=%.*s)",
                        STR_ARG(json_str(r->gate, "name")), STR_ARG(json_str(r->trigger, "name")),
                        STR_ARG(r->id));
}

static void gate_unknown(struct validation *v, const struct rule *r)
{
    auto_buf b;
    buf_init(&b, TEXT_MAX);
    buf_add_char(&b, '[');
    add_gates(v, &b);
    buf_add_char(&b, ']');
    problem(v, "GateNotFoundError",
            "The specified gate is not found in the policy engine as a valid gate name"
            " (gate=%.*s,trigger=None,rule_id=%.*s,valid_gates=%.*s)",
            STR_ARG(r->gate_name), STR_ARG(r->id), STR_ARG(buf_view(&b)));
}

static void trigger_unknown(struct validation *v, const struct rule *r)
{
    auto_buf b;
    buf_init(&b, TEXT_MAX);
    buf_add_char(&b, '[');
    yyjson_val *t;
    size_t i, n;
    yyjson_arr_foreach(json_get(r->gate, "triggers"), i, n, t) add_name(&b, json_str(t, "name"));
    buf_add_char(&b, ']');
    problem(v, "TriggerNotFoundError",
            "Trigger not found for specified gate. Valid triggers are: %.*s"
            " (gate=%.*s,trigger=%.*s,rule_id=%.*s)",
            STR_ARG(buf_view(&b)), STR_ARG(json_str(r->gate, "name")), STR_ARG(r->trigger_name),
            STR_ARG(r->id));
}

static void gate_ended(struct validation *v, const struct rule *r)
{
    str next = json_str(r->gate, "superceded_by");
    problem(v, "EndOfLifedError",
            "Gate %.*s has been End-of-Lifed. It will not be evaluated, and should be removed from"
            " policies%s%.*s%s",
            STR_ARG(r->gate_name), next.n ? " and replaced with '" : "", STR_ARG(next),
            next.n ? "'" : "");
}

static bool is_alias(str given, str wanted)
{
    return (str_eq_nocase(given, STR("usernameblacklist")) && str_eq(wanted, STR("user_names"))) ||
           (str_eq_nocase(given, STR("useridblacklist")) && str_eq(wanted, STR("user_ids")));
}

/* The value given last under the parameter's name. */
static yyjson_val *given_value(const struct rule *r, str name)
{
    yyjson_val *p, *found = NULL;
    size_t i, n;
    yyjson_arr_foreach(json_get(r->json, "params"), i, n, p)
    {
        str given = json_str(p, "name");
        if (str_eq_nocase(given, name) || is_alias(given, name))
            found = json_get(p, "value");
    }
    return yyjson_is_null(found) ? NULL : found;
}

/* `value` NULL: None. */
static bool check_value(struct validation *v, const struct rule *r, yyjson_val *criteria,
                        yyjson_val *value, const char *prefix)
{
    struct err why = {0};
    auto_json *null = NULL;
    if (!value) {
        json_parse(STR("null"), "null", &null, NULL);
        value = yyjson_doc_get_root(null);
    }
    int rc = schema_check(v->schemas, criteria, value, &why);
    if (rc < 0)
        v->failed = err_set(v->e, rc, "%s", why.text);
    if (rc != 0)
        return rc == 1;
    auto_buf schema;
    buf_init(&schema, TEXT_MAX);
    schema_repr(criteria, &schema);
    problem(v, "ParameterValueInvalidError",
            "%sJSON Schema validation failed. Schema=%.*s, Detail=%s %.*s", prefix,
            STR_ARG(buf_view(&schema)), why.text, STR_ARG(where(v, r)));
    return false;
}

/* What a value may be depends on the attribute that it is compared with. */
static void check_linked(struct validation *v, const struct rule *r, yyjson_val *criteria,
                         yyjson_val *value)
{
    yyjson_val *any = json_get(criteria, "anyOf");
    str attribute = json_text(given_value(r, STR("attribute")));
    bool size = str_eq(attribute, STR("size")), count = str_eq(attribute, STR("layer_count"));
    yyjson_val *attributes = named(json_get(r->trigger, "parameters"), STR("attribute")), *a;
    bool known = false;
    size_t i, n;
    yyjson_arr_foreach(json_at(attributes, "validator", "criteria", "enum", NULL), i, n, a) known |=
        str_eq(json_text(a), attribute);
    if (known)
        check_value(v, r, yyjson_arr_get(any, size ? 2 : count ? 0 : 1), value, "");
}

static void check_parameter(struct validation *v, const struct rule *r, yyjson_val *p)
{
    yyjson_val *value = given_value(r, json_str(p, "name"));
    yyjson_val *criteria = json_at(p, "validator", "criteria", NULL);
    if (json_get(criteria, "anyOf")) {
        check_linked(v, r, criteria, value);
    } else if (value) {
        check_value(v, r, criteria, value, "Parameter validation failed: ");
    } else if (yyjson_is_true(json_get(p, "required"))) {
        problem(v, "ParameterValueInvalidError", "Required parameter %.*s", STR_ARG(where(v, r)));
    }
}

static int by_text(const void *a, const void *b)
{
    return str_cmp(*(const str *)a, *(const str *)b);
}

static void check_unknown(struct validation *v, const struct rule *r)
{
    yyjson_val *given, *p, *parameters = json_get(r->trigger, "parameters");
    size_t i, n, known = 0;
    str names[64];
    bool strange = false;
    yyjson_arr_foreach(json_get(r->json, "params"), i, n, given)
    {
        str name = json_str(given, "name");
        strange |= !named(parameters, name) &&
                   !(is_alias(name, STR("user_names")) && named(parameters, STR("user_names"))) &&
                   !(is_alias(name, STR("user_ids")) && named(parameters, STR("user_ids")));
    }
    if (!strange)
        return;
    yyjson_arr_foreach(parameters, i, n, p)
    {
        if (known < KE_ARRAY_LEN(names))
            names[known++] = json_str(p, "name");
    }
    qsort(names, known, sizeof *names, by_text);
    auto_buf b;
    buf_init(&b, TEXT_MAX);
    buf_add_char(&b, '[');
    for (i = 0; i < known; i++)
        add_name(&b, names[i]);
    problem(v, "InvalidParameterError",
            "Rule validation error (gate=%.*s,trigger=%.*s,rule_id=None,parameter=None,"
            "valid_parameters=%.*s])",
            STR_ARG(json_str(r->gate, "name")), STR_ARG(json_str(r->trigger, "name")),
            STR_ARG(buf_view(&b)));
}

static void check_rule(struct validation *v, yyjson_val *json)
{
    struct rule r = {
        .json = json,
        .gate_name = json_str(json, "gate"),
        .trigger_name = json_str(json, "trigger"),
        .id = json_str(json, "id"),
    };
    if (!r.id.n)
        r.id = STR("None");
    if (!yyjson_is_arr(json_get(json, "params"))) {
        problem(v, "PolicyError", "%s", none_type);
        return;
    }
    if (!(r.gate = named(v->spec, r.gate_name))) {
        gate_unknown(v, &r);
        return;
    }
    if (is_eol(r.gate)) {
        gate_ended(v, &r);
        return;
    }
    if (!(r.trigger = named(json_get(r.gate, "triggers"), r.trigger_name))) {
        trigger_unknown(v, &r);
        return;
    }
    yyjson_val *p;
    size_t i, n;
    yyjson_arr_foreach(json_get(r.trigger, "parameters"), i, n, p) check_parameter(v, &r, p);
    check_unknown(v, &r);
}

/* ---- policies and whitelists in use -----------------------------------------------------------
 */
static bool version_is_good(struct validation *v, yyjson_val *thing)
{
    str version = json_str(thing, "version");
    if (str_eq(version, STR("1_0")))
        return true;
    problem(v, "UnsupportedVersionError",
            "Found version %.*s, expected one of supported versions ['1_0']."
            " Detail:\"Version not supported\" (supported_versions=['1_0'],found_version=%.*s)",
            STR_ARG(version), STR_ARG(version));
    return false;
}

static void check_policy(struct validation *v, yyjson_val *policy)
{
    yyjson_val *rules = json_get(policy, "rules"), *rule;
    size_t i, n;
    if (!version_is_good(v, policy))
        return;
    if (!yyjson_is_arr(rules)) {
        problem(v, "TypeError", "%s", none_type);
        return;
    }
    yyjson_arr_foreach(rules, i, n, rule) check_rule(v, rule);
}

/* The schema has checked the rest of the form. */
static void check_whitelist(struct validation *v, yyjson_val *whitelist)
{
    yyjson_val *items = json_get(whitelist, "items"), *item;
    size_t i, n;
    if (!version_is_good(v, whitelist))
        return;
    if (!yyjson_is_arr(items)) {
        problem(v, "TypeError", "%s", none_type);
        return;
    }
    yyjson_arr_foreach(items, i, n, item)
    {
        str until = json_str(item, "expires_on");
        if (until.n && !str_ends(until, STR("Z")))
            problem(v, "Exception",
                    "could not convert input value (%.*s) into datetime using formats in"
                    " ['%%Y-%%m-%%dT%%H:%%M:%%SZ', '%%Y-%%m-%%dT%%H:%%M:%%S.%%fZ',"
                    " '%%Y-%%m-%%dT%%H:%%M:%%S:%%fZ']",
                    STR_ARG(until));
    }
}

struct part { /* what mappings refer to */
    const char *list, *word;
    void (*check)(struct validation *v, yyjson_val *thing);
};
static const struct part policies = {"policies", "policy", check_policy};
static const struct part whitelists = {"whitelists", "whitelist", check_whitelist};

static void check_reference(struct validation *v, const struct part *part, str id,
                            struct arena *seen_arena, struct map *seen)
{
    str key = arena_printf(seen_arena, "%s %.*s", part->word, STR_ARG(id));
    if (!key.p || map_get(seen, key))
        return;
    if (!map_put(seen, key, v)) {
        v->failed = err_no_memory(v->e);
        return;
    }
    yyjson_val *item, *found = NULL;
    size_t i, n, count = 0;
    yyjson_arr_foreach(json_get(v->bundle, part->list), i, n, item)
    {
        if (str_eq(json_str(item, "id"), id)) {
            found = item;
            count++;
        }
    }
    if (count == 1)
        part->check(v, found);
    else if (count == 0)
        problem(v, "ReferencedObjectNotFoundError",
                "Referenced object not found (reference_type=%s,reference_id=%.*s)", part->word,
                STR_ARG(id));
    else
        problem(v, "DuplicateIdentifierFoundError",
                "Object identifier found multiple times, not unique (identifier=%.*s,"
                "identifier_type=%s)",
                STR_ARG(id), part->word);
}

static void check_references(struct validation *v, const struct part *part, yyjson_val *ids,
                             struct arena *a, struct map *seen)
{
    yyjson_val *id;
    size_t i, n;
    yyjson_arr_foreach(ids, i, n, id) check_reference(v, part, json_text(id), a, seen);
}

static void check_mapping(struct validation *v, yyjson_val *m, struct arena *a, struct map *seen)
{
    yyjson_val *one = json_get(m, "policy_id"), *several = json_get(m, "policy_ids");
    if (yyjson_is_null(one))
        one = NULL;
    if (one && several) {
        problem(v, "ValidationError",
                "Cannot specify both policy_id and policy_ids properties in mapping rule, must use"
                " one or the other ()");
        return;
    }
    if (!one && !several) {
        auto_buf repr;
        buf_init(&repr, TEXT_MAX);
        schema_repr(m, &repr);
        problem(v, "ValidationError",
                "No policy_id or policy_ids property found for mapping rule: %.*s ()",
                STR_ARG(buf_view(&repr)));
        return;
    }
    if (!yyjson_is_arr(json_get(m, "whitelist_ids"))) {
        problem(v, "TypeError", "%s", none_type);
        return;
    }
    if (one)
        check_reference(v, &policies, json_text(one), a, seen);
    else
        check_references(v, &policies, several, a, seen);
    check_references(v, &whitelists, json_get(m, "whitelist_ids"), a, seen);
}

static void check_bundle(struct validation *v)
{
    if (!version_is_good(v, v->bundle))
        return;
    struct arena a;
    struct map seen;
    arena_init(&a, (size_t)16 << 20);
    map_init(&seen);
    yyjson_val *m;
    size_t i, n;
    yyjson_arr_foreach(json_get(v->bundle, "mappings"), i, n, m)
    {
        if (v->failed == 0)
            check_mapping(v, m, &a, &seen);
    }
    map_done(&seen);
    arena_done(&a);
}

int bundle_validate(yyjson_val *bundle, struct arena *a, struct bundle_problems *out, struct err *e)
{
    *out = (struct bundle_problems){.arena = a, .room = PROBLEMS_MAX};
    if (!(out->list = arena_calloc(a, PROBLEMS_MAX, sizeof *out->list)))
        return err_no_memory(e);
    auto_json *spec = NULL;
    int rc = json_parse((str){policy_spec_json, policy_spec_json_size},
                        "the specification of policies", &spec, e);
    if (rc < 0)
        return rc;
    struct validation v = {.bundle = bundle, .spec = yyjson_doc_get_root(spec), .out = out, .e = e};
    rc = schema_set_new(v.spec, &v.schemas, e);
    if (rc < 0)
        return rc;
    check_bundle(&v);
    schema_set_free(v.schemas);
    return v.failed < 0 ? v.failed : (int)out->n;
}
