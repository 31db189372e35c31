#include "cli/explain.h"

#include "base/fs.h"
#include "report/completeness.h"

#include <unistd.h>

enum { TEXT_MAX = 256 << 20 };

static struct source_args args;

static const struct option_spec specs[] = {
    SOURCE_OPTIONS(args),
    {0},
};

static const struct option_spec *explain_options(void)
{
    return specs;
}

static void findings_drop(struct findings **f)
{
    findings_free(*f);
}

/* Not affected as far as could be seen: how far was that? */
static int code_of_no(const struct vulndb *db, const struct inventory *inv, struct err *e)
{
    struct findings *f KE_CLEANUP(findings_drop) = NULL;
    if (match_inventory(db, inv, &f, e) < 0)
        return fail(EXIT_CANNOT, e);
    struct completeness c =
        completeness_of(&(struct report_input){.inventory = inv, .findings = f});
    return c.data_missing ? EXIT_STALE : c.complete ? EXIT_CLEAN : EXIT_INCOMPLETE;
}

int explain_source(const struct source_args *a, const char *source, const char *id)
{
    struct err e = {0};
    auto_vulndb db = NULL;
    auto_inventory inv = NULL;
    auto_buf text;
    buf_init(&text, TEXT_MAX);
    int code = source_open_data(a, &db);
    if (!code)
        code = source_scan(a, source, &inv);
    if (code)
        return code;
    int affected = match_explain(db, inv, str_z(id), &text, &e);
    if (affected < 0 || fs_write_all(STDOUT_FILENO, text.p, text.n, &e) < 0) {
        err_wrap(&e, "cannot explain %s", id);
        return fail(EXIT_CANNOT, &e);
    }
    return affected ? EXIT_FAILED : code_of_no(db, inv, &e);
}

static int explain_run(int argc, char **argv)
{
    int left = options_parse(&command_explain, specs, argc, argv);
    if (left < 0)
        return left == -2 ? EXIT_CLEAN : EXIT_USAGE;
    if (left != 2)
        return failf(EXIT_USAGE, "explain takes a SOURCE and an id: kellet explain alpine:3.18 "
                                 "CVE-2023-5363");
    return explain_source(&args, argv[1], argv[2]);
}

const struct command command_explain = {
    .name = "explain",
    .arguments = "SOURCE CVE",
    .summary = "Say why an image is, or is not, affected by a vulnerability",
    .details = SOURCE_HELP
    "\n"
    "CVE is any id that the data know: CVE-..., GHSA-..., DSA-.... Every claim about a package of\n"
    "the image is printed, with what it says and how the installed version compares.\n"
    "\n"
    "Exit codes: 1 affected; 0 not affected; 3 or 4 not found, but not everything could be seen;\n"
    "5 the source could not be scanned.\n",
    .options = explain_options,
    .run = explain_run,
};
