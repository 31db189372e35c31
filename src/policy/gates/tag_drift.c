#include "policy/gates/gates.h"

#include <stdlib.h>

enum { DRIFT_TYPE };
static const struct gate_param drift_params[] = {
    {.name = "package_type",
     .type = PARAM_STRING,
     .example = "npm",
     .description = "Look only at packages of this type."},
    {NULL},
};

enum drift { DRIFT_ADDED, DRIFT_REMOVED, DRIFT_MODIFIED };

struct drift_item { /* a package, at each of its places */
    const struct policy_package **at;
    size_t n;
};
struct drift_list { /* in order of type, name and version */
    struct drift_item *items;
    size_t n;
};

static int name_order(const struct policy_package *a, const struct policy_package *b)
{
    int c = str_cmp(a->type, b->type);
    return c ? c : str_cmp(a->name, b->name);
}
static int package_order(const void *a, const void *b)
{
    const struct policy_package *x = *(const struct policy_package *const *)a;
    const struct policy_package *y = *(const struct policy_package *const *)b;
    int c = name_order(x, y);
    return c ? c : str_cmp(x->full_version, y->full_version);
}

static int list_of(struct firing *f, const struct policy_package *packages, size_t n,
                   struct drift_list *out, struct err *e)
{
    const struct rule_value *type = &gate_params(f)->values[DRIFT_TYPE];
    size_t kept = 0;
    const struct policy_package **all = arena_calloc(gate_arena(f), n + 1, sizeof *all);
    out->items = arena_calloc(gate_arena(f), n + 1, sizeof *out->items);
    if (!all || !out->items)
        return err_no_memory(e);
    for (size_t i = 0; i < n; i++)
        if (!type->set || str_eq_nocase(type->text, packages[i].type))
            all[kept++] = &packages[i];
    qsort(all, kept, sizeof *all, package_order);
    out->n = 0;
    for (size_t i = 0; i < kept; i++) {
        if (!i || package_order(&all[i], &all[i - 1]))
            out->items[out->n++].at = &all[i];
        out->items[out->n - 1].n++;
    }
    return 0;
}

/* The packages of one name from i on. */
static size_t run_of(const struct drift_list *l, size_t i)
{
    size_t end = i;
    while (end < l->n && name_order(l->items[end].at[0], l->items[i].at[0]) == 0)
        end++;
    return end;
}

static str versions_of(struct arena *a, const struct drift_list *l, size_t from, size_t to)
{
    auto_buf b;
    buf_init(&b, 1 << 20);
    for (size_t i = from; i < to; i++)
        buf_addf(&b, "%s%.*s", i > from ? ", " : "", GATE_ARG(l->items[i].at[0]->full_version));
    return arena_dup(a, buf_view(&b));
}

static bool same_versions(const struct drift_list *x, size_t i, size_t i_end,
                          const struct drift_list *y, size_t k, size_t k_end)
{
    if (i_end - i != k_end - k)
        return false;
    for (; i < i_end; i++, k++)
        if (!str_eq(x->items[i].at[0]->full_version, y->items[k].at[0]->full_version))
            return false;
    return true;
}

/* The package's name and type; told once, whatever the number of places (TRIGGER_ONCE). */
static void drift_row(struct firing *f, enum drift kind, const struct policy_package *p, str was,
                      str is)
{
    if (kind == DRIFT_MODIFIED)
        gate_fire(f, GATE_NO_ID,
                  "Package %.*s (%.*s) is modified against the tag's image before: %.*s, was %.*s",
                  GATE_ARG(p->name), GATE_ARG(p->type), GATE_ARG(is), GATE_ARG(was));
    else
        gate_fire(f, GATE_NO_ID, "Package %.*s (%.*s) is %s against the tag's image before: %.*s",
                  GATE_ARG(p->name), GATE_ARG(p->type), kind == DRIFT_ADDED ? "added" : "removed",
                  GATE_ARG(kind == DRIFT_ADDED ? is : was));
}

/* `n` items of one name: a row about several versions is about a name only. */
static void drift_rows(struct firing *f, enum drift kind, const struct drift_item *items, size_t n,
                       str was, str is)
{
    const struct policy_package *p = items[0].at[0];
    const struct policy_package named = {.name = p->name, .type = p->type};
    for (size_t i = 0; i < (n > 1 ? 1 : items[0].n); i++) {
        gate_about(f, NULL, n > 1 ? &named : items[0].at[i],
                   n > 1 ? (str){0} : items[0].at[i]->location);
        drift_row(f, kind, p, was, is);
    }
}

static int drift(struct firing *f, enum drift wanted, struct err *e)
{
    const struct policy_subject *s = gate_subject(f);
    struct drift_list was, is;
    if (!s->lineage->has_before)
        return 0;
    int rc = list_of(f, s->lineage->before, s->lineage->n_before, &was, e);
    if (!rc)
        rc = list_of(f, s->image->packages, s->image->n_packages, &is, e);
    for (size_t i = 0, k = 0; !rc && (i < was.n || k < is.n);) {
        int order = i == was.n  ? 1
                    : k == is.n ? -1
                                : name_order(was.items[i].at[0], is.items[k].at[0]);
        size_t i_end = order <= 0 ? run_of(&was, i) : i, k_end = order >= 0 ? run_of(&is, k) : k;
        enum drift kind = order < 0 ? DRIFT_REMOVED : order > 0 ? DRIFT_ADDED : DRIFT_MODIFIED;
        if (kind == wanted && (order || !same_versions(&was, i, i_end, &is, k, k_end)))
            drift_rows(f, kind, order < 0 ? &was.items[i] : &is.items[k],
                       order < 0 ? i_end - i : k_end - k,
                       versions_of(gate_arena(f), &was, i, i_end),
                       versions_of(gate_arena(f), &is, k, k_end));
        i = i_end;
        k = k_end;
    }
    return rc;
}

static int added(struct firing *f, void *state, struct err *e)
{
    return drift(f, DRIFT_ADDED, e);
}
static int removed(struct firing *f, void *state, struct err *e)
{
    return drift(f, DRIFT_REMOVED, e);
}
static int modified(struct firing *f, void *state, struct err *e)
{
    return drift(f, DRIFT_MODIFIED, e);
}

static const struct gate_trigger triggers[] = {
    {.name = "packages_added",
     .description = "Fires for packages that the tag's image before this one did not have.",
     .params = drift_params,
     .needs = PART_PACKAGES | PART_HISTORY,
     .flags = TRIGGER_OWN | TRIGGER_ONCE,
     .fire = added},
    {.name = "packages_removed",
     .description = "Fires for packages that only the tag's image before this one had.",
     .params = drift_params,
     .needs = PART_PACKAGES | PART_HISTORY,
     .flags = TRIGGER_OWN | TRIGGER_ONCE,
     .fire = removed},
    {.name = "packages_modified",
     .description =
         "Fires for packages of another version than in the tag's image before this one.",
     .params = drift_params,
     .needs = PART_PACKAGES | PART_HISTORY,
     .flags = TRIGGER_OWN | TRIGGER_ONCE,
     .fire = modified},
    {NULL},
};

const struct gate gate_tag_drift = {
    .name = "tag_drift",
    .description = "Compares the image's packages with those of the image that its tag named "
                   "before. Where the tag named none, nothing has drifted.",
    .own = true,
    .triggers = triggers,
};
