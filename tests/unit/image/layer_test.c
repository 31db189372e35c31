/* The walk over one layer, told by a visitor that writes down what it sees. */
#include "image/layer.h"
#include "tar_build.h"
#include "unit.h"

#include <zlib.h>
#include <zstd.h>

struct recorder {
    struct buf told;
    int fail; /* what file() returns for a file named "fail" */
};

static int record_file(void *ctx, const struct tar_entry *entry, struct stream *content,
                       struct err *e)
{
    struct recorder *r = ctx;
    auto_buf text;
    buf_init(&text, 1 << 16);
    buf_addf(&r->told, "file %.*s", STR_ARG(entry->path));
    int rc = stream_read_all(content, &text, "content", e);
    if (rc < 0)
        return rc;
    buf_addf(&r->told, "=%.*s\n", STR_ARG(buf_view(&text)));
    return str_eq(entry->path, STR("fail")) ? err_set(e, r->fail, "the visitor stops") : 0;
}

static int record_link(void *ctx, const struct tar_entry *entry, struct err *e)
{
    struct recorder *r = ctx;
    buf_addf(&r->told, "%s %.*s -> %.*s\n", entry->type == TAR_HARDLINK ? "hard" : "soft",
             STR_ARG(entry->path), STR_ARG(entry->link));
    return 0;
}

static int record_hides(void *ctx, str path, enum layer_hides what, struct err *e)
{
    static const char *const words[] = {
        [HIDES_ALL] = "hides", [HIDES_BELOW] = "opaque", [HIDES_SELF] = "dir"};
    struct recorder *r = ctx;
    buf_addf(&r->told, "%s %.*s\n", words[what], STR_ARG(path));
    return 0;
}

static void record_odd(void *ctx, str path, const char *what, const char *detail)
{
    struct recorder *r = ctx;
    buf_addf(&r->told, "%s %.*s\n", what, STR_ARG(str_sub(path, 0, 20)));
}

static int walk(str bytes, struct recorder *r, bool threads, struct layer_result *out,
                struct err *e)
{
    auto_stream *raw = NULL;
    struct layer_visitor v = {.ctx = r,
                              .file = record_file,
                              .link = record_link,
                              .hides = record_hides,
                              .odd = record_odd};
    struct layer_options o = {.second_thread = threads};
    buf_init(&r->told, 1 << 20);
    assert_int_equal(stream_from_mem(bytes, &raw, e), 0);
    return layer_walk(raw, &o, &v, out, e);
}

static void test_entries(void **state)
{
    static const struct {
        char type;
        const char *path, *link, *told;
    } cases[] = {
        {'0', "a/file", NULL, "hides a/file\nfile a/file=x\n"},
        {'0', "./a//./file", NULL, "hides a/file\nfile a/file=x\n"},
        {'0', "/abs", NULL, "hides abs\nfile abs=x\n"},
        {'5', "a/dir/", NULL, "dir a/dir\n"},
        {'5', "./", NULL, ""},
        {'2', "link", "../to", "hides link\nsoft link -> ../to\n"},
        {'1', "hard", "./to/it", "hides hard\nhard hard -> to/it\n"},
        {'3', "dev/null", NULL, "hides dev/null\n"},
        {'6', "fifo", NULL, "hides fifo\n"},
        {'0', ".wh.gone", NULL, "hides gone\n"},
        {'0', "a/.wh.gone", NULL, "hides a/gone\n"},
        {'0', "a/.wh..wh.gone", NULL, ""},
        {'0', "a/.wh..hidden", NULL, "hides a/.hidden\n"},
        {'3', "a/.wh.gone", NULL, "hides a/gone\n"},
        {'0', "a/.wh..wh..opq", NULL, "opaque a\n"},
        {'0', ".wh..wh..opq", NULL, "opaque \n"},
        {'0', "a/.wh.", NULL, ""},
        {'0', ".wh..wh.aufs", NULL, ""},
        {'0', ".wh..wh.plnk/1.2", NULL, ""},
        {'5', ".wh..wh.orph/", NULL, ""},
        {'0', "../out", NULL, "unsafe-path ../out\n"},
        {'0', "a/../../out", NULL, "unsafe-path a/../../out\n"},
        {'1', "hard", "../out", "unsafe-path hard\n"},
        {'2', "soft", "../../../out", "hides soft\nsoft soft -> ../../../out\n"},
    };
    for (size_t i = 0; i < KE_ARRAY_LEN(cases); i++) {
        struct err e = {0};
        struct recorder r = {0};
        struct layer_result found;
        auto_buf tar;
        buf_init(&tar, 1 << 20);
        tar_add(&tar, cases[i].type, cases[i].path, cases[i].link,
                cases[i].type == '0' ? STR("x") : STR(""), 0644);
        tar_end(&tar);
        assert_ok(walk(buf_view(&tar), &r, false, &found, &e));
        if (!str_eq(buf_view(&r.told), str_z(cases[i].told)))
            fail_msg("%s: \"%s\"", cases[i].path, buf_z(&r.told));
        assert_int_equal(found.entries, 1);
        assert_int_equal(found.tar_result, 0);
        buf_done(&r.told);
    }
}

static void compress_gzip(str plain, struct buf *out)
{
    z_stream z = {0};
    char space[1 << 16];
    assert_int_equal(deflateInit2(&z, 6, Z_DEFLATED, 31, 8, Z_DEFAULT_STRATEGY), Z_OK);
    z.next_in = (Bytef *)(uintptr_t)plain.p;
    z.avail_in = (uInt)plain.n;
    z.next_out = (Bytef *)space;
    z.avail_out = sizeof space;
    assert_int_equal(deflate(&z, Z_FINISH), Z_STREAM_END);
    buf_add(out, space, z.total_out);
    deflateEnd(&z);
}

static void compress_zstd(str plain, struct buf *out)
{
    char space[1 << 16];
    size_t n = ZSTD_compress(space, sizeof space, plain.p, plain.n, 3);
    assert_false(ZSTD_isError(n));
    buf_add(out, space, n);
}

static void compress_not(str plain, struct buf *out)
{
    buf_add_str(out, plain);
}

static void (*const compressions[])(str, struct buf *) = {compress_not, compress_gzip,
                                                          compress_zstd};

static void two_files(struct buf *tar)
{
    buf_init(tar, 1 << 20);
    tar_file(tar, "one", "1");
    tar_file(tar, "two", "2");
    tar_end(tar);
    buf_add(tar, "what follows the end", 20);
}

static void test_digests(void **state)
{
    auto_buf tar;
    two_files(&tar);
    for (size_t i = 0; i < KE_ARRAY_LEN(compressions); i++)
        for (int threads = 0; threads < 2; threads++) {
            struct err e = {0};
            struct recorder r = {0};
            struct layer_result found;
            auto_buf packed;
            buf_init(&packed, 1 << 20);
            compressions[i](buf_view(&tar), &packed);
            assert_ok(walk(buf_view(&packed), &r, threads, &found, &e));
            assert_str(buf_view(&r.told), STR("hides one\nfile one=1\nhides two\nfile two=2\n"));
            struct sha256 plain = sha256_of(tar.p, tar.n), stored = sha256_of(packed.p, packed.n);
            assert_true(found.digests_known);
            assert_memory_equal(&found.diff_id, &plain, sizeof plain);
            assert_memory_equal(&found.digest, &stored, sizeof stored);
            assert_int_equal(found.size, packed.n);
            assert_int_equal(found.plain_size, tar.n);
            buf_done(&r.told);
        }
}

/* Broken after good entries, at every place: the digests are still those of the bytes. */
static void test_broken(void **state)
{
    auto_buf tar;
    two_files(&tar);
    for (size_t i = 0; i < KE_ARRAY_LEN(compressions); i++)
        for (size_t at = 1024; at < 2048; at += 128) {
            struct err e = {0};
            struct recorder r = {0};
            struct layer_result found;
            auto_buf packed;
            buf_init(&packed, 1 << 20);
            compressions[i](str_sub(buf_view(&tar), 0, at + 1), &packed);
            assert_ok(walk(buf_view(&packed), &r, at % 256, &found, &e));
            struct sha256 plain = sha256_of(tar.p, at + 1), stored = sha256_of(packed.p, packed.n);
            assert_true(found.digests_known);
            assert_memory_equal(&found.diff_id, &plain, sizeof plain);
            assert_memory_equal(&found.digest, &stored, sizeof stored);
            assert_int_equal(found.tar_result < 0, at < 1536);
            assert_true(str_starts(buf_view(&r.told), STR("hides one\nfile one=1\n")));
            buf_done(&r.told);
        }
}

static void test_cut_compression(void **state)
{
    auto_buf tar;
    two_files(&tar);
    for (size_t i = 1; i < KE_ARRAY_LEN(compressions); i++) {
        auto_buf packed;
        buf_init(&packed, 1 << 20);
        compressions[i](buf_view(&tar), &packed);
        for (size_t n = 4; n < packed.n; n++) {
            struct err e = {0};
            struct recorder r = {0};
            struct layer_result found;
            int rc = walk((str){packed.p, n}, &r, n % 2, &found, &e);
            assert_int_equal(rc, ERR_FORMAT);
            struct sha256 stored = sha256_of(packed.p, n);
            assert_true(found.digests_known);
            assert_memory_equal(&found.digest, &stored, sizeof stored);
            buf_done(&r.told);
        }
    }
}

static void test_visitor_stops(void **state)
{
    static const int codes[] = {ERR_NO_MEMORY, ERR_IO, ERR_LIMIT};
    for (size_t i = 0; i < KE_ARRAY_LEN(codes); i++) {
        struct err e = {0};
        struct recorder r = {.fail = codes[i]};
        struct layer_result found;
        auto_buf tar;
        buf_init(&tar, 1 << 20);
        tar_file(&tar, "fail", "1");
        tar_file(&tar, "after", "2");
        tar_end(&tar);
        assert_int_equal(walk(buf_view(&tar), &r, i % 2, &found, &e), codes[i]);
        assert_string_equal(e.text, "the visitor stops");
        assert_str(buf_view(&r.told), STR("hides fail\nfile fail=1\n"));
        buf_done(&r.told);
    }
}

static void test_limits(void **state)
{
    struct err e = {0};
    struct layer_result found;
    auto_buf tar, packed;
    auto_stream *raw = NULL;
    struct recorder r = {0};
    struct layer_visitor v = {.ctx = &r,
                              .file = record_file,
                              .link = record_link,
                              .hides = record_hides,
                              .odd = record_odd};
    two_files(&tar);
    buf_init(&packed, 1 << 20);
    buf_init(&r.told, 1 << 20);
    compress_gzip(buf_view(&tar), &packed);
    struct layer_options o = {.max_size = 1000};
    assert_ok(stream_from_mem(buf_view(&packed), &raw, &e));
    assert_int_equal(layer_walk(raw, &o, &v, &found, &e), ERR_LIMIT);
    assert_true(found.digests_known);
    stream_close(TAKE(raw));
    o = (struct layer_options){.tar = {.max_entries = 1}};
    assert_ok(stream_from_mem(buf_view(&packed), &raw, &e));
    assert_ok(layer_walk(raw, &o, &v, &found, &e));
    assert_int_equal(found.tar_result, ERR_LIMIT);
    assert_true(found.digests_known);
    buf_done(&r.told);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_entries),       cmocka_unit_test(test_digests),
        cmocka_unit_test(test_broken),        cmocka_unit_test(test_cut_compression),
        cmocka_unit_test(test_visitor_stops), cmocka_unit_test(test_limits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
