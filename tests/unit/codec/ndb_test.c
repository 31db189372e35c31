/* rpm's ndb databases: slots, blobs, checksums, and damage of every kind. */
#include "rpm_build.h"

#include "codec/ndb.h"

#include <zlib.h>

enum { PAGE = 4096, FIRST_BLOCK = 2 * PAGE / 16 };

/* Two slot pages and n blobs of growing size; slot i + 1 is number i + 1, every third one is free.
 */
static void build(uint32_t n, struct buf *out)
{
    buf_init(out, 16 << 20);
    char *slots = buf_reserve(out, 2 * PAGE);
    memset(slots, 0, 2 * PAGE);
    out->n = 2 * PAGE;
    memcpy(slots, "RpmP", 4);
    put32(slots + 12, 2, false);
    for (size_t i = 32; i < 2 * PAGE; i += 16)
        memcpy(slots + i, "Slot", 4);
    for (uint32_t i = 0; i < n; i++) {
        if (i % 3 == 2)
            continue;
        auto_buf blob;
        buf_init(&blob, 1 << 20);
        buf_add(&blob, "BlbS", 4);
        buf_add_u32(&blob, i + 1);
        buf_add_u32(&blob, 77);
        buf_add_u32(&blob, 0);
        build_package(i + 1, i * 7, &blob);
        uint32_t length = (uint32_t)blob.n - 16;
        put32(blob.p + 12, length, false);
        while ((blob.n + 12) % 16)
            buf_add_char(&blob, 0);
        buf_add_u32(&blob, (uint32_t)adler32(1, (const Bytef *)blob.p, (uInt)blob.n));
        buf_add_u32(&blob, length);
        buf_add(&blob, "BlbE", 4);
        char *slot = out->p + 32 + (size_t)i * 16;
        put32(slot + 4, i + 1, false);
        put32(slot + 8, (uint32_t)out->n / 16, false);
        put32(slot + 12, (uint32_t)blob.n / 16, false);
        buf_add_str(out, buf_view(&blob));
    }
}

static void slots_and_blobs(void **state)
{
    auto_buf file;
    struct seen s;
    struct err e = {0};
    build(400, &file);
    assert_ok(read_database(ndb_read, buf_view(&file), &s, &e));
    assert_int_equal(s.n_lost, 0);
    assert_int_equal(s.n_blobs, 267);
    buf_done(&file);
    build(0, &file);
    assert_ok(read_database(ndb_read, buf_view(&file), &s, &e));
    assert_int_equal(s.n_lost + s.n_blobs, 0);
}

static void damage(void **state)
{
    /* Of a database of two packages: offset, new value, what is still found, what is said. */
    enum { SLOT1 = 32, SLOT2 = 48, BLOB1 = 2 * PAGE };
    static const struct {
        size_t at;
        uint32_t value, n_blobs;
        const char *lost;
    } rows[] = {
        {SLOT1, 0, 1, "slot 2 is damaged"},
        {SLOT1 + 4, 9, 1, "no blob of it"},
        {SLOT1 + 8, 0, 1, "slot 2 is damaged"},
        {SLOT1 + 8, 0xffffffff, 1, "behind the end"},
        {SLOT1 + 8, FIRST_BLOCK + 1, 1, "no blob of it"},
        {SLOT1 + 12, 1, 1, "1 blocks are too few"},
        {SLOT1 + 12, 4, 1, "do not take 4 blocks"},
        {SLOT1 + 12, 0xffffffff, 1, "behind the end"},
        {BLOB1, 0, 1, "no blob of it"},
        {BLOB1 + 12, 0xffffffff, 1, "do not take"},
        {BLOB1 + 8, 78, 2, "checksum"},
        {BLOB1 + 24, 1, 2, "checksum"},
        {12, 100, 2, "slot page 2: the file ends before it"},
    };
    for (size_t i = 0; i < KE_ARRAY_LEN(rows); i++) {
        auto_buf file;
        struct seen s;
        struct err e = {0};
        build(2, &file);
        put32(file.p + rows[i].at, rows[i].value, false);
        assert_ok(read_database(ndb_read, buf_view(&file), &s, &e));
        bool told = s.n_lost && str_contains(str_z(s.first), str_z(rows[i].lost));
        if (s.n_blobs != rows[i].n_blobs || !told)
            fail_msg("row %zu: %u blobs, %u lost: %s", i, s.n_blobs, s.n_lost, s.first);
    }
}

/* 500 slots with one blob: time and memory stay within the file's size. */
static void slots_on_top_of_each_other(void **state)
{
    auto_buf file;
    struct seen s;
    struct err e = {0};
    build(1, &file);
    for (size_t at = 48; at < 2 * PAGE; at += 16)
        memcpy(file.p + at, file.p + 32, 16);
    assert_ok(read_database(ndb_read, buf_view(&file), &s, &e));
    assert_true(s.bytes <= file.n && s.n_blobs > 0 && s.n_lost == 510 - s.n_blobs);
    assert_non_null(strstr(s.first, "on top of each other"));
}

static void truncated_anywhere(void **state)
{
    auto_buf file;
    struct err e = {0};
    build(5, &file);
    for (size_t n = 0; n < file.n; n++) {
        struct seen s;
        autofree char *copy = malloc(n + 1);
        memcpy(copy, file.p, n);
        int r = read_database(ndb_read, (str){copy, n}, &s, &e);
        assert_true(n < 32 ? r == ERR_FORMAT : r == 0 && s.n_lost > 0);
    }
}

static void refused(void **state)
{
    static const struct {
        size_t at;
        uint32_t value;
        int code;
    } rows[] = {{0, 0, ERR_FORMAT}, {4, 1, ERR_UNSUPPORTED}, {12, 0, ERR_FORMAT}};
    for (size_t i = 0; i < KE_ARRAY_LEN(rows); i++) {
        auto_buf file;
        struct seen s;
        struct err e = {0};
        build(1, &file);
        put32(file.p + rows[i].at, rows[i].value, false);
        assert_int_equal(read_database(ndb_read, buf_view(&file), &s, &e), rows[i].code);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(slots_and_blobs),
        cmocka_unit_test(damage),
        cmocka_unit_test(slots_on_top_of_each_other),
        cmocka_unit_test(truncated_anywhere),
        cmocka_unit_test(refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
