#include "policy_unit.h"

#include "policy/gate.h"

static struct err e;

static yyjson_mut_val *without_descriptions(yyjson_mut_doc *d, yyjson_mut_val *v)
{
    size_t i, n;
    yyjson_mut_val *key, *item;
    yyjson_mut_obj_remove_key(v, "description");
    yyjson_mut_arr_foreach(v, i, n, item) without_descriptions(d, item);
    yyjson_mut_obj_foreach(v, i, n, key, item) without_descriptions(d, item);
    return v;
}

static str name_of(yyjson_val *v)
{
    return json_str(v, "name");
}

/* Names the first thing that differs: 300 triggers are no message. */
static void compare(yyjson_val *want, yyjson_val *got, const char *list, const char *next,
                    const char *last)
{
    yyjson_val *ws = list ? json_get(want, list) : want, *gs = list ? json_get(got, list) : got;
    size_t i, n;
    yyjson_val *w;
    yyjson_arr_foreach(ws, i, n, w)
    {
        yyjson_val *g = yyjson_arr_get(gs, i);
        if (!str_eq(name_of(w), name_of(g)))
            fail_msg("%.*s: %s %zu is \"%.*s\", not \"%.*s\"", STR_ARG(name_of(want)),
                     list ? list : "gate", i, STR_ARG(name_of(g)), STR_ARG(name_of(w)));
        if (next)
            compare(w, g, next, last, NULL);
        if (!yyjson_equals(w, g)) {
            autofree char *text = yyjson_val_write(g, 0, NULL);
            autofree char *wanted = yyjson_val_write(w, 0, NULL);
            fail_msg("got %s\nwant %s", text, wanted);
        }
    }
    assert_int_equal(yyjson_arr_size(ws), yyjson_arr_size(gs));
}

static yyjson_doc *specification(bool own, bool stripped)
{
    yyjson_mut_doc *d = yyjson_mut_doc_new(NULL);
    yyjson_mut_val *list = yyjson_mut_arr(d);
    assert_ok(gate_spec_write(d, list, own, &e));
    yyjson_mut_doc_set_root(d, stripped ? without_descriptions(d, list) : list);
    yyjson_doc *doc = yyjson_mut_doc_imut_copy(d, NULL);
    yyjson_mut_doc_free(d);
    return doc;
}

static void as_the_original(void **state)
{
    const char *path = shared_path("spec/policy_spec.json");
    if (!path) {
        skip_without_shared("spec/policy_spec.json");
        return;
    }
    auto_buf text;
    auto_json *want = NULL, *got = specification(false, true);
    buf_init(&text, 8 << 20);
    assert_ok(fs_read(path, &text, &e));
    assert_ok(json_parse(buf_view(&text), "spec", &want, &e));
    compare(yyjson_doc_get_root(want), yyjson_doc_get_root(got), NULL, "triggers", "parameters");
}

/* What users read must be there: of our own gates too. */
static void all_is_described(void **state)
{
    auto_json *spec = specification(true, false);
    size_t gates = 0, triggers = 0, i, n, k, m, j, l;
    yyjson_val *g, *t, *p;
    yyjson_arr_foreach(yyjson_doc_get_root(spec), i, n, g)
    {
        gates++;
        assert_true(json_str(g, "description").n > 0);
        yyjson_arr_foreach(json_get(g, "triggers"), k, m, t)
        {
            triggers++;
            if (!json_str(t, "description").n)
                fail_msg("%.*s.%.*s", STR_ARG(name_of(g)), STR_ARG(name_of(t)));
            yyjson_arr_foreach(json_get(t, "parameters"), j, l, p)
                assert_true(json_str(p, "description").n > 0);
        }
    }
    assert_true(gates >= 27 && triggers > 60);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(as_the_original),
        cmocka_unit_test(all_is_described),
    };
    return cmocka_run_group_tests_name("spec", tests, NULL, NULL);
}
