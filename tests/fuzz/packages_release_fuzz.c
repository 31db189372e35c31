/* Every release file of one layer holds the input. */
#include "packages/catalogue.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    str text = {(const char *)data, size};
    struct cat_test_file files[] = {
        {.path = STR_INIT("etc/os-release"), .content = text},
        {.path = STR_INIT("etc/lsb-release"), .content = text},
        {.path = STR_INIT("etc/SuSE-release"), .content = text},
        {.path = STR_INIT("etc/redhat-release"), .content = text},
        {.path = STR_INIT("etc/alpine-release"), .content = text},
        {.path = STR_INIT("etc/debian_version"), .content = text},
    };
    struct facts f;
    (void)catalogue_files(files, KE_ARRAY_LEN(files), &f, NULL);
    facts_done(&f);
    return 0;
}
