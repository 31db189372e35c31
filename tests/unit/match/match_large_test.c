/* match_large_test.c - ten thousand packages, ten thousand findings. Prints how long it took; the
 * time is not asserted. */
#include "match_fixture.h"

#include <time.h>

enum { MANY = 10000, CLAIMED = 40000 };

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void make(struct fixture *f, size_t affected)
{
    struct err e;
    fixture_dir(f);
    struct arena a;
    arena_init(&a, 256 << 20);
    struct claim_row *claims = arena_calloc(&a, CLAIMED, sizeof *claims);
    struct vuln_row vulns[] = {
        {"nvd", "CVE-2000-1", .cvss = "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H"}};
    assert_non_null(claims);
    for (size_t i = 0; i < CLAIMED; i++)
        claims[i] = (struct claim_row){
            .source = "debian",
            .vuln = arena_printf(&a, "CVE-2000-%zu", i % 20000).p,
            .where = "debian:12",
            .package = arena_printf(&a, "package-%05zu", i % (2 * MANY)).p,
            .hi = i % (2 * MANY) < affected && i < 2 * MANY ? "2.0-1" : "1.0-0",
        };
    fixture_install(f->dir, "debian", claims, CLAIMED, NULL, 0);
    fixture_install(f->dir, "nvd", NULL, 0, vulns, 1);
    arena_init(&f->inv.arena, 64 << 20);
    f->inv.release = (struct release_info){.id = STR("debian"), .version_id = STR("12")};
    f->inv.packages = arena_calloc(&f->inv.arena, MANY, sizeof *f->inv.packages);
    f->inv.n_packages = MANY;
    for (size_t i = 0; i < MANY; i++)
        f->inv.packages[i].p = (struct package){
            .type = package_type_find(STR("deb")),
            .name = arena_printf(&f->inv.arena, "package-%05zu", i),
            .version = STR("1.0-1"),
        };
    arena_done(&a);
    assert_ok(vulndb_open(f->dir, &f->db, &e));
}

static void run(size_t affected)
{
    struct fixture f;
    struct err e;
    make(&f, affected);
    double from = now();
    assert_ok(match_inventory(f.db, &f.inv, &f.findings, &e));
    printf("matched %d packages, %zu findings: %.1f ms\n", MANY, f.findings->n,
           (now() - from) * 1e3);
    assert_int_equal(f.findings->n, affected);
    struct findings *again;
    assert_ok(match_inventory(f.db, &f.inv, &again, &e));
    for (size_t i = 0; i < affected; i++) {
        assert_str(again->items[i].id, f.findings->items[i].id);
        assert_int_equal(again->items[i].package, f.findings->items[i].package);
    }
    findings_free(again);
    fixture_done(&f);
}

static void test_few(void **state)
{
    run(100);
}

static void test_all(void **state)
{
    run(MANY);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_few),
        cmocka_unit_test(test_all),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
