#include "policy/when.h"

#include <time.h>

static const int64_t second_us = 1000000, day_us = 86400LL * 1000000;

static bool digits(str *s, size_t n, int *out)
{
    uint64_t v;
    if (s->n < n || !str_to_u64(str_sub(*s, 0, n), &v))
        return false;
    *out = (int)v;
    *s = str_from(*s, n);
    return true;
}

static bool one_of(str *s, const char *set)
{
    if (!s->n || !strchr(set, s->p[0]) || !s->p[0])
        return false;
    *s = str_from(*s, 1);
    return true;
}

/* Days since 1970-01-01 in the Gregorian calendar. */
static int64_t days_of(int year, int month, int day)
{
    int64_t y = year - (month <= 2), era = (y >= 0 ? y : y - 399) / 400, of_era = y - era * 400;
    int64_t of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
    return era * 146097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719468;
}

static bool take_date(str *s, int64_t *days)
{
    static const int lengths[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    int year, month, day;
    if (!digits(s, 4, &year) || !one_of(s, "-") || !digits(s, 2, &month) || !one_of(s, "-") ||
        !digits(s, 2, &day) || year < 1 || month < 1 || month > 12 || day < 1)
        return false;
    bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
    if (day > lengths[month - 1] + (leap && month == 2))
        return false;
    *days = days_of(year, month, day);
    return true;
}

static bool take_fraction(str *s, int64_t *us)
{
    int64_t unit = second_us / 10;
    size_t n = 0;
    *us = 0;
    if (!one_of(s, ".:"))
        return true;
    for (; n < s->n && ke_isdigit(s->p[n]); n++, unit /= 10)
        *us += (s->p[n] - '0') * unit;
    *s = str_from(*s, n);
    return n > 0;
}

static bool take_zone(str *s, int64_t *offset_us)
{
    int hours, minutes;
    *offset_us = 0;
    if (one_of(s, "Zz"))
        return true;
    bool west = s->n && s->p[0] == '-';
    if (!one_of(s, "+-") || !digits(s, 2, &hours) || !one_of(s, ":") || !digits(s, 2, &minutes) ||
        hours > 23 || minutes > 59)
        return false;
    *offset_us = (hours * 3600 + minutes * 60) * second_us * (west ? -1 : 1);
    return true;
}

bool when_parse(str s, int64_t *us)
{
    int64_t days, fraction, offset;
    int hour, minute, second;
    if (!take_date(&s, &days))
        return false;
    *us = days * day_us;
    if (!s.n)
        return true;
    if (!one_of(&s, "Tt ") || !digits(&s, 2, &hour) || !one_of(&s, ":") ||
        !digits(&s, 2, &minute) || !one_of(&s, ":") || !digits(&s, 2, &second) || hour > 23 ||
        minute > 59 || second > 60 || !take_fraction(&s, &fraction) || !take_zone(&s, &offset) ||
        s.n)
        return false;
    *us += (hour * 3600 + minute * 60 + second) * second_us + fraction - offset;
    return true;
}

static struct tm civil(int64_t us)
{
    static const int64_t first = -62135596800LL, last = 253402300799LL;
    struct tm tm = {0};
    time_t t = (time_t)(us / second_us - (us % second_us < 0));
    t = t < first ? first : t > last ? last : t;
    gmtime_r(&t, &tm);
    return tm;
}

str when_date(struct arena *a, int64_t us)
{
    struct tm tm = civil(us);
    return arena_printf(a, "%04d-%02d-%02d", tm.tm_year + 1900, tm.tm_mon + 1, tm.tm_mday);
}

str when_text(struct arena *a, int64_t us)
{
    struct tm tm = civil(us);
    return arena_printf(a, "%04d-%02d-%02dT%02d:%02d:%02dZ", tm.tm_year + 1900, tm.tm_mon + 1,
                        tm.tm_mday, tm.tm_hour, tm.tm_min, tm.tm_sec);
}
