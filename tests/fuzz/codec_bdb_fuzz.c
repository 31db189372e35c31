/* Berkeley DB hash databases. */
#include "codec/bdb.h"
#include "rpmdb_fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    return rpmdb_fuzz(bdb_read, data, size);
}
