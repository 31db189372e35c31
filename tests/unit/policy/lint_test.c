#include "policy_unit.h"

static struct err e;

static const struct {
    const char *bundle, *want;
} cases[] = {
    {BUNDLE(ALWAYS("STOP"), "", ""), ""},
    {BUNDLE(ALWAYS("STOP") "," ALWAYS("GO"), "", ""), "warn DuplicateRuleId"},
    {BUNDLE("{'id':'r','gate':'files','trigger':'name_match','action':'STOP','params':[{'name':"
            "'regex','value':'('}]}",
            "", ""),
     "warn RuleCannotBeJudged"},
    {BUNDLE("{'id':'r','gate':'anchoresec','trigger':'vulnhigh','action':'STOP','params':[]}", "",
            ""),
     "error EndOfLifedError"},
    {BUNDLE("", "{'gate':'always','trigger_id':'x','expires_on':'2020-01-01T00:00:00Z'}", ""),
     "warn AllowlistItemExpired"},
    {BUNDLE("", "{'gate':'allways','trigger_id':'x'}", ""), "warn AllowlistItemUseless"},
    {BUNDLE("", "{'gate':'always','trigger_id':'x','version':'>= 1,'}", ""),
     "error ValidationError\nwarn AllowlistItemUseless"},
    {BUNDLE("", "{'vulnerability_id':'CVE-1','expires_on':'2199-01-01T00:00:00+02:00'}", ""), ""},
    {BUNDLE("", "{'purl':'npm/a'}", ""), "error ValidationError"},
    {BUNDLE("", "{'gate':'always','trigger_id':'*','version':1.2}", ""), "error ValidationError"},
    {BUNDLE("", "{'gate':'always','trigger_id':'*','path':['/x']}", ""), "error ValidationError"},
    {BUNDLE("", "{'gate':'always','trigger_id':'*','path':null,'package':null}", ""), ""},
    {BUNDLE("", "{'gate':'always','trigger_id':'*','pakage':'x'}", ""), "warn UnknownMember"},
    {BUNDLE("", "{'gate':'always','trigger_id':'*','trigger':'x','is_busy':false}", ""), ""},
    {BUNDLE("{'id':'r','gate':'always','trigger':'always','action':'STOP','parameters':[]}", "",
            ""),
     "error PolicyError\nwarn UnknownMember"},
    {BUNDLE(ALWAYS("STOP"), "", ",'unmached':'stop','Expiring_days':3,'mapping':[]"),
     "warn UnknownMember\nwarn UnknownMember\nwarn UnknownMember"},
    {BUNDLE(ALWAYS("STOP"), "", ",'allowlists':[]"), "warn UnknownMember"},
    {BUNDLE(ALWAYS("STOP"), "", ",'unmatched':'deny','on_rule_failure':true"),
     "error PolicyError\nerror PolicyError"},
    {BUNDLE(ALWAYS("STOP"), "", ",'report_allowlist':'true','expiring_days':-1"),
     "error PolicyError\nerror PolicyError"},
    {BUNDLE(ALWAYS("STOP"), "",
            ",'unmatched':'go','on_rule_failure':'open','report_allowlist':false,"
            "'expiring_days':3650"),
     ""},
    {BUNDLE("", "{'reason':'x'}", ""), "error ValidationError\nerror ValidationError"},
    {BUNDLE("", "{'gate':'always'}", ""), "error ValidationError"},
    {BUNDLE("", "{'gate':'always','trigger_id':'regexp:['}", ""), "warn BrokenPattern"},
    {"{'id':'b','version':'1_0','whitelists':[" LIST("") "],'policies':[" POLICY(
         "") "],'mappings':[" MAPPING("") "," MAPPING("") "]}",
     "warn HiddenMapping"},
    {"{'id':'b','version':'1_0','whitelists':[" LIST("") "],'policies':[" POLICY(
         "") ",{'id':'q','version':'1_0','rules':[]}],'mappings':[" MAPPING("") "]}",
     "warn UnusedPart"},
    {"{'id':'b','version':'1_0','whitelists':[],'policies':[],'mappings':[]}",
     "warn JudgesNothing"},
    {"{'id':'b','version':'1_0','whitelists':[],'policies':[],'mappings':[{'name':'a','registry':"
     "'*','repository':'*','image':{'type':'tag','value':'*'},'policy_ids':[],'whitelist_ids':[]"
     "}]}",
     "warn JudgesNothing"},
};

#define OF(registry, repository)                                                                   \
    "{'name':'m','registry':'" registry "','repository':'" repository                              \
    "','image':{'type':'tag','value':'*'},'policy_ids':['p'],'whitelist_ids':[]}"

/* mappings -> is a name of the same image left out? */
static const struct {
    const char *mappings, *want;
} spellings[] = {
    {OF("docker.io", "alpine"), "docker.io/library/alpine"},
    {OF("docker.io", "library/alpine"), "docker.io/alpine"},
    {OF("*", "library/alpine"), "docker.io/alpine"},
    {OF("docker.io", "alpine") "," OF("docker.io", "library/alpine"), ""},
    {OF("docker.io", "alpine") "," OF("*", "*"), ""},
    {OF("docker.io", "*alpine"), ""},
    {OF("docker.io", "regexp:alpine"), ""},
    {OF("docker.io", "team/alpine"), ""},
    {OF("h.example", "alpine"), ""},
    {OF("*", "alpine"), ""},
    {OF("docker.io", "library/"), ""},
};

static void names_that_are_left_out(void **state)
{
    for (size_t i = 0; i < KE_ARRAY_LEN(spellings); i++) {
        char text[2000];
        struct arena a;
        struct policy_problems out;
        auto_json *doc = NULL;
        auto_buf json;
        arena_init(&a, 64 << 20);
        buf_init(&json, 4000);
        snprintf(text, sizeof text,
                 "{'id':'b','version':'1_0','whitelists':[],'policies':[" POLICY(
                     "") "],'mappings':[%s]}",
                 spellings[i].mappings);
        assert_ok(json_parse(quoted(&json, text), "bundle", &doc, &e));
        assert_ok(policy_lint(yyjson_doc_get_root(doc), 1, &a, &out, &e));
        if (out.n != (spellings[i].want[0] != 0) ||
            (out.n && (strcmp(out.list[0].type, "UnmatchedSpelling") != 0 ||
                       !str_contains(out.list[0].details, str_z(spellings[i].want)))))
            fail_msg("%zu: %zu problems, %.*s", i, out.n,
                     STR_ARG(out.n ? out.list[0].details : STR("")));
        arena_done(&a);
    }
}

static void what_is_likely_not_meant(void **state)
{
    for (size_t i = 0; i < KE_ARRAY_LEN(cases); i++) {
        auto_buf text, got;
        auto_json *doc = NULL;
        struct arena a;
        struct policy_problems found;
        buf_init(&text, 1 << 20);
        buf_init(&got, 1 << 20);
        arena_init(&a, 64 << 20);
        assert_ok(json_parse(quoted(&text, cases[i].bundle), "bundle", &doc, &e));
        assert_ok(policy_lint(yyjson_doc_get_root(doc), 1700000000000000, &a, &found, &e));
        for (size_t k = 0; k < found.n; k++)
            buf_addf(&got, "%s%s %s", k ? "\n" : "", found.list[k].severity, found.list[k].type);
        if (!str_eq(buf_view(&got), str_z(cases[i].want)))
            fail_msg("%s:\ngot  %.*s\nwant %s", cases[i].bundle, STR_ARG(buf_view(&got)),
                     cases[i].want);
        arena_done(&a);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(what_is_likely_not_meant),
                                       cmocka_unit_test(names_that_are_left_out)};
    return cmocka_run_group_tests_name("lint", tests, NULL, NULL);
}
