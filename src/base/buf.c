#include "base/buf.h"

#include <stdarg.h>

void buf_init(struct buf *b, size_t max)
{
    *b = (struct buf){.max = max};
}

void buf_done(struct buf *b)
{
    free(b->p);
    *b = (struct buf){.max = b->max};
}

int buf_check(const struct buf *b, const char *what, struct err *e)
{
    if (!b->failed)
        return 0;
    return err_set(e, ERR_LIMIT, "%s is larger than the limit of %zu bytes", what, b->max);
}

char *buf_reserve(struct buf *b, size_t n)
{
    size_t need;
    if (b->failed || ke_add_overflow(b->n, n, &need) || need > b->max) {
        b->failed = true;
        return NULL;
    }
    if (need > b->cap || !b->p) {
        size_t cap = b->cap ? b->cap : 256;
        while (cap < need)
            cap = cap > b->max / 2 ? b->max : cap * 2;
        char *p = realloc(b->p, cap);
        if (!p) {
            b->failed = true;
            return NULL;
        }
        b->p = p;
        b->cap = cap;
    }
    return b->p + b->n;
}

void buf_add(struct buf *b, const void *p, size_t n)
{
    if (n == 0)
        return;
    char *to = buf_reserve(b, n);
    if (!to)
        return;
    memcpy(to, p, n);
    b->n += n;
}

void buf_add_str(struct buf *b, str s)
{
    buf_add(b, s.p, s.n);
}

void buf_add_char(struct buf *b, char c)
{
    buf_add(b, &c, 1);
}

void buf_addf(struct buf *b, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    int n = vsnprintf(NULL, 0, fmt, ap);
    va_end(ap);
    if (n == 0)
        return;
    if (n < 0 || b->n + (size_t)n > b->max || !buf_reserve(b, (size_t)n)) {
        b->failed = true;
        return;
    }
    if (b->cap == b->n + (size_t)n) { /* vsnprintf wants room for its NUL */
        char *grown = realloc(b->p, b->cap + 1);
        if (!grown) {
            b->failed = true;
            return;
        }
        b->p = grown;
        b->cap++;
    }
    va_start(ap, fmt);
    vsnprintf(b->p + b->n, (size_t)n + 1, fmt, ap);
    va_end(ap);
    b->n += (size_t)n;
}

void buf_add_u16(struct buf *b, uint16_t v)
{
    uint8_t raw[2] = {(uint8_t)v, (uint8_t)(v >> 8)};
    buf_add(b, raw, sizeof raw);
}

void buf_add_u32(struct buf *b, uint32_t v)
{
    uint8_t raw[4];
    for (int i = 0; i < 4; i++)
        raw[i] = (uint8_t)(v >> (8 * i));
    buf_add(b, raw, sizeof raw);
}

void buf_add_u64(struct buf *b, uint64_t v)
{
    uint8_t raw[8];
    for (int i = 0; i < 8; i++)
        raw[i] = (uint8_t)(v >> (8 * i));
    buf_add(b, raw, sizeof raw);
}

void buf_add_varint(struct buf *b, uint64_t v)
{
    uint8_t raw[10];
    size_t n = 0;
    do {
        raw[n] = (uint8_t)((v & 0x7f) | (v > 0x7f ? 0x80 : 0));
        v >>= 7;
        n++;
    } while (v);
    buf_add(b, raw, n);
}

const char *buf_z(struct buf *b)
{
    if (b->failed)
        return NULL;
    if (b->n == b->cap) {
        char *p = realloc(b->p, b->cap + 1);
        if (!p)
            return NULL;
        b->p = p;
        b->cap++;
    }
    b->p[b->n] = '\0';
    return b->p;
}
