/* feeds_load.c - `kellet feeds load`: an upstream's local files into the database. */
#include "base/vec.h"
#include "cli/feeds.h"
#include "cli/progress.h"
#include "feeds/feeds.h"
#include "vulndb/adopt.h"

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

/* ---- feeds of many sources ---------------------------------------------------------------------
 */

enum { SOURCES_MAX = 2000 };
struct sources {
    struct feed_sinks sinks; /* first */
    const char *dir;
    VEC(struct one_source {
        char name[256];
        struct vulndb_builder *builder; /* NULL: nothing is said of it */
    })
    all;
};

static int source_sink(struct feed_sinks *sinks, str name, bool none, struct claim_sink **out,
                       struct err *e)
{
    struct sources *s = (struct sources *)sinks;
    struct one_source *one = NULL;
    for (size_t i = 0; i < s->all.n && !one; i++)
        if (str_eq(str_z(s->all.p[i].name), name))
            one = &s->all.p[i];
    if (!one && s->all.n == SOURCES_MAX)
        return err_set(e, ERR_LIMIT, "there are more than %d sources", SOURCES_MAX);
    if (!one) {
        if (!(one = vec_push(&s->all)))
            return err_no_memory(e);
        *one = (struct one_source){0};
        snprintf(one->name, sizeof one->name, "%.*s", STR_ARG(name));
    }
    if (none)
        return 0;
    int r = one->builder ? 0 : vulndb_builder_new(s->dir, name, &one->builder, e);
    if (r == 0)
        *out = vulndb_builder_sink(one->builder);
    return r;
}

static int install_source(const struct sources *s, const struct one_source *one,
                          struct progress *progress, struct err *e)
{
    struct vulndb_stats stats;
    auto_buf line;
    buf_init(&line, 1 << 20);
    if (!one->builder) {
        int r = vulndb_remove(s->dir, str_z(one->name), e);
        return r < 0 ? r : 0;
    }
    vulndb_builder_waiting(one->builder, show_waiting, progress);
    int r = vulndb_builder_install(one->builder, &stats, e);
    if (r < 0)
        return err_wrap(e, "%s", one->name);
    progress_clear(progress);
    feeds_summary(one->name, &stats, &line);
    if (!quiet)
        printf("%s\n", buf_z(&line));
    return 0;
}

/* Nothing is installed unless all could be read. */
static int load_many(const struct feed_ops *feed, const char *dir, const char *const *paths,
                     size_t n_paths)
{
    struct err e = {0};
    struct progress progress;
    struct sources s = {.sinks = {source_sink}, .dir = dir};
    progress_init(&progress, !quiet);
    struct feed_progress steps = {show_step, &progress};
    int r = feeds_load_many(feed, paths, n_paths, &s.sinks, &steps, &e);
    for (size_t i = 0; r == 0 && i < s.all.n; i++)
        r = install_source(&s, &s.all.p[i], &progress, &e);
    progress_clear(&progress);
    for (size_t i = 0; i < s.all.n; i++)
        vulndb_builder_free(s.all.p[i].builder);
    vec_done(&s.all);
    return r < 0 ? fail(EXIT_CANNOT, &e) : EXIT_CLEAN;
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
    if (data_dir(data, dir, sizeof dir, &e) < 0)
        return fail(EXIT_USAGE, &e);
    if (feed->read_many && as)
        return failf(EXIT_USAGE, "--as: \"%s\" has sources of its own names", feed->name);
    if (feed->read_many)
        return load_many(feed, dir, (const char *const *)argv + 2, (size_t)left - 1);
    const char *source = as ? as : feed->name;
    struct vulndb_builder *b;
    if (vulndb_builder_new(dir, str_z(source), &b, &e) < 0)
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
        "SOURCE names the driver: alpine, anchore, debian, epss, kev, nvd, osv ... PATH is a file, "
        "a "
        "directory or an\narchive (tar or zip), compressed or not.\n\n"
        "A load replaces everything that the source held before. Sets of the same format live side "
        "by side\nunder names of their own; a second set loaded under the same name (without --as: "
        "the driver's)\nreplaces the first:\n\n"
        "  kellet feeds load osv --as alma  osv-database/advisories\n"
        "  kellet feeds load osv --as go    go-vulndb.tar.zst\n\n"
        "\"anchore\" reads records of the feed service of older engines, {feed: {group: [record]}} "
        "or files\nFEED/GROUP.jsonl; each group is a source of its own.\n\n"
        "When the input cannot be read the exit code is 5 and the data of before stay.\n",
    .options = load_options,
    .run = load_run,
};
