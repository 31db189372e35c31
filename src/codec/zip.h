/* zip.h - reads zip archives (jar, war, ear, feed bundles) with random access through a spool.
 *
 * Source: PKWARE APPNOTE.TXT 6.3.10; zip64, data descriptors, leading junk (executable jars)
 * included. Methods stored and deflate; others are ERR_UNSUPPORTED for that member only. The
 * central directory is read in pieces, never held whole: memory does not grow with the number of
 * members. */
#ifndef KELLET_CODEC_ZIP_H
#define KELLET_CODEC_ZIP_H

#include "codec/spool.h"

struct zip_entry {
    str name; /* as stored; valid until the next zip_next */
    uint64_t size, compressed_size, header_offset;
    uint16_t method, flags;
    bool is_dir;
};

struct zip_limits {
    uint64_t max_entries; /* default 1,000,000 */
    uint64_t max_member;  /* bytes of one member, inflated (default 2 GiB) */
    uint32_t max_ratio;   /* default 1,100: deflate itself cannot do better than 1,032 */
};

struct zip;

int zip_open(const struct spool *file, const struct zip_limits *limits, struct zip **out,
             struct err *e);
/* Members in central-directory order: 1, 0 at the end, or a negative code. */
int zip_next(struct zip *z, struct zip_entry *entry, struct err *e);
void zip_rewind(struct zip *z);
/* The content of a member, inflated; the caller closes it. Checks local header, sizes and CRC-32.
 */
int zip_content(struct zip *z, const struct zip_entry *entry, struct stream **out, struct err *e);
void zip_close(struct zip *z);

#endif
