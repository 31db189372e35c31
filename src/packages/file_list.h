/* file_list.h - one layer's entries as bytes: what image_facts.h promises, made in the confined
 * process and merged by its parent.
 *
 * A listing follows the layer's facts in the body of its record, and what packages say of their
 * files (package_files.h) follows the listing; the body's last 16 bytes give the lengths of the
 * facts and of the listing. Format of a listing, integers as LEB128 varints:
 *     fingerprint (8 bytes, little-endian) of the wishes; then for each entry in the archive's
 * order: type, flags (1 hard link, 2 digest, 4 content,
 * 8 malware, 16 MD5, 32 SHA-1), mode, uid, gid, size, path, link (length
 * and bytes each), 32 bytes of digest, 16 of MD5, 20 of SHA-1, number of matches and for each rule
 * and line, content and signature (length and bytes each). */
#ifndef KELLET_PACKAGES_FILE_LIST_H
#define KELLET_PACKAGES_FILE_LIST_H

#include "base/buf.h"
#include "codec/tar.h"
#include "packages/squash.h"

enum {
    LISTING_BYTES_MAX = 128 << 20, /* of one layer */
    LISTING_FILES_MAX = 2000000,   /* of an image */
    LISTING_MATCHES_MAX = 10000,   /* of one file */
};

/* What the wishes are, for the cache: two with the same value give the same listings. */
uint64_t listing_fingerprint(const struct facts_wanted *w);

struct listing;
/* `w` is borrowed. */
int listing_new(const struct facts_wanted *w, struct listing **out, struct err *e);
void listing_free(struct listing *l); /* NULL is fine */
/* Each file of at most malware_max bytes goes to clamd through fd (malware.h), which is the
 * listing's from now on; odd() is told what could not be searched. */
typedef void listing_odd(void *ctx, str path, const char *what, const char *detail);
void listing_malware(struct listing *l, int fd, listing_odd *odd, void *ctx);
/* An entry without content. */
void listing_entry(struct listing *l, const struct tar_entry *entry);
/* The digest that files go through. */
struct digest_ctx *listing_digest(struct listing *l);
/* A regular file: whoever reads it reads *tapped (owned by the listing) instead of content. */
struct stream *listing_file(struct listing *l, const struct tar_entry *entry,
                            struct stream *content);
/* After the reader: takes the rest of the content and adds the file. */
int listing_file_end(struct listing *l, struct err *e);
/* Empty when memory or the limit was passed. */
str listing_bytes(const struct listing *l);
bool listing_full(const struct listing *l);

/* A record's body: its parts. False when it is none of this version. */
struct layer_body {
    str facts, listing, package_files;
};
void layer_body_finish(struct buf *body, size_t facts_bytes, str listing, str package_files);
bool layer_body_parts(str body, struct layer_body *out);

/* The files of an inventory, which point into records of layers. */
struct merged_files;
/* Fills inv->files from the layers' records, lowest first; a missing listing is a problem entry.
 * inv->merged owns them. */
int listing_merge(const struct squash_layer *layers, size_t n, const struct facts_wanted *w,
                  struct inventory *inv, struct err *e);
/* A record that files point into, when the call is good the list's. */
int merged_files_hold(struct merged_files *m, struct layer_record *record, struct err *e);
/* NULL: no such file is seen. Not after merged_files_settle(), which gives the index's memory back.
 */
const struct image_file *merged_file_at(const struct merged_files *m, str path);
void merged_files_settle(struct merged_files *m);
void merged_files_free(struct merged_files *m); /* NULL is fine */

#endif
