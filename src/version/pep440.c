/* pep440.c - Python versions, PEP 440, as the `packaging` library reads and orders them:
 * [v][epoch!]release[pre][post][dev][+local].
 *
 * What cannot be read comes last and is ordered naturally. */
#include "version/digits.h"
#include "version/schemes.h"

/* What stands where the pre-release does, in order; the values go into keys. */
enum pep440_phase { PEP440_ONLY_DEV = 1, PEP440_A, PEP440_B, PEP440_RC, PEP440_NO_PRE };

struct pep440 {
    str epoch, release, pre, post, dev, local, rest;
    enum pep440_phase phase;
    bool has_post, has_dev, has_local;
};

struct pep440_word {
    str word;
    enum pep440_phase phase;
};

/* Longer words first where one begins another. */
static const struct pep440_word pep440_pre_words[] = {
    {STR_INIT("alpha"), PEP440_A}, {STR_INIT("a"), PEP440_A},        {STR_INIT("beta"), PEP440_B},
    {STR_INIT("b"), PEP440_B},     {STR_INIT("preview"), PEP440_RC}, {STR_INIT("pre"), PEP440_RC},
    {STR_INIT("rc"), PEP440_RC},   {STR_INIT("c"), PEP440_RC},       {{NULL, 0}, PEP440_NO_PRE},
};
static const struct pep440_word pep440_post_words[] = {
    {STR_INIT("post"), PEP440_NO_PRE},
    {STR_INIT("rev"), PEP440_NO_PRE},
    {STR_INIT("r"), PEP440_NO_PRE},
    {{NULL, 0}, PEP440_NO_PRE},
};
static const struct pep440_word pep440_dev_words[] = {
    {STR_INIT("dev"), PEP440_NO_PRE},
    {{NULL, 0}, PEP440_NO_PRE},
};

static bool pep440_separator(str s)
{
    return s.n && (*s.p == '.' || *s.p == '-' || *s.p == '_');
}

/* Bytes of the white space character at p[0..n) as Python's str.isspace counts it; 0: none. */
static size_t pep440_space(const unsigned char *p, size_t n)
{
    if (n && (ke_isspace((char)*p) || (*p >= 0x1c && *p <= 0x1f)))
        return 1;
    if (n >= 2 && p[0] == 0xc2 && (p[1] == 0x85 || p[1] == 0xa0))
        return 2;
    if (n < 3)
        return 0;
    unsigned code = (p[0] & 15u) << 12 | (p[1] & 63u) << 6 | (p[2] & 63u);
    if ((p[0] & 0xf0) != 0xe0 || (p[1] & 0xc0) != 0x80 || (p[2] & 0xc0) != 0x80)
        return 0;
    bool space = code == 0x1680 || (code >= 0x2000 && code <= 0x200a) || code == 0x2028 ||
                 code == 0x2029 || code == 0x202f || code == 0x205f || code == 0x3000;
    return space ? 3 : 0;
}

static str pep440_trim(str v)
{
    const unsigned char *p = (const unsigned char *)v.p;
    for (size_t n; (n = pep440_space(p, v.n)); p += n)
        v.n -= n;
    for (size_t n = 1; v.n && n <= 3; n++)
        if (v.n >= n && pep440_space(p + v.n - n, n) == n) {
            v.n -= n;
            n = 0;
        }
    return (str){(const char *)p, v.n};
}

static bool pep440_starts(str s, str word)
{
    return s.n >= word.n && str_eq_nocase(str_sub(s, 0, word.n), word);
}

/* [separator] word [separator] [number]; takes it off *v. False: not there. */
static bool pep440_take(str *v, const struct pep440_word *words, enum pep440_phase *phase,
                        str *number)
{
    str rest = str_from(*v, pep440_separator(*v));
    for (; words->word.n; words++) {
        if (!pep440_starts(rest, words->word))
            continue;
        rest = str_from(rest, words->word.n);
        rest = str_from(rest, pep440_separator(rest));
        *number = digits_run(rest);
        *v = str_from(rest, number->n);
        if (phase)
            *phase = words->phase;
        return true;
    }
    return false;
}

static str pep440_release(str v, struct pep440 *out)
{
    str first = digits_run(v);
    if (first.n && first.n + 1 < v.n && v.p[first.n] == '!' && ke_isdigit(v.p[first.n + 1])) {
        out->epoch = first;
        v = str_from(v, first.n + 1);
    }
    size_t at = digits_run(v).n;
    while (at && at + 1 < v.n && v.p[at] == '.' && ke_isdigit(v.p[at + 1]))
        at += 1 + digits_run(str_from(v, at + 1)).n;
    out->release = str_sub(v, 0, at);
    return str_from(v, at);
}

static str pep440_post(str v, struct pep440 *out)
{
    str number = v.n && *v.p == '-' ? digits_run(str_from(v, 1)) : (str){NULL, 0};
    if (number.n) {
        out->has_post = true;
        out->post = number;
        return str_from(v, number.n + 1);
    }
    out->has_post = pep440_take(&v, pep440_post_words, NULL, &out->post);
    return v;
}

/* [a-z0-9]+ joined by single separators, after the plus. */
static str pep440_local(str v, struct pep440 *out)
{
    if (v.n < 2 || *v.p != '+' || !ke_isalnum(v.p[1]))
        return v;
    size_t at = 1;
    while (at < v.n && (ke_isalnum(v.p[at]) || (pep440_separator(str_from(v, at)) && at + 1 < v.n &&
                                                ke_isalnum(v.p[at + 1]))))
        at++;
    out->has_local = true;
    out->local = str_sub(v, 1, at);
    return str_from(v, at);
}

static void pep440_read(str v, struct pep440 *out)
{
    *out = (struct pep440){.phase = PEP440_NO_PRE};
    v = pep440_trim(v);
    str bare = str_from(v, v.n && (*v.p == 'v' || *v.p == 'V'));
    str rest = pep440_release(bare, out);
    if (!out->release.n) {
        out->rest = v;
        return;
    }
    pep440_take(&rest, pep440_pre_words, &out->phase, &out->pre);
    rest = pep440_post(rest, out);
    out->has_dev = pep440_take(&rest, pep440_dev_words, NULL, &out->dev);
    if (out->has_dev && !out->has_post && out->phase == PEP440_NO_PRE)
        out->phase = PEP440_ONLY_DEV;
    out->rest = pep440_local(rest, out);
}

static bool pep440_valid(str v)
{
    struct pep440 p;
    pep440_read(v, &p);
    return p.release.n && !p.rest.n;
}

static int pep440_compare_release(str a, str b)
{
    while (a.n || b.n) {
        int order = digits_compare(str_split(&a, '.'), str_split(&b, '.'));
        if (order)
            return order;
    }
    return 0;
}

static str pep440_local_next(str *rest)
{
    size_t n = 0;
    while (n < rest->n && ke_isalnum(rest->p[n]))
        n++;
    str segment = str_sub(*rest, 0, n);
    *rest = str_from(*rest, n + 1);
    return segment;
}

static int pep440_compare_local(str a, str b)
{
    while (a.n && b.n) {
        str x = pep440_local_next(&a), y = pep440_local_next(&b);
        bool number_x = digits_run(x).n == x.n, number_y = digits_run(y).n == y.n;
        if (number_x != number_y)
            return number_x ? 1 : -1;
        int order = number_x ? digits_compare(x, y) : text_compare_nocase(x, y);
        if (order)
            return order;
    }
    return (a.n > 0) - (b.n > 0);
}

static int pep440_compare_tail(const struct pep440 *x, const struct pep440 *y)
{
    if (x->phase != y->phase)
        return x->phase < y->phase ? -1 : 1;
    int order = digits_compare(x->pre, y->pre);
    if (!order)
        order = x->has_post - y->has_post;
    if (!order)
        order = digits_compare(x->post, y->post);
    if (!order)
        order = y->has_dev - x->has_dev;
    return order ? order : digits_compare(x->dev, y->dev);
}

static int pep440_compare_as(bool with_local, str a, str b)
{
    struct pep440 x, y;
    pep440_read(a, &x);
    pep440_read(b, &y);
    int order = digits_compare(x.epoch, y.epoch);
    if (!order)
        order = pep440_compare_release(x.release, y.release);
    if (!order)
        order = pep440_compare_tail(&x, &y);
    if (!order && with_local)
        order = pep440_compare_local(x.local, y.local);
    return order ? order : natural_compare(x.rest, y.rest);
}

static int pep440_compare(str a, str b)
{
    return pep440_compare_as(true, a, b);
}

static int pep440_public_compare(str a, str b)
{
    return pep440_compare_as(false, a, b);
}

static void pep440_key_local(str local, struct buf *out)
{
    while (local.n) {
        str segment = pep440_local_next(&local);
        if (digits_run(segment).n == segment.n) {
            buf_add_char(out, 2);
            key_number(out, segment);
            continue;
        }
        buf_add_char(out, 1);
        for (size_t i = 0; i < segment.n; i++)
            buf_add_char(out, ke_tolower(segment.p[i]));
        buf_add_char(out, 0);
    }
    buf_add_char(out, 0);
}

static bool pep440_key_as(bool with_local, str v, struct buf *out)
{
    struct pep440 p;
    pep440_read(v, &p);
    key_number(out, p.epoch);
    if (!key_release(out, p.release))
        return false;
    buf_add_char(out, (char)p.phase);
    key_number(out, p.pre);
    buf_add_char(out, (char)p.has_post);
    key_number(out, p.post);
    buf_add_char(out, (char)!p.has_dev);
    key_number(out, p.dev);
    if (with_local)
        pep440_key_local(p.local, out);
    key_natural(out, p.rest);
    return buf_ok(out);
}

static bool pep440_key(str v, struct buf *out)
{
    return pep440_key_as(true, v, out);
}

static bool pep440_public_key(str v, struct buf *out)
{
    return pep440_key_as(false, v, out);
}

const struct version_ops version_pep440 = {
    .name = "pep440",
    .valid = pep440_valid,
    .compare = pep440_compare,
    .key = pep440_key,
};

const struct version_ops version_pep440_public = {
    .name = "pep440-public",
    .valid = pep440_valid,
    .compare = pep440_public_compare,
    .key = pep440_public_key,
};
