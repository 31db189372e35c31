#include "feeds/common.h"

#include "codec/yaml.h"

enum { STRINGS_MAX = 1 << 30 };

int feed_read_all(const struct feed_input *in, struct buf *out, struct err *e)
{
    return stream_read_all(in->in, out, feed_name(in), e);
}

static bool begins_like_json(str text)
{
    if (str_starts(text, STR("\xEF\xBB\xBF")))
        text = str_from(text, 3);
    text = str_trim(text);
    return text.n && (text.p[0] == '{' || text.p[0] == '[');
}

int feed_read_document(const struct feed_input *in, bool keep_duplicates, yyjson_doc **out,
                       struct err *e)
{
    auto_buf text;
    buf_init(&text, FEED_DOCUMENT_MAX);
    int r = feed_read_all(in, &text, e);
    if (r < 0)
        return r;
    str path = feed_plain_path(in->path);
    bool yaml = str_ends(path, STR(".yaml")) || str_ends(path, STR(".yml"));
    if (!yaml && !str_ends(path, STR(".json")))
        yaml = !begins_like_json(buf_view(&text));
    if (!yaml)
        return json_parse(buf_view(&text), feed_name(in), out, e);
    struct yaml_options o = {.all_strings = true, .keep_duplicates = keep_duplicates};
    return yaml_parse(buf_view(&text), feed_name(in), &o, out, e);
}

/* ---- dates --------------------------------------------------------------------------------------
 */

/* Days from 1970-01-01 (proleptic Gregorian); m 1..12. */
static int64_t days_of(int64_t y, unsigned m, unsigned d)
{
    y -= m <= 2;
    int64_t era = (y >= 0 ? y : y - 399) / 400;
    unsigned yoe = (unsigned)(y - era * 400);
    unsigned doy = (153 * (m > 2 ? m - 3 : m + 9) + 2) / 5 + d - 1;
    return era * 146097 + (int64_t)(yoe * 365 + yoe / 4 - yoe / 100 + doy) - 719468;
}

/* The next `n` digits of *s as a number; false when they are not there. */
static bool take_number(str *s, size_t n, unsigned *out)
{
    uint64_t v;
    if (s->n < n || !str_to_u64(str_sub(*s, 0, n), &v))
        return false;
    *out = (unsigned)v;
    *s = str_from(*s, n);
    return true;
}

static bool take_char(str *s, char c)
{
    if (!s->n || s->p[0] != c)
        return false;
    *s = str_from(*s, 1);
    return true;
}

/* Seconds to take away for "Z", "+02:00", "-0500" or nothing. */
static int64_t zone_offset(str s)
{
    unsigned h, m = 0;
    int64_t sign = s.n && s.p[0] == '-' ? -1 : 1;
    if (!take_char(&s, '+') && !take_char(&s, '-'))
        return 0;
    if (!take_number(&s, 2, &h))
        return 0;
    take_char(&s, ':');
    take_number(&s, 2, &m);
    return sign * ((int64_t)h * 3600 + (int64_t)m * 60);
}

static int64_t time_of_day(str s)
{
    unsigned h, m, sec = 0;
    if (!take_char(&s, 'T') && !take_char(&s, 't') && !take_char(&s, ' '))
        return 0;
    if (!take_number(&s, 2, &h) || !take_char(&s, ':') || !take_number(&s, 2, &m) || h > 24 ||
        m > 59)
        return 0;
    if (take_char(&s, ':') && !take_number(&s, 2, &sec))
        return 0;
    if (take_char(&s, '.'))
        while (s.n && ke_isdigit(s.p[0]))
            s = str_from(s, 1);
    return (int64_t)h * 3600 + (int64_t)m * 60 + sec - zone_offset(s);
}

/* "29 Mar 2023" */
static int64_t date_with_word(str s)
{
    static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
    str day = str_split(&s, ' '), month = str_split(&s, ' ');
    uint64_t d, y;
    ptrdiff_t at = month.n == 3 ? str_find(STR(months), month) : -1;
    if (at < 0 || at % 3 || !str_to_u64(day, &d) || !str_to_u64(str_trim(s), &y) || d < 1 ||
        d > 31 || y > 9999)
        return 0;
    return days_of((int64_t)y, (unsigned)(at / 3) + 1, (unsigned)d) * 86400;
}

int64_t feed_date(str text)
{
    unsigned y, m, d;
    str s = str_trim(text);
    if (!take_number(&s, 4, &y))
        return date_with_word(str_trim(text));
    if (!take_char(&s, '-') || !take_number(&s, 2, &m) || !take_char(&s, '-') ||
        !take_number(&s, 2, &d) || m < 1 || m > 12 || d < 1 || d > 31)
        return 0;
    return days_of(y, m, d) * 86400 + time_of_day(s);
}

/* ---- names and messages -------------------------------------------------------------------------
 */

int feed_bad(const struct feed_input *in, str element, const char *what, struct err *e)
{
    return err_set(e, ERR_FORMAT, "%s: %.*s: %s", feed_name(in),
                   (int)(element.n > 100 ? 100 : element.n), element.p ? element.p : "", what);
}

str feed_plain_path(str path)
{
    static const str suffixes[] = {STR_INIT(".gz"), STR_INIT(".zst"), STR_INIT(".xz"),
                                   STR_INIT(".bz2")};
    for (size_t i = 0; i < KE_ARRAY_LEN(suffixes); i++)
        if (str_ends(path, suffixes[i]))
            return str_sub(path, 0, path.n - suffixes[i].n);
    return path;
}

bool feed_path_hidden(str path)
{
    while (path.n) {
        str part = str_split(&path, '/');
        if (part.n > 1 && part.p[0] == '.' && !str_eq(part, STR("..")))
            return true;
    }
    return false;
}

bool feed_is_cve(str id)
{
    if (id.n < 10 || !str_starts(id, STR("CVE-")) || id.p[8] != '-')
        return false;
    for (size_t i = 4; i < id.n; i++)
        if (i != 8 && !ke_isdigit(id.p[i]))
            return false;
    return true;
}

/* ---- strings ------------------------------------------------------------------------------------
 */

void feed_strings_init(struct feed_strings *s)
{
    arena_init(&s->arena, STRINGS_MAX);
    map_init(&s->known);
}

void feed_strings_done(struct feed_strings *s)
{
    map_done(&s->known);
    arena_done(&s->arena);
}

str feed_intern(struct feed_strings *s, str text)
{
    const str *known = map_get(&s->known, text);
    if (known)
        return *known;
    str *own = arena_new(&s->arena, str);
    if (own)
        *own = arena_dup(&s->arena, text);
    if (!own || !own->p || !map_put(&s->known, *own, own))
        return (str){NULL, 0};
    return *own;
}
