#include "policy_unit.h"

#include "policy/vex.h"

static struct err e;

#define OPENVEX(statements)                                                                        \
    "{'@context':'https://openvex.dev/ns/"                                                         \
    "v0.2.0','timestamp':'2024-01-01T00:00:00Z','statements':[" statements "]}"
#define SAYS(id, product, status)                                                                  \
    "{'vulnerability':{'name':'" id "'},'products':[" product "],'status':'" status "'}"
#define PURL(purl)         "{'@id':'" purl "'}"
#define OCI(version, part) "{'@id':'pkg:oci/app" version "','subcomponents':[" part "]}"
#define CSAF(status)                                                                               \
    "{'document':{'csaf_version':'2.0','tracking':{'current_release_date':'2024-01-01T00:00:00Z'}" \
    "}"                                                                                            \
    ",'product_tree':{'branches':[{'branches':[{'product':{'product_id':'T',"                      \
    "'product_identification_helper':{'purl':'pkg:npm/tar@1.0.0'}}}]}],'relationships':[{"         \
    "'product_reference':'T','relates_to_product_reference':'P','full_product_name':{'product_id'" \
    ":'P:T'}}]},'vulnerabilities':[{'cve':'CVE-1','product_status':{" status "}}]}"
#define CYCLONEDX(state, ref)                                                                      \
    "{'bomFormat':'CycloneDX','components':[{'bom-ref':'a','components':[{'bom-ref':'t','purl':"   \
    "'pkg:npm/tar@1.0.0'}]}],'vulnerabilities':[{'id':'CVE-1','analysis':{'state':'" state         \
    "'},'affects':[{'ref':'" ref "'}]}]}"

/* The status of CVE-1 (also GHSA-1) in npm's tar 1.0.0, "-": none. */
static const struct {
    const char *document, *status;
} cases[] = {
    {OPENVEX(SAYS("CVE-1", PURL("pkg:npm/tar@1.0.0"), "not_affected")), "not_affected"},
    {OPENVEX(SAYS("cve-1", PURL("pkg:npm/tar"), "fixed")), "fixed"},
    {OPENVEX(SAYS("GHSA-1", "'pkg:npm/tar@1.0.0?arch=x'", "affected")), "affected"},
    {OPENVEX(SAYS("CVE-1", "{'@id':'x','identifiers':{'purl':'pkg:npm/tar@1.0.0'}}",
                  "under_investigation")),
     "under_investigation"},
    {OPENVEX(SAYS("CVE-1", PURL("pkg:npm/tar@1.0.1"), "not_affected")), "-"},
    {OPENVEX(SAYS("CVE-1", PURL("pkg:npm/tarball"), "not_affected")), "-"},
    {OPENVEX(SAYS("CVE-2", PURL("pkg:npm/tar"), "not_affected")), "-"},
    {OPENVEX(SAYS("CVE-1", PURL("tar"), "not_affected")), "-"},
    /* the image */
    {OPENVEX(SAYS("CVE-1", PURL("pkg:oci/app@sha256%3Aab12"), "fixed")), "fixed"},
    {OPENVEX(SAYS("CVE-1", PURL("pkg:oci/app@sha256:ab12?x=y"), "fixed")), "fixed"},
    {OPENVEX(SAYS("CVE-1", PURL("pkg:oci/app?repository_url=x"), "fixed")), "fixed"},
    {OPENVEX(SAYS("CVE-1", PURL("pkg:oci/other"), "fixed")), "-"},
    {OPENVEX(SAYS("CVE-1", PURL("pkg:oci/app@sha256%3Aab13"), "fixed")), "-"},
    {OPENVEX(SAYS("CVE-1", OCI("@sha256:ab12", PURL("pkg:npm/tar")), "fixed")), "fixed"},
    {OPENVEX(SAYS("CVE-1", OCI("@sha256:ab12", PURL("pkg:npm/zip")), "fixed")), "-"},
    {OPENVEX(SAYS("CVE-1", OCI("@sha256:ff", PURL("pkg:npm/tar")), "fixed")), "-"},
    /* the latest counts, of one time the last */
    {OPENVEX(SAYS("CVE-1", PURL("pkg:npm/tar"), "affected") "," SAYS("CVE-1", PURL("pkg:npm/tar"),
                                                                     "fixed")),
     "fixed"},
    {OPENVEX(SAYS("CVE-1", PURL("pkg:npm/tar"), "affected") "," SAYS("GHSA-1", PURL("pkg:npm/tar"),
                                                                     "fixed")),
     "fixed"},
    {OPENVEX(SAYS("GHSA-1", PURL("pkg:npm/tar"), "affected") "," SAYS("CVE-1", PURL("pkg:npm/tar"),
                                                                      "fixed")),
     "fixed"},
    {OPENVEX("{'vulnerability':'CVE-1','timestamp':'2024-03-01T00:00:00+02:00','products':["
             "'pkg:npm/tar'],'status':'affected'}," SAYS("CVE-1", PURL("pkg:npm/tar"), "fixed")),
     "affected"},
    {CSAF("'known_not_affected':['P:T']"), "not_affected"},
    {CSAF("'fixed':['T']"), "fixed"},
    {CSAF("'known_affected':['T'],'under_investigation':['T']"), "under_investigation"},
    {CSAF("'known_not_affected':['P']"), "-"},
    {CYCLONEDX("false_positive", "t"), "not_affected"},
    {CYCLONEDX("in_triage", "urn:cdx:1/1#t"), "under_investigation"},
    {CYCLONEDX("resolved", "pkg:npm/tar@1.0.0"), "fixed"},
    {CYCLONEDX("exploitable", "u"), "-"},
    {CYCLONEDX("", "t"), "-"},
};

static const struct policy_package packages[] = {{.purl = STR_INIT("pkg:npm/tar@1.0.0")}};
static const struct policy_image image = {
    .digest = STR_INIT("sha256:ab12"), .packages = packages, .n_packages = 1};

static void statuses(void **state)
{
    static const str aliases[] = {STR_INIT("GHSA-1")};
    for (size_t i = 0; i < KE_ARRAY_LEN(cases); i++) {
        auto_buf text;
        struct vex *v;
        struct policy_finding f = {.id = STR("CVE-1"), .aliases = aliases, .n_aliases = 1};
        buf_init(&text, 1 << 20);
        assert_ok(vex_new(&v, &e));
        assert_ok(vex_read(v, quoted(&text, cases[i].document), "test", &e));
        vex_mark(v, &image, STR("registry.example/team/app:1"), &f, 1);
        if (!str_eq(f.vex_status.n ? f.vex_status : STR("-"), str_z(cases[i].status)))
            fail_msg("%s: %.*s", cases[i].document, STR_ARG(f.vex_status));
        vex_free(v);
    }
}

static void what_is_no_document(void **state)
{
    static const char *const broken[] = {"{}",
                                         "[]",
                                         "5",
                                         "{",
                                         "{'@context':'https://openvex.dev/ns/v0.2.0'}",
                                         OPENVEX(SAYS("CVE-1", PURL("pkg:npm/tar"), "maybe")),
                                         OPENVEX("{'status':'fixed'}"),
                                         OPENVEX("7"),
                                         "{'bomFormat':'SPDX'}",
                                         "{'document':{'csaf_version':'1'}}"};
    for (size_t i = 0; i < KE_ARRAY_LEN(broken); i++) {
        auto_buf text;
        struct vex *v;
        buf_init(&text, 1 << 20);
        assert_ok(vex_new(&v, &e));
        if (vex_read(v, quoted(&text, broken[i]), "test", &e) != ERR_FORMAT)
            fail_msg("%s", broken[i]);
        vex_free(v);
    }
}

static int read_code(const struct buf *text, size_t n)
{
    struct vex *v;
    assert_ok(vex_new(&v, &e));
    int rc = vex_read(v, (str){text->p, n}, "test", &e);
    vex_free(v);
    return rc;
}

static void sizes(void **state)
{
    auto_buf text;
    buf_init(&text, 128 << 20);
    buf_add_str(&text, STR("{\"@context\":\"https://openvex.dev/ns\",\"statements\":["));
    for (int i = 0; i <= VEX_STATEMENTS_MAX; i++)
        buf_addf(&text,
                 "%s{\"vulnerability\":\"C\",\"products\":[\"pkg:a/b\"],\"status\":\"fixed\"}",
                 i ? "," : "");
    buf_add_str(&text, STR("]}"));
    assert_int_equal(read_code(&text, text.n), ERR_LIMIT);
    assert_int_equal(read_code(&text, (size_t)VEX_BYTES_MAX + 1), ERR_LIMIT);
    buf_clear(&text); /* branches that are nested too deep */
    buf_add_str(&text, STR("{\"document\":{\"csaf_version\":\"2.0\"},\"product_tree\":"));
    for (int i = 0; i < 100; i++)
        buf_add_str(&text, STR("{\"branches\":["));
    buf_add_str(&text, STR("{}"));
    for (int i = 0; i < 100; i++)
        buf_add_str(&text, STR("]}"));
    buf_add_str(&text, STR("}"));
    assert_int_equal(read_code(&text, text.n), ERR_LIMIT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(statuses), cmocka_unit_test(what_is_no_document), cmocka_unit_test(sizes)};
    return cmocka_run_group_tests_name("vex", tests, NULL, NULL);
}
