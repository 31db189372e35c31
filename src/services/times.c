#include "services/call.h"

#include <time.h>

static const int64_t second_us = 1000000;

static bool civil(int64_t us, struct tm *out, int *fraction)
{
    int64_t seconds = us / second_us, rest = us % second_us;
    if (rest < 0) {
        rest += second_us;
        seconds--;
    }
    time_t t = (time_t)seconds;
    *fraction = (int)rest;
    return gmtime_r(&t, out) != NULL;
}

str time_text(struct arena *a, int64_t us)
{
    struct tm tm;
    int fraction;
    if (!civil(us, &tm, &fraction))
        return (str){0};
    return arena_printf(a, "%04d-%02d-%02dT%02d:%02d:%02dZ", tm.tm_year + 1900, tm.tm_mon + 1,
                        tm.tm_mday, tm.tm_hour, tm.tm_min, tm.tm_sec);
}

str time_text_us(struct arena *a, int64_t us)
{
    struct tm tm;
    int fraction;
    if (!civil(us, &tm, &fraction))
        return (str){0};
    return arena_printf(a, "%04d-%02d-%02dT%02d:%02d:%02d.%06dZ", tm.tm_year + 1900, tm.tm_mon + 1,
                        tm.tm_mday, tm.tm_hour, tm.tm_min, tm.tm_sec, fraction);
}

static bool take_digits(str *s, size_t n, int *out)
{
    uint64_t v;
    if (s->n < n || !str_to_u64(str_sub(*s, 0, n), &v))
        return false;
    *out = (int)v;
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

static bool take_date(str *s, struct tm *tm)
{
    static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    int year, month, day;
    if (!take_digits(s, 4, &year) || !take_char(s, '-') || !take_digits(s, 2, &month) ||
        !take_char(s, '-') || !take_digits(s, 2, &day))
        return false;
    if (year < 1 || month < 1 || month > 12 || day < 1)
        return false;
    bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
    if (day > days[month - 1] + (month == 2 && leap))
        return false;
    tm->tm_year = year - 1900;
    tm->tm_mon = month - 1;
    tm->tm_mday = day;
    return true;
}

static bool take_clock(str *s, struct tm *tm, int64_t *fraction)
{
    if (!take_digits(s, 2, &tm->tm_hour) || !take_char(s, ':') || !take_digits(s, 2, &tm->tm_min))
        return false;
    if (take_char(s, ':')) {
        if (!take_digits(s, 2, &tm->tm_sec))
            return false;
        if (take_char(s, '.')) {
            int64_t scale = second_us;
            size_t digits = 0;
            for (; s->n && ke_isdigit(s->p[0]); *s = str_from(*s, 1), digits++) {
                scale /= 10;
                *fraction += (s->p[0] - '0') * scale;
            }
            if (!digits)
                return false;
        }
    }
    return tm->tm_hour < 24 && tm->tm_min < 60 && tm->tm_sec < 61;
}

/* "", "Z", "UTC", "+01:00", "-0130", "+02" */
static bool take_zone(str s, int64_t *seconds)
{
    if (!s.n || str_eq_nocase(s, STR("z")) || str_eq(str_trim(s), STR("UTC")))
        return true;
    int sign = s.p[0] == '+' ? 1 : s.p[0] == '-' ? -1 : 0, hours, minutes = 0;
    s = str_from(s, 1);
    if (!sign || !take_digits(&s, 2, &hours))
        return false;
    if (s.n) {
        take_char(&s, ':');
        if (!take_digits(&s, 2, &minutes))
            return false;
    }
    if (s.n || hours > 23 || minutes > 59)
        return false;
    *seconds = sign * (hours * 3600 + minutes * 60);
    return true;
}

bool time_parse(str text, int64_t *us)
{
    struct tm tm = {0};
    int64_t fraction = 0, zone = 0;
    str s = str_trim(text);
    if (!take_date(&s, &tm))
        return false;
    if (s.n && (s.p[0] == 'T' || s.p[0] == 't' || s.p[0] == ' ')) {
        s = str_from(s, 1);
        if (!take_clock(&s, &tm, &fraction))
            return false;
    }
    if (!take_zone(s, &zone))
        return false;
    *us = ((int64_t)timegm(&tm) - zone) * second_us + fraction;
    return true;
}
