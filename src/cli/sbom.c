/* sbom.c - `kellet sbom SOURCE`: what is in an image, without looking for vulnerabilities. */
#include "cli/output.h"
#include "cli/source.h"
#include "report/completeness.h"

static struct {
    struct source_args source;
    struct option_list output;
    bool timestamp, allow_incomplete;
} args;

static const struct option_spec specs[] = {
    {"output", 'o', OPT_LIST, "FORMAT[=FILE]", "cyclonedx, json or table; may be repeated",
     &args.output, "cyclonedx json table"},
    {"allow-incomplete", 0, OPT_FLAG, NULL, "exit with 0 instead of 3; the document still tells",
     &args.allow_incomplete, NULL},
    {"timestamp", 0, OPT_FLAG, NULL, "put the time (or $SOURCE_DATE_EPOCH) into the document",
     &args.timestamp, NULL},
    SOURCE_OPTIONS(args.source),
    {0},
};

static const struct option_spec *sbom_options(void)
{
    return specs;
}

static int sbom_run(int argc, char **argv)
{
    struct outputs outputs;
    auto_inventory inv = NULL;
    int left = options_parse(&command_sbom, specs, argc, argv);
    if (left < 0)
        return left == -2 ? EXIT_CLEAN : EXIT_USAGE;
    if (left != 1)
        return failf(EXIT_USAGE, "sbom takes one SOURCE, for example alpine:3.18");
    int code = outputs_parse(&args.output, true, &outputs);
    if (!code)
        code = source_scan(&args.source, argv[1], &inv);
    if (code)
        return code;
    struct report_input in = {.inventory = inv,
                              .timestamp = args.timestamp ? output_timestamp() : 0};
    code = outputs_write(&outputs, &in);
    if (code)
        return code;
    return args.allow_incomplete || completeness_of(&in).complete ? EXIT_CLEAN : EXIT_INCOMPLETE;
}

const struct command command_sbom = {
    .name = "sbom",
    .arguments = "SOURCE",
    .summary = "List what an image contains, as a software bill of materials",
    .details = SOURCE_HELP
    "\n"
    "Exit codes: 0 everything recognised was read; 2 wrong usage; 3 something could not be read;\n"
    "5 the source could not be scanned.\n",
    .options = sbom_options,
    .run = sbom_run,
};
