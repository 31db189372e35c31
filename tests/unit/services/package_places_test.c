/* A package that stands at several places: a row for each in contents and reports, one finding
 * where findings are counted. From an inventory to what policies say of it. */
#include "../policy/judge.h"
#include "../vulndb/db_test.h"

#include "codec/json.h"
#include "services/package_places.h"
#include "services/policy_engine/policy_facts.h"
#include "services/policy_engine/policy_scan.h"
#include "services/policy_engine/vuln_rows.h"

#define S(text) STR_INIT(text)

static struct err e;
static char data_dir[256];
static struct vulndb *data;
static struct inventory inv;

static const struct row claims[] = {
    {"CVE-1", "", "Maven", "org.a:log4j", "maven-jre", "", "2", "", "2", .severity = SEV_HIGH},
    {"CVE-2", "", "Go", "example.org/m", "golang", "", "2.0.0", "", "", .severity = SEV_MEDIUM},
    {"CVE-3", "", "PyPI", "six", "pep440-public", "", "", "", "", .severity = SEV_MEDIUM},
    {"CVE-4", "", "npm", "tar", "npm", "", "", "", "", .severity = SEV_LOW},
    {"CVE-5", "", "Maven", "org.a:util", "maven-jre", "", "", "", "", .severity = SEV_LOW},
    {"CVE-5", "", "Maven", "org.b:util", "maven-jre", "", "", "", "", .severity = SEV_LOW},
};

static const struct evidence in_jars[] = {{S("app/a.jar"), 0}, {S("opt/b.war:lib/c.jar"), 1}};
static const struct evidence in_other_jar[] = {{S("lib/a.jar"), 0}};
static const struct evidence in_programs[] = {{S("bin/one"), 0}, {S("bin/two"), 1}};
static const struct evidence in_sites[] = {{S("opt/v/six-1.0.dist-info/METADATA"), 1},
                                           {S("usr/lib/six-1.0.dist-info/METADATA"), 0},
                                           {S("usr/lib/six-1.0.egg-info/PKG-INFO"), 0}};
static const struct evidence in_modules[] = {{S("a/node_modules/tar/package.json"), 1},
                                             {S("b/node_modules/tar/package.json"), 0}};
static const struct evidence in_databases[] = {{S("var/lib/dpkg/status"), 0},
                                               {S("var/lib/dpkg/status.d/tool"), 1}};
static const struct layer_ref layers[] = {{.diff_id = S("sha256:0")}, {.diff_id = S("sha256:1")}};

static void add(const char *type, const char *name, const char *version, const char *group,
                const struct evidence *evidence, size_t n)
{
    inv.packages[inv.n_packages++] = (struct inv_package){
        .p = {.type = package_type_find(str_z(type)),
              .name = str_z(name),
              .version = str_z(version),
              .group = str_z(group),
              .path = evidence[0].path},
        .purl = str_z(group),
        .evidence = evidence,
        .n_evidence = n,
    };
}
#define ADD(type, name, version, group, list)                                                      \
    add(type, name, version, group, list, KE_ARRAY_LEN(list))

static int make(void **state)
{
    struct vulndb_builder *b;
    struct vulndb_stats stats;
    scratch_make(data_dir, sizeof data_dir);
    assert_ok(vulndb_builder_new(data_dir, STR("osv"), &b, &e));
    for (size_t i = 0; i < KE_ARRAY_LEN(claims); i++)
        send_row(vulndb_builder_sink(b), &claims[i]);
    assert_ok(vulndb_builder_install(b, &stats, &e));
    vulndb_builder_free(b);
    assert_ok(vulndb_open(data_dir, &data, &e));
    arena_init(&inv.arena, 1 << 20);
    inv.packages = calloc(8, sizeof *inv.packages);
    inv.source = inv.source_kind = STR("test");
    inv.layers = layers;
    inv.n_layers = KE_ARRAY_LEN(layers);
    ADD("deb", "tool", "1", "", in_databases);
    ADD("go-module", "example.org/m", "v1.0.0", "", in_programs);
    ADD("java-archive", "log4j", "1.2", "org.a", in_jars);
    ADD("java-archive", "log4j", "1.2", "org.b", in_other_jar);
    ADD("npm", "tar", "1.0.0", "", in_modules);
    ADD("python", "six", "1.0", "", in_sites);
    return 0;
}

static int end(void **state)
{
    vulndb_close(data);
    scratch_clear(data_dir);
    free(inv.packages);
    arena_done(&inv.arena);
    return 0;
}

/* ---- places ------------------------------------------------------------------------------------
 */

static void test_places(void **state)
{
    static const struct {
        size_t package, n;
        const char *places[2];
        uint32_t layers[2];
    } cases[] = {
        {0, 1, {"var/lib/dpkg/status"}, {0}}, /* a distribution's has one */
        {1, 2, {"bin/one", "bin/two"}, {0, 1}},
        {2, 2, {"app/a.jar", "opt/b.war:lib/c.jar"}, {0, 1}},
        {5, 2, {"opt/v", "usr/lib"}, {1, 0}}, /* one installation, described twice */
    };
    struct arena a;
    arena_init(&a, 1 << 20);
    for (size_t i = 0; i < KE_ARRAY_LEN(cases); i++) {
        size_t n = 0;
        const struct package_place *p = package_places(&inv.packages[cases[i].package], &a, &n);
        assert_non_null(p);
        assert_int_equal(n, cases[i].n);
        for (size_t k = 0; k < n; k++) {
            assert_str(p[k].place, str_z(cases[i].places[k]));
            assert_int_equal(p[k].layer, cases[i].layers[k]);
        }
    }
    struct inv_package bare = {.p = inv.packages[1].p};
    size_t n = 0;
    const struct package_place *p = package_places(&bare, &a, &n);
    assert_int_equal(n, 1);
    assert_str(p[0].place, STR("bin/one"));
    assert_int_equal(p[0].layer, UINT32_MAX);
    const struct package_type *python = package_type_find(STR("python"));
    assert_str(package_place_of_location(python, STR("/usr/lib/six")), STR("usr/lib"));
    assert_str(package_place_of_location(python, STR("/six")), STR(""));
    assert_str(package_place_of_location(package_type_find(STR("npm")), STR("/a/b")), STR("a/b"));
    arena_done(&a);
}

/* ---- what policies see -------------------------------------------------------------------------
 */

static struct policy_scan *scan(void)
{
    struct policy_scan *s = NULL;
    struct policy_scan_options o = {.inv = &inv, .db = data, .now_us = 1000000};
    struct analyzer_settings *settings = NULL;
    assert_ok(policy_scan_settings(NULL, false, &settings, &e));
    o.settings = settings;
    assert_ok(policy_scan_new(&o, &s, &e));
    analyzer_settings_free(settings);
    return s;
}

static void test_facts(void **state)
{
    static const struct {
        const char *location, *purl;
    } want[] = {
        {"pkgdb", ""},
        {"/a/node_modules/tar/package.json", ""},
        {"/b/node_modules/tar/package.json", ""},
        {"/opt/v/six", ""},
        {"/usr/lib/six", ""},
        {"/app/a.jar", "org.a"},
        {"/lib/a.jar", "org.b"},
        {"/opt/b.war:lib/c.jar", "org.a"},
        {"/bin/one", ""},
        {"/bin/two", ""},
    };
    static const struct {
        const char *id, *location;
        uint32_t layer;
        bool repeated;
    } findings[] = {
        {"CVE-1", "/app/a.jar", 0, false},
        {"CVE-1", "/opt/b.war:lib/c.jar", 1, true},
        {"CVE-2", "/bin/one", 0, false},
        {"CVE-2", "/bin/two", 1, true},
        {"CVE-3", "/opt/v/six", 1, false},
        {"CVE-3", "/usr/lib/six", 0, true},
        {"CVE-4", "/a/node_modules/tar/package.json", 1, false},
        {"CVE-4", "/b/node_modules/tar/package.json", 0, true},
    };
    struct policy_scan *s = scan();
    const struct policy_image *im = policy_scan_subject(s)->image;
    const struct policy_findings *f = policy_scan_subject(s)->findings;
    assert_int_equal(im->n_packages, KE_ARRAY_LEN(want));
    for (size_t i = 0; i < im->n_packages; i++) {
        assert_str(im->packages[i].location, str_z(want[i].location));
        assert_str(im->packages[i].purl, str_z(want[i].purl));
    }
    assert_int_equal(f->n, KE_ARRAY_LEN(findings));
    for (size_t i = 0; i < f->n; i++) {
        const struct policy_finding *v = &f->items[i];
        assert_str(v->id, str_z(findings[i].id));
        assert_str(v->location, str_z(findings[i].location));
        assert_int_equal(v->layer, findings[i].layer);
        assert_int_equal(v->repeated, findings[i].repeated);
        assert_str(im->packages[v->package].location, v->location);
    }
    policy_scan_free(s);
}

/* Two artefacts of one name and version that one archive holds. */
static void test_groups(void **state)
{
    static const struct evidence in_one[] = {{S("app/fat.jar"), 0}};
    size_t n = inv.n_packages, found = 0;
    ADD("java-archive", "util", "1", "org.b", in_one);
    ADD("java-archive", "util", "1", "org.a", in_one);
    struct policy_scan *s = scan();
    inv.n_packages = n;
    const struct policy_image *im = policy_scan_subject(s)->image;
    const struct policy_findings *f = policy_scan_subject(s)->findings;
    str purls[2];
    for (size_t i = 0; i < im->n_packages; i++)
        if (str_eq(im->packages[i].name, STR("util")) && found < 2)
            purls[found++] = im->packages[i].purl;
    assert_int_equal(found, 2);
    assert_int_equal(str_cmp(purls[0], STR("org.a")) == 0 ? str_cmp(purls[1], STR("org.b"))
                                                          : str_cmp(purls[1], STR("org.a")),
                     0);
    str of[2];
    found = 0;
    for (size_t i = 0; i < f->n; i++)
        if (str_eq(f->items[i].id, STR("CVE-5")) && found < 2)
            of[found++] = im->packages[f->items[i].package].purl;
    assert_int_equal(found, 2);
    assert_false(str_eq(of[0], of[1]));
    policy_scan_free(s);
}

/* licence -> as rules read it, as an expression, as the contents list it */
static const struct {
    const char *type, *licence, *shown, *expression, *listed;
} licences[] = {
    {"npm", "MIT", "MIT", "MIT", "MIT"},
    {"npm", "MIT OR ISC", "MIT OR ISC", "MIT OR ISC", "MIT OR ISC"},
    {"npm", "MIT\nISC", "MIT ISC", "MIT OR ISC", "MIT|ISC"},
    {"gem", "MIT\nApache 2.0", "MIT Apache 2.0", "MIT OR Apache 2.0", "MIT|Apache 2.0"},
    {"gem", "", "", "", "Unknown"},
    {"python", "MIT OR ISC", "MIT OR ISC", "MIT OR ISC", "MIT|OR|ISC"},
};

struct listed {
    size_t at, found; /* in licences; documents of its type */
};

static int find_listed(void *ctx, const char *type, str text, struct err *why)
{
    struct listed *l = ctx;
    auto_json *doc = NULL;
    auto_buf shown;
    size_t k, n;
    yyjson_val *one;
    buf_init(&shown, 1 << 20);
    if (strcmp(type, licences[l->at].type) != 0)
        return 0;
    assert_ok(json_parse(text, type, &doc, why));
    yyjson_val *last = yyjson_arr_get_last(json_get(yyjson_doc_get_root(doc), "content"));
    assert_str(json_str(last, "package"), STR("zz"));
    yyjson_arr_foreach(json_get(last, "licenses"), k, n, one)
        buf_addf(&shown, "%s%s", k ? "|" : "", yyjson_get_str(one));
    assert_str(buf_view(&shown), str_z(licences[l->at].listed));
    l->found++;
    return 0;
}

static void test_licences(void **state)
{
    static const struct evidence here[] = {{S("z/z/z"), 0}};
    size_t n = inv.n_packages;
    for (size_t i = 0; i < KE_ARRAY_LEN(licences); i++) {
        size_t found = 0;
        struct listed listed = {.at = i};
        ADD(licences[i].type, "zz", "1", "", here);
        inv.packages[n].p.licence = str_z(licences[i].licence);
        struct policy_scan *s = scan();
        inv.n_packages = n;
        const struct policy_image *im = policy_scan_subject(s)->image;
        for (size_t k = 0; k < im->n_packages; k++)
            if (str_eq(im->packages[k].name, STR("zz"))) {
                found++;
                assert_str(im->packages[k].licence, str_z(licences[i].shown));
                assert_str(im->packages[k].expression, str_z(licences[i].expression));
            }
        assert_int_equal(found, 1);
        assert_ok(policy_scan_keep(s, find_listed, &listed, &e));
        assert_int_equal(listed.found, 1);
        policy_scan_free(s);
    }
}

static void test_rules(void **state)
{
#define LINK(id) "(" id " - https://nvd.nist.gov/vuln/detail/" id ")"
    static const struct gate_case cases[] = {
        {"vulnerabilities", "package", "package_type=non-os|severity=high|severity_comparison=>=",
         "HIGH Vulnerability found in non-os package type (java) - /app/a.jar (fixed in: 2)" LINK(
             "CVE-1") "\nHIGH Vulnerability found in non-os package type (java) - "
                      "/opt/b.war:lib/c.jar (fixed in: 2)" LINK("CVE-1")},
        /* what a path hides stays seen at the other */
        {"vulnerabilities", "package",
         "package_type=non-os|severity=high|severity_comparison=>=|package_path_exclude=/app/.*",
         "HIGH Vulnerability found in non-os package type (java) - /opt/b.war:lib/c.jar "
         "(fixed in: 2)" LINK("CVE-1")},
        {"vulnerabilities", "package",
         "package_type=non-os|severity=low|severity_comparison==|package_path_include=/b/.*",
         "LOW Vulnerability found in non-os package type (npm) - "
         "/b/node_modules/tar/package.json " LINK("CVE-4")},
        /* but it is one */
        {"vulnerabilities", "count", "max_count=4", ""},
        {"vulnerabilities", "count", "max_count=3",
         "4 findings of severity >= unknown, where at most 3 are allowed"},
        {"vulnerabilities", "blacklist", "vulnerability_ids=CVE-2,CVE-9",
         "Blacklisted vulnerabilities detected: ['CVE-2']"},
        /* the original told each row of its table, and npm packages by name */
        {"packages", "blacklist", "name=tar",
         "Package is blacklisted: tar\nPackage is blacklisted: tar"},
        {"npms", "blacklisted_name_version", "name=tar", "NPM Package is blacklisted: tar"},
        {"packages", "match", "path=/usr/*",
         "Package six 1.0 (python) at /usr/lib/six is one that the rule names"},
    };
    struct policy_scan *s = scan();
    RUN(policy_scan_subject(s), cases);
    policy_scan_free(s);
}

/* A row that stands for several places is allowed only when all of them are. */
static void test_once(void **state)
{
    static const struct {
        const char *gate, *trigger, *params, *path;
        bool allowed;
    } cases[] = {{"npms", "blacklisted_name_version", "name=tar", "/a/**", false},
                 {"npms", "blacklisted_name_version", "name=tar", "/b/**", false},
                 {"npms", "blacklisted_name_version", "name=tar", "/**", true},
                 {"tag_drift", "packages_added", "package_type=npm", "/a/**", false},
                 {"tag_drift", "packages_added", "package_type=npm", "/b/**", false},
                 {"tag_drift", "packages_added", "package_type=npm", "/**", true}};
    struct policy_scan *s = scan();
    const struct policy_lineage lineage = {.has_before = true};
    struct policy_subject subject = *policy_scan_subject(s);
    subject.lineage = &lineage;
    for (size_t i = 0; i < KE_ARRAY_LEN(cases); i++) {
        struct policy_bundle *b;
        struct policy_verdict *v;
        char text[2048];
        int n = snprintf(
            text, sizeof text,
            "{\"id\": \"b\", \"version\": \"1_0\", \"whitelists\": [{\"id\": \"w\", \"name\": "
            "\"w\", \"version\": \"1_0\", \"items\": [{\"id\": \"i\", \"path\": \"%s\"}]}], "
            "\"policies\": [{\"id\": \"p\", "
            "\"version\": \"1_0\", \"rules\": [{\"id\": \"r\", \"action\": \"STOP\", %s}]}], "
            "\"mappings\": [{\"name\": \"all\", \"registry\": \"*\", \"repository\": \"*\", "
            "\"image\": {\"type\": \"tag\", \"value\": \"*\"}, \"policy_ids\": [\"p\"], "
            "\"whitelist_ids\": [\"w\"]}]}",
            cases[i].path, rule_text(cases[i].gate, cases[i].trigger, cases[i].params));
        assert_ok(policy_bundle_new((str){text, (size_t)n}, &b, &e));
        assert_ok(policy_evaluate(b, &subject, &v, &e));
        assert_int_equal(v->n_rows, 1);
        assert_int_equal(v->rows[0].allowed, cases[i].allowed);
        assert_int_equal(v->final_action, cases[i].allowed ? ACTION_GO : ACTION_STOP);
        policy_verdict_free(v);
        policy_bundle_free(b);
    }
    policy_scan_free(s);
}

/* ---- contents of older analyses: one place a package -------------------------------------------
 */

static int older_content(void *ctx, const char *type, struct buf *out, struct err *why)
{
    buf_addf(out, "[{\"package\": \"%s\", \"version\": \"%s\", \"location\": \"%s\"}]",
             strcmp(type, "python") == 0 ? "six" : "tar",
             strcmp(type, "python") == 0 ? "1.0" : "1.0.0",
             strcmp(type, "python") == 0 ? "/opt/v/six" : "/a/node_modules/tar/package.json");
    return 1;
}

static void test_older_content(void **state)
{
    static const char *const want[] = {
        "/app/a.jar",
        "/opt/b.war:lib/c.jar",
        "/bin/one",
        "/bin/two",
        "/a/node_modules/tar/package.json",
        "/b/node_modules/tar/package.json",
        "/opt/v/six",
        "/usr/lib/six-1.0.dist-info/METADATA",
    };
    yyjson_mut_doc *doc = yyjson_mut_doc_new(NULL);
    yyjson_mut_val *rows;
    size_t found = 0;
    assert_ok(vuln_rows(data, &inv, (struct content_reader){older_content, NULL}, doc, &rows, &e));
    assert_int_equal(yyjson_mut_arr_size(rows), KE_ARRAY_LEN(want));
    for (size_t i = 0; i < KE_ARRAY_LEN(want); i++) {
        size_t k, n;
        yyjson_mut_val *row;
        yyjson_mut_arr_foreach(rows, k, n, row) found +=
            strcmp(yyjson_mut_get_str(yyjson_mut_obj_get(row, "package_path")), want[i]) == 0;
    }
    assert_int_equal(found, KE_ARRAY_LEN(want));
    yyjson_mut_doc_free(doc);
}

/* ---- more places than a report has rows for ----------------------------------------------------
 */

enum { PLACES = VULN_ROWS_REPEATED_MAX + 3 };

static struct evidence *many_places(struct arena *a)
{
    struct evidence *list = arena_calloc(a, PLACES, sizeof *list);
    for (size_t i = 0; i < PLACES; i++)
        list[i].path = arena_printf(a, "%zu/node_modules/tar/package.json", i);
    assert_false(a->full);
    return list;
}

static void test_too_many_places(void **state)
{
    struct arena a;
    arena_init(&a, 64 << 20);
    struct inv_package tar = inv.packages[4];
    struct inventory many = {.packages = &tar, .n_packages = 1};
    yyjson_mut_doc *doc = yyjson_mut_doc_new(NULL);
    yyjson_mut_val *rows;
    tar.evidence = many_places(&a);
    tar.n_evidence = PLACES;
    tar.p.path = tar.evidence[0].path;
    assert_ok(vuln_rows(data, &many, (struct content_reader){0}, doc, &rows, &e));
    assert_int_equal(yyjson_mut_arr_size(rows), 1 + VULN_ROWS_REPEATED_MAX);
    yyjson_mut_val *first = yyjson_mut_arr_get_first(rows);
    assert_int_equal(yyjson_mut_get_uint(yyjson_mut_obj_get(first, "places_left_out")), 2);
    assert_null(yyjson_mut_obj_get(yyjson_mut_arr_get_last(rows), "places_left_out"));
    yyjson_doc *fixed = yyjson_mut_val_imut_copy(rows, NULL);
    const struct policy_image_facts nothing = {0};
    struct finding_facts *f = NULL;
    int rc = finding_facts_new(yyjson_doc_get_root(fixed), &nothing, &many, data, &f, &e);
    assert_int_equal(rc, ERR_LIMIT);
    assert_non_null(strstr(e.text, "policies cannot judge the image"));
    yyjson_doc_free(fixed);
    yyjson_mut_doc_free(doc);
    arena_done(&a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_places),        cmocka_unit_test(test_facts),
        cmocka_unit_test(test_groups),        cmocka_unit_test(test_licences),
        cmocka_unit_test(test_rules),         cmocka_unit_test(test_once),
        cmocka_unit_test(test_older_content), cmocka_unit_test(test_too_many_places),
    };
    return cmocka_run_group_tests(tests, make, end);
}
