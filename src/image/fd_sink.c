#include "image/fd_sink.h"

#include "base/fs.h"

int fd_sink_write(void *ctx, const void *p, size_t n, struct err *e)
{
    struct fd_sink *s = ctx;
    int r = fs_write_all(s->fd, p, n, e);
    if (r == 0)
        s->written += n;
    return r;
}
