/* Licences of a Debian package. */
#include "packages/catalogue.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    str text = {(const char *)data, size};
    struct cat_test_file files[] = {
        {.path = STR_INIT("usr/share/doc/a/copyright"), .content = text},
    };
    struct facts f;
    (void)catalogue_files(files, KE_ARRAY_LEN(files), &f, NULL);
    facts_done(&f);
    return 0;
}
