/* cursor.h - reads binary formats from memory with bounds checks and one sticky failure flag.
 *
 * A read past the end returns 0 (or an empty slice), sets `failed`, and so does every later read: a
 * parser reads a whole record and looks at cursor_ok() once. */
#ifndef KELLET_BASE_CURSOR_H
#define KELLET_BASE_CURSOR_H

#include "base/str.h"

struct cursor {
    const uint8_t *p, *end;
    bool failed;
};

static inline struct cursor cursor_over(const void *p, size_t n)
{
    return (struct cursor){(const uint8_t *)p, n ? (const uint8_t *)p + n : (const uint8_t *)p,
                           false};
}
static inline size_t cursor_left(const struct cursor *c)
{
    return c->failed ? 0 : (size_t)(c->end - c->p);
}
static inline bool cursor_ok(const struct cursor *c)
{
    return !c->failed;
}

uint8_t cursor_u8(struct cursor *c);
uint16_t cursor_u16le(struct cursor *c);
uint16_t cursor_u16be(struct cursor *c);
uint32_t cursor_u32le(struct cursor *c);
uint32_t cursor_u32be(struct cursor *c);
uint64_t cursor_u64le(struct cursor *c);
uint64_t cursor_u64be(struct cursor *c);
uint64_t cursor_varint(struct cursor *c);     /* LEB128, as buf_add_varint writes */
str cursor_bytes(struct cursor *c, size_t n); /* a view */
str cursor_text(struct cursor *c);            /* a varint, then that many bytes: a view */
void cursor_skip(struct cursor *c, size_t n);

#endif
