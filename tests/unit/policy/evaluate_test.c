#include "policy_unit.h"

static struct err e;

#define NOW 1700000000000000LL /* 2023-11-14T22:13:20Z */

static const struct policy_image image = {
    .id = STR_INIT("ffff"),
    .digest = STR_INIT("sha256:aaaa"),
};

static struct policy_verdict *judge(const char *json, str tag, struct policy_bundle **bundle)
{
    auto_buf text;
    buf_init(&text, 64 << 20);
    struct policy_subject s = {.account = STR("admin"), .tag = tag, .image = &image, .now_us = NOW};
    struct policy_verdict *v;
    assert_ok(policy_bundle_new(quoted(&text, json), bundle, &e));
    assert_ok(policy_evaluate(*bundle, &s, &v, &e));
    return v;
}

#define ROW "always|Unconditional trigger match|"
#define LINE(registry, repo, type, value)                                                          \
    "{'name':'x','registry':'" registry "','repository':'" repo "','image':{'type':'" type         \
    "','value':'" value "'}}"
#define IMAGES(allowed, denied)                                                                    \
    ",'whitelisted_images':[" allowed "],'blacklisted_images':[" denied "]"
#define MAPPED(registry, repo, type, value)                                                        \
    "{'id':'b','version':'1_0','policies':[" POLICY(                                               \
        ALWAYS("STOP")) "],'mappings':[{'name':'m','registry':'" registry "','repository':'" repo  \
                        "','image':{'type':'" type "','value':'" value                             \
                        "'},'policy_id':'p','whitelist_ids':[]}]}"

static const struct {
    const char *bundle, *tag, *policy, *final, *reason, *text;
} cases[] = {
    /* actions */
    {BUNDLE(ALWAYS("STOP"), "", ""), "", "stop", "stop", "policy_evaluation", ROW "stop|-\n"},
    {BUNDLE(ALWAYS("go") "," ALWAYS("Warn"), "", ""), "", "warn", "warn", "policy_evaluation",
     ROW "go|-\n" ROW "warn|-\n"},
    {BUNDLE("", "", ""), "", "go", "go", "policy_evaluation", ""},
    /* allowlists: exact, pattern, gate in another case, another gate, expired, not yet */
    {BUNDLE(ALWAYS("STOP"), "{'id':'i','gate':'ALWAYS','trigger_id':'always'}", ""), "", "go", "go",
     "policy_evaluation", ROW "go|i\n"},
    {BUNDLE(ALWAYS("STOP"), "{'id':'i','gate':'always','trigger_id':'al*'}", ""), "", "go", "go",
     "policy_evaluation", ROW "go|i\n"},
    {BUNDLE(ALWAYS("STOP"), "{'id':'i','gate':'always','trigger_id':'*ways'}", ""), "", "go", "go",
     "policy_evaluation", ROW "go|i\n"},
    {BUNDLE(ALWAYS("STOP"), "{'id':'i','gate':'always','trigger_id':'*lwa*'}", ""), "", "go", "go",
     "policy_evaluation", ROW "go|i\n"},
    {BUNDLE(ALWAYS("STOP"), "{'id':'i','gate':'always','trigger_id':'regexp:alw'}", ""), "", "go",
     "go", "policy_evaluation", ROW "go|i\n"},
    {BUNDLE(ALWAYS("STOP"),
            "{'id':'i','gate':'always','trigger_id':'Always'},{'id':'j','gate':'files',"
            "'trigger_id':'*'},{'id':'k','gate':'always','trigger_id':'alway'}",
            ""),
     "", "stop", "stop", "policy_evaluation", ROW "stop|-\n"},
    {BUNDLE(ALWAYS("STOP"),
            "{'id':'i','gate':'always','trigger_id':'always','expires_on':'2023-11-14T22:13:20Z'}",
            ""),
     "", "stop", "stop", "policy_evaluation", ROW "stop|-\n"},
    {BUNDLE(ALWAYS("STOP"),
            "{'id':'i','gate':'always','trigger_id':'always','expires_on':"
            "'2023-11-14T22:13:20.5Z'}",
            ""),
     "", "go", "go", "policy_evaluation", ROW "go|i\n"},
    {BUNDLE(ALWAYS("STOP"),
            "{'id':'i','gate':'always','trigger_id':'always','expires_on':"
            "'2023-11-14T23:13:20+01:00'},{'id':'j','gate':'always','trigger_id':'a*'}",
            ""),
     "", "go", "go", "policy_evaluation", ROW "go|j\n"},
    /* the first item in the list's order, whatever its kind */
    {BUNDLE(ALWAYS("STOP"),
            "{'id':'1','gate':'always','trigger_id':'x'},{'id':'2','gate':'always',"
            "'trigger_id':'*s'},{'id':'3','gate':'always','trigger_id':'always'}",
            ""),
     "", "go", "go", "policy_evaluation", ROW "go|2\n"},
    {BUNDLE(ALWAYS("STOP"),
            "{'id':'1','gate':'always','trigger_id':'always','expires_on':'2020-01-01T00:00:00Z'},"
            "{'id':'2','gate':'always','trigger_id':'always'}",
            ""),
     "", "go", "go", "policy_evaluation", ROW "go|2\n"},
    /* lists of images */
    {BUNDLE(ALWAYS("GO"), "", IMAGES("", LINE("*", "*", "tag", "*"))), "", "go", "stop",
     "blacklisted", ROW "go|-\n"},
    {BUNDLE(ALWAYS("STOP"), "", IMAGES(LINE("*", "*", "id", "ffff"), "")), "", "stop", "go",
     "whitelisted", ROW "stop|-\n"},
    {BUNDLE(ALWAYS("STOP"), "", IMAGES(LINE("*", "*", "digest", "sha256:aaaa"), "")), "", "stop",
     "go", "whitelisted", ROW "stop|-\n"},
    {BUNDLE(ALWAYS("GO"), "",
            IMAGES(LINE("*", "*", "tag", "*"), LINE("*", "*", "digest", "sha256:aaaa"))),
     "", "go", "stop", "blacklisted", ROW "go|-\n"},
    {BUNDLE(ALWAYS("STOP"), "", IMAGES(LINE("*", "*", "tag", "v2"), "")), "", "stop", "stop",
     "policy_evaluation", ROW "stop|-\n"},
    {BUNDLE(ALWAYS("STOP"), "", ",'allowlisted_images':[" LINE("*", "*", "tag", "*") "]"), "",
     "stop", "go", "whitelisted", ROW "stop|-\n"},
    {BUNDLE(ALWAYS("GO"), "", IMAGES("", LINE("regexp:(", "*", "tag", "*"))), "", "go", "stop",
     "policy_evaluation",
     ROW "go|-\nerror PolicyError a denied image: \"regexp:(\" is no expression\n"},
    /* mappings */
    {MAPPED("docker.io", "*", "tag", "*"), "docker.io/debian:9", "stop", "stop",
     "policy_evaluation", ROW "stop|-\n"},
    {MAPPED("docker.io", "*", "tag", "*"), "quay.io/debian:9", "go", "go", "policy_evaluation", ""},
    {MAPPED("*", "regexp:bench/k.*", "tag", "*"), "h:1/bench/kitchen:1", "stop", "stop",
     "policy_evaluation", ROW "stop|-\n"},
    {MAPPED("*", "regexp:ench/k.*", "tag", "*"), "h:1/bench/kitchen:1", "go", "go",
     "policy_evaluation", ""},
    {MAPPED("*", "deb", "tag", "*"), "debian:9", "go", "go", "policy_evaluation", ""},
    {MAPPED("*", "*", "tag", "v1.*"), "debian:v1x", "go", "go", "policy_evaluation", ""},
    {MAPPED("*", "*", "digest", "sha256:aaaa"), "debian:9", "stop", "stop", "policy_evaluation",
     ROW "stop|-\n"},
    {MAPPED("*", "*", "digest", "sha256:aaab"), "debian:9", "go", "go", "policy_evaluation", ""},
    {MAPPED("*", "*", "id", "ffff"), "debian:9", "stop", "stop", "policy_evaluation",
     ROW "stop|-\n"},
    {MAPPED("*", "*", "name", "x"), "debian:9", "stop", "stop", "policy_evaluation",
     "error PolicyError mappings.0.image.type is none of 'tag', 'digest', 'id'\n"},
    {MAPPED("regexp:(", "*", "tag", "*"), "debian:9", "stop", "stop", "policy_evaluation",
     "error PolicyError a mapping: \"regexp:(\" is no expression\n"},
    {"{'id':'b','version':'1_0','unmatched':'stop','policies':[],'mappings':[]}", "a:1", "stop",
     "stop", "policy_evaluation", "error PolicyError no mapping of the bundle matches a:1\n"},
    {"{'id':'b','version':'1_0','unmatched':'perhaps','policies':[],'mappings':[]}", "a:1", "stop",
     "stop", "policy_evaluation", "error PolicyError unmatched is neither \"go\" nor \"stop\"\n"},
    /* bundles with errors */
    {"{'id':'b','version':'2','policies':[],'mappings':[]}", "a:1", "stop", "stop",
     "policy_evaluation",
     "error UnsupportedVersionError Found version 2, expected one of supported versions ['1_0']."
     " Detail:\"Version not supported\" (supported_versions=['1_0'],found_version=2)\n"},
    {BUNDLE("{'id':'r','gate':'always','trigger':'never','action':'STOP','params':[]}", "", ""),
     "a:1", "stop", "stop", "policy_evaluation",
     "error TriggerNotFoundError Trigger not found for specified gate. Valid triggers are: "
     "['always'] (gate=always,trigger=never,rule_id=r)\n"},
    {BUNDLE("{'id':'r','gate':'always','trigger':'always','action':'BLOCK','params':[]}", "", ""),
     "a:1", "stop", "stop", "policy_evaluation", "error PolicyError block\n"},
    {"{'id':'b','version':'1_0','policies':[],'mappings':[" MAPPING("") "],'whitelists':[]}", "a:1",
     "stop", "stop", "policy_evaluation",
     "error ReferencedObjectNotFoundError Referenced object not found (reference_type=policy,"
     "reference_id=p)\nerror ReferencedObjectNotFoundError Referenced object not found "
     "(reference_type=whitelist,reference_id=w)\n"},
    {"{'id':'b','version':'1_0','policies':5,'mappings':[7],'whitelists':'x'}", "a:1", "stop",
     "stop", "policy_evaluation",
     "error PolicyError policies is not a list\nerror PolicyError mappings.0 is not an object\n"
     "error PolicyError whitelists is not a list\n"},
    {"{'id':'b','version':'1_0','policies':[],'mappings':[{'registry':5,'image':{'type':'x','value'"
     ":null}}]}",
     "a:1", "stop", "stop", "policy_evaluation",
     "error PolicyError mappings.0.registry is not a text\n"
     "error PolicyError mappings.0.repository is not a text\n"
     "error PolicyError mappings.0.image.value is not a text\n"
     "error PolicyError mappings.0.image.type is none of 'tag', 'digest', 'id'\n"},
    {"{'id':'b','version':'1_0','policies':[[]],'mappings':null}", "a:1", "stop", "stop",
     "policy_evaluation",
     "error PolicyError policies.0 is not an object\nerror PolicyError mappings is not a list\n"},
    /* told of allowlists, when asked */
    {BUNDLE(ALWAYS("STOP"),
            "{'id':'1','gate':'always','trigger_id':'x','expires_on':'2020-01-01T00:00:00Z'},"
            "{'id':'2','gate':'always','trigger_id':'y','owner':'me'},"
            "{'id':'3','gate':'always','trigger_id':'always','expires_on':'2023-11-20T00:00:00Z'}",
            ",'report_allowlist':true"),
     "", "go", "go", "policy_evaluation",
     ROW "go|3\n"
         "warn AllowlistItemExpired An allowlist item has expired at 2020-01-01T00:00:00Z "
         "(whitelist_id=w,item_id=1,trigger_id=x)\n"
         "warn AllowlistItemUnused An allowlist item allows nothing in this image "
         "(whitelist_id=w,item_id=2,trigger_id=y,owner=me)\n"
         "warn AllowlistItemExpiring An allowlist item will expire at 2023-11-20T00:00:00Z "
         "(whitelist_id=w,item_id=3,trigger_id=always)\n"},
};

static void verdicts(void **state)
{
    auto_buf text;
    buf_init(&text, 1 << 20);
    for (size_t i = 0; i < KE_ARRAY_LEN(cases); i++) {
        struct policy_bundle *b;
        struct policy_verdict *v = judge(cases[i].bundle, str_z(cases[i].tag), &b);
        if (!str_eq(verdict_text(v, &text), str_z(cases[i].text)))
            print_message("case %zu: %s\n", i, cases[i].bundle);
        assert_str(verdict_text(v, &text), str_z(cases[i].text));
        assert_string_equal(policy_action_names[v->policy_action], cases[i].policy);
        assert_string_equal(policy_action_names[v->final_action], cases[i].final);
        assert_string_equal(v->reason, cases[i].reason);
        policy_verdict_free(v);
        policy_bundle_free(b);
    }
}

static void a_verdict_knows_how_long_it_holds(void **state)
{
    struct policy_bundle *b;
    struct policy_verdict *v = judge(BUNDLE(ALWAYS("STOP"), "", ""), STR(""), &b);
    assert_true(v->valid_until_us == INT64_MAX);
    policy_verdict_free(v);
    policy_bundle_free(b);
    v = judge(BUNDLE(ALWAYS("STOP"),
                     "{'gate':'always','trigger_id':'x','expires_on':'2023-11-14T22:13:21Z'},"
                     "{'gate':'always','trigger_id':'a*','expires_on':'2023-11-14T22:13:22Z'}",
                     ""),
              STR(""), &b);
    assert_true(v->valid_until_us == NOW + 2000000);
    policy_verdict_free(v);
    policy_bundle_free(b);
    v = judge(BUNDLE(ALWAYS("STOP"),
                     "{'gate':'always','trigger_id':'a*','expires_on':'2023-11-16T22:13:20Z'}",
                     ",'report_allowlist':true,'expiring_days':1"),
              STR(""), &b);
    assert_true(v->valid_until_us == NOW + 86400000000LL);
    policy_verdict_free(v);
    policy_bundle_free(b);
}

/* The members and cells of the original's document, in the order of their names. */
static void the_document(void **state)
{
    static const char want[] =
        "{'bundle':{'id':'b','version':'1_0','mappings':[" MAPPING("") "],'policies':[" POLICY(
            ALWAYS(
                "STOP")) "],'whitelists':[{'id':'w','name':'W','version':'1_0','items':[{'id':"
                         "'i','gate':'always','trigger_id':'always'}]}]},"
                         "'created_at':1700000000,'evaluation_problems':[],'final_action':'go',"
                         "'final_action_reason':'policy_evaluation','image_id':'ffff','last_"
                         "modified':1700000000,"
                         "'matched_blacklisted_images_rule':false,'matched_mapping_rule':" MAPPING(
                             "") ","
                                 "'matched_whitelisted_images_rule':false,'result':{'ffff':{'"
                                 "result':{'final_action':'go',"
                                 "'header':['Image_Id','Repo_Tag','Trigger_Id','Gate','Trigger','"
                                 "Check_Output',"
                                 "'Gate_Action','Whitelisted','Policy_Id'],'row_count':1,'rows':[['"
                                 "ffff',"
                                 "'docker.io/debian:9','always','always','always','Unconditional "
                                 "trigger match','go',"
                                 "{'matched_rule_id':'i','whitelist_id':'w','whitelist_name':'W'},'"
                                 "p']]}},"
                                 "'policy_data':[],'policy_name':'','whitelist_data':[],'whitelist_"
                                 "names':[]},"
                                 "'tag':'docker.io/debian:9','user_id':'admin'}";
    struct policy_bundle *b;
    struct policy_verdict *v =
        judge(BUNDLE(ALWAYS("STOP"), "{'id':'i','gate':'always','trigger_id':'always'}", ""),
              STR("docker.io/debian:9"), &b);
    struct policy_subject s = {
        .account = STR("admin"), .tag = STR("docker.io/debian:9"), .image = &image, .now_us = NOW};
    yyjson_mut_doc *d = yyjson_mut_doc_new(NULL);
    yyjson_mut_val *out;
    assert_ok(policy_verdict_json(v, b, &s, d, &out, &e));
    autofree char *json = yyjson_mut_val_write(out, 0, NULL);
    auto_buf text;
    buf_init(&text, 1 << 20);
    assert_str(str_z(json), quoted(&text, want));
    yyjson_mut_doc_free(d);
    policy_verdict_free(v);
    policy_bundle_free(b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(verdicts),
        cmocka_unit_test(a_verdict_knows_how_long_it_holds),
        cmocka_unit_test(the_document),
    };
    return cmocka_run_group_tests_name("evaluate", tests, NULL, NULL);
}
