#include "base/text.h"
#include "match/compose.h"

struct explain {
    struct judge judge;
    const struct findings *findings;
    const struct lore *lore; /* of the vulnerability at hand */
    struct buf *out;
    size_t named, others, affected;
};

static void findings_drop(struct findings **f)
{
    findings_free(*f);
}
static void explain_done(struct explain *x)
{
    judge_close(&x->judge);
}
static void drop_arena(struct arena *a)
{
    arena_done(a);
}

/* "label: text" with the text made fit for a terminal. */
static void put(struct buf *out, const char *label, str text)
{
    buf_addf(out, "%s", label);
    text_clean(text, out);
}

static void explain_head(struct explain *x)
{
    const struct lore *l = x->lore;
    put(x->out, "", l->id);
    for (size_t i = 0; i < l->n_aliases; i++)
        put(x->out, i ? ", " : " = ", l->aliases[i]);
    buf_add_char(x->out, '\n');
    for (size_t i = 0; i < l->n_vulns; i++) {
        const struct vuln *v = &l->vulns[i].vuln;
        if (lore_severity(v) == SEV_UNKNOWN && !v->cvss_vector.n)
            continue;
        put(x->out, "  severity by ", l->vulns[i].source);
        buf_addf(x->out, ": %s", severity_name(lore_severity(v)));
        if (v->cvss_vector.n && v->cvss_score10 >= 0) {
            buf_addf(x->out, ", %d.%d", v->cvss_score10 / 10, v->cvss_score10 % 10);
            put(x->out, " ", cvss_first(v->cvss_vector));
        }
        buf_add_char(x->out, '\n');
    }
    if (l->kev)
        buf_add_str(x->out, STR("  known to be exploited (KEV)\n"));
    if (l->epss_score >= 0)
        buf_addf(x->out, "  EPSS %.5f\n", l->epss_score / 1e6);
    if (l->rejected_by.n)
        put(x->out, "  rejected by ", l->rejected_by), buf_add_char(x->out, '\n');
    if (!l->n_vulns)
        buf_add_str(x->out, STR("  no source describes it\n"));
}

static const struct finding *finding_of(const struct explain *x, uint32_t package)
{
    for (size_t i = 0; i < x->findings->n; i++)
        if (x->findings->items[i].package == package &&
            str_eq(x->findings->items[i].id, x->lore->id))
            return &x->findings->items[i];
    return NULL;
}

static const struct suppression *suppression_of(const struct explain *x, uint32_t package)
{
    for (size_t i = 0; i < x->findings->n_suppressed; i++)
        if (x->findings->suppressed[i].package == package &&
            str_eq(x->findings->suppressed[i].id, x->lore->id))
            return &x->findings->suppressed[i];
    return NULL;
}

static void explain_voice(struct explain *x, const struct package *p, const struct voice *v)
{
    const struct claim *c = &v->c->claim;
    const char *silenced = judge_silenced(p, v->c);
    bool covers = claim_covers_version(c, v->version);
    bool affects = c->kind == CLAIM_AFFECTED;
    buf_addf(x->out, "    %s ", silenced || !covers ? "no: " : affects ? "yes:" : "not:");
    put(x->out, "", v->c->source);
    if (!str_eq(v->c->vuln.id, v->key) || c->advisory.n)
        put(x->out, " ", c->advisory.n ? c->advisory : v->c->vuln.id);
    put(x->out, c->package_kind == PACKAGE_SOURCE ? ", source package " : ", package ", c->package);
    put(x->out, " on ", c->platform.n ? c->platform : c->ecosystem);
    buf_addf(x->out, ": %s ", affects ? "affected" : "not affected");
    auto_buf range;
    buf_init(&range, 1 << 20);
    compose_range(c, covers ? v->version : STR(""), &range);
    put(x->out, "", buf_view(&range));
    put(x->out, covers ? "; covers " : "; does not cover ", v->version);
    buf_addf(x->out, "; %s", fix_state_name(c->state));
    if (c->fixed.n)
        put(x->out, " in ", c->fixed);
    if (silenced)
        buf_addf(x->out, "; passed over: %s", silenced);
    if (c->note.n)
        put(x->out, "; note: ", c->note);
    buf_add_char(x->out, '\n');
}

static void explain_verdict(struct explain *x, uint32_t package)
{
    const struct inv_package *ip = &x->judge.inv->packages[package];
    const struct finding *f = finding_of(x, package);
    const struct suppression *s = suppression_of(x, package);
    put(x->out, "\n  ", ip->p.name);
    put(x->out, " ", ip->p.version);
    buf_addf(x->out, " (%s", ip->p.type->name);
    if (ip->p.source_name.n && !str_eq(ip->p.source_name, ip->p.name))
        put(x->out, ", source ", ip->p.source_name);
    buf_addf(x->out, "): %s\n", f ? "AFFECTED" : s ? "suppressed" : "not affected");
    for (size_t i = 0; i < ip->n_evidence && i < 4; i++)
        put(x->out, "    found in /", ip->evidence[i].path), buf_add_char(x->out, '\n');
    if (f) {
        put(x->out, "    because ", f->reason);
        buf_addf(x->out, "\n    severity %s", severity_name(f->severity));
        put(x->out, f->severity_source.n ? " by " : "", f->severity_source);
        buf_addf(x->out, "; %s", fix_state_name(f->fix_state));
        for (size_t i = 0; i < f->n_fix_versions; i++)
            put(x->out, i ? ", " : " in ", f->fix_versions[i]);
        buf_add_char(x->out, '\n');
    }
    if (s)
        put(x->out, "    because ", s->reason), buf_add_char(x->out, '\n');
    x->affected += f != NULL;
}

static int explain_package(struct explain *x, uint32_t package, struct err *e)
{
    struct judge *j = &x->judge;
    const struct package *p = &j->inv->packages[package].p;
    struct match_target t;
    bool said = false;
    arena_done(&j->scratch);
    int rc = match_target_of(j->db, &j->host, p, &j->scratch, &t, e);
    for (size_t i = 0; rc >= 0 && i < t.n; i++) {
        struct voice *voices;
        size_t n;
        rc = judge_voices(j, p, &t.q[i], VOICES_ALL, &j->scratch, &voices, &n, e);
        for (size_t k = 0; rc >= 0 && k < n; k++) {
            if (!str_eq(voices[k].key, x->lore->id))
                continue;
            if (!said)
                explain_verdict(x, package);
            said = true;
            explain_voice(x, p, &voices[k]);
        }
    }
    x->named += said;
    x->others += !said && t.n;
    return rc;
}

static void explain_tail(struct explain *x)
{
    const struct findings *f = x->findings;
    buf_add_char(x->out, '\n');
    if (!x->named) {
        buf_add_str(x->out, STR("  no claim names a package of this inventory"));
        if (x->judge.host.platform.n)
            put(x->out, ": none for ", x->judge.host.platform);
        buf_add_char(x->out, '\n');
    }
    buf_addf(x->out, "  looked up besides: %zu; no claim about it names them\n", x->others);
    for (size_t i = 0; i < f->n_uncovered; i++)
        put(x->out, "  no data: ", f->uncovered[i]), buf_add_char(x->out, '\n');
    if (f->n_unmatched)
        buf_addf(x->out, "  %zu packages could not be looked up (version or name not known)\n",
                 f->n_unmatched);
    if (x->judge.inv->n_problems)
        buf_addf(x->out, "  %zu files could not be read: see `kellet scan`\n",
                 x->judge.inv->n_problems);
    buf_addf(x->out, "\n%s\n",
             x->affected ? "AFFECTED"
             : f->n_uncovered || !f->n_data || x->judge.inv->n_problems
                 ? "not found, but not all could be seen"
                 : "NOT AFFECTED");
}

static int explain_key(struct explain *x, str id, struct err *e)
{
    int rc = lore_find(&x->judge.lore, id, &x->lore, e);
    if (rc < 0)
        return rc;
    x->named = x->others = 0;
    explain_head(x);
    for (uint32_t i = 0; rc >= 0 && i < x->judge.inv->n_packages; i++)
        rc = explain_package(x, i, e);
    if (rc >= 0)
        explain_tail(x);
    return rc;
}

/* What an id stands for: by the entry that has it, or by those that name it. */
static int keys_of_id(struct lore_book *b, str id, struct lore_keys *out, struct err *e)
{
    struct db_vuln *known;
    size_t n;
    int rc = vulndb_vuln(b->db, id, &b->arena, &known, &n, e);
    if (rc < 0)
        return rc;
    struct vuln v = vuln_empty();
    v.id = id;
    return lore_keys(b, n ? &known[0].vuln : &v, out, e);
}

int match_explain(const struct vulndb *db, const struct inventory *inv, str id, struct buf *out,
                  struct err *e)
{
    if (!db) {
        put(out, "", id);
        buf_add_str(out, STR(": no vulnerability data are loaded: nothing is known\n"));
        return 0;
    }
    struct findings *f KE_CLEANUP(findings_drop) = NULL;
    struct arena results KE_CLEANUP(drop_arena);
    arena_init(&results, 16 << 20);
    int rc = match_inventory(db, inv, &f, e);
    if (rc < 0)
        return rc;
    struct explain x KE_CLEANUP(explain_done) = {.findings = f, .out = out};
    struct lore_keys keys;
    rc = judge_open(&x.judge, db, inv, &results, e);
    if (rc >= 0)
        rc = keys_of_id(&x.judge.lore, id, &keys, e);
    for (size_t i = 0; rc >= 0 && i < keys.n; i++)
        rc = explain_key(&x, keys.ids[i], e);
    if (rc < 0)
        return rc;
    rc = buf_check(out, "the explanation", e);
    return rc < 0 ? rc : x.affected > 0;
}
