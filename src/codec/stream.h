/* stream.h - forward-only byte streams that stack: file -> digest -> inflate -> digest -> tar
 * entry.
 *
 * A stream shows its own buffer (stream_view) instead of copying; every layer of a stack reads the
 * one below through that view. Errors are sticky: after a failure every call fails with the same
 * error. Not thread-safe; a stream belongs to one thread at a time. */
#ifndef KELLET_CODEC_STREAM_H
#define KELLET_CODEC_STREAM_H

#include "base/buf.h"
#include "base/err.h"
#include "base/str.h"

struct stream;

struct stream_ops {
    const char *name;
    /* MUST. Makes [s->p, s->end) non-empty, or sets s->eof. Called only when the view is empty.
     * 0 or a negative code with *e filled. */
    int (*fill)(struct stream *s, struct err *e);
    /* MUST. Frees the stream itself and closes what it owns (the stream below only if it took it).
     */
    void (*close)(struct stream *s);
    /* MAY. Skips n bytes without showing them; the view is empty when called. Returns how many were
     * skipped (less than n only at the end), or a negative code. */
    int64_t (*skip)(struct stream *s, uint64_t n, struct err *e);
};

struct stream {
    const struct stream_ops *ops;
    const uint8_t *p, *end; /* the view */
    uint64_t consumed;      /* bytes handed out so far */
    bool eof;
    struct err failure; /* code != 0: sticky */
};

/* Bytes in the view (>0), 0 at the end, or a negative code. *p points at them; valid until the next
 * call. */
static inline int64_t stream_view(struct stream *s, const uint8_t **p, struct err *e);
/* Marks n bytes of the view as read. n <= what stream_view returned. */
static inline void stream_consume(struct stream *s, size_t n)
{
    s->p += n;
    s->consumed += n;
}

/* Up to n bytes copied: how many (short only at the end), or a negative code. */
int64_t stream_read(struct stream *s, void *to, size_t n, struct err *e);
/* Exactly n bytes, else ERR_FORMAT "truncated". */
int stream_read_exact(struct stream *s, void *to, size_t n, struct err *e);
/* Skips up to n bytes; how many were skipped, or a negative code. */
int64_t stream_skip(struct stream *s, uint64_t n, struct err *e);
/* Everything to the end into *out (its maximum is the limit: ERR_LIMIT names `what`). */
int stream_read_all(struct stream *s, struct buf *out, const char *what, struct err *e);
/* Reads to the end and throws it away (so that digests below see every byte). */
int stream_drain(struct stream *s, struct err *e);
void stream_close(struct stream *s); /* NULL is fine */

int stream_refill_(struct stream *s, struct err *e);

static inline int64_t stream_view(struct stream *s, const uint8_t **p, struct err *e)
{
    if (s->p == s->end || s->failure.code) {
        int r = stream_refill_(s, e);
        if (r < 0)
            return r;
    }
    *p = s->p;
    return s->end - s->p;
}

static inline void stream_close_(struct stream **s)
{
    stream_close(*s);
}
#define auto_stream struct stream KE_CLEANUP(stream_close_)

/* ---- sources ------------------------------------------------------------------------------------
 */

/* Over a descriptor (pipe, socket, file) from its current position. Takes fd when `take`. */
int stream_from_fd(int fd, bool take, struct stream **out, struct err *e);
/* Over [offset, offset + size) of a seekable descriptor by pread: several may share one fd. fd is
 * borrowed. */
int stream_from_range(int fd, uint64_t offset, uint64_t size, struct stream **out, struct err *e);
/* Over memory that the caller keeps alive. */
int stream_from_mem(str data, struct stream **out, struct err *e);

/* ---- filters: each borrows `below`, which must outlive it
 * ---------------------------------------- */

/* COMP_DEFLATE is raw deflate (RFC 1951) as zip members hold it: it has no magic and is never
 * sniffed. */
enum compression { COMP_NONE, COMP_GZIP, COMP_ZSTD, COMP_XZ, COMP_BZIP2, COMP_DEFLATE };

enum { STREAM_HEAD_MAX = 1024 };
/* Passes on what is below; its first view holds n bytes (at most STREAM_HEAD_MAX), or all there
 * are. A pipe's reads are of any length: whatever judges a stream by its first bytes needs this. */
int stream_head(struct stream *below, size_t n, struct stream **out, struct err *e);

/* What the next bytes of s are, by magic number; nothing is consumed. COMP_NONE for anything else,
 * also for a view too short to tell (stream_head). */
int stream_sniff(struct stream *s, enum compression *out, struct err *e);

struct inflate_limits {
    uint64_t max_out;   /* bytes out at most; 0: no limit */
    uint32_t max_ratio; /* bytes out per byte in; 0: no limit */
    uint64_t grace;     /* bytes out before the ratio is judged; 0: 16 MiB */
};
/* Decompresses; multi-member gzip and multi-frame zstd included. COMP_NONE gives a pass-through.
 * A stream cut short is ERR_FORMAT, a bomb ERR_LIMIT. */
/* Words for messages and media types: "gzip", "zstd", ... */
const char *compression_name(enum compression c);
int stream_inflate(struct stream *below, enum compression c, const struct inflate_limits *l,
                   struct stream **out, struct err *e);

/* Passes on what is below and hashes it; digest_final() is valid after the end was reached and
 * before what is below is closed. */
struct digest_ctx;
int stream_digest(struct stream *below, struct digest_ctx *ctx, struct stream **out, struct err *e);

/* At most n bytes of below. Closing it does not skip the rest. */
int stream_limit(struct stream *below, uint64_t n, struct stream **out, struct err *e);

#endif
