/* OSV records: ranges in every order, versions, severities, names, modules, withdrawal, dirt. */
#include "feeds/sink.h"

static const struct feed_ops *osv(void)
{
    return feed_find(STR("osv"));
}

/* A record with one affected entry whose members besides the package are `body`. */
static void expect_entry(const char *ecosystem, const char *body, const char *lines)
{
    char text[8192], want[4096];
    snprintf(text, sizeof text,
             "{\"id\":\"X-1\",\"modified\":\"2024-01-01T00:00:00Z\",\"affected\":[{\"package\":"
             "{\"ecosystem\":\"%s\",\"name\":\"p\"},%s}]}",
             ecosystem, body);
    snprintf(want, sizeof want, "vuln X-1\n%s", lines);
    expect_lines(osv(), "x.json", text, want);
}

#define EVENTS(type, ...) "\"ranges\":[{\"type\":\"" type "\",\"events\":[" __VA_ARGS__ "]}]"
#define I(v)              "{\"introduced\":\"" v "\"}"
#define F(v)              "{\"fixed\":\"" v "\"}"
#define L(v)              "{\"last_affected\":\"" v "\"}"

static void ranges(void **state)
{
    static const struct {
        const char *body, *lines;
    } rows[] = {
        {EVENTS("ECOSYSTEM", I("0") "," F("1.2")),
         "affected X-1 PyPI l:p pep440-public fixed [,1.2) fixed=1.2\n"},
        {EVENTS("ECOSYSTEM", F("1.2") "," I("0")), /* any order */
         "affected X-1 PyPI l:p pep440-public fixed [,1.2) fixed=1.2\n"},
        {EVENTS("ECOSYSTEM", I("2.0") "," I("1.9") "," F("1.10") "," F("2.1")),
         "affected X-1 PyPI l:p pep440-public fixed [1.9,1.10) [2.0,2.1) fixed=2.1\n"},
        {EVENTS("ECOSYSTEM", I("0")), "affected X-1 PyPI l:p pep440-public not-fixed [,)\n"},
        {EVENTS("ECOSYSTEM", I("1.0") "," L("1.4")),
         "affected X-1 PyPI l:p pep440-public unknown [1.0,1.4]\n"},
        {EVENTS("ECOSYSTEM", I("1.0") "," L("1.4") "," F("1.5")),
         "affected X-1 PyPI l:p pep440-public fixed [1.0,1.4] fixed=1.5\n"},
        {EVENTS("ECOSYSTEM", I("0") "," F("1.5") "," F("2.0.1")), /* affected to the first fix */
         "affected X-1 PyPI l:p pep440-public fixed [,1.5) fixed=1.5\n"},
        {EVENTS("ECOSYSTEM", I("0") "," F("1") "," I("2")), /* open again: two claims */
         "affected X-1 PyPI l:p pep440-public fixed [,1) fixed=1\n"
         "affected X-1 PyPI l:p pep440-public not-fixed [2,)\n"},
        {EVENTS("ECOSYSTEM", "{\"introduced\":\"1\",\"fixed\":\"2\"}"),
         "affected X-1 PyPI l:p pep440-public fixed [1,2) fixed=2\n"},
        {EVENTS("ECOSYSTEM", I("1") ",{\"limit\":\"3\"}"),
         "affected X-1 PyPI l:p pep440-public unknown [1,3)\n"},
        {EVENTS("ECOSYSTEM", I("1") ",{\"limit\":\"*\"}"),
         "affected X-1 PyPI l:p pep440-public not-fixed [1,)\n"},
        {EVENTS("ECOSYSTEM", I("0") "," F("2")) ",\"versions\":[\"1.0\",\"1.5\",\"2.5\"]",
         "affected X-1 PyPI l:p pep440-public fixed [,2) =2.5 fixed=2\n"},
        {"\"versions\":[\"1.0\",\"1.5\"]",
         "affected X-1 PyPI l:p pep440-public unknown =1.0 =1.5\n"},
        {"\"ranges\":[]", "affected X-1 PyPI l:p pep440-public not-fixed\n"}, /* every version */
        {EVENTS("ECOSYSTEM",
                I("0")) ",\"database_specific\":{\"last_known_affected_version_range\":\"<= 1.2\"}",
         "affected X-1 PyPI l:p pep440-public unknown [,1.2]\n"},
        {EVENTS("ECOSYSTEM",
                I("0")) ",\"database_specific\":{\"last_known_affected_version_range\":\"< 1.3\"}",
         "affected X-1 PyPI l:p pep440-public unknown [,1.3)\n"},
        {EVENTS(
             "ECOSYSTEM",
             I("0") "," F(
                 "2")) ",\"database_specific\":{\"last_known_affected_version_range\":\"<= 1.2\"}",
         "affected X-1 PyPI l:p pep440-public fixed [,2) fixed=2\n"},
        {"\"ranges\":[{\"type\":\"GIT\",\"events\":[" I("0") "]},{\"type\":\"ECOSYSTEM\","
                                                             "\"events\":[" I("0") "," F("1") "]}]",
         "affected X-1 PyPI l:p pep440-public fixed [,1) fixed=1\n"},
    };
    for (size_t i = 0; i < KE_ARRAY_LEN(rows); i++)
        expect_entry("PyPI", rows[i].body, rows[i].lines);
}

static void schemes_and_names(void **state)
{
    static const struct {
        const char *ecosystem, *type, *want;
    } rows[] = {
        {"Go", "SEMVER", "Go l:p golang"},
        {"npm", "SEMVER", "npm l:p npm"},
        {"crates.io", "SEMVER", "crates.io l:p semver"},
        {"RubyGems", "SEMVER", "RubyGems l:p semver"},
        {"RubyGems", "ECOSYSTEM", "RubyGems l:p gem"},
        {"Maven", "ECOSYSTEM", "Maven l:p maven-jre"},
        {"Packagist:https://packages.example/8", "ECOSYSTEM", "Packagist l:p composer"},
        {"Debian:12", "ECOSYSTEM", "debian:12 s:p deb"},
        {"Alpine:v3.18", "ECOSYSTEM", "alpine:3.18 s:p apk"},
        {"AlmaLinux:8", "ECOSYSTEM", "almalinux:8 b:p rpm-evr"},
        {"Ubuntu:22.04:LTS", "ECOSYSTEM", "ubuntu:22.04 s:p deb"},
    };
    for (size_t i = 0; i < KE_ARRAY_LEN(rows); i++) {
        char body[256], want[256];
        bool alma = strncmp(rows[i].ecosystem, "Alma", 4) == 0;
        snprintf(body, sizeof body,
                 "\"ranges\":[{\"type\":\"%s\",\"events\":[" I("0") "," F("2") "]}]", rows[i].type);
        snprintf(want, sizeof want, "affected X-1 %s fixed [,2) fixed=2%s\n", rows[i].want,
                 alma ? " no-module" : "");
        expect_entry(rows[i].ecosystem, body, want);
    }
    expect_entry("Ubuntu:Pro:18.04:LTS", EVENTS("ECOSYSTEM", I("0") "," F("2")),
                 "affected X-1 ubuntu:18.04 s:p deb fixed [,2) fixed=2 channel=pro\n");
}

static void python_names_are_normalised(void **state)
{
    expect_lines(osv(), "a.yaml",
                 "id: PYSEC-1\nmodified: 2024-01-01\naffected:\n- package: {ecosystem: PyPI, name: "
                 "Foo_Bar.baz}\n  ranges:\n  - type: ECOSYSTEM\n    events:\n    - introduced: 0\n"
                 "    - fixed: 1.10\n",
                 "vuln PYSEC-1\n"
                 "affected PYSEC-1 PyPI l:foo-bar-baz pep440-public fixed [,1.10) fixed=1.10\n");
}

#define RECORD(members)                                                                            \
    "{\"id\":\"X-1\",\"modified\":\"2024-01-01T00:00:00Z\",\"affected\":[]," members "}"

#define V3 "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:N/A:N"
#define V4 "CVSS:4.0/AV:N/AC:L/AT:N/PR:N/UI:N/VC:H/VI:H/VA:H/SC:N/SI:N/SA:N"

static void the_vulnerability(void **state)
{
    static const struct {
        const char *members, *line;
    } rows[] = {
        {"\"summary\":\"s\",\"details\":\"d\"", "vuln X-1 summary=s details=d\n"},
        {"\"aliases\":[\"CVE-2024-1\",\"GHSA-1\"],\"upstream\":[\"U-1\"],\"related\":[\"R-1\"]",
         "vuln X-1 =CVE-2024-1 =GHSA-1 <U-1 ~R-1\n"},
        {"\"aliases\":[\"CVE-2024-1\",\"CVE-2024-1\"]", "vuln X-1 =CVE-2024-1 =CVE-2024-1\n"},
        {"\"aliases\":[\"CVE-2024-1\",\"CVE-2024-2\"]", "vuln X-1 ~CVE-2024-1 ~CVE-2024-2\n"},
        {"\"upstream\":[\"CVE-2024-1\",\"CVE-2024-2\"]", "vuln X-1 ~CVE-2024-1 ~CVE-2024-2\n"},
        {"\"severity\":[{\"type\":\"CVSS_V3\",\"score\":"
         "\"CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H\"}]",
         "vuln X-1 severity=Critical cvss=CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H score=98\n"},
        {"\"severity\":[{\"type\":\"CVSS_V3\",\"score\":"
         "\"CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H\"}],"
         "\"database_specific\":{\"severity\":\"MODERATE\"}",
         "vuln X-1 severity=Medium cvss=CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H score=98\n"},
        {"\"severity\":[{\"type\":\"CVSS_V3\",\"score\":\"nonsense\"}]", "vuln X-1\n"},
        /* of version 3 too, which rules ask for */
        {"\"severity\":[{\"type\":\"CVSS_V3\",\"score\":\"" V3
         "\"},{\"type\":\"CVSS_V4\",\"score\":"
         "\"" V4 " \"}]",
         "vuln X-1 severity=Critical cvss=" V4 " " V3 " score=93\n"},
        {"\"severity\":[{\"type\":\"Ubuntu\",\"score\":\"negligible\"}]",
         "vuln X-1 severity=Negligible\n"},
        {"\"summary\":\"Important: kernel security update\"",
         "vuln X-1 severity=High summary=Important: kernel security update\n"},
        {"\"withdrawn\":\"2024-02-02T00:00:00Z\"", "vuln X-1 withdrawn\n"},
    };
    for (size_t i = 0; i < KE_ARRAY_LEN(rows); i++) {
        char text[2048];
        snprintf(text, sizeof text, RECORD("%s"), rows[i].members);
        expect_lines(osv(), "x.json", text, rows[i].line);
    }
}

static void withdrawn_records_are_tombstones(void **state)
{
    expect_lines(osv(), "x.json",
                 "{\"id\":\"X-1\",\"modified\":\"2024-01-01\",\"withdrawn\":\"2024-01-02\","
                 "\"affected\":[{\"package\":{\"ecosystem\":\"npm\",\"name\":\"@A/b\"}," EVENTS(
                     "SEMVER", I("0")) "}]}",
                 "vuln X-1 withdrawn\naffected X-1 npm l:@A/b npm withdrawn [,)\n");
}

static void malicious_packages(void **state)
{
    expect_lines(osv(), "x.json",
                 "{\"id\":\"MAL-2024-1\",\"modified\":\"2024-01-01\",\"affected\":[{\"package\":"
                 "{\"ecosystem\":\"npm\",\"name\":\"evil\"},\"versions\":[\"1.0.0\"]}]}",
                 "vuln MAL-2024-1 severity=Critical\n"
                 "affected MAL-2024-1 npm l:evil npm unknown =1.0.0\n");
}

static void go_symbols(void **state)
{
    expect_entry(
        "Go",
        EVENTS("SEMVER", I("0") "," F("1.2.3")) ",\"ecosystem_specific\":{\"imports\":[{\"path\":"
                                                "\"a/b\",\"symbols\":[\"C.D\"]}]}",
        "affected X-1 Go l:p golang fixed [,1.2.3) fixed=1.2.3 "
        "symbols=[{\"path\":\"a/b\",\"symbols\":[\"C.D\"]}]\n");
}

#define ALMA(id, summary, related, fixed)                                                          \
    "{\"id\":\"" id "\",\"modified\":\"2024-01-01\",\"summary\":\"" summary                        \
    "\",\"related\":[" related                                                                     \
    "],\"affected\":[{\"package\":{\"ecosystem\":\"AlmaLinux:8\",\"name\":\"p\"}," EVENTS(         \
        "ECOSYSTEM", I("0") "," F(fixed)) "}]}"

static void modules_come_from_the_title(void **state)
{
    expect_lines(
        osv(), "a.json",
        ALMA("ALSA-1", "Moderate: nodejs:14 security, bug fix update", "\"CVE-2024-1\"",
             "1:14-1.module_el8+1"),
        "vuln ALSA-1 severity=Medium ~CVE-2024-1 summary=Moderate: nodejs:14 security, bug "
        "fix update\n"
        "affected ALSA-1 almalinux:8 b:p rpm-evr fixed [,1:14-1.module_el8+1) "
        "fixed=1:14-1.module_el8+1 module=nodejs:14\n");
    expect_lines(osv(), "a.json",
                 ALMA("ALSA-2", "virt:rhel and virt-devel:rhel update", "", "1-1.module_el8"),
                 "vuln ALSA-2 summary=virt:rhel and virt-devel:rhel update\n"
                 "affected ALSA-2 almalinux:8 b:p rpm-evr fixed [,1-1.module_el8) "
                 "fixed=1-1.module_el8 module=virt:rhel\n"
                 "affected ALSA-2 almalinux:8 b:p rpm-evr fixed [,1-1.module_el8) "
                 "fixed=1-1.module_el8 module=virt-devel:rhel\n");
    /* "kernel:4.18.0" is no module when the build is none. */
    expect_lines(osv(), "a.json",
                 ALMA("ALSA-3", "Low: kernel:4.18.0 security update", "", "4.18.0-1.el8"),
                 "vuln ALSA-3 severity=Low summary=Low: kernel:4.18.0 security update\n"
                 "affected ALSA-3 almalinux:8 b:p rpm-evr fixed [,4.18.0-1.el8) "
                 "fixed=4.18.0-1.el8 no-module\n");
}

static void load_counts(const char *text, struct test_sink *t)
{
    struct err e = {0};
    struct test_input input = {"x.json", str_z(text)};
    sink_init(t);
    assert_ok(read_inputs(osv(), &input, 1, t, &e));
}

static void what_is_left_out_is_counted(void **state)
{
    static const struct {
        const char *text, *reason;
        uint64_t records;
    } rows[] = {
        {"{\"a\":1}", "file or element that is no OSV record", 0},
        {"[1]", "file or element that is no OSV record", 0},
        {"{\"id\":\"X\",\"modified\":\"2024-01-01\",\"aliases\":[]}",
         "file or element that is no OSV record", 0},
        {ALMA("ALBA-1", "bug fix", "", "1"), "affected entry of a bug fix or enhancement advisory",
         1},
        {"{\"id\":\"X\",\"modified\":\"2024-01-01\",\"affected\":[{" EVENTS("GIT", I("0")) "}]}",
         "affected entry without a package (commits only)", 1},
        {"{\"id\":\"X\",\"modified\":\"2024-01-01\",\"affected\":[{\"package\":{\"name\":\"p\"}}]}",
         "affected entry without a name or ecosystem", 1},
        {"{\"id\":\"X\",\"modified\":\"2024-01-01\",\"affected\":[{\"package\":{\"name\":\"p\","
         "\"ecosystem\":\"Atlantis\"}}]}",
         "ecosystem that is not known", 1},
        {"{\"id\":\"X\",\"modified\":\"2024-01-01\",\"affected\":[{\"package\":{\"name\":\"p\","
         "\"ecosystem\":\"PyPI\"}," EVENTS("ECOSYSTEM", I("1") "," F("1")) "}]}",
         "affected entry without any version", 1},
        {"{\"id\":\"X\",\"modified\":\"2024-01-01\",\"affected\":[{\"package\":{\"name\":\"p\","
         "\"ecosystem\":\"PyPI\"}," EVENTS("ECOSYSTEM", "") "}]}",
         "affected entry without any version", 1},
    };
    for (size_t i = 0; i < KE_ARRAY_LEN(rows); i++) {
        auto_sink t = {0};
        load_counts(rows[i].text, &t);
        if (sink_dropped(&t, rows[i].reason) != 1 || t.dropped != 1 || t.claims ||
            t.records != rows[i].records) {
            sink_print(&t);
            fail_msg("row %zu", i);
        }
    }
}

static void commits_beside_nothing_else(void **state)
{
    auto_sink t = {0};
    load_counts("{\"id\":\"X\",\"modified\":\"2024-01-01\",\"affected\":[{\"package\":{\"name\":"
                "\"p\",\"ecosystem\":\"PyPI\"}," EVENTS("GIT", I("0")) "}]}",
                &t);
    assert_int_equal(t.claims, 0);
    assert_int_equal(sink_dropped(&t, "range of commits"), 1);
    assert_int_equal(sink_dropped(&t, "affected entry with commits only"), 1);
}

static void a_record_twice_counts_once(void **state)
{
    auto_sink t = {0};
    load_counts("[" ALMA("ALSA-1", "x", "", "1") "," ALMA("ALSA-1", "x", "",
                                                          "1") "," ALMA("ALSA-1", "x", "", "2") "]",
                &t);
    assert_int_equal(t.records, 3);
    assert_int_equal(t.claims, 2);
    assert_int_equal(sink_dropped(&t, "affected entry of a record that came before"), 1);
    assert_int_equal(t.date, 1704067200);
}

static void a_bug_fix_that_names_a_cve_stays(void **state)
{
    auto_sink t = {0};
    load_counts(ALMA("ALBA-1", "x", "\"CVE-2024-1\"", "1"), &t);
    assert_int_equal(t.claims, 1);
    assert_int_equal(t.dropped, 0);
}

static void refuses(void **state)
{
    static const struct {
        const char *path, *text, *message;
        int code;
    } rows[] = {
        {"x.json", "{\"id\":", "x.json:1:", ERR_FORMAT},
        {"x.json", "", "is empty", ERR_FORMAT},
        {"x.yaml", "id: [", "x.yaml:", ERR_FORMAT},
        {"x.yaml", "id: a\nid: b\n", "occurs twice", ERR_FORMAT},
        {"x.json", "{\"id\":\"X\",\"modified\":\"2024\",\"affected\":{}}",
         "X: affected is not a list", ERR_FORMAT},
    };
    for (size_t i = 0; i < KE_ARRAY_LEN(rows); i++)
        expect_error(osv(), rows[i].path, rows[i].text, rows[i].code, rows[i].message);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ranges),
        cmocka_unit_test(schemes_and_names),
        cmocka_unit_test(python_names_are_normalised),
        cmocka_unit_test(the_vulnerability),
        cmocka_unit_test(withdrawn_records_are_tombstones),
        cmocka_unit_test(malicious_packages),
        cmocka_unit_test(go_symbols),
        cmocka_unit_test(modules_come_from_the_title),
        cmocka_unit_test(what_is_left_out_is_counted),
        cmocka_unit_test(commits_beside_nothing_else),
        cmocka_unit_test(a_record_twice_counts_once),
        cmocka_unit_test(a_bug_fix_that_names_a_cve_stays),
        cmocka_unit_test(refuses),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
