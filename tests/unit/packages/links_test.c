/* Resolving known paths through an image's links. */
#include "packages/links.h"
#include "unit.h"

struct link {
    const char *path, *target;
};

static str find_link(void *ctx, str path)
{
    for (const struct link *l = ctx; l->path; l++)
        if (str_eq(str_z(l->path), path))
            return str_z(l->target);
    return (str){0};
}

static void test_resolve(void **state)
{
    static const struct {
        struct link links[4];
        const char *path, *real; /* NULL: unchanged; "": a loop */
    } cases[] = {
        {{{0}}, "var/lib/rpm/Packages", NULL},
        {{{"var/lib/rpm", "../../usr/lib/sysimage/rpm"}},
         "var/lib/rpm/Packages",
         "usr/lib/sysimage/rpm/Packages"},
        {{{"var/lib/rpm", "/opt/db"}}, "var/lib/rpm/Packages", "opt/db/Packages"},
        {{{"var/lib/rpm", "/opt/db/"}}, "var/lib/rpm/Packages", "opt/db/Packages"},
        {{{"var/lib/rpm", "."}}, "var/lib/rpm/Packages", "var/lib/Packages"},
        {{{"var/lib/rpm", "../../../../../opt"}}, "var/lib/rpm/Packages", "opt/Packages"},
        {{{"lib", "usr/lib"}}, "lib/apk/db/installed", "usr/lib/apk/db/installed"},
        {{{"var", "v"}, {"v/lib", "../l"}, {"l/rpm", "deep/er"}},
         "var/lib/rpm/Packages",
         "l/deep/er/Packages"},
        {{{"etc/os-release", "../usr/lib/os-release"}}, "etc/os-release", "usr/lib/os-release"},
        {{{"etc/os-release", "a"}, {"etc/a", "/etc/b"}, {"etc/b", "c"}}, "etc/os-release", "etc/c"},
        {{{"a", "b"}, {"b", "a"}}, "a/x", ""},
        {{{"a", "a"}}, "a", ""},
        {{{"a", "a/b"}}, "a/x", ""},
        {{{"a", "/"}}, "a/x", "x"},
        {{{"a/b", ".."}}, "a/b/c", "c"},
    };
    for (size_t i = 0; i < KE_ARRAY_LEN(cases); i++) {
        struct err e = {0};
        struct arena a;
        str real = {0};
        struct link_view view = {find_link, (void *)(uintptr_t)cases[i].links};
        arena_init(&a, 1 << 20);
        int r = link_resolve(&view, str_z(cases[i].path), &a, &real, &e);
        const char *want = cases[i].real;
        if (r != (!want ? 0 : want[0] ? 1 : ERR_FORMAT))
            fail_msg("case %zu: %d, %s", i, r, e.text);
        if (r == 1)
            assert_str(real, str_z(want));
        arena_done(&a);
    }
}

/* Targets that grow with every step end by the length, not by memory. */
static str growing(void *ctx, str path)
{
    return str_ends(path, STR("x")) ? str_z(ctx) : (str){0};
}

static void test_long_targets(void **state)
{
    struct err e = {0};
    struct arena a;
    str real;
    char *target autofree = malloc(60001);
    for (size_t i = 0; i < 60000; i += 2)
        memcpy(target + i, "x/", 2);
    target[60000] = '\0';
    struct link_view view = {growing, target};
    arena_init(&a, 1 << 20);
    assert_int_equal(link_resolve(&view, STR("x/Packages"), &a, &real, &e), ERR_FORMAT);
    arena_done(&a);
}

static void test_matters(void **state)
{
    assert_true(link_matters(STR("var")));
    assert_true(link_matters(STR("var/lib/rpm")));
    assert_true(link_matters(STR("var/lib/dpkg/status")));
    assert_false(link_matters(STR("va")));
    assert_false(link_matters(STR("var/lib/rp")));
    assert_false(link_matters(STR("var/lib/dpkg/status/x")));
    static const struct alias aliases[] = {{STR_INIT("opt/db/rpm"), STR_INIT("x"), false},
                                           {STR_INIT("hard/db"), STR_INIT("y"), true}};
    assert_true(link_leads_to(STR("opt"), aliases, 2));
    assert_true(link_leads_to(STR("opt/db"), aliases, 2));
    assert_false(link_leads_to(STR("op"), aliases, 2));
    assert_false(link_leads_to(STR("hard"), aliases, 2));
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_resolve),
                                       cmocka_unit_test(test_long_targets),
                                       cmocka_unit_test(test_matters)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
