#include "feeds/peek.h"

#include <stdlib.h>

enum { TAR_BLOCK = 512, TAR_MAGIC_AT = 257 };

struct peek {
    struct stream stream; /* first: the stream is the object */
    struct stream *below;
    uint8_t head[TAR_BLOCK];
    size_t held; /* bytes of head not shown yet */
    const uint8_t *shown;
};

static int peek_fill(struct stream *s, struct err *e)
{
    struct peek *k = (struct peek *)s;
    if (k->held) {
        s->p = k->head;
        s->end = k->head + k->held;
        k->held = 0;
        return 0;
    }
    if (k->shown) /* the view below is used up */
        stream_consume(k->below, (size_t)(s->end - k->shown));
    k->shown = NULL;
    const uint8_t *p;
    int64_t n = stream_view(k->below, &p, e);
    if (n < 0)
        return (int)n;
    s->eof = n == 0;
    if (n == 0)
        return 0;
    s->p = k->shown = p;
    s->end = p + n;
    return 0;
}

static void peek_close(struct stream *s)
{
    free(s);
}

static const struct stream_ops peek_ops = {.name = "peek", .fill = peek_fill, .close = peek_close};

int stream_peek_tar(struct stream *below, struct stream **out, bool *is_tar, struct err *e)
{
    struct peek *k = calloc(1, sizeof *k);
    if (!k)
        return err_no_memory(e);
    k->stream.ops = &peek_ops;
    k->below = below;
    int64_t n = stream_read(below, k->head, sizeof k->head, e);
    if (n < 0) {
        free(k);
        return (int)n;
    }
    k->held = (size_t)n;
    *is_tar = n == TAR_BLOCK && memcmp(k->head + TAR_MAGIC_AT, "ustar", 5) == 0;
    *out = &k->stream;
    return 0;
}
