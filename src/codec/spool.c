#include "codec/spool.h"

#include "base/auto.h"
#include "base/fs.h"

#include <errno.h>
#include <sys/stat.h>

static const struct spool_limits spool_defaults = {.memory_max = 1 << 20, .total_max = 4ull << 30};

struct spool {
    char *memory; /* NULL when in a file */
    const char *borrowed;
    int fd; /* -1 when in memory */
    bool own_fd;
    uint64_t base; /* of a window: where it starts in fd */
    uint64_t size;
};

static int spool_alloc(struct spool **out, struct err *e)
{
    *out = calloc(1, sizeof **out);
    if (!*out)
        return err_no_memory(e);
    (*out)->fd = -1;
    return 0;
}

static int spool_to_file(struct spool *s, struct buf *head, struct stream *in,
                         const struct spool_limits *l, struct err *e)
{
    int r = l->temp_fd ? l->temp_fd(l->ctx, &s->fd, e) : fs_temp_fd(&s->fd, e);
    if (r < 0)
        return r;
    s->own_fd = true;
    r = fs_write_all(s->fd, head->p, head->n, e);
    if (r < 0)
        return err_wrap(e, "temporary file");
    s->size = head->n;
    for (;;) {
        const uint8_t *p;
        int64_t have = stream_view(in, &p, e);
        if (have <= 0)
            return (int)have;
        if ((uint64_t)have > l->total_max - s->size)
            return err_set(e, ERR_LIMIT, "larger than the limit of %llu bytes",
                           (unsigned long long)l->total_max);
        r = fs_write_all(s->fd, p, (size_t)have, e);
        if (r < 0)
            return err_wrap(e, "temporary file");
        s->size += (uint64_t)have;
        stream_consume(in, (size_t)have);
    }
}

int spool_new(struct stream *in, const struct spool_limits *limits, struct spool **out,
              struct err *e)
{
    struct spool_limits l = limits ? *limits : spool_defaults;
    if (!l.memory_max)
        l.memory_max = spool_defaults.memory_max;
    if (!l.total_max)
        l.total_max = spool_defaults.total_max;
    struct spool *s;
    int r = spool_alloc(&s, e);
    if (r < 0)
        return r;
    auto_buf head;
    buf_init(&head, l.memory_max < l.total_max ? l.memory_max : l.total_max);
    for (;;) {
        const uint8_t *p;
        int64_t have = stream_view(in, &p, e);
        if (have < 0) {
            r = (int)have;
            break;
        }
        if (have == 0) {
            s->size = head.n;
            s->memory = head.p;
            head.p = NULL;
            break;
        }
        size_t room = head.max - head.n;
        size_t take = (size_t)have < room ? (size_t)have : room;
        buf_add(&head, p, take);
        if (!buf_ok(&head)) {
            r = err_no_memory(e);
            break;
        }
        stream_consume(in, take);
        if (take < (size_t)have) {
            r = spool_to_file(s, &head, in, &l, e);
            break;
        }
    }
    if (r < 0) {
        spool_free(s);
        return r;
    }
    *out = s;
    return 0;
}

int spool_from_fd(int fd, struct spool **out, struct err *e)
{
    struct stat st;
    if (fstat(fd, &st) < 0)
        return err_errno(e, "cannot examine the file");
    if (!S_ISREG(st.st_mode))
        return err_set(e, ERR_UNSUPPORTED, "not a regular file");
    int r = spool_alloc(out, e);
    if (r < 0)
        return r;
    (*out)->fd = fd;
    (*out)->size = (uint64_t)st.st_size;
    return 0;
}

int spool_from_mem(str data, struct spool **out, struct err *e)
{
    int r = spool_alloc(out, e);
    if (r < 0)
        return r;
    (*out)->borrowed = data.p;
    (*out)->size = data.n;
    return 0;
}

int spool_window(const struct spool *whole, uint64_t offset, uint64_t size, struct spool **out,
                 struct err *e)
{
    if (offset > whole->size || size > whole->size - offset)
        return err_set(e, ERR_FORMAT, "range %llu+%llu lies outside a file of %llu bytes",
                       (unsigned long long)offset, (unsigned long long)size,
                       (unsigned long long)whole->size);
    int r = spool_alloc(out, e);
    if (r < 0)
        return r;
    const char *memory = whole->borrowed ? whole->borrowed : whole->memory;
    (*out)->fd = whole->fd;
    (*out)->borrowed = memory ? memory + offset : NULL;
    (*out)->base = whole->base + offset;
    (*out)->size = size;
    return 0;
}

void spool_free(struct spool *s)
{
    if (!s)
        return;
    if (s->own_fd && s->fd >= 0)
        close(s->fd);
    free(s->memory);
    free(s);
}

uint64_t spool_size(const struct spool *s)
{
    return s->size;
}

int spool_read(const struct spool *s, void *to, size_t n, uint64_t offset, struct err *e)
{
    if (offset > s->size || n > s->size - offset)
        return err_set(e, ERR_FORMAT, "wants %zu bytes at offset %llu of a file of %llu", n,
                       (unsigned long long)offset, (unsigned long long)s->size);
    if (n == 0)
        return 0;
    if (s->fd < 0) {
        memcpy(to, (s->borrowed ? s->borrowed : s->memory) + offset, n);
        return 0;
    }
    size_t done = 0;
    while (done < n) {
        ssize_t got = pread(s->fd, (char *)to + done, n - done, (off_t)(s->base + offset + done));
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return err_errno(e, "cannot read temporary file");
        if (got == 0)
            return err_set(e, ERR_IO, "the temporary file became shorter");
        done += (size_t)got;
    }
    return 0;
}

int spool_stream(const struct spool *s, uint64_t offset, uint64_t size, struct stream **out,
                 struct err *e)
{
    if (offset > s->size || size > s->size - offset)
        return err_set(e, ERR_FORMAT, "range %llu+%llu lies outside a file of %llu bytes",
                       (unsigned long long)offset, (unsigned long long)size,
                       (unsigned long long)s->size);
    if (s->fd >= 0)
        return stream_from_range(s->fd, s->base + offset, size, out, e);
    const char *base = s->borrowed ? s->borrowed : s->memory;
    return stream_from_mem((str){base ? base + offset : NULL, (size_t)size}, out, e);
}
