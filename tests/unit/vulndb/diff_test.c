#include "db_test.h"

#include "vulndb/diff.h"

static struct err e;
static char dir[256];

static const struct row base[] = {
    {"CVE-1", "debian:12", "", "openssl", "deb", "", "3.0", "", "3.0"},
    {"CVE-2", "debian:12", "", "openssl", "deb", "", "2.0", "", "2.0"},
    {"CVE-1", "debian:12", "", "zlib", "deb", "", "1.3", "", "1.3"},
    {"CVE-3", "debian:12", "", "curl", "deb", "", "8", "", "8"},
    {"GHSA-1", "", "npm", "left-pad", "semver", "", "1.3.0", "", "1.3.0"},
};

static void install(const char *source, const struct row *rows, size_t n, const struct vuln *v,
                    size_t n_vulns)
{
    struct vulndb_builder *b;
    struct vulndb_stats stats;
    assert_ok(vulndb_builder_new(dir, str_z(source), &b, &e));
    for (size_t i = 0; i < n; i++)
        send_row(vulndb_builder_sink(b), &rows[i]);
    for (size_t i = 0; i < n_vulns; i++)
        assert_ok(vulndb_builder_sink(b)->vuln(vulndb_builder_sink(b), &v[i], &e));
    assert_ok(vulndb_builder_install(b, &stats, &e));
    vulndb_builder_free(b);
}

static void prints(struct buf *out)
{
    struct vulndb *db;
    buf_init(out, 1 << 20);
    assert_ok(vulndb_open(dir, &db, &e));
    assert_ok(vulndb_prints(db, out, &e));
    vulndb_close(db);
}

static const struct {
    const char *ecosystem, *name;
} known[] = {{"", "openssl"}, {"", "zlib"}, {"", "curl"}, {"npm", "left-pad"}, {"", "bash"}};

static int note(void *ctx, const struct vulndb_change *c, struct err *err)
{
    for (size_t i = 0; i < KE_ARRAY_LEN(known); i++)
        if (vulndb_name_key(str_z(known[i].ecosystem), str_z(known[i].name)) == c->key)
            *(unsigned *)ctx |= 1u << i;
    return 0;
}

/* Which of the known names differ since `before`, which becomes what is installed now. */
static unsigned since(struct buf *before, int parts)
{
    struct buf now;
    unsigned changed = 0, reverse = 0;
    prints(&now);
    assert_int_equal(vulndb_prints_diff(buf_view(before), buf_view(&now), note, &changed, &e),
                     parts);
    assert_int_equal(vulndb_prints_diff(buf_view(&now), buf_view(before), note, &reverse, &e),
                     parts);
    assert_int_equal(changed, reverse);
    buf_done(before);
    *before = now;
    return changed;
}

static void only_names_that_changed_differ(void **state)
{
    struct buf before;
    struct row rows[KE_ARRAY_LEN(base) + 1];
    struct vuln v = vuln_empty();
    size_t n = KE_ARRAY_LEN(base);
    memcpy(rows, base, sizeof base);
    install("debian", rows, n, NULL, 0);
    prints(&before);
    install("debian", rows, n, NULL, 0);
    assert_int_equal(since(&before, 0), 0);

    rows[3].hi = rows[3].fixed = "8.1";
    install("debian", rows, n, NULL, 0);
    assert_int_equal(since(&before, 0), 1 << 2);

    rows[n] = (struct row){"CVE-0", "debian:12", "", "bash", "deb", "", "5", "", "5"};
    install("debian", rows, n + 1, NULL, 0);
    assert_int_equal(since(&before, 0), 1 << 4);

    v.id = STR("CVE-1");
    v.severity = SEV_HIGH;
    install("nvd", NULL, 0, &v, 1);
    assert_int_equal(since(&before, 0), 1 << 0 | 1 << 1);

    v.id = STR("CVE-3");
    v.epss_score = 1000;
    v.severity = SEV_UNKNOWN;
    install("epss", NULL, 0, &v, 1);
    assert_int_equal(since(&before, 0), 0);

    struct vuln_alias alias = {STR("CVE-9"), ALIAS_SAME};
    v = vuln_empty();
    v.id = STR("OSV-7");
    v.aliases = &alias;
    v.n_aliases = 1;
    install("osv", NULL, 0, &v, 1);
    assert_int_equal(since(&before, 0), 0);
    alias.id = STR("GHSA-1");
    install("osv", NULL, 0, &v, 1);
    assert_int_equal(since(&before, 0), 1 << 3);
    buf_done(&before);
}

static void a_new_part_is_told(void **state)
{
    struct buf before;
    struct row one = {"CVE-5", "debian:13", "", "zlib", "deb", "", "1.3", "", "1.3"};
    install("debian", base, KE_ARRAY_LEN(base), NULL, 0);
    prints(&before);
    install("other", &one, 1, NULL, 0);
    assert_int_equal(since(&before, 1), 1 << 1);
    struct buf none = {0};
    assert_ok(vulndb_prints(NULL, (buf_init(&none, 100), &none), &e));
    unsigned all = 0;
    assert_int_equal(vulndb_prints_diff(buf_view(&none), buf_view(&before), note, &all, &e), 1);
    assert_int_equal(all, 0xf);
    buf_done(&none);
    buf_done(&before);
}

static void cut_prints_are_refused(void **state)
{
    struct buf whole;
    install("debian", base, KE_ARRAY_LEN(base), NULL, 0);
    prints(&whole);
    unsigned seen = 0;
    for (size_t n = 1; n < whole.n; n++) {
        int rc = vulndb_prints_diff(STR(""), (str){whole.p, n}, note, &seen, &e);
        assert_true(rc == ERR_FORMAT || rc == 1 || rc == 0); /* a cut between parts reads well */
        assert_true(n < 4 ? rc == ERR_FORMAT : true);
    }
    assert_int_equal(vulndb_prints_diff(STR("KLP0"), STR(""), note, &seen, &e), ERR_FORMAT);
    buf_done(&whole);
}

static int setup(void **state)
{
    scratch_make(dir, sizeof dir);
    return 0;
}

static int teardown(void **state)
{
    scratch_clear(dir);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(only_names_that_changed_differ, setup, teardown),
        cmocka_unit_test_setup_teardown(a_new_part_is_told, setup, teardown),
        cmocka_unit_test_setup_teardown(cut_prints_are_refused, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
