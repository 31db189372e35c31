/* secdb files, and rejections. */
#include "feeds_drive.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    drive("alpine", "v3.1/main.yaml", data, size);
    drive("alpine", "rejections/main.json", data, size);
    return 0;
}
