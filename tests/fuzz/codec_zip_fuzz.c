/* Opens any bytes as a zip archive and reads every member. */
#include "codec/zip.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct zip_limits limits = {.max_entries = 1000, .max_member = 1 << 20};
    struct spool *s;
    struct zip *z;
    struct zip_entry entry;
    if (spool_from_mem((str){(const char *)data, size}, &s, NULL) < 0)
        return 0;
    if (zip_open(s, &limits, &z, NULL) == 0) {
        while (zip_next(z, &entry, NULL) > 0) {
            struct stream *content;
            if (zip_content(z, &entry, &content, NULL) == 0) {
                stream_drain(content, NULL);
                stream_close(content);
            }
        }
        zip_close(z);
    }
    spool_free(s);
    return 0;
}
