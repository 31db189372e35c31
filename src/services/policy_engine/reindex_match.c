/* reindex_match.c - distinct packages against the data, without any image. */
#include "services/policy_engine/reindex_internal.h"

#include "base/auto.h"
#include "match/finding.h"

static bool same_release(const struct release_info *a, const struct release_info *b)
{
    return str_eq(a->id, b->id) && str_eq(a->id_like, b->id_like) &&
           str_eq(a->version_id, b->version_id) && str_eq(a->codename, b->codename);
}

static int by_id(const void *a, const void *b)
{
    return str_cmp(((const struct remembered *)a)->id, ((const struct remembered *)b)->id);
}

static str join_fixes(const struct finding *f, struct arena *a)
{
    auto_buf text;
    buf_init(&text, 1 << 20);
    for (size_t i = 0; i < f->n_fix_versions; i++)
        buf_addf(&text, i ? ", %.*s" : "%.*s", STR_ARG(f->fix_versions[i]));
    return text.n && buf_ok(&text) ? arena_dup(a, buf_view(&text)) : STR("");
}

struct matching { /* packages that can stand in one inventory */
    struct inventory inv;
    struct inv_package *packages;
    struct candidate **of; /* NULL: an owner */
    size_t n, cap;
};

static void add(struct matching *m, const struct package *p, str owner, struct candidate *c)
{
    m->packages[m->n] = (struct inv_package){.p = *p, .owner = owner};
    m->of[m->n++] = c;
}

/* Findings go to their candidates. */
static int deal(struct matching *m, const struct findings *f, struct arena *a, struct err *e)
{
    for (size_t i = 0; i < f->n; i++) {
        struct candidate *c = m->of[f->items[i].package];
        if (c)
            c->n_now++;
    }
    for (size_t i = 0; i < m->n; i++)
        if (m->of[i]) {
            m->of[i]->now = arena_calloc(a, m->of[i]->n_now + 1, sizeof *m->of[i]->now);
            m->of[i]->n_now = 0;
            if (!m->of[i]->now)
                return err_no_memory(e);
        }
    for (size_t i = 0; i < f->n; i++) {
        const struct finding *x = &f->items[i];
        struct candidate *c = m->of[x->package];
        if (!c)
            continue;
        c->now[c->n_now++] = (struct remembered){.id = arena_dup(a, x->id),
                                                 .source = arena_dup(a, x->source),
                                                 .fix = join_fixes(x, a),
                                                 .severity = x->severity,
                                                 .fix_state = x->fix_state};
    }
    for (size_t i = 0; i < m->n; i++)
        if (m->of[i] && m->of[i]->n_now > 1)
            qsort(m->of[i]->now, m->of[i]->n_now, sizeof *m->of[i]->now, by_id);
    return a->full ? err_no_memory(e) : 0;
}

static int run(const struct vulndb *data, struct matching *m, struct arena *a, struct err *e)
{
    struct findings *f = NULL;
    if (!m->n)
        return 0;
    m->inv.packages = m->packages;
    m->inv.n_packages = m->n;
    int r = match_inventory(data, &m->inv, &f, e);
    if (r >= 0)
        r = deal(m, f, a, e);
    findings_free(f);
    m->n = 0;
    return r < 0 ? r : 0;
}

struct reading {
    struct package_identity id;
    struct candidate *c;
};

static int by_release(const void *pa, const void *pb)
{
    const struct reading *x = pa, *y = pb;
    const str a[] = {x->id.release.id, x->id.release.version_id, x->id.release.codename,
                     x->id.release.id_like, x->id.owner_name},
              b[] = {y->id.release.id, y->id.release.version_id, y->id.release.codename,
                     y->id.release.id_like, y->id.owner_name};
    int d = 0;
    for (size_t i = 0; i < KE_ARRAY_LEN(a) && !d; i++)
        d = str_cmp(a[i], b[i]);
    return d ? d : (x->c->id > y->c->id) - (x->c->id < y->c->id);
}

int reindex_match(const struct vulndb *data, struct candidate *c, size_t n, struct arena *a,
                  struct err *e)
{
    struct reading *list = arena_calloc(a, n + 1, sizeof *list);
    struct matching m = {0};
    size_t known = 0;
    int r = 0;
    m.packages = arena_calloc(a, n + 2, sizeof *m.packages);
    m.of = arena_calloc(a, n + 2, sizeof(struct candidate *));
    if (!list || !m.packages || !m.of)
        return err_no_memory(e);
    for (size_t i = 0; i < n; i++) {
        list[known].c = &c[i];
        r = package_identity_read(c[i].identity, &list[known].id, e);
        known += r == 0;
        if (r < 0 && r != ERR_UNSUPPORTED)
            return r;
    }
    qsort(list, known, sizeof *list, by_release);
    r = 0;
    for (size_t i = 0; r == 0 && data && i < known; i++) {
        const struct package_identity *id = &list[i].id;
        bool owned = id->owner_name.n;
        if (owned || (i && (!same_release(&id->release, &list[i - 1].id.release) ||
                            list[i - 1].id.owner_name.n)))
            r = run(data, &m, a, e);
        m.inv.release = id->release;
        if (owned && id->owner.type)
            add(&m, &id->owner, STR(""), NULL);
        add(&m, &id->p, id->owner_name, list[i].c);
    }
    return r < 0 ? r : run(data, &m, a, e);
}
