#include "codec/regex.h"

#include "base/auto.h"
#include "codec/regex_python.h"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>
#include <pthread.h>
#include <stdlib.h>

enum { PATTERN_MAX = 64 << 10, MATCH_STEPS = 1000000, DEPTH = 1000, HEAP_KIB = 8192 };

struct regex {
    pcre2_code *code;
    pcre2_match_context *limits;
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
    *out = r;
    return 0;
}

void regex_free(struct regex *r)
{
    if (!r)
        return;
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
