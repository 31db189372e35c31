/* A document with definitions and "schema", a newline, a value: also with "pattern"s of any kind.
 */
#include "codec/schema.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    str value_text = {(const char *)data, size};
    str schema_text = str_split(&value_text, '\n');
    auto_json *schema = NULL;
    auto_json *value = NULL;
    struct schema_set *set = NULL;
    if (json_parse(schema_text, "schema", &schema, NULL) < 0 ||
        json_parse(value_text, "value", &value, NULL) < 0 ||
        schema_set_new(yyjson_doc_get_root(schema), &set, NULL) < 0)
        return 0;
    struct err why = {0};
    int k = schema_check(set, json_get(yyjson_doc_get_root(schema), "schema"),
                         yyjson_doc_get_root(value), &why);
    if (k == 0 && !why.text[0])
        abort();
    schema_set_free(set);
    return 0;
}
