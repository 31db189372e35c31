/* chunks.h - a stream over memory that shows a few bytes at a time and may fail at its end. */
#ifndef KELLET_TESTS_PACKAGES_CHUNKS_H
#define KELLET_TESTS_PACKAGES_CHUNKS_H

#include "codec/stream.h"

struct chunks {
    struct stream s;
    str rest;
    size_t step;
    bool fails; /* ERR_IO once all was shown */
};

static inline int chunks_fill(struct stream *s, struct err *e)
{
    struct chunks *c = (struct chunks *)s;
    size_t n = c->rest.n < c->step ? c->rest.n : c->step;
    if (n == 0 && c->fails)
        return err_set(e, ERR_IO, "the stream failed");
    s->eof = n == 0;
    s->p = (const uint8_t *)c->rest.p;
    s->end = s->p + n;
    c->rest = str_from(c->rest, n);
    return 0;
}

static inline void chunks_close(struct stream *s)
{
}

static const struct stream_ops chunks_ops = {
    .name = "chunks", .fill = chunks_fill, .close = chunks_close};

static inline struct chunks chunks_over(str text, size_t step, bool fails)
{
    return (struct chunks){.s = {.ops = &chunks_ops}, .rest = text, .step = step, .fails = fails};
}

#endif
