/* rpmdb.h - what the readers of rpm's databases (bdb.h, ndb.h) hand out: header blobs, and what was
 * lost.
 *
 * A damaged database gives what can still be read: every record that could not be read, and every
 * sign that records are missing, is one call of lost(). A reader that returns 0 without a call of
 * lost() has seen the whole database. */
#ifndef KELLET_CODEC_RPMDB_H
#define KELLET_CODEC_RPMDB_H

#include "base/err.h"
#include "base/str.h"

enum {
    /* The largest header that is read: rpm's own limit was 32 MiB until 4.14, and the largest real
     * ones (100,000 files) have about 20 MB. */
    RPMDB_BLOB_MAX = 32 << 20,
};

struct rpmdb_sink {
    /* MUST. One header blob (rpm_header.h); valid during the call. A negative code ends the reading
     * and is returned by the reader. */
    int (*blob)(void *ctx, uint32_t number, str blob, struct err *e);
    /* MUST. Something is missing or damaged: code and text. */
    void (*lost)(void *ctx, const struct err *why);
    void *ctx;
};

#endif
