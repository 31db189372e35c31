/* table.c - the report for people: a title, the findings, and what could not be seen. */
#include "base/auto.h"
#include "base/text.h"
#include "report/completeness.h"
#include "report/formats.h"
#include "report/grid.h"
#include "report/table_tail.h"
#include "report/table_verdict.h"
#include "report/writer.h"

enum { TABLE_MEMORY = 1 << 30 };

static void drop_arena(struct arena *a)
{
    arena_done(a);
}

static const char *severity_color(enum severity s)
{
    static const char *const colors[] = {
        [SEV_CRITICAL] = "1;31",
        [SEV_HIGH] = "31",
        [SEV_MEDIUM] = "33",
        [SEV_LOW] = "36",
    };
    return (size_t)s < KE_ARRAY_LEN(colors) ? colors[s] : NULL;
}

static void put_title(const struct report_input *in, const struct report_style *s, struct buf *out)
{
    const struct inventory *inv = in->inventory;
    auto_buf name;
    buf_init(&name, 1 << 16);
    text_clean(inv->source, &name);
    style_put(s, "1", buf_view(&name), out);
    if (inv->manifest_digest.n) {
        buf_add_char(out, ' ');
        text_clean(inv->manifest_digest, out);
    }
    buf_add_char(out, '\n');
    const struct release_info *r = &inv->release;
    if (r->id.n) {
        text_clean(r->id, out);
        buf_add_char(out, ' ');
        text_clean(r->version_id.n ? r->version_id : r->codename, out);
    } else {
        buf_add_str(out, STR("unknown distribution"));
    }
    if (inv->architecture.n) {
        buf_add_str(out, STR(", "));
        text_clean(inv->os, out);
        buf_add_char(out, '/');
        text_clean(inv->architecture, out);
    }
    if (in->timestamp) {
        char text[TIME_TEXT];
        buf_addf(out, ", %s", time_format(in->timestamp, text));
    }
    buf_add_char(out, '\n');
}

static size_t packages_hit(const struct findings *f, const struct inventory *inv)
{
    autofree bool *hit = calloc(inv->n_packages + 1, sizeof *hit);
    size_t n = 0;
    for (size_t i = 0; hit && i < f->n; i++) {
        n += !hit[f->items[i].package];
        hit[f->items[i].package] = true;
    }
    return n;
}

static void put_counts(const struct report_input *in, const struct report_style *s, struct buf *out)
{
    const struct findings *f = in->findings;
    size_t counts[SEV_CRITICAL + 1] = {0};
    bool first = true;
    for (size_t i = 0; i < f->n; i++)
        counts[f->items[i].severity]++;
    if (!f->n) {
        put_nothing_found(in, out);
        return;
    }
    buf_addf(out, "%zu known vulnerabilit%s in %zu of %zu packages: ", f->n,
             f->n == 1 ? "y" : "ies", packages_hit(f, in->inventory), in->inventory->n_packages);
    for (int i = SEV_CRITICAL; i >= 0; i--) {
        if (!counts[i])
            continue;
        auto_buf word;
        buf_init(&word, 64);
        buf_addf(&word, "%zu %s", counts[i], severity_name((enum severity)i));
        buf_add_str(out, first ? STR("") : STR(", "));
        style_put(s, severity_color((enum severity)i), buf_view(&word), out);
        first = false;
    }
    buf_add_char(out, '\n');
}

static str fix_text(const struct finding *f, struct arena *a)
{
    if (!f->n_fix_versions)
        return str_z(fix_state_name(f->fix_state));
    auto_buf b;
    buf_init(&b, 1 << 16);
    for (size_t i = 0; i < f->n_fix_versions; i++) {
        buf_add_str(&b, i ? STR(", ") : STR(""));
        text_clean(f->fix_versions[i], &b);
    }
    return arena_dup(a, buf_ok(&b) ? buf_view(&b) : STR("several"));
}

static int put_findings(const struct report_input *in, const struct report_style *s,
                        struct buf *out, struct err *e)
{
    static const str heads[] = {STR_INIT("PACKAGE"),       STR_INIT("INSTALLED"),
                                STR_INIT("FIXED IN"),      STR_INIT("SEVERITY"),
                                STR_INIT("VULNERABILITY"), STR_INIT("TYPE")};
    enum { COLUMNS = KE_ARRAY_LEN(heads) };
    const struct findings *f = in->findings;
    struct arena a KE_CLEANUP(drop_arena);
    arena_init(&a, TABLE_MEMORY);
    struct grid_cell *cells = arena_calloc(&a, (f->n + 1) * COLUMNS, sizeof *cells);
    if (!cells)
        return err_no_memory(e);
    for (size_t i = 0; i < COLUMNS; i++)
        cells[i] = (struct grid_cell){heads[i], "1"};
    for (size_t i = 0; i < f->n; i++) {
        const struct finding *x = &f->items[i];
        const struct package *p = &in->inventory->packages[x->package].p;
        struct grid_cell *row = cells + (i + 1) * COLUMNS;
        str name = p->group.n ? arena_printf(&a, "%.*s:%.*s", STR_ARG(p->group), STR_ARG(p->name))
                              : p->name;
        str id = clean_copy(&a, x->id);
        row[0].text = clean_copy(&a, name);
        row[1].text = clean_copy(&a, p->version);
        row[2].text = fix_text(x, &a);
        row[3].text = str_z(severity_name(x->severity));
        row[3].color = severity_color(x->severity);
        row[4].text = x->kev ? arena_printf(&a, "%.*s (exploited)", STR_ARG(id)) : id;
        row[5].text = str_z(p->type->name);
    }
    if (a.full)
        return err_no_memory(e);
    buf_add_char(out, '\n');
    grid_write(&(struct grid){COLUMNS, 3, cells, f->n + 1}, s, out);
    return 0;
}

static int put_packages(const struct report_input *in, const struct report_style *s,
                        struct buf *out, struct err *e)
{
    static const str heads[] = {STR_INIT("PACKAGE"), STR_INIT("VERSION"), STR_INIT("TYPE"),
                                STR_INIT("FOUND IN")};
    enum { COLUMNS = KE_ARRAY_LEN(heads) };
    const struct inventory *inv = in->inventory;
    struct arena a KE_CLEANUP(drop_arena);
    arena_init(&a, TABLE_MEMORY);
    struct grid_cell *cells = arena_calloc(&a, (inv->n_packages + 1) * COLUMNS, sizeof *cells);
    if (!cells)
        return err_no_memory(e);
    for (size_t i = 0; i < COLUMNS; i++)
        cells[i] = (struct grid_cell){heads[i], "1"};
    for (size_t i = 0; i < inv->n_packages; i++) {
        const struct inv_package *ip = &inv->packages[i];
        struct grid_cell *row = cells + (i + 1) * COLUMNS;
        row[0].text = clean_copy(&a, ip->p.name);
        row[1].text = clean_copy(&a, ip->p.version);
        row[2].text = str_z(ip->p.type->name);
        row[3].text = clean_copy(&a, ip->n_evidence ? ip->evidence[0].path : ip->p.path);
    }
    if (a.full)
        return err_no_memory(e);
    buf_addf(out, "%zu packages\n\n", inv->n_packages);
    grid_write(&(struct grid){COLUMNS, COLUMNS, cells, inv->n_packages + 1}, s, out);
    return 0;
}

static int table_write(const struct report_input *in, const struct report_style *s, struct buf *out,
                       struct err *e)
{
    put_title(in, s, out);
    int rc = 0;
    if (in->findings) {
        put_counts(in, s, out);
        if (in->findings->n)
            rc = put_findings(in, s, out, e);
    } else {
        rc = put_packages(in, s, out, e);
    }
    if (rc < 0)
        return rc;
    if (in->verdict) {
        buf_add_str(out, STR("\nPolicy, for "));
        text_clean(in->tag, out);
        buf_add_str(out, STR(" ("));
        put_tag_reason(in, out);
        buf_add_str(out, STR("):\n"));
        put_verdict(in->verdict, completeness_of(in).complete, s, out);
    }
    put_tail(in, s, out);
    return buf_check(out, "the table", e);
}

const struct report_format report_table = {
    .name = "table",
    .summary = "for people",
    .findings = true,
    .sbom = true,
    .write = table_write,
};
