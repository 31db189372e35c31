/* layer_record.h - a layer's facts as one file: what a confined process hands to its parent, and
 * what the cache keeps by diff_id.
 *
 * Two parts: which paths the layer hides from lower ones, as sorted 64-bit hashes in chunks (binary
 * search in a map; a layer of millions of files needs no memory for them), and an opaque body that
 * another room fills (packages/facts_codec.h). Format, little-endian: hashes: u64 each, chunks of
 * 65,536 sorted ones, the last chunk shorter body footer (64 bytes): "KLR1", u32 version, u64
 * n_hashes, u64 body size, u64 checksum of the body (XXH3), u64 analyser version, 16 zero bytes,
 * u64 checksum of the footer before it A hash stands for "this path and all below" (XXH3 of the
 * path), or with seed 1 for "all below this path". */
#ifndef KELLET_IMAGE_LAYER_RECORD_H
#define KELLET_IMAGE_LAYER_RECORD_H

#include "base/err.h"
#include "base/str.h"

/* Raised whenever the analysis of a layer changes its result: older cached records are then
 * ignored. */
enum { ANALYZER_VERSION = 1 };

struct layer_writer;

/* fd: an empty file, borrowed, written sequentially. */
int layer_writer_new(int fd, struct layer_writer **out, struct err *e);
int layer_writer_hide(struct layer_writer *w, str path, bool opaque, struct err *e);
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
/* Does this layer hide what a lower layer has at `path`? */
bool layer_record_hides(const struct layer_record *r, str path);

#endif
