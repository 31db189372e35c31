/* zip.h - reads zip archives (jar, war, ear, feed bundles) with random access through a spool.
 *
 * Source: PKWARE APPNOTE.TXT 6.3.10; zip64, data descriptors, leading bytes before the first
 * member (self-executing jars: stored offsets may or may not count them) and junk after the end
 * record (within the 65,535 bytes a comment may have) included. Methods stored and deflate; others,
 * and encrypted members, are ERR_UNSUPPORTED for that member only. The central directory is read in
 * pieces, never held whole: memory does not grow with the number of members. */
#ifndef KELLET_CODEC_ZIP_H
#define KELLET_CODEC_ZIP_H

#include "codec/spool.h"

struct zip_entry {
    str name; /* as stored, not checked (may hold "..", NUL); valid until the next zip_next */
    uint64_t size, compressed_size, header_offset;
    uint32_t crc32;
    uint16_t method, flags;
    bool is_dir;
    bool overlaps; /* shares bytes with its neighbour in the directory: zip_content refuses it */
};

struct zip_limits {
    uint64_t max_entries; /* default 1,000,000 */
    uint64_t max_member;  /* bytes of one member, inflated (default 2 GiB) */
    uint32_t max_ratio;   /* default 1,100: deflate itself cannot do better than 1,032 */
};

struct zip;

/* `file` is borrowed. ERR_FORMAT when there is no end record, or what it says of the directory
 * cannot be. limits may be NULL for the defaults. */
int zip_open(const struct spool *file, const struct zip_limits *limits, struct zip **out,
             struct err *e);
/* Members in central-directory order: 1, 0 at the end, or a negative code. A directory that holds
 * another number of members than the end record says is walked as far as it goes, then
 * ERR_FORMAT. */
int zip_next(struct zip *z, struct zip_entry *entry, struct err *e);
void zip_rewind(struct zip *z);
/* The content of the member that zip_next returned last, inflated; the caller closes it. Checks
 * local header, sizes and CRC-32: content that is not what the directory says fails with ERR_FORMAT
 * at its end at the latest. */
int zip_content(struct zip *z, const struct zip_entry *entry, struct stream **out, struct err *e);
/* Where in the file the bytes of the member that zip_next returned last lie; with method 0 they can
 * be read in place by spool_window (its CRC-32 is then not checked). Refuses what zip_content
 * refuses, but not compression. */
int zip_locate(struct zip *z, const struct zip_entry *entry, uint64_t *offset, struct err *e);
void zip_close(struct zip *z);

#endif
