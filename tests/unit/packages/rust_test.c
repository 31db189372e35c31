/* Rust programs: crates out of the section that cargo-auditable writes. */
#include "unit.h"

#include "facts_text.h"
#include "packages/catalogue.h"

#include <zlib.h>

static const char names[] = "\0.shstrtab\0.dep-v0";

struct shape {
    const char *json;
    bool damaged; /* the data's bytes are no zlib */
    bool loaded;  /* the section lies inside the loaded segment */
    uint64_t lie; /* added to the section's size */
};

static void put(struct buf *b, size_t at, const void *p, size_t n)
{
    assert_true(at + n <= b->n);
    memcpy(b->p + at, p, n);
}

static void section(struct buf *b, size_t at, uint32_t name, uint64_t offset, uint64_t size)
{
    uint32_t type = 1;
    put(b, at, &name, 4);
    put(b, at + 4, &type, 4);
    put(b, at + 24, &offset, 8);
    put(b, at + 32, &size, 8);
}

static void elf(struct buf *b, const struct shape *s)
{
    enum { LOADED = 8192, HEADERS = 3 };
    Bytef data[4096];
    uLongf n = sizeof data;
    assert_int_equal(compress(data, &n, (const Bytef *)s->json, strlen(s->json)), Z_OK);
    if (s->damaged)
        memset(data, 0xee, n);
    size_t data_at = s->loaded ? 4096 : LOADED, names_at = LOADED + n,
           table_at = names_at + sizeof names;
    memset(buf_reserve(b, table_at + HEADERS * 64), 0, table_at + HEADERS * 64);
    b->n = table_at + HEADERS * 64;
    put(b, 0, "\177ELF\2\1\1", 7);
    uint64_t segments = 64, sections = table_at, size = LOADED;
    uint16_t half[] = {64, 56, 1, 64, HEADERS, 1};
    put(b, 32, &segments, 8);
    put(b, 40, &sections, 8);
    put(b, 52, half, sizeof half);
    uint32_t load = 1, flags = 6;
    put(b, 64, &load, 4);
    put(b, 68, &flags, 4);
    put(b, 64 + 32, &size, 8);
    put(b, data_at, data, n);
    put(b, names_at, names, sizeof names);
    section(b, table_at + 64, 1, names_at, sizeof names);
    section(b, table_at + 128, 11, data_at, n + s->lie);
}

#define TWO                                                                                        \
    "{\"packages\":[{\"name\":\"adler\",\"version\":\"1.0.2\",\"source\":\"crates.io\"},"          \
    "{\"name\":\"cc\",\"version\":\"1.0.1\",\"source\":\"crates.io\",\"kind\":\"build\"},"         \
    "{\"name\":\"app\",\"version\":\"0.1.0\",\"source\":\"local\",\"root\":true}]}"

static void test_shapes(void **state)
{
    static const struct {
        struct shape s;
        const char *want;
    } rows[] = {
        {{.json = TWO}, "adler 1.0.2; app 0.1.0"},
        {{.json = "{\"packages\":[]}"}, ""},
        {{.json = "{}"}, "!parse"},
        {{.json = "{\"packages\":["}, "!parse"},
        {{.json = TWO, .damaged = true}, "!parse"},
        {{.json = TWO, .lie = 1 << 30}, "!parse"},
        {{.json = TWO, .loaded = true}, "!parse"}, /* passed by when its place is learnt */
    };
    for (size_t i = 0; i < KE_ARRAY_LEN(rows); i++) {
        auto_buf program, got;
        buf_init(&program, 1 << 20);
        buf_init(&got, 1 << 16);
        elf(&program, &rows[i].s);
        facts_text_of("usr/bin/tool", buf_view(&program), 0755, &got);
        if (!str_eq(buf_view(&got), str_z(rows[i].want)))
            fail_msg("row %zu: %.*s, not %s", i, STR_ARG(buf_view(&got)), rows[i].want);
    }
    (void)state;
}

static void test_cut_anywhere(void **state)
{
    auto_buf program;
    buf_init(&program, 1 << 20);
    elf(&program, &(struct shape){.json = TWO});
    for (size_t n = 0; n < program.n; n += n < 200 || n > 8000 ? 1 : 101) {
        auto_buf got;
        buf_init(&got, 1 << 16);
        facts_text_of("usr/bin/tool", (str){program.p, n}, 0755, &got);
    }
    (void)state;
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_shapes),
                                       cmocka_unit_test(test_cut_anywhere)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
