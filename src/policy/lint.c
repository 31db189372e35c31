#include "policy/bundle_internal.h"
#include "policy/problems.h"

#include <stdlib.h>

enum { COMPARED_MAX = 1000 /* mappings, each with each */, SPELLED_MAX = 256 };

/* What lint looks at: a compiled bundle, so that expressions are compiled as evaluations do it. */
struct lint {
    const struct policy_bundle *b;
    struct policy_problems *out;
    int64_t now_us;
    bool failed;
};

#define warn(l, type, ...)                                                                         \
    do {                                                                                           \
        if (!problems_addf((l)->out, "warn", type, __VA_ARGS__))                                   \
            (l)->failed = true;                                                                    \
    } while (0)

/* ---- rules ------------------------------------------------------------------------------------
 */
static void lint_policies(struct lint *l)
{
    for (size_t i = 0; i < l->b->n_policies; i++) {
        const struct compiled_policy *p = l->b->policies[i];
        for (size_t k = 0; k < p->n; k++) {
            const struct compiled_rule *r = &p->rules[k];
            if (r->broken)
                warn(l, "RuleCannotBeJudged", "%s (policy=%.*s,gate=%s,trigger=%s,rule_id=%.*s)",
                     r->broken, STR_ARG(p->id), r->gate->name, r->trigger->name,
                     STR_ARG(r->params.rule_id));
        }
    }
}

static void lint_rule_ids(struct lint *l, const struct compiled_policy *p)
{
    struct map seen;
    map_init(&seen);
    for (size_t k = 0; k < p->n; k++) {
        void **slot = p->rules[k].id.p ? map_slot(&seen, p->rules[k].id) : NULL;
        if (slot && *slot)
            warn(l, "DuplicateRuleId",
                 "two rules of one policy have the same id (policy=%.*s,"
                 "rule_id=%.*s)",
                 STR_ARG(p->id), STR_ARG(p->rules[k].id));
        if (slot)
            *slot = (void *)p;
    }
    map_done(&seen);
}

/* ---- parts ------------------------------------------------------------------------------------
 */
/* Policies and allowlists of an id that mappings name are checked; the others are only mentioned.
 */
static void lint_unused(struct lint *l, yyjson_val *list, const char *word, struct map *used)
{
    yyjson_val *item;
    size_t i, n;
    yyjson_arr_foreach(list, i, n, item)
    {
        str id = json_str(item, "id");
        if (!map_get(used, id))
            warn(l, "UnusedPart", "no mapping uses this %s (id=%.*s)", word, STR_ARG(id));
    }
}

static bool use(struct map *used, yyjson_val *ids)
{
    yyjson_val *id;
    size_t i, n;
    bool ok = true;
    if (yyjson_is_str(ids))
        return map_put(used, json_text(ids), used);
    yyjson_arr_foreach(ids, i, n, id) ok = ok && map_put(used, json_text(id), used);
    return ok;
}

static void lint_parts(struct lint *l, yyjson_val *root)
{
    struct map policies, lists;
    yyjson_val *m;
    size_t i, n;
    map_init(&policies);
    map_init(&lists);
    if (!yyjson_arr_size(json_get(root, "mappings")))
        warn(l, "JudgesNothing", "the bundle has no mapping: no image is judged by a rule");
    yyjson_arr_foreach(json_get(root, "mappings"), i, n, m)
    {
        if (!json_get(m, "policy_id") && !yyjson_arr_size(json_get(m, "policy_ids")))
            warn(l, "JudgesNothing", "mappings.%zu names no policy: what it matches passes", i);
        if (!use(&policies, json_get(m, "policy_id")) ||
            !use(&policies, json_get(m, "policy_ids")) ||
            !use(&lists, bundle_member(m, "whitelist_ids", "allowlist_ids")))
            l->failed = true;
    }
    lint_unused(l, json_get(root, "policies"), "policy", &policies);
    lint_unused(l, bundle_member(root, "whitelists", "allowlists"), "allowlist", &lists);
    map_done(&policies);
    map_done(&lists);
}

/* ---- mappings ---------------------------------------------------------------------------------
 */
static bool matches_all(const struct pattern *p)
{
    return p->parts && p->n_parts == 2 && !p->parts[0].n && !p->parts[1].n;
}

static bool same_pattern(const struct pattern *general, const struct pattern *p)
{
    return matches_all(general) || str_eq(general->text, p->text);
}

static bool hides(const struct selector *a, const struct selector *b)
{
    if (!same_pattern(&a->registry, &b->registry) || !same_pattern(&a->repository, &b->repository))
        return false;
    if (a->by == BY_TAG)
        return matches_all(&a->tag) || (b->by == BY_TAG && str_eq(a->value, b->value));
    return a->by == b->by && str_eq(a->value, b->value);
}

static bool selects(const struct selector *s, str registry, str repository)
{
    struct err ignored;
    return pattern_match(&s->registry, registry, &ignored) == 1 &&
           pattern_match(&s->repository, repository, &ignored) == 1;
}

/* An image of the default registry whose name is one word is added with "library/" or without it:
 * what one mapping names must not pass unjudged under the other name. */
static void lint_spelling(struct lint *l, size_t i)
{
    static const str registry = STR_INIT("docker.io"), directory = STR_INIT("library/");
    const struct selector *s = &l->b->mappings[i].select;
    str name = s->repository.text;
    char other[SPELLED_MAX];
    bool full = str_starts(name, directory);
    str word = full ? str_from(name, directory.n) : name;
    if (!full && !str_eq(s->registry.text, registry))
        return; /* of any registry: a name of one word means more than the default one's */
    if (s->by != BY_TAG || s->repository.n_parts != 1 || !word.n || str_index(word, '/') >= 0 ||
        word.n + directory.n >= sizeof other || !selects(s, registry, name))
        return;
    snprintf(other, sizeof other, "%s%.*s", full ? "" : directory.p, STR_ARG(word));
    for (size_t k = 0; k < l->b->n_mappings; k++)
        if (selects(&l->b->mappings[k].select, registry, str_z(other)))
            return;
    warn(l, "UnmatchedSpelling",
         "no mapping matches docker.io/%s, which is another name of what mappings.%zu is about",
         other, i);
}

static void lint_mappings(struct lint *l)
{
    for (size_t i = 0; i < l->b->n_mappings; i++) {
        const struct selector *s = &l->b->mappings[i].select;
        if (pattern_broken(&s->registry) || pattern_broken(&s->repository) ||
            (s->by == BY_TAG && pattern_broken(&s->tag)))
            warn(l, "BrokenPattern", "a pattern of mappings.%zu is no expression", i);
        if (i < COMPARED_MAX)
            lint_spelling(l, i);
        for (size_t k = 0; i < COMPARED_MAX && k < i; k++) {
            if (hides(&l->b->mappings[k].select, s)) {
                warn(l, "HiddenMapping",
                     "mappings.%zu is never used: mappings.%zu matches before"
                     " it",
                     i, k);
                break;
            }
        }
    }
}

/* ---- allowlists -------------------------------------------------------------------------------
 */
static void lint_item(struct lint *l, const struct compiled_list *list,
                      const struct allow_item *item)
{
    str id = json_str(item->json, "id");
    bool good = true;
    if (!id.n)
        id = STR("None");
    if (item->expires_us <= l->now_us)
        warn(l, "AllowlistItemExpired",
             "an allowlist item has expired (whitelist_id=%.*s,"
             "item_id=%.*s)",
             STR_ARG(list->id), STR_ARG(id));
    if (item->gate.n && !gate_find(item->gate))
        warn(l, "AllowlistItemUseless",
             "there is no gate \"%.*s\" (whitelist_id=%.*s,"
             "item_id=%.*s)",
             STR_ARG(item->gate), STR_ARG(list->id), STR_ARG(id));
    if (pattern_broken(&item->trigger_id) || (item->has_package && pattern_broken(&item->package)))
        warn(l, "BrokenPattern", "a pattern is no expression (whitelist_id=%.*s,item_id=%.*s)",
             STR_ARG(list->id), STR_ARG(id));
    if (item->version.n)
        version_within(item->version, STR(""), STR(""), STR(""), &good);
    if (!good)
        warn(l, "AllowlistItemUseless",
             "\"%.*s\" is no constraint of versions (whitelist_id=%.*s,"
             "item_id=%.*s)",
             STR_ARG(item->version), STR_ARG(list->id), STR_ARG(id));
}

static void lint_lists(struct lint *l)
{
    for (size_t i = 0; i < l->b->n_lists; i++) {
        const struct allow_item *items;
        size_t n = l->b->lists[i]->list ? allowlist_items(l->b->lists[i]->list, &items) : 0;
        for (size_t k = 0; k < n; k++)
            lint_item(l, l->b->lists[i], &items[k]);
    }
}

int policy_lint(yyjson_val *bundle, int64_t now_us, struct arena *a, struct policy_problems *out,
                struct err *e)
{
    struct policy_bundle *b = NULL;
    size_t size;
    int rc = policy_validate(bundle, a, out, e);
    if (rc < 0)
        return rc;
    char *text = yyjson_val_write(bundle, 0, &size);
    if (!text)
        return err_no_memory(e);
    rc = policy_bundle_new((str){text, size}, &b, e);
    free(text);
    if (rc < 0)
        return rc;
    struct lint l = {.b = b, .out = out, .now_us = now_us};
    lint_policies(&l);
    for (size_t i = 0; i < b->n_policies; i++)
        lint_rule_ids(&l, b->policies[i]);
    lint_parts(&l, policy_bundle_json(b));
    lint_mappings(&l);
    lint_lists(&l);
    l.failed |= !lint_members(policy_bundle_json(b), out);
    policy_bundle_free(b);
    return l.failed ? err_no_memory(e) : (int)out->total;
}
