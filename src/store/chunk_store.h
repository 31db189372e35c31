/* chunk_store.h - where chunks are kept: in the database, in files or in S3. Only for documents*.c.
 *
 * A chunk's file is named by its digest and its row's id. An id is never used again, so a file may
 * be removed after its row without looking whether someone writes the same chunk at that moment. */
#ifndef KELLET_STORE_CHUNK_STORE_H
#define KELLET_STORE_CHUNK_STORE_H

#include "base/buf.h"
#include "codec/digest.h"
#include "net/aws_s3.h"
#include "store/chunk_cut.h"
#include "store/db.h"

/* Stored in rows. */
enum chunk_driver { CHUNK_DB = 0, CHUNK_FS = 1, CHUNK_S3 = 2 };
enum { CHUNK_S3_MAX = 64 << 20 };

struct documents {
    struct db *db;
    enum chunk_driver driver;
    char *directory; /* NULL: none */
    struct s3 *s3;   /* NULL: none */
    char *s3_prefix;
    char s3_after[S3_KEY_MAX + 1]; /* where the next chunk_s3_sweep() goes on */
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
    struct sha256 digest;     /* chunks_put() computes it */
    int64_t id;               /* and finds or makes it */
    enum chunk_driver driver; /* which has it, when it was there already; else d's */
};
/* Finds or writes all of them, in few statements, rows in the order of their digests: two writers
 * of the same chunks wait for each other, one after the other. */
int chunks_put(struct documents *d, struct db_tx *tx, struct chunk *chunks, size_t n,
               struct err *e);
/* Only finds them: id 0 where there is none. */
int chunks_find(struct documents *d, struct db_tx *tx, struct chunk *chunks, size_t n,
                struct err *e);
/* Of chunks that another driver has, after chunks_put(): moves them to d's. */
int chunks_move_here(struct documents *d, struct db_tx *tx, struct chunk *chunks, size_t n,
                     struct err *e);
/* Their bytes in this order. ERR_MISMATCH: one is gone or not what was written. */
int chunks_get(struct documents *d, struct db_tx *tx, const int64_t *ids, size_t n, struct buf *out,
               struct err *e);

/* Where the first piece of a document ends, as d's driver wants it; large: chunk_cut.h. */
size_t chunk_piece(const struct documents *d, str rest, bool large);
/* Is there a row of this id and driver? 1, 0. */
int chunk_has_row(struct documents *d, int64_t id, enum chunk_driver driver, struct err *e);

/* Lists of ids as bytes: runs of consecutive ids, each as the distance to the end of the one before
 * (zigzag) and its length, both varints. chunk_runs_read() calls fn for each id; ERR_MISMATCH. */
void chunk_runs_write(struct buf *out, const struct chunk *chunks, size_t n);
int chunk_runs_read(str runs, int (*fn)(void *ctx, int64_t id), void *ctx, struct err *e);

/* Chunks in files (chunk_files.c). */
int chunk_file_put(struct documents *d, const struct sha256 *digest, int64_t id, str packed,
                   struct err *e);
int chunk_file_get(const struct documents *d, const struct sha256 *digest, int64_t id,
                   struct buf *out, struct err *e);
/* MAY fail silently: the file or object stays until the sweeps for those without rows. */
void chunk_unlink(const struct documents *d, enum chunk_driver driver, const struct sha256 *digest,
                  int64_t id);
/* Files older than a day whose rows are not there. */
int64_t chunk_sweep_files(struct documents *d, size_t limit, struct err *e);

#endif
