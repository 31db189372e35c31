/* buf.h - a growable byte buffer on the heap with a maximum and a sticky failure flag.
 *
 * Writers add without checking and look at buf_ok() once at the end; a buffer that failed stays as
 * it was before the failing call. */
#ifndef KELLET_BASE_BUF_H
#define KELLET_BASE_BUF_H

#include "base/compiler.h"
#include "base/err.h"
#include "base/str.h"

struct buf {
    char *p;
    size_t n, cap, max;
    bool failed;
};

/* max: the most bytes the buffer may ever hold. */
void buf_init(struct buf *b, size_t max);
void buf_done(struct buf *b);
static inline void buf_clear(struct buf *b)
{
    b->n = 0;
}
static inline bool buf_ok(const struct buf *b)
{
    return !b->failed;
}
/* ERR_LIMIT with `what` named when the buffer failed, else 0. */
int buf_check(const struct buf *b, const char *what, struct err *e);

/* Room for n more bytes: where to write them, or NULL (failed). The caller then adds to b->n. */
char *buf_reserve(struct buf *b, size_t n);
void buf_add(struct buf *b, const void *p, size_t n);
void buf_add_str(struct buf *b, str s);
void buf_add_char(struct buf *b, char c);
void buf_addf(struct buf *b, const char *fmt, ...) KE_PRINTF(2, 3);
/* Little-endian integers, and a LEB128 varint, for on-disk formats. */
void buf_add_u16(struct buf *b, uint16_t v);
void buf_add_u32(struct buf *b, uint32_t v);
void buf_add_u64(struct buf *b, uint64_t v);
void buf_add_varint(struct buf *b, uint64_t v);

static inline str buf_view(const struct buf *b)
{
    return (str){b->p, b->n};
}
/* The contents terminated by NUL (not counted in n); NULL when failed. Still owned by the buffer.
 */
const char *buf_z(struct buf *b);

#define auto_buf struct buf KE_CLEANUP(buf_done)

#endif
