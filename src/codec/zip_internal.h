/* zip_internal.h - what zip.c and zip_member.c share. */
#ifndef KELLET_CODEC_ZIP_INTERNAL_H
#define KELLET_CODEC_ZIP_INTERNAL_H

#include "codec/zip.h"

struct zip {
    const struct spool *file;
    struct zip_limits limits;
    uint64_t base; /* bytes before the archive that its offsets do not count */
    uint64_t directory, directory_size, directory_end; /* offsets in the file */
    uint64_t count;                                    /* as the end record says */
    bool zip64;
    uint64_t next, seen;
    uint64_t neighbour_start, neighbour_end;
    uint8_t *window; /* [window_at, window_at + window_n) of the file */
    uint64_t window_at;
    size_t window_n, window_cap;
};

#endif
