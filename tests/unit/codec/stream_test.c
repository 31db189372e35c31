/* Streams: every compression round trip, every cut, every limit; spools in memory and in a file. */
#include "unit.h"

#include "codec/digest.h"
#include "codec/spool.h"

#include <bzlib.h>
#include <lzma.h>
#include <zlib.h>
#include <zstd.h>

enum { PLAIN = 700 * 1000 };

static char plain[PLAIN];

static void fill_plain(void)
{
    uint32_t x = 1;
    for (size_t i = 0; i < PLAIN; i++) {
        x = x * 1103515245 + 12345;
        plain[i] = (char)("abcdefgh"[(x >> 16) & 7]);
    }
}

static size_t pack(enum compression c, const char *in, size_t n, char *out, size_t cap)
{
    switch (c) {
    case COMP_GZIP:
    case COMP_DEFLATE: {
        z_stream z = {0};
        assert_int_equal(deflateInit2(&z, 6, Z_DEFLATED, c == COMP_GZIP ? 31 : -15, 8, 0), Z_OK);
        z.next_in = (Bytef *)(uintptr_t)in;
        z.avail_in = (uInt)n;
        z.next_out = (Bytef *)out;
        z.avail_out = (uInt)cap;
        assert_int_equal(deflate(&z, Z_FINISH), Z_STREAM_END);
        size_t made = cap - z.avail_out;
        deflateEnd(&z);
        return made;
    }
    case COMP_ZSTD:
        return ZSTD_compress(out, cap, in, n, 3);
    case COMP_XZ: {
        size_t made = 0;
        assert_int_equal(lzma_easy_buffer_encode(1, LZMA_CHECK_CRC64, NULL, (const uint8_t *)in, n,
                                                 (uint8_t *)out, &made, cap),
                         LZMA_OK);
        return made;
    }
    case COMP_BZIP2: {
        unsigned made = (unsigned)cap;
        assert_int_equal(
            BZ2_bzBuffToBuffCompress(out, &made, (char *)(uintptr_t)in, (unsigned)n, 5, 0, 0),
            BZ_OK);
        return made;
    }
    case COMP_NONE:
        break;
    }
    memcpy(out, in, n);
    return n;
}

static int unpack(str packed, enum compression c, const struct inflate_limits *l, struct buf *out,
                  struct err *e)
{
    struct stream *below, *s;
    assert_int_equal(stream_from_mem(packed, &below, e), 0);
    assert_int_equal(stream_inflate(below, c, l, &s, e), 0);
    int r = stream_read_all(s, out, "plain text", e);
    stream_close(s);
    stream_close(below);
    return r;
}

static const enum compression all[] = {COMP_GZIP, COMP_DEFLATE, COMP_ZSTD, COMP_XZ, COMP_BZIP2};

static void round_trips(void **state)
{
    char *packed autofree = malloc(2 * PLAIN);
    for (size_t i = 0; i < KE_ARRAY_LEN(all); i++) {
        struct err e = {0};
        size_t n = pack(all[i], plain, PLAIN, packed, 2 * PLAIN);
        auto_buf out;
        buf_init(&out, 3 * PLAIN);
        assert_ok(unpack((str){packed, n}, all[i], NULL, &out, &e));
        assert_int_equal(out.n, PLAIN);
        assert_memory_equal(out.p, plain, PLAIN);
        if (all[i] == COMP_DEFLATE)
            continue;
        struct stream *s;
        enum compression found;
        assert_ok(stream_from_mem((str){packed, n}, &s, &e));
        assert_ok(stream_sniff(s, &found, &e));
        assert_int_equal(found, all[i]);
        stream_close(s);
        /* two members and zero padding are one text */
        size_t m = pack(all[i], plain, 1000, packed + n, 2 * PLAIN - n);
        memset(packed + n + m, 0, 512);
        buf_clear(&out);
        assert_ok(
            unpack((str){packed, n + m + (all[i] == COMP_GZIP ? 512 : 0)}, all[i], NULL, &out, &e));
        assert_int_equal(out.n, PLAIN + 1000);
    }
}

static void every_cut_is_an_error(void **state)
{
    char *packed autofree = malloc(2 * PLAIN);
    for (size_t i = 0; i < KE_ARRAY_LEN(all); i++) {
        size_t n = pack(all[i], plain, 3000, packed, 2 * PLAIN);
        for (size_t cut = 1; cut < n; cut++) {
            struct err e = {0};
            auto_buf out;
            buf_init(&out, PLAIN);
            int r = unpack((str){packed, cut}, all[i], NULL, &out, &e);
            if (r != ERR_FORMAT)
                fail_msg("%s cut at %zu of %zu: %d", compression_name(all[i]), cut, n, r);
        }
    }
}

static void bombs_hit_a_limit(void **state)
{
    struct err e = {0};
    size_t size = 64 << 20;
    char *zeros autofree = calloc(1, size), *packed autofree = malloc(1 << 20);
    size_t n = pack(COMP_GZIP, zeros, size, packed, 1 << 20);
    auto_buf out;
    buf_init(&out, size + 1);
    struct inflate_limits ratio = {.max_ratio = 200}, total = {.max_out = 1 << 20};
    assert_int_equal(unpack((str){packed, n}, COMP_GZIP, &ratio, &out, &e), ERR_LIMIT);
    assert_non_null(strstr(e.text, "bomb"));
    buf_clear(&out);
    assert_int_equal(unpack((str){packed, n}, COMP_GZIP, &total, &out, &e), ERR_LIMIT);
    buf_clear(&out);
    assert_ok(unpack((str){packed, n}, COMP_GZIP, NULL, &out, &e));
}

static void corrupt_gzip_is_noticed(void **state)
{
    char *packed autofree = malloc(PLAIN);
    size_t n = pack(COMP_GZIP, plain, 5000, packed, PLAIN);
    packed[n - 6] ^= 1; /* the CRC-32 */
    struct err e = {0};
    auto_buf out;
    buf_init(&out, PLAIN);
    assert_int_equal(unpack((str){packed, n}, COMP_GZIP, NULL, &out, &e), ERR_FORMAT);
}

static void errors_stick(void **state)
{
    struct err e = {0};
    struct stream *below, *s;
    const uint8_t *p;
    assert_ok(stream_from_mem(STR("\x1f\x8bnot gzip at all"), &below, &e));
    assert_ok(stream_inflate(below, COMP_GZIP, NULL, &s, &e));
    assert_int_equal(stream_view(s, &p, &e), ERR_FORMAT);
    struct err again = {0};
    assert_int_equal(stream_view(s, &p, &again), ERR_FORMAT);
    assert_string_equal(e.text, again.text);
    stream_close(s);
    stream_close(below);
}

static void md5_is_of_all_parts(void **state)
{
    char text[MD5_TEXT];
    str parts[] = {STR("dockerfile"), STR("no_dockerfile_provided"), STR(""),
                   STR("Image was not analyzed with an actual Dockerfile")};
    assert_true(md5_hex(parts, 4, text));
    assert_string_equal(text, "b00b22232c1902075263067d2d2b8eea");
    assert_true(md5_hex(NULL, 0, text));
    assert_string_equal(text, "d41d8cd98f00b204e9800998ecf8427e");
}

static void digests(void **state)
{
    struct err e = {0};
    struct sha256 empty = sha256_of("", 0), parsed;
    char text[SHA256_TEXT];
    assert_string_equal(sha256_format(&empty, text),
                        "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    assert_ok(sha256_parse(str_z(text), &parsed, &e));
    assert_true(sha256_eq(&empty, &parsed));
    static const char *const bad[] = {"",       "sha256:",   "sha256:E3",
                                      "md5:00", "sha512:00", "sha256:zz"};
    for (size_t i = 0; i < KE_ARRAY_LEN(bad); i++)
        assert_true(sha256_parse(str_z(bad[i]), &parsed, &e) < 0);

    struct stream *below, *s;
    struct digest_ctx *d;
    assert_ok(digest_new(&d, &e));
    assert_ok(stream_from_mem((str){plain, PLAIN}, &below, &e));
    assert_ok(stream_digest(below, d, &s, &e));
    assert_int_equal(stream_skip(s, PLAIN, &e), PLAIN);
    struct sha256 got = digest_final(d), want = sha256_of(plain, PLAIN);
    assert_true(sha256_eq(&got, &want));
    stream_close(s);
    stream_close(below);
    digest_free(d);
}

static void spools(void **state)
{
    static const uint64_t memory_max[] = {PLAIN * 2, 1000};
    for (size_t i = 0; i < KE_ARRAY_LEN(memory_max); i++) {
        struct err e = {0};
        struct stream *in, *part;
        struct spool *sp;
        struct spool_limits l = {.memory_max = memory_max[i], .total_max = PLAIN};
        assert_ok(stream_from_mem((str){plain, PLAIN}, &in, &e));
        assert_ok(spool_new(in, &l, &sp, &e));
        stream_close(in);
        assert_int_equal(spool_size(sp), PLAIN);
        char got[100];
        assert_ok(spool_read(sp, got, sizeof got, 12345, &e));
        assert_memory_equal(got, plain + 12345, sizeof got);
        assert_int_equal(spool_read(sp, got, sizeof got, PLAIN - 99, &e), ERR_FORMAT);
        assert_int_equal(spool_read(sp, got, 1, UINT64_MAX, &e), ERR_FORMAT);
        assert_ok(spool_stream(sp, 1000, 5000, &part, &e));
        auto_buf out;
        buf_init(&out, PLAIN);
        assert_ok(stream_read_all(part, &out, "part", &e));
        assert_int_equal(out.n, 5000);
        assert_memory_equal(out.p, plain + 1000, 5000);
        stream_close(part);
        assert_int_equal(spool_stream(sp, PLAIN, 1, &part, &e), ERR_FORMAT);
        spool_free(sp);
        assert_ok(stream_from_mem((str){plain, PLAIN}, &in, &e));
        l.total_max = PLAIN - 1;
        int r = spool_new(in, &l, &sp, &e);
        assert_int_equal(r, ERR_LIMIT);
        stream_close(in);
    }
}

static void ranges_of_files(void **state)
{
    struct err e = {0};
    int fd autoclose = -1;
    assert_ok(fs_temp_fd(&fd, &e));
    assert_ok(fs_write_all(fd, plain, PLAIN, &e));
    struct stream *s;
    assert_ok(stream_from_range(fd, 10, 300000, &s, &e));
    assert_int_equal(stream_skip(s, 100000, &e), 100000);
    char got[10];
    assert_ok(stream_read_exact(s, got, sizeof got, &e));
    assert_memory_equal(got, plain + 100010, sizeof got);
    assert_int_equal(stream_skip(s, 1 << 20, &e), 300000 - 100010);
    stream_close(s);
    assert_ok(stream_from_range(fd, PLAIN - 10, 20, &s, &e));
    assert_int_equal(stream_drain(s, &e), ERR_FORMAT);
    stream_close(s);
}

int main(void)
{
    fill_plain();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(round_trips),         cmocka_unit_test(every_cut_is_an_error),
        cmocka_unit_test(bombs_hit_a_limit),   cmocka_unit_test(corrupt_gzip_is_noticed),
        cmocka_unit_test(errors_stick),        cmocka_unit_test(digests),
        cmocka_unit_test(md5_is_of_all_parts), cmocka_unit_test(spools),
        cmocka_unit_test(ranges_of_files),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
