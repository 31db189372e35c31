/* An archive of an analysis: a tar archive, compressed here. */
#include "services/analyzer/analysis.h"
#include "services/import_archive.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct err e = {0};
    struct import_archive *a = NULL;
    struct buf packed;
    buf_init(&packed, 64 << 20);
    if (analysis_gzip((str){(const char *)data, size}, &packed, &e) >= 0 &&
        import_archive_read(buf_view(&packed), &a, &e) >= 0 && (!a->n_tags || !a->digest.n))
        abort();
    import_archive_free(a);
    buf_done(&packed);
    return 0;
}
