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
};

/* zstd, level 3. Appended to *out. */
int chunk_compress(str raw, struct buf *out, struct err *e);
/* Exactly `size` bytes, whose digest must be *want. Appended to *out. */
int chunk_expand(str packed, uint64_t size, const struct sha256 *want, struct buf *out,
                 struct err *e);

/* The id of the chunk with these bytes; written when there is none yet. */
int chunk_put(struct documents *d, struct db_tx *tx, str raw, int64_t *id, struct err *e);
int chunk_get(struct documents *d, struct db_tx *tx, int64_t id, struct buf *out, struct err *e);
/* MAY fail silently: the file stays until chunk_sweep_files(). */
void chunk_unlink(const struct documents *d, const struct sha256 *digest, int64_t id);
/* Files older than a day whose rows are not there. */
int64_t chunk_sweep_files(struct documents *d, size_t limit, struct err *e);

#endif
