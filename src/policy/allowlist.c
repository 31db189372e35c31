#include "policy/allowlist.h"

#include "policy/problems.h"

#include <stdlib.h>

enum { ITEMS_MAX = 1000000, KEY_MAX = 256, FAILURES_MAX = 64 };

/* Literal beginnings (or ends) of patterns, with the lengths that occur. */
struct affix_index {
    struct map heads;
    size_t *lengths, n;
};

/* The items of one gate. Each stands in exactly one of the indexes, or in the rest. */
struct gate_items {
    struct map exact, vulnerability, package; /* text -> head of a chain of items */
    struct affix_index prefix, suffix;
    struct allow_item *rest;
};

struct allowlist {
    struct allow_item *items;
    size_t n;
    struct map gates;        /* lower-case name -> struct gate_items; "": any gate */
    struct gate_items **all; /* for release */
    size_t n_all;
};

static bool fold(str s, char out[KEY_MAX], str *folded)
{
    if (s.n > KEY_MAX)
        return false;
    for (size_t i = 0; i < s.n; i++)
        out[i] = ke_tolower(s.p[i]);
    *folded = (str){out, s.n};
    return true;
}

/* ---- indexing ----------------------------------------------------------------------------------
 */
/* An item that can never be the first to match is left out of its chain. */
static bool hidden(const struct allow_item *head, const struct allow_item *item)
{
    return !item->extended && !head->last->extended && head->last->trigger_id.n_parts == 1 &&
           item->trigger_id.n_parts == 1 && head->last->expires_us >= item->expires_us;
}

static bool chain(struct map *m, str key, struct allow_item *item)
{
    void **slot = map_slot(m, key);
    if (!slot)
        return false;
    struct allow_item *head = *slot;
    item->last = item;
    if (!head) {
        *slot = item;
    } else if (!hidden(head, item)) {
        head->last->next = item;
        head->last = item;
    }
    return true;
}

static bool index_affix(struct affix_index *x, str key, struct allow_item *item, struct arena *a)
{
    size_t i = 0;
    while (i < x->n && x->lengths[i] != key.n)
        i++;
    if (i == x->n) {
        if ((x->n & (x->n - 1)) == 0) {
            size_t *more = arena_calloc(a, x->n ? 2 * x->n : 1, sizeof *more);
            if (!more)
                return false;
            if (x->n)
                memcpy(more, x->lengths, x->n * sizeof *more);
            x->lengths = more;
        }
        x->lengths[x->n++] = key.n;
    }
    return chain(&x->heads, key, item);
}

static bool index_item(struct gate_items *g, struct allow_item *item, struct arena *a)
{
    const struct pattern *p = &item->trigger_id, *package = &item->package;
    char text[KEY_MAX];
    str folded;
    if (item->vulnerability_id.n && fold(item->vulnerability_id, text, &folded)) {
        str key = arena_dup(a, folded);
        return key.p && chain(&g->vulnerability, key, item);
    }
    if (item->has_package && package->parts && package->n_parts == 1)
        return chain(&g->package, package->parts[0], item);
    if (p->parts && p->n_parts == 1)
        return chain(&g->exact, p->parts[0], item);
    if (p->parts && p->parts[0].n)
        return index_affix(&g->prefix, p->parts[0], item, a);
    if (p->parts && p->parts[p->n_parts - 1].n)
        return index_affix(&g->suffix, p->parts[p->n_parts - 1], item, a);
    struct allow_item *head = g->rest;
    item->last = item;
    if (!head)
        g->rest = item;
    else
        head->last->next = item;
    g->rest->last = item;
    return true;
}

static struct gate_items *items_of_gate(struct allowlist *l, str gate, struct arena *a)
{
    char text[KEY_MAX];
    str folded;
    if (!fold(gate, text, &folded))
        folded = gate; /* no gate has such a name */
    struct gate_items *g = map_get(&l->gates, folded);
    if (g)
        return g;
    str key = arena_dup(a, folded);
    g = arena_new(a, struct gate_items);
    if (!key.p || !g || !map_put(&l->gates, key, g))
        return NULL;
    struct map *maps[] = {&g->exact, &g->vulnerability, &g->package, &g->prefix.heads,
                          &g->suffix.heads};
    for (size_t i = 0; i < KE_ARRAY_LEN(maps); i++)
        map_init(maps[i]);
    l->all[l->n_all++] = g;
    return g;
}

/* ---- reading ----------------------------------------------------------------------------------
 */
static bool read_item(struct checker *c, yyjson_val *json, struct allow_item *item)
{
    str package = json_str(json, "package"), id = json_str(json, "trigger_id");
    item->json = json;
    item->gate = json_str(json, "gate");
    item->vulnerability_id = json_str(json, "vulnerability_id");
    item->version = json_str(json, "version");
    item->purl = json_str(json, "purl");
    item->path = json_str(json, "path");
    item->has_package = package.n > 0;
    item->extended =
        item->vulnerability_id.n || item->version.n || item->purl.n || item->path.n || package.n;
    if (item->extended && !id.n)
        id = STR("*");
    int rc = pattern_compile(id, c->a, &item->trigger_id, c->e);
    if (rc == 0 && item->has_package)
        rc = pattern_compile(package, c->a, &item->package, c->e);
    if (rc < 0)
        c->failed = rc;
    return rc == 0;
}

static bool read_items(struct checker *c, struct allowlist *l, yyjson_val *items,
                       uint32_t *next_index)
{
    yyjson_val *json;
    size_t i, n;
    yyjson_arr_foreach(items, i, n, json)
    {
        struct allow_item *item = &l->items[l->n++];
        item->order = (uint32_t)i;
        item->index = (*next_index)++;
        bool dated = check_item(c, json, &item->expires_us);
        if (c->failed || !read_item(c, json, item))
            return false;
        if (!dated || (!item->gate.n && !item->extended))
            continue; /* names no gate: matches nothing */
        struct gate_items *g = items_of_gate(l, item->gate, c->a);
        if (!g || !index_item(g, item, c->a)) {
            c->failed = err_no_memory(c->e);
            return false;
        }
    }
    return true;
}

struct allowlist *allowlist_new(struct checker *c, yyjson_val *json, uint32_t *next_index)
{
    yyjson_val *items = check_allowlist(c, json);
    size_t n = yyjson_arr_size(items);
    struct allowlist *l = items ? calloc(1, sizeof *l) : NULL;
    if (!items)
        return NULL;
    if (n > ITEMS_MAX) {
        c->failed = err_set(c->e, ERR_LIMIT, "an allowlist has more than %d items", ITEMS_MAX);
        free(l);
        return NULL;
    }
    if (l) {
        map_init(&l->gates);
        l->items = arena_calloc(c->a, n + 1, sizeof *l->items);
        l->all = arena_calloc(c->a, n + 1, sizeof *l->all);
    }
    if (!l || !l->items || !l->all) {
        c->failed = err_no_memory(c->e);
    } else if (read_items(c, l, items, next_index)) {
        return l;
    }
    allowlist_free(l);
    return NULL;
}

void allowlist_free(struct allowlist *l)
{
    if (!l)
        return;
    for (size_t i = 0; i < l->n_all; i++) {
        struct gate_items *g = l->all[i];
        map_done(&g->exact);
        map_done(&g->vulnerability);
        map_done(&g->package);
        map_done(&g->prefix.heads);
        map_done(&g->suffix.heads);
    }
    for (size_t i = 0; i < l->n; i++) {
        pattern_done(&l->items[i].trigger_id);
        pattern_done(&l->items[i].package);
    }
    map_done(&l->gates);
    free(l);
}

size_t allowlist_items(const struct allowlist *l, const struct allow_item **out)
{
    *out = l->items;
    return l->n;
}

/* ---- looking up -------------------------------------------------------------------------------
 */
static bool pattern_holds(const struct pattern *p, str text, const struct allow_query *q)
{
    if (p->regex && (*q->failures >= FAILURES_MAX || spending_over(q->spending)))
        return false;
    int rc = pattern_match(p, text, NULL);
    if (rc == ERR_LIMIT)
        ++*q->failures;
    return rc == 1;
}

static bool is_vulnerability(str id, const struct policy_finding *f)
{
    bool same = f && str_eq_nocase(id, f->id);
    for (size_t i = 0; f && !same && i < f->n_aliases; i++)
        same = str_eq_nocase(id, f->aliases[i]);
    return same;
}

static str package_name(const struct allow_query *q)
{
    return q->finding ? q->finding->name : q->package ? q->package->name : (str){0};
}

static bool versions_hold(str constraint, const struct allow_query *q)
{
    bool good;
    const struct policy_package *p = q->package;
    if (p && p->full_version.n)
        return version_within(constraint, p->scheme, p->version, p->full_version, &good);
    return q->finding && version_within(constraint, p ? p->scheme : (str){0}, (str){0},
                                        q->finding->version, &good);
}

static bool extension_holds(const struct allow_item *item, const struct allow_query *q)
{
    str name = package_name(q);
    if (item->vulnerability_id.n && !is_vulnerability(item->vulnerability_id, q->finding))
        return false;
    if (item->has_package && !(name.n && pattern_holds(&item->package, name, q)))
        return false;
    if (item->version.n && !versions_hold(item->version, q))
        return false;
    if (item->purl.n &&
        !(q->package && q->package->purl.n && purl_covers(item->purl, q->package->purl)))
        return false;
    return !item->path.n || (q->path.n && path_matches(item->path, q->path));
}

static void try_chain(const struct allow_item *item, const struct allow_query *q,
                      const struct allow_item **best)
{
    for (; item; item = item->next) {
        if (*best && (*best)->order <= item->order)
            return;
        if (item->expires_us > q->now_us && pattern_holds(&item->trigger_id, q->trigger_id, q) &&
            (!item->extended || extension_holds(item, q))) {
            *best = item;
            return;
        }
    }
}

static void try_affixes(const struct affix_index *x, bool at_end, str id,
                        const struct allow_query *q, const struct allow_item **best)
{
    for (size_t i = 0; i < x->n; i++) {
        size_t n = x->lengths[i];
        if (n <= id.n)
            try_chain(map_get(&x->heads, at_end ? str_from(id, id.n - n) : str_sub(id, 0, n)), q,
                      best);
    }
}

static void try_vulnerability(const struct map *m, str id, const struct allow_query *q,
                              const struct allow_item **best)
{
    char text[KEY_MAX];
    str key;
    if (fold(id, text, &key))
        try_chain(map_get(m, key), q, best);
}

static void try_gate(const struct gate_items *g, const struct allow_query *q,
                     const struct allow_item **best)
{
    str id = q->trigger_id;
    bool line = str_ends(id, STR("\n"));
    try_chain(map_get(&g->exact, id), q, best);
    if (line)
        try_chain(map_get(&g->exact, str_sub(id, 0, id.n - 1)), q, best);
    try_affixes(&g->prefix, false, id, q, best);
    try_affixes(&g->suffix, true, id, q, best);
    if (line)
        try_affixes(&g->suffix, true, str_sub(id, 0, id.n - 1), q, best);
    if (q->finding && g->vulnerability.n) {
        try_vulnerability(&g->vulnerability, q->finding->id, q, best);
        for (size_t i = 0; i < q->finding->n_aliases; i++)
            try_vulnerability(&g->vulnerability, q->finding->aliases[i], q, best);
    }
    if (g->package.n && package_name(q).n)
        try_chain(map_get(&g->package, package_name(q)), q, best);
    try_chain(g->rest, q, best);
}

const struct allow_item *allowlist_find(const struct allowlist *l, const struct allow_query *q)
{
    const struct allow_item *best = NULL;
    const struct gate_items *named = map_get(&l->gates, str_z(q->gate));
    const struct gate_items *any = map_get(&l->gates, STR(""));
    if (named)
        try_gate(named, q, &best);
    if (any)
        try_gate(any, q, &best);
    return best;
}
