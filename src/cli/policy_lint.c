/* policy_lint.c - `kellet policy lint` and `kellet policy spec`: what is wrong with a bundle, and
 * what bundles may hold. */
#include "base/auto.h"
#include "base/text.h"
#include "cli/policy.h"
#include "codec/yaml.h"
#include "services/policy_schema.h"

#include <time.h>

static bool quiet, all;
static const char *output;

static const struct option_spec lint_specs[] = {
    {"quiet", 'q', OPT_FLAG, NULL, "print errors only", &quiet, NULL},
    {0},
};

static const struct option_spec spec_specs[] = {
    {"output", 'o', OPT_TEXT, "FORMAT", "json (default), or markdown: all of them in words",
     &output, "json markdown"},
    {"all", 'a', OPT_FLAG, NULL, "with gates, triggers and parameters of kellet's own", &all, NULL},
    {0},
};

static const struct option_spec *lint_options(void)
{
    return lint_specs;
}

static const struct option_spec *spec_options(void)
{
    return spec_specs;
}

static int parse_bundle(const char *path, yyjson_doc **out)
{
    struct err e = {0};
    auto_buf text;
    buf_init(&text, BUNDLE_BYTES_MAX);
    int code = policy_file_read(path, &text);
    if (code)
        return code;
    str name = str_z(path);
    bool yaml = str_ends(name, STR(".yaml")) || str_ends(name, STR(".yml"));
    int rc = yaml ? yaml_parse(buf_view(&text), path, NULL, out, &e)
                  : json_parse(buf_view(&text), path, out, &e);
    if (rc >= 0 && !yyjson_is_obj(yyjson_doc_get_root(*out)))
        rc = err_set(&e, ERR_FORMAT, "%s: a policy bundle is an object", path);
    return rc < 0 ? fail(EXIT_FAILED, &e) : 0;
}

static int print_problems(const char *path, const struct policy_problems *p)
{
    bool errors = false;
    for (size_t i = 0; i < p->n; i++) {
        bool error = strcmp(p->list[i].severity, "error") == 0;
        auto_buf text;
        buf_init(&text, 1 << 20);
        errors |= error;
        if (quiet && !error)
            continue;
        text_clean(p->list[i].details, &text);
        printf("%s: %s: %s: %.*s\n", path, p->list[i].severity, p->list[i].type,
               STR_ARG(buf_view(&text)));
    }
    if (p->total > p->n)
        printf("%s: and %zu more\n", path, p->total - p->n);
    return errors ? EXIT_FAILED : EXIT_CLEAN;
}

static int lint_file(const char *path)
{
    struct err e = {0};
    struct arena a;
    auto_json *doc = NULL;
    struct policy_problems found = {0};
    int code = parse_bundle(path, &doc);
    if (code)
        return code;
    arena_init(&a, 256 << 20);
    int n =
        policy_schema_lint(yyjson_doc_get_root(doc), (int64_t)time(NULL) * 1000000, &a, &found, &e);
    if (n < 0)
        err_wrap(&e, "%s", path);
    code = n < 0 ? fail(EXIT_CANNOT, &e) : print_problems(path, &found);
    arena_done(&a);
    return code;
}

static int lint_run(int argc, char **argv)
{
    int worst = EXIT_CLEAN;
    int left = options_parse(&command_policy_lint, lint_specs, argc, argv);
    if (left < 0)
        return left == -2 ? EXIT_CLEAN : EXIT_USAGE;
    if (!left)
        return failf(EXIT_USAGE, "policy lint takes one or more FILEs");
    for (int i = 1; i <= left; i++) {
        int code = lint_file(argv[i]);
        if (code > worst)
            worst = code;
    }
    return worst;
}

static int spec_markdown(void)
{
    auto_buf text;
    buf_init(&text, 4 << 20);
    gate_spec_markdown(&text);
    if (!buf_z(&text) || fputs(text.p, stdout) < 0 || fflush(stdout))
        return failf(EXIT_CANNOT, "cannot write");
    return EXIT_CLEAN;
}

static int spec_run(int argc, char **argv)
{
    struct err e = {0};
    int left = options_parse(&command_policy_spec, spec_specs, argc, argv);
    if (left)
        return left == -2 ? EXIT_CLEAN : EXIT_USAGE;
    if (output && strcmp(output, "markdown") == 0)
        return spec_markdown();
    if (output && strcmp(output, "json") != 0)
        return failf(EXIT_USAGE, "-o takes json or markdown, not \"%s\"", output);
    yyjson_mut_doc *d = yyjson_mut_doc_new(NULL);
    yyjson_mut_val *list = d ? yyjson_mut_arr(d) : NULL;
    int rc = list ? gate_spec_write(d, list, all, &e) : err_no_memory(&e);
    char *text autofree = NULL;
    if (rc >= 0 && !(text = yyjson_mut_val_write(list, YYJSON_WRITE_PRETTY_TWO_SPACES, NULL)))
        rc = err_no_memory(&e);
    yyjson_mut_doc_free(d);
    if (rc < 0)
        return fail(EXIT_CANNOT, &e);
    return puts(text) < 0 || fflush(stdout) ? failf(EXIT_CANNOT, "cannot write") : EXIT_CLEAN;
}

const struct command command_policy_lint = {
    .name = "policy lint",
    .arguments = "FILE...",
    .summary = "Say what is wrong with policy bundles, and what is likely not meant",
    .details = "Exit codes: 0 nothing, or warnings only; 1 errors: an engine would refuse it;\n"
               "2 wrong usage.\n",
    .options = lint_options,
    .run = lint_run,
};

const struct command command_policy_spec = {
    .name = "policy spec",
    .arguments = "",
    .summary = "Print the gates, triggers and parameters that bundles may use",
    .details = "As JSON what GET /system/policy_spec of the API gives.\n",
    .options = spec_options,
    .run = spec_run,
};
