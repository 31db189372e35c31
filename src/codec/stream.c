/* stream.c - the sources and the plain filters; inflate.c has the decompressors. */
#include "codec/stream.h"

#include "base/auto.h"
#include "codec/digest.h"

#include <errno.h>

enum { FD_BUFFER = 128 * 1024 };

int stream_refill_(struct stream *s, struct err *e)
{
    if (s->failure.code) {
        if (e)
            *e = s->failure;
        return s->failure.code;
    }
    if (s->eof)
        return 0;
    int r = s->ops->fill(s, &s->failure);
    if (r < 0) {
        s->failure.code = r;
        s->p = s->end = NULL;
        if (e)
            *e = s->failure;
        return r;
    }
    return 0;
}

int64_t stream_read(struct stream *s, void *to, size_t n, struct err *e)
{
    size_t done = 0;
    while (done < n) {
        const uint8_t *p;
        int64_t have = stream_view(s, &p, e);
        if (have < 0)
            return have;
        if (have == 0)
            break;
        size_t take = n - done < (size_t)have ? n - done : (size_t)have;
        memcpy((char *)to + done, p, take);
        stream_consume(s, take);
        done += take;
    }
    return (int64_t)done;
}

int stream_read_exact(struct stream *s, void *to, size_t n, struct err *e)
{
    int64_t got = stream_read(s, to, n, e);
    if (got < 0)
        return (int)got;
    if ((size_t)got < n)
        return err_set(e, ERR_FORMAT, "truncated: %zu bytes wanted, %lld there", n, (long long)got);
    return 0;
}

int64_t stream_skip(struct stream *s, uint64_t n, struct err *e)
{
    uint64_t done = 0;
    while (done < n) {
        if (s->p == s->end && s->ops->skip && !s->eof && !s->failure.code) {
            int64_t skipped = s->ops->skip(s, n - done, &s->failure);
            if (skipped < 0) {
                s->failure.code = (int)skipped;
                if (e)
                    *e = s->failure;
                return skipped;
            }
            s->consumed += (uint64_t)skipped;
            done += (uint64_t)skipped;
            if (skipped > 0)
                continue;
        }
        const uint8_t *p;
        int64_t have = stream_view(s, &p, e);
        if (have < 0)
            return have;
        if (have == 0)
            break;
        uint64_t take = n - done < (uint64_t)have ? n - done : (uint64_t)have;
        stream_consume(s, (size_t)take);
        done += take;
    }
    return (int64_t)done;
}

int stream_read_all(struct stream *s, struct buf *out, const char *what, struct err *e)
{
    for (;;) {
        const uint8_t *p;
        int64_t have = stream_view(s, &p, e);
        if (have <= 0)
            return (int)have;
        buf_add(out, p, (size_t)have);
        if (!buf_ok(out))
            return buf_check(out, what, e);
        stream_consume(s, (size_t)have);
    }
}

int stream_drain(struct stream *s, struct err *e)
{
    for (;;) {
        const uint8_t *p;
        int64_t have = stream_view(s, &p, e);
        if (have <= 0)
            return (int)have;
        stream_consume(s, (size_t)have);
    }
}

void stream_close(struct stream *s)
{
    if (s)
        s->ops->close(s);
}

/* ---- over a descriptor --------------------------------------------------------------------------
 */

struct fd_stream {
    struct stream s;
    int fd;
    bool take, ranged;
    uint64_t offset, left; /* ranged only */
    uint8_t buffer[FD_BUFFER];
};

static int fd_fill(struct stream *s, struct err *e)
{
    struct fd_stream *f = (struct fd_stream *)s;
    size_t want = sizeof f->buffer;
    if (f->ranged && f->left < want)
        want = (size_t)f->left;
    ssize_t got = 0;
    while (want) {
        got = f->ranged ? pread(f->fd, f->buffer, want, (off_t)f->offset)
                        : read(f->fd, f->buffer, want);
        if (got >= 0 || errno != EINTR)
            break;
    }
    if (got < 0)
        return err_errno(e, "cannot read");
    if (got == 0 && f->ranged && f->left)
        return err_set(e, ERR_FORMAT, "truncated: the file ends %llu bytes early",
                       (unsigned long long)f->left);
    f->offset += (uint64_t)got;
    f->left -= f->ranged ? (uint64_t)got : 0;
    s->p = f->buffer;
    s->end = f->buffer + got;
    s->eof = got == 0;
    return 0;
}

static int64_t fd_skip(struct stream *s, uint64_t n, struct err *e)
{
    struct fd_stream *f = (struct fd_stream *)s;
    if (!f->ranged)
        return 0;
    uint64_t skip = n < f->left ? n : f->left;
    f->offset += skip;
    f->left -= skip;
    return (int64_t)skip;
}

static void fd_close(struct stream *s)
{
    struct fd_stream *f = (struct fd_stream *)s;
    if (f->take)
        close(f->fd);
    free(f);
}

static const struct stream_ops fd_ops = {
    .name = "fd", .fill = fd_fill, .close = fd_close, .skip = fd_skip};

static struct fd_stream *fd_stream_new(int fd, struct err *e)
{
    struct fd_stream *f = malloc(sizeof *f);
    if (!f) {
        err_no_memory(e);
        return NULL;
    }
    memset(f, 0, offsetof(struct fd_stream, buffer));
    f->s.ops = &fd_ops;
    f->fd = fd;
    return f;
}

int stream_from_fd(int fd, bool take, struct stream **out, struct err *e)
{
    struct fd_stream *f = fd_stream_new(fd, e);
    if (!f)
        return ERR_NO_MEMORY;
    f->take = take;
    *out = &f->s;
    return 0;
}

int stream_from_range(int fd, uint64_t offset, uint64_t size, struct stream **out, struct err *e)
{
    if (offset > INT64_MAX || size > INT64_MAX - offset)
        return err_set(e, ERR_FORMAT, "offset or size is impossible");
    struct fd_stream *f = fd_stream_new(fd, e);
    if (!f)
        return ERR_NO_MEMORY;
    f->ranged = true;
    f->offset = offset;
    f->left = size;
    *out = &f->s;
    return 0;
}

/* ---- over memory --------------------------------------------------------------------------------
 */

static int mem_fill(struct stream *s, struct err *e)
{
    s->eof = true;
    return 0;
}

static void plain_close(struct stream *s)
{
    free(s);
}

static const struct stream_ops mem_ops = {.name = "mem", .fill = mem_fill, .close = plain_close};

int stream_from_mem(str data, struct stream **out, struct err *e)
{
    struct stream *s = calloc(1, sizeof *s);
    if (!s)
        return err_no_memory(e);
    s->ops = &mem_ops;
    s->p = (const uint8_t *)data.p;
    s->end = s->p + data.n;
    *out = s;
    return 0;
}

/* ---- filters that show the view of the stream below
 * ---------------------------------------------- */

struct filter {
    struct stream s;
    struct stream *below;
    struct digest_ctx *digest;
    uint64_t left;
};

/* Takes the whole view of the stream below (at most `most` bytes) as its own. */
static int filter_borrow(struct filter *f, uint64_t most, struct err *e)
{
    const uint8_t *p;
    int64_t have = stream_view(f->below, &p, e);
    if (have < 0)
        return (int)have;
    if ((uint64_t)have > most)
        have = (int64_t)most;
    stream_consume(f->below, (size_t)have);
    f->s.p = p;
    f->s.end = p + have;
    f->s.eof = have == 0;
    return 0;
}

static struct filter *filter_new(const struct stream_ops *ops, struct stream *below, struct err *e)
{
    struct filter *f = calloc(1, sizeof *f);
    if (!f) {
        err_no_memory(e);
        return NULL;
    }
    f->s.ops = ops;
    f->below = below;
    return f;
}

static int digest_fill(struct stream *s, struct err *e)
{
    struct filter *f = (struct filter *)s;
    digest_settle(f->digest); /* what is below may change its buffer */
    int r = filter_borrow(f, UINT64_MAX, e);
    if (r == 0)
        digest_update_later(f->digest, s->p, (size_t)(s->end - s->p));
    return r;
}

static const struct stream_ops digest_ops = {
    .name = "digest", .fill = digest_fill, .close = plain_close};

int stream_digest(struct stream *below, struct digest_ctx *ctx, struct stream **out, struct err *e)
{
    struct filter *f = filter_new(&digest_ops, below, e);
    if (!f)
        return ERR_NO_MEMORY;
    f->digest = ctx;
    *out = &f->s;
    return 0;
}

static int limit_fill(struct stream *s, struct err *e)
{
    struct filter *f = (struct filter *)s;
    if (f->left == 0) {
        s->eof = true;
        return 0;
    }
    int r = filter_borrow(f, f->left, e);
    if (r == 0)
        f->left -= (uint64_t)(s->end - s->p);
    return r;
}

static int64_t limit_skip(struct stream *s, uint64_t n, struct err *e)
{
    struct filter *f = (struct filter *)s;
    int64_t skipped = stream_skip(f->below, n < f->left ? n : f->left, e);
    if (skipped > 0)
        f->left -= (uint64_t)skipped;
    return skipped;
}

static const struct stream_ops limit_ops = {
    .name = "limit", .fill = limit_fill, .close = plain_close, .skip = limit_skip};

int stream_limit(struct stream *below, uint64_t n, struct stream **out, struct err *e)
{
    struct filter *f = filter_new(&limit_ops, below, e);
    if (!f)
        return ERR_NO_MEMORY;
    f->left = n;
    *out = &f->s;
    return 0;
}
