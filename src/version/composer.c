/* composer.c - versions of PHP packages, as composer/semver normalises them (VersionParser) and
 * PHP's version_compare orders the result.
 *
 * numbers [stability [numbers]] [dev], where dev < alpha < beta < RC < nothing < a number < patch.
 * Up to four numbers with a first one of at most five digits, missing ones 0 (classical); a date
 * (as many as there are); or a numeric branch (1.x-dev, missing ones 9999999). Named branches
 * (dev-main) have no order but equality: here they sort first. Text that is none of these is
 * ordered by the numbers at its start, then naturally. */
#include "version/digits.h"
#include "version/schemes.h"

/* In their order at one place; the values go into keys. */
enum composer_kind {
    COMPOSER_UNKNOWN = 1, /* "STABLE": an accident of the tool's */
    COMPOSER_DEV,
    COMPOSER_ALPHA,
    COMPOSER_BETA,
    COMPOSER_RC,
    COMPOSER_END,
    COMPOSER_NUMBER,
    COMPOSER_PATCH,
};

struct composer {
    str branch, core, numbers, rest;
    const char *fill; /* for numbers that are missing */
    unsigned given;   /* how many were taken off core */
    enum composer_kind stability;
    bool is_branch, is_dev, is_valid;
};

struct composer_token {
    enum composer_kind kind;
    str text;
};

static bool composer_one_of(char c, const char *set)
{
    return c && strchr(set, c) != NULL;
}

static bool composer_starts(str s, str word)
{
    return str_eq_nocase(str_sub(s, 0, word.n), word);
}

/* ((?:[.-]?\d+)*) */
static str composer_numbers(str s)
{
    size_t at = 0;
    for (;;) {
        size_t from = at + (at < s.n && composer_one_of(s.p[at], ".-"));
        size_t n = digits_run(str_from(s, from)).n;
        if (!n)
            return str_sub(s, 0, at);
        at = from + n;
    }
}

/* The expression for what follows the numbers; must match to the end. */
static bool composer_modifier(str s, struct composer *out)
{
    static const struct {
        str word;
        enum composer_kind kind;
    } words[] = {
        {STR_INIT("stable"), COMPOSER_UNKNOWN}, {STR_INIT("beta"), COMPOSER_BETA},
        {STR_INIT("b"), COMPOSER_BETA},         {STR_INIT("RC"), COMPOSER_RC},
        {STR_INIT("alpha"), COMPOSER_ALPHA},    {STR_INIT("a"), COMPOSER_ALPHA},
        {STR_INIT("patch"), COMPOSER_PATCH},    {STR_INIT("pl"), COMPOSER_PATCH},
        {STR_INIT("p"), COMPOSER_PATCH},
    };
    enum composer_kind kind = COMPOSER_END;
    str numbers = {NULL, 0}, word = {NULL, 0};
    if (s.n && composer_one_of(*s.p, "._-"))
        s = str_from(s, 1);
    for (size_t i = 0; i < KE_ARRAY_LEN(words) && kind == COMPOSER_END; i++)
        if (composer_starts(s, words[i].word)) {
            word = str_sub(s, 0, words[i].word.n);
            kind = words[i].kind;
            numbers = composer_numbers(str_from(s, word.n));
            s = str_from(s, word.n + numbers.n);
        }
    bool separated = s.n && composer_one_of(*s.p, ".-");
    bool dev = str_eq_nocase(str_from(s, separated), STR("dev"));
    if (s.n && !dev)
        return false;
    bool stable = str_eq(word, STR("stable"));
    out->stability = stable ? COMPOSER_END : kind;
    out->numbers = stable ? (str){NULL, 0} : numbers;
    out->is_dev = dev && !stable;
    return true;
}

/* v?(\d{1,5})(\.\d+)?(\.\d+)?(\.\d+)? and a modifier */
static bool composer_classical(str v, struct composer *out)
{
    size_t at = digits_run(v).n;
    if (!at || at > 5)
        return false;
    for (int i = 0; i < 3 && at + 1 < v.n && v.p[at] == '.' && ke_isdigit(v.p[at + 1]); i++)
        at += 1 + digits_run(str_from(v, at + 1)).n;
    out->core = str_sub(v, 0, at);
    out->fill = "0";
    return composer_modifier(str_from(v, at), out);
}

/* At most `most` and at least `least` digits behind an optional separator, from `at`: their end. */
static size_t composer_date_part(str v, size_t at, size_t least, size_t most)
{
    if (at < v.n && composer_one_of(v.p[at], ".:-"))
        at++;
    size_t n = digits_run(str_from(v, at)).n;
    return n < least ? 0 : at + (n < most ? n : most);
}

/* \d{4}(?:[.:-]?\d{2}){1,6}(?:[.:-]?\d{1,3})? and a modifier */
static bool composer_date(str v, struct composer *out)
{
    size_t ends[8] = {4}, pairs = 0;
    if (digits_run(v).n < 4)
        return false;
    while (pairs < 6 && (ends[pairs + 1] = composer_date_part(v, ends[pairs], 2, 2)))
        pairs++;
    out->fill = NULL;
    for (; pairs; pairs--) {
        size_t longer = composer_date_part(v, ends[pairs], 1, 3);
        for (; longer > ends[pairs]; longer--) {
            out->core = str_sub(v, 0, longer);
            if (ke_isdigit(v.p[longer - 1]) && composer_modifier(str_from(v, longer), out))
                return true;
        }
        out->core = str_sub(v, 0, ends[pairs]);
        if (composer_modifier(str_from(v, ends[pairs]), out))
            return true;
    }
    return false;
}

/* v?(\d+)(\.(\d+|[xX*])){0,3}[.-]?dev */
static bool composer_numeric_branch(str v, struct composer *out)
{
    if (v.n < 4 || !composer_starts(str_from(v, v.n - 3), STR("dev")))
        return false;
    v.n -= 3;
    v.n -= composer_one_of(v.p[v.n - 1], ".-");
    v = str_trim(v);
    size_t at = digits_run(v).n;
    if (!at)
        return false;
    for (int i = 0; i < 3 && at + 1 < v.n && v.p[at] == '.'; i++) {
        size_t n = digits_run(str_from(v, at + 1)).n;
        if (!n && composer_one_of(v.p[at + 1], "xX*"))
            n = 1;
        if (!n)
            return false;
        at += 1 + n;
    }
    out->core = str_sub(v, 0, at);
    out->fill = "9999999";
    out->numbers = (str){NULL, 0};
    out->stability = COMPOSER_END;
    out->is_dev = true;
    return at == v.n;
}

/* Without the stability flag (@beta) and the build metadata (+...). */
static str composer_bare(str v)
{
    static const str flags[] = {STR_INIT("@stable"), STR_INIT("@RC"), STR_INIT("@beta"),
                                STR_INIT("@alpha"), STR_INIT("@dev")};
    for (size_t i = 0; i < KE_ARRAY_LEN(flags); i++)
        if (v.n >= flags[i].n && composer_starts(str_from(v, v.n - flags[i].n), flags[i])) {
            v.n -= flags[i].n;
            break;
        }
    ptrdiff_t plus = str_index(v, '+');
    if (plus <= 0 || (size_t)plus + 1 >= v.n || composer_starts(v, STR("dev-")))
        return v;
    for (size_t i = 0; i < v.n; i++)
        if (ke_isspace(v.p[i]) || (v.p[i] == ',' && i < (size_t)plus))
            return v;
    return str_sub(v, 0, (size_t)plus);
}

static bool composer_branch(str v, struct composer *out)
{
    bool named = composer_starts(v, STR("dev-"));
    if (!named && !str_eq(v, STR("master")) && !str_eq(v, STR("trunk")) &&
        !str_eq(v, STR("default")))
        return false;
    out->branch = str_from(v, named ? 4 : 0);
    return true;
}

static void composer_read(str v, struct composer *out)
{
    *out = (struct composer){.stability = COMPOSER_END};
    v = composer_bare(str_trim(v));
    out->is_branch = out->is_valid = composer_branch(v, out);
    if (out->is_branch)
        return;
    str bare = str_from(v, v.n && (*v.p == 'v' || *v.p == 'V'));
    out->is_valid = composer_classical(bare, out) || composer_date(bare, out) ||
                    composer_numeric_branch(bare, out);
    if (out->is_valid)
        return;
    str start = composer_numbers(bare);
    *out = (struct composer){.stability = COMPOSER_END, .core = start, .fill = "0"};
    out->rest = str_from(bare, start.n);
}

static struct composer_token composer_next(struct composer *v)
{
    struct composer_token t = {COMPOSER_NUMBER, {NULL, 0}};
    bool core = v->core.n || (v->fill && v->given < 4);
    str *from = core ? &v->core : &v->numbers;
    if (core && !v->core.n) {
        t.text = str_z(v->fill);
    } else if ((core || v->stability == COMPOSER_END) && from->n) {
        while (composer_one_of(*from->p, ".:-"))
            *from = str_from(*from, 1);
        t.text = digits_run(*from);
        *from = str_from(*from, t.text.n ? t.text.n : 1);
        if (!t.text.n)
            t.text = STR("9999999"); /* the x of a branch */
    } else if (v->stability != COMPOSER_END) {
        t.kind = v->stability;
        v->stability = COMPOSER_END;
    } else {
        t.kind = v->is_dev ? COMPOSER_DEV : COMPOSER_END;
        v->is_dev = false;
    }
    v->given += core;
    return t;
}

static int composer_compare(str a, str b)
{
    struct composer x, y;
    composer_read(a, &x);
    composer_read(b, &y);
    if (x.is_branch || y.is_branch)
        return x.is_branch && y.is_branch ? str_cmp(x.branch, y.branch) : y.is_branch - x.is_branch;
    for (;;) {
        struct composer_token s = composer_next(&x), t = composer_next(&y);
        if (s.kind != t.kind)
            return s.kind < t.kind ? -1 : 1;
        int order = s.kind == COMPOSER_NUMBER ? digits_compare(s.text, t.text) : 0;
        if (order)
            return order;
        if (s.kind == COMPOSER_END)
            return natural_compare(x.rest, y.rest);
    }
}

static bool composer_key(str v, struct buf *out)
{
    struct composer c;
    composer_read(v, &c);
    if (c.is_branch) {
        buf_add_char(out, 0);
        buf_add_str(out, c.branch);
        return buf_ok(out);
    }
    struct composer_token t;
    do {
        t = composer_next(&c);
        buf_add_char(out, (char)t.kind);
        if (t.kind == COMPOSER_NUMBER)
            key_number(out, t.text);
    } while (t.kind != COMPOSER_END);
    key_natural(out, c.rest);
    return buf_ok(out);
}

static bool composer_valid(str v)
{
    struct composer c;
    composer_read(v, &c);
    return c.is_valid;
}

static bool composer_comparable(str a, str b)
{
    struct composer x, y;
    composer_read(a, &x);
    composer_read(b, &y);
    if (!x.is_valid || !y.is_valid)
        return false;
    return !x.is_branch || !y.is_branch || str_eq(x.branch, y.branch);
}

const struct version_ops version_composer = {
    .name = "composer",
    .valid = composer_valid,
    .compare = composer_compare,
    .key = composer_key,
    .comparable = composer_comparable,
};
