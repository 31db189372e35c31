#include "match/compose.h"

#include "version/version.h"

#include <stdlib.h>

enum { TEXT_MAX = 1 << 20, RANGES_SHOWN = 8 };

static bool range_covers(const struct claim *c, const struct version_range *r, str version)
{
    struct claim one = *c;
    one.ranges = r;
    one.n_ranges = 1;
    one.n_exact = 0;
    return claim_covers_version(&one, version);
}

static const struct version_range *range_of(const struct claim *c, str version)
{
    for (size_t i = 0; i < c->n_ranges; i++)
        if (range_covers(c, &c->ranges[i], version))
            return &c->ranges[i];
    return NULL;
}

static void range_text(const struct version_range *r, struct buf *out)
{
    bool from = r->lo.n && !str_eq(r->lo, STR("0"));
    if (from)
        buf_addf(out, "%s %.*s%s", r->lo_excluded ? "above" : "from", STR_ARG(r->lo),
                 r->hi.n ? " " : "");
    if (r->hi.n)
        buf_addf(out, "%s %.*s", r->hi_included ? "up to and including" : "below", STR_ARG(r->hi));
    if (!from && !r->hi.n)
        buf_add_str(out, STR("in every version"));
}

void compose_range(const struct claim *c, str version, struct buf *out)
{
    const struct version_range *r = version.n ? range_of(c, version) : NULL;
    if (r) {
        range_text(r, out);
        return;
    }
    if (!c->n_ranges && !c->n_exact) {
        buf_add_str(out, STR("in every version"));
        return;
    }
    for (size_t i = 0; i < c->n_exact && version.n; i++)
        if (str_eq(c->exact[i], version)) {
            buf_add_str(out, STR("in just this version"));
            return;
        }
    size_t shown = c->n_ranges < RANGES_SHOWN ? c->n_ranges : RANGES_SHOWN;
    for (size_t i = 0; i < shown; i++) {
        buf_add_str(out, i ? STR(", ") : STR(""));
        range_text(&c->ranges[i], out);
    }
    if (c->n_ranges > shown)
        buf_addf(out, " and %zu more ranges", c->n_ranges - shown);
    if (c->n_exact)
        buf_addf(out, "%sin %zu versions by name", c->n_ranges ? ", or " : "", c->n_exact);
}

static const char *kind_word(const struct claim *c)
{
    switch (c->package_kind) {
    case PACKAGE_SOURCE:
        return "source package ";
    case PACKAGE_BINARY:
        return "package ";
    case PACKAGE_LANGUAGE:
        break;
    }
    return "";
}

static str place(const struct claim *c)
{
    return c->platform.n ? c->platform : c->ecosystem;
}

str compose_not_affected(const struct voice *v, struct arena *a)
{
    const struct claim *c = &v->c->claim;
    if (c->kind == CLAIM_AFFECTED && c->fixed.n)
        return arena_printf(a, "%.*s says that %s%.*s on %.*s is fixed in %.*s; installed is %.*s",
                            STR_ARG(v->c->source), kind_word(c), STR_ARG(c->package),
                            STR_ARG(place(c)), STR_ARG(c->fixed), STR_ARG(v->version));
    return arena_printf(a, "%.*s says that %s%.*s %.*s (%.*s) is not affected%s%.*s",
                        STR_ARG(v->c->source), kind_word(c), STR_ARG(c->package),
                        STR_ARG(v->version), STR_ARG(place(c)), c->note.n ? ": " : "",
                        STR_ARG(c->note));
}

/* ---- fixes --------------------------------------------------------------------------------------
 */

/* The version that ends this claim's hold on `version`; empty when none is known. */
static str fix_of(const struct claim *c, str version)
{
    if (c->state != FIX_FIXED && c->state != FIX_UNKNOWN)
        return STR("");
    const struct version_range *r = range_of(c, version);
    if (r && r->hi.n && !r->hi_included)
        return r->hi;
    const struct version_ops *ops = c->scheme ? version_scheme(str_z(c->scheme)) : NULL;
    if (c->fixed.n && ops && ops->compare(version, c->fixed) < 0)
        return c->fixed;
    return STR("");
}

static int by_version(const void *a, const void *b, void *ops)
{
    int d = ops ? ((const struct version_ops *)ops)->compare(*(const str *)a, *(const str *)b) : 0;
    return d ? d : str_cmp(*(const str *)a, *(const str *)b);
}

static bool speaks_with(const struct voice *v, const struct voice *speaker)
{
    return v->c->claim.kind == CLAIM_AFFECTED && v->rank == speaker->rank &&
           str_eq(v->c->source, speaker->c->source);
}

static int fill_fixes(const struct voice *voices, size_t n, struct arena *a, struct finding *f,
                      struct err *e)
{
    const struct claim *c = &voices[0].c->claim;
    str *fixes = arena_calloc(a, n, sizeof *fixes);
    size_t n_fixes = 0;
    if (!fixes)
        return err_no_memory(e);
    for (size_t i = 0; i < n; i++) {
        str fix = speaks_with(&voices[i], &voices[0])
                      ? fix_of(&voices[i].c->claim, voices[i].version)
                      : STR("");
        if (fix.n)
            fixes[n_fixes++] = arena_dup(a, fix);
    }
    const struct version_ops *ops = c->scheme ? version_scheme(str_z(c->scheme)) : NULL;
    if (n_fixes > 1)
        qsort_r(fixes, n_fixes, sizeof *fixes, by_version, (void *)ops);
    size_t kept = 0;
    for (size_t i = 0; i < n_fixes; i++)
        if (!kept || !str_eq(fixes[kept - 1], fixes[i]))
            fixes[kept++] = fixes[i];
    f->fix_versions = fixes;
    f->n_fix_versions = kept;
    f->fix_state = c->state;
    if (kept)
        f->fix_state = FIX_FIXED;
    else if (c->state == FIX_FIXED)
        f->fix_state = FIX_NOT_FIXED; /* there is one, but not for this branch */
    return 0;
}

/* ---- severity -----------------------------------------------------------------------------------
 */

static bool take_severity(struct finding *f, enum severity s, str source, const struct vuln *v)
{
    if (f->severity == SEV_UNKNOWN && s != SEV_UNKNOWN) {
        f->severity = s;
        f->severity_source = source;
    }
    if (!f->cvss_vector.n && v->cvss_vector.n) {
        f->cvss_vector = cvss_first(v->cvss_vector);
        f->cvss_score10 = v->cvss_score10;
    }
    return f->severity != SEV_UNKNOWN && f->cvss_vector.n;
}

static void fill_severity(const struct voice *voices, size_t n, const struct lore *lore,
                          struct finding *f)
{
    f->cvss_score10 = -1;
    for (size_t i = 0; i < n; i++) {
        const struct db_claim *c = voices[i].c;
        if (c->claim.kind != CLAIM_AFFECTED)
            continue;
        enum severity s = c->claim.severity;
        if (take_severity(f, s != SEV_UNKNOWN ? s : lore_severity(&c->vuln), c->source, &c->vuln))
            return;
    }
    for (size_t i = 0; i < lore->n_vulns; i++)
        if (take_severity(f, lore_severity(&lore->vulns[i].vuln), lore->vulns[i].source,
                          &lore->vulns[i].vuln))
            return;
}

/* ---- texts --------------------------------------------------------------------------------------
 */

static str first_of(str own, const struct lore *lore, size_t member)
{
    for (size_t i = 0; !own.n && i < lore->n_vulns; i++)
        own = *(const str *)((const char *)&lore->vulns[i].vuln + member);
    return own;
}

static int fill_reason(const struct voice *v, struct arena *a, struct finding *f, struct err *e)
{
    const struct claim *c = &v->c->claim;
    auto_buf b;
    buf_init(&b, TEXT_MAX);
    buf_addf(&b, "%.*s says that %s%.*s (%.*s) is affected ", STR_ARG(v->c->source), kind_word(c),
             STR_ARG(c->package), STR_ARG(place(c)));
    compose_range(c, v->version, &b);
    buf_addf(&b, "; installed is %.*s", STR_ARG(v->version));
    if (!str_eq(v->c->vuln.id, v->key) || c->advisory.n)
        buf_addf(&b, " [%.*s]", STR_ARG(c->advisory.n ? c->advisory : v->c->vuln.id));
    if (c->note.n)
        buf_addf(&b, " (%.*s)", STR_ARG(c->note));
    if (buf_check(&b, "a finding's reason", e) < 0)
        return e ? e->code : ERR_LIMIT;
    f->reason = arena_dup(a, buf_view(&b));
    return 0;
}

static int fill_aliases(const struct voice *voices, size_t n, const struct lore *lore,
                        struct arena *a, struct finding *f, struct err *e)
{
    str *ids = arena_calloc(a, n + lore->n_aliases + 1, sizeof *ids);
    size_t n_ids = 0;
    if (!ids)
        return err_no_memory(e);
    for (size_t i = 0; i < n; i++)
        if (!str_eq(voices[i].c->vuln.id, voices[i].key))
            ids[n_ids++] = arena_dup(a, voices[i].c->vuln.id);
    for (size_t i = 0; i < lore->n_aliases; i++)
        ids[n_ids++] = arena_dup(a, lore->aliases[i]);
    if (a->full)
        return err_no_memory(e);
    f->n_aliases = str_sort_unique(ids, n_ids);
    f->aliases = ids;
    return 0;
}

int compose_finding(const struct voice *voices, size_t n, const struct lore *lore, struct arena *a,
                    struct finding *out, struct err *e)
{
    const struct db_claim *c = voices[0].c;
    *out = (struct finding){.kev = lore->kev, .epss_score = lore->epss_score};
    int rc = fill_fixes(voices, n, a, out, e);
    if (rc >= 0)
        rc = fill_aliases(voices, n, lore, a, out, e);
    if (rc >= 0)
        rc = fill_reason(&voices[0], a, out, e);
    if (rc < 0)
        return rc;
    fill_severity(voices, n, lore, out);
    out->severity_source = arena_dup(a, out->severity_source);
    out->cvss_vector = arena_dup(a, out->cvss_vector);
    out->id = arena_dup(a, voices[0].key);
    out->source = arena_dup(a, c->source);
    out->platform = arena_dup(a, place(&c->claim));
    out->claimed_package = arena_dup(a, c->claim.package);
    out->advisory = arena_dup(a, c->claim.advisory.n ? c->claim.advisory : c->vuln.id);
    out->summary = arena_dup(a, first_of(c->vuln.summary, lore, offsetof(struct vuln, summary)));
    out->url = arena_dup(a, first_of(c->vuln.url, lore, offsetof(struct vuln, url)));
    return a->full ? err_no_memory(e) : 0;
}
