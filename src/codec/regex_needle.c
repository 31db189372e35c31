#include "codec/regex_needle.h"

#include <ctype.h>
#include <string.h>

struct reader {
    str rest;
    struct buf run; /* literal text that stands together */
    struct buf *best;
};

static void run_end(struct reader *r)
{
    if (r->run.n > r->best->n) {
        buf_clear(r->best);
        buf_add_str(r->best, buf_view(&r->run));
    }
    buf_clear(&r->run);
}

static char peek(const struct reader *r)
{
    return r->rest.n ? r->rest.p[0] : '\0';
}

static void skip(struct reader *r, size_t n)
{
    r->rest = str_from(r->rest, n < r->rest.n ? n : r->rest.n);
}

/* [...]; the first ] may be one of the set. */
static bool skip_set(struct reader *r)
{
    skip(r, 1);
    if (peek(r) == '^')
        skip(r, 1);
    for (bool first = true; r->rest.n; first = false) {
        char c = peek(r);
        skip(r, c == '\\' ? 2 : 1);
        if (c == ']' && !first)
            return true;
    }
    return false;
}

/* (?x) lets blanks and comments stand anywhere; (?#...) ends at the first bracket. */
static bool is_odd_group(str s)
{
    if (!str_starts(s, STR("(?")))
        return false;
    s = str_from(s, 2);
    if (str_starts(s, STR("#")))
        return true;
    while (s.n && (isalpha((unsigned char)s.p[0]) || s.p[0] == '-')) {
        if (s.p[0] == 'x')
            return true;
        s = str_from(s, 1);
    }
    return false;
}

static bool skip_group(struct reader *r)
{
    size_t depth = 0;
    while (r->rest.n) {
        char c = peek(r);
        if (c == '[') {
            if (!skip_set(r))
                return false;
            continue;
        }
        if (c == '(' && is_odd_group(r->rest))
            return false;
        depth += c == '(';
        skip(r, c == '\\' ? 2 : 1);
        if (c == ')' && --depth == 0)
            return true;
    }
    return false;
}

/* The length of {3}, {3,}, {,3} or {3,4}; 0: the bracket is an ordinary character. */
static size_t braces(str s)
{
    size_t i = 1;
    while (i < s.n && isdigit((unsigned char)s.p[i]))
        i++;
    if (i < s.n && s.p[i] == ',')
        for (i++; i < s.n && isdigit((unsigned char)s.p[i]);)
            i++;
    return i > 1 && i < s.n && s.p[i] == '}' ? i + 1 : 0;
}

/* What repeats the character (or group) before: unless it is "+", that may be missing. */
static void skip_repeats(struct reader *r)
{
    for (;;) {
        char c = peek(r);
        size_t n = c == '*' || c == '?' || c == '+' ? 1 : c == '{' ? braces(r->rest) : 0;
        if (n == 0)
            return;
        if (c != '+' && r->run.n) {
            while (r->run.n && ((unsigned char)r->run.p[r->run.n - 1] & 0xc0) == 0x80)
                r->run.n--;
            r->run.n -= r->run.n > 0;
        }
        run_end(r);
        skip(r, n);
    }
}

/* False: an escape that may take more than one letter, or leads back. */
static bool escape(struct reader *r)
{
    if (r->rest.n < 2)
        return false;
    unsigned char c = (unsigned char)r->rest.p[1];
    if (isalnum(c) && !strchr("AZbBdDsSwWafnrtv", c))
        return false;
    skip(r, 2);
    if (isalnum(c))
        run_end(r);
    else
        buf_add_char(&r->run, (char)c);
    return true;
}

static bool read_all(struct reader *r)
{
    while (r->rest.n) {
        char c = peek(r);
        switch (c) {
        case '|':
        case ')':
            return false;
        case '(':
        case '[':
            run_end(r);
            if (is_odd_group(r->rest) || !(c == '(' ? skip_group(r) : skip_set(r)))
                return false;
            break;
        case '\\':
            if (!escape(r))
                return false;
            break;
        case '.':
        case '^':
        case '$':
            run_end(r);
            skip(r, 1);
            break;
        default:
            buf_add_char(&r->run, c);
            skip(r, 1);
            break;
        }
        /* A character of several bytes is whole before what repeats it. */
        if (((unsigned char)peek(r) & 0xc0) != 0x80)
            skip_repeats(r);
    }
    run_end(r);
    return true;
}

bool regex_needle(str pattern, struct buf *out)
{
    struct reader r = {.rest = pattern, .best = out};
    buf_init(&r.run, pattern.n + 1);
    buf_clear(out);
    bool known = read_all(&r) && buf_ok(out) && buf_ok(&r.run) && out->n >= NEEDLE_MIN;
    buf_done(&r.run);
    if (!known)
        buf_clear(out);
    return known;
}
