#include "policy/spdx.h"

struct spdx_reader {
    struct arena *arena;
    str whole, rest;
    size_t terms;
    int depth;
    struct err *e;
};

static int bad(struct spdx_reader *r, const char *what)
{
    return err_set(r->e, ERR_FORMAT, "\"%.*s\" is no licence expression: %s at position %zu",
                   STR_ARG(str_sub(r->whole, 0, 200)), what, r->whole.n - r->rest.n);
}

static void skip_blanks(struct spdx_reader *r)
{
    while (r->rest.n && ke_isspace(r->rest.p[0]))
        r->rest = str_from(r->rest, 1);
}

static bool word_char(char c)
{
    return ke_isalnum(c) || c == '-' || c == '.' || c == '+' || c == ':';
}

static str peek_word(struct spdx_reader *r)
{
    size_t n = 0;
    skip_blanks(r);
    while (n < r->rest.n && word_char(r->rest.p[n]))
        n++;
    return str_sub(r->rest, 0, n);
}

static bool is_operator(str word)
{
    return str_eq_nocase(word, STR("AND")) || str_eq_nocase(word, STR("OR")) ||
           str_eq_nocase(word, STR("WITH"));
}

static bool take_operator(struct spdx_reader *r, str which)
{
    str word = peek_word(r);
    if (!str_eq_nocase(word, which))
        return false;
    r->rest = str_from(r->rest, word.n);
    return true;
}

static int take_word(struct spdx_reader *r, str *out)
{
    *out = peek_word(r);
    if (!out->n || is_operator(*out))
        return bad(r, "a name is missing");
    r->rest = str_from(r->rest, out->n);
    return 0;
}

static int read_or(struct spdx_reader *r, const struct spdx **out);

static int read_licence(struct spdx_reader *r, const struct spdx **out)
{
    struct spdx *x = arena_new(r->arena, struct spdx);
    if (!x)
        return err_no_memory(r->e);
    if (++r->terms > SPDX_TERMS_MAX)
        return err_set(r->e, ERR_LIMIT, "a licence expression of more than %d licences",
                       SPDX_TERMS_MAX);
    int rc = take_word(r, &x->licence);
    if (!rc && take_operator(r, STR("WITH")))
        rc = take_word(r, &x->exception);
    *out = x;
    return rc;
}

static int read_primary(struct spdx_reader *r, const struct spdx **out)
{
    skip_blanks(r);
    if (!str_starts(r->rest, STR("(")))
        return read_licence(r, out);
    if (++r->depth > SPDX_DEPTH_MAX)
        return err_set(r->e, ERR_LIMIT, "a licence expression of more than %d levels",
                       SPDX_DEPTH_MAX);
    r->rest = str_from(r->rest, 1);
    int rc = read_or(r, out);
    if (rc < 0)
        return rc;
    skip_blanks(r);
    if (!str_starts(r->rest, STR(")")))
        return bad(r, "a bracket is not closed");
    r->rest = str_from(r->rest, 1);
    r->depth--;
    return 0;
}

/* Room for one more part: the arena's lists double. */
static bool grow(struct arena *a, const struct spdx ***parts, size_t n, size_t *cap)
{
    if (n < *cap)
        return true;
    size_t more = *cap ? *cap * 2 : 4;
    const struct spdx **kept = arena_calloc(a, more, sizeof *kept);
    if (!kept)
        return false;
    if (n)
        memcpy(kept, *parts, n * sizeof *kept);
    *parts = kept;
    *cap = more;
    return true;
}

/* One or more operands with the same operator between them. */
static int read_row(struct spdx_reader *r, enum spdx_kind kind, str word,
                    int (*operand)(struct spdx_reader *, const struct spdx **),
                    const struct spdx **out)
{
    const struct spdx **parts = NULL;
    size_t n = 0, cap = 0;
    do {
        if (!grow(r->arena, &parts, n, &cap))
            return err_no_memory(r->e);
        int rc = operand(r, &parts[n++]);
        if (rc < 0)
            return rc;
    } while (take_operator(r, word));
    if (n == 1) {
        *out = parts[0];
        return 0;
    }
    struct spdx *x = arena_new(r->arena, struct spdx);
    if (!x)
        return err_no_memory(r->e);
    *x = (struct spdx){.kind = kind, .parts = parts, .n_parts = n};
    *out = x;
    return 0;
}

static int read_and(struct spdx_reader *r, const struct spdx **out)
{
    return read_row(r, SPDX_AND, STR("AND"), read_primary, out);
}

static int read_or(struct spdx_reader *r, const struct spdx **out)
{
    return read_row(r, SPDX_OR, STR("OR"), read_and, out);
}

int spdx_parse(str text, struct arena *a, const struct spdx **out, struct err *e)
{
    struct spdx_reader r = {.arena = a, .whole = text, .rest = text, .e = e};
    if (text.n > SPDX_BYTES_MAX)
        return err_set(e, ERR_LIMIT, "a licence expression of %zu bytes is too large", text.n);
    int rc = read_or(&r, out);
    if (rc < 0)
        return rc;
    skip_blanks(&r);
    return r.rest.n ? bad(&r, "something follows") : 0;
}

static str next_word(str *rest)
{
    str s = str_trim(*rest);
    size_t n = 0;
    while (n < s.n && !ke_isspace(s.p[n]) && s.p[n] != ',')
        n++;
    *rest = str_from(s, n);
    while (rest->n && (ke_isspace(rest->p[0]) || rest->p[0] == ','))
        *rest = str_from(*rest, 1);
    return str_sub(s, 0, n);
}

/* Words that are no expression together: each of them applies. */
static int words_stated(str text, struct arena *a, const struct spdx **out, struct err *e)
{
    str rest = str_trim(text);
    size_t n = 0, max = 1;
    for (size_t i = 0; i < rest.n; i++)
        max += ke_isspace(rest.p[i]) || rest.p[i] == ',';
    const struct spdx **parts = arena_calloc(a, max, sizeof *parts);
    struct spdx *leaves = parts ? arena_calloc(a, max, sizeof *leaves) : NULL;
    struct spdx *x = leaves ? arena_new(a, struct spdx) : NULL;
    if (!x)
        return err_no_memory(e);
    while (rest.n && n < max) {
        str word = next_word(&rest);
        if (!word.n || is_operator(word))
            continue;
        leaves[n].licence = word;
        parts[n] = &leaves[n];
        n++;
    }
    *x = (struct spdx){.kind = SPDX_AND, .parts = parts, .n_parts = n};
    *out = n ? x : NULL;
    return 0;
}

int spdx_stated(str text, struct arena *a, const struct spdx **out, struct err *e)
{
    struct err ignored;
    *out = NULL;
    if (!str_trim(text).n)
        return 0;
    int rc = spdx_parse(text, a, out, &ignored);
    if (rc == ERR_NO_MEMORY)
        return err_no_memory(e);
    return rc == 0 ? 0 : words_stated(text, a, out, e);
}

bool spdx_fulfilled(const struct spdx *x, bool (*may)(void *ctx, const struct spdx *licence),
                    void *ctx)
{
    if (x->kind == SPDX_LICENCE)
        return may(ctx, x);
    for (size_t i = 0; i < x->n_parts; i++)
        if (spdx_fulfilled(x->parts[i], may, ctx) == (x->kind == SPDX_OR))
            return x->kind == SPDX_OR;
    return x->kind == SPDX_AND;
}

static bool starts_nocase(str s, str prefix)
{
    return s.n >= prefix.n && str_eq_nocase(str_sub(s, 0, prefix.n), prefix);
}
static bool cut_nocase(str *s, str suffix)
{
    if (s->n <= suffix.n || !str_eq_nocase(str_from(*s, s->n - suffix.n), suffix))
        return false;
    *s = str_sub(*s, 0, s->n - suffix.n);
    return true;
}

static bool is_gnu(str s)
{
    return starts_nocase(s, STR("GPL-")) || starts_nocase(s, STR("LGPL-")) ||
           starts_nocase(s, STR("AGPL-")) || starts_nocase(s, STR("GFDL-"));
}

/* Takes "+", "-or-later" and, of the GNU family, "-only" off; true: or later. */
static bool or_later(str *s)
{
    if (cut_nocase(s, STR("-or-later")) || cut_nocase(s, STR("+")))
        return true;
    if (is_gnu(*s))
        cut_nocase(s, STR("-only"));
    return false;
}

str spdx_present_name(str licence, char out[SPDX_NAME_MAX])
{
    str base = licence;
    bool later = or_later(&base);
    if (!is_gnu(licence) || base.n + sizeof "-or-later" > SPDX_NAME_MAX)
        return licence;
    int n =
        snprintf(out, SPDX_NAME_MAX, "%.*s%s", (int)base.n, base.p, later ? "-or-later" : "-only");
    return (str){out, (size_t)n};
}

bool spdx_same_licence(str a, str b)
{
    bool later_a = or_later(&a), later_b = or_later(&b);
    return later_a == later_b && str_eq_nocase(a, b);
}
