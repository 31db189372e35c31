#include "codec/stream.h"

#include <stdlib.h>

struct head {
    struct stream s;
    struct stream *below;
    size_t want;
    bool begun;
    uint8_t first[STREAM_HEAD_MAX];
};

/* The first view: copied together only when the one below is too short. */
static int head_gather(struct head *h, const uint8_t *p, size_t have, struct err *e)
{
    size_t n = 0;
    while (have && n < h->want) {
        size_t take = have < h->want - n ? have : h->want - n;
        memcpy(h->first + n, p, take);
        n += take;
        stream_consume(h->below, take);
        if (n == h->want)
            break;
        int64_t next = stream_view(h->below, &p, e);
        if (next < 0)
            return (int)next;
        have = (size_t)next;
    }
    h->s.p = h->first;
    h->s.end = h->first + n;
    h->s.eof = n == 0;
    return 0;
}

static int head_fill(struct stream *s, struct err *e)
{
    struct head *h = (struct head *)s;
    const uint8_t *p;
    int64_t have = stream_view(h->below, &p, e);
    if (have < 0)
        return (int)have;
    bool first = !h->begun;
    h->begun = true;
    if (first && (size_t)have < h->want)
        return head_gather(h, p, (size_t)have, e);
    stream_consume(h->below, (size_t)have);
    s->p = p;
    s->end = p + have;
    s->eof = have == 0;
    return 0;
}

static void head_close(struct stream *s)
{
    free(s);
}

static const struct stream_ops head_ops = {.name = "head", .fill = head_fill, .close = head_close};

int stream_head(struct stream *below, size_t n, struct stream **out, struct err *e)
{
    struct head *h = malloc(sizeof *h);
    if (!h)
        return err_no_memory(e);
    memset(h, 0, offsetof(struct head, first));
    h->s.ops = &head_ops;
    h->below = below;
    h->want = n < STREAM_HEAD_MAX ? n : STREAM_HEAD_MAX;
    *out = &h->s;
    return 0;
}
