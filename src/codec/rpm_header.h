/* rpm_header.h - the header of an rpm package as rpm's databases store it: tags and their values.
 *
 * Format (rpm.org, "RPM V4 package format", section header; rpm manual "hregions"): two big-endian
 * 32-bit counts (index entries, bytes of data), then the index (tag, type, offset, count: 16 bytes
 * each), then the data. Strings end with NUL. Region tags (61 to 63) only mark the part that is
 * signed. Entries behind a region ("dribbles", such as the install time) replace entries of the
 * same tag: the last one counts. */
#ifndef KELLET_CODEC_RPM_HEADER_H
#define KELLET_CODEC_RPM_HEADER_H

#include "base/err.h"
#include "base/str.h"

/* What is read of a header. Absent strings are empty. Everything views the blob. */
struct rpm_header {
    str name, version, release, arch;
    str source_rpm; /* file name of the source package */
    str vendor, licence;
    str module; /* modularity label */
    uint64_t size;
    uint32_t epoch, install_time;
    bool has_epoch; /* an absent epoch is not 0 */

    struct rpm_array {
        str data; /* the values to the end of the data, or less */
        uint32_t count;
    } basenames, dirnames, dirindexes, oldfilenames;
    /* Of the files, in their order; empty where the header has none, or another number of them. */
    struct rpm_array file_digests, file_modes, file_sizes, file_long_sizes, file_flags, file_states;
    uint32_t digest_algorithm; /* 0: not stated (MD5) */
    size_t blob_size;
};

/* ERR_FORMAT when the blob is no header, lacks name or version, or a value that is read lies
 * outside of the data or has a wrong type. */
int rpm_header_read(str blob, struct rpm_header *out, struct err *e);

/* What a header says of one file. */
struct rpm_file {
    str digest;         /* hexadecimal; empty: none */
    uint32_t algorithm; /* RFC 4880, 9.4: 1 MD5, 2 SHA-1, 8 SHA-256 ... */
    uint32_t mode;      /* st_mode; 0: not stated */
    uint64_t size;
    uint32_t flags; /* enum rpm_file_flags */
    uint8_t state;  /* 0: installed as it was packed; else replaced, or never installed */
};
enum rpm_file_flags {
    RPM_FILE_CONFIG = 1,
    RPM_FILE_MISSING_OK = 8, /* may be absent */
    RPM_FILE_GHOST = 64,     /* not installed: belongs to the package if it is made */
};
/* Gives the files one after the other, from the first: make it with {.header = h}. */
struct rpm_file_cursor {
    const struct rpm_header *header;
    uint32_t next;
    str digests; /* those that are left */
};
/* False when `index` was passed already or is beyond the last. */
bool rpm_file_at(struct rpm_file_cursor *c, uint32_t index, struct rpm_file *out);

/* Calls fn for every file of the package with its number, from 0, and its path without the leading
 * slash, valid during the call.
 * Stops when fn returns a negative code, and returns that. ERR_FORMAT when the lists do not fit
 * together, ERR_LIMIT when there are more than 262,144 directories, or the paths together are
 * longer than 16 times the header (no real package comes near 2). */
int rpm_header_files(const struct rpm_header *h,
                     int (*fn)(void *ctx, uint32_t index, str path, struct err *e), void *ctx,
                     struct err *e);

/* "name-version-release.arch.rpm" split at the last two dashes and the last two dots ("src" and
 * "rpm"); false when it has no such form. version gets "version-release". */
bool rpm_source_split(str file_name, str *name, str *version);

#endif
