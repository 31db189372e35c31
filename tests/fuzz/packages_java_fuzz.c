/* A jar: any bytes as such a file. */
#include "packages/cataloguer.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const struct cat_test_file file = {STR("opt/a-1.0.jar"), {(const char *)data, size}, 0644};
    struct facts facts;
    catalogue_files(&file, 1, &facts, NULL);
    facts_done(&facts);
    return 0;
}
