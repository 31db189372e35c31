/* rpmdb_fuzz.h - what the targets of rpm's own database formats share: no more bytes may come out
 * than go in, and every loss has a reason. */
#ifndef KELLET_TESTS_RPMDB_FUZZ_H
#define KELLET_TESTS_RPMDB_FUZZ_H

#include "codec/rpmdb.h"
#include "codec/spool.h"

#include <stdlib.h>

static int rpmdb_fuzz_see(void *ctx, uint32_t number, str blob, struct err *e)
{
    *(uint64_t *)ctx += blob.n;
    return 0;
}

static void rpmdb_fuzz_lose(void *ctx, const struct err *why)
{
    if (why->code >= 0 || !why->text[0])
        abort();
}

static inline int rpmdb_fuzz(int (*read)(const struct spool *, const struct rpmdb_sink *,
                                         struct err *),
                             const uint8_t *data, size_t size)
{
    struct spool *s = NULL;
    uint64_t bytes = 0;
    struct rpmdb_sink sink = {rpmdb_fuzz_see, rpmdb_fuzz_lose, &bytes};
    if (spool_from_mem((str){(const char *)data, size}, &s, NULL) < 0)
        return 0;
    read(s, &sink, NULL);
    spool_free(s);
    if (bytes > size)
        abort();
    return 0;
}

#endif
