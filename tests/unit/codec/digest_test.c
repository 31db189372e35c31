#include "unit.h"

#include <stdlib.h>

#include "codec/digest.h"
#include "codec/sha256_pair.h"

enum { BYTES = 90000 };
static uint8_t bytes[BYTES];

static int fill(void **state)
{
    (void)state;
    uint32_t x = 1;
    for (size_t i = 0; i < BYTES; i++) {
        x = x * 1664525 + 1013904223;
        bytes[i] = (uint8_t)(x >> 24);
    }
    return 0;
}

static void assert_same(struct sha256 found, const uint8_t *p, size_t n)
{
    struct sha256 want = sha256_of(p, n);
    assert_memory_equal(found.b, want.b, sizeof want.b);
}

static void known_answers(void **state)
{
    (void)state;
    char text[SHA256_TEXT];
    struct sha256 none = sha256_of("", 0), abc = sha256_of("abc", 3);
    assert_string_equal(sha256_format(&none, text),
                        "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    assert_string_equal(sha256_format(&abc, text),
                        "sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
}

/* The own code against OpenSSL's, at each length around a block's ends and cut at each place. */
static void every_length(void **state)
{
    (void)state;
    struct sha256_state s;
    uint8_t padding[2 * SHA256_BLOCK];
    if (!sha256_pair_available())
        skip();
    for (size_t n = 0; n < 4 * SHA256_BLOCK; n++)
        for (size_t cut = 0; cut <= n; cut += n / 7 + 1) {
            sha256_begin(&s);
            sha256_add(&s, bytes, cut);
            sha256_add(&s, bytes + cut, n - cut);
            size_t more = sha256_padding(&s, padding);
            sha256_add(&s, padding, more);
            assert_int_equal(s.bytes % SHA256_BLOCK, 0);
            assert_same(sha256_result(&s), bytes, n);
        }
}

/* As a layer is read: views of a stream, files inside of them and across their ends. */
static void read_views(size_t view, size_t file, size_t gap)
{
    struct digest_ctx *files, *stream;
    struct err e = {0};
    assert_ok(digest_new(&files, &e));
    assert_ok(digest_new(&stream, &e));
    digest_beside(files, stream);
    size_t begun = gap, given = 0;
    for (size_t at = 0; at < BYTES; at += view) {
        size_t end = at + view < BYTES ? at + view : BYTES;
        digest_update_later(stream, bytes + at, end - at);
        while (begun + given < end) {
            size_t want = file - given, here = end - begun - given;
            size_t take = want < here ? want : here;
            digest_update(files, bytes + begun + given, take);
            given += take;
            if (given < file)
                break;
            assert_same(digest_final(files), bytes + begun, file);
            begun += file + gap;
            given = 0;
        }
        digest_settle(stream);
    }
    assert_same(digest_final(stream), bytes, BYTES);
    digest_part(files);
    digest_free(stream);
    digest_update(files, bytes, 1000); /* alone again, behind what was begun */
    digest_final(files);
    digest_update(files, bytes, 1000);
    assert_same(digest_final(files), bytes, 1000);
    digest_free(files);
}

static void beside_each_other(void **state)
{
    (void)state;
    static const size_t views[] = {1, 63, 64, 512, 1000, 65536, BYTES};
    static const size_t files[] = {1, 55, 56, 63, 64, 65, 511, 4096, 30001};
    for (size_t v = 0; v < KE_ARRAY_LEN(views); v++)
        for (size_t f = 0; f < KE_ARRAY_LEN(files); f++)
            for (size_t gap = 0; gap < 1024; gap += 511)
                read_views(views[v], files[f], gap);
}

/* What waits is not lost when nothing comes beside it, and a digest without another one waits for
 * nothing. */
static void alone(void **state)
{
    (void)state;
    struct digest_ctx *files, *stream;
    struct err e = {0};
    assert_ok(digest_new(&files, &e));
    assert_ok(digest_new(&stream, &e));
    digest_update_later(stream, bytes, 100);
    digest_settle(stream);
    assert_same(digest_final(stream), bytes, 100);
    digest_beside(files, stream);
    digest_update_later(stream, bytes, 100);
    digest_update_later(stream, bytes + 100, 100);
    digest_update(stream, bytes + 200, 100);
    assert_same(digest_final(stream), bytes, 300);
    digest_free(files);
    digest_free(stream);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(known_answers),
        cmocka_unit_test(every_length),
        cmocka_unit_test(beside_each_other),
        cmocka_unit_test(alone),
    };
    return cmocka_run_group_tests(tests, fill, NULL);
}
