#include "unit.h"

#include "base/text.h"
#include "report/grid.h"

static void test_clean(void **state)
{
    static const struct {
        str in;
        const char *out;
        size_t width;
    } rows[] = {
        {STR_INIT("plain"), "plain", 5},
        {STR_INIT(""), "", 0},
        {STR_INIT("a\x1b[31mb"), "a\\x1b[31mb", 10},
        {STR_INIT("a\nb\tc\rd"), "a\\nb\\tc\\x0dd", 12},
        {STR_INIT("nul\0x"), "nul\\x00x", 8},
        {STR_INIT("\x7f\xc2\x9b\xc2\xa0"), "\\x7f\\x9b\xc2\xa0", 9},
        {STR_INIT("\xe2\x80\xaeright"), "\\u202eright", 11},
        {STR_INIT("\xc3\xa9t\xc3\xa9"), "\xc3\xa9t\xc3\xa9", 3},
        {STR_INIT("\xff\xc3"), "\\xff\\xc3", 8},
        {STR_INIT("\xc0\xaf"), "\\xc0\\xaf", 8},
        {STR_INIT("\xed\xa0\x80"), "\\xed\\xa0\\x80", 12},
        {STR_INIT("\xf0\x9f\x90\xb3"), "\xf0\x9f\x90\xb3", 1},
        {STR_INIT("\xf4\x90\x80\x80"), "\\xf4\\x90\\x80\\x80", 16},
    };
    for (size_t i = 0; i < KE_ARRAY_LEN(rows); i++) {
        auto_buf out;
        buf_init(&out, 4096);
        text_clean(rows[i].in, &out);
        assert_str(buf_view(&out), str_z(rows[i].out));
        assert_int_equal(text_width(buf_view(&out)), rows[i].width);
    }
}

static void test_fit(void **state)
{
    assert_int_equal(text_fit(STR("\xc3\xa9t\xc3\xa9"), 2), 3);
    assert_int_equal(text_fit(STR("abc"), 0), 0);
    assert_int_equal(text_fit(STR("abc"), 9), 3);
}

static void test_grid(void **state)
{
    static const struct grid_cell cells[] = {
        {STR_INIT("NAME"), NULL}, {STR_INIT("VERSION"), NULL}, {STR_INIT("abcdefghijklmnop"), "31"},
        {STR_INIT("1"), NULL},    {STR_INIT(""), NULL},        {STR_INIT("2"), NULL},
    };
    static const struct {
        struct report_style style;
        const char *out;
    } rows[] = {
        {{0}, "NAME              VERSION\nabcdefghijklmnop  1\n                  2\n"},
        {{.width = 19}, "NAME        VERSION\nabcdefghij  1\nklmnop\n            2\n"},
        {{.width = 3}, "NAME        VERSION\nabcdefghij  1\nklmnop\n            2\n"},
        {{.color = true},
         "NAME              VERSION\n\x1b[31mabcdefghijklmnop\x1b[0m  1\n                  2\n"},
    };
    for (size_t i = 0; i < KE_ARRAY_LEN(rows); i++) {
        auto_buf out;
        buf_init(&out, 4096);
        grid_write(&(struct grid){2, 2, cells, 3}, &rows[i].style, &out);
        assert_str(buf_view(&out), str_z(rows[i].out));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_clean),
        cmocka_unit_test(test_fit),
        cmocka_unit_test(test_grid),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
