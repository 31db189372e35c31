/* JSON: documents with places in their errors, strings out, and the pull reader on whole and broken
 * texts. */
#include "unit.h"

#include "codec/json.h"

static void parses_and_reaches(void **state)
{
    struct err e = {0};
    auto_json *doc = NULL;
    assert_ok(json_parse(STR("\xEF\xBB\xBF{\"a\":{\"b\":[\"x\"],\"n\":1},\"s\":\"q\\u0041\"}"), "t",
                         &doc, &e));
    yyjson_val *root = yyjson_doc_get_root(doc);
    assert_str(json_str(root, "s"), STR("qA"));
    assert_str(json_str(root, "a"), STR(""));
    assert_non_null(json_at(root, "a", "b", NULL));
    assert_null(json_at(root, "a", "none", "b", NULL));
    assert_int_equal(yyjson_get_int(json_at(root, "a", "n", NULL)), 1);
    assert_str(json_text(NULL), STR(""));
}

static void errors_name_the_place(void **state)
{
    static const struct {
        const char *text, *place;
    } rows[] = {
        {"{\n  \"a\": 1,\n  \"b\" 2\n}", "t:3:7: "},
        {"", "t: is empty"},
        {"  \n", "t: is empty"},
        {"[1,", "t:1:"},
        {"{\"a\":1} x", "t:1:9: "},
        {"\"\xff\"", "t:1:"},
    };
    for (size_t i = 0; i < KE_ARRAY_LEN(rows); i++) {
        struct err e = {0};
        auto_json *doc = NULL;
        assert_int_equal(json_parse(str_z(rows[i].text), "t", &doc, &e), ERR_FORMAT);
        if (!str_starts(str_z(e.text), str_z(rows[i].place)))
            fail_msg("row %zu: \"%s\"", i, e.text);
    }
}

static void nesting_is_limited(void **state)
{
    char text[1100];
    for (int depth = 512; depth <= 513; depth++) {
        struct err e = {0};
        auto_json *doc = NULL;
        memset(text, '[', (size_t)depth);
        memset(text + depth, ']', (size_t)depth);
        int r = json_parse((str){text, 2 * (size_t)depth}, "t", &doc, &e);
        assert_int_equal(r, depth == 512 ? 0 : ERR_LIMIT);
    }
    /* Brackets in strings are no nesting. */
    struct err e = {0};
    auto_json *doc = NULL;
    memset(text, '[', sizeof text);
    memcpy(text, "\"\\\"", 3);
    text[sizeof text - 1] = '"';
    assert_ok(json_parse((str){text, sizeof text}, "t", &doc, &e));
}

static void writes_strings(void **state)
{
    static const struct {
        str in;
        const char *out;
    } rows[] = {
        {STR_INIT(""), "\"\""},
        {STR_INIT("a\"\\/\n\r\t\x01\x7f"), "\"a\\\"\\\\/\\n\\r\\t\\u0001\\u007f\""},
        {STR_INIT("\xc3\xa9\xe2\x82\xac\xf0\x9f\x94\x92"),
         "\"\xc3\xa9\xe2\x82\xac\xf0\x9f\x94\x92\""},
        {STR_INIT("\xff\xc3"), "\"\xEF\xBF\xBD\xEF\xBF\xBD\""},
        {STR_INIT("\xc0\xaf"), "\"\xEF\xBF\xBD\xEF\xBF\xBD\""},                 /* overlong */
        {STR_INIT("\xed\xa0\x80"), "\"\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD\""}, /* surrogate */
        {STR_INIT("x\0y"), "\"x\\u0000y\""},
    };
    for (size_t i = 0; i < KE_ARRAY_LEN(rows); i++) {
        auto_buf b;
        buf_init(&b, 1000);
        json_put_string(&b, rows[i].in);
        assert_str(buf_view(&b), str_z(rows[i].out));
    }
}

/* Pulls everything and writes "key=text;" for each element; the return code of the last call. */
static int pull_all(str text, const char *path, size_t max, struct buf *out, struct err *e)
{
    auto_stream *in = NULL;
    struct json_pull *j = NULL;
    assert_int_equal(stream_from_mem(text, &in, e), 0);
    struct json_pull_limits limits = {max};
    int r = json_pull_open(in, path, "t", &limits, &j, e);
    str key, element;
    while (r >= 0 && (r = json_pull_next(j, &key, &element, e)) == 1) {
        buf_addf(out, "%.*s=%.*s;", STR_ARG(key), STR_ARG(element));
    }
    json_pull_close(j);
    return r;
}

static void pulls(void **state)
{
    static const struct {
        const char *text, *path, *out;
    } rows[] = {
        {"[]", NULL, ""},
        {" {} ", "", ""},
        {"[1, \"a,]\\\"\" ,{\"x\":[1,2]},null]", NULL, "=1;=\"a,]\\\"\";={\"x\":[1,2]};=null;"},
        {"{\"a\" : 1 ,\"b\":[ ] , \"c\\u0041\":{}}", NULL, "a=1;b=[ ];cA={};"},
        {"{\"x\":{\"y\":[9]},\"list\":[1,2],\"z\":\"end\"}", "list", "=1;=2;"},
        {"{\"x\":{\"y\":[9]},\"list\":[1,2]}", "x/y", "=9;"},
        {"\xEF\xBB\xBF[true]\n", NULL, "=true;"},
    };
    for (size_t i = 0; i < KE_ARRAY_LEN(rows); i++) {
        struct err e = {0};
        auto_buf out;
        buf_init(&out, 10000);
        assert_ok(pull_all(str_z(rows[i].text), rows[i].path, 0, &out, &e));
        assert_str(buf_view(&out), str_z(rows[i].out));
    }
}

static void pull_refuses(void **state)
{
    static const struct {
        const char *text, *path, *message;
    } rows[] = {
        {"", NULL, "ends in the middle"},
        {"12", NULL, "expected a JSON array or object"},
        {"[1", NULL, "ends in the middle"},
        {"[1,", NULL, "ends in the middle"},
        {"[1,]", NULL, "nothing follows"},
        {"[,1]", NULL, "value is missing"},
        {"[1 2]", NULL, "expected ','"},
        {"[\"abc", NULL, "ends in the middle"},
        {"[{\"a\":1", NULL, "ends in the middle"},
        {"{\"a\" 1}", NULL, "expected ':'"},
        {"{a:1}", NULL, "expected a member name"},
        {"[1]]", NULL, "something follows"},
        {"{\"a\":1}", "b", "no member \"b\""},
        {"{\"a\":1}", "a", "expected a JSON array or object"},
        {"[1]", "a", "expected a JSON object"},
        {"{\"a\":[1]", "a", "ends in the middle"},
        {"{\"a\":[1], \"b\":", "a", "ends in the middle"},
    };
    for (size_t i = 0; i < KE_ARRAY_LEN(rows); i++) {
        struct err e = {0};
        auto_buf out;
        buf_init(&out, 10000);
        int r = pull_all(str_z(rows[i].text), rows[i].path, 0, &out, &e);
        if (r != ERR_FORMAT || !str_contains(str_z(e.text), str_z(rows[i].message)))
            fail_msg("row %zu: %d \"%s\"", i, r, e.text);
    }
}

static void pull_limits_one_element(void **state)
{
    struct err e = {0};
    auto_buf out;
    buf_init(&out, 10000);
    assert_ok(pull_all(STR("[\"12345678\"]"), NULL, 10, &out, &e));
    assert_int_equal(pull_all(STR("[\"123456789\"]"), NULL, 10, &out, &e), ERR_LIMIT);
    /* What is passed by is not limited. */
    assert_ok(pull_all(STR("{\"x\":[123456789,0],\"a\":[1]}"), "a", 10, &out, &e));
}

static void pull_sees_what_stands_beside(void **state)
{
    struct err e = {0};
    auto_stream *in = NULL;
    struct json_pull *j = NULL;
    str key, element;
    assert_ok(stream_from_mem(STR("{\"v\":\"2.0\",\"n\":3,\"a\":[],\"when\":\"now\"}"), &in, &e));
    assert_ok(json_pull_open(in, "a", "t", NULL, &j, &e));
    assert_str(json_pull_seen(j, "v"), STR("2.0"));
    assert_str(json_pull_seen(j, "n"), STR("3"));
    assert_str(json_pull_seen(j, "when"), STR(""));
    assert_int_equal(json_pull_next(j, &key, &element, &e), 0);
    assert_str(json_pull_seen(j, "when"), STR("now"));
    json_pull_close(j);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(parses_and_reaches),
        cmocka_unit_test(errors_name_the_place),
        cmocka_unit_test(nesting_is_limited),
        cmocka_unit_test(writes_strings),
        cmocka_unit_test(pulls),
        cmocka_unit_test(pull_refuses),
        cmocka_unit_test(pull_limits_one_element),
        cmocka_unit_test(pull_sees_what_stands_beside),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
