/* rpm's ndb databases. */
#include "codec/ndb.h"
#include "rpmdb_fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    return rpmdb_fuzz(ndb_read, data, size);
}
