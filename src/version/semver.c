/* semver.c - Semantic Versioning 2.0.0, and its dialects of npm and Go.
 *
 * One lenient reader for the three (any number of numeric components, missing ones are 0) notes
 * what it met; each dialect then judges what is valid. What cannot be read comes last and is
 * ordered naturally. */
#include "version/digits.h"
#include "version/schemes.h"

enum semver_dialect { SEMVER, SEMVER_NPM, SEMVER_GO };

enum semver_note {
    SEMVER_PREFIX = 1,            /* "v" */
    SEMVER_LOOSE_PREFIX = 2,      /* "=", or blanks, or more than one letter */
    SEMVER_ZERO = 4,              /* leading zero in a component */
    SEMVER_PRE_ZERO = 8,          /* ... or in a numeric identifier */
    SEMVER_EMPTY_IDENTIFIER = 16, /* in the pre-release or build */
    SEMVER_NO_HYPHEN = 32,        /* 1.2.3beta */
    SEMVER_GO_TAG = 64,           /* go1.22rc1 */
    SEMVER_TWO_BUILDS = 128,      /* 1.2.3+a+b */
};

struct semver {
    str core, pre, rest;
    str pre_number; /* of a Go tag: the 1 of rc1 */
    unsigned components, notes;
    bool has_pre, has_build;
};

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
    if (!hyphen && (dialect == SEMVER_GO || !v.n || !ke_isalnum(*v.p)))
        return v;
    /* node-semver: the hyphen is optional, so one with no identifier behind it is itself one */
    if (hyphen && (dialect != SEMVER_NPM || (v.n > 1 && semver_identifier_char(v.p[1]))))
        v = str_from(v, 1);
    out->notes |= hyphen ? 0 : SEMVER_NO_HYPHEN;
    out->has_pre = true;
    out->pre = semver_identifiers(v, true, &out->notes);
    return str_from(v, out->pre.n);
}

static void semver_read(str v, enum semver_dialect dialect, struct semver *out)
{
    *out = (struct semver){0};
    v = semver_prefix(v, dialect, &out->notes);
    v = semver_core(v, dialect, out);
    if (out->components) {
        v = semver_pre(v, dialect, out);
        while (v.n && *v.p == '+') {
            out->notes |= out->has_build ? SEMVER_TWO_BUILDS : 0;
            out->has_build = true;
            v = str_from(v, 1);
            v = str_from(v, semver_identifiers(v, false, &out->notes).n);
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

static int semver_compare_identifier(str a, str b)
{
    bool x = a.n && digits_run(a).n == a.n, y = b.n && digits_run(b).n == b.n;
    if (x != y)
        return x ? -1 : 1;
    return x ? digits_compare(a, b) : str_cmp(a, b);
}

/* Takes the next identifier; false at the end. */
static bool semver_next(struct semver *v, str *out)
{
    if (v->pre.p) {
        ptrdiff_t dot = str_index(v->pre, '.');
        *out = dot < 0 ? v->pre : str_sub(v->pre, 0, (size_t)dot);
        v->pre = dot < 0 ? (str){NULL, 0} : str_from(v->pre, (size_t)dot + 1);
        return true;
    }
    *out = v->pre_number;
    v->pre_number = (str){NULL, 0};
    return out->n > 0;
}

static int semver_compare_pre(struct semver *a, struct semver *b)
{
    if (!a->has_pre || !b->has_pre)
        return b->has_pre - a->has_pre;
    for (;;) {
        str x, y;
        bool more_a = semver_next(a, &x), more_b = semver_next(b, &y);
        if (!more_a || !more_b)
            return more_a - more_b;
        int order = semver_compare_identifier(x, y);
        if (order)
            return order;
    }
}

static int semver_compare_as(enum semver_dialect dialect, str a, str b)
{
    struct semver x, y;
    semver_read(a, dialect, &x);
    semver_read(b, dialect, &y);
    int order = semver_compare_core(x.core, y.core);
    if (!order)
        order = semver_compare_pre(&x, &y);
    return order ? order : natural_compare(x.rest, y.rest);
}

static bool semver_key_as(enum semver_dialect dialect, str v, struct buf *out)
{
    struct semver s;
    semver_read(v, dialect, &s);
    size_t used = out->n;
    for (str rest = s.core; rest.n;) {
        str component = str_split(&rest, '.');
        key_number(out, component);
        if (!digits_zero(component))
            used = out->n;
    }
    if (!buf_ok(out))
        return false;
    out->n = used; /* trailing zeros */
    buf_add_char(out, 0);
    buf_add_char(out, s.has_pre ? 1 : 2);
    for (str id; s.has_pre && semver_next(&s, &id);) {
        bool number = id.n && digits_run(id).n == id.n;
        buf_add_char(out, number ? 1 : 2);
        if (number)
            key_number(out, id);
        else
            key_text(out, id);
    }
    if (s.has_pre)
        buf_add_char(out, 0);
    key_natural(out, s.rest);
    return buf_ok(out);
}

static int semver_compare(str a, str b)
{
    return semver_compare_as(SEMVER, a, b);
}

static bool semver_key(str v, struct buf *out)
{
    return semver_key_as(SEMVER, v, out);
}

static bool semver_valid(str v)
{
    struct semver s;
    semver_read(v, SEMVER, &s);
    return !s.rest.n && s.components == 3 && !(s.notes & ~(unsigned)SEMVER_PREFIX);
}

static bool semver_readable(str v)
{
    struct semver s;
    semver_read(v, SEMVER, &s);
    return !s.rest.n && s.components && !(s.notes & SEMVER_EMPTY_IDENTIFIER);
}

static bool semver_comparable(str a, str b)
{
    return semver_readable(a) && semver_readable(b);
}

const struct version_ops version_semver = {
    .name = "semver",
    .valid = semver_valid,
    .compare = semver_compare,
    .key = semver_key,
    .comparable = semver_comparable,
};

static int npm_compare(str a, str b)
{
    return semver_compare_as(SEMVER_NPM, a, b);
}

static bool npm_key(str v, struct buf *out)
{
    return semver_key_as(SEMVER_NPM, v, out);
}

/* node-semver's own limits: 256 characters, components up to 2^53 - 1. */
static bool npm_valid(str v)
{
    struct semver s;
    semver_read(v, SEMVER_NPM, &s);
    if (v.n > 256 || s.rest.n || s.components != 3 || (s.notes & SEMVER_EMPTY_IDENTIFIER) ||
        (s.notes & SEMVER_TWO_BUILDS))
        return false;
    for (str rest = s.core; rest.n;)
        if (digits_compare(str_split(&rest, '.'), STR("9007199254740991")) > 0)
            return false;
    return true;
}

const struct version_ops version_npm = {
    .name = "npm",
    .valid = npm_valid,
    .compare = npm_compare,
    .key = npm_key,
};

static int golang_compare(str a, str b)
{
    return semver_compare_as(SEMVER_GO, a, b);
}

static bool golang_key(str v, struct buf *out)
{
    return semver_key_as(SEMVER_GO, v, out);
}

static bool golang_valid(str v)
{
    struct semver s;
    semver_read(v, SEMVER_GO, &s);
    bool short_form = s.components < 3 && !s.pre_number.n;
    return !s.rest.n && s.components && s.components <= 3 && !(short_form && s.has_pre) &&
           !(s.components < 3 && s.has_build) &&
           !(s.notes & ~(unsigned)(SEMVER_PREFIX | SEMVER_GO_TAG));
}

const struct version_ops version_golang = {
    .name = "golang",
    .valid = golang_valid,
    .compare = golang_compare,
    .key = golang_key,
};
