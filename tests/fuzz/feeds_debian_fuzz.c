/* The tracker's JSON and the advisory lists. */
#include "feeds_drive.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    drive("debian", "DSA/list", data, size);
    return 0;
}
