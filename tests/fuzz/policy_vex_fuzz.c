/* VEX documents, and the marking of an image's findings by them. */
#include "policy/vex.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct policy_package packages[] = {{.purl = STR_INIT("pkg:npm/tar@1.0.0")}};
    static const str aliases[] = {STR_INIT("CVE-1")};
    const struct policy_image image = {
        .digest = STR_INIT("sha256:ab"), .packages = packages, .n_packages = 1};
    struct policy_finding found[] = {
        {.id = STR_INIT("GHSA-1"), .aliases = aliases, .n_aliases = 1, .package = 0},
        {.id = STR_INIT("CVE-1"), .package = UINT32_MAX}};
    struct vex *v;
    if (vex_new(&v, NULL) < 0)
        return 0;
    vex_read(v, (str){(const char *)data, size}, "fuzz", NULL);
    vex_mark(v, &image, STR("docker.io/team/app:1"), found, 2);
    vex_free(v);
    return 0;
}
