/* rpm's ndb databases: no more bytes may come out than go in. */
#include "codec/ndb.h"

static int see(void *ctx, uint32_t number, str blob, struct err *e)
{
    *(uint64_t *)ctx += blob.n;
    return 0;
}

static void lose(void *ctx, const struct err *why)
{
    if (why->code >= 0 || !why->text[0])
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct spool *s = NULL;
    uint64_t bytes = 0;
    struct rpmdb_sink sink = {see, lose, &bytes};
    if (spool_from_mem((str){(const char *)data, size}, &s, NULL) < 0)
        return 0;
    ndb_read(s, &sink, NULL);
    spool_free(s);
    if (bytes > size)
        abort();
    return 0;
}
