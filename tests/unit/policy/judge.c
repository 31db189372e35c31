#include "judge.h"

#include "base/buf.h"
#include "codec/json.h"

const char *rule_text(const char *gate, const char *trigger, const char *params)
{
    static char text[8192];
    auto_buf b;
    buf_init(&b, sizeof text);
    buf_addf(&b, "\"gate\": \"%s\", \"trigger\": \"%s\", \"params\": [", gate, trigger);
    str rest = str_z(params);
    for (bool first = true; rest.n; first = false) {
        str value = str_split(&rest, '|'), name = str_split(&value, '=');
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
