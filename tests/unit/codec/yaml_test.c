/* YAML: what it becomes as JSON, and each limit and refusal. */
#include "unit.h"

#include "codec/yaml.h"

static void check(const char *text, const struct yaml_options *o, const char *want)
{
    struct err e = {0};
    auto_json *doc = NULL;
    if (yaml_parse(str_z(text), "t", o, &doc, &e) < 0)
        fail_msg("%s\n%s", text, e.text);
    char *json autofree = yyjson_write(doc, 0, NULL);
    assert_str(str_z(json), str_z(want));
}

static void becomes_json(void **state)
{
    static const struct {
        const char *yaml, *json;
    } rows[] = {
        {"a: 1\nb: [x, 'y', \"z\\n\"]\n", "{\"a\":1,\"b\":[\"x\",\"y\",\"z\\n\"]}"},
        {"- ~\n- null\n-\n- true\n- -7\n- 0x1F\n- 1.5\n- 1e3\n",
         "[null,null,null,true,-7,31,1.5,1000.0]"},
        {"[1.2.3, 1_000, .inf, 2020-01-02, yes, 18446744073709551616]",
         "[\"1.2.3\",\"1_000\",\".inf\",\"2020-01-02\",\"yes\",18446744073709552000.0]"},
        {"a: |\n  one\n  two\nb: >-\n  three\n  four\n",
         "{\"a\":\"one\\ntwo\\n\",\"b\":\"three four\"}"},
        {"a: one\n  two\n", "{\"a\":\"one two\"}"},
        {"a: &x [1, 2]\nb: *x\n", "{\"a\":[1,2],\"b\":[1,2]}"},
        {"a: &x 1\nb: &x 2\nc: *x\n", "{\"a\":1,\"b\":2,\"c\":2}"},
        {"base: &b {p: 1, q: 2}\nd:\n  q: 3\n  <<: *b\n",
         "{\"base\":{\"p\":1,\"q\":2},\"d\":{\"q\":3,\"p\":1}}"},
        {"<<: [{a: 1, b: 1}, {b: 2, c: 2}]\nd: 4\n", "{\"d\":4,\"a\":1,\"b\":1,\"c\":2}"},
        {"<<: {a: 1}\n", "{\"a\":1}"},
        {"'<<': 1\n", "{\"<<\":1}"},
        {"&k key: 1\nother: *k\n", "{\"key\":1,\"other\":\"key\"}"},
        {"!!str 1.10", "\"1.10\""},
        {"1: a\n2.0: b\n~: c\n", "{\"1\":\"a\",\"2.0\":\"b\",\"~\":\"c\"}"},
        {"\xEF\xBB\xBF"
         "a: \xc3\xa9\n",
         "{\"a\":\"\xc3\xa9\"}"},
        {"--- \na: {}\n...\n", "{\"a\":{}}"},
    };
    for (size_t i = 0; i < KE_ARRAY_LEN(rows); i++)
        check(rows[i].yaml, NULL, rows[i].json);
}

static void keeps_versions_as_strings(void **state)
{
    struct yaml_options o = {.all_strings = true};
    check("1.10-r0:\n  - CVE-1\n0: [1.10, 010, true, 1e5]\nx:\ny: ~\nz: ''\n", &o,
          "{\"1.10-r0\":[\"CVE-1\"],\"0\":[\"1.10\",\"010\",\"true\",\"1e5\"],"
          "\"x\":null,\"y\":null,\"z\":\"\"}");
    o.keep_duplicates = true;
    check("a: 1\na: 2\n", &o, "{\"a\":\"1\",\"a\":\"2\"}");
}

static void refuses(void **state)
{
    static const struct {
        str yaml;
        int code;
        const char *message;
    } rows[] = {
        {STR_INIT(""), ERR_FORMAT, "is empty"},
        {STR_INIT("# only a comment\n"), ERR_FORMAT, "is empty"},
        {STR_INIT("a: 1\n\na: 2\n"), ERR_FORMAT, "t:3:1: the key \"a\" occurs twice"},
        {STR_INIT("a: *none\n"), ERR_FORMAT, "t:1:4: an alias to an anchor that does not exist"},
        {STR_INIT("a: &x [*x]\n"), ERR_FORMAT, "the collection it stands in"},
        {STR_INIT("[a]: 1\n"), ERR_UNSUPPORTED, "a key that is not a scalar"},
        {STR_INIT("- &x [a]\n- {*x : 1}\n"), ERR_UNSUPPORTED, "a key that is not a scalar"},
        {STR_INIT("<<: 1\n"), ERR_FORMAT, "not a mapping"},
        {STR_INIT("<<: [1]\n"), ERR_FORMAT, "not a mapping"},
        {STR_INIT("a: 1\n---\nb: 2\n"), ERR_FORMAT, "second document"},
        {STR_INIT("a: [1, 2\nb: 3\n"), ERR_FORMAT, "t:"},
        {STR_INIT("a:\n\t- b\n"), ERR_FORMAT, "t:2:"},
        {STR_INIT("a: \"b\n"), ERR_FORMAT, "t:"},
        {STR_INIT("a: \xff\xfe\n"), ERR_FORMAT, "invalid leading UTF-8"},
        {STR_INIT("a: \0b\n"), ERR_FORMAT, "control characters"},
    };
    for (size_t i = 0; i < KE_ARRAY_LEN(rows); i++) {
        struct err e = {0};
        auto_json *doc = NULL;
        int r = yaml_parse(rows[i].yaml, "t", NULL, &doc, &e);
        if (r != rows[i].code || !str_contains(str_z(e.text), str_z(rows[i].message)) || doc)
            fail_msg("row %zu: %d \"%s\"", i, r, e.text);
    }
}

static int parse_only(str text, struct err *e)
{
    auto_json *doc = NULL;
    return yaml_parse(text, "t", NULL, &doc, e);
}

static void nesting_is_limited(void **state)
{
    for (int depth = 128; depth <= 129; depth++) {
        char text[300];
        struct err e = {0};
        memset(text, '[', (size_t)depth);
        memset(text + depth, ']', (size_t)depth);
        assert_int_equal(parse_only((str){text, 2 * (size_t)depth}, &e),
                         depth == 128 ? 0 : ERR_LIMIT);
    }
    /* Aliases do not go deeper either. */
    auto_buf b;
    buf_init(&b, 10000);
    buf_add_str(&b, STR("- &a "));
    for (int i = 0; i < 100; i++)
        buf_add_char(&b, '[');
    for (int i = 0; i < 100; i++)
        buf_add_char(&b, ']');
    buf_add_str(&b, STR("\n- [[[[[[[[[[[[[[[[[[[[[[[[[[[[[*a]]]]]]]]]]]]]]]]]]]]]]]]]]]]]\n"));
    struct err e = {0};
    assert_int_equal(parse_only(buf_view(&b), &e), ERR_LIMIT);
}

static void aliases_do_not_explode(void **state)
{
    auto_buf b;
    buf_init(&b, 10000);
    buf_add_str(&b, STR("a0: &a0 [x,x,x,x,x,x,x,x,x]\n"));
    for (int i = 1; i < 9; i++) {
        buf_addf(&b, "a%d: &a%d [", i, i);
        for (int k = 0; k < 9; k++)
            buf_addf(&b, "%s*a%d", k ? "," : "", i - 1);
        buf_add_str(&b, STR("]\n"));
    }
    struct err e = {0};
    assert_int_equal(parse_only(buf_view(&b), &e), ERR_LIMIT);
    assert_true(str_contains(str_z(e.text), STR("1048576")));
}

static void nodes_are_limited(void **state)
{
    struct yaml_options o = {.max_nodes = 4};
    struct err e = {0};
    check("[a, b, c]", &o, "[\"a\",\"b\",\"c\"]");
    auto_json *doc = NULL;
    assert_int_equal(yaml_parse(STR("[a, b, c, d]"), "t", &o, &doc, &e), ERR_LIMIT);
    assert_string_equal(e.text, "t:1:11: YAML has more nodes than the limit of 4");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(becomes_json),
        cmocka_unit_test(keeps_versions_as_strings),
        cmocka_unit_test(refuses),
        cmocka_unit_test(nesting_is_limited),
        cmocka_unit_test(aliases_do_not_explode),
        cmocka_unit_test(nodes_are_limited),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
