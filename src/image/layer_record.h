/* layer_record.h - a layer's facts as one file: what a confined process hands to its parent, and
 * what the cache keeps by diff_id.
 *
 * Two parts: which paths the layer hides from lower ones, as sorted 64-bit hashes in chunks (binary
 * search in a map; a layer of millions of files needs no memory for them), and an opaque body that
 * another room fills (packages/facts_codec.h). Format, little-endian:
 *
 *   hashes  u64 each, chunks of 65,536 sorted ones, the last chunk shorter
 *   body
 *   footer  64 bytes: "KLR1", u32 version, u64 n_hashes, u64 body size, u64 checksum of the body,
 *           u64 analyser version, u64 checksum of the hashes, u64 zero, u64 checksum of the footer
 *           before it
 *
 * All hashes are XXH3; those of paths are seeded with what the layer does there (enum layer_hides).
 * The checksum of the hashes is that of the chunks in turn, each seeded with the one before. */
#ifndef KELLET_IMAGE_LAYER_RECORD_H
#define KELLET_IMAGE_LAYER_RECORD_H

#include "base/err.h"
#include "base/str.h"

/* Part of every record; one of another version is a miss, so that its layer is read afresh. Raise
 * it in each change after which some layer would give another record: a cataloguer that takes other
 * files, finds other packages or fields or words a problem differently, the set of links that are
 * kept (packages/links.h), the meaning of a hidden path, the encoding of facts. A change that only
 * affects how layers are merged (packages/squash.h) needs none. */
enum { ANALYZER_VERSION = 10 };

/* What a layer does to lower layers' content at a path. */
enum layer_hides {
    HIDES_ALL,   /* the path and all below: it is removed, or replaced by something else */
    HIDES_BELOW, /* all below, not the path itself: an opaque directory */
    HIDES_SELF,  /* the path unless it is a directory too: a directory stands there now */
};

struct layer_writer;

/* fd: an empty file, borrowed, written sequentially. */
int layer_writer_new(int fd, struct layer_writer **out, struct err *e);
int layer_writer_hide(struct layer_writer *w, str path, enum layer_hides what, struct err *e);
/* Writes the body and the footer. */
int layer_writer_finish(struct layer_writer *w, str body, struct err *e);
void layer_writer_free(struct layer_writer *w);

struct layer_record;

/* Maps the file. The fd may be closed afterwards. Everything is checked; ERR_FORMAT, or
 * ERR_UNSUPPORTED for another version. */
int layer_record_open(int fd, struct layer_record **out, struct err *e);
void layer_record_close(struct layer_record *r);
str layer_record_body(const struct layer_record *r);
/* The whole file, for writing a copy. */
str layer_record_bytes(const struct layer_record *r);
/* Does this layer hide what a lower layer has at `path`, which is no directory? */
bool layer_record_hides(const struct layer_record *r, str path);
/* The two questions that it is made of, for callers that remember answers about directories: is
 * `path` itself hidden? Is all below the directory `path` hidden ("" is the root), whatever is
 * above it? */
struct layer_path { /* hashes of one path, for asking many layers about it */
    uint64_t all, self, below;
    bool root; /* the empty path */
};
struct layer_path layer_path_of(str path);
bool layer_record_hides_path(const struct layer_record *r, const struct layer_path *path);
bool layer_record_hides_below(const struct layer_record *r, const struct layer_path *path);

#endif
