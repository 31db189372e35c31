#include "judge.h"

#include "base/buf.h"
#include "codec/json.h"

/* Up to a single "|". */
static str next_param(str *rest)
{
    size_t n = 0;
    while (n < rest->n && (rest->p[n] != '|' || str_starts(str_from(*rest, n), STR("||"))))
        n += rest->p[n] == '|' ? 2 : 1;
    str out = str_sub(*rest, 0, n);
    *rest = str_from(*rest, n + 1);
    return out;
}

const char *rule_text(const char *gate, const char *trigger, const char *params)
{
    static char text[8192];
    auto_buf b;
    buf_init(&b, sizeof text);
    buf_addf(&b, "\"gate\": \"%s\", \"trigger\": \"%s\", \"params\": [", gate, trigger);
    str rest = str_z(params);
    for (bool first = true; rest.n; first = false) {
        str value = next_param(&rest), name = str_split(&value, '=');
        buf_addf(&b, "%s{\"name\": \"%.*s\", \"value\": ", first ? "" : ", ", STR_ARG(name));
        json_put_string(&b, value);
        buf_add_char(&b, '}');
    }
    buf_addf(&b, "]");
    assert_true(buf_ok(&b));
    snprintf(text, sizeof text, "%s", buf_z(&b));
    return text;
}

void judge(const struct policy_subject *s, const char *rule, struct judged *out)
{
    struct err e = {0};
    auto_buf b;
    buf_init(&b, 1 << 20);
    buf_addf(
        &b,
        "{\"id\": \"b\", \"version\": \"1_0\", \"whitelists\": [], \"policies\": [{\"id\": "
        "\"p\", \"version\": \"1_0\", \"rules\": [{\"id\": \"r1\", \"action\": \"STOP\", %s}]}], "
        "\"mappings\": [{\"name\": \"all\", \"registry\": \"*\", \"repository\": \"*\", "
        "\"image\": {\"type\": \"tag\", \"value\": \"*\"}, \"policy_ids\": [\"p\"], "
        "\"whitelist_ids\": []}]}",
        rule);
    assert_true(buf_ok(&b));
    *out = (struct judged){0};
    assert_ok(policy_bundle_new(buf_view(&b), &out->bundle, &e));
    assert_ok(policy_evaluate(out->bundle, s, &out->verdict, &e));
    out->n = out->verdict->n_rows;
    if (out->verdict->problems.n)
        out->problem = out->verdict->problems.list[0].details;
}

void judged_done(struct judged *j)
{
    policy_verdict_free(j->verdict);
    policy_bundle_free(j->bundle);
}

void run_cases(const struct policy_subject *s, const struct gate_case *cases, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        const struct gate_case *c = &cases[i];
        struct judged j;
        auto_buf b;
        buf_init(&b, 1 << 20);
        judge(s, rule_text(c->gate, c->trigger, c->params), &j);
        for (size_t k = 0; k < j.n; k++)
            buf_addf(&b, "%s%.*s", k ? "\n" : "", STR_ARG(j.verdict->rows[k].message));
        bool fails = c->want[0] == '!';
        if (fails ? !str_contains(j.problem, str_z(c->want + 1)) || j.n
                  : j.problem.n || !str_eq(buf_view(&b), str_z(c->want)))
            fail_msg("%s.%s %s:\ngot  \"%.*s\" (problem: %.*s)\nwant \"%s\"", c->gate, c->trigger,
                     c->params, STR_ARG(buf_view(&b)), STR_ARG(j.problem), c->want);
        judged_done(&j);
    }
}
