#include "base/cursor.h"

static const uint8_t *cursor_take(struct cursor *c, size_t n)
{
    if (c->failed || (size_t)(c->end - c->p) < n) {
        c->failed = true;
        return NULL;
    }
    const uint8_t *p = c->p;
    c->p += n;
    return p;
}

static uint64_t cursor_le(struct cursor *c, size_t n)
{
    const uint8_t *p = cursor_take(c, n);
    uint64_t v = 0;
    for (size_t i = 0; p && i < n; i++)
        v |= (uint64_t)p[i] << (8 * i);
    return v;
}

static uint64_t cursor_be(struct cursor *c, size_t n)
{
    const uint8_t *p = cursor_take(c, n);
    uint64_t v = 0;
    for (size_t i = 0; p && i < n; i++)
        v = v << 8 | p[i];
    return v;
}

uint8_t cursor_u8(struct cursor *c)
{
    return (uint8_t)cursor_le(c, 1);
}
uint16_t cursor_u16le(struct cursor *c)
{
    return (uint16_t)cursor_le(c, 2);
}
uint16_t cursor_u16be(struct cursor *c)
{
    return (uint16_t)cursor_be(c, 2);
}
uint32_t cursor_u32le(struct cursor *c)
{
    return (uint32_t)cursor_le(c, 4);
}
uint32_t cursor_u32be(struct cursor *c)
{
    return (uint32_t)cursor_be(c, 4);
}
uint64_t cursor_u64le(struct cursor *c)
{
    return cursor_le(c, 8);
}
uint64_t cursor_u64be(struct cursor *c)
{
    return cursor_be(c, 8);
}

uint64_t cursor_varint(struct cursor *c)
{
    uint64_t v = 0;
    for (unsigned shift = 0; shift < 64; shift += 7) {
        uint8_t byte = cursor_u8(c);
        if (shift == 63 && byte > 1)
            c->failed = true;
        v |= (uint64_t)(byte & 0x7f) << shift;
        if (!(byte & 0x80) || c->failed)
            return c->failed ? 0 : v;
    }
    c->failed = true;
    return 0;
}

str cursor_bytes(struct cursor *c, size_t n)
{
    const uint8_t *p = cursor_take(c, n);
    return p ? (str){(const char *)p, n} : (str){NULL, 0};
}

str cursor_text(struct cursor *c)
{
    uint64_t n = cursor_varint(c);
    if (n > cursor_left(c)) {
        c->failed = true;
        return (str){NULL, 0};
    }
    return cursor_bytes(c, (size_t)n);
}

void cursor_skip(struct cursor *c, size_t n)
{
    cursor_take(c, n);
}
