/* Zip archives: the honest shapes, and the lies. */
#include "unit.h"

#include "codec/zip.h"
#include "zip_build.h"

#define HELLO "hello, hello, hello, hello, hello"

/* Reads every member: what zip_next and zip_content answered, as "name=content;" or
 * "name!errorword;", then "end" or "!errorword". */
static void transcript(str archive, const struct zip_limits *limits, struct buf *out)
{
    struct err e = {0};
    struct spool *s;
    struct zip *z;
    assert_ok(spool_from_mem(archive, &s, &e));
    int r = zip_open(s, limits, &z, &e);
    if (r < 0) {
        buf_addf(out, "open!%s", err_word(r));
        spool_free(s);
        return;
    }
    struct zip_entry entry;
    while ((r = zip_next(z, &entry, &e)) > 0) {
        buf_add_str(out, entry.name);
        auto_stream *content = NULL;
        auto_buf body;
        buf_init(&body, 1 << 24);
        int r2 = zip_content(z, &entry, &content, &e);
        if (r2 == 0)
            r2 = stream_read_all(content, &body, "member", &e);
        if (r2 < 0)
            buf_addf(out, "!%s;", err_word(r2));
        else
            buf_addf(out, "=%.*s;", STR_ARG(buf_view(&body)));
    }
    buf_addf(out, r == 0 ? "end" : "!%s", err_word(r));
    zip_close(z);
    spool_free(s);
}

#define NAMED(n) .name = STR_INIT(n), .content = STR_INIT(HELLO)

static void shapes(void **state)
{
    static char long_comment[65535];
    memset(long_comment, 'c', sizeof long_comment);
    memcpy(long_comment + 100, "PK\5\6", 4);
    static const struct {
        const char *what;
        struct zb_member m[3];
        struct zb_options o;
        const char *want;
    } rows[] = {
        {"empty", {{}}, {}, "end"},
        {"stored", {{NAMED("a")}}, {}, "a=" HELLO ";end"},
        {"deflate",
         {{NAMED("a"), .deflate = true}, {NAMED("b")}},
         {},
         "a=" HELLO ";b=" HELLO ";end"},
        {"descriptor", {{NAMED("a"), .deflate = true, .descriptor = true}}, {}, "a=" HELLO ";end"},
        {"zip64", {{NAMED("a"), .zip64 = true}}, {.zip64 = true}, "a=" HELLO ";end"},
        {"leading bytes", {{NAMED("a")}}, {.leading = STR_INIT("#!/bin/sh\n")}, "a=" HELLO ";end"},
        {"leading bytes counted",
         {{NAMED("a")}},
         {.leading = STR_INIT("#!/bin/sh\n"), .count_leading = true},
         "a=" HELLO ";end"},
        {"leading bytes, zip64",
         {{NAMED("a")}},
         {.leading = STR_INIT("#!/bin/sh\n"), .zip64 = true},
         "a=" HELLO ";end"},
        {"comment", {{NAMED("a")}}, {.comment = STR_INIT("PK\5\6 is not here")}, "a=" HELLO ";end"},
        {"longest comment",
         {{NAMED("a")}},
         {.comment = {long_comment, sizeof long_comment}},
         "a=" HELLO ";end"},
        {"junk behind", {{NAMED("a")}}, {.junk = STR_INIT("\n\n\n")}, "a=" HELLO ";end"},
        {"odd names",
         {{NAMED("../../etc/passwd")}, {NAMED("/abs")}, {NAMED("dir/")}},
         {},
         "../../etc/passwd=" HELLO ";/abs=" HELLO ";dir/=" HELLO ";end"},
        {"encrypted",
         {{NAMED("a"), .flags = 1}, {NAMED("b")}},
         {},
         "a!unsupported;b=" HELLO ";end"},
        {"method 14",
         {{NAMED("a"), .method = 14}, {NAMED("b")}},
         {},
         "a!unsupported;b=" HELLO ";end"},
        {"size too small",
         {{NAMED("a"), .deflate = true, .descriptor = true, .lie_size = -1}},
         {},
         "a!format;end"},
        {"size too large",
         {{NAMED("a"), .deflate = true, .descriptor = true, .lie_size = 1}},
         {},
         "a!format;end"},
        {"stored with two sizes", {{NAMED("a"), .lie_size = 1}}, {}, "a!format;end"},
        {"crc", {{NAMED("a"), .lie_crc = 1}, {NAMED("b")}}, {}, "a!format;b=" HELLO ";end"},
        {"offset", {{NAMED("a"), .lie_offset = 1}}, {}, "a!format;end"},
        {"offset far", {{NAMED("a"), .lie_offset = 1 << 30}}, {}, "a!format;end"},
        {"other local name", {{NAMED("a"), .local_name = STR_INIT("b")}}, {}, "a!format;end"},
        {"overlap",
         {{NAMED("a")}, {NAMED("b"), .lie_offset = -20}},
         {},
         "a=" HELLO ";b!format;end"},
        {"count too large", {{NAMED("a")}}, {.lie_count = 1}, "a=" HELLO ";!format"},
        {"count too small",
         {{NAMED("a")}, {NAMED("b")}},
         {.lie_count = -1},
         "a=" HELLO ";b=" HELLO ";!format"},
        {"directory offset beyond", {{NAMED("a")}}, {.lie_directory_offset = 1000}, "open!format"},
        {"directory size huge", {{NAMED("a")}}, {.lie_directory_size = 1 << 30}, "open!format"},
        {"directory one byte short", {{NAMED("a")}}, {.lie_directory_size = -1}, "!format"},
    };
    for (size_t i = 0; i < KE_ARRAY_LEN(rows); i++) {
        size_t n = 0;
        while (n < 3 && rows[i].m[n].name.n)
            n++;
        auto_buf archive, got;
        buf_init(&archive, 1 << 20);
        buf_init(&got, 1 << 20);
        zb_build(&archive, rows[i].m, n, &rows[i].o);
        transcript(buf_view(&archive), NULL, &got);
        if (!str_eq(buf_view(&got), str_z(rows[i].want)))
            fail_msg("%s: got \"%s\", want \"%s\"", rows[i].what, buf_z(&got), rows[i].want);
    }
}

/* Cut anywhere, an archive is an error at some point: never all its members and a clean end. */
static void truncated(void **state)
{
    static const struct zb_member m[] = {{NAMED("a"), .deflate = true}, {NAMED("b")}};
    auto_buf archive;
    buf_init(&archive, 1 << 20);
    zb_build(&archive, m, 2, NULL);
    for (size_t n = 0; n < archive.n; n++) {
        auto_buf got;
        buf_init(&got, 1 << 20);
        transcript((str){archive.p, n}, NULL, &got);
        assert_str(buf_view(&got), STR("open!format"));
    }
}

/* Any single changed byte: no crash, and no other content passed as good. */
static void flipped(void **state)
{
    static const struct zb_member m[] = {{NAMED("a"), .deflate = true}, {NAMED("b")}};
    static const unsigned char flips[] = {0xff, 0x80, 1};
    auto_buf archive;
    buf_init(&archive, 1 << 20);
    zb_build(&archive, m, 2, &(struct zb_options){.zip64 = true});
    for (size_t i = 0; i < archive.n * KE_ARRAY_LEN(flips); i++) {
        size_t at = i / KE_ARRAY_LEN(flips);
        unsigned char flip = flips[i % KE_ARRAY_LEN(flips)];
        archive.p[at] = (char)(archive.p[at] ^ flip);
        auto_buf got;
        buf_init(&got, 1 << 20);
        transcript(buf_view(&archive), NULL, &got);
        str rest = buf_view(&got), part;
        while (rest.n) {
            part = str_split(&rest, ';');
            ptrdiff_t eq = str_index(part, '=');
            if (eq >= 0)
                assert_str(str_from(part, (size_t)eq + 1), STR(HELLO));
        }
        archive.p[at] = (char)(archive.p[at] ^ flip);
    }
}

static void limits(void **state)
{
    static char zeros[1 << 20];
    const struct zb_member m[] = {
        {.name = STR_INIT("z"), .content = {zeros, sizeof zeros}, .deflate = true},
        {NAMED("b")},
    };
    auto_buf archive;
    buf_init(&archive, 1 << 22);
    zb_build(&archive, m, 2, NULL);
    static const struct {
        struct zip_limits l;
        const char *want;
    } rows[] = {
        {{.max_member = 1000}, "z!limit;b=" HELLO ";end"},
        {{.max_ratio = 500}, "z!limit;b=" HELLO ";end"},
        {{.max_member = 1000, .max_entries = 1}, "z!limit;!limit"},
    };
    for (size_t i = 0; i < KE_ARRAY_LEN(rows); i++) {
        auto_buf got;
        buf_init(&got, 1 << 22);
        transcript(buf_view(&archive), &rows[i].l, &got);
        assert_str(buf_view(&got), str_z(rows[i].want));
    }
}

/* More members than 16 bits count, with zip64 and without (the count then wraps). */
static void many_members(void **state)
{
    enum { N = 70000 };
    struct zb_member *m = calloc(N, sizeof *m);
    char(*names)[8] = calloc(N, sizeof *names);
    assert_non_null(m);
    assert_non_null(names);
    for (size_t i = 0; i < N; i++) {
        snprintf(names[i], sizeof names[i], "%zu", i);
        m[i].name = str_z(names[i]);
    }
    for (int zip64 = 0; zip64 < 2; zip64++) {
        auto_buf archive;
        buf_init(&archive, 1 << 28);
        zb_build(&archive, m, N, &(struct zb_options){.zip64 = zip64});
        struct err e = {0};
        struct spool *s;
        struct zip *z;
        struct zip_entry entry;
        assert_ok(spool_from_mem(buf_view(&archive), &s, &e));
        assert_ok(zip_open(s, NULL, &z, &e));
        for (int twice = 0; twice < 2; twice++) {
            size_t n = 0;
            int r;
            while ((r = zip_next(z, &entry, &e)) > 0) {
                assert_str(entry.name, str_z(names[n]));
                n++;
            }
            assert_ok(r);
            assert_int_equal(n, N);
            zip_rewind(z);
        }
        zip_close(z);
        spool_free(s);
    }
    free(names);
    free(m);
}

static void located_in_place(void **state)
{
    static const struct zb_member m[] = {{NAMED("a"), .zip64 = true}, {NAMED("b")}};
    struct err e = {0};
    auto_buf archive;
    buf_init(&archive, 1 << 20);
    zb_build(&archive, m, 2, &(struct zb_options){.leading = STR("leading")});
    struct spool *s, *w;
    struct zip *z;
    struct zip_entry entry;
    assert_ok(spool_from_mem(buf_view(&archive), &s, &e));
    assert_ok(zip_open(s, NULL, &z, &e));
    while (zip_next(z, &entry, &e) > 0) {
        uint64_t at;
        char got[sizeof HELLO] = "";
        assert_ok(zip_locate(z, &entry, &at, &e));
        assert_ok(spool_window(s, at, entry.size, &w, &e));
        assert_ok(spool_read(w, got, entry.size, 0, &e));
        assert_string_equal(got, HELLO);
        assert_int_equal(spool_read(w, got, 2, entry.size - 1, &e), ERR_FORMAT);
        spool_free(w);
    }
    zip_close(z);
    spool_free(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(shapes),       cmocka_unit_test(truncated),
        cmocka_unit_test(flipped),      cmocka_unit_test(limits),
        cmocka_unit_test(many_members), cmocka_unit_test(located_in_place),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
