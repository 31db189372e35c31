/* chunk_store_s3.h - chunks as objects in a bucket. Only for documents*.c and chunk_store*.c.
 *
 * A request to S3 costs as much as keeping 20 MB for a month and takes tens of milliseconds, so
 * documents are not cut by content there: one is one object of up to CHUNK_S3_MAX bytes before
 * compression. Keys are PREFIX ab/DIGEST-ID, as with files. */
#ifndef KELLET_STORE_CHUNK_STORE_S3_H
#define KELLET_STORE_CHUNK_STORE_S3_H

#include "store/chunk_store.h"

int chunk_s3_put(struct documents *d, const struct sha256 *digest, int64_t id, str packed,
                 struct err *e);
/* ERR_MISMATCH: it is gone; ERR_UNSUPPORTED: no bucket is configured. */
int chunk_s3_get(const struct documents *d, const struct sha256 *digest, int64_t id,
                 struct buf *out, struct err *e);
/* MAY fail silently, as chunk_unlink(). */
void chunk_s3_delete(const struct documents *d, const struct sha256 *digest, int64_t id);
/* Objects older than a day whose rows are not there: looks at up to 1,000 a call, the next ones the
 * next time. Not from two threads at once. */
int64_t chunk_s3_sweep(struct documents *d, size_t limit, struct err *e);

#endif
