/* Header blobs of rpm packages. */
#include "codec/rpm_header.h"

struct seen {
    struct rpm_file_cursor files;
    uint64_t sum;
};

static int see(void *ctx, uint32_t index, str path, struct err *e)
{
    struct seen *s = ctx;
    struct rpm_file file;
    if (rpm_file_at(&s->files, index, &file) && file.digest.n && file.digest.p[file.digest.n] != 0)
        abort();
    s->sum += path.n + (uint8_t)path.p[path.n - 1];
    return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct rpm_header h;
    str name, version;
    struct seen seen = {.files = {.header = &h}};
    if (rpm_header_read((str){(const char *)data, size}, &h, NULL) == 0) {
        rpm_header_files(&h, see, &seen, NULL);
        rpm_source_split(h.source_rpm, &name, &version);
        if (seen.sum > size * 16 + 255 * size)
            abort();
    }
    return 0;
}
