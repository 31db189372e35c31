/* semver.c - reading and ordering for all of semver.h, and the scheme semver itself. */
#include "version/digits.h"
#include "version/schemes.h"
#include "version/semver.h"

static bool semver_identifier_char(char c)
{
    return ke_isalnum(c) || c == '-';
}

static bool semver_leading_zero(str s)
{
    return s.n > 1 && *s.p == '0';
}

static str semver_prefix(str v, enum semver_dialect dialect, unsigned *notes)
{
    size_t letters = 0, at = 0;
    str bare = str_trim(v);
    if (bare.n != v.n && dialect != SEMVER_NPM)
        *notes |= SEMVER_LOOSE_PREFIX;
    v = bare;
    if (v.n && *v.p == 'V' && dialect == SEMVER) {
        *notes |= SEMVER_LOOSE_PREFIX;
        v = str_from(v, 1);
    }
    for (; at < v.n && (v.p[at] == 'v' || v.p[at] == '=' || ke_isspace(v.p[at])); at++) {
        letters += v.p[at] == 'v';
        if (v.p[at] != 'v')
            *notes |= SEMVER_LOOSE_PREFIX;
    }
    if (letters)
        *notes |= letters > 1 ? SEMVER_LOOSE_PREFIX : SEMVER_PREFIX;
    if (dialect == SEMVER_GO && !at && str_starts(v, STR("go"))) {
        *notes |= SEMVER_GO_TAG;
        at = 2;
    }
    return str_from(v, at);
}

/* node-semver's loose expression gives the patch's last digit to the pre-release when that is the
 * only way to read on: 1.2.34.5 is 1.2.3-4.5. */
static bool semver_npm_splits(str v, size_t at, str patch)
{
    return patch.n > 1 && at + 1 < v.n && v.p[at] == '.' && semver_identifier_char(v.p[at + 1]);
}

static str semver_core(str v, enum semver_dialect dialect, struct semver *out)
{
    size_t at = 0;
    for (;;) {
        str run = digits_run(str_from(v, at));
        if (!run.n)
            break;
        out->components++;
        out->notes |= semver_leading_zero(run) ? SEMVER_ZERO : 0;
        at += run.n;
        if (dialect == SEMVER_NPM && out->components == 3 && semver_npm_splits(v, at, run)) {
            at--;
            break;
        }
        if (at + 1 >= v.n || v.p[at] != '.' || !ke_isdigit(v.p[at + 1]))
            break;
        at++;
    }
    out->core = str_sub(v, 0, at);
    return str_from(v, at);
}

/* The dot-separated identifiers at the start of v. */
static str semver_identifiers(str v, bool numbers_matter, unsigned *notes)
{
    size_t at = 0, start = 0;
    bool digits = true;
    for (;; at++) {
        if (at < v.n && semver_identifier_char(v.p[at])) {
            digits &= ke_isdigit(v.p[at]);
            continue;
        }
        if (at == start)
            *notes |= SEMVER_EMPTY_IDENTIFIER;
        else if (digits && numbers_matter && semver_leading_zero(str_sub(v, start, at)))
            *notes |= SEMVER_PRE_ZERO;
        if (at >= v.n || v.p[at] != '.')
            return str_sub(v, 0, at);
        start = at + 1;
        digits = true;
    }
}

/* Does s begin with a word that everyone uses before a release? Behind other letters and no hyphen
 * comes something later: OpenSSL's 1.0.1k is not before 1.0.1. */
static bool semver_pre_word(str s)
{
    static const str words[] = {STR_INIT("alpha"), STR_INIT("beta"), STR_INIT("rc"),
                                STR_INIT("pre"), STR_INIT("dev")};
    size_t n = 0;
    while (n < s.n && ke_isalpha(s.p[n]))
        n++;
    for (size_t i = 0; i < KE_ARRAY_LEN(words); i++)
        if (str_eq_nocase(str_sub(s, 0, n), words[i]))
            return true;
    return false;
}

static str semver_pre(str v, enum semver_dialect dialect, struct semver *out)
{
    bool hyphen = v.n && *v.p == '-';
    if ((out->notes & SEMVER_GO_TAG) && v.n && ke_isalpha(*v.p)) {
        size_t n = 0;
        while (n < v.n && ke_isalpha(v.p[n]))
            n++;
        out->has_pre = true;
        out->pre = str_sub(v, 0, n);
        out->pre_number = digits_run(str_from(v, n));
        return str_from(v, n + out->pre_number.n);
    }
    if (!hyphen && dialect == SEMVER_NPM && (!v.n || !ke_isalnum(*v.p)))
        return v;
    if (!hyphen && dialect != SEMVER_NPM) {
        size_t dot = v.n && *v.p == '.';
        if (dialect == SEMVER_GO || !semver_pre_word(str_from(v, dot)))
            return v;
        v = str_from(v, dot);
    }
    /* node-semver: the hyphen is optional, so one with no identifier behind it is itself one */
    if (hyphen && (dialect != SEMVER_NPM || (v.n > 1 && semver_identifier_char(v.p[1]))))
        v = str_from(v, 1);
    out->notes |= hyphen ? 0 : SEMVER_NO_HYPHEN;
    out->has_pre = true;
    out->pre = semver_identifiers(v, true, &out->notes);
    return str_from(v, out->pre.n);
}

void semver_read(str v, enum semver_dialect dialect, struct semver *out)
{
    *out = (struct semver){0};
    v = semver_prefix(v, dialect, &out->notes);
    v = semver_core(v, dialect, out);
    if (out->components) {
        v = semver_pre(v, dialect, out);
        while (v.n && *v.p == '+') {
            out->notes |= out->has_build ? SEMVER_TWO_BUILDS : 0;
            str build = semver_identifiers(str_from(v, 1), false, &out->notes);
            if (!out->has_build)
                out->build = build;
            out->has_build = true;
            v = str_from(v, 1 + build.n);
        }
    }
    out->rest = v;
}

static int semver_compare_core(str a, str b)
{
    while (a.n || b.n) {
        int order = digits_compare(str_split(&a, '.'), str_split(&b, '.'));
        if (order)
            return order;
    }
    return 0;
}

static int semver_compare_identifier(enum semver_dialect dialect, str a, str b)
{
    bool x = a.n && digits_run(a).n == a.n, y = b.n && digits_run(b).n == b.n;
    if (x != y)
        return x ? -1 : 1;
    if (x)
        return digits_compare(a, b);
    return dialect == SEMVER_NUGET ? text_compare_nocase(a, b) : str_cmp(a, b);
}

/* Identifiers with dots between them, and one more that stands by itself. */
struct semver_list {
    str rest, last;
};

/* Takes the next identifier; false at the end. */
static bool semver_next(struct semver_list *list, str *out)
{
    if (!list->rest.p) {
        *out = list->last;
        list->last = (str){NULL, 0};
        return out->n > 0;
    }
    ptrdiff_t dot = str_index(list->rest, '.');
    *out = dot < 0 ? list->rest : str_sub(list->rest, 0, (size_t)dot);
    list->rest = dot < 0 ? (str){NULL, 0} : str_from(list->rest, (size_t)dot + 1);
    return true;
}

static int semver_compare_list(enum semver_dialect dialect, struct semver_list a,
                               struct semver_list b)
{
    for (;;) {
        str x, y;
        bool more_a = semver_next(&a, &x), more_b = semver_next(&b, &y);
        if (!more_a || !more_b)
            return more_a - more_b;
        int order = semver_compare_identifier(dialect, x, y);
        if (order)
            return order;
    }
}

static struct semver_list semver_pre_list(const struct semver *v)
{
    return (struct semver_list){v->pre, v->pre_number};
}

int semver_compare_as(enum semver_dialect dialect, str a, str b)
{
    struct semver x, y;
    semver_read(a, dialect, &x);
    semver_read(b, dialect, &y);
    int order = semver_compare_core(x.core, y.core);
    if (!order)
        order = y.has_pre - x.has_pre;
    if (!order)
        order = semver_compare_list(dialect, semver_pre_list(&x), semver_pre_list(&y));
    if (!order && dialect == SEMVER_PUB)
        order = semver_compare_list(dialect, (struct semver_list){.rest = x.build},
                                    (struct semver_list){.rest = y.build});
    return order ? order : natural_compare(x.rest, y.rest);
}

static void semver_key_list(enum semver_dialect dialect, struct semver_list list, struct buf *out)
{
    for (str id; semver_next(&list, &id);) {
        bool number = id.n && digits_run(id).n == id.n;
        buf_add_char(out, number ? 1 : 2);
        if (number)
            key_number(out, id);
        else if (dialect != SEMVER_NUGET)
            key_text(out, id);
        for (size_t i = 0; i < id.n && !number && dialect == SEMVER_NUGET; i++)
            buf_add_char(out, ke_tolower(id.p[i]));
        if (!number && dialect == SEMVER_NUGET)
            buf_add_char(out, 0);
    }
    buf_add_char(out, 0);
}

bool semver_key_as(enum semver_dialect dialect, str v, struct buf *out)
{
    struct semver s;
    semver_read(v, dialect, &s);
    if (!key_release(out, s.core))
        return false;
    buf_add_char(out, s.has_pre ? 1 : 2);
    if (s.has_pre)
        semver_key_list(dialect, semver_pre_list(&s), out);
    if (dialect == SEMVER_PUB)
        semver_key_list(dialect, (struct semver_list){.rest = s.build}, out);
    key_natural(out, s.rest);
    return buf_ok(out);
}

bool semver_readable(enum semver_dialect dialect, str v)
{
    struct semver s;
    semver_read(v, dialect, &s);
    while (s.rest.n && ke_isalpha(*s.rest.p))
        s.rest = str_from(s.rest, 1);
    return !s.rest.n && s.components && !(s.notes & SEMVER_EMPTY_IDENTIFIER);
}

SEMVER_SCHEME(semver, SEMVER)

static bool semver_valid(str v)
{
    struct semver s;
    semver_read(v, SEMVER, &s);
    return !s.rest.n && s.components == 3 && !(s.notes & ~(unsigned)SEMVER_PREFIX);
}

static bool semver_comparable(str a, str b)
{
    return semver_readable(SEMVER, a) && semver_readable(SEMVER, b);
}

const struct version_ops version_semver = {
    .name = "semver",
    .valid = semver_valid,
    .compare = semver_compare,
    .key = semver_key,
    .comparable = semver_comparable,
};
