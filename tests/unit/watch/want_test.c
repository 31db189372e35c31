#include "unit.h"

#include "watch/want.h"

static void check_wants(void **state)
{
    static const struct {
        const char *text;
        enum want_kind kind;
        const char *registry, *repository, *tag, *repositories, *tags;
    } cases[] = {
        {"alpine", WANT_IMAGE, "docker.io", "library/alpine", "latest", NULL, NULL},
        {"alpine:3.18", WANT_IMAGE, "docker.io", "library/alpine", "3.18", NULL, NULL},
        {"registry:a.example/b:1", WANT_IMAGE, "a.example", "b", "1", NULL, NULL},
        {"registry:5000/b", WANT_IMAGE, "registry:5000", "b", "latest", NULL, NULL},
        {"debian:12*", WANT_TAGS, "docker.io", "library/debian", "", NULL, "12*"},
        {"h:5000/app:*", WANT_TAGS, "h:5000", "app", "", NULL, "*"},
        {"h:5000/app:[0-9]?", WANT_TAGS, "h:5000", "app", "", NULL, "[0-9]?"},
        {"h:5000/*", WANT_REPOSITORIES, "h:5000", "", "", "*", "*"},
        {"h:5000/team/*:release-*", WANT_REPOSITORIES, "h:5000", "", "", "team/*", "release-*"},
        {"localhost/a*", WANT_REPOSITORIES, "localhost", "", "", "a*", "*"},
    };
    for (size_t i = 0; i < KE_ARRAY_LEN(cases); i++) {
        struct wants w;
        struct err e = {0};
        wants_init(&w);
        assert_ok(wants_add(&w, str_z(cases[i].text), &e));
        assert_ok(wants_add(&w, str_z(cases[i].text), &e)); /* each once */
        assert_int_equal(w.list.n, 1);
        const struct want *got = w.list.p;
        assert_int_equal(got->kind, cases[i].kind);
        assert_string_equal(got->ref.registry, cases[i].registry);
        assert_string_equal(got->ref.repository, cases[i].repository);
        assert_string_equal(got->ref.tag, cases[i].tag);
        assert_str(str_z(got->repositories), str_z(cases[i].repositories));
        assert_str(str_z(got->tags), str_z(cases[i].tags));
        wants_done(&w);
    }
}

static void check_refused(void **state)
{
    static const char *const cases[] = {
        "",          "UPPER/case", "dir:/srv",         "docker-archive:x.tar",
        "a b",       "*",          "team/*",           "*.example/a:1",
        "h:5000*/a", "h:5000/",    "a:b*c@sha256:00*", "host:/"};
    for (size_t i = 0; i < KE_ARRAY_LEN(cases); i++) {
        struct wants w;
        struct err e = {0};
        wants_init(&w);
        if (wants_add(&w, str_z(cases[i]), &e) >= 0)
            fail_msg("\"%s\" was taken", cases[i]);
        assert_true(e.text[0] != 0);
        wants_done(&w);
    }
}

static void check_lines(void **state)
{
    struct wants w;
    struct err e = {0};
    wants_init(&w);
    assert_ok(wants_add_lines(&w, STR("# all\r\n\n  alpine:3 # one\nb.example/c#d:1\n"), "f", &e) <
                      0
                  ? 0
                  : -1); /* "#" without a blank before it is no comment, and no name */
    assert_true(str_contains(str_z(e.text), STR("f, line 4")));
    assert_int_equal(w.list.n, 1);
    wants_done(&w);
    wants_init(&w);
    for (int i = 0; i < WANTS_MAX; i++) {
        char name[64];
        snprintf(name, sizeof name, "a:%d", i);
        assert_ok(wants_add(&w, str_z(name), &e));
    }
    assert_int_equal(wants_add(&w, STR("a:more"), &e), ERR_LIMIT);
    wants_done(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(check_wants),
        cmocka_unit_test(check_refused),
        cmocka_unit_test(check_lines),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
