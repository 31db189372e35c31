/* The form of answers: JSON as the original writes it, errors, times. */
#include "unit.h"

#include "services/call.h"

static void begin(struct call *c, struct err *e)
{
    memset(c, 0, sizeof *c);
    memset(e, 0, sizeof *e);
    arena_init(&c->arena, 1 << 20);
    c->err = e;
}

static void end(struct call *c)
{
    buf_done(&c->answer);
    arena_done(&c->arena);
}

static void json_is_sorted_indented_and_ascii(void **state)
{
    static const struct {
        const char *in, *out;
    } rows[] = {
        {"\"v1\"", "\"v1\"\n"},
        {"[]", "[]\n"},
        {"{}", "{}\n"},
        {"[1,-2,null,true]", "[\n  1,\n  -2,\n  null,\n  true\n]\n"},
        {"{\"b\":{\"z\":1,\"a\":[]},\"B\":\"x\",\"a\":[{}]}",
         "{\n  \"B\": \"x\",\n  \"a\": [\n    {}\n  ],\n  \"b\": {\n    \"a\": [],\n    \"z\": "
         "1\n  }\n}\n"},
        {"\"\xc3\xa9\xf0\x9f\x98\x80/\\\"\\n\\u0001\\u007f\"",
         "\"\\u00e9\\ud83d\\ude00/\\\"\\n\\u0001\\u007f\"\n"},
        {"[1.0,0.1,1e16,1.5e-7,-1.0,123456.789,1e15,0.0001]",
         "[\n  1.0,\n  0.1,\n  1e+16,\n  1.5e-07,\n  -1.0,\n  123456.789,\n  1000000000000000.0,\n "
         " 0.0001\n]\n"},
    };
    for (size_t i = 0; i < KE_ARRAY_LEN(rows); i++) {
        struct err e;
        struct call c;
        begin(&c, &e);
        auto_json *doc = NULL;
        assert_ok(json_parse(str_z(rows[i].in), "t", &doc, &e));
        yyjson_mut_doc *d = call_doc(&c);
        assert_ok(call_send(&c, 200, d, yyjson_val_mut_copy(d, yyjson_doc_get_root(doc))));
        assert_str(buf_view(&c.answer), str_z(rows[i].out));
        end(&c);
    }
}

static void errors_have_their_form(void **state)
{
    struct err e;
    struct call c;
    begin(&c, &e);
    assert_ok(call_error(&c, 404, "no %s", "image"));
    assert_int_equal(c.status, 404);
    assert_str(buf_view(&c.answer), STR("{\n  \"detail\": {\n    \"error_codes\": []\n  },\n  "
                                        "\"httpcode\": 404,\n  \"message\": \"no image\"\n}\n"));
    assert_ok(call_problem(&c, 415, "Title", NULL));
    assert_str(buf_view(&c.answer), STR("{\n  \"detail\": null,\n  \"status\": 415,\n  \"title\": "
                                        "\"Title\",\n  \"type\": \"about:blank\"\n}\n"));
    assert_string_equal(c.answer_type, "application/problem+json");
    yyjson_mut_doc *d = call_doc(&c);
    assert_ok(call_error_detail(&c, 409, STR("m"), d, yyjson_mut_null(d)));
    assert_str(buf_view(&c.answer),
               STR("{\n  \"detail\": null,\n  \"httpcode\": 409,\n  \"message\": \"m\"\n}\n"));
    end(&c);
}

static void a_full_arena_is_an_error(void **state)
{
    struct err e;
    struct call c;
    begin(&c, &e);
    yyjson_mut_doc *d = call_doc(&c);
    yyjson_mut_val *root = yyjson_mut_obj(d);
    char big[4096];
    memset(big, 'x', sizeof big);
    for (int i = 0; i < 600; i++)
        put_str(d, root, "k", (str){big, sizeof big});
    assert_int_equal(call_send(&c, 200, d, root), ERR_NO_MEMORY);
    end(&c);
}

static void times_are_read_and_written(void **state)
{
    static const struct {
        const char *in, *out; /* out NULL: not a time */
    } rows[] = {
        {"2026-11-23T19:01:24Z", "2026-11-23T19:01:24.000000Z"},
        {"2026-11-23T19:01:24.5+01:30", "2026-11-23T17:31:24.500000Z"},
        {"2026-11-23 19:01:24", "2026-11-23T19:01:24.000000Z"},
        {"2020-01-01", "2020-01-01T00:00:00.000000Z"},
        {"2024-02-29T01:02", "2024-02-29T01:02:00.000000Z"},
        {"1969-12-31T23:59:59.25Z", "1969-12-31T23:59:59.250000Z"},
        {"2023-02-29", NULL},
        {"2020-13-01", NULL},
        {"", NULL},
        {"yesterday", NULL},
        {"2020-01-01T25:00:00Z", NULL},
        {"2020-01-01T00:00:00Zx", NULL},
        {"2020-01-01T00:00:00.Z", NULL},
    };
    for (size_t i = 0; i < KE_ARRAY_LEN(rows); i++) {
        struct arena a;
        arena_init(&a, 1 << 16);
        int64_t us;
        bool ok = time_parse(str_z(rows[i].in), &us);
        if (ok != (rows[i].out != NULL))
            fail_msg("\"%s\": %d", rows[i].in, ok);
        if (ok)
            assert_str(time_text_us(&a, us), str_z(rows[i].out));
        arena_done(&a);
    }
}

static void parameters_are_found(void **state)
{
    struct err e;
    struct call c;
    begin(&c, &e);
    struct call_param params[] = {
        {STR("a"), STR("True")}, {STR("n"), STR("-5")}, {STR("z"), STR("")}};
    c.params = params;
    c.n_params = KE_ARRAY_LEN(params);
    assert_true(call_flag(&c, "a", false));
    assert_true(call_flag(&c, "none", true));
    assert_int_equal(call_int(&c, "n", 1), -5);
    assert_int_equal(call_int(&c, "a", 1), 1);
    assert_null(call_param(&c, "none").p);
    assert_non_null(call_param(&c, "z").p);
    end(&c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(json_is_sorted_indented_and_ascii),
        cmocka_unit_test(errors_have_their_form),
        cmocka_unit_test(a_full_arena_is_an_error),
        cmocka_unit_test(times_are_read_and_written),
        cmocka_unit_test(parameters_are_found),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
