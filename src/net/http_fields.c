#include "net/http_fields.h"

#include "base/compiler.h"

bool http_content_range_parse(str value, struct http_content_range *out)
{
    *out = (struct http_content_range){0};
    value = str_trim(value);
    if (value.n < 6 || !str_eq_nocase(str_sub(value, 0, 6), STR("bytes ")))
        return false;
    str total = str_trim(str_from(value, 6));
    str range = str_split(&total, '/');
    if (!str_eq(range, STR("*"))) {
        str last = range, first = str_split(&last, '-');
        if (!str_to_u64(first, &out->first) || !str_to_u64(last, &out->last) ||
            out->last < out->first)
            return false;
        out->has_range = true;
    }
    if (!str_eq(total, STR("*"))) {
        if (!str_to_u64(total, &out->total) || (out->has_range && out->last >= out->total))
            return false;
        out->has_total = true;
    }
    return out->has_range || out->has_total;
}

static bool two_digits(const char *p, int *out)
{
    if (!ke_isdigit(p[0]) || !ke_isdigit(p[1]))
        return false;
    *out = (p[0] - '0') * 10 + (p[1] - '0');
    return true;
}

/* "Sun, 06 Nov 1994 08:49:37 GMT". */
bool http_date_parse(str s, int64_t *out)
{
    static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
    int day, century, year, hour, minute, second;
    if (s.n != 29 || !str_ends(s, STR(" GMT")) || s.p[3] != ',' || s.p[19] != ':' ||
        s.p[22] != ':' || !two_digits(s.p + 5, &day) || !two_digits(s.p + 12, &century) ||
        !two_digits(s.p + 14, &year) || !two_digits(s.p + 17, &hour) ||
        !two_digits(s.p + 20, &minute) || !two_digits(s.p + 23, &second))
        return false;
    for (int m = 0; m < 12; m++) {
        if (memcmp(s.p + 8, months + 3 * (size_t)m, 3) != 0)
            continue;
        struct tm tm = {.tm_year = century * 100 + year - 1900,
                        .tm_mon = m,
                        .tm_mday = day,
                        .tm_hour = hour,
                        .tm_min = minute,
                        .tm_sec = second};
        *out = timegm(&tm);
        return true;
    }
    return false;
}

bool http_retry_after_parse(str value, int64_t now, uint64_t *seconds)
{
    int64_t at;
    value = str_trim(value);
    if (str_to_u64(value, seconds))
        return true;
    if (!http_date_parse(value, &at))
        return false;
    *seconds = at > now ? (uint64_t)(at - now) : 0;
    return true;
}

bool http_etag_is_strong(str etag)
{
    return etag.n >= 2 && etag.p[0] == '"' && etag.p[etag.n - 1] == '"';
}
