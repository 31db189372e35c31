/* scan.c - `kellet scan SOURCE`: the vulnerabilities of one image, and what could not be seen. */
#include "base/auto.h"
#include "cli/coverage.h"
#include "cli/explain.h"
#include "cli/output.h"
#include "cli/policy.h"

#include <time.h>

static struct {
    struct source_args source;
    struct judge_args judge; /* its source is not used */
    struct coverage_args coverage;
    struct option_list output;
    const char *fail_on, *explain, *policy;
    bool only_fixed, timestamp;
} args;

static const struct option_spec specs[] = {
    {"output", 'o', OPT_LIST, "FORMAT[=FILE]", "table, json or cyclonedx; may be repeated",
     &args.output, "table json cyclonedx"},
    {"fail-on", 0, OPT_TEXT, "SEVERITY", "exit with 1 when something this bad or worse is found",
     &args.fail_on, "unknown negligible low medium high critical"},
    {"only-fixed", 0, OPT_FLAG, NULL, "leave out what has no fix yet", &args.only_fixed, NULL},
    COVERAGE_OPTIONS(args.coverage),
    {"policy", 'p', OPT_TEXT, "FILE", "judge by this bundle too; exit with 1 when it says stop",
     &args.policy, "@file"},
    {"vex", 0, OPT_TEXT, "FILE", "with --policy: OpenVEX, CSAF or CycloneDX statements",
     &args.judge.vex, "@file"},
    {"tag", 0, OPT_TEXT, "NAME", "with --policy: the name to judge the image as", &args.judge.tag,
     NULL},
    {"dockerfile", 0, OPT_TEXT, "FILE", "with --policy: what the image was built from",
     &args.judge.dockerfile, "@file"},
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

/* What was asked for, checked. */
struct request {
    struct outputs outputs;
    int threshold; /* enum severity, or -1 */
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
    if (!args.policy && (args.judge.tag || args.judge.dockerfile || args.judge.vex))
        return failf(EXIT_USAGE, "--tag, --dockerfile and --vex are for --policy");
    if (args.policy && args.explain)
        return failf(EXIT_USAGE, "--explain and --policy do not go together");
    return coverage_check(&args.coverage);
}

static bool has_failed(const struct report_input *in, const struct request *r)
{
    for (size_t i = 0; r->threshold >= 0 && i < in->findings->n; i++)
        if ((int)in->findings->items[i].severity >= r->threshold)
            return true;
    if (!in->verdict || policy_passes(in->verdict))
        return false;
    failf(0, "the policy's verdict is fail (%zu rows)", in->verdict->n_rows);
    return true;
}

static int report(const struct request *r, struct report_input *in, struct findings *f)
{
    in->timestamp = args.timestamp ? output_timestamp() : 0;
    in->now = (int64_t)time(NULL);
    if (args.only_fixed)
        in->not_shown = hide_unfixed(f);
    int code = outputs_write(&r->outputs, in);
    if (code)
        return code;
    return has_failed(in, r) ? EXIT_FAILED : coverage_exit_code(&args.coverage, in);
}

static int scan_only(const struct request *r, const char *source)
{
    struct err e = {0};
    auto_vulndb db = NULL;
    auto_inventory inv = NULL;
    struct findings *f KE_CLEANUP(findings_drop) = NULL;
    int code = source_open_data(&args.source, &db);
    if (!code)
        code = source_scan(&args.source, source, &inv);
    if (code)
        return code;
    if (match_inventory(db, inv, &f, &e) < 0)
        return fail(EXIT_CANNOT, &e);
    struct report_input in = {.inventory = inv, .findings = f};
    return report(r, &in, f);
}

static int scan_and_judge(const struct request *r, const char *source)
{
    auto_bundle bundle = NULL;
    struct judged j;
    int code = policy_file_compile(args.policy, &bundle);
    if (code)
        return code;
    args.judge.source = args.source;
    args.judge.findings = true;
    code = judge_source(&args.judge, source, bundle, &j);
    if (!code) {
        struct report_input in = judged_input(&j);
        code = report(r, &in, j.found);
    }
    judged_done(&j);
    return code;
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
    return args.policy ? scan_and_judge(&r, argv[1]) : scan_only(&r, argv[1]);
}

const struct command command_scan = {
    .name = "scan",
    .arguments = "SOURCE",
    .summary = "Find the known vulnerabilities of an image",
    .details = SOURCE_HELP
    "\n"
    "Exit codes: 0 scanned, and nothing at or above --fail-on; 1 something at or above\n"
    "--fail-on was found, or the bundle of --policy says stop; 2 wrong usage; 3 nothing like that "
    "was found, but something in the\n"
    "image could not be read; 4 likewise, but there are no vulnerability data for what was\n"
    "found, or they are older than --max-data-age; 5 the source could not be scanned.\n"
    "\n"
    "Without --fail-on, vulnerabilities are only reported: the exit code then says whether the\n"
    "scan was complete. Data have no maximum age unless --max-data-age gives one, since a\n"
    "machine without a network cannot help it; the report always names their dates.\n"
    "\n"
    "With --policy the image is also judged by a policy bundle, as `kellet check` does, and the\n"
    "table and the JSON report have the verdict's rows.\n",
    .options = scan_options,
    .run = scan_run,
};
