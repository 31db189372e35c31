/* rpm's databases and lists, as one layer's files, against rpm's own answers. */
#include "unit.h"

#include "packages/cataloguer.h"

static int by_line(const void *a, const void *b)
{
    return str_cmp(*(const str *)a, *(const str *)b);
}

static void sort_lines(struct buf *text)
{
    VEC(str) lines = {0};
    struct buf sorted;
    buf_init(&sorted, text->max);
    str rest = buf_view(text), line;
    while (str_line(&rest, &line))
        *vec_push(&lines) = line;
    if (lines.n)
        qsort(lines.p, lines.n, sizeof *lines.p, by_line);
    for (size_t i = 0; i < lines.n; i++) {
        buf_add_str(&sorted, lines.p[i]);
        buf_add_char(&sorted, '\n');
    }
    vec_done(&lines);
    buf_done(text);
    *text = sorted;
}

/* "name|epoch:version-release|arch|source|its version|vendor|licence|module", one line a package,
 * sorted. */
static void describe(const struct facts *f, struct buf *out)
{
    buf_init(out, 64 << 20);
    for (size_t i = 0; i < f->packages.n; i++) {
        const struct package *p = &f->packages.p[i];
        buf_addf(out, "%.*s|%.*s|%.*s|%.*s|%.*s|%.*s|%.*s|%.*s\n", STR_ARG(p->name),
                 STR_ARG(p->version), STR_ARG(p->arch), STR_ARG(p->source_name),
                 STR_ARG(p->source_version), STR_ARG(p->vendor), STR_ARG(p->licence),
                 STR_ARG(p->module));
    }
    sort_lines(out);
}

static str none(str s)
{
    return str_eq(s, STR("(none)")) ? STR("") : s;
}

/* One line of rpm's answer (name epoch version release arch source vendor licence size module) in
 * the form of describe(). */
static void expected_line(str line, struct buf *out)
{
    str f[10];
    for (size_t i = 0; i < KE_ARRAY_LEN(f); i++)
        f[i] = none(str_split(&line, '\t'));
    buf_addf(out, "%.*s|%.*s%s%.*s-%.*s|%.*s|", STR_ARG(f[0]), STR_ARG(f[1]), f[1].n ? ":" : "",
             STR_ARG(f[2]), STR_ARG(f[3]), STR_ARG(f[4]));
    str source = f[5];
    if (str_ends(source, STR(".src.rpm")))
        source.n -= 8;
    ptrdiff_t release = str_rindex(source, '-');
    ptrdiff_t version = str_rindex(str_sub(source, 0, (size_t)release), '-');
    buf_addf(out, "%.*s|%.*s|%.*s|%.*s|%.*s\n", STR_ARG(str_sub(source, 0, (size_t)version)),
             STR_ARG(str_from(source, (size_t)version + 1)), STR_ARG(f[6]), STR_ARG(f[7]),
             STR_ARG(f[9]));
}

static void answers_as_rpm(void **state)
{
    static const struct {
        const char *file, *path, *expected;
    } rows[] = {
        {"data/fixtures/rpm/libuuid/root/var/lib/rpm/Packages", "var/lib/rpm/Packages",
         "data/fixtures/rpm/libuuid/expected.tsv"},
        {"data/fixtures/rpm/cbl-mariner-2.0/root/usr/lib/sysimage/rpm/rpmdb.sqlite",
         "usr/lib/sysimage/rpm/rpmdb.sqlite", "data/fixtures/rpm/cbl-mariner-2.0/expected.tsv"},
    };
    for (size_t i = 0; i < KE_ARRAY_LEN(rows); i++) {
        struct err e = {0};
        auto_buf database, answer, want, got;
        buf_init(&database, 64 << 20);
        buf_init(&answer, 1 << 20);
        buf_init(&want, 1 << 20);
        if (!shared_path(rows[i].file)) {
            skip_without_shared(rows[i].file);
            return;
        }
        assert_ok(fs_read(shared_path(rows[i].file), &database, &e));
        assert_ok(fs_read(shared_path(rows[i].expected), &answer, &e));
        str rest = buf_view(&answer), line;
        while (str_line(&rest, &line))
            expected_line(line, &want);
        sort_lines(&want);
        struct cat_test_file file = {str_z(rows[i].path), buf_view(&database), 0644};
        struct facts f;
        assert_ok(catalogue_files(&file, 1, &f, &e));
        describe(&f, &got);
        assert_str(buf_view(&got), buf_view(&want));
        assert_int_equal(f.problems.n, 0);
        assert_true(f.packages.n > 0);
        assert_str(f.packages.p[0].path, file.path);
        facts_done(&f);
    }
}

static const char full_list[] =
    "bash\t5.1.8-1.cm2\t1653816598\t1653000000\tMicrosoft "
    "Corporation\t(none)\t3565139\tx86_64\t0\tbash-5.1.8-1.cm2.src.rpm\n"
    "tzdata\t2022a-1.cm2\t1\t1\tV\t2\t5\tnoarch\t2\ttz-data-2022a-1.cm2.src.rpm\r\n"
    "gpg-pubkey\t3135ce90-5e6fda74\t1\t1\t(none)\t(none)\t0\t(none)\t0\t(none)\n";

static void lists_of_distroless_images(void **state)
{
    static const struct {
        const char *what;
        struct cat_test_file files[2];
        const char *want;
        size_t n_problems;
    } rows[] = {
        {"full",
         {{STR_INIT("var/lib/rpmmanifest/container-manifest-2"), STR_INIT(full_list)}},
         "bash|5.1.8-1.cm2|x86_64|bash|5.1.8-1.cm2|Microsoft Corporation||\n"
         "tzdata|2:2022a-1.cm2|noarch|tz-data|2022a-1.cm2|V||\n",
         0},
        {"both: the full one counts",
         {{STR_INIT("var/lib/rpmmanifest/container-manifest-1"), STR_INIT("a-1-1.noarch\n")},
          {STR_INIT("var/lib/rpmmanifest/container-manifest-2"), STR_INIT("")}},
         "",
         0},
        {"short only",
         {{STR_INIT("var/lib/rpmmanifest/container-manifest-1"),
           STR_INIT("libstdc++-11.2.0-2.cm2.x86_64\ngpg-pubkey-3135ce90-5e6fda74.(none)\n")}},
         "libstdc++|11.2.0-2.cm2|x86_64|||||\n",
         0},
        {"bad lines",
         {{STR_INIT("var/lib/rpmmanifest/container-manifest-2"),
           STR_INIT("nothing\n\na\t1-1\t\t\t\tx\t\tnoarch\t\t\na\t1\t1\t1\tv\t0\t1\tn\t0\ts\n"
                    "ok\t1-1\t0\t0\tv\t0\t1\tnoarch\t0\t(none)\n")}},
         "ok|0:1-1|noarch|||v||\n",
         3},
        {"bad short lines",
         {{STR_INIT("var/lib/rpmmanifest/container-manifest-1"),
           STR_INIT("nothing\n-1-2.x\na-.x\na-1-2.x\n")}},
         "a|1-2|x|||||\n",
         3},
        {"elsewhere", {{STR_INIT("home/container-manifest-2"), STR_INIT(full_list)}}, "", 0},
    };
    for (size_t i = 0; i < KE_ARRAY_LEN(rows); i++) {
        struct err e = {0};
        struct facts f;
        auto_buf got;
        size_t n = rows[i].files[1].path.n ? 2 : 1;
        assert_ok(catalogue_files(rows[i].files, n, &f, &e));
        describe(&f, &got);
        if (!str_eq(buf_view(&got), str_z(rows[i].want)) || f.problems.n != rows[i].n_problems)
            fail_msg("%s: got \"%.*s\" and %zu problems", rows[i].what, STR_ARG(buf_view(&got)),
                     f.problems.n);
        facts_done(&f);
    }
}

static void files_that_are_no_databases(void **state)
{
    static const char *const paths[] = {
        "var/lib/rpm/Packages",
        "usr/lib/sysimage/rpm/Packages.db",
        "usr/share/rpm/rpmdb.sqlite",
        "var/lib/rpm/rpmdb.sqlite-wal",
    };
    static const char junk[5000] = "SQLite format 3";
    for (size_t i = 0; i < KE_ARRAY_LEN(paths); i++)
        for (size_t n = 1; n <= sizeof junk; n *= 7) {
            struct err e = {0};
            struct facts f;
            struct cat_test_file file = {str_z(paths[i]), {junk, n}, 0644};
            assert_ok(catalogue_files(&file, 1, &f, &e));
            assert_int_equal(f.problems.n, 1);
            assert_str(f.problems.p[0].path, file.path);
            assert_int_equal(f.packages.n, 0);
            facts_done(&f);
        }
}

static void rollback_journals(void **state)
{
    static const struct {
        str content;
        size_t n_problems;
    } rows[] = {
        {STR_INIT("\xd9\xd5\x05\xf9\x20\xa1\x63\xd7 and the rest"), 1},
        {STR_INIT("\xd9\xd5\x05\xf9\x20\xa1\x63"), 0},
        {STR_INIT("\0\0\0\0\0\0\0\0\0\0\0\0"), 0},
        {STR_INIT(""), 0},
    };
    for (size_t i = 0; i < KE_ARRAY_LEN(rows); i++) {
        struct err e = {0};
        struct facts f;
        struct cat_test_file file = {STR("var/lib/rpm/rpmdb.sqlite-journal"), rows[i].content,
                                     0644};
        assert_ok(catalogue_files(&file, 1, &f, &e));
        assert_int_equal(f.problems.n, rows[i].n_problems);
        facts_done(&f);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(answers_as_rpm),
        cmocka_unit_test(lists_of_distroless_images),
        cmocka_unit_test(files_that_are_no_databases),
        cmocka_unit_test(rollback_journals),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
