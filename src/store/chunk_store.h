/* chunk_store.h - where chunks are kept: in the database or in files. Only for documents*.c.
 *
 * A chunk's file is named by its digest and its row's id. An id is never used again, so a file may
 * be removed after its row without looking whether someone writes the same chunk at that moment. */
#ifndef KELLET_STORE_CHUNK_STORE_H
#define KELLET_STORE_CHUNK_STORE_H

#include "base/buf.h"
#include "codec/digest.h"
#include "store/chunk_cut.h"
#include "store/db.h"

/* Stored in rows. */
enum chunk_driver { CHUNK_DB = 0, CHUNK_FS = 1 };

struct documents {
    struct db *db;
    enum chunk_driver driver;
    char *directory; /* NULL: none */
    int64_t keep_us;
    struct chunk_cutter cutter;
    struct document_cache *cache;
};

/* zstd, level 3. Appended to *out. */
int chunk_compress(str raw, struct buf *out, struct err *e);
/* Exactly `size` bytes, whose digest must be *want. Appended to *out. */
int chunk_expand(str packed, uint64_t size, const struct sha256 *want, struct buf *out,
                 struct err *e);

struct chunk {
    str raw;
    struct sha256 digest; /* chunks_put() computes it */
    int64_t id;           /* and finds or makes it */
};
/* Finds or writes all of them, in few statements, rows in the order of their digests: two writers
 * of the same chunks wait for each other, one after the other. */
int chunks_put(struct documents *d, struct db_tx *tx, struct chunk *chunks, size_t n,
               struct err *e);
/* Their bytes in this order. ERR_MISMATCH: one is gone or not what was written. */
int chunks_get(struct documents *d, struct db_tx *tx, const int64_t *ids, size_t n, struct buf *out,
               struct err *e);

/* Lists of ids as bytes: runs of consecutive ids, each as the distance to the end of the one before
 * (zigzag) and its length, both varints. chunk_runs_read() calls fn for each id; ERR_MISMATCH. */
void chunk_runs_write(struct buf *out, const struct chunk *chunks, size_t n);
int chunk_runs_read(str runs, int (*fn)(void *ctx, int64_t id), void *ctx, struct err *e);

/* Chunks in files (chunk_files.c). */
int chunk_file_put(struct documents *d, const struct sha256 *digest, int64_t id, str packed,
                   struct err *e);
int chunk_file_get(const struct documents *d, const struct sha256 *digest, int64_t id,
                   struct buf *out, struct err *e);
/* MAY fail silently: the file stays until chunk_sweep_files(). */
void chunk_unlink(const struct documents *d, const struct sha256 *digest, int64_t id);
/* Files older than a day whose rows are not there. */
int64_t chunk_sweep_files(struct documents *d, size_t limit, struct err *e);

#endif
