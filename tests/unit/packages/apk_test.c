/* apk: every package of real databases, and every trap of the format. */
#include "listing.h"

static void list(const struct facts *f, struct buf *out)
{
    auto_buf lines;
    buf_init(&lines, 16 << 20);
    for (size_t i = 0; i < f->packages.n; i++) {
        const struct package *p = &f->packages.p[i];
        assert_string_equal(p->type->name, "apk");
        buf_addf(&lines, "%.*s %.*s %.*s %.*s\n", STR_ARG(p->name), STR_ARG(p->version),
                 STR_ARG(p->arch), STR_ARG(p->source_name));
    }
    listing_sort(buf_view(&lines), out);
}

/* The P: and V: lines of a database, found in the simplest way. A package without version is none.
 */
static void names_and_versions(str text, struct buf *out)
{
    auto_buf lines;
    buf_init(&lines, 16 << 20);
    str line, name = {0}, version = {0};
    while (text.n) {
        line = str_split(&text, '\n');
        if (str_starts(line, STR("P:")))
            name = str_from(line, 2);
        if (str_starts(line, STR("V:")))
            version = str_from(line, 2);
        if ((line.n == 0 || text.n == 0) && version.n) {
            buf_addf(&lines, "%.*s %.*s\n", STR_ARG(name), STR_ARG(version));
            name = version = (str){0};
        }
    }
    listing_sort(buf_view(&lines), out);
}

static void test_real_databases(void **state)
{
    static const char *const dirs[] = {
        "syft-base",
        "syft-empty-deps-and-provides",
        "syft-extra-file-attributes",
        "syft-multiple-1",
        "syft-multiple-2",
        "syft-single",
        "trivy-alpine-310",
        "trivy-an-apk",
    };
    for (size_t i = 0; i < KE_ARRAY_LEN(dirs); i++) {
        char path[200];
        auto_buf text, want, got, lines;
        snprintf(path, sizeof path, "data/fixtures/apk/%s/root/lib/apk/db/installed", dirs[i]);
        if (!listing_shared(path, &text)) {
            skip_without_shared(path);
            return;
        }
        buf_init(&want, 1 << 20);
        buf_init(&got, 1 << 20);
        buf_init(&lines, 1 << 20);
        struct facts f;
        listing_facts("lib/apk/db/installed", buf_view(&text), &f);
        for (size_t k = 0; k < f.packages.n; k++)
            buf_addf(&lines, "%.*s %.*s\n", STR_ARG(f.packages.p[k].name),
                     STR_ARG(f.packages.p[k].version));
        listing_sort(buf_view(&lines), &got);
        names_and_versions(buf_view(&text), &want);
        assert_true(want.n > 0);
        assert_str(buf_view(&got), buf_view(&want));
        facts_done(&f);
    }
}

static const struct {
    const char *path, *text, *packages;
    size_t problems;
} rows[] = {
    {"lib/apk/db/installed",
     "C:Q1abc=\nP:busybox-binsh\nV:1.36.1-r15\nA:x86_64\no:busybox\nL:GPL-2.0-only\nF:bin\n"
     "R:sh\na:0:0:777\nZ:Q1x=\n\nP:musl\nV:1.2-r0\nA:x86_64\no:musl\n\n",
     "busybox-binsh 1.36.1-r15 x86_64 busybox\nmusl 1.2-r0 x86_64 musl\n", 0},
    {"usr/lib/apk/db/installed", "P:wolfi-base\nV:1-r7\nA:x86_64\n\n", "wolfi-base 1-r7 x86_64 \n",
     0},
    /* virtual packages, empty values, keys that are not known */
    {"lib/apk/db/installed",
     "C:Q1\nP:.build-deps\nV:20240101.123456\nA:noarch\nS:0\nI:0\nD:gcc make\np:\nx:y\n\n",
     ".build-deps 20240101.123456 noarch \n", 0},
    /* broken packages and what stands around them */
    {"lib/apk/db/installed",
     "P:a\nV:1-r0\n\nP:b\n\nV:1\n\nnonsense\n\nP:c\nV:2-r0\nP:d\nV:3-r0\n\n",
     "a 1-r0  \nc 2-r0  \nd 3-r0  \n", 4},
    {"lib/apk/db/installed", "", "", 0},
    {"lib/apk/db/installed", "\n\n", "", 0},
    {"lib/apk/db/installed", "P", "", 1},
    {"lib/apk/db/installed.old", "P:a\nV:1\n\n", "", 0},
    {"xlib/apk/db/installed", "P:a\nV:1\n\n", "", 0},
};

static void test_traps(void **state)
{
    for (size_t i = 0; i < KE_ARRAY_LEN(rows); i++) {
        struct facts f;
        auto_buf got;
        buf_init(&got, 1 << 20);
        listing_facts(rows[i].path, str_z(rows[i].text), &f);
        list(&f, &got);
        assert_str(buf_view(&got), str_z(rows[i].packages));
        if (f.problems.n != rows[i].problems)
            fail_msg("row %zu: %zu problems, want %zu", i, f.problems.n, rows[i].problems);
        facts_done(&f);
    }
}

static void test_fields(void **state)
{
    struct facts f;
    listing_facts("lib/apk/db/installed",
                  STR("P:a\nV:1-r0\nA:x86\nL:MIT AND BSD\no:b\nm:N <n@example.org>\n\n"), &f);
    assert_int_equal(f.packages.n, 1);
    assert_str(f.packages.p[0].licence, STR("MIT AND BSD"));
    assert_str(f.packages.p[0].source_name, STR("b"));
    assert_str(f.packages.p[0].source_version, STR(""));
    assert_str(f.packages.p[0].vendor, STR("N <n@example.org>"));
    facts_done(&f);
}

static void test_cut_anywhere(void **state)
{
    static const char text[] = "C:Q1abc=\nP:a\nV:1-r0\nA:x86\nF:bin\nR:sh\nZ:Q1=\n\n"
                               "P:b\nV:2-r0\nA:x86\nF:etc\nM:0:0:1777\n\n";
    size_t ended = 0;
    for (size_t n = 0; n < sizeof text; n++) {
        autofree char *part = malloc(n + 1);
        memcpy(part, text, n);
        struct facts f;
        listing_facts("lib/apk/db/installed", (str){part, n}, &f);
        bool between = n == 0 || (n >= 2 && text[n - 1] == '\n' && text[n - 2] == '\n');
        if (n && between)
            ended++;
        if (f.problems.n == 0 && !between)
            fail_msg("cut at byte %zu: not told", n);
        assert_true(f.packages.n >= ended);
        facts_done(&f);
    }
}

/* A dependency line of megabytes is nothing special. */
static void test_long_lines(void **state)
{
    enum { LONG = 3 << 20 };
    auto_buf text;
    buf_init(&text, 16 << 20);
    buf_add_str(&text, STR("P:a\nD:"));
    memset(buf_reserve(&text, LONG), 'x', LONG);
    text.n += LONG;
    buf_add_str(&text, STR("\nV:1-r0\np:"));
    memset(buf_reserve(&text, LONG), 'x', LONG);
    text.n += LONG;
    buf_add_str(&text, STR("\n\nP:b\nV:2-r0\n\n"));
    struct facts f;
    listing_facts("lib/apk/db/installed", buf_view(&text), &f);
    assert_int_equal(f.packages.n, 2);
    assert_int_equal(f.problems.n, 0);
    facts_done(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_real_databases), cmocka_unit_test(test_traps),
        cmocka_unit_test(test_fields),         cmocka_unit_test(test_cut_anywhere),
        cmocka_unit_test(test_long_lines),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
