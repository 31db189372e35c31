/* feeds.c - `kellet feeds`: the subcommands, and what they share. */
#include "cli/feeds.h"

#include <stdio.h>
#include <time.h>

static const struct command *const subcommands[] = {
    /* clang-format off */
    &command_feeds_dump,
    &command_feeds_load,
    &command_feeds_status,
    &command_feeds_sync,
    &command_feeds_verify,
    NULL,
    /* clang-format on */
};

int feeds_open(const char *data, struct vulndb **out)
{
    char dir[4096];
    struct err e = {0};
    if (data_dir(data, dir, sizeof dir, &e) < 0)
        return fail(EXIT_USAGE, &e);
    int r = vulndb_open(dir, out, &e);
    if (r < 0)
        return fail(r == ERR_NOT_FOUND ? EXIT_STALE : EXIT_CANNOT, &e);
    return 0;
}

void feeds_summary(const char *source, const struct vulndb_stats *s, struct buf *out)
{
    buf_addf(out, "%s: %llu records, %llu vulnerabilities, %llu claims stored, %llu dropped",
             source, (unsigned long long)s->records, (unsigned long long)s->vulns,
             (unsigned long long)s->claims_stored, (unsigned long long)s->dropped);
    for (size_t i = 0; i < s->n_drops; i++)
        buf_addf(out, "%s%llu %s", i ? ", " : " (", (unsigned long long)s->drops[i].n,
                 s->drops[i].reason);
    if (s->n_drops)
        buf_add_char(out, ')');
}

void feeds_age(int64_t then, int64_t now, struct buf *out)
{
    static const struct {
        int64_t seconds;
        const char *name;
    } units[] = {{86400, "day"}, {3600, "hour"}, {60, "minute"}};
    for (size_t i = 0; i < KE_ARRAY_LEN(units); i++) {
        int64_t n = (now - then) / units[i].seconds;
        if (n > 0) {
            buf_addf(out, "%lld %s%s", (long long)n, units[i].name, n == 1 ? "" : "s");
            return;
        }
    }
    buf_add_str(out, STR("now"));
}

void feeds_time(int64_t t, struct buf *out)
{
    struct tm tm;
    char text[64];
    time_t when = (time_t)t;
    if (gmtime_r(&when, &tm) && strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &tm))
        buf_add_str(out, str_z(text));
}

void feeds_put_time(struct buf *b, const char *key, int64_t t)
{
    auto_buf text;
    buf_init(&text, 256);
    if (t)
        feeds_time(t, &text);
    if (text.n)
        buf_addf(b, ", \"%s\": \"%s\"", key, buf_z(&text));
}

static int feeds_run(int argc, char **argv)
{
    if (argc > 1 && argv[1][0] != '-') {
        for (size_t i = 0; subcommands[i]; i++)
            if (strcmp(subcommands[i]->name + strlen("feeds "), argv[1]) == 0)
                return subcommands[i]->run(argc - 1, argv + 1);
        return failf(EXIT_USAGE, "feeds: there is no \"%s\"; `kellet feeds --help` lists what is",
                     argv[1]);
    }
    static const struct option_spec none[] = {{0}};
    int left = options_parse(&command_feeds, none, argc, argv);
    if (left == -2)
        return EXIT_CLEAN;
    if (left == 0)
        command_help_print(&command_feeds);
    return EXIT_USAGE;
}

const struct command command_feeds = {
    .name = "feeds",
    .arguments = "COMMAND",
    .summary = "Load, list, check and print vulnerability data",
    .details = "The data live below DATA/vulndb, as one set of files a source; each load of a "
               "source replaces\nall it had. Readers are never disturbed by a load.\n",
    .run = feeds_run,
    .subcommands = subcommands,
};
