/* digits.h - digit strings of any length, and the pieces that order-preserving keys are made of.
 *
 * For the schemes of this room only. Numbers are compared as text, so nothing can overflow.
 *
 * Pieces of keys (version.h: memcmp, shorter is smaller):
 *   number  its length without leading zeros plus one, then its digits. The first byte is never 0.
 *   text    the bytes, 0 and 1 escaped, then 0.
 *   natural a number between two pieces of text is ordered as a number; used for text that a scheme
 *           cannot read, so that its order is at least a sensible one. */
#ifndef KELLET_VERSION_DIGITS_H
#define KELLET_VERSION_DIGITS_H

#include "base/buf.h"
#include "base/str.h"

/* The run of digits at the start of s. */
static inline str digits_run(str s)
{
    size_t n = 0;
    while (n < s.n && ke_isdigit(s.p[n]))
        n++;
    return (str){s.p, n};
}

static inline str digits_strip(str s)
{
    while (s.n && *s.p == '0')
        s.p++, s.n--;
    return s;
}

static inline bool digits_zero(str s)
{
    return digits_strip(s).n == 0;
}

/* As numbers; the empty string is zero. -1, 0, 1. */
static inline int digits_compare(str a, str b)
{
    a = digits_strip(a);
    b = digits_strip(b);
    if (a.n != b.n)
        return a.n < b.n ? -1 : 1;
    int order = a.n ? memcmp(a.p, b.p, a.n) : 0;
    return (order > 0) - (order < 0);
}

/* Order of bytes without regard to ASCII case; a proper prefix sorts first. -1, 0, 1. */
int text_compare_nocase(str a, str b);
int natural_compare(str a, str b);

/* A count: more is greater, or less with `down`. The first byte is never 0 (up) or 255 (down). */
void key_count(struct buf *out, size_t n, bool down);
void key_number(struct buf *out, str digits);
/* The numbers of "1.2.0.0", trailing zeros left out, then 0. False when the buffer failed. */
bool key_release(struct buf *out, str dotted);
void key_text(struct buf *out, str s);
void key_natural(struct buf *out, str s);

#endif
