/* tar_internal.h - what tar.c, tar_pax.c and tar_sparse.c share; nobody else includes it. */
#ifndef KELLET_CODEC_TAR_INTERNAL_H
#define KELLET_CODEC_TAR_INTERNAL_H

#include "base/vec.h"
#include "codec/tar.h"

/* One run of data in a sparse file; what lies between runs are zeros. */
struct sparse_run {
    uint64_t offset, size;
};

/* What the extended headers of one entry say. */
struct pax {
    bool has_path, has_link, has_size, has_mtime;
    struct buf path, link;
    uint64_t size;
    int64_t mtime;
    /* GNU sparse: 0.0 and 0.1 give the runs here, 1.0 puts them in front of the data */
    bool sparse, sparse_map_in_data;
    uint64_t sparse_size;
    VEC(struct sparse_run) runs;
    bool pending_offset; /* 0.0: an offset came, its size did not yet */
    uint64_t offset;
};

void pax_init(struct pax *p, size_t max_path);
void pax_clear(struct pax *p);
void pax_done(struct pax *p);
/* Adds the records of one 'x' header. */
int pax_parse(struct pax *p, str records, struct err *e);

/* The stored content of a plain file; *left counts down. */
int tar_plain_open(struct stream *below, uint64_t *left, struct stream **out, struct err *e);

struct sparse_source {
    struct stream *below;
    uint64_t *left; /* stored bytes, as the header says */
    const struct pax *pax;
    const uint8_t *header; /* the 512-byte header */
    uint64_t *content_at;
};
/* The content with its holes as zeros; *size is the expanded size. Reads the map that precedes the
 * data. */
int tar_sparse_open(const struct sparse_source *src, struct stream **out, uint64_t *size,
                    struct err *e);

#endif
