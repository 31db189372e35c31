/* policy_test.c - `kellet policy test FILE`: images and the verdicts that a bundle must give. */
#include "base/auto.h"
#include "base/fs.h"
#include "cli/policy.h"
#include "codec/yaml.h"

static struct {
    struct source_args source;
    bool verbose;
} args;

static const struct option_spec specs[] = {
    {"verbose", 'v', OPT_FLAG, NULL, "print the verdict of every test", &args.verbose, NULL},
    SOURCE_OPTIONS(args.source),
    {0},
};

static const struct option_spec *test_options(void)
{
    return specs;
}

enum { PATH_SIZE = 4096, TEST_BYTES_MAX = 16 << 20 };

/* Paths in a test file are relative to it; so are the paths of sources with a prefix. */
static const char *near(str dir, str path, char out[PATH_SIZE])
{
    static const char *const prefixes[] = {"docker-archive:", "oci-archive:", "oci-dir:", "dir:"};
    str prefix = STR("");
    for (size_t i = 0; i < KE_ARRAY_LEN(prefixes); i++)
        if (str_starts(path, str_z(prefixes[i])))
            prefix = str_z(prefixes[i]);
    str rest = str_from(path, prefix.n);
    bool absolute = rest.n && rest.p[0] == '/';
    snprintf(out, PATH_SIZE, "%.*s%.*s%s%.*s", STR_ARG(prefix), STR_ARG(absolute ? STR("") : dir),
             absolute || !dir.n ? "" : "/", STR_ARG(rest));
    return out;
}

/* Does the row have all that the test says of it? */
static bool row_fits(const struct policy_row *r, yyjson_val *want)
{
    const struct {
        const char *key;
        str have;
    } members[] = {
        {"gate", str_z(r->gate)},
        {"trigger", str_z(r->trigger)},
        {"trigger_id", r->trigger_id},
        {"action", r->allowed ? STR("go") : str_z(policy_action_names[r->action])},
        {"rule_id", r->rule_id},
        {"policy_id", r->policy_id},
    };
    for (size_t i = 0; i < KE_ARRAY_LEN(members); i++) {
        str said = json_str(want, members[i].key);
        if (said.n && !str_eq_nocase(said, members[i].have))
            return false;
    }
    str part = json_str(want, "message");
    return !part.n || str_contains(r->message, part);
}

static bool any_row(const struct policy_verdict *v, yyjson_val *want)
{
    for (size_t i = 0; i < v->n_rows; i++)
        if (row_fits(&v->rows[i], want))
            return true;
    return false;
}

static bool told(str name, const char *what, str detail)
{
    printf("FAIL %.*s: %s%.*s\n", STR_ARG(name), what, STR_ARG(detail));
    return false;
}

static bool rows_fit(str name, const struct policy_verdict *v, yyjson_val *list, bool wanted)
{
    bool good = true;
    size_t i, n;
    yyjson_val *want;
    yyjson_arr_foreach(list, i, n, want)
    {
        if (any_row(v, want) == wanted)
            continue;
        char *text autofree = yyjson_val_write(want, 0, NULL);
        good = told(name, wanted ? "no row like " : "there is a row like ", str_z(text));
    }
    return good;
}

static bool verdict_fits(str name, const struct policy_verdict *v, yyjson_val *test)
{
    bool good = true;
    str expect = json_str(test, "expect"), action = json_str(test, "final_action");
    str status = policy_passes(v) ? STR("pass") : STR("fail");
    if (expect.n && !str_eq_nocase(expect, status))
        good = told(name, "the verdict is ", status);
    if (action.n && !str_eq_nocase(action, str_z(policy_action_names[v->final_action])))
        good = told(name, "the final action is ", str_z(policy_action_names[v->final_action]));
    good &= rows_fit(name, v, json_get(test, "rows"), true);
    good &= rows_fit(name, v, json_get(test, "no_rows"), false);
    return good;
}

/* A pass that rests on less than the whole image proves nothing. */
static bool coverage_fits(str name, const struct judged *j, yyjson_val *test)
{
    if (!policy_passes(j->verdict) || judged_complete(j) ||
        str_eq_nocase(json_str(test, "allow_incomplete"), STR("true")))
        return true;
    return told(name, "the verdict is pass, but not everything could be seen that it rests on",
                STR(" (allow_incomplete: true accepts that)"));
}

static int run_one(str dir, yyjson_val *test, size_t at, const struct policy_bundle *b)
{
    char source[PATH_SIZE], dockerfile[PATH_SIZE], number[32];
    struct judge_args judge = {.source = args.source};
    struct judged j;
    struct err e = {0};
    snprintf(number, sizeof number, "test %zu", at + 1);
    str name = json_str(test, "name").n ? json_str(test, "name") : str_z(number);
    str image = json_str(test, "image"), file = json_str(test, "dockerfile");
    if (!image.n || !(json_str(test, "expect").n || json_str(test, "final_action").n ||
                      json_get(test, "rows") || json_get(test, "no_rows"))) {
        err_set(
            &e, ERR_USAGE,
            "%.*s: a test says \"image\" and at least one of expect, final_action, rows, no_rows",
            STR_ARG(name));
        return fail(EXIT_USAGE, &e);
    }
    judge.tag = json_str(test, "tag").p;
    judge.source.no_progress = true;
    if (file.n)
        judge.dockerfile = near(dir, file, dockerfile);
    int code = judge_source(&judge, near(dir, image, source), b, &j);
    if (!code) {
        bool good = verdict_fits(name, j.verdict, test);
        good &= coverage_fits(name, &j, test);
        if (good)
            printf("ok   %.*s\n", STR_ARG(name));
        if (args.verbose || !good) {
            auto_buf text;
            buf_init(&text, 1 << 30);
            judged_table(&j, false, 0, &text);
            printf("%.*s", (int)text.n, text.n ? text.p : "");
        }
        code = good ? EXIT_CLEAN : EXIT_FAILED;
    }
    judged_done(&j);
    return code;
}

static int run_all(str dir, yyjson_val *root)
{
    char path[PATH_SIZE];
    auto_bundle bundle = NULL;
    size_t i, n;
    yyjson_val *test, *tests = json_get(root, "tests");
    str file = json_str(root, "bundle");
    if (!file.n || !yyjson_arr_size(tests))
        return failf(EXIT_USAGE, "a test file says \"bundle\" (a file) and \"tests\" (a list)");
    int worst = policy_file_compile(near(dir, file, path), &bundle);
    if (worst)
        return worst;
    yyjson_arr_foreach(tests, i, n, test)
    {
        int code = run_one(dir, test, i, bundle);
        if (code > worst)
            worst = code;
    }
    return worst;
}

static int test_run(int argc, char **argv)
{
    struct err e = {0};
    auto_buf text = {0};
    auto_json *doc = NULL;
    int left = options_parse(&command_policy_test, specs, argc, argv);
    if (left < 0)
        return left == -2 ? EXIT_CLEAN : EXIT_USAGE;
    if (left != 1)
        return failf(EXIT_USAGE, "policy test takes one FILE");
    buf_init(&text, TEST_BYTES_MAX);
    int code = policy_file_read(argv[1], &text);
    if (code)
        return code;
    /* JSON is YAML too. */
    const struct yaml_options o = {.all_strings = true};
    if (yaml_parse(buf_view(&text), argv[1], &o, &doc, &e) < 0)
        return fail(EXIT_USAGE, &e);
    return run_all(str_dirname(str_z(argv[1])), yyjson_doc_get_root(doc));
}

const struct command command_policy_test = {
    .name = "policy test",
    .arguments = "FILE",
    .summary = "Check that a bundle gives images the verdicts that are expected",
    .details =
        "FILE, in YAML or JSON, names a bundle and a list of tests; paths are relative to it:\n"
        "\n"
        "  bundle: policy.json\n"
        "  tests:\n"
        "    - name: no ssh\n"
        "      image: oci-dir:images/app      (any SOURCE of `kellet check`)\n"
        "      tag: docker.io/team/app:1      (optional, as are all that follow)\n"
        "      dockerfile: Dockerfile\n"
        "      expect: fail                   (or pass)\n"
        "      final_action: stop             (or warn, go)\n"
        "      rows:                          (each must be there)\n"
        "        - {gate: dockerfile, trigger: exposed_ports, message: port (22)}\n"
        "      no_rows:                       (none may be there)\n"
        "        - {gate: secret_scans}\n"
        "      allow_incomplete: true         (or a pass on missing data fails the test)\n"
        "\n"
        "A test whose verdict is pass fails when something in the image could not be read, or when "
        "a\n"
        "rule asks for vulnerabilities and there are no data for what was found.\n"
        "\n"
        "Exit codes: 0 all as expected; 1 some are not; 2 wrong usage; 5 an image could not be\n"
        "scanned.\n",
    .options = test_options,
    .run = test_run,
};
