#include "codec/yaml.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0)
        return 0;
    struct yaml_options o = {.all_strings = data[0] & 1, .keep_duplicates = data[0] & 2};
    struct err e;
    auto_json *doc = NULL;
    if (yaml_parse((str){(const char *)data + 1, size - 1}, "fuzz", &o, &doc, &e) == 0 &&
        !yyjson_doc_get_root(doc))
        abort();
    return 0;
}
