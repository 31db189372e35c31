#include "codec/regex.h"

#include "base/auto.h"
#include "codec/regex_needle.h"
#include "codec/regex_python.h"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <ctype.h>
#include <pcre2.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

enum { PATTERN_MAX = 64 << 10, MATCH_STEPS = 1000000, DEPTH = 1000, HEAP_KIB = 8192 };

struct regex {
    pcre2_code *code;
    pcre2_match_context *limits;
    struct regex *needle; /* finds what every match has in it; NULL: not known */
};

static uint32_t regex_options(unsigned flags, bool ascii)
{
    uint32_t o = PCRE2_NEVER_BACKSLASH_C;
    if (flags & REGEX_UTF)
        o |= PCRE2_UTF | PCRE2_MATCH_INVALID_UTF | (ascii ? 0 : PCRE2_UCP);
    if (flags & REGEX_CASELESS)
        o |= PCRE2_CASELESS;
    if (flags & (REGEX_ANCHORED | REGEX_FULL))
        o |= PCRE2_ANCHORED;
    if (flags & REGEX_FULL)
        o |= PCRE2_ENDANCHORED;
    return o;
}

/* Without it lines are only found more slowly. */
static void needle_make(struct regex *r, str pattern)
{
    auto_buf text, quoted;
    buf_init(&text, PATTERN_MAX);
    buf_init(&quoted, 2 * PATTERN_MAX);
    if (!regex_needle(pattern, &text))
        return;
    for (size_t i = 0; i < text.n; i++) {
        if (!isalnum((unsigned char)text.p[i]) && (unsigned char)text.p[i] < 0x80)
            buf_add_char(&quoted, '\\');
        buf_add_char(&quoted, text.p[i]);
    }
    if (buf_ok(&quoted))
        regex_compile(buf_view(&quoted), REGEX_CASELESS, &r->needle, NULL);
}

int regex_compile(str pattern, unsigned flags, struct regex **out, struct err *e)
{
    int code;
    PCRE2_SIZE at;
    if (pattern.n > PATTERN_MAX)
        return err_set(e, ERR_LIMIT, "a regular expression of %zu bytes is too large", pattern.n);
    struct regex *r = calloc(1, sizeof *r);
    if (!r)
        return err_no_memory(e);
    bool ascii;
    auto_buf own;
    buf_init(&own, 8 * PATTERN_MAX);
    regex_from_python(pattern, &own, &ascii);
    uint32_t options = regex_options(flags, ascii);
    r->code = pcre2_compile((PCRE2_SPTR)(own.p ? own.p : ""), own.n, options, &code, &at, NULL);
    if (!r->code) {
        PCRE2_UCHAR text[200];
        pcre2_get_error_message(code, text, sizeof text);
        free(r);
        return err_set(e, ERR_USAGE, "\"%.*s\" is no regular expression: %s at position %zu",
                       STR_ARG(pattern), (const char *)text, (size_t)at);
    }
    pcre2_jit_compile(r->code, PCRE2_JIT_COMPLETE); /* without it matching is only slower */
    r->limits = pcre2_match_context_create(NULL);
    if (!r->limits) {
        regex_free(r);
        return err_no_memory(e);
    }
    pcre2_set_match_limit(r->limits, MATCH_STEPS);
    pcre2_set_depth_limit(r->limits, DEPTH);
    pcre2_set_heap_limit(r->limits, HEAP_KIB);
    if (flags & REGEX_LINES && !(flags & REGEX_UTF))
        needle_make(r, pattern);
    *out = r;
    return 0;
}

void regex_free(struct regex *r)
{
    if (!r)
        return;
    regex_free(r->needle);
    pcre2_match_context_free(r->limits);
    pcre2_code_free(r->code);
    free(r);
}

/* One block for the groups' places for each thread: lines are matched by the million. */
static pthread_key_t data_key;
static pthread_once_t data_once = PTHREAD_ONCE_INIT;

static void data_free(void *p)
{
    pcre2_match_data_free(p);
}

static void data_key_make(void)
{
    pthread_key_create(&data_key, data_free);
}

static pcre2_match_data *thread_data(void)
{
    pthread_once(&data_once, data_key_make);
    pcre2_match_data *d = pthread_getspecific(data_key);
    if (!d) {
        d = pcre2_match_data_create(1, NULL);
        if (d && pthread_setspecific(data_key, d) != 0) {
            pcre2_match_data_free(d);
            d = NULL;
        }
    }
    return d;
}

int regex_search(const struct regex *r, str subject, size_t from, size_t *start, size_t *end,
                 struct err *e)
{
    pcre2_match_data *d = thread_data();
    if (!d)
        return err_no_memory(e);
    int n = pcre2_match(r->code, (PCRE2_SPTR)(subject.p ? subject.p : ""), subject.n, from, 0, d,
                        r->limits);
    if (n == PCRE2_ERROR_NOMATCH)
        return 0;
    if (n < 0 && n != PCRE2_ERROR_MATCHLIMIT && n != PCRE2_ERROR_DEPTHLIMIT &&
        n != PCRE2_ERROR_HEAPLIMIT && n != PCRE2_ERROR_JIT_STACKLIMIT)
        return 0; /* a subject that is no UTF-8 */
    if (n < 0)
        return err_set(e, ERR_LIMIT, "a regular expression took too many steps");
    const PCRE2_SIZE *at = pcre2_get_ovector_pointer(d);
    *start = at[0];
    *end = at[1];
    return 1;
}

int regex_match(const struct regex *r, str subject, struct err *e)
{
    size_t start, end;
    return regex_search(r, subject, 0, &start, &end, e);
}

/* Where the next line begins that may match, from a line's beginning on; text.n: nowhere. */
static size_t next_candidate(const struct regex *r, str text, size_t from)
{
    size_t start, end;
    if (!r->needle)
        return from;
    int found = regex_search(r->needle, text, from, &start, &end, NULL);
    if (found <= 0)
        return found < 0 ? from : text.n;
    const char *newline = memrchr(text.p + from, '\n', start - from);
    return newline ? (size_t)(newline + 1 - text.p) : from;
}

void regex_lines(const struct regex *r, str text, bool (*fn)(void *ctx, uint32_t line), void *ctx)
{
    uint32_t number = 0;
    for (size_t at = 0; at < text.n;) {
        size_t line = next_candidate(r, text, at);
        if (line == text.n)
            return;
        for (; at < line; number++)
            at += (size_t)str_index(str_from(text, at), '\n') + 1;
        ptrdiff_t n = str_index(str_from(text, at), '\n');
        size_t end = n < 0 ? text.n : at + (size_t)n;
        if (regex_match(r, str_sub(text, at, end), NULL) == 1 && !fn(ctx, number))
            return;
        at = end + 1;
        number++;
    }
}
