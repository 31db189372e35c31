/* feeds_load.c - `kellet feeds load`: an upstream's local files into the database. */
#include "cli/feeds.h"
#include "cli/progress.h"
#include "feeds/feeds.h"

#include <stdio.h>
#include <unistd.h>

static const char *data, *as;
static bool quiet;

static const struct option_spec specs[] = {
    {"as", 0, OPT_TEXT, "NAME", "store as source NAME instead of the driver's own name", &as, NULL},
    {"data", 0, OPT_TEXT, "DIR", "where the data live", &data, "@dir"},
    {"quiet", 'q', OPT_FLAG, NULL, "print nothing when all goes well", &quiet, NULL},
    {0},
};

static const struct option_spec *load_options(void)
{
    return specs;
}

static void show_step(void *ctx, str path, uint64_t inputs, uint64_t bytes)
{
    progress_show(ctx, "reading", bytes, 0, 0, 0);
}

static void show_waiting(void *ctx)
{
    progress_clear(ctx);
    fputs("kellet: another `kellet feeds` is installing data; waiting for it\n", stderr);
}

static int unknown_feed(const char *name)
{
    auto_buf known;
    buf_init(&known, 4096);
    for (size_t i = 0; feeds_all[i]; i++)
        buf_addf(&known, "%s%s", i ? ", " : "", feeds_all[i]->name);
    return failf(EXIT_USAGE, "there is no feed \"%s\"; there are %s", name, buf_z(&known));
}

static int load(const struct feed_ops *feed, const char *source, struct vulndb_builder *b,
                const char *const *paths, size_t n_paths)
{
    struct err e = {0};
    struct vulndb_stats stats;
    struct progress progress;
    progress_init(&progress, !quiet);
    struct feed_progress steps = {show_step, &progress};
    vulndb_builder_waiting(b, show_waiting, &progress);
    int r = feeds_load(feed, paths, n_paths, vulndb_builder_sink(b), &steps, &e);
    if (r == 0) {
        progress_show(&progress, "writing", 0, 0, 0, 0);
        r = vulndb_builder_install(b, &stats, &e);
    }
    progress_clear(&progress);
    if (r < 0)
        return fail(EXIT_CANNOT, &e);
    auto_buf line;
    buf_init(&line, 1 << 20);
    feeds_summary(source, &stats, &line);
    if (!quiet)
        printf("%s\n", buf_z(&line));
    return EXIT_CLEAN;
}

static int load_run(int argc, char **argv)
{
    char dir[4096];
    struct err e = {0};
    int left = options_parse(&command_feeds_load, specs, argc, argv);
    if (left < 0)
        return left == -2 ? EXIT_CLEAN : EXIT_USAGE;
    if (left < 2)
        return failf(EXIT_USAGE, "feeds load takes a source and the files or directories to read");
    const struct feed_ops *feed = feed_find(str_z(argv[1]));
    if (!feed)
        return unknown_feed(argv[1]);
    const char *source = as ? as : feed->name;
    struct vulndb_builder *b;
    if (data_dir(data, dir, sizeof dir, &e) < 0 ||
        vulndb_builder_new(dir, str_z(source), &b, &e) < 0)
        return fail(EXIT_USAGE, &e);
    int code = load(feed, source, b, (const char *const *)argv + 2, (size_t)left - 1);
    vulndb_builder_free(b);
    return code;
}

const struct command command_feeds_load = {
    .name = "feeds load",
    .arguments = "SOURCE PATH...",
    .summary = "Read an upstream's files into the database",
    .details =
        "SOURCE names the driver: alpine, debian, epss, kev, nvd, osv ... PATH is a file, a "
        "directory or an\narchive (tar or zip), compressed or not.\n\n"
        "A load replaces everything that the source held before. Sets of the same format live side "
        "by side\nunder names of their own; a second set loaded under the same name (without --as: "
        "the driver's)\nreplaces the first:\n\n"
        "  kellet feeds load osv --as alma  osv-database/advisories\n"
        "  kellet feeds load osv --as go    go-vulndb.tar.zst\n\n"
        "When the input cannot be read the exit code is 5 and the data of before stay.\n",
    .options = load_options,
    .run = load_run,
};
