/* Headers of rpm packages: values, limits, lists of files. */
#include "rpm_build.h"

#include "codec/rpm_header.h"

#define NAME                                                                                       \
    {                                                                                              \
        1000, 6, 1, STR_INIT("bash\0")                                                             \
    }
#define VERSION                                                                                    \
    {                                                                                              \
        1001, 6, 1, STR_INIT("5.1\0")                                                              \
    }
enum { TAGS = 8 };

static void values(void **state)
{
    const struct build_tag tags[] = {
        {63, 7, 16, STR_INIT("0123456789abcdef")}, /* a region: only marks */
        NAME,
        VERSION,
        {1002, 6, 1, STR_INIT("4.el9\0")},
        {1003, 4, 1, STR_INIT("\0\0\0\0")},
        {1008, 4, 1, STR_INIT("\0\0\1\0")},
        {1009, 4, 1, STR_INIT("\0\1\0\0")},
        {1011, 6, 1, STR_INIT("Red Hat, Inc.\0")},
        {1014, 6, 1, STR_INIT("GPLv3+\0")},
        {1016, 9, 2, STR_INIT("Unspecified\0Nichts\0")},
        {1022, 6, 1, STR_INIT("x86_64\0")},
        {1044, 6, 1, STR_INIT("bash-5.1-4.el9.src.rpm\0")},
        {5096, 6, 1, STR_INIT("m:1:2:c\0")},
        {1008, 4, 1, STR_INIT("\0\0\2\0")}, /* behind the region: replaces */
    };
    struct rpm_header h;
    struct err e = {0};
    auto_buf blob;
    buf_init(&blob, 4096);
    build_header(tags, KE_ARRAY_LEN(tags), &blob);
    buf_add_str(&blob, STR("slack"));
    assert_ok(rpm_header_read(buf_view(&blob), &h, &e));
    assert_str(h.name, STR("bash"));
    assert_str(h.version, STR("5.1"));
    assert_str(h.release, STR("4.el9"));
    assert_str(h.arch, STR("x86_64"));
    assert_str(h.vendor, STR("Red Hat, Inc."));
    assert_str(h.licence, STR("GPLv3+"));
    assert_str(h.module, STR("m:1:2:c"));
    assert_str(h.source_rpm, STR("bash-5.1-4.el9.src.rpm"));
    assert_true(h.has_epoch && h.epoch == 0);
    assert_int_equal(h.install_time, 512);
    assert_int_equal(h.size, 65536);
}

static void bad_values(void **state)
{
    static const struct {
        struct build_tag tags[TAGS];
        const char *text; /* NULL: fine */
    } rows[] = {
        {{NAME, VERSION}, NULL},
        {{NAME}, "without a version"},
        {{VERSION}, "without a name"},
        {{{1000, 6, 1, STR_INIT("\0")}, VERSION}, "without a name"},
        {{VERSION, {1000, 6, 1, STR_INIT("bash")}}, "has no end"},
        {{NAME, VERSION, {1003, 6, 1, STR_INIT("1\0")}}, "not a number"},
        {{NAME, VERSION, {1003, 4, 0, STR_INIT("\0\0\0\1")}}, "outside"},
        {{NAME, VERSION, {1003, 4, 1, STR_INIT("\0\0\1")}}, "outside"},
        {{NAME, VERSION, {1003, 5, 1, STR_INIT("\0\0\0\1\0\0\0\0")}}, "too large"},
        {{NAME, VERSION, {1003, 5, 1, STR_INIT("\0\0\0\0\0\0\0\1")}}, NULL},
        {{NAME, VERSION, {1003, 3, 1, STR_INIT("\0\1")}}, NULL},
        {{NAME, VERSION, {1003, 2, 1, STR_INIT("\1")}}, NULL},
        {{NAME, VERSION, {1002, 4, 1, STR_INIT("\0\0\0\1")}}, "not a string"},
        {{NAME, VERSION, {1002, 6, 0, STR_INIT("1\0")}}, "not a string"},
        {{NAME, VERSION, {1117, 8, 3, STR_INIT("a\0")}}, "more items"},
        {{NAME, VERSION, {1116, 4, 2, STR_INIT("\0\0\0\0\0\0\0")}}, "more items"},
        {{NAME, VERSION, {1116, 6, 1, STR_INIT("\0\0\0\0")}}, "wrong type"},
        {{NAME, VERSION, {9999, 99, 0xffffffff, STR_INIT("what is not read is not judged")}}, NULL},
    };
    for (size_t i = 0; i < KE_ARRAY_LEN(rows); i++) {
        struct rpm_header h;
        struct err e = {0};
        auto_buf blob;
        size_t n = 0;
        while (n < TAGS && rows[i].tags[n].tag)
            n++;
        buf_init(&blob, 4096);
        build_header(rows[i].tags, n, &blob);
        int r = rpm_header_read(buf_view(&blob), &h, &e);
        bool ok = rows[i].text ? r == ERR_FORMAT && strstr(e.text, rows[i].text) : r == 0;
        if (!ok)
            fail_msg("row %zu: %d %s", i, r, e.text);
    }
}

static void lying_counts(void **state)
{
    static const struct {
        size_t at;
        uint32_t value;
    } rows[] = {
        {0, 0},
        {0, 3},
        {0, 0x10000},
        {0, 0xffffffff},
        {4, 10},
        {4, 8},
        {4, 4},
        {4, 0xffffffff},
        {8 + 8, 10},
        {8 + 8, 0xffffffff},
        {8 + 16 + 8, 0x7fffffff},
        {8 + 12, 0},
    };
    const struct build_tag tags[] = {NAME, VERSION};
    struct rpm_header h;
    struct err e = {0};
    for (size_t i = 0; i < KE_ARRAY_LEN(rows); i++) {
        auto_buf blob;
        buf_init(&blob, 4096);
        build_header(tags, 2, &blob);
        put32(blob.p + rows[i].at, rows[i].value, true);
        if (rpm_header_read(buf_view(&blob), &h, &e) != ERR_FORMAT)
            fail_msg("row %zu", i);
    }
    auto_buf blob;
    buf_init(&blob, 4096);
    build_header(tags, 2, &blob);
    assert_int_equal(rpm_header_read((str){NULL, 0}, &h, &e), ERR_FORMAT);
    for (size_t n = 0; n < blob.n; n++) {
        autofree char *copy = malloc(n + 1);
        memcpy(copy, blob.p, n);
        assert_int_equal(rpm_header_read((str){copy, n}, &h, &e), ERR_FORMAT);
    }
}

static int add_path(void *ctx, uint32_t index, str path, struct err *e)
{
    struct buf *b = ctx;
    buf_add_str(b, path);
    buf_add_char(b, ' ');
    return str_eq(path, STR("stop")) ? err_set(e, ERR_USAGE, "stopped") : 0;
}

static void files(void **state)
{
    static const struct {
        struct build_tag tags[TAGS];
        const char *paths;
        int code;
    } rows[] = {
        {{{0}}, "", 0},
        {{{1117, 8, 3, STR_INIT("a\0b\0c\0")},
          {1118, 8, 2, STR_INIT("/usr/bin/\0/etc/\0")},
          {1116, 4, 3, STR_INIT("\0\0\0\1\0\0\0\0\0\0\0\1")}},
         "etc/a usr/bin/b etc/c ",
         0},
        {{{1117, 8, 1, STR_INIT("\0")},
          {1118, 8, 1, STR_INIT("/\0")},
          {1116, 4, 1, STR_INIT("\0\0\0\0")}},
         "",
         0},
        {{{1027, 8, 2, STR_INIT("/bin/sh\0/etc/passwd\0")}}, "bin/sh etc/passwd ", 0},
        {{{1027, 6, 1, STR_INIT("/bin/sh\0")}}, "bin/sh ", 0},
        {{{1027, 8, 2, STR_INIT("/bin/sh\0/etc")}}, "bin/sh ", ERR_FORMAT},
        {{{1027, 8, 2, STR_INIT("/stop\0/more\0")}}, "stop ", ERR_USAGE},
        {{{1117, 8, 2, STR_INIT("a\0b\0")},
          {1118, 8, 1, STR_INIT("/\0")},
          {1116, 4, 1, STR_INIT("\0\0\0\0")}},
         "",
         ERR_FORMAT},
        {{{1117, 8, 2, STR_INIT("a\0b\0")},
          {1118, 8, 1, STR_INIT("/\0")},
          {1116, 4, 2, STR_INIT("\0\0\0\0\0\0\0\1")}},
         "a ",
         ERR_FORMAT},
        {{{1116, 4, 1, STR_INIT("\0\0\0\0")},
          {1117, 8, 1, STR_INIT("a\0")},
          {1118, 8, 2, STR_INIT("/\0")}},
         "",
         ERR_FORMAT},
    };
    for (size_t i = 0; i < KE_ARRAY_LEN(rows); i++) {
        struct rpm_header h;
        struct err e = {0};
        auto_buf blob, got;
        struct build_tag tags[TAGS + 2] = {NAME, VERSION};
        size_t n = 0;
        for (; n < TAGS && rows[i].tags[n].tag; n++)
            tags[n + 2] = rows[i].tags[n];
        buf_init(&blob, 4096);
        buf_init(&got, 4096);
        build_header(tags, n + 2, &blob);
        assert_ok(rpm_header_read(buf_view(&blob), &h, &e));
        int r = rpm_header_files(&h, add_path, &got, &e);
        if (r != rows[i].code || !str_eq(buf_view(&got), str_z(rows[i].paths)))
            fail_msg("row %zu: %d %s: %.*s", i, r, e.text, STR_ARG(buf_view(&got)));
    }
}

/* 60,000 files without a name in a directory of 4,000 bytes would make 240 MB of paths. */
static void long_paths_together(void **state)
{
    enum { N = 60000, DIR = 4000 };
    autofree char *zeros = calloc(N, 4);
    char dir[DIR + 1];
    memset(dir, 'd', DIR);
    dir[DIR] = 0;
    const struct build_tag tags[] = {
        NAME,
        VERSION,
        {1117, 8, N, {zeros, N}},
        {1116, 4, N, {zeros, 4 * (size_t)N}},
        {1118, 8, 1, {dir, sizeof dir}},
    };
    struct rpm_header h;
    struct err e = {0};
    auto_buf blob, got;
    buf_init(&blob, 16 << 20);
    buf_init(&got, 64 << 20);
    build_header(tags, KE_ARRAY_LEN(tags), &blob);
    assert_ok(rpm_header_read(buf_view(&blob), &h, &e));
    assert_int_equal(rpm_header_files(&h, add_path, &got, &e), ERR_LIMIT);
    assert_true(got.n <= 16 * blob.n);
}

static void source_names(void **state)
{
    static const struct {
        const char *file, *name, *version; /* name NULL: has no such form */
    } rows[] = {
        {"bash-5.1-4.el9.src.rpm", "bash", "5.1-4.el9"},
        {"util-linux-2.32.1-42.el8_8.src.rpm", "util-linux", "2.32.1-42.el8_8"},
        {"java-11-openjdk-11.0.14.1.1-5.el9_0.src.rpm", "java-11-openjdk", "11.0.14.1.1-5.el9_0"},
        {"kernel-5.14.0-70.13.1.el9_0.nosrc.rpm", "kernel", "5.14.0-70.13.1.el9_0"},
        {"bash-5.1-4.el9.src", NULL, NULL},
        {"bash-5.src.rpm", NULL, NULL},
        {"bash.src.rpm", NULL, NULL},
        {"-5-1.src.rpm", NULL, NULL},
        {"bash--1.src.rpm", NULL, NULL},
        {"bash-1-.src.rpm", NULL, NULL},
        {"--.rpm", NULL, NULL},
        {".rpm", NULL, NULL},
        {"", NULL, NULL},
    };
    for (size_t i = 0; i < KE_ARRAY_LEN(rows); i++) {
        str name, version;
        bool ok = rpm_source_split(str_z(rows[i].file), &name, &version);
        if (ok != (rows[i].name != NULL))
            fail_msg("%s: %d", rows[i].file, ok);
        if (ok) {
            assert_str(name, str_z(rows[i].name));
            assert_str(version, str_z(rows[i].version));
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(values),
        cmocka_unit_test(bad_values),
        cmocka_unit_test(lying_counts),
        cmocka_unit_test(files),
        cmocka_unit_test(long_paths_together),
        cmocka_unit_test(source_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
