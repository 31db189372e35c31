/* feeds_sync.c - `kellet feeds sync [SOURCE...]`: downloads upstream files and loads them. */
#include "cli/feeds.h"

#include "cli/progress.h"
#include "feeds/sync.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>

static struct {
    const char *data, *base_url, *ca_file;
    unsigned idle_timeout, retries;
    bool force, quiet, insecure;
} args;

static const struct option_spec specs[] = {
    {"data", 0, OPT_TEXT, "DIR", "where kellet keeps its data", &args.data, "@dir"},
    {"base-url", 0, OPT_TEXT, "URL", "a server that stands in for all upstreams' hosts",
     &args.base_url, NULL},
    {"force", 0, OPT_FLAG, NULL, "load even when nothing changed upstream", &args.force, NULL},
    {"quiet", 'q', OPT_FLAG, NULL, "print errors only", &args.quiet, NULL},
    {"ca-file", 0, OPT_TEXT, "FILE", "more certificates to trust (PEM)", &args.ca_file, "@file"},
    {"insecure", 0, OPT_FLAG, NULL, "accept any certificate", &args.insecure, NULL},
    {"timeout", 0, OPT_NUMBER, "SECONDS", "give up after so long without a byte (default 60)",
     &args.idle_timeout, NULL},
    {"retries", 0, OPT_NUMBER, "N", "tries after the first that fails (default 5)", &args.retries,
     NULL},
    {0},
};

static const struct option_spec *sync_options(void)
{
    return specs;
}

struct screen {
    struct progress progress;
    const char *feed;
    char phase[256];
};

static void on_file(void *ctx, const char *name, size_t i, size_t n, uint64_t bytes)
{
    struct screen *s = ctx;
    if (!s->progress.active)
        return;
    /* The clock of the rate runs over the whole source: the phase keeps its text. */
    snprintf(s->phase, sizeof s->phase, "%s: file %zu of %zu (%s)", s->feed, i, n, name);
    s->progress.phase = s->phase;
    progress_show(&s->progress, s->phase, bytes, 0, 0, 0);
}

static void on_load(void *ctx, str path, uint64_t inputs, uint64_t bytes)
{
    struct screen *s = ctx;
    if (!s->progress.active)
        return;
    snprintf(s->phase, sizeof s->phase, "%s: loading %.*s, %llu read", s->feed,
             STR_ARG(str_basename(path)), (unsigned long long)inputs);
    s->progress.phase = s->phase;
    progress_show(&s->progress, s->phase, bytes, 0, 0, 0);
}

static void report(const struct feed_ops *feed, const struct feed_sync_result *r)
{
    if (args.quiet)
        return;
    printf("%s: %zu of %zu files changed", feed->name, r->changed, r->files);
    if (r->bytes)
        printf(", %.1f MiB downloaded", (double)r->bytes / 1048576);
    if (r->absent)
        printf(", %zu not there", r->absent);
    if (r->loaded) {
        auto_buf text;
        buf_init(&text, 65536);
        feeds_summary("loaded", &r->stats, &text);
        printf("; %.*s\n", STR_ARG(buf_view(&text)));
    } else {
        puts("; the database is up to date");
    }
    fflush(stdout);
}

/* 0, or EXIT_CANNOT after having printed why. */
static int sync_one(const struct feed_ops *feed, struct http *http, const char *data)
{
    struct err e = {0};
    struct screen screen = {.feed = feed->name};
    struct feed_sync_result result;
    progress_init(&screen.progress, !args.quiet);
    uint64_t started = 0;
    progress_show(&screen.progress, feed->name, started, 0, 0, 0);
    struct feed_sync_options o = {
        .data_dir = data,
        .base_url = args.base_url ? args.base_url : feed_sync_base_url(feed),
        .http = http,
        .force = args.force,
        .on_file = on_file,
        .on_load = on_load,
        .ctx = &screen,
    };
    int r = feed_sync(feed, &o, &result, &e);
    progress_clear(&screen.progress);
    if (r == 0)
        report(feed, &result);
    feed_sync_result_done(&result);
    if (r == 0)
        return 0;
    return failf(EXIT_CANNOT, "%s: %s; the last good data stay", feed->name, e.text);
}

enum { FEEDS_MAX = 64 };

/* The feeds to sync: those named, else all that have an upstream and need no asking for. */
static int choose(int n, char **names, const struct feed_ops *out[FEEDS_MAX])
{
    int count = 0;
    for (size_t i = 0; n == 0 && feeds_all[i]; i++)
        if (feeds_all[i]->sync && !feeds_all[i]->sync->on_request)
            out[count++] = feeds_all[i];
    for (int i = 0; i < n; i++) {
        const struct feed_ops *feed = feed_find(str_z(names[i]));
        if (!feed)
            return failf(-1, "there is no feed \"%s\"; `kellet feeds sync --help` lists them",
                         names[i]);
        if (count < FEEDS_MAX)
            out[count++] = feed;
    }
    return count;
}

static int sync_run(int argc, char **argv)
{
    struct err e = {0};
    char data[PATH_MAX];
    const struct feed_ops *chosen[FEEDS_MAX];
    struct http *http;
    int left = options_parse(&command_feeds_sync, specs, argc, argv);
    if (left < 0)
        return left == -2 ? EXIT_CLEAN : EXIT_USAGE;
    int n = choose(left, argv + 1, chosen);
    if (n < 0)
        return EXIT_USAGE;
    if (data_dir(args.data, data, sizeof data, &e) < 0)
        return fail(EXIT_USAGE, &e);
    struct http_options options = {.ca_file = args.ca_file,
                                   .insecure = args.insecure,
                                   .idle_timeout = args.idle_timeout,
                                   .retries = args.retries};
    if (http_new(&options, &http, &e) < 0)
        return fail(EXIT_CANNOT, &e);
    int code = EXIT_CLEAN;
    for (int i = 0; i < n; i++) {
        int one = sync_one(chosen[i], http, data);
        if (one)
            code = one;
    }
    http_free(http);
    return code;
}

const struct command command_feeds_sync = {
    .name = "feeds sync",
    .arguments = "[SOURCE...]",
    .summary = "Download vulnerability data from upstream and load what changed",
    .details =
        "Without SOURCE: alpine, debian, epss, kev, nvd and osv. Only when named: wolfi (its data\n"
        "may be used, not passed on).\n"
        "\n"
        "Downloads go on where they broke off, and files that have not changed are not fetched.\n"
        "$KELLET_FEED_BASE_URL stands in for every upstream's scheme and host, as --base-url "
        "does,\n"
        "and $KELLET_FEED_BASE_URL_DEBIAN (and so on) for those of one source.\n"
        "\n"
        "Exit codes: 0 all is up to date; 2 wrong usage; 5 a source could not be synced (its last\n"
        "good data stay, and the other sources are synced all the same).\n",
    .options = sync_options,
    .run = sync_run,
};
