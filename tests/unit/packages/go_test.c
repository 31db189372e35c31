/* Go programs: where build information may lie, and what its lines mean. */
#include "unit.h"

#include "facts_text.h"
#include "go_build.h"
#include "packages/catalogue.h"

#define MODULES "path\ta.test/m\nmod\ta.test/m\tv1.2.3\th1:x=\ndep\tb.test/n\tv0.1.0\th1:y=\n"
#define FOUND   "b.test/n v0.1.0; a.test/m v1.2.3; stdlib 1.17.3"

static void (*const formats[])(struct buf *, const struct gb_options *) = {gb_elf, gb_pe, gb_macho};

static void shapes(void **state)
{
    static const struct {
        const char *what;
        int format;
        struct gb_options o;
        const char *want;
    } rows[] = {
        {"inline", 0, {}, FOUND},
        {"inline without note", 0, {.no_note = true}, FOUND},
        {"inline further on", 0, {.shift = 4096}, FOUND},
        {"32 bits, big endian", 0, {.is32 = true, .big = true}, FOUND},
        {"pointers", 0, {.pointers = true}, FOUND},
        {"pointers, 32 bits", 0, {.pointers = true, .is32 = true}, FOUND},
        {"pointers, big endian", 0, {.pointers = true, .big = true}, FOUND},
        {"pointers, 32 bits, big endian", 0, {.pointers = true, .is32 = true, .big = true}, FOUND},
        {"pie", 0, {.pie = true}, FOUND},
        {"pie, pointers", 0, {.pie = true, .pointers = true}, FOUND},
        {"headers at the end", 0, {.far_table = true}, FOUND},
        {"headers at the end, pointers", 0, {.far_table = true, .pointers = true}, FOUND},
        {"headers at the end, no note", 0, {.far_table = true, .no_note = true}, FOUND},
        {"headers at the end, no note, pointers",
         0,
         {.far_table = true, .no_note = true, .pointers = true},
         "!parse"},
        {"pointers without note", 0, {.pointers = true, .no_note = true}, "!parse"},
        {"not aligned", 0, {.shift = 8}, "!unsupported"},
        {"not aligned, no note", 0, {.shift = 8, .no_note = true}, ""},
        {"upx", 0, {.upx = true}, "!unsupported"},
        {"wild pointer", 0, {.pointers = true, .lie_pointer = 1ull << 40}, "!parse"},
        {"long version", 0, {.pointers = true, .lie_length = 1 << 20}, "!parse"},
        {"long version in place", 0, {.lie_length = 1 << 20}, "!parse"},
        {"pe", 1, {}, FOUND},
        {"pe, pointers", 1, {.pointers = true}, FOUND},
        {"pe, 32 bits", 1, {.pointers = true, .is32 = true}, FOUND},
        {"mach-o", 2, {}, FOUND},
        {"mach-o, pointers", 2, {.pointers = true}, FOUND},
        {"mach-o, 32 bits, big endian", 2, {.pointers = true, .is32 = true, .big = true}, FOUND},
    };
    for (size_t i = 0; i < KE_ARRAY_LEN(rows); i++) {
        struct gb_options o = rows[i].o;
        auto_buf program, got;
        buf_init(&program, 1 << 20);
        buf_init(&got, 1 << 16);
        o.version = "go1.17.3";
        o.modules = MODULES;
        formats[rows[i].format](&program, &o);
        facts_text_of("usr/bin/tool", buf_view(&program), 0755, &got);
        if (!str_eq(buf_view(&got), str_z(rows[i].want)))
            fail_msg("%s: got \"%s\", want \"%s\"", rows[i].what, buf_z(&got), rows[i].want);
    }
}

/* Shows its bytes in views of `step`. */
struct dribble {
    struct stream s;
    str rest;
    size_t step;
};
static int dribble_fill(struct stream *s, struct err *e)
{
    struct dribble *d = (struct dribble *)s;
    size_t n = d->rest.n < d->step ? d->rest.n : d->step;
    s->p = (const uint8_t *)d->rest.p;
    s->end = s->p + n;
    s->eof = n == 0;
    d->rest = str_from(d->rest, n);
    return 0;
}
static void dribble_close(struct stream *s)
{
}
static const struct stream_ops dribble_ops = {"dribble", dribble_fill, dribble_close, NULL};

static void views_of_any_size(void **state)
{
    static const size_t steps[] = {1, 7, 15, 16, 17, 24, 100, 4095, 4097};
    for (size_t i = 0; i < KE_ARRAY_LEN(steps) * 2; i++) {
        struct gb_options o = {.version = "go1.17.3", .modules = MODULES, .shift = 48};
        auto_buf program, got;
        buf_init(&program, 1 << 20);
        buf_init(&got, 1 << 16);
        o.pointers = i % 2;
        gb_elf(&program, &o);
        struct dribble d = {{.ops = &dribble_ops}, buf_view(&program), steps[i / 2]};
        struct cat_file file = {STR("bin/tool"), program.n, 0755, &d.s};
        struct facts f;
        struct err e = {0};
        facts_init(&f, 0);
        struct cat *c = cat_new(&f, NULL, &e);
        assert_ok(cat_offer(c, &file, &e));
        assert_ok(cat_finish(c, &e));
        cat_free(c);
        facts_text(&f, file.path, &got);
        assert_str(buf_view(&got), STR(FOUND));
        facts_done(&f);
    }
}

/* Cut or changed anywhere: no crash, and what is found is what is there. */
static void damaged(void **state)
{
    for (int pointers = 0; pointers < 2; pointers++) {
        struct gb_options o = {.version = "go1.17.3", .modules = MODULES, .pointers = pointers};
        auto_buf program;
        buf_init(&program, 1 << 20);
        gb_elf(&program, &o);
        for (size_t n = 0; n < program.n; n += n < 0x400 || n % 0x1000 == 0 ? 1 : 41) {
            auto_buf got;
            buf_init(&got, 1 << 16);
            facts_text_of("bin/tool", (str){program.p, n}, 0755, &got);
        }
        for (size_t i = 0; i < 0x400; i++) {
            size_t at = i < 0x200 ? i : GB_DATA + i - 0x200;
            auto_buf got;
            buf_init(&got, 1 << 16);
            program.p[at] = (char)(program.p[at] ^ 0xff);
            facts_text_of("bin/tool", buf_view(&program), 0755, &got);
            program.p[at] = (char)(program.p[at] ^ 0xff);
        }
    }
}

static void lines(void **state)
{
    static const struct {
        const char *version, *modules, *want;
    } rows[] = {
        {"go1.22", "", "stdlib 1.22"},
        {"go1.21rc2", "", "stdlib 1.21.0-rc.2"},
        {"go1.18beta1", "", "stdlib 1.18.0-beta.1"},
        {"go1.20.4 X:boringcrypto", "", "stdlib 1.20.4"},
        {"go1.18.1-google", "", "stdlib 1.18.1"},
        {"devel go1.23-abcdef Mon Jan 1", "", "stdlib 1.23.0-abcdef"},
        {"go1.22",
         "dep\ta\tv1\th\n=>\tb\tv2\th\ndep\tc\tv3\n=>\t./local\t\ndep\td\tv4\n=>\t../x\t(devel)\n",
         "b v2; c v3; d v4; stdlib 1.22"},
        {"go1.22", "mod\tm\t(devel)\t\n", "m (devel); stdlib 1.22"},
        {"go1.22",
         "mod\tm\t(devel)\t\nbuild\tvcs.revision=0123456789abcdef0123\nbuild\tvcs.time=2023-01-"
         "02T03:04:05Z\n",
         "m v0.0.0-20230102030405-0123456789ab; stdlib 1.22"},
        {"go1.22",
         "mod\tx.test/m\t(devel)\t\nbuild\t-ldflags=\"-s -w -X x.test/m/v.Version=v1.4.0 -X "
         "y.test/version.Version=9.9.9\"\n",
         "x.test/m v1.4.0; stdlib 1.22"},
        {"go1.22", "mod\tm\t(devel)\t\nbuild\t-ldflags=\"-X 'main.version=2.0.1-rc1'\"\n",
         "m v2.0.1-rc1; stdlib 1.22"},
        {"go1.22", "mod\tm\t(devel)\t\nbuild\t-ldflags=-X=main.Version=0.3.0\n",
         "m v0.3.0; stdlib 1.22"},
        {"go1.22",
         "mod\tm\t(devel)\t\nbuild\t-ldflags=\"-X main.date=2024.1.1 -X main.commit=1.2\"\n",
         "m (devel); stdlib 1.22"},
        {"go1.22", "mod\tm\tv1.0.0+dirty\th\ndep\t\tv1\nnonsense\n\ndep\n",
         "m v1.0.0+dirty; stdlib 1.22"},
    };
    for (size_t i = 0; i < KE_ARRAY_LEN(rows); i++) {
        struct gb_options o = {.version = rows[i].version, .modules = rows[i].modules};
        auto_buf program, modules, got;
        buf_init(&program, 1 << 20);
        buf_init(&modules, 1 << 16);
        buf_init(&got, 1 << 16);
        buf_addf(&modules, "path\tx\n%s", rows[i].modules);
        o.modules = buf_z(&modules);
        gb_elf(&program, &o);
        facts_text_of("tool", buf_view(&program), 0755, &got);
        assert_str(buf_view(&got), str_z(rows[i].want));
    }
}

static void not_asked_for(void **state)
{
    struct gb_options o = {.version = "go1.17.3", .modules = MODULES};
    static const struct {
        const char *path;
        uint32_t mode;
        bool found;
    } rows[] = {
        {"bin/tool", 0755, true},   {"bin/tool", 0644, false}, {"lib/x.so", 0644, true},
        {"lib/x.so.1", 0644, true}, {"a/t.exe", 0644, true},   {"bin/run.sh", 0755, false},
        {"bin/.sh", 0755, true},
    };
    auto_buf program;
    buf_init(&program, 1 << 20);
    gb_elf(&program, &o);
    for (size_t i = 0; i < KE_ARRAY_LEN(rows); i++) {
        auto_buf got;
        buf_init(&got, 1 << 16);
        facts_text_of(rows[i].path, buf_view(&program), rows[i].mode, &got);
        assert_str(buf_view(&got), rows[i].found ? STR(FOUND) : STR(""));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(shapes), cmocka_unit_test(views_of_any_size), cmocka_unit_test(damaged),
        cmocka_unit_test(lines),  cmocka_unit_test(not_asked_for),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
