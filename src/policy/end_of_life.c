#include "policy/end_of_life.h"

#include "vulndb/platform.h"

/* Debian and Ubuntu: distro-info-data 0.58+deb12u7, columns eol-lts and eol. The others:
 * endoflife.date's products at its commit a70eca3 of 2026-08-22, column eol; CentOS 8 stands for
 * Stream 8 too, which os-release does not tell apart, so its later date counts. Scientific Linux
 * ends with Red Hat's. */
static const struct release_end {
    const char *platform; /* as platform_name() says */
    short year;
    signed char month, day; /* the last day */
} release_ends[] = {
    {"almalinux:8", 2029, 5, 31},
    {"almalinux:9", 2032, 5, 31},
    {"almalinux:10", 2035, 5, 31},
    {"alpine:3.0", 2016, 5, 1},
    {"alpine:3.1", 2016, 11, 1},
    {"alpine:3.2", 2017, 5, 1},
    {"alpine:3.3", 2017, 11, 1},
    {"alpine:3.4", 2018, 5, 1},
    {"alpine:3.5", 2018, 11, 1},
    {"alpine:3.6", 2019, 5, 1},
    {"alpine:3.7", 2019, 11, 1},
    {"alpine:3.8", 2020, 5, 1},
    {"alpine:3.9", 2020, 11, 1},
    {"alpine:3.10", 2021, 5, 1},
    {"alpine:3.11", 2021, 11, 1},
    {"alpine:3.12", 2022, 5, 1},
    {"alpine:3.13", 2022, 11, 1},
    {"alpine:3.14", 2023, 5, 1},
    {"alpine:3.15", 2023, 11, 1},
    {"alpine:3.16", 2024, 5, 23},
    {"alpine:3.17", 2024, 11, 22},
    {"alpine:3.18", 2025, 5, 9},
    {"alpine:3.19", 2025, 11, 1},
    {"alpine:3.20", 2026, 4, 1},
    {"alpine:3.21", 2026, 11, 1},
    {"alpine:3.22", 2027, 5, 1},
    {"alpine:3.23", 2027, 11, 1},
    {"alpine:3.24", 2028, 6, 1},
    {"amzn:2", 2026, 6, 30},
    {"amzn:2018", 2023, 12, 31},
    {"amzn:2023", 2029, 6, 30},
    {"centos:5", 2017, 3, 31},
    {"centos:6", 2020, 11, 30},
    {"centos:7", 2024, 6, 30},
    {"centos:8", 2024, 5, 31},
    {"centos:9", 2027, 5, 31},
    {"centos:10", 2030, 5, 31},
    {"debian:6", 2016, 2, 29},
    {"debian:7", 2018, 5, 31},
    {"debian:8", 2020, 6, 30},
    {"debian:9", 2022, 6, 30},
    {"debian:10", 2024, 6, 30},
    {"debian:11", 2026, 8, 31},
    {"debian:12", 2028, 6, 30},
    {"debian:13", 2030, 6, 30},
    {"fedora:28", 2019, 5, 28},
    {"fedora:29", 2019, 11, 26},
    {"fedora:30", 2020, 5, 26},
    {"fedora:31", 2020, 11, 24},
    {"fedora:32", 2021, 5, 25},
    {"fedora:33", 2021, 11, 30},
    {"fedora:34", 2022, 6, 7},
    {"fedora:35", 2022, 12, 13},
    {"fedora:36", 2023, 5, 16},
    {"fedora:37", 2023, 12, 5},
    {"fedora:38", 2024, 5, 21},
    {"fedora:39", 2024, 11, 26},
    {"fedora:40", 2025, 5, 13},
    {"fedora:41", 2025, 12, 15},
    {"fedora:42", 2026, 5, 27},
    {"fedora:43", 2026, 12, 9},
    {"fedora:44", 2027, 6, 2},
    {"ol:6", 2021, 3, 31},
    {"ol:7", 2024, 12, 31},
    {"ol:8", 2029, 7, 31},
    {"ol:9", 2032, 6, 30},
    {"opensuse-leap:15.0", 2019, 12, 3},
    {"opensuse-leap:15.1", 2021, 2, 2},
    {"opensuse-leap:15.2", 2022, 1, 4},
    {"opensuse-leap:15.3", 2022, 12, 31},
    {"opensuse-leap:15.4", 2023, 12, 7},
    {"opensuse-leap:15.5", 2024, 12, 31},
    {"opensuse-leap:15.6", 2026, 4, 30},
    {"opensuse-leap:16.0", 2027, 10, 31},
    {"photon:1.0", 2022, 2, 28},
    {"photon:2.0", 2022, 12, 1},
    {"photon:3.0", 2025, 10, 2},
    {"photon:4.0", 2027, 10, 11},
    {"rhel:5", 2017, 3, 31},
    {"rhel:6", 2020, 11, 30},
    {"rhel:7", 2024, 6, 30},
    {"rhel:8", 2029, 5, 31},
    {"rhel:9", 2032, 5, 31},
    {"rhel:10", 2035, 5, 31},
    {"rocky:8", 2029, 5, 31},
    {"rocky:9", 2032, 5, 31},
    {"rocky:10", 2035, 5, 31},
    {"scientific:6", 2020, 11, 30},
    {"scientific:7", 2024, 6, 30},
    {"sles:12.0", 2016, 6, 30},
    {"sles:12.1", 2017, 5, 31},
    {"sles:12.2", 2018, 3, 31},
    {"sles:12.3", 2019, 6, 30},
    {"sles:12.4", 2020, 6, 30},
    {"sles:12.5", 2024, 10, 31},
    {"sles:15.0", 2019, 12, 31},
    {"sles:15.1", 2021, 1, 31},
    {"sles:15.2", 2021, 12, 31},
    {"sles:15.3", 2022, 12, 31},
    {"sles:15.4", 2023, 12, 31},
    {"sles:15.5", 2024, 12, 31},
    {"sles:15.6", 2025, 12, 31},
    {"sles:15.7", 2031, 7, 31},
    {"sles:16.0", 2027, 11, 30},
    {"ubuntu:12.04", 2017, 4, 28},
    {"ubuntu:12.10", 2014, 5, 16},
    {"ubuntu:13.04", 2014, 1, 27},
    {"ubuntu:13.10", 2014, 7, 17},
    {"ubuntu:14.04", 2019, 4, 25},
    {"ubuntu:14.10", 2015, 7, 23},
    {"ubuntu:15.04", 2016, 2, 4},
    {"ubuntu:15.10", 2016, 7, 28},
    {"ubuntu:16.04", 2021, 4, 30},
    {"ubuntu:16.10", 2017, 7, 20},
    {"ubuntu:17.04", 2018, 1, 13},
    {"ubuntu:17.10", 2018, 7, 19},
    {"ubuntu:18.04", 2023, 5, 31},
    {"ubuntu:18.10", 2019, 7, 18},
    {"ubuntu:19.04", 2020, 1, 23},
    {"ubuntu:19.10", 2020, 7, 17},
    {"ubuntu:20.04", 2025, 5, 29},
    {"ubuntu:20.10", 2021, 7, 22},
    {"ubuntu:21.04", 2022, 1, 20},
    {"ubuntu:21.10", 2022, 7, 14},
    {"ubuntu:22.04", 2027, 6, 1},
    {"ubuntu:22.10", 2023, 7, 20},
    {"ubuntu:23.04", 2024, 1, 25},
    {"ubuntu:23.10", 2024, 7, 11},
    {"ubuntu:24.04", 2029, 5, 31},
    {"ubuntu:24.10", 2025, 7, 10},
    {"ubuntu:25.04", 2026, 1, 15},
    {"ubuntu:25.10", 2026, 7, 9},
    {"ubuntu:26.04", 2031, 5, 29},
    {"ubuntu:26.10", 2027, 7, 15},
};

/* Days since 1970 of a date, by the proleptic Gregorian calendar. */
static int64_t days_of(int year, int month, int day)
{
    int y = month > 2 ? year : year - 1, m = month > 2 ? month - 3 : month + 9;
    int64_t era = y / 400, of_era = y % 400;
    return era * 146097 + of_era * 365 + of_era / 4 - of_era / 100 + (153 * m + 2) / 5 + day - 1 -
           719468;
}

enum support end_of_life(str id, str version, int64_t *end_us)
{
    const struct distro_family *f = distro_find(id);
    if (!f)
        return SUPPORT_UNKNOWN;
    if (!f->version_parts)
        return SUPPORT_ROLLING;
    auto_buf b;
    buf_init(&b, 1 << 16);
    platform_name(f, version, (str){0}, &b);
    for (size_t i = 0; i < KE_ARRAY_LEN(release_ends); i++) {
        const struct release_end *r = &release_ends[i];
        if (buf_ok(&b) && str_eq(str_z(r->platform), buf_view(&b))) {
            *end_us = (days_of(r->year, r->month, r->day) + 1) * 86400000000;
            return SUPPORT_UNTIL;
        }
    }
    return SUPPORT_UNKNOWN;
}
