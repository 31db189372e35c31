#include "match_fixture.h"

#include "../vulndb/db_test.h"

#include "version/ecosystem.h"

static str z(const char *text)
{
    return text ? str_z(text) : STR("");
}

static void send_claim(struct claim_sink *sink, const struct claim_row *r)
{
    struct err e;
    bool on_platform = !ecosystem_find(str_z(r->where));
    struct version_range ranges[] = {{.lo = z(r->lo), .hi = z(r->hi)},
                                     {.lo = z(r->lo2), .hi = z(r->hi2)}};
    struct claim c = {
        .vuln_id = str_z(r->vuln),
        .platform = on_platform ? str_z(r->where) : STR(""),
        .ecosystem = on_platform ? STR("") : str_z(r->where),
        .package = str_z(r->package),
        .package_kind = on_platform ? r->of : PACKAGE_LANGUAGE,
        .kind = r->kind,
        .state = r->state,
        .scheme = r->scheme     ? r->scheme
                  : on_platform ? "deb"
                                : "semver",
        .ranges = ranges,
        .n_ranges = (r->lo || r->hi) + (r->lo2 || r->hi2),
        .fixed = r->fixed ? str_z(r->fixed) : z(r->hi),
        .severity = r->severity,
        .arch = z(r->arch),
        .module = z(r->module),
        .module_none = r->module_none,
        .channel = z(r->channel),
        .note = z(r->note),
    };
    if (c.state == FIX_UNKNOWN && c.fixed.n)
        c.state = FIX_FIXED;
    assert_ok(sink->claim(sink, &c, &e));
}

static size_t add_aliases(struct vuln_alias *out, const char *ids, enum alias_kind kind)
{
    size_t n = 0;
    for (str rest = z(ids); rest.n;)
        out[n++] = (struct vuln_alias){str_split(&rest, ','), kind};
    return n;
}

static void send_vuln(struct claim_sink *sink, const struct vuln_row *r)
{
    struct err e;
    struct vuln_alias aliases[16];
    struct vuln v = vuln_empty();
    v.id = str_z(r->id);
    v.status = r->status;
    v.severity = r->severity;
    v.cvss_vector = z(r->cvss);
    v.cvss_score10 = r->cvss ? (int16_t)cvss_score10(v.cvss_vector) : -1;
    v.kev_listed = r->kev;
    v.epss_score = r->epss ? r->epss : -1;
    v.summary = STR("A made-up vulnerability");
    v.n_aliases = add_aliases(aliases, r->same, ALIAS_SAME);
    v.n_aliases += add_aliases(aliases + v.n_aliases, r->upstream, ALIAS_UPSTREAM);
    v.n_aliases += add_aliases(aliases + v.n_aliases, r->related, ALIAS_RELATED);
    v.aliases = aliases;
    assert_ok(sink->vuln(sink, &v, &e));
}

static bool is_described(const char *source, const char *id, const struct vuln_row *vulns, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (strcmp(vulns[i].source, source) == 0 && strcmp(vulns[i].id, id) == 0)
            return true;
    return false;
}

void fixture_install(const char *dir, const char *source, const struct claim_row *claims,
                     size_t n_claims, const struct vuln_row *vulns, size_t n_vulns)
{
    struct err e;
    struct vulndb_builder *b;
    struct vulndb_stats stats;
    assert_ok(vulndb_builder_new(dir, str_z(source), &b, &e));
    struct claim_sink *sink = vulndb_builder_sink(b);
    for (size_t i = 0; i < n_vulns; i++)
        if (strcmp(vulns[i].source, source) == 0)
            send_vuln(sink, &vulns[i]);
    for (size_t i = 0; i < n_claims; i++) {
        if (strcmp(claims[i].source, source) != 0)
            continue;
        if (!is_described(source, claims[i].vuln, vulns, n_vulns))
            send_vuln(sink, &(struct vuln_row){.id = claims[i].vuln});
        send_claim(sink, &claims[i]);
    }
    sink->dated(sink, 1700000000, STR(""));
    assert_ok(vulndb_builder_install(b, &stats, &e));
    vulndb_builder_free(b);
}

void fixture_dir(struct fixture *f)
{
    *f = (struct fixture){0};
    scratch_make(f->dir, sizeof f->dir);
}

static void install_all(struct fixture *f, const struct match_case *c)
{
    size_t n_claims = 0, n_vulns = 0;
    const char *done[ROWS_MAX * 2];
    size_t n_done = 0;
    while (n_claims < ROWS_MAX && c->claims[n_claims].source)
        n_claims++;
    while (n_vulns < ROWS_MAX && c->vulns[n_vulns].source)
        n_vulns++;
    for (size_t i = 0; i < n_claims + n_vulns; i++) {
        const char *source = i < n_claims ? c->claims[i].source : c->vulns[i - n_claims].source;
        bool seen = false;
        for (size_t k = 0; k < n_done; k++)
            seen |= strcmp(done[k], source) == 0;
        if (seen)
            continue;
        done[n_done++] = source;
        fixture_install(f->dir, source, c->claims, n_claims, c->vulns, n_vulns);
    }
}

static void fill_inventory(struct fixture *f, const struct match_case *c)
{
    struct inventory *inv = &f->inv;
    arena_init(&inv->arena, 16 << 20);
    inv->release = (struct release_info){
        .id = z(c->distro), .version_id = z(c->version), .codename = z(c->codename)};
    inv->packages = arena_calloc(&inv->arena, ROWS_MAX, sizeof *inv->packages);
    assert_non_null(inv->packages);
    for (const struct package_row *r = c->packages; r < c->packages + ROWS_MAX && r->type; r++) {
        struct inv_package *p = &inv->packages[inv->n_packages++];
        p->p = (struct package){.type = package_type_find(str_z(r->type)),
                                .name = z(r->name),
                                .version = z(r->version),
                                .arch = z(r->arch),
                                .source_name = z(r->source),
                                .source_version = z(r->source_version),
                                .group = z(r->group),
                                .module = z(r->module),
                                .path = z(r->path)};
        p->owner = z(r->owner);
        assert_non_null(p->p.type);
    }
}

void fixture_make(struct fixture *f, const struct match_case *c)
{
    struct err e = {0};
    fixture_dir(f);
    install_all(f, c);
    int rc = vulndb_open(f->dir, &f->db, &e);
    if (rc == ERR_NOT_FOUND)
        f->db = NULL;
    else
        assert_ok(rc);
    fill_inventory(f, c);
    assert_ok(match_inventory(f->db, &f->inv, &f->findings, &e));
}

void fixture_done(struct fixture *f)
{
    if (f->db)
        vulndb_close(f->db);
    findings_free(f->findings);
    arena_done(&f->inv.arena);
    scratch_clear(f->dir);
}

void fixture_render(const struct fixture *f, struct buf *out)
{
    static const char *const kinds[] = {"owned", "not-affected", "headers"};
    for (size_t i = 0; i < f->findings->n; i++) {
        const struct finding *x = &f->findings->items[i];
        buf_addf(out, "finding %.*s %.*s %s", STR_ARG(f->inv.packages[x->package].p.name),
                 STR_ARG(x->id), severity_name(x->severity));
        if (x->severity_source.n)
            buf_addf(out, "/%.*s", STR_ARG(x->severity_source));
        buf_addf(out, " %s", fix_state_name(x->fix_state));
        for (size_t k = 0; k < x->n_fix_versions; k++)
            buf_addf(out, "%c%.*s", k ? ',' : ':', STR_ARG(x->fix_versions[k]));
        buf_addf(out, " by %.*s", STR_ARG(x->source));
        for (size_t k = 0; k < x->n_aliases; k++)
            buf_addf(out, "%s%.*s", k ? "," : " =", STR_ARG(x->aliases[k]));
        if (x->kev)
            buf_add_str(out, STR(" kev"));
        if (x->epss_score >= 0)
            buf_addf(out, " epss:%d", x->epss_score);
        buf_add_char(out, '\n');
    }
    for (size_t i = 0; i < f->findings->n_suppressed; i++) {
        const struct suppression *s = &f->findings->suppressed[i];
        buf_addf(out, "suppressed %.*s %.*s %s\n", STR_ARG(f->inv.packages[s->package].p.name),
                 STR_ARG(s->id), kinds[s->kind]);
    }
    for (size_t i = 0; i < f->findings->n_uncovered; i++)
        buf_addf(out, "uncovered %.*s\n", STR_ARG(f->findings->uncovered[i]));
    for (size_t i = 0; i < f->findings->n_unmatched; i++)
        buf_addf(out, "unmatched %.*s%s\n",
                 STR_ARG(f->inv.packages[f->findings->unmatched[i].package].p.name),
                 f->findings->unmatched[i].gap ? " gap" : "");
}
