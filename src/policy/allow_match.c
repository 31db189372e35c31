#include "policy/allowlist.h"
#include "policy/package_version.h"

/* ---- versions ---------------------------------------------------------------------------------
 */
enum { LESS = 1, EQUAL = 2, MORE = 4 };

static int take_operator(str *s)
{
    static const struct {
        str text;
        int mask;
    } operators[] = {{STR_INIT("<="), LESS | EQUAL}, {STR_INIT(">="), MORE | EQUAL},
                     {STR_INIT("!="), LESS | MORE},  {STR_INIT("=="), EQUAL},
                     {STR_INIT("<"), LESS},          {STR_INIT(">"), MORE},
                     {STR_INIT("="), EQUAL}};
    for (size_t i = 0; i < KE_ARRAY_LEN(operators); i++) {
        if (str_starts(*s, operators[i].text)) {
            *s = str_from(*s, operators[i].text.n);
            return operators[i].mask;
        }
    }
    return EQUAL;
}

/* A version, and nothing of an operator that is not known, or of two bounds without a comma. */
static bool is_version(str s)
{
    bool good = s.n && !strchr("!~^", s.p[0]);
    for (size_t i = 0; good && i < s.n; i++)
        good = !ke_isspace(s.p[i]) && !strchr("<>=|*", s.p[i]);
    return good;
}

bool version_within(str constraint, str scheme, str version, str full_version, bool *good)
{
    bool within = true;
    int order;
    *good = true;
    for (bool more = true; more;) {
        more = str_index(constraint, ',') >= 0;
        str one = str_trim(str_split(&constraint, ','));
        int mask = take_operator(&one);
        one = str_trim(one);
        if (!is_version(one))
            *good = false;
        within = within && package_version_order(scheme, version, full_version, one, &order) &&
                 (mask & (order < 0   ? LESS
                          : order > 0 ? MORE
                                      : EQUAL));
    }
    return within && *good;
}

/* ---- purls and paths --------------------------------------------------------------------------
 */
static str before(str s, const char *set)
{
    size_t n = 0;
    while (n < s.n && !(s.p[n] && strchr(set, s.p[n])))
        n++;
    return str_sub(s, 0, n);
}

static bool has_version(str purl)
{
    return str_rindex(before(purl, "?#"), '@') > str_rindex(before(purl, "?#"), '/');
}

bool purl_covers(str wanted, str purl)
{
    if (before(wanted, "?#").n == wanted.n)
        purl = before(purl, "?#");
    if (!has_version(wanted) && has_version(purl)) {
        str base = before(purl, "?#"), rest = str_from(purl, base.n);
        str named = str_sub(base, 0, (size_t)str_rindex(base, '@'));
        return str_starts(wanted, named) && str_eq(str_from(wanted, named.n), rest);
    }
    return str_eq(wanted, purl);
}

/* Bytes of the character that begins there. */
static size_t character(str s, size_t at)
{
    size_t n = 1;
    while (n < 4 && at + n < s.n && ((unsigned char)s.p[at + n] & 0xC0) == 0x80)
        n++;
    return n;
}

/* The usual matching with one point of return: linear times the longest star. A "**" is only
 * returned to when no "*" after it will do. */
bool path_matches(str glob, str path)
{
    size_t g = 0, p = 0, star_g = 0, star_p = 0, deep_g = 0, deep_p = 0;
    bool star = false, deep = false;
    while (p < path.n || g < glob.n) {
        if (g + 1 < glob.n && glob.p[g] == '*' && glob.p[g + 1] == '*') {
            deep = true;
            star = false;
            deep_g = g += 2;
            deep_p = p;
        } else if (g < glob.n && glob.p[g] == '*') {
            star = true;
            star_g = ++g;
            star_p = p;
        } else if (p < path.n && g < glob.n && glob.p[g] == '?' && path.p[p] != '/') {
            g++;
            p += character(path, p);
        } else if (p < path.n && g < glob.n && glob.p[g] == path.p[p]) {
            g++;
            p++;
        } else if (star && star_p < path.n && path.p[star_p] != '/') {
            p = ++star_p;
            g = star_g;
        } else if (deep && deep_p < path.n) {
            p = ++deep_p;
            g = deep_g;
            star = false;
        } else {
            return false;
        }
    }
    return true;
}
