/* One text as each document of an image: manifest or index (and the choice from it), configuration,
 * docker's list. */
#include "image/manifest.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    str json = {(const char *)data, size};
    struct arena a;
    struct manifest m;
    struct image_config config;
    struct saved_image *images;
    size_t n;
    arena_init(&a, 1 << 20);
    if (image_manifest_parse(json, STR(""), "the manifest", &a, &m, NULL) == 0) {
        static const struct platform want = {STR_INIT("linux"), STR_INIT("arm"), STR_INIT("v7")};
        const struct descriptor *chosen = NULL;
        for (int asked = 0; asked < 2; asked++)
            if (manifest_choose(&m, &want, asked, &chosen, NULL) == 0 && chosen->attestation)
                abort();
    }
    arena_done(&a);
    if (image_config_parse(json, &a, &config, NULL) == 0 && config.n_diff_ids > MANIFEST_LAYERS_MAX)
        abort();
    arena_done(&a);
    if (saved_manifest_parse(json, &a, &images, &n, NULL) == 0 && n == 0)
        abort();
    arena_done(&a);
    return 0;
}
