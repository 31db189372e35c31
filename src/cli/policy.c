/* policy.c - `kellet policy`: bundles without an engine, and what its subcommands share with
 * `kellet check`. */
#include "cli/policy.h"

#include "base/auto.h"
#include "base/clock.h"
#include "base/fs.h"
#include "base/text.h"
#include "cli/import_source.h"
#include "codec/yaml.h"
#include "report/completeness.h"
#include "report/table_tail.h"
#include "report/table_verdict.h"

#include <unistd.h>

static const struct command *const subcommands[] = {
    /* clang-format off */
    &command_policy_explain,
    &command_policy_lint,
    &command_policy_spec,
    &command_policy_test,
    NULL,
    /* clang-format on */
};

int policy_file_read(const char *path, struct buf *out)
{
    struct err e = {0};
    int rc = strcmp(path, "-") == 0 ? fs_read_fd(STDIN_FILENO, "standard input", out, &e)
                                    : fs_read(path, out, &e);
    return rc < 0 ? fail(EXIT_CANNOT, &e) : 0;
}

static bool is_yaml(const char *path)
{
    return str_ends(str_z(path), STR(".yaml")) || str_ends(str_z(path), STR(".yml"));
}

int policy_file_json(const char *path, struct buf *out)
{
    struct err e = {0};
    auto_json *doc = NULL;
    int code = policy_file_read(path, out);
    if (code || !is_yaml(path))
        return code;
    char *written autofree = NULL;
    int rc = yaml_parse(buf_view(out), path, NULL, &doc, &e);
    size_t n = 0;
    if (rc >= 0 && !(written = yyjson_write(doc, 0, &n)))
        rc = err_no_memory(&e);
    if (rc < 0) {
        err_wrap(&e, "%s", path);
        return fail(EXIT_USAGE, &e);
    }
    buf_clear(out);
    buf_add(out, written, n);
    return 0;
}

int policy_file_compile(const char *path, struct policy_bundle **out)
{
    struct err e = {0};
    auto_buf text;
    buf_init(&text, BUNDLE_BYTES_MAX);
    int code = policy_file_json(path, &text);
    if (code)
        return code;
    if (policy_bundle_new(buf_view(&text), out, &e) < 0) {
        err_wrap(&e, "%s", path);
        return fail(EXIT_USAGE, &e);
    }
    return 0;
}

/* ---- judging -----------------------------------------------------------------------------------
 */

static int read_dockerfile(const char *path, struct buf *out, str *text)
{
    if (!path)
        return 0;
    int code = policy_file_read(path, out);
    *text = out->n ? buf_view(out) : STR("");
    return code;
}

static int read_vex(const char *path, struct vex **out)
{
    struct err e = {0};
    auto_buf text;
    buf_init(&text, VEX_BYTES_MAX);
    *out = NULL;
    if (!path)
        return 0;
    int code = policy_file_read(path, &text);
    if (code)
        return code;
    if (vex_new(out, &e) < 0 || vex_read(*out, buf_view(&text), path, &e) < 0)
        return fail(EXIT_USAGE, &e);
    if (vex_unusable(*out))
        fprintf(stderr, "kellet: %s: %zu statements are about products without a package URL\n",
                path, vex_unusable(*out));
    return 0;
}

static void vex_drop(struct vex **v)
{
    vex_free(*v);
}

/* A pass must not rest on what an SBOM cannot say. */
static int note_import(struct inventory *inv, unsigned needs, struct err *e)
{
    const unsigned files = PART_FILES | PART_SEARCHES | PART_RETRIEVED | PART_MANIFESTS;
    return needs & files ? inventory_add_problem(
                               inv, "unsupported",
                               STR("an SBOM says nothing of files, which the policy looks at"), e)
                         : 0;
}

static int check_tag(const char *tag)
{
    struct err e = {0};
    return tag && policy_name_check(str_z(tag), &e) < 0 ? fail(EXIT_USAGE, &e) : 0;
}

int judge_source(const struct judge_args *a, const char *source, const struct policy_bundle *b,
                 struct judged *out)
{
    struct err e = {0};
    auto_buf dockerfile, ignored; /* the option's goes before the import's */
    str text = {0};
    *out = (struct judged){0};
    buf_init(&dockerfile, 16 << 20);
    buf_init(&ignored, 16 << 20);
    struct vex *vex __attribute__((cleanup(vex_drop))) = NULL;
    int code = check_tag(a->tag);
    if (!code)
        code = read_dockerfile(a->dockerfile, &dockerfile, &text);
    if (!code)
        code = read_vex(a->vex, &vex);
    if (!code && policy_scan_settings(a->analyzer_config, a->hints, &out->settings, &e) < 0)
        code = fail(EXIT_USAGE, &e);
    struct source_args args = a->source;
    if (!code && policy_bundle_needs(b) & PART_DIGESTS)
        out->settings->facts.digests = FACT_MD5 | FACT_SHA1;
    if (!code) {
        args.facts = &out->settings->facts;
        code = source_open_data(&args, &out->db);
    }
    bool imported = import_source_is(source);
    if (!code && imported)
        code = import_source_read(source, &out->inv, a->dockerfile ? &ignored : &dockerfile);
    else if (!code)
        code = source_scan(&args, source, &out->inv);
    if (code)
        return code;
    if (imported && note_import(out->inv, policy_bundle_needs(b), &e) < 0)
        return fail(EXIT_CANNOT, &e);
    if (imported && !text.p && dockerfile.n)
        text = buf_view(&dockerfile);
    int64_t now = clock_wall_us();
    const struct policy_scan_options o = {
        .inv = out->inv,
        .settings = out->settings,
        .db = out->db,
        .tag = str_z(a->tag),
        .dockerfile = text,
        .imported = imported,
        .vex = vex,
        .now_us = now,
    };
    if (policy_scan_new(&o, &out->scan, &e) < 0 ||
        policy_evaluate(b, policy_scan_subject(out->scan), &out->verdict, &e) < 0)
        return fail(EXIT_CANNOT, &e);
    out->now = now / 1000000;
    out->needs = policy_bundle_needs(b);
    if ((a->findings || out->needs & PART_FINDINGS) &&
        match_inventory(out->db, out->inv, &out->found, &e) < 0)
        return fail(EXIT_CANNOT, &e);
    return 0;
}

void judged_done(struct judged *j)
{
    policy_verdict_free(j->verdict);
    findings_free(j->found);
    policy_scan_free(j->scan);
    if (j->inv)
        inventory_free(j->inv);
    analyzer_settings_free(j->settings);
    if (j->db)
        vulndb_close(j->db);
}

/* ---- for people --------------------------------------------------------------------------------
 */

struct report_input judged_input(const struct judged *j)
{
    const struct policy_name *name = policy_scan_name(j->scan);
    return (struct report_input){
        .inventory = j->inv,
        .findings = j->found,
        .now = j->now,
        .verdict = j->verdict,
        .tag = name->text,
        .tag_source = policy_name_word(name),
        .tag_reason = policy_name_reason(name),
    };
}

bool judged_complete(const struct judged *j)
{
    const struct report_input in = judged_input(j);
    return j->needs & (PART_PACKAGES | PART_FINDINGS) ? completeness_of(&in).complete
                                                      : !j->inv->n_problems;
}

void judged_table(const struct judged *j, bool color, unsigned width, struct buf *out)
{
    const struct report_style style = {.color = color, .width = width};
    const struct report_input in = judged_input(j);
    bool complete = judged_complete(j);
    text_clean(in.tag, out);
    buf_add_char(out, ' ');
    text_clean(policy_scan_subject(j->scan)->image->digest, out);
    buf_add_char(out, '\n');
    put_tag_reason(&in, out);
    buf_add_str(out, STR("\n\n"));
    put_verdict(j->verdict, complete, &style, out);
    if (!complete)
        put_completeness(&in, &style, out);
}

static int policy_run(int argc, char **argv)
{
    if (argc > 1 && argv[1][0] != '-') {
        for (size_t i = 0; subcommands[i]; i++)
            if (strcmp(subcommands[i]->name + strlen("policy "), argv[1]) == 0)
                return subcommands[i]->run(argc - 1, argv + 1);
        return failf(EXIT_USAGE, "policy: there is no \"%s\"; `kellet policy --help` lists what is",
                     argv[1]);
    }
    static const struct option_spec none[] = {{0}};
    int left = options_parse(&command_policy, none, argc, argv);
    if (left == -2)
        return EXIT_CLEAN;
    if (left == 0)
        command_help_print(&command_policy);
    return EXIT_USAGE;
}

const struct command command_policy = {
    .name = "policy",
    .arguments = "COMMAND",
    .summary = "Check, explain and test policy bundles",
    .details = "Bundles are those of the engine's API, in JSON or YAML.\n",
    .run = policy_run,
    .subcommands = subcommands,
};
