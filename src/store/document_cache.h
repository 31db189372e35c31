/* document_cache.h - documents that were read a short time ago, as shared bytes: whole and checked,
 * or in another form (compressed), which is made once. Only for documents*.c.
 *
 * Keys are the digest of the stored content, the part and the form, so an entry is never out of
 * date. The least recently used go when all together would be larger than the maximum. */
#ifndef KELLET_STORE_DOCUMENT_CACHE_H
#define KELLET_STORE_DOCUMENT_CACHE_H

#include "base/buf.h"
#include "codec/digest.h"
#include "store/documents.h"

enum { DOCUMENT_PART_MAX = 63 };

struct document_key {
    struct sha256 content;
    char part[DOCUMENT_PART_MAX + 1]; /* padded with NUL */
    int64_t form;
};

struct document_cache;
/* max: bytes of all entries. */
int document_cache_new(size_t max, struct document_cache **out, struct err *e);
void document_cache_free(struct document_cache *c); /* NULL is fine; references stay valid */

/* A reference to drop, or NULL. */
struct document_ref *document_cache_find(struct document_cache *c, const struct document_key *k);
/* Takes what `bytes` holds; the reference that is returned is the caller's. Kept when `keep` and
 * when it is no larger than half of the maximum. NULL: no memory. */
struct document_ref *document_cache_add(struct document_cache *c, const struct document_key *k,
                                        struct buf *bytes, bool keep);

#endif
