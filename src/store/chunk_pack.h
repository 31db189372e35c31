/* chunk_pack.h - many chunks compressed (zstd, level 3) by a thread at the side while the caller
 * writes those before them; whoever waits compresses too. Only for chunk_store.c. */
#ifndef KELLET_STORE_CHUNK_PACK_H
#define KELLET_STORE_CHUNK_PACK_H

#include "store/chunk_store.h"

/* How far the thread is ahead at most, in chunks: what they take compressed is the memory. */
enum { CHUNK_PACK_GROUP = 16, CHUNK_PACK_GROUPS = 16 };

struct chunk_packer;
/* The list and its chunks are borrowed; they are asked for in its order. aside: false for chunks
 * that are too large to have several at once; then there is no thread. */
int chunk_packer_new(struct chunk *const *chunks, size_t n, bool aside, struct chunk_packer **out,
                     struct err *e);
/* The compressed bytes of the i-th chunk; valid until chunk_packer_drop() of a later one. Not more
 * than (CHUNK_PACK_GROUPS - 1) * CHUNK_PACK_GROUP after the last one dropped. */
int chunk_packer_get(struct chunk_packer *p, size_t i, str *packed, struct err *e);
/* All before the i-th are no longer needed. */
void chunk_packer_drop(struct chunk_packer *p, size_t i);
void chunk_packer_free(struct chunk_packer *p); /* NULL is fine */

#endif
