/* pacman's database, and the databases that are only told of. */
#include "listing.h"

static void test_desc(void **state)
{
    struct err e = {0};
    static const struct cat_test_file files[] = {
        {STR_INIT("var/lib/pacman/local/ALPM_DB_VERSION"), STR_INIT("9\n")},
        {STR_INIT("var/lib/pacman/local/python-six-1.16.0-9/desc"),
         STR_INIT("%NAME%\npython-six\n\n%VERSION%\n1.16.0-9\n\n%BASE%\nsix\n\n%DESC%\n%NAME%\n\n"
                  "%ARCH%\nany\n\n%LICENSE%\nMIT\nBSD\n\n%PACKAGER%\nN <n@example.org>\n\n")},
        {STR_INIT("var/lib/pacman/local/python-six-1.16.0-9/files"),
         STR_INIT("%FILES%\nusr/\nusr/lib/six.dist-info/METADATA\n\n")},
        {STR_INIT("var/lib/pacman/local/broken-1-1/desc"), STR_INIT("%NAME%\nbroken\n\n")},
        {STR_INIT("var/lib/pacman/local/cut-1-1/desc"), STR_INIT("%NAME%\ncut\n\n%VERSION%\n1-")},
        {STR_INIT("var/lib/pacman/local/empty-1-1/desc"), STR_INIT("")},
    };
    struct facts f;
    assert_ok(catalogue_files(files, KE_ARRAY_LEN(files), &f, &e));
    assert_int_equal(f.packages.n, 2);
    const struct package *p = &f.packages.p[0];
    assert_string_equal(p->type->name, "alpm");
    assert_str(p->name, STR("python-six"));
    assert_str(p->version, STR("1.16.0-9"));
    assert_str(p->source_name, STR("six"));
    assert_str(p->arch, STR("any"));
    assert_str(p->licence, STR("MIT AND BSD"));
    assert_str(p->vendor, STR("N <n@example.org>"));
    assert_int_equal(f.problems.n, 3);
    assert_int_equal(f.owned.n, 1);
    assert_str(f.owned.p[0].owner, STR("python-six"));
    facts_done(&f);
}

static void test_only_told_of(void **state)
{
    static const struct {
        const char *path, *ecosystem;
    } rows[] = {
        {"var/db/pkg/sys-libs/glibc-2.38/CONTENTS", "portage"},
        {"nix/var/nix/db/db.sqlite", "nix"},
        {"var/db/xbps/pkgdb-0.38.plist", "xbps"},
        {"var/lib/pkgtools/packages/bash-5.1-x86_64-1", "slackware"},
        {"snap/core22/1/meta/snap.yaml", "snap"},
        {"opt/bitnami/nginx/.spdx-nginx.spdx", "bitnami"},
        {"var/db/pkg/sys-libs/glibc-2.38/SIZE", NULL},
    };
    for (size_t i = 0; i < KE_ARRAY_LEN(rows); i++) {
        struct facts f;
        listing_facts(rows[i].path, STR("x"), &f);
        assert_int_equal(f.unsupported.n, rows[i].ecosystem != NULL);
        if (rows[i].ecosystem)
            assert_str(f.unsupported.p[0], str_z(rows[i].ecosystem));
        assert_int_equal(f.packages.n, 0);
        facts_done(&f);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_desc),
        cmocka_unit_test(test_only_told_of),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
