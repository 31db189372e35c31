/* Records of the old feed service: as one document, and as the lines of a group of each feed. */
#include "feeds_drive.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const paths[] = {"feeds.json", "vulnerabilities/debian:12.jsonl",
                                        "nvdv2/nvdv2:cves.jsonl", "github/github:npm.jsonl",
                                        "packages/npm.jsonl"};
    for (size_t i = 0; i < KE_ARRAY_LEN(paths); i++)
        drive("anchore", paths[i], data, size);
    return 0;
}
