/* apk.c - Alpine versions, as apk-tools 3 orders them: digits{.digits}[letter]{_suffix[number]}
 * [~hash][-rNumber].
 *
 * apk-tools stops at the first token that it cannot read and calls two versions equal that agree up
 * to there. Real databases hold such versions (openssh 6.0.2p1-r3), so here a number may follow the
 * letter, and what cannot be read at all is ordered naturally, then by its bytes: two different
 * texts of that sort are never equal. One exception, for which the tool's answer is kept: a second
 * dash after the release number ("1-r0-x") counts as such, what follows it does not. */
#include "version/digits.h"
#include "version/schemes.h"

/* In their order at one place of a version; the values are the first bytes of keys too. */
enum apk_kind {
    APK_ALPHA = 1,
    APK_BETA,
    APK_PRE,
    APK_RC,
    APK_UNREADABLE,
    APK_END,
    APK_RELEASE,
    APK_HASH,
    APK_SUFFIX_NUMBER,
    APK_CVS,
    APK_SVN,
    APK_GIT,
    APK_HG,
    APK_P,
    APK_LETTER,
    APK_LETTER_NUMBER, /* not apk-tools' */
    APK_COMPONENT_ZERO,
    APK_COMPONENT,
    APK_FIRST,
};

struct apk_token {
    enum apk_kind kind;
    str text;
};

struct apk_reader {
    str rest;
    enum apk_kind last; /* 0 at the start */
    bool extended;      /* a token was read that apk-tools refuses */
};

static bool apk_is_suffix(enum apk_kind k)
{
    return k <= APK_RC || (k >= APK_CVS && k <= APK_P);
}

static bool apk_after_numbers(const struct apk_reader *r)
{
    return r->last == APK_FIRST || r->last == APK_COMPONENT || r->last == APK_COMPONENT_ZERO;
}

/* May a suffix come next? */
static bool apk_before_hash(const struct apk_reader *r)
{
    return r->last == APK_SUFFIX_NUMBER || r->last >= APK_LETTER ||
           (r->last && apk_is_suffix(r->last));
}

static str apk_letters(str s)
{
    size_t n = 0;
    while (n < s.n && s.p[n] >= 'a' && s.p[n] <= 'z')
        n++;
    return str_sub(s, 0, n);
}

static enum apk_kind apk_suffix(str word)
{
    static const struct {
        str word;
        enum apk_kind kind;
    } suffixes[] = {
        {STR_INIT("alpha"), APK_ALPHA}, {STR_INIT("beta"), APK_BETA}, {STR_INIT("pre"), APK_PRE},
        {STR_INIT("rc"), APK_RC},       {STR_INIT("cvs"), APK_CVS},   {STR_INIT("svn"), APK_SVN},
        {STR_INIT("git"), APK_GIT},     {STR_INIT("hg"), APK_HG},     {STR_INIT("p"), APK_P},
    };
    for (size_t i = 0; i < KE_ARRAY_LEN(suffixes); i++)
        if (str_eq(word, suffixes[i].word))
            return suffixes[i].kind;
    return APK_UNREADABLE;
}

static str apk_hash(str s)
{
    size_t n = 0;
    while (n < s.n && (ke_isdigit(s.p[n]) || (s.p[n] >= 'a' && s.p[n] <= 'f')))
        n++;
    return str_sub(s, 0, n);
}

/* A token that starts with a digit, after `skip` bytes; kind APK_UNREADABLE when none may. */
static struct apk_token apk_number(const struct apk_reader *r, size_t skip)
{
    struct apk_token t = {APK_UNREADABLE, digits_run(str_from(r->rest, skip))};
    if (!t.text.n)
        return t;
    if (!r->last)
        t.kind = APK_FIRST;
    else if (apk_after_numbers(r))
        t.kind = *t.text.p == '0' ? APK_COMPONENT_ZERO : APK_COMPONENT;
    else if (apk_is_suffix(r->last) && !skip)
        t.kind = APK_SUFFIX_NUMBER;
    else if (r->last == APK_LETTER && !skip)
        t.kind = APK_LETTER_NUMBER;
    return t;
}

static struct apk_token apk_read(const struct apk_reader *r)
{
    struct apk_token t = {APK_UNREADABLE, {NULL, 0}};
    char c = *r->rest.p;
    if (ke_isdigit(c))
        return apk_number(r, 0);
    if (!r->last)
        return t;
    if (c == '.') {
        return apk_after_numbers(r) ? apk_number(r, 1) : t;
    } else if (c >= 'a' && c <= 'z') {
        if (apk_after_numbers(r))
            t = (struct apk_token){APK_LETTER, str_sub(r->rest, 0, 1)};
    } else if (c == '_') {
        t.text = apk_letters(str_from(r->rest, 1));
        if (apk_before_hash(r))
            t.kind = apk_suffix(t.text);
    } else if (c == '~') {
        t.text = apk_hash(str_from(r->rest, 1));
        if (t.text.n && apk_before_hash(r))
            t.kind = APK_HASH;
    } else if (str_starts(r->rest, STR("-r"))) {
        t.text = digits_run(str_from(r->rest, 2));
        if (t.text.n && r->last != APK_RELEASE)
            t.kind = APK_RELEASE;
    }
    return t;
}

/* Takes the next token; for an unreadable one its text is all that is left. */
static struct apk_token apk_next(struct apk_reader *r)
{
    struct apk_token t = {APK_END, {NULL, 0}};
    if (r->last && !r->rest.n)
        return t;
    t = r->rest.n ? apk_read(r) : (struct apk_token){APK_UNREADABLE, {NULL, 0}};
    if (t.kind == APK_UNREADABLE) {
        t.text = r->rest;
        if (r->last == APK_RELEASE && str_starts(t.text, STR("-")))
            t.text.n = 1;
        else
            r->extended = true;
        return t;
    }
    r->extended |= t.kind == APK_LETTER_NUMBER;
    r->rest = str_from(r->rest, (size_t)(t.text.p + t.text.n - r->rest.p));
    r->last = t.kind;
    return t;
}

static int apk_compare_token(struct apk_token a, struct apk_token b)
{
    switch (a.kind) {
    case APK_FIRST:
    case APK_COMPONENT:
    case APK_LETTER_NUMBER:
    case APK_SUFFIX_NUMBER:
    case APK_RELEASE:
        return digits_compare(a.text, b.text);
    case APK_LETTER:
    case APK_COMPONENT_ZERO:
    case APK_HASH:
        return str_cmp(a.text, b.text);
    case APK_UNREADABLE:
        return natural_compare(a.text, b.text);
    default:
        return 0;
    }
}

static int apk_compare(str a, str b)
{
    struct apk_reader x = {.rest = a}, y = {.rest = b};
    for (;;) {
        struct apk_token s = apk_next(&x), t = apk_next(&y);
        if (s.kind != t.kind)
            return s.kind < t.kind ? -1 : 1;
        int order = apk_compare_token(s, t);
        if (order)
            return order < 0 ? -1 : 1;
        if (s.kind == APK_END || s.kind == APK_UNREADABLE)
            return x.extended && y.extended ? str_cmp(a, b) : x.extended - y.extended;
    }
}

static bool apk_key(str v, struct buf *out)
{
    struct apk_reader r = {.rest = v};
    for (;;) {
        struct apk_token t = apk_next(&r);
        buf_add_char(out, (char)t.kind);
        switch (t.kind) {
        case APK_FIRST:
        case APK_COMPONENT:
        case APK_LETTER_NUMBER:
        case APK_SUFFIX_NUMBER:
        case APK_RELEASE:
            key_number(out, t.text);
            break;
        case APK_LETTER:
        case APK_COMPONENT_ZERO:
        case APK_HASH:
            key_text(out, t.text);
            break;
        case APK_UNREADABLE:
            key_natural(out, t.text);
            break;
        default:
            break;
        }
        if (t.kind == APK_END || t.kind == APK_UNREADABLE)
            break;
    }
    if (r.extended)
        buf_add_str(out, v);
    return buf_ok(out);
}

static bool apk_valid(str v)
{
    struct apk_reader r = {.rest = v};
    struct apk_token t;
    do
        t = apk_next(&r);
    while (t.kind != APK_END && t.kind != APK_UNREADABLE);
    return t.kind == APK_END && !r.extended;
}

static bool apk_readable(str v)
{
    struct apk_reader r = {.rest = v};
    struct apk_token t;
    do
        t = apk_next(&r);
    while (t.kind != APK_END && t.kind != APK_UNREADABLE);
    if (t.kind == APK_END || !r.last)
        return t.kind == APK_END;
    char first = *r.rest.p, second = r.rest.n > 1 ? r.rest.p[1] : '\0';
    if (first == '-')
        return r.last == APK_RELEASE && ke_isalnum(second);
    if (first == '.')
        return apk_after_numbers(&r) && ke_isalpha(second);
    if (first == '_')
        return apk_before_hash(&r) && ke_isalpha(second);
    return first >= 'A' && first <= 'Z' && apk_after_numbers(&r);
}

static bool apk_has_digit(str v)
{
    for (size_t i = 0; i < v.n; i++)
        if (ke_isdigit(v.p[i]))
            return true;
    return false;
}

static bool apk_comparable(str a, str b)
{
    if (apk_readable(a) && apk_readable(b))
        return true;
    return a.n && !apk_has_digit(a) && str_eq(a, b);
}

const struct version_ops version_apk = {
    .name = "apk",
    .valid = apk_valid,
    .compare = apk_compare,
    .key = apk_key,
    .comparable = apk_comparable,
};
