#include "packages/lines.h"

void lines_init(struct lines *l, struct stream *in, size_t line_max, uint64_t file_max)
{
    *l = (struct lines){.in = in, .line_max = line_max, .left = file_max};
    buf_init(&l->joined, line_max);
}

void lines_done(struct lines *l)
{
    buf_done(&l->joined);
}

static void lines_consume(struct lines *l, size_t n)
{
    stream_consume(l->in, n);
    l->left -= n;
}

/* As much of the part as still fits. */
static bool lines_join(struct lines *l, const uint8_t *p, size_t n)
{
    size_t room = l->line_max - l->joined.n;
    if (n > room) {
        l->cut = true;
        n = room;
    }
    buf_add(&l->joined, p, n);
    return buf_ok(&l->joined);
}

static int lines_show(struct lines *l, str *line)
{
    l->number++;
    if (line->n > l->line_max) {
        line->n = l->line_max;
        l->cut = true;
    } else if (!l->cut && line->n && line->p[line->n - 1] == '\r') {
        line->n--;
    }
    return 1;
}

int lines_next(struct lines *l, str *line, struct err *e)
{
    if (l->pending)
        lines_consume(l, l->pending);
    l->pending = 0;
    buf_clear(&l->joined);
    l->cut = false;
    for (bool begun = false;; begun = true) {
        const uint8_t *p;
        int64_t n = stream_view(l->in, &p, e);
        if (n < 0)
            return (int)n;
        if (n > 0 && l->left == 0) {
            l->limited = true;
            return 0;
        }
        if (n == 0) {
            l->unterminated |= begun;
            *line = buf_view(&l->joined);
            return begun ? lines_show(l, line) : 0;
        }
        if ((uint64_t)n > l->left)
            n = (int64_t)l->left;
        const uint8_t *end = memchr(p, '\n', (size_t)n);
        size_t part = end ? (size_t)(end - p) : (size_t)n;
        if (end && !begun) {
            *line = (str){(const char *)p, part};
            l->pending = part + 1;
            return lines_show(l, line);
        }
        if (!lines_join(l, p, part))
            return err_no_memory(e);
        lines_consume(l, end ? part + 1 : part);
        if (end) {
            *line = buf_view(&l->joined);
            return lines_show(l, line);
        }
    }
}
