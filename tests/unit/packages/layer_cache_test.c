#include "packages/layer_cache.h"

#include "codec/digest.h"
#include "unit.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>

enum { LAYERS = 10, BODY = 100000 };

static void diff_id(unsigned i, char text[SHA256_TEXT])
{
    struct sha256 d = sha256_of(&i, sizeof i);
    sha256_format(&d, text);
}

static void put(const char *dir, unsigned i)
{
    static char body[BODY];
    struct layer_writer *w;
    struct layer_record *record;
    struct err e = {0};
    char text[SHA256_TEXT], path[200];
    int fd = memfd_create("x", MFD_CLOEXEC);
    assert_ok(layer_writer_new(fd, &w, &e));
    assert_ok(layer_writer_finish(w, (str){body, sizeof body}, &e));
    layer_writer_free(w);
    assert_ok(layer_record_open(fd, &record, &e));
    close(fd);
    diff_id(i, text);
    layer_cache_put(dir, str_z(text), 0, record);
    layer_record_close(record);
    snprintf(path, sizeof path, "%s/cache/layers/%.2s/%s.klr", dir, text + 7, text + 7);
    const struct timespec times[2] = {{.tv_sec = 1000 + i}, {.tv_sec = 1000 + i}};
    assert_int_equal(utimensat(AT_FDCWD, path, times, 0), 0);
}

static bool there(const char *dir, unsigned i)
{
    char text[SHA256_TEXT];
    diff_id(i, text);
    struct layer_record *r = layer_cache_get(dir, str_z(text), 0);
    layer_record_close(r);
    return r != NULL;
}

static void test_trim(void **state)
{
    char dir[] = "/tmp/kellet-cache-XXXXXX";
    assert_non_null(mkdtemp(dir));
    for (unsigned i = 0; i < LAYERS; i++)
        put(dir, i);
    assert_true(there(dir, 0)); /* and so the newest */
    layer_cache_trim(dir, 1, UINT64_MAX);
    layer_cache_trim(dir, BODY, BODY * LAYERS * 2);
    for (unsigned i = 0; i < LAYERS; i++)
        put(dir, i + LAYERS);
    assert_true(there(dir, 0));
    layer_cache_trim(dir, 1, BODY * 6); /* too soon */
    layer_cache_trim(NULL, BODY, BODY * 6);
    unsigned n = 0;
    for (unsigned i = 1; i < LAYERS; i++) {
        char text[SHA256_TEXT], path[200];
        diff_id(i, text);
        snprintf(path, sizeof path, "%s/cache/layers/%.2s/%s.klr", dir, text + 7, text + 7);
        n += fs_is_file(path);
    }
    assert_int_equal(n, LAYERS - 1);
    layer_cache_trim(dir, BODY, BODY * 6);
    for (unsigned i = 1; i <= LAYERS + 4; i++)
        assert_false(there(dir, i));
    assert_true(there(dir, 0));
    assert_true(there(dir, 2 * LAYERS - 1));
    assert_true(there(dir, 2 * LAYERS - 3));
}

static void test_limit(void **state)
{
    static const struct {
        const char *text;
        uint64_t want; /* 0: refused */
    } cases[] = {{"2G", (uint64_t)2 << 30},
                 {"500MiB", 500 << 20},
                 {"7k", 7 << 10},
                 {"1TB", (uint64_t)1 << 40},
                 {"123", 123},
                 {"", 0},
                 {"0", 0},
                 {"G", 0},
                 {"-1", 0},
                 {"2 G", 0},
                 {"99999999999T", 0}};
    for (size_t i = 0; i < KE_ARRAY_LEN(cases); i++) {
        uint64_t got = 0;
        bool ok = layer_cache_limit(str_z(cases[i].text), &got);
        if (ok != (cases[i].want != 0) || (ok && got != cases[i].want))
            fail_msg("%s", cases[i].text);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_trim), cmocka_unit_test(test_limit)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
