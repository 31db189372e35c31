/* What vuln_update tells: which findings came, went and changed. */
#include "unit.h"

#include "services/policy_engine/vuln_diff.h"

#define ROW_AT(vuln, severity, version, fix, path, more)                                           \
    "{\"vuln\":\"" vuln "\",\"severity\":\"" severity "\",\"package\":\"a-" version                \
    "\",\"fix\":\"" fix "\",\"url\":\"u\",\"package_name\":\"a\","                                 \
    "\"package_version\":\"" version "\",\"package_type\":\"APKG\",\"feed\":\"vulnerabilities\","  \
    "\"feed_group\":\"alpine:3.18\",\"package_path\":\"" path "\"" more "}"
#define ROW(vuln, severity, version, more) ROW_AT(vuln, severity, version, "None", "pkgdb", more)
#define HIGH_AT(path, fix)                 ROW_AT("CVE-1", "High", "1", fix, path, "")

static const struct {
    const char *before, *now; /* rows */
    size_t added, removed, updated;
} cases[] = {
    {"", "", 0, 0, 0},
    {ROW("CVE-1", "High", "1", ""), ROW("CVE-1", "High", "1", ""), 0, 0, 0},
    {"", ROW("CVE-1", "High", "1", ""), 1, 0, 0},
    {ROW("CVE-1", "High", "1", ""), "", 0, 1, 0},
    {ROW("CVE-1", "High", "1", ""), ROW("CVE-1", "Low", "1", ""), 0, 0, 1},
    {ROW("CVE-1", "High", "1", ""), ROW("CVE-1", "High", "2", ""), 1, 1, 0},
    /* what reports do not show is not told; coming into view is */
    {"", ROW("CVE-1", "High", "1", ",\"will_not_fix\":true"), 0, 0, 0},
    {ROW("CVE-1", "High", "1", ",\"shadowed\":true"), ROW("CVE-1", "High", "1", ""), 1, 0, 0},
    /* twice the same is told once */
    {"", ROW("CVE-1", "High", "1", "") "," ROW("CVE-1", "High", "1", ""), 1, 0, 0},
    /* the places of a package have it together; where another is found nothing is new */
    {"", HIGH_AT("/a", "2") "," HIGH_AT("/b", "2"), 1, 0, 0},
    {HIGH_AT("/a", "2") "," HIGH_AT("/b", "2"), "", 0, 1, 0},
    {HIGH_AT("/a", "2"), HIGH_AT("/a", "2") "," HIGH_AT("/b", "2"), 0, 0, 0},
    {HIGH_AT("/a", "2") "," HIGH_AT("/b", "2"), HIGH_AT("/b", "2"), 0, 0, 0},
    {HIGH_AT("/a", "None") "," HIGH_AT("/b", "None"), HIGH_AT("/a", "2") "," HIGH_AT("/b", "2"), 0,
     0, 1},
    /* two packages of one name, told apart by what is told of them only */
    {HIGH_AT("/a", "2") "," HIGH_AT("/b", "3"), HIGH_AT("/a", "2") "," HIGH_AT("/b", "3"), 0, 0, 0},
    {HIGH_AT("/a", "2") "," HIGH_AT("/b", "3"), HIGH_AT("/a", "4") "," HIGH_AT("/b", "3"), 0, 0, 1},
    {ROW("CVE-1", "High", "1", "") "," ROW("CVE-2", "High", "1", ""),
     ROW("CVE-2", "Low", "1", "") "," ROW("CVE-3", "High", "1", ""), 1, 1, 1},
};

static yyjson_doc *kept(const char *rows)
{
    struct err e;
    yyjson_doc *doc = NULL, *out = NULL;
    auto_buf text, list;
    buf_init(&text, 16 << 20);
    buf_init(&list, 16 << 20);
    buf_addf(&text, "[%s]", rows);
    assert_int_equal(json_parse(buf_view(&text), "rows", &doc, &e), 0);
    assert_int_equal(vuln_diff_keep(yyjson_doc_get_root(doc), &list, &e), 0);
    assert_int_equal(json_parse(buf_view(&list), "kept", &out, &e), 0);
    yyjson_doc_free(doc);
    return out;
}

static void test_cases(void **state)
{
    (void)state;
    for (size_t i = 0; i < KE_ARRAY_LEN(cases); i++) {
        struct err e;
        struct vuln_diff n;
        auto_json *before = kept(cases[i].before), *now = kept(cases[i].now), *told = NULL;
        auto_buf out;
        buf_init(&out, 1 << 20);
        assert_int_equal(
            vuln_diff(yyjson_doc_get_root(before), yyjson_doc_get_root(now), &out, &n, &e), 0);
        assert_int_equal(n.added, cases[i].added);
        assert_int_equal(n.removed, cases[i].removed);
        assert_int_equal(n.updated, cases[i].updated);
        assert_int_equal(json_parse(buf_view(&out), "diff", &told, &e), 0);
        yyjson_val *root = yyjson_doc_get_root(told), *first;
        assert_int_equal(yyjson_arr_size(json_get(root, "added")), n.added);
        first = yyjson_arr_get_first(json_get(root, "added"));
        assert_true(!first || yyjson_obj_size(first) == 10);
        assert_null(json_get(root, "omitted"));
    }
}

/* A list has an end; what it leaves out is counted. */
static void test_many(void **state)
{
    (void)state;
    struct err e;
    struct vuln_diff n;
    auto_buf rows, out;
    buf_init(&rows, 16 << 20);
    buf_init(&out, 16 << 20);
    for (int i = 0; i < VULN_DIFF_TOLD + 7; i++)
        buf_addf(&rows, "%s{\"vuln\":\"CVE-%d\"}", i ? "," : "", i);
    auto_json *now = kept(buf_z(&rows)), *told = NULL;
    assert_int_equal(vuln_diff(NULL, yyjson_doc_get_root(now), &out, &n, &e), 0);
    assert_int_equal(n.added, VULN_DIFF_TOLD + 7);
    assert_int_equal(json_parse(buf_view(&out), "diff", &told, &e), 0);
    yyjson_val *root = yyjson_doc_get_root(told);
    assert_int_equal(yyjson_arr_size(json_get(root, "added")), VULN_DIFF_TOLD);
    assert_int_equal(yyjson_get_int(json_get(root, "omitted")), 7);
}

/* What was is what is no more. */
static void test_was(void **state)
{
    (void)state;
    struct err e;
    struct vuln_diff n;
    auto_json *before = kept(HIGH_AT("/a", "2") "," HIGH_AT("/b", "3")), *told = NULL,
              *now = kept(HIGH_AT("/a", "4") "," HIGH_AT("/b", "3"));
    auto_buf out;
    buf_init(&out, 1 << 20);
    assert_int_equal(
        vuln_diff_was(yyjson_doc_get_root(before), yyjson_doc_get_root(now), &out, &n, &e), 0);
    assert_int_equal(json_parse(buf_view(&out), "diff", &told, &e), 0);
    yyjson_val *one = yyjson_arr_get_first(json_get(yyjson_doc_get_root(told), "updated"));
    assert_str(json_str(one, "Fix_Available"), STR("4"));
    assert_str(json_str(json_get(one, "was"), "Fix_Available"), STR("2"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_cases), cmocka_unit_test(test_many),
                                       cmocka_unit_test(test_was)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
