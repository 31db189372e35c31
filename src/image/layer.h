/* layer.h - walks one layer: digests, decompression, tar, whiteouts; hands every regular file to a
 * visitor.
 *
 * Sources: OCI image specification 1.1, "Image Layer Filesystem Changeset" (whiteouts ".wh.NAME",
 * opaque directories ".wh..wh..opq"); AUFS's own ".wh..wh.*" files are not content and are left
 * out. */
#ifndef KELLET_IMAGE_LAYER_H
#define KELLET_IMAGE_LAYER_H

#include "codec/digest.h"
#include "codec/tar.h"
#include "image/layer_record.h"

struct layer_visitor {
    void *ctx;
    /* A regular file. Reading the content is optional. Negative: stop. */
    int (*file)(void *ctx, const struct tar_entry *entry, struct stream *content, struct err *e);
    /* A hard link (entry->link: the other path) or a symbolic link. Negative: stop. */
    int (*link)(void *ctx, const struct tar_entry *entry, struct err *e);
    /* MAY. Any other entry that stands in the image: directories (the root has the empty path),
     * devices, links after link(). */
    void (*other)(void *ctx, const struct tar_entry *entry);
    /* This layer hides what lower layers have. Called for whiteouts, and for every entry, before
     * file() and link(). */
    int (*hides)(void *ctx, str path, enum layer_hides what, struct err *e);
    /* An entry that was left out, e.g. a path with "..". */
    void (*odd)(void *ctx, str path, const char *what, const char *detail);
};

struct layer_options {
    bool second_thread; /* see readahead.h */
    uint64_t max_size;  /* uncompressed; 0: 1 TiB */
    uint64_t *progress; /* compressed bytes read so far are added here (atomically); NULL: none */
    struct digest_ctx *contents; /* NULL, or what the visitor digests files with: fresh, borrowed,
                                    as fast as nothing beside the layer's own (digest_beside()) */
    struct tar_limits tar;
};

struct layer_result {
    struct sha256 digest;  /* of the bytes as given */
    struct sha256 diff_id; /* of the uncompressed bytes */
    bool digests_known;    /* false when the stream broke off before its end */
    uint64_t size, plain_size, entries;
    int tar_result; /* 0, or why the walk ended early (ERR_FORMAT, ERR_LIMIT): the digests are valid
                       still */
    struct err tar_error;
};

/* Walks the whole of `raw`. When the tar itself is broken the walk ends there, but the stream is
 * read to its end so that the digests tell whether the bytes are the promised ones. A negative
 * return means that the bytes could not be read or decompressed, or the visitor stopped. */
int layer_walk(struct stream *raw, const struct layer_options *o, const struct layer_visitor *v,
               struct layer_result *out, struct err *e);

#endif
