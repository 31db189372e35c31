/* secdb files as YAML and JSON, their dirt, rejections, and what is refused. */
#include "feeds/sink.h"

static const struct feed_ops *alpine(void)
{
    return feed_find(STR("alpine"));
}

static void yaml_file(void **state)
{
    expect_lines(alpine(), "v9.9/main.yaml",
                 "---\n"
                 "distroversion: v3.18\n"
                 "reponame: main\n"
                 "archs: [x86_64]\n"
                 "packages:\n"
                 "  - pkg:\n"
                 "      name: zlib\n"
                 "      secfixes:\n"
                 "        1.10-r0:\n"
                 "          - CVE-2024-1\n"
                 "        \"0\":\n"
                 "          - CVE-2024-2\n",
                 "vuln CVE-2024-1\n"
                 "vuln CVE-2024-2\n"
                 "affected CVE-2024-1 alpine:3.18 s:zlib apk fixed [,1.10-r0) fixed=1.10-r0\n"
                 "not CVE-2024-2 alpine:3.18 s:zlib apk not-affected\n");
}

static void json_file(void **state)
{
    expect_lines(
        alpine(), "community.json",
        "{\"distroversion\":\"edge\",\"reponame\":\"community\",\"packages\":["
        "{\"pkg\":{\"name\":\"aom\",\"secfixes\":{\"3.1.1-r0\":[\"CVE-2021-30473\"]}}},"
        "{\"pkg\":{\"name\":\"none\",\"secfixes\":{}}},{\"pkg\":{\"name\":\"nul\"}}]}",
        "vuln CVE-2021-30473\n"
        "affected CVE-2021-30473 alpine:edge s:aom apk fixed [,3.1.1-r0) fixed=3.1.1-r0\n");
}

static void strings_of_several_ids(void **state)
{
    expect_lines(alpine(), "v3.5/main.yaml",
                 "apkurl: x\n"
                 "packages:\n"
                 "  - pkg:\n"
                 "      name: xen\n"
                 "      secfixes:\n"
                 "        4.7.1-r3:\n"
                 "          - CVE-2016-9932 XSA-200\n"
                 "          - XSA-207\n"
                 "          - XSA-1  CVE-2017-1 CVE-2017-2\n"
                 "          - CVE_2019-2426\n",
                 "vuln CVE-2016-9932 ~XSA-200\n"
                 "vuln XSA-207\n"
                 "vuln CVE-2017-1 ~XSA-1\n"
                 "vuln CVE-2017-2 ~XSA-1\n"
                 "vuln CVE-2019-2426\n"
                 "affected CVE-2016-9932 alpine:3.5 s:xen apk fixed [,4.7.1-r3) fixed=4.7.1-r3\n"
                 "affected XSA-207 alpine:3.5 s:xen apk fixed [,4.7.1-r3) fixed=4.7.1-r3\n"
                 "affected CVE-2017-1 alpine:3.5 s:xen apk fixed [,4.7.1-r3) fixed=4.7.1-r3\n"
                 "affected CVE-2017-2 alpine:3.5 s:xen apk fixed [,4.7.1-r3) fixed=4.7.1-r3\n"
                 "affected CVE-2019-2426 alpine:3.5 s:xen apk fixed [,4.7.1-r3) fixed=4.7.1-r3\n");
}

static void the_path_names_the_release(void **state)
{
    static const struct {
        const char *path, *platform;
    } rows[] = {
        {"secdb/v3.12/main.yaml", "alpine:3.12"},
        {"/data/edge/community.yaml", "alpine:edge"},
        {"x.tar.gz!v3.9/main.yaml", "alpine:3.9"},
        {"v3.3/old/v3.4/main.yaml", "alpine:3.4"},
    };
    for (size_t i = 0; i < KE_ARRAY_LEN(rows); i++) {
        char want[200];
        snprintf(want, sizeof want,
                 "vuln CVE-2020-1\naffected CVE-2020-1 %s s:a apk fixed [,1) fixed=1\n",
                 rows[i].platform);
        expect_lines(alpine(), rows[i].path,
                     "packages:\n- pkg: {name: a, secfixes: {1: [CVE-2020-1]}}\n", want);
    }
}

static void rolling_distributions(void **state)
{
    expect_lines(feed_find(STR("wolfi")), "security.json",
                 "{\"apkurl\":\"u\",\"archs\":[\"x86_64\"],\"reponame\":\"os\","
                 "\"urlprefix\":\"https://packages.wolfi.dev\",\"packages\":["
                 "{\"pkg\":{\"name\":\"go\",\"secfixes\":{\"1.2-r1\":[\"GHSA-a-b-c\"],"
                 "\"0\":[\"CVE-2023-1\"]}}}]}",
                 "vuln GHSA-a-b-c\nvuln CVE-2023-1\n"
                 "affected GHSA-a-b-c wolfi s:go apk fixed [,1.2-r1) fixed=1.2-r1\n"
                 "not CVE-2023-1 wolfi s:go apk not-affected\n");
}

static void empty_things_are_counted(void **state)
{
    struct err e = {0};
    auto_sink t;
    sink_init(&t);
    struct test_input inputs[] = {
        {"v3.1/main.yaml",
         STR_INIT("packages:\n- pkg:\n    name: a\n    secfixes:\n      1:\n      2: [~, '', ' ']\n"
                  "- pkg: {name: b, secfixes: ~}\n")},
        {"v3.1/community.yaml", STR_INIT("apkurl: x\npackages:\n")},
    };
    assert_ok(read_inputs(alpine(), inputs, 2, &t, &e));
    assert_int_equal(t.claims, 0);
    assert_int_equal(t.records, 3);
    assert_int_equal(sink_dropped(&t, "fixed version without ids"), 1);
    assert_int_equal(sink_dropped(&t, "empty id"), 3);
}

static void repeated_versions_lose_nothing(void **state)
{
    expect_lines(alpine(), "v3.1/main.yaml",
                 "packages:\n- pkg:\n    name: a\n    secfixes:\n      1: [CVE-2020-1]\n"
                 "      1: [CVE-2020-2]\n",
                 "vuln CVE-2020-1\nvuln CVE-2020-2\n"
                 "affected CVE-2020-1 alpine:3.1 s:a apk fixed [,1) fixed=1\n"
                 "affected CVE-2020-2 alpine:3.1 s:a apk fixed [,1) fixed=1\n");
}

static void rejections_replace_rows_in_every_release(void **state)
{
    struct err e = {0};
    auto_sink t;
    sink_init(&t);
    struct test_input inputs[] = {
        {"alpine/edge/main.yaml",
         STR_INIT("packages:\n- pkg: {name: a, secfixes: {1: [CVE-2020-1, CVE-2020-2]}}\n")},
        {"alpine/rejections/main.yaml", STR_INIT("a: [CVE-2020-1]\nb:\n- CVE-2020-3\n")},
        {"alpine/v3.1/main.yaml",
         STR_INIT("packages:\n- pkg: {name: a, secfixes: {2: [CVE-2020-1]}}\n")},
    };
    assert_ok(read_inputs(alpine(), inputs, 3, &t, &e));
    assert_str(buf_view(&t.lines),
               STR("vuln CVE-2020-1\n"
                   "vuln CVE-2020-2\n"
                   "vuln CVE-2020-3\n"
                   "not CVE-2020-1 alpine:edge s:a apk not-affected\n"
                   "not CVE-2020-1 alpine:3.1 s:a apk not-affected\n"
                   "not CVE-2020-3 alpine:edge s:b apk not-affected\n"
                   "not CVE-2020-3 alpine:3.1 s:b apk not-affected\n"
                   "affected CVE-2020-2 alpine:edge s:a apk fixed [,1) fixed=1\n"));
    assert_int_equal(sink_dropped(&t, "row replaced by a rejection"), 2);
    assert_int_equal(t.records, 5);
}

static void refuses(void **state)
{
    static const struct {
        const char *path, *text, *message;
        int code;
    } rows[] = {
        {"v3.1/main.yaml", "a: [", "v3.1/main.yaml:", ERR_FORMAT},
        {"v3.1/main.json", "{\"packages\":[", "v3.1/main.json:1:", ERR_FORMAT},
        {"v3.1/main.json", "{\"a\":1}", "no secdb file", ERR_FORMAT},
        {"v3.1/main.json", "[]", "no secdb file", ERR_FORMAT},
        {"v3.1/main.json", "{\"packages\":{}}", "not a list", ERR_FORMAT},
        {"v3.1/main.json", "{\"packages\":[{\"pkg\":{}}]}", "has no name", ERR_FORMAT},
        {"v3.1/main.json", "{\"packages\":[1]}", "has no name", ERR_FORMAT},
        {"v3.1/main.json", "{\"packages\":[{\"pkg\":{\"name\":\"a\",\"secfixes\":[]}}]}",
         "a: secfixes is not a mapping", ERR_FORMAT},
        {"v3.1/main.json", "{\"packages\":[{\"pkg\":{\"name\":\"a\",\"secfixes\":{\"1\":\"x\"}}}]}",
         "a: the ids of a version are not a list", ERR_FORMAT},
        {"v3.1/main.json", "{\"packages\":[{\"pkg\":{\"name\":\"a\",\"secfixes\":{\"1\":[1]}}}]}",
         "a: an id is not text", ERR_FORMAT},
        {"v3.1/main.json",
         "{\"packages\":[{\"pkg\":{\"name\":\"a\",\"secfixes\":{\"1\":["
         "\"1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17\"]}}}]}",
         "more than 16 ids", ERR_FORMAT},
        {"main.json", "{\"packages\":[]}", "does not name a release", ERR_FORMAT},
        {"rejections/main.yaml", "a: b\n", "not a list", ERR_FORMAT},
    };
    for (size_t i = 0; i < KE_ARRAY_LEN(rows); i++)
        expect_error(alpine(), rows[i].path, rows[i].text, rows[i].code, rows[i].message);
}

static void which_files(void **state)
{
    static const char *const yes[] = {"v3.1/main.yaml", "community.json", "security.json",
                                      "a/b/testing.yml", "rejections/main.yaml"};
    static const char *const no[] = {"main.txt",       "xmain.yaml",     "mainx.yaml",
                                     ".git/main.yaml", "main.json.part", "license.txt",
                                     "v3.1/main"};
    for (size_t i = 0; i < KE_ARRAY_LEN(yes); i++)
        assert_true(alpine()->wants(str_z(yes[i])));
    for (size_t i = 0; i < KE_ARRAY_LEN(no); i++)
        assert_false(alpine()->wants(str_z(no[i])));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(yaml_file),
        cmocka_unit_test(json_file),
        cmocka_unit_test(strings_of_several_ids),
        cmocka_unit_test(the_path_names_the_release),
        cmocka_unit_test(rolling_distributions),
        cmocka_unit_test(empty_things_are_counted),
        cmocka_unit_test(repeated_versions_lose_nothing),
        cmocka_unit_test(rejections_replace_rows_in_every_release),
        cmocka_unit_test(refuses),
        cmocka_unit_test(which_files),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
