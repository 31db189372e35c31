/* feeds_status.c - `kellet feeds status` and `kellet feeds verify`. */
#include "cli/feeds.h"
#include "codec/json.h"
#include "feeds/feeds.h"

#include <stdio.h>
#include <time.h>

static const char *data, *format;

static const struct option_spec status_specs[] = {
    {"data", 0, OPT_TEXT, "DIR", "where the data live", &data, "@dir"},
    {"output", 'o', OPT_TEXT, "FORMAT", "table (default) or json", &format, "table json"},
    {0},
};
static const struct option_spec verify_specs[] = {
    {"data", 0, OPT_TEXT, "DIR", "where the data live", &data, "@dir"},
    {0},
};

static const struct option_spec *status_options(void)
{
    return status_specs;
}
static const struct option_spec *verify_options(void)
{
    return verify_specs;
}

static void put_size(uint64_t bytes, struct buf *out)
{
    if (bytes >= 1 << 20)
        buf_addf(out, "%.1f MiB", (double)bytes / (1 << 20));
    else
        buf_addf(out, "%.1f KiB", (double)bytes / 1024);
}

static void print_row(const struct vulndb_source *s, int64_t now)
{
    auto_buf age, loaded, size;
    buf_init(&age, 256);
    buf_init(&loaded, 256);
    buf_init(&size, 256);
    if (s->upstream_date)
        feeds_age(s->upstream_date, now, &age);
    else
        buf_add_str(&age, STR("unknown"));
    feeds_time(s->loaded, &loaded);
    put_size(s->bytes, &size);
    printf("%-16.*s %10llu %10llu %10llu %10llu  %-12s %-21s %11s\n", STR_ARG(s->name),
           (unsigned long long)s->records, (unsigned long long)s->vulns,
           (unsigned long long)s->claims, (unsigned long long)s->dropped, buf_z(&age),
           buf_z(&loaded), buf_z(&size));
}

static void print_table(const struct vulndb_source *s, size_t n)
{
    int64_t now = time(NULL);
    printf("%-16s %10s %10s %10s %10s  %-12s %-21s %11s\n", "SOURCE", "RECORDS", "VULNS", "CLAIMS",
           "DROPPED", "AGE OF DATA", "LOADED", "SIZE");
    for (size_t i = 0; i < n; i++)
        print_row(&s[i], now);
}

static void put_member(struct buf *b, const char *key, str value)
{
    buf_addf(b, ", \"%s\": ", key);
    json_put_string(b, value);
}

static void put_source(struct buf *b, const struct vulndb_source *s)
{
    const struct feed_ops *feed = feed_find(s->name);
    buf_add_str(b, STR("  {\"name\": "));
    json_put_string(b, s->name);
    buf_addf(b, ", \"records\": %llu, \"vulns\": %llu, \"claims\": %llu, \"dropped\": %llu",
             (unsigned long long)s->records, (unsigned long long)s->vulns,
             (unsigned long long)s->claims, (unsigned long long)s->dropped);
    buf_addf(b, ", \"bytes\": %llu", (unsigned long long)s->bytes);
    feeds_put_time(b, "loaded", s->loaded);
    feeds_put_time(b, "upstream_date", s->upstream_date);
    put_member(b, "upstream_version", s->upstream_version);
    put_member(b, "digest", s->digest);
    if (feed && feed->licence)
        put_member(b, "licence", str_z(feed->licence));
    buf_add_str(b, STR(", \"drops\": {"));
    for (size_t i = 0; i < s->n_drops; i++) {
        buf_add_str(b, i ? STR(", ") : STR(""));
        json_put_string(b, str_z(s->drops[i].reason));
        buf_addf(b, ": %llu", (unsigned long long)s->drops[i].n);
    }
    buf_add_str(b, STR("}}"));
}

static void print_json(const struct vulndb_source *s, size_t n)
{
    auto_buf b;
    buf_init(&b, 64 << 20);
    buf_add_str(&b, STR("{\"sources\": ["));
    for (size_t i = 0; i < n; i++) {
        buf_add_str(&b, i ? STR(",\n") : STR("\n"));
        put_source(&b, &s[i]);
    }
    buf_add_str(&b, STR("\n]}\n"));
    fwrite(b.p, 1, b.n, stdout);
}

static int status_run(int argc, char **argv)
{
    int left = options_parse(&command_feeds_status, status_specs, argc, argv);
    if (left < 0)
        return left == -2 ? EXIT_CLEAN : EXIT_USAGE;
    bool json = format && strcmp(format, "json") == 0;
    if (left || (format && !json && strcmp(format, "table") != 0))
        return failf(EXIT_USAGE, "feeds status takes no arguments, and -o table or -o json");
    struct vulndb *db;
    size_t n;
    int code = feeds_open(data, &db);
    if (code)
        return code;
    const struct vulndb_source *s = vulndb_sources(db, &n);
    if (json)
        print_json(s, n);
    else
        print_table(s, n);
    vulndb_close(db);
    return EXIT_CLEAN;
}

static int verify_run(int argc, char **argv)
{
    struct err e = {0};
    struct vulndb *db;
    int left = options_parse(&command_feeds_verify, verify_specs, argc, argv);
    if (left)
        return left == -2 ? EXIT_CLEAN : EXIT_USAGE;
    int code = feeds_open(data, &db);
    if (code)
        return code;
    size_t n;
    vulndb_sources(db, &n);
    code = vulndb_verify(db, &e) < 0 ? fail(EXIT_CANNOT, &e) : EXIT_CLEAN;
    if (code == EXIT_CLEAN)
        printf("%zu sources: every file is what was installed\n", n);
    vulndb_close(db);
    return code;
}

const struct command command_feeds_status = {
    .name = "feeds status",
    .arguments = "",
    .summary = "List the sources of the database, with counts and age",
    .options = status_options,
    .run = status_run,
};

const struct command command_feeds_verify = {
    .name = "feeds verify",
    .arguments = "",
    .summary = "Check the digest of every file of the database",
    .options = verify_options,
    .run = verify_run,
};
