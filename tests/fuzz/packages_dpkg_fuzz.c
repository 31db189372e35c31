/* One input as a status file, as a distroless stanza and as a file list. */
#include "packages/catalogue.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    str text = {(const char *)data, size};
    struct cat_test_file files[] = {
        {.path = STR_INIT("var/lib/dpkg/status"), .content = text},
        {.path = STR_INIT("var/lib/dpkg/status.d/x"), .content = text},
        {.path = STR_INIT("var/lib/dpkg/status.d/x.md5sums"), .content = text},
        {.path = STR_INIT("var/lib/dpkg/info/x.list"), .content = text},
        {.path = STR_INIT("usr/lib/opkg/status"), .content = text},
    };
    struct facts f;
    (void)catalogue_files(files, KE_ARRAY_LEN(files), &f, NULL);
    facts_done(&f);
    return 0;
}
