/* regex.h - regular expressions as Python's re writes them (regex_python.h), over PCRE2 with its
 * JIT and with limits on time and memory. With REGEX_UTF \d, \w, \s and \b know all of Unicode, as
 * Python's do.
 *
 * A compiled expression is immutable and may be used by many threads. */
#ifndef KELLET_CODEC_REGEX_H
#define KELLET_CODEC_REGEX_H

#include "base/err.h"
#include "base/str.h"

struct regex;
enum regex_flags {
    REGEX_UTF = 1, /* subject and pattern are UTF-8 (invalid subjects do not match) */
    REGEX_CASELESS = 2,
    REGEX_ANCHORED = 4, /* Python's match(): from the beginning of the subject */
    REGEX_FULL = 8,     /* Python's fullmatch() */
    REGEX_LINES = 16,   /* made ready for regex_lines() in much text */
};
/* ERR_USAGE with the reason and the position; ERR_LIMIT for a pattern that is too large. */
int regex_compile(str pattern, unsigned flags, struct regex **out, struct err *e);
void regex_free(struct regex *r);
/* 1: matches, 0: does not, ERR_LIMIT: it took too many steps. */
int regex_match(const struct regex *r, str subject, struct err *e);
/* Calls fn with the number, from 0, of each line of the text ("\n" ends one) that matches on its
 * own, until it returns false. A line that took too many steps does not match. */
void regex_lines(const struct regex *r, str text, bool (*fn)(void *ctx, uint32_t line), void *ctx);
/* The same as regex_match() with the place of the match. */
int regex_search(const struct regex *r, str subject, size_t from, size_t *start, size_t *end,
                 struct err *e);

#endif
