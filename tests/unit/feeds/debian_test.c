/* The tracker's JSON, the advisory lists, and the two together. */
#include "feeds/sink.h"

static const struct feed_ops *debian(void)
{
    return feed_find(STR("debian"));
}

#define RELEASE(name, body) "\"" name "\":{\"repositories\":{\"" name "\":\"1\"}," body "}"

static void tracker_states(void **state)
{
    expect_lines(debian(), "tracker.json",
                 "{\"pcre3\":{\"CVE-2015-2328\":{\"description\":\"d\",\"scope\":\"remote\","
                 "\"debianbug\":1,"
                 "\"releases\":{"
                 /* clang-format off */
        RELEASE("bookworm", "\"status\":\"resolved\",\"fixed_version\":\"2:8.35-1\",\"urgency\":\"low**\"") ","
        RELEASE("bullseye", "\"status\":\"resolved\",\"fixed_version\":\"0\",\"urgency\":\"unimportant\"") ","
        RELEASE("buster", "\"status\":\"open\",\"urgency\":\"unimportant\"") ","
        RELEASE("trixie", "\"status\":\"open\",\"urgency\":\"not yet assigned\",\"nodsa\":\"Minor issue\",\"nodsa_reason\":\"\"") ","
        RELEASE("stretch", "\"status\":\"open\",\"urgency\":\"medium\",\"nodsa\":\"No\",\"nodsa_reason\":\"ignored\"") ","
        RELEASE("jessie", "\"status\":\"open\",\"urgency\":\"high\",\"nodsa\":\"Later\",\"nodsa_reason\":\"postponed\"") ","
        RELEASE("wheezy", "\"status\":\"open\",\"urgency\":\"end-of-life\"") ","
        RELEASE("sid", "\"status\":\"open\",\"urgency\":\"low\",\"fixed_version\":\"3-1\",\"nodsa\":\"stale\"")
                 /* clang-format on */
                 "}}}}",
                 "vuln CVE-2015-2328 details=d\n"
                 "affected CVE-2015-2328 debian:12 s:pcre3 deb fixed [,2:8.35-1) fixed=2:8.35-1 "
                 "severity=Low "
                 "raw=low**\n"
                 "not CVE-2015-2328 debian:11 s:pcre3 deb not-affected severity=Negligible "
                 "raw=unimportant\n"
                 "affected CVE-2015-2328 debian:10 s:pcre3 deb not-fixed severity=Negligible "
                 "raw=unimportant\n"
                 "affected CVE-2015-2328 debian:13 s:pcre3 deb deferred raw=not yet assigned "
                 "note=Minor "
                 "issue\n"
                 "affected CVE-2015-2328 debian:9 s:pcre3 deb wont-fix severity=Medium raw=medium "
                 "note=No\n"
                 "affected CVE-2015-2328 debian:8 s:pcre3 deb deferred severity=High raw=high "
                 "note=Later\n"
                 "affected CVE-2015-2328 debian:7 s:pcre3 deb end-of-life raw=end-of-life\n"
                 "affected CVE-2015-2328 debian:unstable s:pcre3 deb fixed [,3-1) fixed=3-1 "
                 "severity=Low "
                 "raw=low note=stale\n");
}

static void tracker_drops(void **state)
{
    struct err e = {0};
    auto_sink t;
    sink_init(&t);
    struct test_input input = {
        "json",
        STR_INIT("{\"a\":{\"TEMP-1-A\":{\"releases\":{\"sid\":{\"status\":\"open\"},"
                 "\"bookworm\":{\"status\":\"open\"}}},"
                 "\"CVE-2020-1\":{\"releases\":{\"sid\":{\"status\":\"undetermined\"},"
                 "\"bookworm\":{\"status\":\"resolved\"},"
                 "\"buster\":{\"status\":\"what\"},\"potato-volatile\":{\"status\":\"open\"}}},"
                 "\"CVE-2020-2\":{\"releases\":[]}}}")};
    assert_ok(read_inputs(debian(), &input, 1, &t, &e));
    assert_int_equal(t.records, 3);
    assert_int_equal(t.claims, 0);
    assert_int_equal(sink_dropped(&t, "vulnerability without a release"), 1);
    assert_int_equal(sink_dropped(&t, "temporary id"), 2);
    assert_int_equal(sink_dropped(&t, "undetermined"), 1);
    assert_int_equal(sink_dropped(&t, "resolved without a fixed version"), 1);
    assert_int_equal(sink_dropped(&t, "status that is not known"), 1);
    assert_int_equal(sink_dropped(&t, "release without a number"), 1);
}

/* 1680048000: 2023-03-29; 1679011200: 2023-03-17; 1675209600: 2023-02-01. */
static const char list[] = "[29 Mar 2023] DSA-5380-1 xorg-server - security update\n"
                           "\t{CVE-2023-1393 CVE-2023-1394}\n"
                           "\t[bullseye] - xorg-server 2:1.20.11-1+deb11u6 (bug #1; low)\n"
                           "\tNOTE: prose\n"
                           "[17 Mar 2023] DSA-5356-2 sox - regression update\n"
                           "\t[bullseye] - sox 14.4.2-2+deb11u2\n"
                           "\t[buster] - sox 14.4.2-1+deb10u2\n"
                           "[01 Feb 2023] DSA-5356-1 sox - security update\n"
                           "        {CVE-2021-3643}\n"
                           "        [bullseye] - sox 14.4.2-2+deb11u1\n"
                           "[18 Oct 2018] DSA-4323-1 drupal7 - security update\n"
                           "\t[stretch] - drupal7 7.52-2+deb9u5\n"
                           "[18 Apr 2018] DSA-4205-1 jessie end-of-life\n"
                           "[01 Aug 2002] DSA-140 libpng - buffer overflow\n"
                           "\t{CVE-2002-0660 }\n"
                           "\t[buster] - libpng <not-affected> (never there)\n"
                           "\t[stretch] - libpng <end-of-life>\n";

static void list_alone(void **state)
{
    expect_lines(
        debian(), "data/DSA/list", list,
        "vuln CVE-2023-1393\n"
        "affected CVE-2023-1393 debian:11 s:xorg-server deb fixed [,2:1.20.11-1+deb11u6) "
        "fixed=2:1.20.11-1+deb11u6 advisory=DSA-5380-1 date=1680048000\n"
        "vuln CVE-2023-1394\n"
        "affected CVE-2023-1394 debian:11 s:xorg-server deb fixed [,2:1.20.11-1+deb11u6) "
        "fixed=2:1.20.11-1+deb11u6 advisory=DSA-5380-1 date=1680048000\n"
        /* The follow-up adds buster, but does not make bullseye's first fix insufficient. */
        "vuln CVE-2021-3643\n"
        "affected CVE-2021-3643 debian:10 s:sox deb fixed [,14.4.2-1+deb10u2) "
        "fixed=14.4.2-1+deb10u2 advisory=DSA-5356-2 date=1679011200\n"
        "affected CVE-2021-3643 debian:11 s:sox deb fixed [,14.4.2-2+deb11u1) "
        "fixed=14.4.2-2+deb11u1 advisory=DSA-5356-1 date=1675209600\n"
        "vuln DSA-4323-1\n"
        "affected DSA-4323-1 debian:9 s:drupal7 deb fixed [,7.52-2+deb9u5) fixed=7.52-2+deb9u5 "
        "date=1539820800\n"
        "vuln CVE-2002-0660\n"
        "not CVE-2002-0660 debian:10 s:libpng deb not-affected advisory=DSA-140 date=1028160000\n"
        "affected CVE-2002-0660 debian:9 s:libpng deb end-of-life advisory=DSA-140 "
        "date=1028160000\n");
}

static void a_later_advisory_for_the_same_cve_wins(void **state)
{
    expect_lines(debian(), "DLA/list",
                 "[02 Jan 2020] DLA-2-1 a - security update\n\t{CVE-2019-1}\n\t[jessie] - a 1.2\n"
                 "[01 Jan 2020] DLA-1-1 a - security update\n\t{CVE-2019-1}\n\t[jessie] - a 1.1\n",
                 "vuln CVE-2019-1\n"
                 "affected CVE-2019-1 debian:8 s:a deb fixed [,1.2) fixed=1.2 advisory=DLA-2-1 "
                 "date=1577923200\n");
}

static void lists_join_the_tracker(void **state)
{
    struct err e = {0};
    auto_sink t;
    sink_init(&t);
    struct test_input inputs[] = {
        {"DSA/list", STR_INIT("[01 Jan 2024] DSA-1-1 a - update\n\t{CVE-2024-1 CVE-2024-9}\n"
                              "\t[bookworm] - a 1.1\n\t[stretch] - a 0.9\n")},
        {"tracker.json",
         STR_INIT("{\"a\":{\"CVE-2024-1\":{\"releases\":{\"bookworm\":{\"status\":\"resolved\","
                  "\"fixed_version\":\"1.1\",\"urgency\":\"low\"},"
                  "\"sid\":{\"status\":\"resolved\",\"fixed_version\":\"2\"}}}}}")},
    };
    assert_ok(read_inputs(debian(), inputs, 2, &t, &e));
    assert_str(buf_view(&t.lines),
               STR("vuln CVE-2024-1\n"
                   "affected CVE-2024-1 debian:12 s:a deb fixed [,1.1) fixed=1.1 severity=Low "
                   "raw=low advisory=DSA-1-1 date=1704067200\n"
                   "affected CVE-2024-1 debian:unstable s:a deb fixed [,2) fixed=2\n"
                   /* stretch left the tracker: the list keeps it */
                   "affected CVE-2024-1 debian:9 s:a deb fixed [,0.9) fixed=0.9 advisory=DSA-1-1 "
                   "date=1704067200\n"
                   "vuln CVE-2024-9\n"
                   "affected CVE-2024-9 debian:9 s:a deb fixed [,0.9) fixed=0.9 advisory=DSA-1-1 "
                   "date=1704067200\n"));
    assert_int_equal(sink_dropped(&t, "advisory row that the tracker has too"), 1);
    assert_int_equal(sink_dropped(&t, "advisory row that the tracker does not have"), 1);
    assert_int_equal(t.records, 2);
    assert_int_equal(t.date, 1704067200);
}

/* The tracker's version decides which advisory is the fix's. */
static void the_advisory_with_the_same_version_is_joined(void **state)
{
    struct err e = {0};
    auto_sink t;
    sink_init(&t);
    struct test_input inputs[] = {
        {"DSA/list", STR_INIT("[02 Jan 2024] DSA-2-1 a - update\n\t{CVE-2024-1 CVE-2024-2}\n"
                              "\t[bookworm] - a 1.2\n"
                              "[01 Jan 2024] DSA-1-1 a - update\n\t{CVE-2024-1}\n"
                              "\t[bookworm] - a 1.1\n")},
        {"tracker.json",
         STR_INIT("{\"a\":{\"CVE-2024-1\":{\"releases\":{\"bookworm\":{\"status\":\"resolved\","
                  "\"fixed_version\":\"1.1\"}}},"
                  "\"CVE-2024-2\":{\"releases\":{\"bookworm\":{\"status\":\"resolved\","
                  "\"fixed_version\":\"1.0\"}}}}}")},
    };
    assert_ok(read_inputs(debian(), inputs, 2, &t, &e));
    assert_str(buf_view(&t.lines),
               STR("vuln CVE-2024-1\nvuln CVE-2024-2\n"
                   "affected CVE-2024-1 debian:12 s:a deb fixed [,1.1) fixed=1.1 advisory=DSA-1-1 "
                   "date=1704067200\n"
                   "affected CVE-2024-2 debian:12 s:a deb fixed [,1.0) fixed=1.0\n"));
    assert_int_equal(sink_dropped(&t, "advisory row that the tracker has too"), 3);
}

static void list_dirt_is_counted(void **state)
{
    struct err e = {0};
    auto_sink t;
    sink_init(&t);
    struct test_input input = {
        "DLA/list", STR_INIT("[19 Jul 2021] MALFORMED HEADER\n\t{CVE-2021-1}\n\t[sid] - a 1\n"
                             "[19 Jul 2021] DLA-1-1 a - x\n\t{CVE-2021-1 CAN-2002-1}\n"
                             "\t[atlantis] - a 1\n\t[sid] a 1\n\t[sid] - a\n\t[sid] - a <itp>\n"
                             "\t- a 2\n")};
    assert_ok(read_inputs(debian(), &input, 1, &t, &e));
    assert_str(
        buf_view(&t.lines),
        STR("vuln CVE-2021-1\naffected CVE-2021-1 debian:unstable s:a deb fixed [,2) fixed=2 "
            "advisory=DLA-1-1 date=1626652800\n"));
    assert_int_equal(t.records, 2);
    assert_int_equal(sink_dropped(&t, "advisory without an id"), 1);
    assert_int_equal(sink_dropped(&t, "row of an advisory without an id"), 1);
    assert_int_equal(sink_dropped(&t, "id that is no CVE"), 1);
    assert_int_equal(sink_dropped(&t, "release without a number"), 1);
    assert_int_equal(sink_dropped(&t, "row that is not understood"), 1);
    assert_int_equal(sink_dropped(&t, "row without a version"), 1);
    assert_int_equal(sink_dropped(&t, "tag that makes no claim"), 1);
}

static void refuses(void **state)
{
    static const struct {
        const char *text, *message;
        int code;
    } rows[] = {
        {"", "neither", ERR_FORMAT},
        {"<html>", "neither", ERR_FORMAT},
        {"invalid", "neither", ERR_FORMAT},
        {"[]", "neither", ERR_FORMAT},
        {"CVE-2020-1 (x)\n", "its JSON has the same facts", ERR_UNSUPPORTED},
        {"{}", "holds no package", ERR_FORMAT},
        {"{\"\":{}}", "a package: has no name", ERR_FORMAT},
        {"{\"a\":{\"\":{\"releases\":{}}}}", "a: a vulnerability has no id", ERR_FORMAT},
        {"{\"a\":1}", "a: is not an object", ERR_FORMAT},
        {"{\"a\":{\"CVE-1\":1}}", "CVE-1: has no releases", ERR_FORMAT},
        {"{\"a\":{\"CVE-1\":{\"releases\":{}}}", "ends in the middle", ERR_FORMAT},
        {"{\"a\":{\"CVE-1\":{\"rel", "ends in the middle", ERR_FORMAT},
        {"[29 Xxx 2023] DSA-1-1 a - b\n", "f:1: a head without a date", ERR_FORMAT},
        {"[29 Mar 2023\n", "f:1: a head without a date", ERR_FORMAT},
        {"[29 Mar 2023] DSA-1-1 a - b\n\t[sid - a 1\n", "f:2: \"[\" without", ERR_FORMAT},
        {"[29 Mar 2023] NOTHING\n", "holds no advisory", ERR_FORMAT},
    };
    for (size_t i = 0; i < KE_ARRAY_LEN(rows); i++)
        expect_error(debian(), "f", rows[i].text, rows[i].code, rows[i].message);
}

static void too_many_releases(void **state)
{
    auto_buf text;
    buf_init(&text, 100000);
    buf_add_str(&text, STR("{\"a\":{\"CVE-2020-1\":{\"releases\":{"));
    for (int i = 0; i < 65; i++)
        buf_addf(&text, "%s\"r%d\":{\"status\":\"open\"}", i ? "," : "", i);
    buf_add_str(&text, STR("}}}}"));
    expect_error(debian(), "json", buf_z(&text), ERR_FORMAT, "more than 64 releases");
}

static void which_files(void **state)
{
    static const char *const yes[] = {"data/DSA/list", "x!DLA/list", "tracker.json",
                                      "a/json",        "DSA",        "debian.json"};
    static const char *const no[] = {"data/CVE/list", "data/DTSA/list", "data/config.json", "list",
                                     ".git/DSA/list"};
    for (size_t i = 0; i < KE_ARRAY_LEN(yes); i++)
        assert_true(debian()->wants(str_z(yes[i])));
    for (size_t i = 0; i < KE_ARRAY_LEN(no); i++)
        assert_false(debian()->wants(str_z(no[i])));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tracker_states),
        cmocka_unit_test(tracker_drops),
        cmocka_unit_test(list_alone),
        cmocka_unit_test(a_later_advisory_for_the_same_cve_wins),
        cmocka_unit_test(lists_join_the_tracker),
        cmocka_unit_test(the_advisory_with_the_same_version_is_joined),
        cmocka_unit_test(list_dirt_is_counted),
        cmocka_unit_test(refuses),
        cmocka_unit_test(too_many_releases),
        cmocka_unit_test(which_files),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
