/* alpm.c - Arch Linux versions, [epoch:]version[-release], as libalpm orders them.
 *
 * An older relative of rpm's order: the lengths of separators count, "~" and "^" mean nothing, a
 * rest that begins with a letter is less than nothing, and releases are compared only where both
 * have one. So 1-1 = 1 = 1-2: there is no key. */
#include "version/digits.h"
#include "version/schemes.h"

struct alpm_parts {
    str epoch, version, release;
    bool has_release;
};

static struct alpm_parts alpm_split(str v)
{
    struct alpm_parts parts = {.epoch = STR("0")};
    str epoch = digits_run(v);
    if (epoch.n < v.n && v.p[epoch.n] == ':') {
        if (epoch.n)
            parts.epoch = epoch;
        v = str_from(v, epoch.n + 1);
    }
    ptrdiff_t dash = str_rindex(v, '-');
    parts.has_release = dash >= 0;
    parts.version = dash < 0 ? v : str_sub(v, 0, (size_t)dash);
    parts.release = dash < 0 ? (str){NULL, 0} : str_from(v, (size_t)dash + 1);
    return parts;
}

static size_t alpm_skip(str *s)
{
    size_t n = 0;
    while (n < s->n && !ke_isalnum(s->p[n]))
        n++;
    *s = str_from(*s, n);
    return n;
}

static str alpm_letters(str s)
{
    size_t n = 0;
    while (n < s.n && ke_isalpha(s.p[n]))
        n++;
    return str_sub(s, 0, n);
}

/* What is left of both when all before it was equal. */
static int alpm_compare_rest(str a, str b)
{
    if (!a.n && !b.n)
        return 0;
    bool letters_a = a.n && ke_isalpha(*a.p), letters_b = b.n && ke_isalpha(*b.p);
    return (!a.n && !letters_b) || letters_a ? -1 : 1;
}

static int alpm_compare_part(str a, str b)
{
    if (str_eq(a, b))
        return 0;
    while (a.n && b.n) {
        size_t gap_a = alpm_skip(&a), gap_b = alpm_skip(&b);
        if (!a.n || !b.n)
            break;
        if (gap_a != gap_b)
            return gap_a < gap_b ? -1 : 1;
        bool number = ke_isdigit(*a.p);
        str x = number ? digits_run(a) : alpm_letters(a);
        str y = number ? digits_run(b) : alpm_letters(b);
        if (!y.n)
            return number ? 1 : -1;
        int order = number ? digits_compare(x, y) : str_cmp(x, y);
        if (order)
            return order < 0 ? -1 : 1;
        a = str_from(a, x.n);
        b = str_from(b, y.n);
    }
    return alpm_compare_rest(a, b);
}

static int alpm_compare(str a, str b)
{
    if (str_eq(a, b))
        return 0;
    struct alpm_parts x = alpm_split(a), y = alpm_split(b);
    int order = digits_compare(x.epoch, y.epoch);
    if (!order)
        order = alpm_compare_part(x.version, y.version);
    if (!order && x.has_release && y.has_release)
        order = alpm_compare_part(x.release, y.release);
    return order;
}

static bool alpm_valid(str v)
{
    return true;
}

const struct version_ops version_alpm = {
    .name = "alpm",
    .valid = alpm_valid,
    .compare = alpm_compare,
};
