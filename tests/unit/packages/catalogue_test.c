/* The context of cataloguers: ownership, order, limits, and what ends a layer and what does not. */
#include "listing.h"

#include "chunks.h"
#include "packages/settle.h"

#define STANZA_END "\nStatus: install ok installed\nVersion: 1\n\n"

static void assert_owned(const struct facts *f, size_t i, str path, str owner)
{
    assert_true(i < f->owned.n);
    assert_str(f->owned.p[i].path, path);
    assert_str(f->owned.p[i].owner, owner);
}

/* Only what a language cataloguer would read. */
static void test_ownership(void **state)
{
    struct err e = {0};
    static const struct cat_test_file files[] = {
        {STR_INIT("var/lib/dpkg/info/python3-six:amd64.list"),
         STR_INIT("/.\n/usr\n/usr/lib/python3/dist-packages/six-1.egg-info/PKG-INFO\n/bin/ls\n"
                  "/var/lib/dpkg/status\n")},
        {STR_INIT("var/lib/dpkg/info/empty.list"), STR_INIT("")},
        {STR_INIT("var/lib/dpkg/info/six.md5sums"), STR_INIT("0  usr/lib/x.dist-info/METADATA\n")},
        {STR_INIT("var/lib/dpkg/status.d/py.md5sums"),
         STR_INIT("d41d8cd98f00b204e9800998ecf8427e  usr/lib/x.dist-info/METADATA\nnonsense\n")},
        {STR_INIT("lib/apk/db/installed"),
         STR_INIT("P:npm\nV:1\nF:\nR:a.dist-info\nF:usr/lib/b.dist-info\nM:0:0:755\nR:METADATA\n"
                  "R:RECORD\n\n")},
    };
    struct facts f;
    assert_ok(catalogue_files(files, KE_ARRAY_LEN(files), &f, &e));
    assert_int_equal(f.owned.n, 3);
    assert_owned(&f, 0, STR("usr/lib/python3/dist-packages/six-1.egg-info/PKG-INFO"),
                 STR("python3-six"));
    assert_owned(&f, 1, STR("usr/lib/x.dist-info/METADATA"), STR("py"));
    assert_owned(&f, 2, STR("usr/lib/b.dist-info/METADATA"), STR("npm"));
    assert_int_equal(f.problems.n, 0);
    assert_int_equal(f.files.n, 4);
    facts_done(&f);
}

/* A tar may hold a path twice: the later one is what the layer has. */
static void test_path_twice(void **state)
{
    struct err e = {0};
    static const struct cat_test_file files[] = {
        {STR_INIT("var/lib/dpkg/status"), STR_INIT("Package: old" STANZA_END)},
        {STR_INIT("etc/os-release"), STR_INIT("ID=old\n")},
        {STR_INIT("lib/apk/db/installed"), STR_INIT("P:a\nV:1\n\n")},
        {STR_INIT("var/lib/dpkg/status"), STR_INIT("Package: new" STANZA_END)},
        {STR_INIT("etc/os-release"), STR_INIT("ID=new\n")},
    };
    struct facts f;
    assert_ok(catalogue_files(files, KE_ARRAY_LEN(files), &f, &e));
    assert_int_equal(f.packages.n, 2);
    assert_str(f.packages.p[0].name, STR("a"));
    assert_str(f.packages.p[1].name, STR("new"));
    assert_int_equal(f.releases.n, 1);
    assert_str(f.releases.p[0].id, STR("new"));
    assert_int_equal(f.files.n, 3);
    assert_str(f.files.p[1].path, STR("var/lib/dpkg/status"));
    assert_int_equal(f.files.p[1].first_package, 1);
    assert_int_equal(f.files.p[1].n_packages, 1);
    facts_done(&f);
}

/* Packages that a finish() adds go to the file they name. */
static void test_settle_late_packages(void **state)
{
    struct err e = {0};
    struct facts f;
    struct settle s = {0};
    facts_init(&f, 0);
    static const char *const paths[] = {"a", "b:c"};
    for (size_t i = 0; i < 2; i++) {
        *(struct evidence_file *)vec_push(&f.files) =
            (struct evidence_file){.path = str_z(paths[i]), .cataloguer = "x"};
        *(struct package *)vec_push(&f.packages) =
            (struct package){.name = str_z(paths[i]), .path = str_z(paths[i])};
        assert_true(settle_package(&s, &f, true));
    }
    static const char *const late[] = {"a:WEB-INF/lib/x.jar", "elsewhere", "b:c:d:e", "elsewhere"};
    for (size_t i = 0; i < 4; i++) {
        *(struct package *)vec_push(&f.packages) =
            (struct package){.name = str_z(late[i]), .path = str_z(late[i])};
        assert_true(settle_package(&s, &f, false));
    }
    assert_ok(settle_facts(&s, &f, &e));
    settle_done(&s);
    static const char *const order[] = {"a",       "a:WEB-INF/lib/x.jar", "b:c",
                                        "b:c:d:e", "elsewhere",           "elsewhere"};
    assert_int_equal(f.packages.n, 6);
    for (size_t i = 0; i < 6; i++)
        assert_str(f.packages.p[i].name, str_z(order[i]));
    assert_int_equal(f.files.n, 3);
    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(f.files.p[i].first_package, 2 * i);
        assert_int_equal(f.files.p[i].n_packages, 2);
    }
    assert_str(f.files.p[2].path, STR("elsewhere"));
    facts_done(&f);
}

/* An executable's owner is kept only when something was found in it, under either spelling. */
static void test_settle_executables(void **state)
{
    struct err e = {0};
    struct facts f;
    struct settle s = {0};
    facts_init(&f, 0);
    *(struct evidence_file *)vec_push(&f.files) =
        (struct evidence_file){.path = STR("usr/bin/tool"), .cataloguer = "npm"};
    const char *npm = NULL;
    for (size_t i = 0; cataloguers[i]; i++)
        if (!cataloguers[i]->distro)
            npm = cataloguers[i]->name;
    f.files.p[0].cataloguer = npm;
    *(struct package *)vec_push(&f.packages) = (struct package){.path = STR("usr/bin/tool")};
    assert_true(settle_package(&s, &f, true));
    assert_ok(settle_own_later(&s, &f, STR("bin/other"), STR("p"), &e));
    assert_ok(settle_own_later(&s, &f, STR("bin/tool"), STR("p"), &e));
    assert_ok(settle_own_later(&s, &f, STR("usr/bin/tool"), STR("q"), &e));
    assert_ok(settle_facts(&s, &f, &e));
    settle_done(&s);
    assert_int_equal(f.owned.n, 2);
    assert_owned(&f, 0, STR("usr/bin/tool"), STR("p"));
    assert_owned(&f, 1, STR("usr/bin/tool"), STR("q"));
    facts_done(&f);
}

static size_t count_problems(const struct facts *f, str what)
{
    size_t n = 0;
    for (size_t i = 0; i < f->problems.n; i++)
        n += str_eq(f->problems.p[i].what, what);
    return n;
}

static void test_package_limit(void **state)
{
    auto_buf text;
    buf_init(&text, 64 << 20);
    for (int i = 0; i < CAT_PACKAGES_MAX + 5; i++)
        buf_addf(&text, "P:p%d\nV:1\n\n", i);
    struct facts f;
    listing_facts("lib/apk/db/installed", buf_view(&text), &f);
    assert_int_equal(f.packages.n, CAT_PACKAGES_MAX);
    assert_int_equal(f.problems.n, 1);
    assert_str(f.problems.p[0].what, STR("limit"));
    facts_done(&f);
}

static int offer(struct cat *c, const char *path, str text, struct err *e)
{
    struct chunks in = chunks_over(text, 1000, false);
    struct cat_file file = {str_z(path), text.n, 0644, &in.s};
    return cat_offer(c, &file, e);
}

static void test_arena_limit(void **state)
{
    struct err e = {0};
    auto_buf text;
    buf_init(&text, 64 << 20);
    for (int i = 0; i < 2000; i++)
        buf_addf(&text, "P:a-package-with-a-name-%d\nV:%d\n\n", i, i);
    struct facts f;
    facts_init(&f, 40000);
    struct cat *c = cat_new(&f, NULL, &e);
    assert_non_null(c);
    assert_int_equal(offer(c, "lib/apk/db/installed", buf_view(&text), &e), 1);
    assert_int_equal(offer(c, "usr/lib/apk/db/installed", buf_view(&text), &e), 1);
    assert_ok(cat_finish(c, &e));
    cat_free(c);
    assert_true(f.packages.n > 100 && f.packages.n < 2000);
    assert_int_equal(f.problems.n, 1);
    assert_str(f.problems.p[0].what, STR("limit"));
    facts_done(&f);
}

static void test_problem_limit(void **state)
{
    struct err e = {0};
    struct facts f;
    facts_init(&f, 0);
    struct cat *c = cat_new(&f, NULL, &e);
    for (int i = 0; i < CAT_PROBLEMS_MAX + 10; i++) {
        char path[100];
        snprintf(path, sizeof path, "var/lib/dpkg/status.d/p%d", i);
        assert_int_equal(offer(c, path, STR("Package: a\n"), &e), 1);
    }
    assert_int_equal(offer(c, "lib/apk/db/installed", STR("P:a\nV:1\n\n"), &e), 1);
    assert_ok(cat_finish(c, &e));
    cat_free(c);
    assert_int_equal(f.packages.n, 1);
    assert_int_equal(count_problems(&f, STR("parse")), CAT_PROBLEMS_MAX);
    assert_int_equal(count_problems(&f, STR("limit")), 1);
    facts_done(&f);
}

/* The archive below failing is an error of the layer, not a problem of the file. */
static void test_failing_stream(void **state)
{
    struct err e = {0};
    static const char *const paths[] = {"lib/apk/db/installed", "var/lib/dpkg/status",
                                        "var/lib/dpkg/info/a.list", "etc/os-release"};
    for (size_t i = 0; i < KE_ARRAY_LEN(paths); i++) {
        struct facts f;
        facts_init(&f, 0);
        struct cat *c = cat_new(&f, NULL, &e);
        struct chunks in = chunks_over(STR("P:a\nV:1\n\nP:"), 4, true);
        struct cat_file file = {str_z(paths[i]), 100, 0644, &in.s};
        assert_int_equal(cat_offer(c, &file, &e), ERR_IO);
        assert_string_equal(e.text, "the stream failed");
        cat_free(c);
        facts_done(&f);
    }
}

static void test_nobody_wants(void **state)
{
    struct err e = {0};
    struct facts f;
    facts_init(&f, 0);
    struct cat *c = cat_new(&f, NULL, &e);
    assert_int_equal(offer(c, "usr/share/doc/a/README", STR("x"), &e), 0);
    assert_int_equal(offer(c, "", STR("x"), &e), 0);
    assert_ok(cat_finish(c, &e));
    cat_free(c);
    assert_int_equal(f.files.n, 0);
    facts_done(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_ownership),
        cmocka_unit_test(test_path_twice),
        cmocka_unit_test(test_settle_late_packages),
        cmocka_unit_test(test_settle_executables),
        cmocka_unit_test(test_package_limit),
        cmocka_unit_test(test_arena_limit),
        cmocka_unit_test(test_problem_limit),
        cmocka_unit_test(test_failing_stream),
        cmocka_unit_test(test_nobody_wants),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
