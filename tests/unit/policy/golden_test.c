#include "golden.h"
#include "judge.h"

#include "base/buf.h"
#include "codec/json.h"

#include <stdlib.h>

/* What the recorded feed data say of npm and gem packages: (*versions)[0] is the latest. */
static int known_versions(void *ctx, str name, const str **versions, size_t *n, struct err *e)
{
    static const struct {
        const char *registry, *name;
        str versions[3];
        size_t n;
    } table[] = {
        {"npm", "lodash", {STR_INIT("4.17.21"), STR_INIT("4.17.4"), STR_INIT("4.17.21")}, 3},
        {"npm", "tar", {STR_INIT("6.0.0"), STR_INIT("6.0.0")}, 2},
        {"gem", "rack", {STR_INIT("2.2.3"), STR_INIT("2.0.1"), STR_INIT("2.2.3")}, 3},
    };
    for (size_t i = 0; i < sizeof table / sizeof *table; i++)
        if (!strcmp(table[i].registry, ctx) && str_eq(str_z(table[i].name), name)) {
            *versions = table[i].versions;
            *n = table[i].n;
            return 1;
        }
    return 0;
}
static const struct policy_upstream npm = {known_versions, (void *)"npm"};
static const struct policy_upstream gem = {known_versions, (void *)"gem"};

static void golden_image(const char *name, struct golden *g)
{
    bool kitchen = !strcmp(name, "kitchen");
    golden_open(kitchen ? "kitchen1" : "alpine-3.18", kitchen ? "/opt/app/v2" : NULL, g);
    g->subject.npm = &npm;
    g->subject.gem = &gem;
}

static int text_order(const void *a, const void *b)
{
    return str_cmp(*(const str *)a, *(const str *)b);
}

static str row_text(struct arena *a, str gate, str trigger, str id, str message)
{
    str s = arena_printf(a, "%.*s|%.*s|%.*s|%.*s", STR_ARG(gate), STR_ARG(trigger), STR_ARG(id),
                         STR_ARG(message));
    assert_non_null(s.p);
    return s;
}

/* The rows of a recorded answer of GET /images/{digest}/check. */
static size_t recorded_rows(struct arena *a, yyjson_val *answer, str *out, size_t max)
{
    yyjson_val *v = yyjson_arr_get_first(answer); /* [{digest: {tag: [{detail: ...}]}}] */
    for (int i = 0; i < 2; i++) {
        yyjson_obj_iter it = yyjson_obj_iter_with(v);
        v = yyjson_obj_iter_get_val(yyjson_obj_iter_next(&it));
    }
    v = json_at(yyjson_arr_get_first(v), "detail", "result", "result", NULL);
    yyjson_obj_iter it = yyjson_obj_iter_with(v);
    v = json_at(yyjson_obj_iter_get_val(yyjson_obj_iter_next(&it)), "result", "rows", NULL);
    size_t i, n;
    yyjson_val *row;
    yyjson_arr_foreach(v, i, n, row)
    {
        assert_true(i < max);
        out[i] = row_text(a, json_text(yyjson_arr_get(row, 3)), json_text(yyjson_arr_get(row, 4)),
                          json_text(yyjson_arr_get(row, 2)), json_text(yyjson_arr_get(row, 5)));
    }
    return yyjson_arr_size(v);
}

static void compare_rows(const char *name, str *want, size_t n_want, str *got, size_t n_got)
{
    qsort(want, n_want, sizeof *want, text_order);
    qsort(got, n_got, sizeof *got, text_order);
    for (size_t i = 0; i < n_want || i < n_got; i++) {
        str w = i < n_want ? want[i] : STR("(none)"), g = i < n_got ? got[i] : STR("(none)");
        if (!str_eq(w, g))
            fail_msg("%s: got %.*s, recorded %.*s", name, STR_ARG(g), STR_ARG(w));
    }
}

/* Rows that only we give (docs/policy.md): the original never knew an image's os_type. */
static bool deviation(str message)
{
    return str_starts(message, STR("Attribute check for attribute: 'os_type' check: '='"));
}

static void replay(struct golden *g, const char *name, str bundle, yyjson_val *answer)
{
    enum { ROWS = 500 };
    static str want[ROWS], got[ROWS];
    struct err e = {0};
    struct policy_bundle *b;
    struct policy_verdict *v;
    size_t n = recorded_rows(&g->arena, answer, want, ROWS);
    assert_ok(policy_bundle_new(bundle, &b, &e));
    assert_ok(policy_evaluate(b, &g->subject, &v, &e));
    assert_true(v->n_rows <= ROWS);
    size_t n_got = 0;
    for (size_t i = 0; i < v->n_rows; i++)
        if (!deviation(v->rows[i].message))
            got[n_got++] = row_text(&g->arena, str_z(v->rows[i].gate), str_z(v->rows[i].trigger),
                                    v->rows[i].trigger_id, v->rows[i].message);
    compare_rows(name, want, n, got, n_got);
    policy_verdict_free(v);
    policy_bundle_free(b);
}

/* The vulnerabilities gate has its own test. */
static bool in_scope(str bundle_id)
{
    return str_starts(bundle_id, STR("g-")) && !str_starts(bundle_id, STR("g-vuln"));
}

static void recorded_evaluations_come_out(void **state)
{
    if (!golden_here()) {
        skip_without_shared("data/api/golden");
        return;
    }
    struct golden kitchen, alpine;
    struct err e = {0};
    golden_image("kitchen", &kitchen);
    golden_image("alpine", &alpine);
    str text = golden_text(&kitchen.arena, "06_evaluations.jsonl"), line, bundle = {0};
    size_t replayed = 0;
    while (str_line(&text, &line)) {
        auto_json *doc = NULL;
        assert_ok(json_parse(line, "recorded", &doc, &e));
        yyjson_val *v = yyjson_doc_get_root(doc), *body = json_get(v, "request_body");
        str name = json_str(v, "name");
        if (str_starts(name, STR("add "))) {
            size_t n;
            char *json = yyjson_val_write(body, 0, &n);
            bundle = in_scope(json_str(body, "id")) ? arena_dup(&kitchen.arena, (str){json, n})
                                                    : (str){0};
            free(json);
        }
        if (!str_starts(name, STR("eval ")) || !bundle.n ||
            yyjson_get_int(json_get(v, "status")) != 200)
            continue;
        char label[100];
        snprintf(label, sizeof label, "%.*s", STR_ARG(name));
        replay(str_ends(name, STR(" alpine")) ? &alpine : &kitchen, label, bundle,
               json_get(v, "response_body"));
        replayed++;
    }
    golden_close(&kitchen);
    golden_close(&alpine);
    assert_int_equal(replayed, 21);
}

/* Rules that the texts of the rows of a Dockerfile tell: word, check and value; port or user. */
static const char *dockerfile_rule(str trigger, str message)
{
    static char params[500];
    str rest = message, word, check, value;
    if (str_eq(trigger, STR("instruction"))) {
        str_split(&rest, '\'');
        word = str_split(&rest, '\'');
        if (str_starts(rest, STR(" not found"))) {
            snprintf(params, sizeof params, "instruction=%.*s|check=not_exists", STR_ARG(word));
            return params;
        }
        str_split(&rest, '\'');
        check = str_split(&rest, '\'');
        str_split(&rest, '\'');
        value = str_split(&rest, '\'');
        /* "|" separates parameters here */
        if (str_contains(value, STR("|")))
            return NULL;
        snprintf(params, sizeof params, "instruction=%.*s|check=%.*s|value=%.*s", STR_ARG(word),
                 STR_ARG(check), STR_ARG(value));
        return params;
    }
    bool denied = str_ends(message, STR("explicity not allowed")) ||
                  str_ends(message, STR("DENIEDPORTS list"));
    if (str_eq(trigger, STR("effective_user"))) {
        str_split(&rest, ' ');
        value = denied ? str_split(&rest, ' ') : STR("nobody");
        snprintf(params, sizeof params, "users=%.*s|type=%s", STR_ARG(value),
                 denied ? "blacklist" : "whitelist");
        return params;
    }
    str_split(&rest, '(');
    rest = str_split(&rest, ')');
    if (str_eq(trigger, STR("exposed_ports"))) {
        value = denied ? str_split(&rest, '/') : STR("1");
        snprintf(params, sizeof params, "ports=%.*s|type=%s", STR_ARG(value),
                 denied ? "blacklist" : "whitelist");
        return params;
    }
    return "";
}

static void rows_of_a_given_dockerfile_come_out(void **state)
{
    if (!golden_here()) {
        skip_without_shared("data/api/golden");
        return;
    }
    struct golden g;
    golden_open("kitchen4-dockerfile", NULL, &g);
    str text = golden_text(&g.arena, "golden/trigger_rows.tsv"), line;
    size_t seen = 0;
    while (str_line(&text, &line)) {
        str gate = str_split(&line, '\t'), trigger = str_split(&line, '\t');
        str id = str_split(&line, '\t'), message = str_split(&line, '\t');
        if (!str_eq(gate, STR("dockerfile")) || !str_contains(line, STR("kitchen:df")))
            continue;
        char name[50];
        snprintf(name, sizeof name, "%.*s", STR_ARG(trigger));
        const char *params = dockerfile_rule(trigger, message);
        if (!params)
            continue;
        struct judged j;
        judge(&g.subject, rule_text("dockerfile", name, params), &j);
        bool found = false;
        for (size_t i = 0; i < j.n && !found; i++)
            found = str_eq(j.verdict->rows[i].trigger_id, id) &&
                    str_eq(j.verdict->rows[i].message, message);
        if (!found)
            fail_msg("no row %.*s from %s", STR_ARG(message), params);
        judged_done(&j);
        seen++;
    }
    golden_close(&g);
    assert_true(seen > 30);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(recorded_evaluations_come_out),
        cmocka_unit_test(rows_of_a_given_dockerfile_come_out),
    };
    return cmocka_run_group_tests_name("golden", tests, NULL, NULL);
}
