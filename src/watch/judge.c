#include "watch/judge.h"

#include "base/clock.h"
#include "base/map.h"
#include "match/finding.h"
#include "policy/evaluate.h"
#include "report/completeness.h"
#include "services/inventory_document.h"
#include "services/policy_engine/vuln_diff.h"
#include "services/policy_engine/vuln_rows.h"

#include <stdarg.h>
#include <stdio.h>

enum { FINDINGS_BYTES_MAX = 256 << 20, GAPS_TOLD = 3 };

/* ---- findings ----------------------------------------------------------------------------------
 */

struct grouping {
    struct arena a;
    struct map known;
    yyjson_mut_doc *doc;
    yyjson_mut_val *rows; /* one for each vulnerability of a package */
};

static str member(yyjson_mut_val *row, const char *name)
{
    yyjson_mut_val *v = yyjson_mut_obj_get(row, name);
    return yyjson_mut_is_str(v) ? (str){yyjson_mut_get_str(v), yyjson_mut_get_len(v)} : STR("");
}

static void set(struct grouping *g, yyjson_mut_val *row, const char *name, str value)
{
    yyjson_mut_obj_put(row, yyjson_mut_str(g->doc, name),
                       yyjson_mut_strncpy(g->doc, value.p ? value.p : "", value.n));
}

static bool lists(str joined, str one)
{
    while (joined.n)
        if (str_eq(str_trim(str_split(&joined, ',')), one))
            return true;
    return false;
}

static void join(struct grouping *g, yyjson_mut_val *into, yyjson_mut_val *row, const char *name)
{
    str have = member(into, name), more = member(row, name);
    if (!lists(have, more))
        set(g, into, name, arena_printf(&g->a, "%.*s, %.*s", STR_ARG(have), STR_ARG(more)));
}

static void merge(struct grouping *g, yyjson_mut_val *into, yyjson_mut_val *row)
{
    join(g, into, row, "package_version");
    if (!str_eq(member(into, "fix"), member(row, "fix")))
        join(g, into, row, "fix");
    if (severity_from_word(member(row, "severity")) > severity_from_word(member(into, "severity")))
        set(g, into, "severity", member(row, "severity"));
}

static int group_row(struct grouping *g, yyjson_mut_val *row, struct err *e)
{
    str vuln = member(row, "vuln"), type = member(row, "package_type");
    str name = member(row, "package_name"), group = member(row, "feed_group");
    if (yyjson_mut_is_true(yyjson_mut_obj_get(row, "shadowed")))
        return 0;
    if (yyjson_mut_is_true(yyjson_mut_obj_get(row, "will_not_fix"))) {
        set(g, row, "fix", STR("will not be fixed"));
        yyjson_mut_obj_put(row, yyjson_mut_str(g->doc, "will_not_fix"),
                           yyjson_mut_bool(g->doc, false));
    }
    set(g, row, "package_path", STR(""));
    str key = arena_printf(&g->a, "%.*s %.*s %.*s %.*s", STR_ARG(vuln), STR_ARG(type),
                           STR_ARG(group), STR_ARG(name));
    void **slot = key.p ? map_slot(&g->known, key) : NULL;
    if (!slot)
        return err_no_memory(e);
    if (*slot) {
        merge(g, *slot, row);
        return 0;
    }
    *slot = row;
    yyjson_mut_val *copy = yyjson_mut_val_mut_copy(g->doc, row);
    *slot = copy;
    return yyjson_mut_arr_append(g->rows, copy) ? 0 : err_no_memory(e);
}

static int group(yyjson_mut_doc *doc, yyjson_mut_val *rows, struct buf *out, struct err *e)
{
    struct grouping g = {.doc = doc, .rows = yyjson_mut_arr(doc)};
    size_t i, n;
    int rc = 0;
    yyjson_mut_val *row;
    arena_init(&g.a, FINDINGS_BYTES_MAX);
    map_init(&g.known);
    yyjson_mut_arr_foreach(rows, i, n, row) if (rc == 0) rc = group_row(&g, row, e);
    yyjson_doc *final = rc == 0 ? yyjson_mut_val_imut_copy(g.rows, NULL) : NULL;
    if (final)
        rc = vuln_diff_keep(yyjson_doc_get_root(final), out, e);
    else if (rc == 0)
        rc = err_no_memory(e);
    yyjson_doc_free(final);
    map_done(&g.known);
    arena_done(&g.a);
    return rc;
}

static int no_document(void *ctx, const char *type, struct buf *out, struct err *e)
{
    return 0;
}

static int find(const struct judge_input *in, struct judged_image *out, struct err *e)
{
    yyjson_mut_doc *doc = yyjson_mut_doc_new(NULL);
    yyjson_mut_val *rows = NULL;
    const struct content_reader content = {in->kept.read ? in->kept.read : no_document,
                                           in->kept.ctx};
    int rc = doc ? vuln_rows(in->w->db, in->inv, content, doc, &rows, e) : err_no_memory(e);
    if (rc >= 0)
        rc = group(doc, rows, &out->findings, e);
    yyjson_mut_doc_free(doc);
    return rc;
}

/* ---- what could not be seen --------------------------------------------------------------------
 */

static str uncovered_of(struct arena *a, const struct findings *f)
{
    auto_buf b;
    buf_init(&b, 1 << 20);
    for (size_t i = 0; i < f->n_uncovered; i++)
        buf_addf(&b, i ? ", %.*s" : "%.*s", STR_ARG(f->uncovered[i]));
    return b.n ? arena_dup(a, buf_view(&b)) : STR("");
}

static void put_part(struct buf *b, const char *fmt, ...) KE_PRINTF(2, 3);
static void put_part(struct buf *b, const char *fmt, ...)
{
    char text[600];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    buf_addf(b, b->n ? "; %s" : "%s", text);
}

static str gaps_of(struct arena *a, const struct inventory *inv, const struct findings *f,
                   str uncovered)
{
    const struct report_input in = {.inventory = inv, .findings = f};
    const struct completeness c = completeness_of(&in);
    auto_buf b;
    buf_init(&b, 64 << 10);
    if (c.complete)
        return STR("");
    if (c.no_packages)
        put_part(&b, "no packages were found");
    else if (c.no_distro_packages)
        put_part(&b, "a distribution is named, but none of its packages was found");
    if (uncovered.n)
        put_part(&b, "there are no data for %.*s", STR_ARG(uncovered));
    else if (!f->n_data)
        put_part(&b, "there are no vulnerability data");
    if (c.gaps)
        put_part(&b, "%zu packages could not be looked up", c.gaps);
    for (size_t i = 0; i < inv->n_problems && i < GAPS_TOLD; i++) {
        const struct inv_problem *p = &inv->problems[i];
        put_part(&b, "%.*s%s%.*s", STR_ARG(str_sub(p->path, 0, 200)), p->path.n ? ": " : "",
                 STR_ARG(str_sub(p->detail, 0, 200)));
    }
    if (inv->n_problems > GAPS_TOLD)
        put_part(&b, "and %zu more problems", inv->n_problems - GAPS_TOLD);
    for (size_t i = 0; i < inv->n_unsupported && i < GAPS_TOLD; i++)
        put_part(&b, "%.*s is not supported", STR_ARG(inv->unsupported[i]));
    return arena_dup(a, b.n ? buf_view(&b) : STR("something could not be read"));
}

/* ---- the verdict -------------------------------------------------------------------------------
 */

static int judge(const struct judge_input *in, struct arena *a, struct judged_image *out,
                 struct err *e)
{
    struct policy_verdict *verdict = NULL;
    const struct policy_scan_options o = {
        .inv = in->inv,
        .settings = in->w->settings,
        .db = in->w->db,
        .tag = in->tag,
        .now_us = clock_wall_us(),
        .kept = in->kept,
    };
    int rc = policy_scan_new(&o, &out->scan, e);
    if (rc >= 0)
        rc = policy_evaluate(in->w->bundle, policy_scan_subject(out->scan), &verdict, e);
    if (rc < 0)
        return rc;
    out->verdict = arena_dup(a, str_z(policy_action_names[verdict->final_action]));
    out->valid_until_us = verdict->valid_until_us;
    policy_verdict_free(verdict);
    return 0;
}

int judged_image_new(const struct judge_input *in, struct arena *a, struct judged_image *out,
                     struct err *e)
{
    struct findings *f = NULL;
    *out = (struct judged_image){.valid_until_us = INT64_MAX};
    buf_init(&out->findings, FINDINGS_BYTES_MAX);
    buf_init(&out->document, INVENTORY_DOCUMENT_MAX);
    int rc = in->w->bundle ? judge(in, a, out, e) : 0; /* adds hinted packages */
    if (rc >= 0)
        rc = find(in, out, e);
    if (rc >= 0)
        rc = match_inventory(in->w->db, in->inv, &f, e);
    if (rc < 0)
        return rc;
    str digest = in->inv->manifest_digest.n ? in->inv->manifest_digest : in->inv->config_digest;
    out->image = arena_dup(a, digest);
    out->uncovered = uncovered_of(a, f);
    out->gaps = gaps_of(a, in->inv, f, out->uncovered);
    findings_free(f);
    return a->full ? err_no_memory(e) : 0;
}

void judged_image_done(struct judged_image *j)
{
    buf_done(&j->findings);
    buf_done(&j->document);
    policy_scan_free(j->scan);
    j->scan = NULL;
}

int judged_image_keep(const struct judged_image *j,
                      int (*fn)(void *ctx, const char *type, str text, struct err *e), void *ctx,
                      struct err *e)
{
    return j->scan ? policy_scan_keep(j->scan, fn, ctx, e) : 0;
}
