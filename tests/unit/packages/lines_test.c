/* Lines of a stream, however its views fall. */
#include "unit.h"

#include "chunks.h"
#include "packages/lines.h"

/* text -> its lines joined by '|', at most 8 bytes each, 40 of the file; a cut line has '~' */
static const struct {
    const char *text, *lines;
    bool limited, unterminated;
} rows[] = {
    {"", "", false, false},
    {"\n", "|", false, false},
    {"a", "a|", false, true},
    {"a\n", "a|", false, false},
    {"a\r\nb\r\n\r\nc", "a|b||c|", false, true},
    {"\n\n\n", "|||", false, false},
    {"12345678\n123456789\n1234567890123\nx\n", "12345678|12345678~|12345678~|x|", false, false},
    {"1234567\r\n12345678\r\n", "1234567|12345678~|", false, false},
    {"a\n12345678901234567890123456789012345678\n", "a|", true, false},
    {"aaaa\naaaa\naaaa\naaaa\naaaa\naaaa\naaaa\naaaa\n", "aaaa|aaaa|aaaa|aaaa|aaaa|aaaa|aaaa|aaaa|",
     false, false},
    {"aaaa\naaaa\naaaa\naaaa\naaaa\naaaa\naaaa\naaaa\nb",
     "aaaa|aaaa|aaaa|aaaa|aaaa|aaaa|aaaa|aaaa|", true, false},
};

static void test_lines(void **state)
{
    struct err e = {0};
    for (size_t i = 0; i < KE_ARRAY_LEN(rows); i++)
        for (size_t step = 1; step < 50; step++) {
            struct chunks in = chunks_over(str_z(rows[i].text), step, false);
            struct lines l;
            auto_buf got;
            buf_init(&got, 4096);
            lines_init(&l, &in.s, 8, 40);
            str line;
            int r;
            while ((r = lines_next(&l, &line, &e)) > 0) {
                buf_add_str(&got, line);
                buf_add_str(&got, l.cut ? STR("~|") : STR("|"));
            }
            assert_int_equal(r, 0);
            assert_int_equal(lines_next(&l, &line, &e), 0);
            assert_str(buf_view(&got), str_z(rows[i].lines));
            assert_int_equal(l.limited, rows[i].limited);
            assert_int_equal(l.unterminated, rows[i].unterminated);
            lines_done(&l);
        }
}

static void test_failing_stream(void **state)
{
    struct err e = {0};
    struct chunks in = chunks_over(STR("a\nbc"), 3, true);
    struct lines l;
    str line;
    lines_init(&l, &in.s, 8, 40);
    assert_int_equal(lines_next(&l, &line, &e), 1);
    assert_int_equal(lines_next(&l, &line, &e), ERR_IO);
    assert_int_equal(lines_next(&l, &line, &e), ERR_IO);
    lines_done(&l);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_lines),
        cmocka_unit_test(test_failing_stream),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
