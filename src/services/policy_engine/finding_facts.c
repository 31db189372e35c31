/* finding_facts.c - an image's findings from the rows of its vulnerability report. */
#include "base/map.h"
#include "match/lore.h"
#include "match/query.h"
#include "services/policy_engine/policy_facts.h"
#include "services/policy_engine/vuln_rows.h"
#include "vulndb/platform.h"

#include <stdlib.h>

enum { FINDINGS_MAX = 1 << 30, TYPES_MAX = 64 };

struct maker {
    struct finding_facts *f;
    struct arena *a;
    const struct policy_image_facts *image;
    struct arena keys;
    struct map packages; /* key -> index + 1 */
    struct err *e;
};

static str keep(struct maker *m, str s)
{
    return s.n && !str_eq(s, STR("None")) ? arena_dup(m->a, s) : STR("");
}

/* place p NULL: of any; group "": of any. */
static str package_key(struct maker *m, const struct policy_finding *v, str place, str group)
{
    return arena_printf(&m->keys, "%.*s|%.*s|%.*s%s%.*s%s%.*s", STR_ARG(v->type), STR_ARG(v->name),
                        STR_ARG(v->version), place.p ? "|" : "", STR_ARG(place), group.n ? "|" : "",
                        STR_ARG(group));
}

static int index_packages(struct maker *m)
{
    for (size_t i = m->image->image.n_packages; i-- > 0;) {
        const struct policy_package *p = &m->image->image.packages[i];
        const struct policy_finding v = {
            .type = p->type, .name = p->name, .version = p->full_version};
        const str keys[] = {package_key(m, &v, p->location, p->group),
                            package_key(m, &v, p->location, STR("")),
                            package_key(m, &v, (str){0}, STR(""))};
        for (size_t k = 0; k < KE_ARRAY_LEN(keys); k++)
            if (!keys[k].p || !map_put(&m->packages, keys[k], (void *)(uintptr_t)(i + 1)))
                return err_no_memory(m->e);
    }
    return 0;
}

/* The analysis of an older engine lists one place: the package is known, its layer is not. Its
 * report names no group. */
static void set_package(struct maker *m, str group, struct policy_finding *v)
{
    uintptr_t here = (uintptr_t)map_get(&m->packages, package_key(m, v, v->location, group));
    if (!here && group.n)
        here = (uintptr_t)map_get(&m->packages, package_key(m, v, v->location, STR("")));
    uintptr_t any =
        here ? here : (uintptr_t)map_get(&m->packages, package_key(m, v, (str){0}, STR("")));
    v->package = any ? (uint32_t)(any - 1) : UINT32_MAX;
    v->layer = here ? m->image->package_layers[here - 1] : UINT32_MAX;
}

static double part(yyjson_val *scores, const char *name)
{
    yyjson_val *v = json_get(scores, name);
    return yyjson_is_num(v) ? yyjson_get_num(v) : -1;
}

static double more(double a, double b)
{
    return a > b ? a : b;
}

static struct policy_cvss highest(yyjson_val *list)
{
    struct policy_cvss out = {-1, -1, -1};
    size_t i, n;
    yyjson_val *v;
    yyjson_arr_foreach(list, i, n, v)
    {
        yyjson_val *v3 = json_get(v, "cvss_v3");
        out.base = more(out.base, part(v3, "base_score"));
        out.exploitability = more(out.exploitability, part(v3, "exploitability_score"));
        out.impact = more(out.impact, part(v3, "impact_score"));
    }
    return out;
}

static const str *words(struct maker *m, yyjson_val *list, size_t *n)
{
    size_t i, max;
    yyjson_val *v;
    str *out = arena_calloc(m->a, yyjson_arr_size(list) + 1, sizeof *out);
    *n = 0;
    if (!out)
        return NULL;
    yyjson_arr_foreach(list, i, max, v) out[(*n)++] = keep(m, json_text(v));
    return out;
}

static const str *fixes(struct maker *m, str text, size_t *n)
{
    size_t count = 1;
    for (size_t i = 0; i < text.n; i++)
        count += text.p[i] == ',';
    str *out = arena_calloc(m->a, count, sizeof *out), rest = keep(m, text);
    *n = 0;
    while (out && rest.n)
        out[(*n)++] = str_split(&rest, ',');
    return out;
}

static void fill(struct maker *m, yyjson_val *row, struct policy_finding *v)
{
    *v = (struct policy_finding){
        .id = keep(m, json_str(row, "vuln")),
        .name = keep(m, json_str(row, "package_name")),
        .version = keep(m, json_str(row, "package_version")),
        .type = keep(m, json_str(row, "package_type")),
        .location = keep(m, json_str(row, "package_path")),
        .severity = keep(m, json_str(row, "severity")),
        .url = keep(m, json_str(row, "url")),
        .feed = keep(m, json_str(row, "feed")),
        .group = keep(m, json_str(row, "feed_group")),
        .will_not_fix = yyjson_is_true(json_get(row, "will_not_fix")),
        .detected_us = yyjson_get_sint(json_get(row, "detected_at")),
        .fix_observed_us = yyjson_get_sint(json_get(row, "fix_observed_at")),
        .nvd = highest(json_get(row, "nvd_data")),
        .vendor = highest(json_get(row, "vendor_data")),
        .kev = yyjson_is_true(json_get(row, "kev")),
        .epss = part(row, "epss"),
        .epss_percentile = part(row, "epss_percentile"),
        .vex_status = STR(""),
        .repeated = yyjson_is_true(json_get(row, "repeated")),
    };
    v->aliases = words(m, json_get(row, "aliases"), &v->n_aliases);
    v->fix_versions = fixes(m, json_str(row, "fix"), &v->n_fix_versions);
    set_package(m, json_str(row, "package_group"), v);
}

static int by_severity(const void *a, const void *b)
{
    const struct policy_finding *x = a, *y = b;
    int sx = (int)severity_from_word(x->severity), sy = (int)severity_from_word(y->severity);
    if (sx != sy)
        return sx > sy ? -1 : 1;
    int rc = str_cmp(x->id, y->id);
    rc = rc ? rc : str_cmp(x->name, y->name);
    rc = rc ? rc : str_cmp(x->version, y->version);
    rc = rc ? rc : str_cmp(x->location, y->location);
    rc = rc ? rc : str_cmp(x->group, y->group);
    return rc ? rc : (x->package > y->package) - (x->package < y->package);
}

/* ---- what the data cover -----------------------------------------------------------------------
 */

bool policy_covers_distro(const struct vulndb *db, const struct release_info *r, struct buf *out)
{
    const struct distro_family *d = distro_resolve(r->id, r->id_like);
    size_t at = out->n;
    if (!d || !db)
        return false;
    platform_name(d, r->version_id, r->codename, out);
    if (vulndb_covers(db, (str){out->p + at, out->n - at}, STR("")))
        return true;
    out->n = at;
    if (platform_claims_from(d, r->version_id, r->codename, out) &&
        vulndb_covers(db, (str){out->p + at, out->n - at}, STR("")))
        return true;
    out->n = at;
    return false;
}

/* As the report names them: files that a covered distribution's package installed are in good
 * hands, and for the others a package's type says what there are data for. */
static int list_uncovered(struct maker *m, const struct inventory *inv, const struct vulndb *db)
{
    const struct package_type *seen[TYPES_MAX];
    struct match_host host;
    str *list = arena_calloc(m->a, TYPES_MAX, sizeof *list);
    size_t n = 0, n_seen = 0;
    int rc = list ? match_host_resolve(db, &inv->release, m->a, &host, m->e) : err_no_memory(m->e);
    for (size_t i = 0; rc == 0 && i < inv->n_packages && n_seen < TYPES_MAX; i++) {
        const struct package *p = &inv->packages[i].p;
        struct match_target t;
        size_t k = 0;
        while (k < n_seen && seen[k] != p->type)
            k++;
        if (k < n_seen || (inv->packages[i].owner.n && host.covered))
            continue;
        seen[n_seen++] = p->type;
        rc = match_target_of(db, &host, p, m->a, &t, m->e);
        if (rc == 0 && t.uncovered.n)
            list[n++] = t.uncovered;
    }
    m->f->findings.uncovered = list;
    m->f->findings.n_uncovered = n ? str_sort_unique(list, n) : 0;
    return rc;
}

/* ---- the whole ---------------------------------------------------------------------------------
 */

static int make(struct maker *m, yyjson_val *rows)
{
    size_t i, max, n = 0;
    yyjson_val *row;
    struct policy_finding *list = arena_calloc(m->a, yyjson_arr_size(rows) + 1, sizeof *list);
    if (!list)
        return err_no_memory(m->e);
    yyjson_arr_foreach(rows, i, max, row)
    {
        if (yyjson_is_true(json_get(row, "shadowed")))
            continue;
        /* What rules say of paths would be wrong. */
        if (json_get(row, "places_left_out"))
            return err_set(m->e, ERR_LIMIT,
                           "policies cannot judge the image: packages with findings stand at too "
                           "many places (more than %d rows for those beyond the first)",
                           VULN_ROWS_REPEATED_MAX);
        fill(m, row, &list[n++]);
    }
    if (n)
        qsort(list, n, sizeof *list, by_severity);
    m->f->findings.items = list;
    m->f->findings.n = n;
    return m->a->full ? err_set(m->e, ERR_LIMIT, "an image's findings take more than %d MiB",
                                FINDINGS_MAX >> 20)
                      : 0;
}

int finding_facts_new(yyjson_val *rows, const struct policy_image_facts *image,
                      const struct inventory *inv, const struct vulndb *db,
                      struct finding_facts **out, struct err *e)
{
    struct finding_facts *f = calloc(1, sizeof *f);
    if (!f)
        return err_no_memory(e);
    arena_init(&f->arena, FINDINGS_MAX);
    struct maker m = {.f = f, .a = &f->arena, .image = image, .e = e};
    map_init(&m.packages);
    arena_init(&m.keys, FINDINGS_MAX);
    int rc = index_packages(&m);
    if (rc == 0)
        rc = make(&m, rows);
    if (rc == 0)
        rc = list_uncovered(&m, inv, db);
    map_done(&m.packages);
    arena_done(&m.keys);
    if (rc < 0)
        finding_facts_free(f);
    else
        *out = f;
    return rc;
}

void finding_facts_free(struct finding_facts *f)
{
    if (!f)
        return;
    arena_done(&f->arena);
    free(f);
}

/* ---- what registries know ----------------------------------------------------------------------
 */

static int upstream_lookup(void *ctx, str name, const str **versions, size_t *n, struct err *e)
{
    struct upstream_source *u = ctx;
    str text = STR("");
    auto_json *doc = NULL;
    *n = 0;
    int rc = vulndb_text(u->db, str_z(u->source), name, u->arena, &text, e);
    if (rc < 0 || !text.n)
        return rc < 0 ? rc : 0;
    rc = json_parse(text, "a record of the packages feed", &doc, e);
    if (rc < 0)
        return rc;
    yyjson_val *root = yyjson_doc_get_root(doc), *list = json_get(root, "versions"), *v;
    size_t i, max;
    str *out = arena_calloc(u->arena, yyjson_arr_size(list) + 1, sizeof *out);
    if (!out)
        return err_no_memory(e);
    out[(*n)++] = arena_dup(u->arena, json_str(root, "latest"));
    yyjson_arr_foreach(list, i, max, v) out[(*n)++] = arena_dup(u->arena, json_text(v));
    *versions = out;
    return 1;
}

bool upstream_source_open(struct upstream_source *u, struct policy_upstream *out)
{
    size_t n = 0;
    const struct vulndb_source *list = u->db ? vulndb_sources(u->db, &n) : NULL;
    for (size_t i = 0; i < n; i++)
        if (str_eq(list[i].name, str_z(u->source))) {
            *out = (struct policy_upstream){upstream_lookup, u};
            return true;
        }
    return false;
}
