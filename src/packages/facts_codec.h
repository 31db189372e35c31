/* facts_codec.h - a layer's facts as bytes: what a confined child sends to its parent and what the
 * cache keeps on disk.
 *
 * Format 3, integers as LEB128 varints:
 *     "KLF" version(1 byte)
 *     number of strings, then each one's length; then all their bytes
 *     for each of files, packages, releases, owned, licences, problems, unsupported, links: a
 * count, then the records A record is its strings as indexes into the string table, in the order of
 * the struct's fields; a file has its number of packages after them. String 0 is the empty one.
 * Files' packages are runs without gaps, as cat_finish leaves them, so first_package is not stored.
 * The same facts always give the same bytes. */
#ifndef KELLET_PACKAGES_FACTS_CODEC_H
#define KELLET_PACKAGES_FACTS_CODEC_H

#include "base/buf.h"
#include "packages/package.h"

/* A layer's facts take no more; a few MB are usual. */
enum { FACTS_BYTES_MAX = 64 << 20 };

/* Appends. Fails the buffer at its maximum or when memory is out: see buf_check. */
void facts_encode(const struct facts *f, struct buf *out);

/* out is initialised (its arena's maximum bounds the strings) and empty; what it holds after an
 * error is only good for facts_done. Nothing of `data` is borrowed. Every count, index and run is
 * checked: ERR_FORMAT; ERR_UNSUPPORTED for another version; ERR_LIMIT beyond
 * FACTS_BYTES_MAX and the limits of catalogue.h. */
int facts_decode(str data, struct facts *out, struct err *e);

#endif
