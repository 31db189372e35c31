/* scan.c - `kellet scan SOURCE`: the vulnerabilities of one image, and what could not be seen. */
#include "base/auto.h"
#include "cli/explain.h"
#include "cli/output.h"
#include "cli/source.h"
#include "report/completeness.h"

#include <time.h>

enum { DAY = 24 * 60 * 60 };

static struct {
    struct source_args source;
    struct option_list output;
    const char *fail_on, *explain, *max_age;
    bool only_fixed, timestamp, allow_incomplete;
} args;

static const struct option_spec specs[] = {
    {"output", 'o', OPT_LIST, "FORMAT[=FILE]", "table, json or cyclonedx; may be repeated",
     &args.output, "table json cyclonedx"},
    {"fail-on", 0, OPT_TEXT, "SEVERITY", "exit with 1 when something this bad or worse is found",
     &args.fail_on, "unknown negligible low medium high critical"},
    {"only-fixed", 0, OPT_FLAG, NULL, "leave out what has no fix yet", &args.only_fixed, NULL},
    {"max-data-age", 0, OPT_TEXT, "DAYS", "exit with 4 when data are older (default: no limit)",
     &args.max_age, NULL},
    {"allow-incomplete", 0, OPT_FLAG, NULL, "exit with 0 instead of 3 or 4; the report still tells",
     &args.allow_incomplete, NULL},
    {"explain", 0, OPT_TEXT, "CVE", "print why the image is or is not affected by this one",
     &args.explain, NULL},
    {"timestamp", 0, OPT_FLAG, NULL, "put the time (or $SOURCE_DATE_EPOCH) into the report",
     &args.timestamp, NULL},
    SOURCE_OPTIONS(args.source),
    {0},
};

static const struct option_spec *scan_options(void)
{
    return specs;
}

static void findings_drop(struct findings **f)
{
    findings_free(*f);
}

/* -1: not asked for; -2: no such severity. */
static int parse_threshold(const char *word)
{
    if (!word)
        return -1;
    for (int s = SEV_UNKNOWN; s <= SEV_CRITICAL; s++)
        if (str_eq_nocase(str_z(word), str_z(severity_name((enum severity)s))))
            return s;
    return -2;
}

/* Takes findings without a fix out; returns how many. */
static size_t hide_unfixed(struct findings *f)
{
    size_t kept = 0, all = f->n;
    for (size_t i = 0; i < all; i++)
        if (f->items[i].fix_state == FIX_FIXED)
            f->items[kept++] = f->items[i];
    f->n = kept;
    return all - kept;
}

static bool data_too_old(const struct findings *f, uint64_t max_days, int64_t now)
{
    bool old = false;
    for (size_t i = 0; i < f->n_data; i++) {
        const struct data_source *d = &f->data[i];
        int64_t age = (now - (d->upstream_date ? d->upstream_date : d->loaded)) / DAY;
        if (age <= 0 || (uint64_t)age <= max_days)
            continue;
        failf(0, "the data of %.*s are %lld days old (--max-data-age %llu)", STR_ARG(d->name),
              (long long)age, (unsigned long long)max_days);
        old = true;
    }
    return old;
}

/* What was asked for, checked. */
struct request {
    struct outputs outputs;
    int threshold; /* enum severity, or -1 */
    uint64_t max_days;
    bool has_max_days;
};

static int request_parse(struct request *r)
{
    int code = outputs_parse(&args.output, false, &r->outputs);
    if (code)
        return code;
    r->threshold = parse_threshold(args.fail_on);
    if (r->threshold == -2)
        return failf(EXIT_USAGE,
                     "--fail-on takes unknown, negligible, low, medium, high or "
                     "critical, not \"%s\"",
                     args.fail_on);
    r->has_max_days = args.max_age != NULL;
    if (r->has_max_days && !str_to_u64(str_z(args.max_age), &r->max_days))
        return failf(EXIT_USAGE, "--max-data-age takes a number of days, not \"%s\"", args.max_age);
    return 0;
}

static int exit_code_of(const struct report_input *in, const struct request *r)
{
    const struct findings *f = in->findings;
    for (size_t i = 0; r->threshold >= 0 && i < f->n; i++)
        if ((int)f->items[i].severity >= r->threshold)
            return EXIT_FAILED;
    struct completeness c = completeness_of(in);
    bool old = r->has_max_days && data_too_old(f, r->max_days, in->now);
    if (!f->n_data)
        failf(0, "there are no vulnerability data yet: `kellet feeds sync` gets them");
    if (args.allow_incomplete)
        return EXIT_CLEAN;
    if (c.data_missing || old)
        return EXIT_STALE;
    return c.complete ? EXIT_CLEAN : EXIT_INCOMPLETE;
}

static int report(const struct request *r, const struct inventory *inv, const struct vulndb *db)
{
    struct err e = {0};
    struct findings *f KE_CLEANUP(findings_drop) = NULL;
    if (match_inventory(db, inv, &f, &e) < 0)
        return fail(EXIT_CANNOT, &e);
    struct report_input in = {.inventory = inv,
                              .findings = f,
                              .timestamp = args.timestamp ? output_timestamp() : 0,
                              .now = (int64_t)time(NULL)};
    if (args.only_fixed)
        in.not_shown = hide_unfixed(f);
    int code = outputs_write(&r->outputs, &in);
    return code ? code : exit_code_of(&in, r);
}

static int scan_run(int argc, char **argv)
{
    struct request r;
    int left = options_parse(&command_scan, specs, argc, argv);
    if (left < 0)
        return left == -2 ? EXIT_CLEAN : EXIT_USAGE;
    if (left != 1)
        return failf(EXIT_USAGE, left ? "scan takes one SOURCE"
                                      : "scan what? Give a SOURCE, for example alpine:3.18");
    int code = request_parse(&r);
    if (code)
        return code;
    if (args.explain)
        return explain_source(&args.source, argv[1], args.explain);
    auto_vulndb db = NULL;
    code = source_open_data(&args.source, &db);
    if (code)
        return code;
    auto_inventory inv = NULL;
    code = source_scan(&args.source, argv[1], &inv);
    return code ? code : report(&r, inv, db);
}

const struct command command_scan = {
    .name = "scan",
    .arguments = "SOURCE",
    .summary = "Find the known vulnerabilities of an image",
    .details = SOURCE_HELP
    "\n"
    "Exit codes: 0 scanned, and nothing at or above --fail-on; 1 something at or above\n"
    "--fail-on was found; 2 wrong usage; 3 nothing like that was found, but something in the\n"
    "image could not be read; 4 likewise, but there are no vulnerability data for what was\n"
    "found, or they are older than --max-data-age; 5 the source could not be scanned.\n"
    "\n"
    "Without --fail-on, vulnerabilities are only reported: the exit code then says whether the\n"
    "scan was complete. Data have no maximum age unless --max-data-age gives one, since a\n"
    "machine without a network cannot help it; the report always names their dates.\n",
    .options = scan_options,
    .run = scan_run,
};
