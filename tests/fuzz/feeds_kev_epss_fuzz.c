/* The catalogue of exploited vulnerabilities, and the scores. */
#include "feeds_drive.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    drive("kev", "kev.json", data, size);
    drive("epss", "epss.csv", data, size);
    return 0;
}
