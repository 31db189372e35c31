/* documents_internal.h - rows of contents. Only for documents*.c. */
#ifndef KELLET_STORE_DOCUMENTS_INTERNAL_H
#define KELLET_STORE_DOCUMENTS_INTERNAL_H

#include "base/vec.h"
#include "store/chunk_store.h"
#include "store/documents.h"

struct chunk_vec {
    struct chunk *p;
    size_t n, cap;
};
/* Adds the chunks of these bytes, which are borrowed. */
int chunk_vec_cut(const struct documents *d, str bytes, struct chunk_vec *out, struct err *e);

/* The id of the content with this digest (32 bytes), which stays until tx ends. ERR_NOT_FOUND. */
int content_find(struct db_tx *tx, str digest, int64_t *id, struct err *e);
/* Makes (account, bucket, key) name the content. */
int document_name_content(struct db_tx *tx, str account, str bucket, str key, int64_t content,
                          struct err *e);

/* A list of chunks' ids. */
#define RECIPE_MAX ((size_t)64 << 20)

struct content_row {
    int64_t id, base; /* base: from which content it differs (documents_chain.h); 0: whole */
    uint64_t size;
    struct sha256 digest;
    bool in_chunks, has_parts;
    struct buf data, chunks, parts, delta;
    str part; /* which part was asked for */
};
/* 1: *c is the row of the document, or of the one that has it as a part; 0: there is none. To be
 * cleared by content_row_done() in any case. */
int content_row_find(struct db_tx *tx, str account, str bucket, str key, struct content_row *c,
                     struct err *e);
void content_row_done(struct content_row *c);
/* Appends its bytes, or those of the part: 1; 0: there is no such part. */
int content_read(struct documents *d, struct db_tx *tx, const struct content_row *c,
                 struct buf *out, struct err *e);
/* ERR_LIMIT when so many bytes do not fit. */
int content_fits(uint64_t size, const struct buf *out, struct err *e);
/* Appends the `size` bytes of a list of ids (varints). */
int content_chunks_get(struct documents *d, struct db_tx *tx, str recipe, uint64_t size,
                       struct buf *out, struct err *e);
/* fn for each chunk of a content's list; runs: it has parts. */
int content_each_chunk(str list, bool runs, int (*fn)(void *ctx, int64_t id), void *ctx,
                       struct err *e);
/* The content names these chunks from now on, or no longer: documents_sweep() looks whether others
 * do. Which content may name a chunk is known by areas of ids (table chunk_area). */
int content_chunks_named(struct db_tx *tx, int64_t content, str list, bool runs, struct err *e);
int content_chunks_left(struct db_tx *tx, int64_t content, str list, bool runs, struct err *e);

/* The row of "SELECT " CONTENT_COLUMNS ", KEY" of content c; key as it was asked for. */
#define CONTENT_COLUMNS "c.id, c.size, c.digest, c.data, c.chunks, c.parts, c.base, c.delta"
void content_row_init(struct content_row *c);
int content_row_copy(const struct db_rows *r, str key, struct content_row *c, struct err *e);
/* What is kept whole in rows: `usual`, or more where a chunk is dear. */
size_t content_inline_max(const struct documents *d, size_t usual);

/* Writes a content (without parts, or of parts) once more, with d's driver: documents_migrate().
 * moved: for each chunk that another driver had. */
struct content_move {
    void (*moved)(void *ctx, const struct chunk *c);
    void *ctx;
};
int content_chunks_rewrite(struct documents *d, struct db_tx *tx, const struct content_row *c,
                           const struct content_move *m, struct err *e);
int content_parts_rewrite(struct documents *d, struct db_tx *tx, const struct content_row *c,
                          const struct content_move *m, struct err *e);
/* chunks_put() and chunks_move_here(). */
int content_chunks_here(struct documents *d, struct db_tx *tx, struct chunk *chunks, size_t n,
                        const struct content_move *m, struct err *e);

/* 1: the part was appended; 0: there is no such part. */
int content_part_get(struct documents *d, struct db_tx *tx, const struct content_row *c,
                     struct buf *out, struct err *e);

#endif
