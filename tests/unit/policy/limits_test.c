#include "policy_unit.h"

#include "policy/allowlist.h"

static struct err e;

static const struct policy_file files[] = {
    {.path = STR_INIT("/aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"), .mode = 0100644},
};
static const struct policy_image image = {
    .have = PART_FILES, .id = STR_INIT("ff"), .files = files, .n_files = 1};
static const struct policy_subject subject = {
    .account = STR_INIT("a"), .tag = STR_INIT("a:1"), .image = &image, .now_us = 1};

#define EXPLODES                                                                                   \
    "{'id':'r','gate':'files','trigger':'name_match','action':'STOP','params':[{'name':'regex',"   \
    "'value':'/(a|aa)+[bc]'}]}"
#define NEEDS_PACKAGES                                                                             \
    "{'id':'r','gate':'packages','trigger':'blacklist','action':'WARN','params':[{'name':'name',"  \
    "'value':'x'}]}"

static const struct {
    const char *bundle, *problem;
    enum policy_action action;
} failing[] = {
    {BUNDLE(EXPLODES, "", ""), "took too many steps", ACTION_STOP},
    {BUNDLE(EXPLODES, "", ",'on_rule_failure':'open'"), "took too many steps", ACTION_GO},
    {BUNDLE(NEEDS_PACKAGES, "", ""), "its packages: not known (rule_id=r)", ACTION_WARN},
    {BUNDLE(NEEDS_PACKAGES, "", ",'on_rule_failure':'closed'"), "with parameters: ({'name': 'x'})",
     ACTION_WARN},
};

static void a_rule_that_fails_is_a_problem(void **state)
{
    for (size_t i = 0; i < KE_ARRAY_LEN(failing); i++) {
        auto_buf text;
        struct policy_bundle *b;
        struct policy_verdict *v;
        buf_init(&text, 1 << 20);
        assert_ok(policy_bundle_new(quoted(&text, failing[i].bundle), &b, &e));
        assert_ok(policy_evaluate(b, &subject, &v, &e));
        assert_int_equal(v->problems.n, 1);
        if (!str_contains(v->problems.list[0].details, str_z(failing[i].problem)))
            fail_msg("%.*s", STR_ARG(v->problems.list[0].details));
        assert_int_equal(v->final_action, failing[i].action);
        assert_int_equal(v->n_rows, 0);
        policy_verdict_free(v);
        policy_bundle_free(b);
    }
}

#define SLOW                                                                                       \
    "{'id':'r','gate':'files','trigger':'name_match','action':'WARN','params':[{'name':'regex',"   \
    "'value':'(?:(.*)(.*))(.*)(?=[^x]*)[QZ](?<!a)\\\\1'}]}"

/* Each file takes fewer steps than an expression may, all of them more time than there is. */
static void an_evaluation_ends(void **state)
{
    enum { FILES = 3000 };
    static const struct {
        const char *bundle;
        int64_t time;
        const char *first;
        enum policy_action action;
    } rows[] = {
        {BUNDLE(SLOW "," ALWAYS("STOP"), "", ""), 1000, "took too much time (rule_id=r)",
         ACTION_STOP},
        {BUNDLE(ALWAYS("STOP"), "", ""), -1, "the rules before it took too much time", ACTION_STOP},
        {BUNDLE(ALWAYS("STOP"), "", ",'on_rule_failure':'open'"), -1, "too much time", ACTION_GO},
        /* in time */
        {BUNDLE("{'id':'r','gate':'files','trigger':'attribute_match','action':'STOP','params':[{"
                "'name':'filename','value':'/none'},{'name':'skip_missing','value':'false'}]}",
                "{'gate':'files','trigger_id':'regexp:.*'}", ""),
         0, NULL, ACTION_GO},
    };
    static struct policy_file many[FILES];
    struct policy_image big = image;
    struct policy_subject s = subject;
    for (size_t i = 0; i < FILES; i++)
        many[i] = files[0];
    big.files = many;
    big.n_files = FILES;
    s.image = &big;
    for (size_t i = 0; i < KE_ARRAY_LEN(rows); i++) {
        auto_buf text;
        struct policy_bundle *b;
        struct policy_verdict *v;
        buf_init(&text, 1 << 20);
        s.processor_us = rows[i].time;
        assert_ok(policy_bundle_new(quoted(&text, rows[i].bundle), &b, &e));
        assert_ok(policy_evaluate(b, &s, &v, &e));
        assert_int_equal(v->final_action, rows[i].action);
        assert_int_equal(v->problems.n > 1, rows[i].first != NULL);
        if (rows[i].first) {
            assert_true(str_contains(v->problems.list[0].details, str_z(rows[i].first)));
            assert_true(str_contains(v->problems.list[v->problems.n - 1].details,
                                     STR("what was left was not tried")));
        }
        policy_verdict_free(v);
        policy_bundle_free(b);
    }
}

static void many_rules(struct buf *out, size_t n)
{
    auto_buf rule;
    buf_init(&rule, 1 << 10);
    quoted(&rule, ALWAYS("WARN"));
    buf_clear(out);
    buf_add_str(out, STR("{\"id\":\"b\",\"version\":\"1_0\",\"mappings\":[{\"name\":\"d\","
                         "\"registry\":\"*\",\"repository\":\"*\",\"image\":{\"type\":\"tag\","
                         "\"value\":\"*\"},\"policy_id\":\"p\",\"whitelist_ids\":[]}],"
                         "\"policies\":[{\"id\":\"p\",\"version\":\"1_0\",\"rules\":["));
    for (size_t i = 0; i < n; i++) {
        buf_add_str(out, i ? STR(",") : STR(""));
        buf_add_str(out, buf_view(&rule));
    }
    buf_add_str(out, STR("]}]}"));
}

static void bundles_have_a_size(void **state)
{
    auto_buf text;
    struct policy_bundle *b;
    struct policy_verdict *v;
    buf_init(&text, 128 << 20);
    many_rules(&text, 100000);
    assert_ok(policy_bundle_new(buf_view(&text), &b, &e));
    assert_ok(policy_evaluate(b, &subject, &v, &e));
    assert_int_equal(v->n_rows, 100000);
    assert_int_equal(v->final_action, ACTION_WARN);
    policy_verdict_free(v);
    policy_bundle_free(b);
    many_rules(&text, BUNDLE_RULES_MAX + 1);
    assert_int_equal(policy_bundle_new(buf_view(&text), &b, &e), ERR_LIMIT);
    assert_int_equal(policy_bundle_new((str){text.p, BUNDLE_BYTES_MAX + 1}, &b, &e), ERR_LIMIT);
    assert_int_equal(policy_bundle_new(STR("[]"), &b, &e), ERR_FORMAT);
    assert_int_equal(policy_bundle_new(STR("{"), &b, &e), ERR_FORMAT);
}

static void versions_purls_and_paths(void **state)
{
    static const struct {
        const char *constraint, *scheme, *version, *full;
        bool good, within;
    } versions[] = {
        {">= 1.0, < 2", "deb", "1.5", "1.5-1", true, true},
        {">= 1.0, < 2", "deb", "2.0", "2.0", true, false},
        {"1.0", "", "1.0", "1.0", true, true},
        {"< 2", "", "1.0", "1.0", true, false},
        {"!= 1.10.0", "npm", "1.9.0", "1.9.0", true, true},
        {"<1.10.0", "npm", "1.9.0", "1.9.0", true, true},
        {">= 1, < 2", "npm", "1.9.0", "1.9.0", true, true},
        {">= 1, < 1.9", "npm", "1.9.0", "1.9.0", true, false},
        {"< 1:1.0", "deb", "2.0", "2.0", true, true},
        {">= 1,", "deb", "2", "2", false, false},
        /* a release counts where the constraint has one */
        {"!= 1.5", "deb", "1.5", "1.5-2", true, false},
        {"> 1.5", "deb", "1.5", "1.5-2", true, false},
        {"<= 1.5", "deb", "1.5", "1.5-2", true, true},
        {"= 1.5", "apk", "1.5", "1.5-r2", true, true},
        {"> 1.5-1", "deb", "1.5", "1.5-2", true, true},
        {"= 1.5-1", "deb", "1.5", "1.5-2", true, false},
        /* what is meant otherwise is not read as something else */
        {">= 1.0 < 2", "npm", "3.0.0", "3.0.0", false, false},
        {"=> 1.0", "npm", "3.0.0", "3.0.0", false, false},
        {"< 1.0 || > 2", "deb", "3.0", "3.0", false, false},
        {"^1.0.0", "npm", "1.0.0", "1.0.0", false, false},
        {"~> 1.0", "gem", "1.0", "1.0", false, false},
        {"1.*", "pep440", "1.0", "1.0", false, false},
        {"(devel)", "golang", "(devel)", "(devel)", true, true},
        {"!= 1.0.0", "golang", "(devel)", "(devel)", true, false},
    };
    for (size_t i = 0; i < KE_ARRAY_LEN(versions); i++) {
        bool good,
            within = version_within(str_z(versions[i].constraint), str_z(versions[i].scheme),
                                    str_z(versions[i].version), str_z(versions[i].full), &good);
        if (within != versions[i].within || good != versions[i].good)
            fail_msg("%s %s", versions[i].constraint, versions[i].full);
    }
    assert_true(purl_covers(STR("pkg:npm/a"), STR("pkg:npm/a@1?x=y")));
    assert_true(purl_covers(STR("pkg:npm/a@1"), STR("pkg:npm/a@1?x=y")));
    assert_false(purl_covers(STR("pkg:npm/a@2"), STR("pkg:npm/a@1")));
    assert_false(purl_covers(STR("pkg:npm/a"), STR("pkg:npm/ab@1")));
    assert_true(path_matches(STR("/usr/*/a.jar"), STR("/usr/lib/a.jar")));
    assert_false(path_matches(STR("/usr/*.jar"), STR("/usr/lib/a.jar")));
    assert_true(path_matches(STR("/usr/**/*.jar"), STR("/usr/lib/x/a.jar")));
    assert_true(path_matches(STR("**"), STR("/usr/lib/x/a.jar")));
    assert_false(path_matches(STR("/a?c"), STR("/a/c")));
    assert_true(path_matches(STR("/a?c"), STR("/aéc")));
    assert_false(path_matches(STR("/a??c"), STR("/aéc")));
    assert_true(path_matches(STR("/*?.日?"), STR("/é.日本")));
    assert_false(path_matches(STR("/*??"), STR("/é")));
}

static const struct policy_package packages[] = {
    {.name = STR_INIT("tar"),
     .version = STR_INIT("1.5"),
     .full_version = STR_INIT("1.5"),
     .type = STR_INIT("npm"),
     .scheme = STR_INIT("npm"),
     .purl = STR_INIT("pkg:npm/tar@1.5.0")},
};
static const str aliases[] = {STR_INIT("CVE-2020-7")};
static const struct policy_finding found[] = {
    {.id = STR_INIT("GHSA-7"),
     .aliases = aliases,
     .n_aliases = 1,
     .name = STR_INIT("tar"),
     .version = STR_INIT("1.5.0"),
     .type = STR_INIT("npm"),
     .severity = STR_INIT("High"),
     .location = STR_INIT("/usr/lib/node_modules/tar/package.json")},
};

/* What an item of an allowlist may say of a finding besides its id. */
static void items_name_what_they_allow(void **state)
{
    static const struct {
        const char *item;
        bool allows;
    } cases_of[] = {
        {"'vulnerability_id':'cve-2020-7'", true},
        {"'vulnerability_id':'GHSA-7','package':'t*'", true},
        {"'vulnerability_id':'GHSA-7','package':'x'", false},
        {"'vulnerability_id':'CVE-2020-8'", false},
        {"'package':'tar','path':'/usr/**'", true},
        {"'package':'tar','path':'/opt/**'", false},
        {"'purl':'pkg:npm/tar'", true},
        {"'purl':'pkg:npm/tar@2'", false},
        {"'gate':'files','vulnerability_id':'GHSA-7'", false},
        {"'gate':'vulnerabilities','trigger_id':'GHSA-7+*','version':'1.5'", true},
        {"'gate':'vulnerabilities','trigger_id':'GHSA-8+*','version':'1.5'", false},
    };
    static const struct policy_findings findings = {.items = found, .n = 1};
    static const struct policy_image with = {
        .have = ~0u, .id = STR_INIT("ff"), .packages = packages, .n_packages = 1};
    struct policy_subject s = {.tag = STR("a:1"), .image = &with, .findings = &findings};
    for (size_t i = 0; i < KE_ARRAY_LEN(cases_of); i++) {
        auto_buf json, text;
        struct policy_bundle *b;
        struct policy_verdict *v;
        buf_init(&json, 1 << 20);
        buf_init(&text, 1 << 20);
        buf_addf(&json,
                 BUNDLE("{'gate':'vulnerabilities','trigger':'package','action':'STOP','params':"
                        "[{'name':'package_type','value':'all'}]}",
                        "{%s}", ""),
                 cases_of[i].item);
        assert_ok(policy_bundle_new(quoted(&text, buf_z(&json)), &b, &e));
        assert_ok(policy_evaluate(b, &s, &v, &e));
        assert_int_equal(v->n_rows, 1);
        if (v->rows[0].allowed != cases_of[i].allows)
            fail_msg("%s", cases_of[i].item);
        policy_verdict_free(v);
        policy_bundle_free(b);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_evaluation_ends),
        cmocka_unit_test(a_rule_that_fails_is_a_problem),
        cmocka_unit_test(bundles_have_a_size),
        cmocka_unit_test(items_name_what_they_allow),
        cmocka_unit_test(versions_purls_and_paths),
    };
    return cmocka_run_group_tests_name("limits", tests, NULL, NULL);
}
