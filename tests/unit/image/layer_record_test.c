/* Layer records: what was hidden is found again, and nothing damaged is believed. */
#include "image/layer_record.h"
#include "unit.h"

#include <sys/mman.h>

struct hidden {
    const char *path;
    enum layer_hides what;
};

static int record_fd(const struct hidden *hidden, size_t n, size_t more, str body)
{
    struct err e = {0};
    struct layer_writer *w;
    int fd = memfd_create("record", 0);
    assert_true(fd >= 0);
    assert_ok(layer_writer_new(fd, &w, &e));
    for (size_t i = 0; i < more; i++) {
        char path[64];
        snprintf(path, sizeof path, "many/%zu/file", i);
        assert_ok(layer_writer_hide(w, str_z(path), HIDES_ALL, &e));
    }
    for (size_t i = 0; i < n; i++)
        assert_ok(layer_writer_hide(w, str_z(hidden[i].path), hidden[i].what, &e));
    assert_ok(layer_writer_finish(w, body, &e));
    layer_writer_free(w);
    return fd;
}

static void test_hides(void **state)
{
    static const struct hidden hidden[] = {
        {"gone", HIDES_ALL},       {"dir/gone", HIDES_ALL}, {"opaque", HIDES_BELOW},
        {"a/opaque", HIDES_BELOW}, {"made", HIDES_SELF},
    };
    static const struct {
        const char *path;
        bool hidden;
    } cases[] = {
        {"gone", true},       {"gone/below/it", true}, {"gone2", false},     {"gon", false},
        {"dir", false},       {"dir/gone", true},      {"dir/gone/x", true}, {"dir/other", false},
        {"opaque", false},    {"opaque/x", true},      {"opaque/x/y", true}, {"a/opaque", false},
        {"a/opaque/x", true}, {"made", true},          {"made/x", false},    {"", false},
    };
    struct err e = {0};
    struct layer_record *r;
    int fd = record_fd(hidden, KE_ARRAY_LEN(hidden), 0, STR("the body"));
    assert_ok(layer_record_open(fd, &r, &e));
    close(fd);
    assert_str(layer_record_body(r), STR("the body"));
    for (size_t i = 0; i < KE_ARRAY_LEN(cases); i++)
        if (layer_record_hides(r, str_z(cases[i].path)) != cases[i].hidden)
            fail_msg("%s: want %d", cases[i].path, cases[i].hidden);
    layer_record_close(r);
}

static void test_root_is_opaque(void **state)
{
    static const struct hidden hidden[] = {{"", HIDES_BELOW}};
    struct err e = {0};
    struct layer_record *r;
    int fd = record_fd(hidden, 1, 0, STR(""));
    assert_ok(layer_record_open(fd, &r, &e));
    assert_true(layer_record_hides(r, STR("any")));
    assert_true(layer_record_hides(r, STR("any/thing")));
    layer_record_close(r);
    close(fd);
}

static void test_many_chunks(void **state)
{
    enum { MANY = 200000 };
    static const struct hidden last[] = {{"the/last", HIDES_ALL}};
    struct err e = {0};
    struct layer_record *r;
    int fd = record_fd(last, 1, MANY, STR("body"));
    assert_ok(layer_record_open(fd, &r, &e));
    for (size_t i = 0; i < MANY + 10; i += i < MANY - 10 ? 997 : 1) {
        char path[64];
        snprintf(path, sizeof path, "many/%zu/file", i);
        assert_int_equal(layer_record_hides(r, str_z(path)), i < MANY);
    }
    assert_true(layer_record_hides(r, STR("the/last")));
    assert_str(layer_record_body(r), STR("body"));
    assert_int_equal(layer_record_bytes(r).n, (MANY + 1) * 8 + 4 + 64);
    layer_record_close(r);
    close(fd);
}

/* Exactly a chunk, and nothing at all. */
static void test_chunk_ends(void **state)
{
    static const size_t counts[] = {0, 1, 65535, 65536, 65537, 131072};
    for (size_t i = 0; i < KE_ARRAY_LEN(counts); i++) {
        struct err e = {0};
        struct layer_record *r;
        int fd = record_fd(NULL, 0, counts[i], STR(""));
        assert_ok(layer_record_open(fd, &r, &e));
        assert_int_equal(layer_record_hides(r, STR("many/0/file")), counts[i] > 0);
        assert_false(layer_record_hides(r, STR("other")));
        layer_record_close(r);
        close(fd);
    }
}

static int open_bytes(const char *p, size_t n)
{
    struct layer_record *r = NULL;
    int fd = memfd_create("damaged", 0);
    assert_int_equal(write(fd, p, n), n);
    int rc = layer_record_open(fd, &r, NULL);
    layer_record_close(r);
    close(fd);
    return rc;
}

static void test_damaged(void **state)
{
    static const struct hidden hidden[] = {{"a", HIDES_ALL}, {"b", HIDES_BELOW}};
    char whole[8 * 2 + 4 + 64];
    int fd = record_fd(hidden, KE_ARRAY_LEN(hidden), 0, STR("body"));
    assert_int_equal(pread(fd, whole, sizeof whole, 0), sizeof whole);
    close(fd);
    assert_int_equal(open_bytes(whole, sizeof whole), 0);
    for (size_t i = 0; i < sizeof whole; i++)
        for (int bit = 0; bit < 8; bit++) {
            whole[i] = (char)(whole[i] ^ 1 << bit);
            if (open_bytes(whole, sizeof whole) >= 0)
                fail_msg("bit %d of byte %zu does not matter", bit, i);
            whole[i] = (char)(whole[i] ^ 1 << bit);
        }
    for (size_t n = 0; n < sizeof whole; n++)
        assert_true(open_bytes(whole, n) < 0);
    assert_true(open_bytes(whole + 8, sizeof whole - 8) < 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_hides),       cmocka_unit_test(test_root_is_opaque),
        cmocka_unit_test(test_many_chunks), cmocka_unit_test(test_chunk_ends),
        cmocka_unit_test(test_damaged),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
