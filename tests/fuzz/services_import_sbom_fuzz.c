/* An SBOM as an image: its packages, and the manifest and configuration that it holds. */
#include "services/analyzer/analysis.h"
#include "services/import_sbom.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct err e = {0};
    struct buf manifest, config;
    struct inventory *inv = NULL;
    struct analysis *made = NULL;
    struct analyzer_settings settings = {0};
    str digest = STR("sha256:0000000000000000000000000000000000000000000000000000000000000000");
    buf_init(&manifest, 1 << 20);
    buf_init(&config, 1 << 20);
    struct import_sbom in = {.packages = {(const char *)data, size},
                             .manifest = STR("{\"layers\": [{\"size\": 1}]}"),
                             .config = STR("{}"),
                             .digest = digest};
    if (import_sbom_documents(in.packages, &manifest, &config, &e) == 0) {
        in.manifest = buf_view(&manifest);
        in.config = buf_view(&config);
    }
    if (import_sbom_read(&in, &inv, &e) == 0) {
        const struct analysis_input input = {
            .digest = digest, .inv = inv, .settings = &settings, .imported = true};
        if (analysis_make(&input, &made, &e) >= 0)
            analysis_free(made);
        inventory_free(inv);
    }
    buf_done(&manifest);
    buf_done(&config);
    return 0;
}
