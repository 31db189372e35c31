/* history.c - `kellet history`: since when an image has which findings, from the engine's database.
 */
#include "cli/engine_config.h"

#include "codec/json.h"
#include "services/call.h"
#include "services/image.h"
#include "services/policy_engine/history.h"

#include <stdio.h>

enum { ANSWER_MAX = 1 << 30 };

static const char *config_dir, *data, *url, *account, *output;

static const struct option_spec specs[] = {
    {"config", 'c', OPT_TEXT, "DIR", "directory of config.yaml (default: $ANCHORE_CONFIG_DIR)",
     &config_dir, "@dir"},
    {"data", 0, OPT_TEXT, "DIR", "where data is kept (default: $KELLET_DATA)", &data, "@dir"},
    {"db-connect", 0, OPT_TEXT, "URL", "another database than the configured one", &url, NULL},
    {"account", 0, OPT_TEXT, "NAME", "whose image (default: admin)", &account, NULL},
    {"output", 'o', OPT_TEXT, "FORMAT", "table or json (default: table)", &output, "table json"},
    {0},
};

static const struct option_spec *history_options(void)
{
    return specs;
}

struct asking {
    struct arena a;
    str account, name, digest;
    struct history_row *rows;
    size_t n;
    int found;
};

static int read_history(struct db_tx *tx, void *ctx, struct err *e)
{
    struct asking *q = ctx;
    struct image_record image;
    int r = image_get_by_tag(tx, &q->a, q->account, q->name, &image, e);
    if (r == 0)
        r = image_get_by_id(tx, &q->a, q->account, q->name, &image, e);
    if (r <= 0)
        return r < 0 ? r
                     : err_set(e, ERR_NOT_FOUND, "account %.*s has no image %.*s",
                               STR_ARG(q->account), STR_ARG(q->name));
    q->digest = image.digest;
    q->found = history_image(tx, &q->a, q->account, image.digest, &q->rows, &q->n, e);
    return q->found;
}

static str day_of(struct arena *a, int64_t us)
{
    return us ? str_sub(time_text(a, us), 0, 10) : STR("");
}

static void print_table(struct asking *q)
{
    printf("%-20s %-10s %-34s %-11s %-11s %s\n", "VULNERABILITY", "SEVERITY", "PACKAGE",
           "FIRST SEEN", "GONE", "FIX");
    for (size_t i = 0; i < q->n; i++) {
        const struct history_row *r = &q->rows[i];
        str package = arena_printf(&q->a, "%.*s %.*s", STR_ARG(r->package), STR_ARG(r->version));
        str first = day_of(&q->a, r->first_seen), gone = day_of(&q->a, r->to);
        printf("%-20.*s %-10s %-34.*s %-11.*s %-11.*s %.*s\n", STR_ARG(r->vulnerability),
               severity_name(r->severity), STR_ARG(package), STR_ARG(first), STR_ARG(gone),
               STR_ARG(r->fix));
    }
}

static void put_member(struct buf *out, const char *name, str value)
{
    buf_addf(out, "\"%s\": ", name);
    json_put_string(out, value);
    buf_add_str(out, STR(", "));
}

static int print_json(struct asking *q, struct err *e)
{
    auto_buf out;
    buf_init(&out, ANSWER_MAX);
    buf_add_str(&out, STR("{"));
    put_member(&out, "imageDigest", q->digest);
    buf_add_str(&out, STR("\"findings\": ["));
    for (size_t i = 0; i < q->n; i++) {
        const struct history_row *r = &q->rows[i];
        buf_add_str(&out, i ? STR(",\n {") : STR("\n {"));
        put_member(&out, "vuln", r->vulnerability);
        put_member(&out, "package_name", r->package);
        put_member(&out, "package_version", r->version);
        put_member(&out, "package_type", r->type);
        put_member(&out, "severity", str_z(severity_name(r->severity)));
        put_member(&out, "fix", r->fix);
        put_member(&out, "fix_state", str_z(fix_state_name(r->fix_state)));
        put_member(&out, "source", r->source);
        put_member(&out, "data_generation", r->generation);
        put_member(&out, "first_seen", time_text(&q->a, r->first_seen));
        put_member(&out, "from", time_text(&q->a, r->from));
        if (r->to) {
            put_member(&out, "to", time_text(&q->a, r->to));
            out.n -= 2;
        } else {
            buf_add_str(&out, STR("\"to\": null"));
        }
        buf_add_char(&out, '}');
    }
    buf_add_str(&out, STR("\n]}\n"));
    int r = buf_check(&out, "the history", e);
    if (r == 0)
        fwrite(out.p, 1, out.n, stdout);
    return r;
}

static int ask(const struct config *c, struct asking *q, bool json, struct err *e)
{
    struct db *db = NULL;
    int r = engine_database(c, url, &db, e);
    if (r == 0)
        r = db_run(db, DB_READ, read_history, q, e);
    db_close(db);
    if (r == 0)
        r = err_set(e, ERR_NOT_FOUND, "the index does not have %.*s yet: is it analysed?",
                    STR_ARG(q->name));
    if (r > 0 && json)
        r = print_json(q, e);
    else if (r > 0)
        print_table(q);
    return r;
}

static int history_run(int argc, char **argv)
{
    int left = options_parse(&command_history, specs, argc, argv), code;
    if (left < 0)
        return left == -2 ? EXIT_CLEAN : EXIT_USAGE;
    if (left != 1)
        return failf(EXIT_USAGE, "history takes one image");
    bool json = output && strcmp(output, "json") == 0;
    if (output && !json && strcmp(output, "table") != 0)
        return failf(EXIT_USAGE, "unknown output format %s: table or json?", output);
    const struct config_options o = {.directory = config_dir};
    size_t fatal;
    struct config *c = engine_config(&o, data, &code, &fatal);
    if (!c)
        return code;
    struct err e = {0};
    struct asking q = {.account = str_z(account ? account : "admin"), .name = str_z(argv[1])};
    arena_init(&q.a, 1 << 30);
    int r = fatal && !url ? err_set(&e, ERR_USAGE, "invalid configuration") : ask(c, &q, json, &e);
    code = r < 0 ? fail(r == ERR_USAGE ? EXIT_USAGE : EXIT_CANNOT, &e) : EXIT_CLEAN;
    arena_done(&q.a);
    config_free(c);
    return code;
}

const struct command command_history = {
    .name = "history",
    .arguments = "IMAGE",
    .summary = "Since when an image of the engine has which findings, and which are gone",
    .details =
        "IMAGE is a tag (docker.io/library/nginx:1.25), a digest or an id, of an image that the\n"
        "engine has analysed. The engine's own database is read, as `kellet db` does; from\n"
        "elsewhere ask the API: GET /v1/history/images/DIGEST.\n",
    .options = history_options,
    .run = history_run,
};
