/* tar.h - walks a tar stream: POSIX ustar, pax (1003.1-2001), GNU long names and sparse files, old
 * V7.
 *
 * Sources: POSIX.1-2017 pax "ustar Interchange Format" and "pax Interchange Format"; the GNU tar
 * manual, "Basic Tar Format" and "Storing Sparse Files" (old GNU, pax 0.0, 0.1 and 1.0).
 *
 * Paths are given clean: no leading "/" or "./", no empty or "." components, no trailing "/". A
 * path with a
 * ".." component is reported as it is with `unsafe` set; nothing here opens host files. */
#ifndef KELLET_CODEC_TAR_H
#define KELLET_CODEC_TAR_H

#include "codec/stream.h"

enum tar_type {
    TAR_FILE,
    TAR_HARDLINK,
    TAR_SYMLINK,
    TAR_CHAR,
    TAR_BLOCK,
    TAR_DIR,
    TAR_FIFO,
    TAR_OTHER, /* unknown type: content is skipped */
};

struct tar_entry {
    enum tar_type type;
    str path;      /* clean, see above; valid until the next tar_next */
    str link;      /* target of links: hard links cleaned like paths, symlinks as they stand */
    bool unsafe;   /* path (or hard link target) has a ".." component */
    uint64_t size; /* of the content as read, holes included */
    uint32_t mode;
    uint32_t uid, gid;
    int64_t mtime; /* seconds */
};

struct tar_limits {
    uint32_t max_path;    /* bytes of one path or link (default 64 KiB) */
    uint32_t max_pax;     /* bytes of one extended header (default 1 MiB) */
    uint64_t max_entries; /* default 16 million */
};

struct tar;

/* `below` is borrowed. limits may be NULL for the defaults. */
int tar_open(struct stream *below, const struct tar_limits *limits, struct tar **out,
             struct err *e);
/* 1: *entry is the next one (what was left of the last content is skipped); 0: the end; or a
 * negative code. */
int tar_next(struct tar *t, struct tar_entry *entry, struct err *e);
/* The content of the entry just returned (TAR_FILE only); borrowed, ends with the entry. */
struct stream *tar_content(struct tar *t);
/* Offset in `below` at which the content of the current entry starts; only meaningful for
 * non-sparse files. */
uint64_t tar_content_offset(const struct tar *t);
void tar_close(struct tar *t);

#endif
