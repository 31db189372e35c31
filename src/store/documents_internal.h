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

struct content_row {
    int64_t id;
    uint64_t size;
    struct sha256 digest;
    bool in_chunks, has_parts;
    struct buf data, chunks, parts;
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
/* 1: the part was appended; 0: there is no such part. */
int content_part_get(struct documents *d, struct db_tx *tx, const struct content_row *c,
                     struct buf *out, struct err *e);

#endif
