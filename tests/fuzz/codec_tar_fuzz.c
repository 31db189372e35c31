/* A tar walk that reads every second content, and asks for where it stands. */
#include "codec/tar.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct tar_limits limits = {
        .max_path = 4096, .max_pax = 65536, .max_entries = 1000};
    auto_stream *in = NULL;
    struct tar *t;
    struct tar_entry entry;
    if (stream_from_mem((str){(const char *)data, size}, &in, NULL) < 0)
        return 0;
    if (tar_open(in, &limits, &t, NULL) < 0)
        return 0;
    for (size_t i = 0; tar_next(t, &entry, NULL) == 1; i++) {
        if (entry.path.n > limits.max_path || entry.link.n > limits.max_path)
            abort();
        if (entry.type != TAR_FILE || i % 2)
            continue;
        char part[4096];
        uint64_t left = 1 << 20;
        int64_t n;
        while (left && (n = stream_read(tar_content(t), part, sizeof part, NULL)) > 0)
            left -= (uint64_t)n < left ? (uint64_t)n : left;
        if (tar_content(t)->consumed > entry.size)
            abort();
    }
    tar_close(t);
    return 0;
}
