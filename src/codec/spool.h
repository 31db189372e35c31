/* spool.h - random access to a stream's bytes: in memory while small, else in an unlinked temporary
 * file.
 *
 * For formats that must be read back and forth (rpm databases, jars, ELF). Bounded by a hard
 * maximum. The temporary file comes from a callback, because a confined process cannot open files
 * itself. */
#ifndef KELLET_CODEC_SPOOL_H
#define KELLET_CODEC_SPOOL_H

#include "codec/stream.h"

struct spool_limits {
    uint64_t memory_max; /* beyond this many bytes the data go to a file (default 1 MiB) */
    uint64_t total_max;  /* beyond this: ERR_LIMIT (default 4 GiB) */
    /* Gives a descriptor to an empty unlinked file, owned by the spool. NULL: fs_temp_fd. */
    int (*temp_fd)(void *ctx, int *fd, struct err *e);
    void *ctx;
};

struct spool;

/* Reads `in` to its end. limits may be NULL for the defaults. */
int spool_new(struct stream *in, const struct spool_limits *limits, struct spool **out,
              struct err *e);
/* Over a seekable file that already exists (borrowed fd). */
int spool_from_fd(int fd, struct spool **out, struct err *e);
/* Over memory kept alive by the caller. */
int spool_from_mem(str data, struct spool **out, struct err *e);
/* A view of [offset, offset + size) of another spool as a spool of its own, without a copy: a
 * stored member of an archive, a segment of a program. `whole` must outlive it. */
int spool_window(const struct spool *whole, uint64_t offset, uint64_t size, struct spool **out,
                 struct err *e);
void spool_free(struct spool *s);

uint64_t spool_size(const struct spool *s);
/* Exactly n bytes at offset, else ERR_FORMAT (past the end) or ERR_IO. */
int spool_read(const struct spool *s, void *to, size_t n, uint64_t offset, struct err *e);
/* A stream over [offset, offset + size), which must lie inside. The spool must outlive it. */
int spool_stream(const struct spool *s, uint64_t offset, uint64_t size, struct stream **out,
                 struct err *e);

#endif
