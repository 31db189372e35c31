/* Schemas: every keyword, the wording of messages and places, and the limits. */
#include "unit.h"

#include "codec/schema.h"

static const char definitions[] =
    "{\"definitions\":{"
    "\"Rule\":{\"type\":\"object\",\"required\":[\"gate\",\"action\"],\"properties\":{"
    "\"gate\":{\"type\":\"string\"},\"action\":{\"enum\":[\"GO\",\"STOP\"]},"
    "\"params\":{\"type\":\"array\",\"items\":{\"type\":\"object\",\"required\":[\"name\"],"
    "\"properties\":{\"name\":{\"type\":\"string\"}}}}}},"
    "\"Maybe\":{\"type\":\"object\",\"x-nullable\":true,\"required\":[\"a\"]},"
    "\"Tree\":{\"type\":\"object\",\"properties\":{\"t\":{\"$ref\":\"#/definitions/Tree\"}}},"
    "\"Loop\":{\"$ref\":\"#/definitions/Loop\"}},"
    "\"patterns\":[{\"pattern\":\"^[a-z]{2,3}$\",\"x-pattern-too\":\"^[0-9]$\"},{\"pattern\":\"it'"
    "s\\\\d\"}]}";

struct row {
    const char *schema, *value, *message; /* NULL: valid */
};
static const struct row rows[] = {
    {"{\"$ref\":\"#/definitions/Rule\"}", "{\"gate\":\"g\",\"action\":\"GO\"}", NULL},
    {"{\"$ref\":\"#/definitions/Rule\"}", "{}", "'gate' is a required property"},
    {"{\"$ref\":\"#/definitions/Rule\"}", "[]", "[] is not of type 'object'"},
    {"{\"$ref\":\"#/definitions/Rule\"}", "null", "None is not of type 'object'"},
    {"{\"$ref\":\"#/definitions/Rule\"}", "{\"gate\":5,\"action\":\"GO\"}",
     "5 is not of type 'string' - 'gate'"},
    {"{\"$ref\":\"#/definitions/Rule\"}", "{\"gate\":\"g\",\"action\":\"warn\"}",
     "'warn' is not one of ['GO', 'STOP'] - 'action'"},
    {"{\"$ref\":\"#/definitions/Rule\"}",
     "{\"gate\":\"g\",\"action\":\"GO\",\"params\":[{\"name\":\"x\"},{}]}",
     "'name' is a required property - 'params.1'"},
    {"{\"$ref\":\"#/definitions/Rule\"}",
     "{\"gate\":\"g\",\"action\":\"GO\",\"params\":[{\"name\":null}]}",
     "None is not of type 'string' - 'params.0.name'"},
    {"{\"$ref\":\"#/definitions/Maybe\"}", "null", NULL},
    {"{\"$ref\":\"#/definitions/Maybe\"}", "{}", "'a' is a required property"},
    {"{\"type\":\"boolean\"}", "\"yes\"", "'yes' is not of type 'boolean'"},
    {"{\"type\":\"string\"}", "{\"a\":[1,true,null,1.5]}",
     "{'a': [1, True, None, 1.5]} is not of type 'string'"},
    {"{\"type\":\"integer\"}", "1.5", "1.5 is not of type 'integer'"},
    {"{\"type\":\"integer\"}", "true", "True is not of type 'integer'"},
    {"{\"type\":\"number\"}", "-3", NULL},
    {"{\"type\":[\"string\",\"null\"]}", "null", NULL},
    {"{\"pattern\":\"^[a-z]{2,3}$\"}", "\"ab\"", NULL},
    {"{\"pattern\":\"^[a-z]{2,3}$\"}", "\"a\"", "'a' does not match '^[a-z]{2,3}$'"},
    {"{\"pattern\":\"^[a-z]{2,3}$\",\"x-pattern-too\":\"^[0-9]$\"}", "\"7\"", NULL},
    {"{\"pattern\":\"^[a-z]{2,3}$\",\"x-pattern-too\":\"^[0-9]$\"}", "\"77\"",
     "'77' does not match '^[a-z]{2,3}$'"},
    {"{\"pattern\":\"it's\\\\d\"}", "\"x\"", "'x' does not match \"it's\\\\d\""},
    {"{\"pattern\":\"^[a-z]{2,3}$\"}", "5", NULL},
    {"{\"minLength\":2}", "\"\xc3\xa9\"", "'\xc3\xa9' is too short"},
    {"{\"maxLength\":1}", "\"\xc3\xa9\"", NULL},
    {"{\"maxLength\":1}", "\"ab\"", "'ab' is too long"},
    {"{\"minItems\":1}", "[]", "[] is too short"},
    {"{\"maxItems\":1}", "[1,2]", "[1, 2] is too long"},
    {"{\"uniqueItems\":true}", "[1,2,1]", "[1, 2, 1] has non-unique elements"},
    {"{\"minimum\":1}", "0", "0 is less than the minimum of 1"},
    {"{\"minimum\":1,\"exclusiveMinimum\":true}", "1",
     "1 is less than or equal to the minimum of 1"},
    {"{\"maximum\":5}", "6", "6 is greater than the maximum of 5"},
    {"{\"maximum\":5,\"exclusiveMaximum\":true}", "5",
     "5 is greater than or equal to the maximum of 5"},
    {"{\"multipleOf\":2}", "3", "3 is not a multiple of 2"},
    {"{\"format\":\"int32\"}", "2147483648", "2147483648 is not a 'int32'"},
    {"{\"format\":\"date-time\"}", "\"tomorrow\"", NULL},
    {"{\"properties\":{\"a\":{}},\"additionalProperties\":false}", "{\"b\":1}",
     "'b' was unexpected: additional properties are not allowed"},
    {"{\"additionalProperties\":{\"type\":\"string\"}}", "{\"b\":1}",
     "1 is not of type 'string' - 'b'"},
    {"{\"allOf\":[{\"type\":\"string\"},{\"minLength\":2}]}", "\"a\"", "'a' is too short"},
    {"{\"anyOf\":[{\"type\":\"string\"},{\"type\":\"null\"}]}", "1",
     "1 is not valid under any of the given schemas"},
    {"{\"anyOf\":[{\"type\":\"string\"},{\"type\":\"null\"}]}", "null", NULL},
    {"{\"oneOf\":[{\"type\":\"number\"},{\"type\":\"integer\"}]}", "1",
     "1 is valid under more than one of the given schemas"},
    {"{\"not\":{\"type\":\"string\"}}", "\"a\"", "'a' should not be valid under the given schema"},
    {"{\"required\":true}", "{}", NULL},
    {"{\"type\":\"array\"}", "\"it's\"", "\"it's\" is not of type 'array'"},
    {"{\"type\":\"array\"}", "\"a\\n\\u0001\\\\\"", "'a\\n\\x01\\\\' is not of type 'array'"},
};

static void messages_are_as_known(void **state)
{
    struct err e = {0};
    auto_json *doc = NULL;
    assert_ok(json_parse(str_z(definitions), "d", &doc, &e));
    struct schema_set *set;
    assert_ok(schema_set_new(yyjson_doc_get_root(doc), &set, &e));
    for (size_t i = 0; i < KE_ARRAY_LEN(rows); i++) {
        auto_json *schema = NULL;
        auto_json *value = NULL;
        assert_ok(json_parse(str_z(rows[i].schema), "s", &schema, &e));
        assert_ok(json_parse(str_z(rows[i].value), "v", &value, &e));
        struct err why = {0};
        int k = schema_check(set, yyjson_doc_get_root(schema), yyjson_doc_get_root(value), &why);
        if (k != (rows[i].message ? 0 : 1))
            fail_msg("row %zu: %d %s", i, k, why.text);
        if (rows[i].message)
            assert_str(str_z(why.text), str_z(rows[i].message));
    }
    schema_set_free(set);
}

static void references_and_depth_end(void **state)
{
    struct err e = {0};
    auto_json *doc = NULL;
    assert_ok(json_parse(str_z(definitions), "d", &doc, &e));
    yyjson_val *known = json_get(yyjson_doc_get_root(doc), "definitions");
    struct schema_set *set;
    assert_ok(schema_set_new(yyjson_doc_get_root(doc), &set, &e));
    struct err why = {0};
    assert_int_equal(schema_check(set, json_get(known, "Loop"), known, &why), ERR_FORMAT);
    char text[2000] = {0};
    size_t n = 0;
    for (int i = 0; i < 100; i++)
        n += (size_t)snprintf(text + n, sizeof text - n, "{\"t\":");
    n += (size_t)snprintf(text + n, sizeof text - n, "{}");
    memset(text + n, '}', 100);
    auto_json *deep = NULL;
    assert_ok(json_parse((str){text, n + 100}, "deep", &deep, &e));
    assert_int_equal(schema_check(set, json_get(known, "Tree"), yyjson_doc_get_root(deep), &why),
                     ERR_LIMIT);
    schema_set_free(set);
}

static void long_values_are_cut_before_the_reason(void **state)
{
    struct err e = {0};
    auto_json *doc = NULL;
    auto_json *schema = NULL;
    auto_json *value = NULL;
    assert_ok(json_parse(str_z(definitions), "d", &doc, &e));
    assert_ok(json_parse(STR("{\"type\":\"object\"}"), "s", &schema, &e));
    char text[2000];
    memset(text, 'x', sizeof text);
    text[0] = text[sizeof text - 1] = '"';
    assert_ok(json_parse((str){text, sizeof text}, "v", &value, &e));
    struct schema_set *set;
    assert_ok(schema_set_new(yyjson_doc_get_root(doc), &set, &e));
    struct err why = {0};
    assert_int_equal(
        schema_check(set, yyjson_doc_get_root(schema), yyjson_doc_get_root(value), &why), 0);
    assert_true(str_ends(str_z(why.text), STR("x is not of type 'object'")));
    schema_set_free(set);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(messages_are_as_known),
        cmocka_unit_test(references_and_depth_end),
        cmocka_unit_test(long_values_are_cut_before_the_reason),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
