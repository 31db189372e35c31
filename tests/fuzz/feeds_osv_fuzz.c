/* OSV records as JSON and as YAML. */
#include "feeds_drive.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    drive("osv", "x.json", data, size);
    drive("osv", "x.yaml", data, size);
    return 0;
}
