/* Header blobs of rpm packages. */
#include "codec/rpm_header.h"

static int see(void *ctx, str path, struct err *e)
{
    *(uint64_t *)ctx += path.n + (uint8_t)path.p[path.n - 1];
    return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct rpm_header h;
    str name, version;
    uint64_t sum = 0;
    if (rpm_header_read((str){(const char *)data, size}, &h, NULL) == 0) {
        rpm_header_files(&h, see, &sum, NULL);
        rpm_source_split(h.source_rpm, &name, &version);
        if (sum > size * 16 + 255 * size)
            abort();
    }
    return 0;
}
