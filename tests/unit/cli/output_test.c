/* output_test.c - -o values, the status line, and the scripts made from the option tables. */
/* before cmocka, which has a macro of the name fail */
#include "cli/output.h"
#include "cli/progress.h"

#include "unit.h"

static void test_parse(void **state)
{
    static const struct {
        const char *values[3];
        bool sbom;
        int code;
        const char *format, *path; /* of the last one */
        size_t n;
    } rows[] = {
        {{NULL}, false, 0, "table", NULL, 1},
        {{"json"}, false, 0, "json", NULL, 1},
        {{"json=a=b.json"}, false, 0, "json", "a=b.json", 1},
        {{"table", "json=x", "cyclonedx=y"}, false, 0, "cyclonedx", "y", 3},
        {{"json", "table"}, false, EXIT_USAGE, NULL, NULL, 0},
        {{"json="}, false, EXIT_USAGE, NULL, NULL, 0},
        {{"yaml"}, false, EXIT_USAGE, NULL, NULL, 0},
        {{""}, false, EXIT_USAGE, NULL, NULL, 0},
        {{"cyclonedx"}, true, 0, "cyclonedx", NULL, 1},
    };
    for (size_t i = 0; i < KE_ARRAY_LEN(rows); i++) {
        struct option_list list = {0};
        struct outputs out;
        while (list.n < 3 && rows[i].values[list.n]) {
            list.items[list.n] = rows[i].values[list.n];
            list.n++;
        }
        assert_int_equal(outputs_parse(&list, rows[i].sbom, &out), rows[i].code);
        if (rows[i].code)
            continue;
        assert_int_equal(out.n, rows[i].n);
        assert_string_equal(out.items[out.n - 1].format->name, rows[i].format);
        if (rows[i].path)
            assert_string_equal(out.items[out.n - 1].path, rows[i].path);
        else
            assert_null(out.items[out.n - 1].path);
    }
}

static void test_timestamp(void **state)
{
    setenv("SOURCE_DATE_EPOCH", "1234567890", 1);
    assert_int_equal(output_timestamp(), 1234567890);
    setenv("SOURCE_DATE_EPOCH", "tomorrow", 1);
    assert_true(output_timestamp() > 1700000000);
    unsetenv("SOURCE_DATE_EPOCH");
}

static void test_progress(void **state)
{
    static const struct {
        const char *phase;
        uint64_t bytes, total;
        uint32_t done, count;
        uint64_t elapsed;
        const char *out;
    } rows[] = {
        {"scanning", 0, 0, 0, 0, 0, "scanning"},
        {"reading", 3 << 20, 0, 0, 0, 100, "reading 3.0 MiB"},
        {"reading", 3 << 20, 6 << 20, 1, 7, 2000,
         "reading 3.0 of 6.0 MiB, 1.5 MiB/s, 1 of 7 layers done"},
        {"reading", 0, 6 << 20, 0, 7, 0, "reading 0.0 of 6.0 MiB, 0 of 7 layers done"},
    };
    for (size_t i = 0; i < KE_ARRAY_LEN(rows); i++) {
        auto_buf out;
        buf_init(&out, 4096);
        progress_text(rows[i].phase, rows[i].bytes, rows[i].total, rows[i].done, rows[i].count,
                      rows[i].elapsed, &out);
        assert_str(buf_view(&out), str_z(rows[i].out));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_parse),
        cmocka_unit_test(test_timestamp),
        cmocka_unit_test(test_progress),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
