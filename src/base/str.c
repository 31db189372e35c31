#include "base/str.h"

int str_cmp(str a, str b)
{
    size_t n = a.n < b.n ? a.n : b.n;
    int c = n ? memcmp(a.p, b.p, n) : 0;
    if (c)
        return c;
    return a.n < b.n ? -1 : a.n > b.n;
}

bool str_eq_nocase(str a, str b)
{
    if (a.n != b.n)
        return false;
    for (size_t i = 0; i < a.n; i++)
        if (ke_tolower(a.p[i]) != ke_tolower(b.p[i]))
            return false;
    return true;
}

bool str_starts(str s, str prefix)
{
    return s.n >= prefix.n && (prefix.n == 0 || memcmp(s.p, prefix.p, prefix.n) == 0);
}

bool str_ends(str s, str suffix)
{
    return s.n >= suffix.n &&
           (suffix.n == 0 || memcmp(s.p + s.n - suffix.n, suffix.p, suffix.n) == 0);
}

bool str_contains(str s, str needle)
{
    return str_find(s, needle) >= 0;
}

ptrdiff_t str_index(str s, char c)
{
    const char *f = s.n ? memchr(s.p, c, s.n) : NULL;
    return f ? f - s.p : -1;
}

ptrdiff_t str_rindex(str s, char c)
{
    const char *f = s.n ? memrchr(s.p, c, s.n) : NULL;
    return f ? f - s.p : -1;
}

ptrdiff_t str_find(str s, str needle)
{
    if (needle.n == 0)
        return 0;
    const char *f = s.n ? memmem(s.p, s.n, needle.p, needle.n) : NULL;
    return f ? f - s.p : -1;
}

str str_sub(str s, size_t from, size_t to)
{
    if (to > s.n)
        to = s.n;
    if (from >= to)
        return (str){s.p ? s.p + (from < s.n ? from : s.n) : NULL, 0};
    return (str){s.p + from, to - from};
}

str str_trim(str s)
{
    while (s.n && ke_isspace(s.p[0]))
        s.p++, s.n--;
    while (s.n && ke_isspace(s.p[s.n - 1]))
        s.n--;
    return s;
}

str str_split(str *rest, char sep)
{
    ptrdiff_t i = str_index(*rest, sep);
    str part = i < 0 ? *rest : str_sub(*rest, 0, (size_t)i);
    *rest = i < 0 ? str_sub(*rest, rest->n, rest->n) : str_from(*rest, (size_t)i + 1);
    return part;
}

bool str_line(str *rest, str *line)
{
    if (rest->n == 0)
        return false;
    *line = str_split(rest, '\n');
    if (line->n && line->p[line->n - 1] == '\r')
        line->n--;
    return true;
}

str str_basename(str path)
{
    ptrdiff_t i = str_rindex(path, '/');
    return i < 0 ? path : str_from(path, (size_t)i + 1);
}

str str_dirname(str path)
{
    ptrdiff_t i = str_rindex(path, '/');
    return i < 0 ? (str){path.p, 0} : str_sub(path, 0, (size_t)i);
}

bool str_to_u64(str s, uint64_t *out)
{
    uint64_t v = 0;
    if (s.n == 0)
        return false;
    for (size_t i = 0; i < s.n; i++) {
        if (!ke_isdigit(s.p[i]) || __builtin_mul_overflow(v, 10, &v) ||
            __builtin_add_overflow(v, (uint64_t)(s.p[i] - '0'), &v))
            return false;
    }
    *out = v;
    return true;
}

bool str_to_u64_hex(str s, uint64_t *out)
{
    uint64_t v = 0;
    if (s.n == 0 || s.n > 16)
        return false;
    for (size_t i = 0; i < s.n; i++) {
        char c = ke_tolower(s.p[i]);
        if (!ke_isdigit(c) && !(c >= 'a' && c <= 'f'))
            return false;
        v = v << 4 | (uint64_t)(ke_isdigit(c) ? c - '0' : c - 'a' + 10);
    }
    *out = v;
    return true;
}
