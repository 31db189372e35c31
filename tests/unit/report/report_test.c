/* report_test.c - golden documents, determinism, hostile text, size. KELLET_UPDATE=1 rewrites the
 * golden files: look at the difference before committing it. */
#include "unit.h"

#include "codec/json.h"
#include "report/completeness.h"
#include "sample.h"

enum { NOW = 1700000000 + 3 * 86400 };

static void write_report(const char *format, const struct report_input *in,
                         const struct report_style *style, struct buf *out)
{
    struct err e = {0};
    const struct report_format *f = report_format_find(str_z(format));
    assert_non_null(f);
    buf_init(out, 256 << 20);
    assert_ok(f->write(in, style, out, &e));
}

static void golden(const char *name, str got)
{
    struct err e = {0};
    char relative[256];
    snprintf(relative, sizeof relative, "report/%s", name);
    const char *path = test_data_path(relative);
    if (getenv("KELLET_UPDATE"))
        assert_ok(fs_write_atomic(path, got, 0644, &e));
    auto_buf want;
    buf_init(&want, 1 << 20);
    assert_ok(fs_read(path, &want, &e));
    if (!str_eq(got, buf_view(&want)))
        fail_msg("%s differs; this came out:\n%.*s", path, (int)got.n, got.p);
}

static void test_golden(void **state)
{
    struct sample full, clean;
    sample_make(&full);
    sample_make_clean(&clean);
    struct findings no_data = {0};
    struct inventory empty = full.inv;
    empty.n_packages = 0;
    const struct {
        const char *file, *format;
        struct report_input in;
        struct report_style style;
    } rows[] = {
        {"full.txt", "table", {&full.inv, &full.findings, 0, NOW}, {0}},
        {"full-60.txt", "table", {&full.inv, &full.findings, 0, NOW}, {.width = 60}},
        {"full-color.txt", "table", {&full.inv, &full.findings, NOW, 0}, {.color = true}},
        {"full.json", "json", {&full.inv, &full.findings, 0, NOW}, {0}},
        {"full.cdx.json", "cyclonedx", {&full.inv, &full.findings, 0, NOW}, {0}},
        {"clean.txt", "table", {&clean.inv, &clean.findings, 0, NOW}, {0}},
        {"hidden.txt", "table", {&clean.inv, &clean.findings, 0, NOW, .not_shown = 7}, {0}},
        {"clean.json", "json", {&clean.inv, &clean.findings, NOW, 0}, {0}},
        {"no-data.txt", "table", {&full.inv, &no_data, 0, NOW}, {0}},
        {"empty.txt", "table", {&empty, &clean.findings, 0, NOW}, {0}},
        {"sbom.txt", "table", {&full.inv, NULL, 0, 0}, {0}},
        {"sbom.json", "json", {&full.inv, NULL, 0, 0}, {0}},
        {"sbom.cdx.json", "cyclonedx", {&full.inv, NULL, NOW, 0}, {0}},
    };
    for (size_t i = 0; i < KE_ARRAY_LEN(rows); i++) {
        auto_buf first, second;
        write_report(rows[i].format, &rows[i].in, &rows[i].style, &first);
        write_report(rows[i].format, &rows[i].in, &rows[i].style, &second);
        assert_str(buf_view(&first), buf_view(&second));
        golden(rows[i].file, buf_view(&first));
    }
}

/* The age of data belongs to tables only: what machines read must not change with the clock. */
static void test_no_clock(void **state)
{
    struct sample s;
    sample_make(&s);
    static const char *const formats[] = {"json", "cyclonedx"};
    for (size_t i = 0; i < KE_ARRAY_LEN(formats); i++) {
        auto_buf one, other;
        write_report(formats[i], &(struct report_input){&s.inv, &s.findings, 0, NOW},
                     &(struct report_style){0}, &one);
        write_report(formats[i], &(struct report_input){&s.inv, &s.findings, 0, NOW * 2ll},
                     &(struct report_style){0}, &other);
        assert_str(buf_view(&one), buf_view(&other));
    }
}

static void test_hostile_text(void **state)
{
    struct sample s;
    sample_make(&s);
    static const char *const formats[] = {"table", "json", "cyclonedx"};
    for (size_t i = 0; i < KE_ARRAY_LEN(formats); i++) {
        auto_buf out;
        write_report(formats[i], &(struct report_input){&s.inv, &s.findings, 0, 0},
                     &(struct report_style){.width = 80}, &out);
        for (size_t k = 0; k < out.n; k++)
            if (((uint8_t)out.p[k] < 0x20 && out.p[k] != '\n') || out.p[k] == 0x7f)
                fail_msg("%s: raw control character 0x%02x", formats[i], out.p[k]);
        assert_true(str_find(buf_view(&out), STR("\xff")) < 0);
        if (i > 0) {
            struct err e = {0};
            yyjson_doc *doc KE_CLEANUP(json_free_) = NULL;
            assert_ok(json_parse(buf_view(&out), formats[i], &doc, &e));
        } else {
            assert_true(str_find(buf_view(&out), STR("\xe2\x80\xae")) < 0);
        }
    }
}

static void test_large(void **state)
{
    struct sample s;
    sample_make_large(&s, 10000);
    static const char *const formats[] = {"table", "json", "cyclonedx"};
    for (size_t i = 0; i < KE_ARRAY_LEN(formats); i++) {
        auto_buf out;
        write_report(formats[i], &(struct report_input){&s.inv, &s.findings, 0, 0},
                     &(struct report_style){.width = 100}, &out);
        assert_true(str_contains(buf_view(&out), STR("package-00000")));
        assert_true(str_contains(buf_view(&out), STR("package-09999")));
    }
    sample_done(&s);
}

/* Each way to be incomplete makes the result so by itself. */
static void test_completeness(void **state)
{
    static struct inv_problem problem[] = {{.what = STR_INIT("parse"), .layer = -1}};
    static const str word[] = {STR_INIT("word")};
    static struct unmatched gap[] = {{0, STR_INIT("why"), true}};
    static struct unmatched expected[] = {{0, STR_INIT("why"), false}};
    for (int i = 0; i < 9; i++) {
        struct sample s;
        sample_make_clean(&s);
        bool complete = i == 0 || i == 8;
        if (i == 1)
            s.inv.problems = problem, s.inv.n_problems = 1;
        if (i == 2)
            s.inv.unsupported = word, s.inv.n_unsupported = 1;
        if (i == 3)
            s.inv.n_packages = 0;
        if (i == 4)
            s.inv.release.id = STR("alpine");
        if (i == 5)
            s.findings.uncovered = word, s.findings.n_uncovered = 1;
        if (i == 6)
            s.findings.n_data = 0;
        if (i == 7 || i == 8)
            s.findings.unmatched = i == 7 ? gap : expected, s.findings.n_unmatched = 1;
        struct completeness c = completeness_of(&(struct report_input){&s.inv, &s.findings, 0, 0});
        if (c.complete != complete)
            fail_msg("row %d: complete is %d", i, c.complete);
        assert_int_equal(c.data_missing, i == 5 || i == 6);
        auto_buf out;
        write_report("table", &(struct report_input){&s.inv, &s.findings, 0, 0},
                     &(struct report_style){0}, &out);
        assert_int_equal(str_contains(buf_view(&out), STR("Incomplete:\n  ")), !complete);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_golden),       cmocka_unit_test(test_no_clock),
        cmocka_unit_test(test_hostile_text), cmocka_unit_test(test_large),
        cmocka_unit_test(test_completeness),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
