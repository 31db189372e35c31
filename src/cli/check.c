/* check.c - `kellet check SOURCE --policy FILE`: the engine's verdict on an image, without one. */
#include "base/auto.h"
#include "cli/coverage.h"
#include "cli/output.h"
#include "cli/policy.h"
#include "report/table_tail.h"
#include "services/policy_engine/policy_document.h"

#include <unistd.h>

static struct {
    struct judge_args judge;
    struct coverage_args coverage;
    const char *policy, *output;
} args;

static const struct option_spec specs[] = {
    {"policy", 'p', OPT_TEXT, "FILE", "the policy bundle, JSON or YAML", &args.policy, "@file"},
    {"tag", 0, OPT_TEXT, "NAME", "the name to judge the image as (default: what the source says)",
     &args.judge.tag, NULL},
    {"dockerfile", 0, OPT_TEXT, "FILE", "what it was built from (default: guessed)",
     &args.judge.dockerfile, "@file"},
    {"analyzer-config", 0, OPT_TEXT, "FILE",
     "an engine's analyzer_config.yaml: which files and secrets are looked for",
     &args.judge.analyzer_config, "@file"},
    {"vex", 0, OPT_TEXT, "FILE", "what is said of vulnerabilities: OpenVEX, CSAF or CycloneDX",
     &args.judge.vex, "@file"},
    {"hints", 0, OPT_FLAG, NULL,
     "count packages that the image's /anchore_hints.json names (an engine's enable_hints)",
     &args.judge.hints, NULL},
    {"output", 'o', OPT_TEXT, "FORMAT", "table, or json: the document of the engine's API",
     &args.output, "table json"},
    COVERAGE_OPTIONS(args.coverage),
    SOURCE_OPTIONS(args.judge.source),
    {0},
};

static const struct option_spec *check_options(void)
{
    return specs;
}

static int print(const struct judged *j, const struct policy_bundle *b, bool json)
{
    struct err e = {0};
    auto_buf text;
    buf_init(&text, 1 << 30);
    int rc = 0;
    if (json)
        rc = policy_document_write(j->verdict, b, policy_scan_subject(j->scan),
                                   policy_name_word(policy_scan_name(j->scan)), &text, &e);
    else
        judged_table(j, wants_color(STDOUT_FILENO), terminal_width(STDOUT_FILENO), &text);
    if (rc >= 0)
        rc = buf_check(&text, "the verdict", &e);
    if (rc < 0)
        return fail(EXIT_CANNOT, &e);
    if (fwrite(text.p, 1, text.n, stdout) != text.n || fflush(stdout))
        return failf(EXIT_CANNOT, "cannot write the verdict");
    return 0;
}

/* The API's document has no place for it. */
static void tell_guessed_name(const struct judged *j)
{
    const struct policy_name *name = policy_scan_name(j->scan);
    if (name->source != NAME_NONE && !name->only_tag)
        return;
    str reason = policy_name_reason(name);
    failf(0, "judged as %.*s: %.*s", STR_ARG(name->text), STR_ARG(reason));
}

static void tell_incomplete(const struct judged *j)
{
    const struct report_input in = judged_input(j);
    auto_buf text;
    buf_init(&text, 1 << 20);
    if (judged_complete(j))
        return;
    put_completeness(&in, &(struct report_style){0}, &text);
    fprintf(stderr, "%.*s", STR_ARG(str_trim(buf_view(&text))));
    fputc('\n', stderr);
}

static int exit_code_of(const struct judged *j)
{
    const struct report_input in = judged_input(j);
    if (!policy_passes(j->verdict))
        return EXIT_FAILED;
    if (j->needs & (PART_PACKAGES | PART_FINDINGS))
        return coverage_exit_code(&args.coverage, &in);
    return judged_complete(j) || args.coverage.allow_incomplete ? EXIT_CLEAN : EXIT_INCOMPLETE;
}

static int check_run(int argc, char **argv)
{
    auto_bundle bundle = NULL;
    struct judged j;
    int left = options_parse(&command_check, specs, argc, argv);
    if (left < 0)
        return left == -2 ? EXIT_CLEAN : EXIT_USAGE;
    if (left != 1)
        return failf(EXIT_USAGE, "check takes one SOURCE, for example alpine:3.18");
    if (!args.policy)
        return failf(EXIT_USAGE, "check needs --policy FILE");
    bool json = args.output && strcmp(args.output, "json") == 0;
    if (args.output && !json && strcmp(args.output, "table") != 0)
        return failf(EXIT_USAGE, "-o takes table or json, not \"%s\"", args.output);
    int code = coverage_check(&args.coverage);
    if (!code)
        code = policy_file_compile(args.policy, &bundle);
    if (code)
        return code;
    code = judge_source(&args.judge, argv[1], bundle, &j);
    if (!code)
        code = print(&j, bundle, json);
    if (!code && json) {
        tell_guessed_name(&j);
        tell_incomplete(&j);
    }
    if (!code)
        code = exit_code_of(&j);
    judged_done(&j);
    return code;
}

const struct command command_check = {
    .name = "check",
    .arguments = "SOURCE",
    .summary = "Judge an image by a policy bundle, as the engine would",
    .details = SOURCE_HELP
    "import:PATH is an image that an SBOM describes: Syft's JSON of an image, or a directory with\n"
    "what one uploads to an engine (packages, manifest, image_config, dockerfile). Of its files\n"
    "nothing is known: a pass is incomplete when the bundle looks at them.\n"
    "\n"
    "Mappings, allowlists and lists of images are chosen by the image's name, which the verdict\n"
    "says: --tag; else the name in SOURCE as it is written there, as an engine takes it "
    "(alpine:3.18\n"
    "is docker.io/alpine:3.18); else the first name that an archive, layout, local engine or SBOM\n"
    "gives it; else localhost/image:latest.\n"
    "\n"
    "The image is scanned as the engine does it - packages, files, secrets, vulnerabilities - and\n"
    "evaluated against the bundle. With -o json the answer is that of the engine's API\n"
    "(GET /images/{digest}/check). Rules about other images of an account (the base image, the\n"
    "tag's image before) find none, and findings count as first seen now.\n"
    "\n"
    "--vex gives findings the status that the document's statements have for them, which rules "
    "ask\n"
    "for with vex_status (none: no statement). By itself it suppresses nothing.\n"
    "\n"
    "A pass that rests on less than the whole image does not look like one: the table says what\n"
    "could not be read or looked up (with -o json standard error does), and so does the exit "
    "code.\n"
    "\n"
    "Exit codes: 0 pass; 1 fail; 2 wrong usage, or no bundle; 3 pass, but something in the image\n"
    "could not be read or looked up; 4 pass, but a rule asks for vulnerabilities and there are no\n"
    "data for what was found, or they are older than --max-data-age; 5 the source could not be\n"
    "scanned.\n",
    .options = check_options,
    .run = check_run,
};
