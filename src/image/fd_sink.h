/* fd_sink.h - a body of HTTP into a descriptor, counted; for http_request's sink. */
#ifndef KELLET_IMAGE_FD_SINK_H
#define KELLET_IMAGE_FD_SINK_H

#include "base/err.h"

#include <stdint.h>

struct fd_sink {
    int fd; /* borrowed */
    uint64_t written;
};

/* ctx: the struct fd_sink. */
int fd_sink_write(void *ctx, const void *p, size_t n, struct err *e);

#endif
