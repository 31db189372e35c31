/* The original's analysis of an image, as JSON; what is read is analysed further, as an import is.
 */
#include "services/analyzer/analysis.h"
#include "services/import_analysis.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct err e = {0};
    auto_json *doc = NULL;
    struct import_analysis found;
    struct analysis *made = NULL;
    if (json_parse((str){(const char *)data, size}, "fuzz", &doc, &e) < 0)
        return 0;
    str digest = STR("sha256:0000000000000000000000000000000000000000000000000000000000000000");
    int rc = import_analysis_read(yyjson_doc_get_root(doc), STR(""), digest, STR("0"), &found, &e);
    struct analysis_input in = {.digest = digest,
                                .inv = found.inv,
                                .settings = &found.settings,
                                .dockerfile = found.dockerfile,
                                .imported = true};
    if (rc >= 0 && analysis_make(&in, &made, &e) >= 0)
        analysis_free(made);
    import_analysis_done(&found);
    return 0;
}
