#include "match/judge.h"

#include <stdlib.h>

enum { RESULTS_MAX = 1 << 30 };

/* What grows while the packages are walked; moved into the result at the end. */
struct match_run {
    struct judge judge;
    struct findings *f;
    VEC(struct finding) found;
    VEC(struct suppression) suppressed;
    VEC(struct unmatched) unmatched;
    VEC(str) uncovered;
};

static void run_done(struct match_run *r)
{
    judge_close(&r->judge);
    vec_done(&r->found);
    vec_done(&r->suppressed);
    vec_done(&r->unmatched);
    vec_done(&r->uncovered);
}

static void findings_drop(struct findings **f)
{
    findings_free(*f);
}

void findings_free(struct findings *f)
{
    if (!f)
        return;
    arena_done(&f->arena);
    free(f);
}

static bool same_identity(const struct package *a, const struct package *b)
{
    return a->type == b->type && str_eq(a->name, b->name) && str_eq(a->version, b->version) &&
           str_eq(a->arch, b->arch) && str_eq(a->group, b->group) &&
           str_eq(a->source_name, b->source_name) && str_eq(a->source_version, b->source_version) &&
           str_eq(a->module, b->module);
}

static int add_suppression(struct match_run *r, uint32_t package, const struct suppression *from,
                           struct err *e)
{
    struct suppression *s = vec_push(&r->suppressed);
    if (!s)
        return err_no_memory(e);
    *s = *from;
    s->package = package;
    return 0;
}

static int add_verdict(struct match_run *r, uint32_t package, const struct verdict *v,
                       struct err *e)
{
    if (v->kind == VERDICT_SUPPRESSED)
        return add_suppression(r, package, &v->suppression, e);
    str reason;
    int rc = judge_owned(&r->judge, package, v->finding.id, &reason, e);
    if (rc < 0)
        return rc;
    if (reason.n)
        return add_suppression(r, package,
                               &(struct suppression){.id = v->finding.id,
                                                     .source = v->finding.source,
                                                     .reason = reason},
                               e);
    struct finding *f = vec_push(&r->found);
    if (!f)
        return err_no_memory(e);
    *f = v->finding;
    f->package = package;
    return 0;
}

/* A package that no look-up can be made for. Files that a covered distro's package installed are
 * in good hands. */
static int add_missing(struct match_run *r, uint32_t package, const struct match_target *t,
                       struct err *e)
{
    const struct inv_package *ip = &r->judge.inv->packages[package];
    if (ip->owner.n && r->judge.host.covered)
        return 0;
    if (t->uncovered.n) {
        for (size_t i = 0; i < r->uncovered.n; i++)
            if (str_eq(r->uncovered.p[i], t->uncovered))
                return 0;
        str *u = vec_push(&r->uncovered);
        if (!u)
            return err_no_memory(e);
        *u = arena_dup(&r->f->arena, t->uncovered);
        return u->p ? 0 : err_no_memory(e);
    }
    struct unmatched *u = vec_push(&r->unmatched);
    if (!u)
        return err_no_memory(e);
    *u = (struct unmatched){package, str_z(t->why_not), !t->expected};
    return 0;
}

static int walk_packages(struct match_run *r, struct err *e)
{
    const struct inventory *inv = r->judge.inv;
    struct verdicts verdicts = {0};
    struct match_target t = {0};
    for (uint32_t i = 0; i < inv->n_packages; i++) {
        const struct package *p = &inv->packages[i].p;
        if (i == 0 || !same_identity(p, &inv->packages[i - 1].p)) {
            arena_done(&r->judge.scratch);
            verdicts.n = 0;
            int rc = match_target_of(r->judge.db, &r->judge.host, p, &r->judge.scratch, &t, e);
            if (rc >= 0 && t.n)
                rc = judge_package(&r->judge, i, &t, &verdicts, e);
            if (rc < 0)
                return err_wrap(e, "while matching %.*s", STR_ARG(p->name));
        }
        int rc = t.n ? 0 : add_missing(r, i, &t, e);
        for (size_t k = 0; rc >= 0 && k < verdicts.n; k++)
            rc = add_verdict(r, i, &verdicts.items[k], e);
        if (rc < 0)
            return rc;
    }
    return 0;
}

static int by_severity(const void *pa, const void *pb)
{
    const struct finding *a = pa, *b = pb;
    if (a->severity != b->severity)
        return a->severity > b->severity ? -1 : 1;
    int d = str_cmp(a->id, b->id);
    return d ? d : (a->package > b->package) - (a->package < b->package);
}

static int by_suppression(const void *pa, const void *pb)
{
    const struct suppression *a = pa, *b = pb;
    if (a->package != b->package)
        return a->package > b->package ? 1 : -1;
    int d = str_cmp(a->id, b->id);
    return d ? d : (int)a->kind - (int)b->kind;
}

/* An array in the result's arena; NULL only when memory is out. */
static void *keep(struct arena *a, const void *items, size_t n, size_t size)
{
    void *copy = arena_calloc(a, n + 1, size);
    if (copy && n)
        memcpy(copy, items, n * size);
    return copy;
}

static int add_sources(struct findings *f, const struct vulndb *db, struct err *e)
{
    size_t n = 0;
    const struct vulndb_source *s = db ? vulndb_sources(db, &n) : NULL;
    f->data = arena_calloc(&f->arena, n + 1, sizeof *f->data);
    if (!f->data)
        return err_no_memory(e);
    for (size_t i = 0; i < n; i++)
        f->data[f->n_data++] = (struct data_source){
            .name = arena_dup(&f->arena, s[i].name),
            .digest = arena_dup(&f->arena, s[i].digest),
            .version = arena_dup(&f->arena, s[i].upstream_version),
            .loaded = s[i].loaded,
            .upstream_date = s[i].upstream_date,
            .claims = s[i].claims,
        };
    return f->arena.full ? err_no_memory(e) : 0;
}

static int run_finish(struct match_run *r, struct err *e)
{
    struct findings *f = r->f;
    if (r->found.n > 1)
        qsort(r->found.p, r->found.n, sizeof *r->found.p, by_severity);
    if (r->suppressed.n > 1)
        qsort(r->suppressed.p, r->suppressed.n, sizeof *r->suppressed.p, by_suppression);
    if (r->uncovered.n)
        str_sort_unique(r->uncovered.p, r->uncovered.n);
    f->n = r->found.n;
    f->n_suppressed = r->suppressed.n;
    f->n_unmatched = r->unmatched.n;
    f->n_uncovered = r->uncovered.n;
    f->items = keep(&f->arena, r->found.p, f->n, sizeof *f->items);
    f->suppressed = keep(&f->arena, r->suppressed.p, f->n_suppressed, sizeof *f->suppressed);
    f->unmatched = keep(&f->arena, r->unmatched.p, f->n_unmatched, sizeof *f->unmatched);
    f->uncovered = keep(&f->arena, r->uncovered.p, f->n_uncovered, sizeof *f->uncovered);
    return f->arena.full ? err_no_memory(e) : 0;
}

int match_inventory(const struct vulndb *db, const struct inventory *inv, struct findings **out,
                    struct err *e)
{
    struct findings *f KE_CLEANUP(findings_drop) = calloc(1, sizeof *f);
    if (!f)
        return err_no_memory(e);
    arena_init(&f->arena, RESULTS_MAX);
    struct match_run run KE_CLEANUP(run_done) = {.f = f};
    int rc = judge_open(&run.judge, db, inv, &f->arena, e);
    if (rc >= 0)
        rc = walk_packages(&run, e);
    if (rc >= 0)
        rc = run_finish(&run, e);
    if (rc >= 0)
        rc = add_sources(f, db, e);
    if (rc < 0)
        return rc;
    *out = TAKE(f);
    return 0;
}
