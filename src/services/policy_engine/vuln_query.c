#include "services/policy_engine/vuln_query.h"

#include "base/map.h"
#include "services/policy_engine/feed_sync.h"
#include "services/policy_engine/vuln_rows.h"

enum { SCRATCH_MAX = 512 << 20 };

struct query {
    const struct vulndb *db;
    const struct vuln_query *q;
    yyjson_mut_doc *doc;
    yyjson_mut_val *out;
    struct arena scratch;
    struct err *e;
};

static bool listed(str list, str word)
{
    while (list.n)
        if (str_eq(str_trim(str_split(&list, ',')), word))
            return true;
    return false;
}

static void put(struct query *q, yyjson_mut_val *o, const char *key, str v)
{
    if (v.p)
        yyjson_mut_obj_add_strncpy(q->doc, o, key, v.p, v.n);
    else
        yyjson_mut_obj_add_null(q->doc, o, key);
}

static void add_package(struct query *q, yyjson_mut_val *list, str name, str type, str version,
                        bool wont)
{
    yyjson_mut_val *o = yyjson_mut_arr_add_obj(q->doc, list);
    put(q, o, "name", name);
    put(q, o, "type", type);
    put(q, o, "version", version.n ? version : STR("None"));
    yyjson_mut_obj_add_bool(q->doc, o, "will_not_fix", wont);
}

/* Does the record's list hold the package that was asked for? */
static bool packages_wanted(const struct query *q, yyjson_mut_val *list)
{
    size_t i, n;
    yyjson_mut_val *p;
    if (!q->q->package.n)
        return true;
    yyjson_mut_arr_foreach(list, i, n, p)
    {
        str name = str_z(yyjson_mut_get_str(yyjson_mut_obj_get(p, "name")));
        str version = str_z(yyjson_mut_get_str(yyjson_mut_obj_get(p, "version")));
        if (str_eq(name, q->q->package) &&
            (!q->q->package_version.n || str_eq(version, q->q->package_version)))
            return true;
    }
    return false;
}

/* ---- the NVD's data of a CVE -------------------------------------------------------------------
 */

static void put_parts(struct query *q, yyjson_mut_val *o, const char *key, struct cvss_parts p,
                      str vector, const char *version)
{
    yyjson_mut_val *v = yyjson_mut_obj_add_obj(q->doc, o, key);
    yyjson_mut_val *m = yyjson_mut_obj(q->doc);
    yyjson_mut_obj_add_real(q->doc, m, "base_score", p.base);
    yyjson_mut_obj_add_real(q->doc, m, "exploitability_score", p.exploitability);
    yyjson_mut_obj_add_real(q->doc, m, "impact_score", p.impact);
    yyjson_mut_obj_add_obj(q->doc, v, "additional_information");
    yyjson_mut_obj_add_val(q->doc, v, "base_metrics", m);
    put(q, v, "vector_string", p.base >= 0 ? vector : STR("None"));
    yyjson_mut_obj_add_str(q->doc, v, "version", p.base >= 0 ? version : "None");
}

static void put_cvss(struct query *q, yyjson_mut_val *o, const char *key, yyjson_val *record,
                     const char *version)
{
    yyjson_val *cvss = json_get(record, key);
    if (yyjson_is_obj(cvss))
        yyjson_mut_obj_add_val(q->doc, o, key, yyjson_val_mut_copy(q->doc, cvss));
    else
        put_parts(q, o, key, (struct cvss_parts){-1, -1, -1}, STR(""), version);
}

static const struct db_vuln *of_source(const struct db_vuln *vulns, size_t n, str source)
{
    for (size_t i = 0; i < n; i++)
        if (str_eq(vulns[i].source, source))
            return &vulns[i];
    return NULL;
}

static int add_nvd_data(struct query *q, yyjson_mut_val *list, str cve)
{
    struct db_vuln *vulns;
    size_t n;
    str text = STR("");
    auto_json *doc = NULL;
    int r = vulndb_vuln(q->db, cve, &q->scratch, &vulns, &n, q->e);
    const struct db_vuln *v = r < 0 ? NULL : of_source(vulns, n, STR("nvd"));
    if (!v || (!v->vuln.cvss_vector.n && v->vuln.cvss_score10 < 0))
        return r;
    r = vulndb_text(q->db, STR("nvd"), cve, &q->scratch, &text, q->e);
    if (r < 0)
        return r;
    yyjson_mut_val *o = yyjson_mut_arr_add_obj(q->doc, list);
    put(q, o, "id", cve);
    if (str_starts(text, STR("{")) && json_parse(text, "a record", &doc, NULL) == 0) {
        put_cvss(q, o, "cvss_v2", yyjson_doc_get_root(doc), "2.0");
        put_cvss(q, o, "cvss_v3", yyjson_doc_get_root(doc), "3.0");
        return 0;
    }
    struct nvd_scores s;
    r = nvd_scores_of(q->db, cve, &q->scratch, &s, q->e);
    put_parts(q, o, "cvss_v2", s.v2, v->vuln.cvss_vector, "2.0");
    put_parts(q, o, "cvss_v3", s.v3, v->vuln.cvss_vector, "3.1");
    return r;
}

/* ---- a record ----------------------------------------------------------------------------------
 */

struct record {
    str id, namespace, link, description, severity;
    yyjson_mut_val *packages, *references; /* references NULL: null */
    const str *cves;
    size_t n_cves;
};

static bool namespace_wanted(const struct query *q, str namespace)
{
    return !q->q->namespaces.n || listed(q->q->namespaces, namespace);
}

static int add_record(struct query *q, const struct record *rec)
{
    if (!namespace_wanted(q, rec->namespace) || !packages_wanted(q, rec->packages))
        return 0;
    yyjson_mut_val *o = yyjson_mut_arr_add_obj(q->doc, q->out);
    yyjson_mut_val *nvd = yyjson_mut_arr(q->doc);
    put(q, o, "id", rec->id);
    put(q, o, "namespace", rec->namespace);
    put(q, o, "link", rec->link);
    put(q, o, "description", rec->description);
    put(q, o, "severity", rec->severity);
    yyjson_mut_obj_add_val(q->doc, o, "affected_packages", rec->packages);
    yyjson_mut_obj_add_val(q->doc, o, "references",
                           rec->references ? rec->references : yyjson_mut_null(q->doc));
    int r = 0;
    for (size_t i = 0; r >= 0 && i < rec->n_cves; i++)
        r = add_nvd_data(q, nvd, rec->cves[i]);
    yyjson_mut_obj_add_val(q->doc, o, "nvd_data", nvd);
    yyjson_mut_obj_add_val(q->doc, o, "vendor_data", yyjson_mut_arr(q->doc));
    return r;
}

/* ---- records of the old feed service, which the data hold as they came ------------------------
 */

static str cpe_part(str cpe, int k)
{
    str part = STR("");
    for (int i = 0; i <= k; i++)
        part = str_split(&cpe, ':');
    return part;
}

static int nvd_record(struct query *q, str id, yyjson_val *val)
{
    enum { PRODUCT = 4, VERSION, SOFTWARE = 10 };
    size_t i, n;
    yyjson_val *cpe;
    yyjson_val *texts = json_at(val, "cve", "description", "description_data", NULL);
    yyjson_val *references = json_get(val, "external_references");
    struct record rec = {
        .id = id,
        .namespace = STR("nvdv2:cves"),
        .link = arena_printf(&q->scratch, "https://nvd.nist.gov/vuln/detail/%.*s", STR_ARG(id)),
        .description = json_str(yyjson_arr_get_first(texts), "value"),
        .severity = json_str(val, "severity"),
        .packages = yyjson_mut_arr(q->doc),
        .references = references ? yyjson_val_mut_copy(q->doc, references) : NULL,
        .cves = &id,
        .n_cves = 1,
    };
    yyjson_arr_foreach(json_get(val, "vulnerable_cpes"), i, n, cpe)
    {
        str text = json_text(cpe);
        add_package(q, rec.packages, cpe_part(text, PRODUCT), cpe_part(text, SOFTWARE),
                    cpe_part(text, VERSION), false);
    }
    return add_record(q, &rec);
}

static int distro_record(struct query *q, str id, str namespace, yyjson_val *val)
{
    size_t i, n;
    yyjson_val *fix;
    struct record rec = {
        .id = id,
        .namespace = namespace,
        .link = json_str(val, "Link"),
        .severity = json_str(val, "Severity"),
        .packages = yyjson_mut_arr(q->doc),
        .cves = &id,
        .n_cves = 1,
    };
    yyjson_arr_foreach(json_get(val, "FixedIn"), i, n, fix)
    {
        add_package(q, rec.packages, json_str(fix, "Name"), json_str(fix, "VersionFormat"),
                    json_str(fix, "Version"),
                    yyjson_is_true(json_at(fix, "VendorAdvisory", "NoAdvisory", NULL)));
    }
    return add_record(q, &rec);
}

static int github_record(struct query *q, str id, str namespace, yyjson_val *val)
{
    size_t i, n, n_cves = 0;
    yyjson_val *item, *list = json_get(val, "CVE");
    str *cves = arena_calloc(&q->scratch, yyjson_arr_size(list) + 1, sizeof *cves);
    if (!cves)
        return err_no_memory(q->e);
    yyjson_arr_foreach(list, i, n, item)
    {
        cves[n_cves++] = json_text(item);
    }
    struct record rec = {
        .id = id,
        .namespace = namespace,
        .link = json_str(val, "url"),
        .severity = json_str(val, "Severity"),
        .packages = yyjson_mut_arr(q->doc),
        .cves = cves,
        .n_cves = n_cves,
    };
    yyjson_arr_foreach(json_get(val, "FixedIn"), i, n, item)
    {
        add_package(q, rec.packages, json_str(item, "name"), STR("semver"), json_str(item, "range"),
                    false);
    }
    return add_record(q, &rec);
}

static int record_of(struct query *q, const struct db_vuln *v, str text)
{
    auto_json *doc = NULL;
    int r = json_parse(text, "a record", &doc, q->e);
    yyjson_val *root = yyjson_doc_get_root(doc);
    if (r < 0 || str_starts(v->source, STR("packages:")))
        return r;
    if (str_eq(v->source, STR("nvd")))
        return nvd_record(q, v->vuln.id, root);
    if (str_starts(v->source, STR("github:")))
        return github_record(q, v->vuln.id, v->source, root);
    return distro_record(q, v->vuln.id, v->source, root);
}

/* ---- the database's own claims ----------------------------------------------------------------
 */

struct gathering {
    struct query *q;
    const struct db_vuln *v;
    str source;
    struct record *records;
    size_t n;
};

enum { NAMESPACES_MAX = 512 };

static struct record *record_for(struct gathering *g, const struct claim *c)
{
    struct query *q = g->q;
    str feed, group;
    feed_of_part(&q->scratch, g->source, c->platform, c->ecosystem, &feed, &group);
    for (size_t i = 0; i < g->n; i++)
        if (str_eq(g->records[i].namespace, group))
            return &g->records[i];
    if (g->n == NAMESPACES_MAX || !group.n)
        return NULL;
    struct record *rec = &g->records[g->n++];
    enum severity s = c->severity != SEV_UNKNOWN ? c->severity : g->v->vuln.severity;
    *rec = (struct record){
        .id = g->v->vuln.id,
        .namespace = arena_dup(&q->scratch, group),
        .link = g->v->vuln.url,
        .severity = str_z(severity_name(s)),
        .packages = yyjson_mut_arr(q->doc),
    };
    return rec;
}

static int gather(void *ctx, const struct db_claim *c, struct err *e)
{
    struct gathering *g = ctx;
    if (c->claim.kind != CLAIM_AFFECTED || !str_eq(c->claim.vuln_id, g->v->vuln.id))
        return 0;
    struct record *rec = record_for(g, &c->claim);
    if (rec)
        add_package(g->q, rec->packages, c->claim.package, str_z(c->claim.scheme), c->claim.fixed,
                    c->claim.state == FIX_WONT_FIX || c->claim.state == FIX_END_OF_LIFE);
    return 0;
}

static int claims_of(struct query *q, const struct db_vuln *v)
{
    struct gathering g = {.q = q, .v = v, .source = v->source};
    g.records = arena_calloc(&q->scratch, NAMESPACES_MAX, sizeof *g.records);
    if (!g.records)
        return err_no_memory(q->e);
    int r = vulndb_each(q->db, v->source, gather, &g, q->e);
    for (size_t i = 0; r >= 0 && i < g.n; i++) {
        str *cves = arena_calloc(&q->scratch, v->vuln.n_aliases + 1, sizeof *cves);
        if (!cves)
            return err_no_memory(q->e);
        g.records[i].cves = cves;
        if (str_starts(v->vuln.id, STR("CVE-")))
            cves[g.records[i].n_cves++] = v->vuln.id;
        for (size_t k = 0; k < v->vuln.n_aliases; k++)
            if (str_starts(v->vuln.aliases[k].id, STR("CVE-")))
                cves[g.records[i].n_cves++] = v->vuln.aliases[k].id;
        r = add_record(q, &g.records[i]);
    }
    return r;
}

static int nvd_own(struct query *q, const struct db_vuln *v, str text)
{
    struct record rec = {
        .id = v->vuln.id,
        .namespace = STR("nvdv2:cves"),
        .link = v->vuln.url,
        .description = text,
        .severity = str_z(severity_name(v->vuln.severity)),
        .packages = yyjson_mut_arr(q->doc),
        .references = yyjson_mut_arr(q->doc),
        .cves = &v->vuln.id,
        .n_cves = 1,
    };
    return add_record(q, &rec);
}

static bool decorates(str source)
{
    return str_eq(source, STR("kev")) || str_eq(source, STR("epss"));
}

static int one_id(struct query *q, str id)
{
    struct db_vuln *vulns;
    size_t n;
    int r = vulndb_vuln(q->db, id, &q->scratch, &vulns, &n, q->e);
    for (size_t i = 0; r >= 0 && i < n; i++) {
        const struct db_vuln *v = &vulns[i];
        str text = STR("");
        if (!str_eq(v->vuln.id, id) || decorates(v->source))
            continue;
        r = vulndb_text(q->db, v->source, id, &q->scratch, &text, q->e);
        if (r < 0)
            return r;
        if (str_starts(text, STR("{")))
            r = record_of(q, v, text);
        else if (str_eq(v->source, STR("nvd")))
            r = nvd_own(q, v, text);
        else
            r = claims_of(q, v);
    }
    return r < 0 ? r : 0;
}

int vuln_query_run(const struct vulndb *db, const struct vuln_query *query, yyjson_mut_doc *doc,
                   yyjson_mut_val *out, struct err *e)
{
    struct query q = {.db = db, .q = query, .doc = doc, .out = out, .e = e};
    str ids = query->ids;
    int r = 0;
    if (!db)
        return 0;
    arena_init(&q.scratch, SCRATCH_MAX);
    while (r == 0 && ids.n) {
        str id = str_trim(str_split(&ids, ','));
        if (id.n)
            r = one_id(&q, id);
    }
    arena_done(&q.scratch);
    return r;
}
