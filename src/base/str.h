/* str.h - string slices by value: a pointer and a length, not terminated, not owned.
 *
 * A str is valid as long as the memory it points into. The empty slice may have p == NULL.
 * Functions that return a str return a view into their argument unless they say otherwise. */
#ifndef KELLET_BASE_STR_H
#define KELLET_BASE_STR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

typedef struct str {
    const char *p;
    size_t n;
} str;

#define STR(literal) ((str){(literal), sizeof(literal) - 1})
#define STR_INIT(literal)                                                                          \
    {                                                                                              \
        (literal), sizeof(literal) - 1                                                             \
    }
/* For printf: "%.*s", STR_ARG(s). Cut at 4096 bytes so that hostile input cannot flood a message.
 */
#define STR_ARG(s) (int)((s).n > 4096 ? 4096 : (s).n), ((s).p ? (s).p : "")

static inline str str_z(const char *z)
{
    return (str){z, z ? strlen(z) : 0};
}

static inline bool str_eq(str a, str b)
{
    return a.n == b.n && (a.n == 0 || memcmp(a.p, b.p, a.n) == 0);
}

/* Byte order; a proper prefix sorts first. */
int str_cmp(str a, str b);
bool str_eq_nocase(str a, str b); /* ASCII only */
bool str_starts(str s, str prefix);
bool str_ends(str s, str suffix);
bool str_contains(str s, str needle);

/* Index of the first / last c, or -1. */
ptrdiff_t str_index(str s, char c);
ptrdiff_t str_rindex(str s, char c);
/* Index of the first occurrence of needle, or -1. */
ptrdiff_t str_find(str s, str needle);

/* s[from..to) clamped to the slice. */
str str_sub(str s, size_t from, size_t to);
static inline str str_from(str s, size_t from)
{
    return str_sub(s, from, s.n);
}
str str_trim(str s); /* ASCII white space at both ends */

/* Takes the part before the first `sep` off *rest and returns it; without `sep`, takes all of it.
 * Loop: while (rest.n) { str part = str_split(&rest, ','); ... } */
str str_split(str *rest, char sep);
/* Takes one line off *rest, without "\n" or "\r\n". False at the end. */
bool str_line(str *rest, str *line);

/* Last component of a slash-separated path; the part before it without the slash ("" when none). */
str str_basename(str path);
str str_dirname(str path);

/* Decimal (or hex for the second) digits only, the whole slice, no sign. False on anything else or
 * overflow. */
bool str_to_u64(str s, uint64_t *out);
bool str_to_u64_hex(str s, uint64_t *out);

static inline bool ke_isdigit(char c)
{
    return c >= '0' && c <= '9';
}
static inline bool ke_isalpha(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}
static inline bool ke_isalnum(char c)
{
    return ke_isdigit(c) || ke_isalpha(c);
}
static inline bool ke_isspace(char c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}
static inline char ke_tolower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c + 32) : c;
}

#endif
