/* NVD feeds and single records. */
#include "feeds_drive.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    drive("nvd", "nvdcve.json", data, size);
    return 0;
}
