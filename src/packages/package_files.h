/* package_files.h - the files that distro packages say they installed, with digests, modes and
 * sizes where they state them: dpkg's info/ *.list, *.md5sums and Conffiles, rpm's headers, apk's
 * F:, R:, a: and Z: lines.
 *
 * Collected in the pass that reads the packages, only where the engine's facts are wanted, and kept
 * as the third part of a layer's record (layer_body_finish). Format, integers as LEB128 varints;
 * for each package of a file that was read: path of that file, type ("deb" ...), name, version,
 * architecture (length and bytes each; version and architecture may be empty: not known there), for
 * each of its files: flags (enum owned_flags, OWNED_THERE always), path, then as the flags say:
 * algorithm (1 byte) and its bytes of digest; mode; size,
 *     0
 * What is visible from the top decides: a database that an upper layer replaces says nothing. */
#ifndef KELLET_PACKAGES_PACKAGE_FILES_H
#define KELLET_PACKAGES_PACKAGE_FILES_H

#include "base/buf.h"
#include "base/map.h"
#include "packages/image_facts.h"
#include "packages/squash.h"

enum {
    PACKAGE_FILES_BYTES_MAX = 64 << 20, /* of one layer */
    PACKAGE_FILES_MAX = 2000000,        /* of an image */
};

/* The making, in the confined process. */
struct package_files;
int package_files_new(struct package_files **out, struct err *e);
void package_files_free(struct package_files *p); /* NULL is fine */
/* The file that is read as `as` stands at `real` (links.h). Both are copied. */
int package_files_alias(struct package_files *p, str as, str real, struct err *e);
/* source: the file that says so. What was begun and not ended (its file broke) is kept as far as it
 * goes when the next begins. */
void package_files_begin(struct package_files *p, str source, const char *type, str name,
                         str version, str arch);
/* path: with or without the leading "/"; the root itself is left out. */
void package_files_add(struct package_files *p, str path, const struct owned_file *f);
/* After the limit was passed the package is left out, and all that follow. */
void package_files_end(struct package_files *p);
str package_files_bytes(const struct package_files *p);
bool package_files_full(const struct package_files *p);

/* A digest as hexadecimal text; false (and nothing changed) when it is none of that algorithm. */
bool owned_digest_hex(struct owned_file *f, enum owned_algorithm algorithm, str hex);
/* Bytes of a digest. */
size_t owned_digest_size(enum owned_algorithm algorithm);
const char *owned_algorithm_name(enum owned_algorithm algorithm); /* "md5" ...; "" */

/* Fills the packages' files from the layers' records. Where a path leads through links of
 * directories to a file that is there (/bin/sh, /bin -> usr/bin), it becomes that file's. Call it
 * after listing_merge(). */
int package_files_merge(const struct squash_layer *layers, size_t n, struct inventory *inv,
                        struct err *e);

#endif
