#include "unit.h"

#include "base/buf.h"
#include "services/policy_record.h"
#include "policy/bundle.h"

static struct err e;

static void compare(yyjson_val *line)
{
    struct policy_problems found;
    struct arena a;
    arena_init(&a, 8 << 20);
    yyjson_val *sent = json_get(line, "request_body"), *bundle = json_get(sent, "policybundle");
    yyjson_val *want = json_at(line, "response_body", "detail", "validation_details", NULL), *d;
    int n = policy_validate(bundle ? bundle : sent, &a, &found, &e);
    assert_ok(n);
    size_t i, count;
    if ((size_t)n != yyjson_arr_size(want))
        fail_msg("line %d: %d problems, not %zu: %.*s", yyjson_get_int(json_get(line, "n")), n,
                 yyjson_arr_size(want), STR_ARG(n ? found.list[0].details : STR("-")));
    yyjson_arr_foreach(want, i, count, d)
    {
        assert_str(str_z(found.list[i].type), json_str(d, "problem_type"));
        assert_str(found.list[i].details, json_str(d, "details"));
    }
    arena_done(&a);
}

/* Every bundle that the original was asked about and that passed the API's schema. */
static void as_the_original(void **state)
{
    const char *path = shared_path("data/api/05_policies.jsonl");
    if (!path) {
        skip_without_shared("data/api/05_policies.jsonl");
        return;
    }
    auto_buf text;
    buf_init(&text, 64 << 20);
    assert_ok(fs_read(path, &text, &e));
    str rest = buf_view(&text), line;
    int compared = 0;
    while (str_line(&rest, &line)) {
        auto_json *doc = NULL;
        assert_ok(json_parse(line, "line", &doc, &e));
        yyjson_val *root = yyjson_doc_get_root(doc);
        bool posted = str_eq(json_str(root, "method"), STR("POST"));
        bool refused = str_eq(json_at(root, "response_body", "message", NULL)
                                  ? json_text(json_at(root, "response_body", "message", NULL))
                                  : STR(""),
                              STR("Bundle failed validation"));
        if (refused || (posted && yyjson_get_int(json_get(root, "status")) == 200)) {
            compare(root);
            compared++;
        }
    }
    assert_true(compared > 30);
}

static void the_default_bundle_is_valid(void **state)
{
    struct policy_problems found;
    struct arena a;
    arena_init(&a, 8 << 20);
    auto_json *doc = NULL;
    assert_ok(json_parse(str_z(policy_default_bundle), "default", &doc, &e));
    int n = policy_validate(yyjson_doc_get_root(doc), &a, &found, &e);
    if (n)
        fail_msg("%.*s", STR_ARG(found.list[0].details));
    arena_done(&a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(as_the_original),
        cmocka_unit_test(the_default_bundle_is_valid),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
