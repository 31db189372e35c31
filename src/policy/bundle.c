#include "policy/bundle_internal.h"

#include "policy/params.h"
#include "policy/problems.h"

#include <stdlib.h>

enum { MAPPING_LISTS_MAX = 1000 };

struct compile {
    struct policy_bundle *b;
    struct checker c;
    struct part_index policies, lists;
};

/* Room for one more in an array that is full exactly when n is 0 or a power of two. */
static bool make_room(struct arena *a, void *list, size_t n)
{
    void **old = *(void ***)list, **grown;
    if (n & (n - 1))
        return true;
    if (!(grown = arena_calloc(a, n ? 2 * n : 1, sizeof *grown)))
        return false;
    if (n)
        memcpy(grown, old, n * sizeof *grown);
    *(void ***)list = grown;
    return true;
}

static bool out_of_memory(struct compile *x)
{
    if (!x->c.failed)
        x->c.failed = err_no_memory(x->c.e);
    return false;
}

/* ---- rules ------------------------------------------------------------------------------------
 */
/* A value or an expression that makes no sense is no error of the bundle: the rule can't be judged.
 */
static bool broken(struct compile *x, struct compiled_rule *r, const struct err *why)
{
    if (why->code == ERR_NO_MEMORY)
        return out_of_memory(x);
    str text = arena_dup(x->c.a, str_z(why->text));
    r->broken = text.p;
    return text.p || out_of_memory(x);
}

static bool compile_rule(struct compile *x, const struct checked_rule *from, yyjson_val *json,
                         struct compiled_rule *r)
{
    size_t n = params_count(from->trigger);
    struct rule_value *values = arena_calloc(x->c.a, n + 1, sizeof *values);
    struct err why = {0};
    str id = json_str(json, "id");
    *r = (struct compiled_rule){.gate = from->gate,
                                .trigger = from->trigger,
                                .action = from->action,
                                .id = id.n ? id : (str){0},
                                .order = r->order,
                                .group = r->group};
    r->params = (struct rule_params){values, from->id};
    if (!values)
        return out_of_memory(x);
    for (size_t i = 0; i < n; i++)
        if (param_convert(&from->trigger->params[i], from->given[i], x->c.a, &values[i], &why) < 0)
            return broken(x, r, &why);
    x->b->needs |= from->trigger->needs;
    for (size_t i = 0; i < n; i++)
        x->b->needs |= values[i].flag ? from->trigger->params[i].needs : 0;
    if (from->trigger->prepare && from->trigger->prepare(&r->params, x->c.a, &r->state, &why) < 0) {
        r->state = NULL;
        return broken(x, r, &why);
    }
    return true;
}

static int by_group(const void *a, const void *b)
{
    const struct compiled_rule *x = a, *y = b;
    if (x->group != y->group)
        return x->group < y->group ? -1 : 1;
    return x->order < y->order ? -1 : x->order > y->order;
}

static size_t group_of(const struct gate **seen, size_t *n_seen, const struct gate *g)
{
    size_t i = 0;
    while (i < *n_seen && seen[i] != g)
        i++;
    if (i == *n_seen)
        seen[(*n_seen)++] = g;
    return i;
}

static bool compile_rules(struct compile *x, struct compiled_policy *p, yyjson_val *rules)
{
    size_t i, n, n_seen = 0, n_gates = 0;
    while (all_gates[n_gates])
        n_gates++;
    const struct gate **seen = arena_calloc(x->c.a, n_gates + 1, sizeof *seen);
    p->rules = arena_calloc(x->c.a, yyjson_arr_size(rules) + 1, sizeof *p->rules);
    if (!seen || !p->rules)
        return out_of_memory(x);
    yyjson_val *rule;
    yyjson_arr_foreach(rules, i, n, rule)
    {
        struct checked_rule checked;
        bool good = check_rule(&x->c, rule, &checked);
        if (x->c.failed)
            return false;
        if (!good || checked.ended)
            continue;
        struct compiled_rule *r = &p->rules[p->n];
        r->order = i;
        r->group = group_of(seen, &n_seen, checked.gate);
        p->n++;
        if (!compile_rule(x, &checked, rule, r))
            return false;
    }
    qsort(p->rules, p->n, sizeof *p->rules, by_group);
    return true;
}

static struct compiled_policy *compile_policy(struct compile *x, yyjson_val *json)
{
    struct policy_bundle *b = x->b;
    struct compiled_policy *p = arena_new(x->c.a, struct compiled_policy);
    if (!p || !make_room(x->c.a, &b->policies, b->n_policies)) {
        out_of_memory(x);
        return NULL;
    }
    b->policies[b->n_policies++] = p;
    p->json = json;
    p->id = json_str(json, "id");
    problems_init(&p->errors, x->c.a);
    problems_init(&p->notes, x->c.a);
    struct policy_problems *before = x->c.out;
    x->c.out = &p->errors;
    x->c.notes = &p->notes;
    yyjson_val *rules = check_policy(&x->c, json);
    bool good = !rules || compile_rules(x, p, rules);
    x->c.out = before;
    return good && !x->c.failed ? p : NULL;
}

static struct compiled_list *compile_list(struct compile *x, yyjson_val *json)
{
    struct policy_bundle *b = x->b;
    struct compiled_list *l = arena_new(x->c.a, struct compiled_list);
    if (!l || !make_room(x->c.a, &b->lists, b->n_lists)) {
        out_of_memory(x);
        return NULL;
    }
    b->lists[b->n_lists++] = l;
    l->id = json_str(json, "id");
    l->name = json_get(json, "name");
    problems_init(&l->errors, x->c.a);
    struct policy_problems *before = x->c.out;
    x->c.out = &l->errors;
    l->list = allowlist_new(&x->c, json, &b->n_items);
    x->c.out = before;
    const struct allow_item *items;
    for (size_t i = 0, n = l->list ? allowlist_items(l->list, &items) : 0; i < n; i++)
        if (items[i].version.n || items[i].purl.n)
            b->needs |= PART_PACKAGES; /* that is where schemes and purls stand */
    return x->c.failed ? NULL : l;
}

/* ---- mappings ---------------------------------------------------------------------------------
 */
static bool add_policy(struct compile *x, struct compiled_mapping *m, yyjson_val *id)
{
    bool good;
    struct part *p = part_refer(&x->c, &x->policies, id, false, &good);
    if (!p || !good)
        return p != NULL;
    if (!p->compiled && !(p->compiled = compile_policy(x, p->json)))
        return false;
    if (!make_room(x->c.a, &m->policies, m->n_policies))
        return out_of_memory(x);
    m->policies[m->n_policies++] = p->compiled;
    return true;
}

static bool add_list(struct compile *x, struct compiled_mapping *m, yyjson_val *id)
{
    bool good;
    struct part *p = part_refer(&x->c, &x->lists, id, false, &good);
    if (!p || !good)
        return p != NULL;
    struct compiled_list *l = p->compiled ? p->compiled : compile_list(x, p->json);
    if (!l)
        return false;
    p->compiled = l;
    if (l->last_mapping == m)
        return true; /* a second time it can't allow more */
    l->last_mapping = m;
    if (m->n_lists == MAPPING_LISTS_MAX)
        return problems_addf(&m->errors, "error", "PolicyError",
                             "a mapping names more than %d allowlists", MAPPING_LISTS_MAX) ||
               out_of_memory(x);
    if (!make_room(x->c.a, &m->lists, m->n_lists))
        return out_of_memory(x);
    m->lists[m->n_lists++] = l;
    return true;
}

static bool compile_mapping(struct compile *x, yyjson_val *json, struct compiled_mapping *m)
{
    struct mapping_refs refs;
    yyjson_val *id;
    size_t i, n;
    problems_init(&m->errors, x->c.a);
    x->c.out = &m->errors;
    int rc = selector_compile(json, x->c.a, &m->select, x->c.e);
    if (rc < 0)
        x->c.failed = rc;
    if (rc < 0 || !check_mapping(&x->c, json, &refs))
        return rc == 0;
    if (refs.one && !add_policy(x, m, refs.one))
        return false;
    yyjson_arr_foreach(refs.several, i, n, id)
    {
        if (!add_policy(x, m, id))
            return false;
    }
    yyjson_arr_foreach(refs.lists, i, n, id)
    {
        if (!add_list(x, m, id))
            return false;
    }
    return true;
}

static bool compile_mappings(struct compile *x, yyjson_val *list)
{
    struct policy_bundle *b = x->b;
    yyjson_val *json;
    size_t i, n;
    b->mappings = arena_calloc(x->c.a, yyjson_arr_size(list) + 1, sizeof *b->mappings);
    if (!b->mappings)
        return out_of_memory(x);
    yyjson_arr_foreach(list, i, n, json)
    {
        if (!compile_mapping(x, json, &b->mappings[b->n_mappings++]))
            return false;
    }
    return true;
}

static bool compile_images(struct compile *x, yyjson_val *list, struct selectors *out)
{
    yyjson_val *json;
    size_t i, n;
    out->items = arena_calloc(x->c.a, yyjson_arr_size(list) + 1, sizeof *out->items);
    if (!out->items)
        return out_of_memory(x);
    yyjson_arr_foreach(list, i, n, json)
    {
        int rc = selector_compile(json, x->c.a, &out->items[out->n++], x->c.e);
        if (rc < 0) {
            x->c.failed = rc;
            return false;
        }
    }
    return true;
}

/* ---- the bundle -------------------------------------------------------------------------------
 */
/* False: x->c.failed. */
static bool compile_parts(struct compile *x)
{
    yyjson_val *root = yyjson_doc_get_root(x->b->doc);
    yyjson_val *allowed = bundle_member(root, "whitelisted_images", "allowlisted_images");
    yyjson_val *denied = bundle_member(root, "blacklisted_images", "denylisted_images");
    bool ready = part_index_init(&x->policies, json_get(root, "policies"), "policy", x->c.a);
    ready &= part_index_init(&x->lists, bundle_member(root, "whitelists", "allowlists"),
                             "whitelist", x->c.a);
    if (!ready)
        return out_of_memory(x);
    x->b->id = json_str(root, "id");
    problems_init(&x->b->errors, x->c.a);
    x->c.out = &x->b->errors;
    check_options(&x->c, root, &x->b->options);
    if (!check_version(&x->c, root) || !check_shape(&x->c, root))
        return !x->c.failed;
    return compile_images(x, allowed, &x->b->allowed) && compile_images(x, denied, &x->b->denied) &&
           compile_mappings(x, json_get(root, "mappings"));
}

int policy_bundle_new(str json, struct policy_bundle **out, struct err *e)
{
    if (json.n > BUNDLE_BYTES_MAX)
        return err_set(e, ERR_LIMIT, "a bundle of %zu bytes is too large: at most %d", json.n,
                       BUNDLE_BYTES_MAX);
    struct policy_bundle *b = calloc(1, sizeof *b);
    if (!b)
        return err_no_memory(e);
    arena_init(&b->arena, BUNDLE_ARENA_MAX);
    int rc = json_parse(json, "the bundle", &b->doc, e);
    if (rc == 0 && !yyjson_is_obj(yyjson_doc_get_root(b->doc)))
        rc = err_set(e, ERR_FORMAT, "the bundle is no JSON object");
    struct compile x = {.b = b, .c = {.a = &b->arena, .lenient = true, .e = e}};
    if (rc == 0) {
        compile_parts(&x);
        rc = x.c.failed;
        if (rc == 0 && x.c.rules > BUNDLE_RULES_MAX)
            rc = err_set(e, ERR_LIMIT, "the bundle has more than %d rules", BUNDLE_RULES_MAX);
        part_index_done(&x.policies);
        part_index_done(&x.lists);
    }
    if (rc < 0) {
        policy_bundle_free(b);
        return rc;
    }
    *out = b;
    return 0;
}

static void free_policy(struct compiled_policy *p)
{
    for (size_t i = 0; i < p->n; i++)
        if (p->rules[i].state && p->rules[i].trigger->release)
            p->rules[i].trigger->release(p->rules[i].state);
}

void policy_bundle_free(struct policy_bundle *b)
{
    if (!b)
        return;
    for (size_t i = 0; i < b->n_policies; i++)
        free_policy(b->policies[i]);
    for (size_t i = 0; i < b->n_lists; i++)
        allowlist_free(b->lists[i]->list);
    for (size_t i = 0; i < b->n_mappings; i++)
        selector_done(&b->mappings[i].select);
    for (size_t i = 0; i < b->allowed.n; i++)
        selector_done(&b->allowed.items[i]);
    for (size_t i = 0; i < b->denied.n; i++)
        selector_done(&b->denied.items[i]);
    yyjson_doc_free(b->doc);
    arena_done(&b->arena);
    free(b);
}

yyjson_val *policy_bundle_json(const struct policy_bundle *b)
{
    return yyjson_doc_get_root(b->doc);
}

str policy_bundle_id(const struct policy_bundle *b)
{
    return b->id;
}

unsigned policy_bundle_needs(const struct policy_bundle *b)
{
    return b->needs;
}
