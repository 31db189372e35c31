#include "services/policy_engine/vuln_rows.h"

#include "base/auto.h"
#include "base/map.h"
#include "match/finding.h"
#include "services/package_places.h"

enum {
    SCRATCH_MAX = 512 << 20,
    CONTENT_MAX = 256 << 20,
    CPES_MAX = 256,
};

const char *const vuln_row_hidden[] = {
    "aliases", "shadowed",        "repeated",    "package_group",   "kev",
    "epss",    "epss_percentile", "detected_at", "fix_observed_at", NULL};

static const struct {
    const char *type, *shown, *content; /* content: document with locations; NULL: none */
    bool os;
} shown_types[] = {
    {"apk", "APKG", NULL, true},
    {"deb", "dpkg", NULL, true},
    {"rpm", "rpm", NULL, true},
    {"alpm", "alpm", NULL, true},
    {"npm", "npm", "npm", false},
    {"python", "python", "python", false},
    {"gem", "gem", "gem", false},
    {"java-archive", "java", "java", false},
    {"jenkins-plugin", "java", "java", false},
    {"go-module", "go", "go", false},
    {"rust-crate", "rust-crate", "binary", false},
    {"binary", "binary", "binary", false},
};

static size_t shown_index(const struct package_type *t)
{
    size_t i = 0;
    while (i < KE_ARRAY_LEN(shown_types) && strcmp(shown_types[i].type, t->name) != 0)
        i++;
    return i;
}

const char *package_type_shown(const struct package_type *t)
{
    size_t i = shown_index(t);
    return i < KE_ARRAY_LEN(shown_types) ? shown_types[i].shown : t->name;
}

bool package_type_is_os(str shown)
{
    for (size_t i = 0; i < KE_ARRAY_LEN(shown_types); i++)
        if (str_eq(str_z(shown_types[i].shown), shown))
            return shown_types[i].os;
    return false;
}

/* ---- building ----------------------------------------------------------------------------------
 */

struct shown_place {
    str location; /* as the API shows it */
    yyjson_val *content;
};

struct rows {
    const struct vulndb *db;
    const struct inventory *inv;
    struct content_reader content;
    yyjson_doc *contents[KE_ARRAY_LEN(shown_types)]; /* read when first needed */
    bool read[KE_ARRAY_LEN(shown_types)];
    struct map by_place; /* the content's rows: by package, and by package and place */
    struct package_shown {
        const struct shown_place *places; /* NULL: not asked for yet */
        size_t n;
    } * shown; /* of each package */
    size_t repeated;
    yyjson_mut_doc *doc;
    yyjson_mut_val *out;
    struct map scores; /* CVE -> struct nvd_scores */
    struct arena scratch;
    struct err *e;
};

static void put(struct rows *r, yyjson_mut_val *o, const char *key, str v)
{
    if (v.n)
        yyjson_mut_obj_add_strncpy(r->doc, o, key, v.p, v.n);
    else
        yyjson_mut_obj_add_str(r->doc, o, key, "None");
}

static str content_key(struct rows *r, size_t type, str name, str version)
{
    return arena_printf(&r->scratch, "%zu %.*s\n%.*s", type, STR_ARG(name), STR_ARG(version));
}

static str place_key(struct rows *r, str package, str place)
{
    return arena_printf(&r->scratch, "%.*s\n%.*s", STR_ARG(package), STR_ARG(place));
}

static int index_content(struct rows *r, size_t type, const struct package_type *t)
{
    yyjson_val *root = yyjson_doc_get_root(r->contents[type]), *row;
    size_t i, n;
    yyjson_arr_foreach(yyjson_is_arr(root) ? root : json_get(root, "content"), i, n, row)
    {
        str version = json_str(row, "version");
        str key = content_key(r, type, json_str(row, "package"),
                              str_eq(version, STR("*")) ? STR("") : version);
        str at = place_key(r, key, package_place_of_location(t, json_str(row, "location")));
        void **any = at.p ? map_slot(&r->by_place, key) : NULL;
        if (!any)
            return err_no_memory(r->e);
        if (!*any)
            *any = row;
        if (!map_put(&r->by_place, at, row))
            return err_no_memory(r->e);
    }
    return 0;
}

/* Reads the content of a package's type when it is first asked for; -1: there is none. */
static ptrdiff_t content_of(struct rows *r, const struct package_type *t, int *rc)
{
    size_t i = shown_index(t);
    if (i == KE_ARRAY_LEN(shown_types) || !shown_types[i].content)
        return -1;
    if (!r->read[i]) {
        auto_buf text;
        buf_init(&text, CONTENT_MAX);
        r->read[i] = true;
        struct err ignored;
        if (r->content.read &&
            r->content.read(r->content.ctx, shown_types[i].content, &text, &ignored) == 1)
            json_parse(buf_view(&text), shown_types[i].content, &r->contents[i], NULL);
        *rc = index_content(r, i, t);
    }
    return (ptrdiff_t)i;
}

static void show_place(struct rows *r, ptrdiff_t type, const struct package *p,
                       const struct package_place *at, struct shown_place *out)
{
    str key = type < 0 ? STR("") : content_key(r, (size_t)type, p->name, p->version);
    yyjson_val *row = type < 0 ? NULL : map_get(&r->by_place, place_key(r, key, at->place));
    out->content = row || type < 0 ? row : map_get(&r->by_place, key);
    out->location = json_str(row, "location");
    if (!out->location.n)
        out->location = arena_printf(&r->scratch, "/%.*s", STR_ARG(at->path));
    if (!p->type->ecosystem)
        out->location = STR("pkgdb");
}

/* Where a package is shown; what its content says of it stands with each place. */
static int places_of(struct rows *r, uint32_t package, struct package_shown **out)
{
    const struct inv_package *ip = &r->inv->packages[package];
    struct package_shown *s = *out = &r->shown[package];
    size_t n;
    int rc = 0;
    if (s->places)
        return 0;
    const struct package_place *places = package_places(ip, &r->scratch, &n);
    struct shown_place *list = arena_calloc(&r->scratch, n, sizeof *list);
    if (!places || !list)
        return err_no_memory(r->e);
    ptrdiff_t type = ip->p.type->ecosystem ? content_of(r, ip->p.type, &rc) : -1;
    for (size_t i = 0; rc >= 0 && i < n; i++)
        show_place(r, type, &ip->p, &places[i], &list[i]);
    s->places = list;
    s->n = n;
    return rc;
}

static int scores_of(struct rows *r, str cve, const struct nvd_scores **out)
{
    void **slot = map_slot(&r->scores, cve);
    if (!slot)
        return err_no_memory(r->e);
    if (!*slot) {
        struct nvd_scores *s = arena_new(&r->scratch, struct nvd_scores);
        if (!s)
            return err_no_memory(r->e);
        *slot = s;
        int rc = nvd_scores_of(r->db, cve, &r->scratch, s, r->e);
        if (rc < 0)
            return rc;
    }
    *out = *slot;
    return 0;
}

static void put_parts(struct rows *r, yyjson_mut_val *o, const char *key, struct cvss_parts p)
{
    yyjson_mut_val *v = yyjson_mut_obj(r->doc);
    yyjson_mut_obj_add_real(r->doc, v, "base_score", p.base);
    yyjson_mut_obj_add_real(r->doc, v, "exploitability_score", p.exploitability);
    yyjson_mut_obj_add_real(r->doc, v, "impact_score", p.impact);
    yyjson_mut_obj_add_val(r->doc, o, key, v);
}

static int add_scores(struct rows *r, yyjson_mut_val *list, str cve)
{
    const struct nvd_scores *s = NULL;
    if (!str_starts(cve, STR("CVE-")))
        return 0;
    int rc = scores_of(r, cve, &s);
    if (rc < 0 || !s->any)
        return rc;
    yyjson_mut_val *o = yyjson_mut_arr_add_obj(r->doc, list);
    put_parts(r, o, "cvss_v2", s->v2);
    put_parts(r, o, "cvss_v3", s->v3);
    yyjson_mut_obj_add_strncpy(r->doc, o, "id", cve.p, cve.n);
    return 0;
}

static yyjson_mut_val *add_row(struct rows *r, const struct package *p, str location)
{
    yyjson_mut_val *o = yyjson_mut_arr_add_obj(r->doc, r->out);
    auto_buf text;
    buf_init(&text, 1 << 20);
    buf_addf(&text, "%.*s-%.*s", STR_ARG(p->name), STR_ARG(p->version));
    put(r, o, "package", buf_view(&text));
    put(r, o, "package_name", p->name);
    put(r, o, "package_version", p->version);
    put(r, o, "package_type", str_z(package_type_shown(p->type)));
    put(r, o, "package_path", location);
    if (p->group.n)
        put(r, o, "package_group", p->group);
    return o;
}

/* The row once more for each other place of its package. */
static int repeat_row(struct rows *r, yyjson_mut_val *row, const struct package_shown *s)
{
    for (size_t i = 1; i < s->n; i++) {
        yyjson_mut_val *o = yyjson_mut_val_mut_copy(r->doc, row);
        str at = s->places[i].location;
        if (r->repeated == VULN_ROWS_REPEATED_MAX) {
            bool ok = yyjson_mut_obj_add_uint(r->doc, row, "places_left_out", s->n - i);
            return ok ? 0 : err_no_memory(r->e);
        }
        r->repeated++;
        if (!yyjson_mut_obj_put(o, yyjson_mut_str(r->doc, "package_path"),
                                yyjson_mut_strncpy(r->doc, at.p, at.n)) ||
            !yyjson_mut_obj_add_bool(r->doc, o, "repeated", true) ||
            !yyjson_mut_arr_append(r->out, o))
            return err_no_memory(r->e);
    }
    return 0;
}

static const char *group_of_ecosystem(str ecosystem)
{
    static const struct {
        const char *ecosystem, *group;
    } groups[] = {
        {"PyPI", "github:python"}, {"npm", "github:npm"},        {"RubyGems", "github:gem"},
        {"Maven", "github:java"},  {"Go", "github:go"},          {"Packagist", "github:composer"},
        {"NuGet", "github:nuget"}, {"crates.io", "github:rust"},
    };
    for (size_t i = 0; i < KE_ARRAY_LEN(groups); i++)
        if (str_eq(str_z(groups[i].ecosystem), ecosystem))
            return groups[i].group;
    return NULL;
}

static void put_group(struct rows *r, yyjson_mut_val *o, const struct finding *f, bool distro)
{
    const char *group = distro ? NULL : group_of_ecosystem(f->platform);
    put(r, o, "feed", STR("vulnerabilities"));
    if (distro)
        put(r, o, "feed_group", f->platform);
    else if (group && str_starts(f->advisory, STR("GHSA-")))
        put(r, o, "feed_group", str_z(group));
    else
        put(r, o, "feed_group", arena_printf(&r->scratch, "osv:%.*s", STR_ARG(f->platform)));
}

static void put_fix(struct rows *r, yyjson_mut_val *o, const struct finding *f)
{
    auto_buf text;
    buf_init(&text, 1 << 20);
    for (size_t i = 0; i < f->n_fix_versions; i++)
        buf_addf(&text, i ? ",%.*s" : "%.*s", STR_ARG(f->fix_versions[i]));
    put(r, o, "fix", buf_view(&text));
    yyjson_mut_obj_add_bool(r->doc, o, "will_not_fix",
                            f->fix_state == FIX_WONT_FIX || f->fix_state == FIX_END_OF_LIFE);
}

static str url_of(struct rows *r, const struct finding *f, str shown)
{
    if (f->url.n || !str_starts(shown, STR("CVE-")))
        return f->url;
    return arena_printf(&r->scratch, "https://nvd.nist.gov/vuln/detail/%.*s", STR_ARG(shown));
}

/* What the advisory's own publisher says. */
static int add_vendor_scores(struct rows *r, yyjson_mut_val *list, const struct finding *f)
{
    struct db_vuln *vulns;
    size_t n = 0;
    int rc = vulndb_vuln(r->db, f->advisory, &r->scratch, &vulns, &n, r->e);
    for (size_t i = 0; rc >= 0 && i < n; i++) {
        struct cvss_parts v3 = cvss_parts_v3(cvss_of_version3(vulns[i].vuln.cvss_vector));
        if (v3.base < 0 || !str_eq(vulns[i].source, f->source))
            continue;
        yyjson_mut_val *v = yyjson_mut_arr_add_obj(r->doc, list);
        put_parts(r, v, "cvss_v2", (struct cvss_parts){-1, -1, -1});
        put_parts(r, v, "cvss_v3", v3);
        put(r, v, "id", f->advisory);
        break;
    }
    return rc < 0 ? rc : 0;
}

/* Other ids of the finding: for questions, not for reports. */
static void put_aliases(struct rows *r, yyjson_mut_val *o, const struct finding *f, str shown)
{
    yyjson_mut_val *list = yyjson_mut_obj_add_arr(r->doc, o, "aliases");
    if (!str_eq(f->id, shown))
        yyjson_mut_arr_add_strncpy(r->doc, list, f->id.p, f->id.n);
    for (size_t i = 0; i < f->n_aliases; i++)
        if (!str_eq(f->aliases[i], shown))
            yyjson_mut_arr_add_strncpy(r->doc, list, f->aliases[i].p, f->aliases[i].n);
}

/* How likely it is to be exploited, where anyone says so. */
static int put_exploitation(struct rows *r, yyjson_mut_val *o, const struct finding *f)
{
    struct db_vuln *vulns;
    size_t n = 0;
    if (f->kev)
        yyjson_mut_obj_add_bool(r->doc, o, "kev", true);
    if (f->epss_score < 0)
        return 0;
    yyjson_mut_obj_add_real(r->doc, o, "epss", f->epss_score / 1e6);
    int rc = vulndb_vuln(r->db, f->id, &r->scratch, &vulns, &n, r->e);
    for (size_t i = 0; rc >= 0 && i < n; i++)
        if (vulns[i].vuln.epss_percentile >= 0) {
            yyjson_mut_obj_add_real(r->doc, o, "epss_percentile",
                                    vulns[i].vuln.epss_percentile / 1e6);
            break;
        }
    return rc < 0 ? rc : 0;
}

static int finding_row(struct rows *r, const struct finding *f)
{
    const struct package *p = &r->inv->packages[f->package].p;
    bool distro = !p->type->ecosystem;
    str shown = !distro && str_starts(f->advisory, STR("GHSA-")) ? f->advisory : f->id;
    struct package_shown *places;
    int rc = places_of(r, f->package, &places);
    if (rc < 0)
        return rc;
    yyjson_mut_val *o = add_row(r, p, places->places[0].location);
    yyjson_mut_val *nvd = yyjson_mut_arr(r->doc), *vendor = yyjson_mut_arr(r->doc);
    put(r, o, "vuln", shown);
    put(r, o, "severity", str_z(severity_name(f->severity)));
    put(r, o, "url", url_of(r, f, shown));
    put(r, o, "package_cpe", STR(""));
    put(r, o, "package_cpe23", STR(""));
    put_group(r, o, f, distro);
    put_fix(r, o, f);
    put_aliases(r, o, f, shown);
    rc = put_exploitation(r, o, f);
    if (rc == 0)
        rc = add_scores(r, nvd, f->id);
    for (size_t i = 0; rc == 0 && i < f->n_aliases; i++)
        rc = add_scores(r, nvd, f->aliases[i]);
    if (rc == 0 && str_starts(shown, STR("GHSA-")))
        rc = add_vendor_scores(r, vendor, f);
    yyjson_mut_obj_add_val(r->doc, o, "nvd_data", nvd);
    yyjson_mut_obj_add_val(r->doc, o, "vendor_data", vendor);
    return rc < 0 ? rc : repeat_row(r, o, places);
}

/* ---- the NVD's CPEs ----------------------------------------------------------------------------
 */

struct cpe {
    str vendor, product;
};

static str cpe_field(str *rest)
{
    size_t i = 0;
    while (i < rest->n && rest->p[i] != ':')
        i += rest->p[i] == '\\' ? 2 : 1;
    str field = str_sub(*rest, 0, i);
    *rest = str_from(*rest, i + 1);
    return field;
}

/* Of each product that the package's CPEs name, the last vendor in byte order. */
static size_t cpe_candidates(yyjson_val *content, struct cpe out[CPES_MAX])
{
    size_t i, max, n = 0, k;
    yyjson_val *item;
    yyjson_arr_foreach(json_get(content, "cpes"), i, max, item)
    {
        str rest = json_text(item);
        if (!str_starts(rest, STR("cpe:2.3:a:")))
            continue;
        rest = str_from(rest, STR("cpe:2.3:a:").n);
        str vendor = cpe_field(&rest), product = cpe_field(&rest);
        for (k = 0; k < n && !str_eq(out[k].product, product);)
            k++;
        if (k == n && n < CPES_MAX)
            out[n++] = (struct cpe){vendor, product};
        else if (k < n && str_cmp(out[k].vendor, vendor) < 0)
            out[k].vendor = vendor;
    }
    return n;
}

static bool named_by_advisory(const struct findings *f, uint32_t package, str cve)
{
    for (size_t i = 0; i < f->n; i++) {
        if (f->items[i].package != package)
            continue;
        if (str_eq(f->items[i].id, cve))
            return true;
        for (size_t k = 0; k < f->items[i].n_aliases; k++)
            if (str_eq(f->items[i].aliases[k], cve))
                return true;
    }
    return false;
}

static int cpe_row(struct rows *r, const struct package *p, const struct package_shown *places,
                   const struct cpe *cpe, const struct db_claim *c, bool shadowed)
{
    yyjson_mut_val *o = add_row(r, p, places->places[0].location), *nvd = yyjson_mut_arr(r->doc);
    put(r, o, "vuln", c->vuln.id);
    put(r, o, "severity", str_z(severity_name(c->claim.severity)));
    put(r, o, "url", c->vuln.url);
    put(r, o, "fix", STR(""));
    put(r, o, "feed", STR("nvdv2"));
    put(r, o, "feed_group", STR("nvdv2:cves"));
    put(r, o, "package_cpe",
        arena_printf(&r->scratch, "cpe:a:%.*s:%.*s:%.*s:*:*", STR_ARG(cpe->vendor),
                     STR_ARG(cpe->product), STR_ARG(p->version)));
    put(r, o, "package_cpe23",
        arena_printf(&r->scratch, "cpe:2.3:a:%.*s:%.*s:%.*s:*:*:-:-:-:-:-", STR_ARG(cpe->vendor),
                     STR_ARG(cpe->product), STR_ARG(p->version)));
    yyjson_mut_obj_add_bool(r->doc, o, "will_not_fix", false);
    if (shadowed)
        yyjson_mut_obj_add_bool(r->doc, o, "shadowed", true);
    int rc = add_scores(r, nvd, c->vuln.id);
    yyjson_mut_obj_add_val(r->doc, o, "nvd_data", nvd);
    yyjson_mut_obj_add_val(r->doc, o, "vendor_data", yyjson_mut_arr(r->doc));
    return rc < 0 ? rc : repeat_row(r, o, places);
}

static int cpe_rows(struct rows *r, const struct findings *f, uint32_t package)
{
    const struct package *p = &r->inv->packages[package].p;
    struct package_shown *places;
    int rc = places_of(r, package, &places);
    if (rc < 0)
        return rc;
    struct cpe candidates[CPES_MAX];
    size_t n = cpe_candidates(places->places[0].content, candidates);
    struct map told;
    map_init(&told);
    for (size_t i = 0; rc >= 0 && i < n; i++) {
        struct db_claim *claims;
        size_t n_claims = 0;
        rc = vulndb_lookup(r->db, STR(""), STR("CPE"), candidates[i].product, p->version,
                           &r->scratch, &claims, &n_claims, r->e);
        for (size_t k = 0; rc >= 0 && k < n_claims; k++) {
            str cve = claims[k].vuln.id;
            if (map_get(&told, cve))
                continue;
            rc = map_put(&told, cve, r) ? cpe_row(r, p, places, &candidates[i], &claims[k],
                                                  named_by_advisory(f, package, cve))
                                        : err_no_memory(r->e);
        }
    }
    map_done(&told);
    return rc;
}

/* ---- the whole ---------------------------------------------------------------------------------
 */

/* Two CVEs of one advisory about one package are one row. Findings of a package need not stand
 * together. */
static bool shown_before(struct rows *r, struct map *told, const struct finding *f, int *rc)
{
    if (!str_starts(f->advisory, STR("GHSA-")))
        return false;
    str key = arena_printf(&r->scratch, "%u %.*s", f->package, STR_ARG(f->advisory));
    void **slot = map_slot(told, key);
    if (!slot)
        *rc = err_no_memory(r->e);
    bool before = slot && *slot;
    if (slot)
        *slot = r;
    return before;
}

static int all_rows(struct rows *r, const struct findings *f)
{
    struct map told;
    map_init(&told);
    int rc = 0;
    for (size_t i = 0; rc >= 0 && i < f->n; i++)
        if (!shown_before(r, &told, &f->items[i], &rc) && rc >= 0)
            rc = finding_row(r, &f->items[i]);
    map_done(&told);
    bool cpes = vulndb_covers(r->db, STR(""), STR("CPE"));
    for (size_t i = 0; cpes && rc >= 0 && i < r->inv->n_packages; i++)
        if (r->inv->packages[i].p.type->ecosystem)
            rc = cpe_rows(r, f, (uint32_t)i);
    return rc;
}

int vuln_rows(const struct vulndb *db, const struct inventory *inv, struct content_reader content,
              yyjson_mut_doc *doc, yyjson_mut_val **out, struct err *e)
{
    struct rows r = {
        .db = db, .inv = inv, .content = content, .doc = doc, .out = yyjson_mut_arr(doc), .e = e};
    struct findings *findings = NULL;
    *out = r.out;
    if (!db || !r.out)
        return r.out ? 0 : err_no_memory(e);
    arena_init(&r.scratch, SCRATCH_MAX);
    map_init(&r.scores);
    map_init(&r.by_place);
    r.shown = arena_calloc(&r.scratch, inv->n_packages + 1, sizeof *r.shown);
    int rc = r.shown ? match_inventory(db, inv, &findings, e) : err_no_memory(e);
    if (rc >= 0)
        rc = all_rows(&r, findings);
    findings_free(findings);
    if (rc >= 0 && r.scratch.full)
        rc = err_set(e, ERR_LIMIT, "an image's vulnerability rows take more than %d MiB",
                     SCRATCH_MAX >> 20);
    map_done(&r.scores);
    map_done(&r.by_place);
    arena_done(&r.scratch);
    for (size_t i = 0; i < KE_ARRAY_LEN(r.contents); i++)
        yyjson_doc_free(r.contents[i]);
    return rc < 0 ? rc : 0;
}
