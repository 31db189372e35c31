/* Berkeley DB hash databases: every page size and byte order, and damage of every kind. */
#include "rpm_build.h"

#include "codec/bdb.h"

/* 40 records: some in the page, some on one overflow page, some on many; number 0 is no package. */
static uint64_t fill(struct build_bdb *b)
{
    uint64_t bytes = 0;
    bdb_record(b, 0, STR("\x28\0\0\0"));
    for (uint32_t i = 1; i <= 40; i++) {
        auto_buf blob;
        buf_init(&blob, 1 << 20);
        build_package(i, (size_t)i * i * 3, &blob);
        bdb_record(b, i, buf_view(&blob));
        bytes += blob.n;
    }
    return bytes;
}

static void every_layout(void **state)
{
    for (uint32_t page_size = 512; page_size <= 65536; page_size *= 2)
        for (int variant = 0; variant < 4; variant++) {
            struct build_bdb b;
            struct seen s;
            struct err e = {0};
            bdb_start(&b, page_size, variant & 1, variant & 2);
            uint64_t bytes = fill(&b);
            assert_ok(read_database(bdb_read, (str){b.p, (size_t)b.n_pages * page_size}, &s, &e));
            if (s.n_blobs != 40 || s.bytes != bytes || s.numbers != 820 || s.n_lost)
                fail_msg("pages of %u, variant %d: %u blobs, %u lost: %s", page_size, variant,
                         s.n_blobs, s.n_lost, s.first);
            free(b.p);
        }
}

/* A file of 512-byte pages with two records of four overflow pages each: 1 to 4 and 6 to 9; the
 * hash page is 5, its items: key and chain of record 1, key and chain of record 2, and a third
 * record of 20 bytes in the page. */
enum { HASH = 5 };
static void two_chains(struct build_bdb *b)
{
    static char value[4 * 486];
    bdb_start(b, 512, false, false);
    bdb_record(b, 1, (str){value, sizeof value});
    bdb_record(b, 2, (str){value, sizeof value});
    bdb_record(b, 3, (str){value, 20});
    assert_int_equal(b->n_pages, 10);
}

static char *item(struct build_bdb *b, int i)
{
    const uint8_t *at = (const uint8_t *)bdb_page(b, HASH) + 26 + 2 * i;
    return bdb_page(b, HASH) + (at[0] | at[1] << 8);
}

static void cycle(struct build_bdb *b)
{
    put32(bdb_page(b, 3) + 16, 2, false);
}
static void self(struct build_bdb *b)
{
    put32(bdb_page(b, 2) + 16, 2, false);
}
static void wild_page(struct build_bdb *b)
{
    put32(bdb_page(b, 2) + 16, 0x7fffffff, false);
}
static void short_chain(struct build_bdb *b)
{
    put32(bdb_page(b, 3) + 16, 0, false);
}
static void long_chain(struct build_bdb *b)
{
    put32(item(b, 1) + 8, 4 * 486 - 1, false);
}
static void huge_value(struct build_bdb *b)
{
    put32(item(b, 1) + 8, 0xfffffff0, false);
}
static void empty_value(struct build_bdb *b)
{
    put32(item(b, 1) + 8, 0, false);
}
static void shared_chain(struct build_bdb *b)
{
    put32(item(b, 3) + 4, 1, false);
}
static void chain_to_hash(struct build_bdb *b)
{
    put32(item(b, 1) + 4, HASH, false);
}
static void empty_overflow(struct build_bdb *b)
{
    put16(bdb_page(b, 2) + 22, 0, false);
}
static void overfull_overflow(struct build_bdb *b)
{
    put16(bdb_page(b, 2) + 22, 487, false);
}
static void wild_item(struct build_bdb *b)
{
    put16(bdb_page(b, HASH) + 26 + 2 * 4, 3, false);
}
static void item_behind(struct build_bdb *b)
{
    put16(bdb_page(b, HASH) + 26, 600, false);
}
static void odd_items(struct build_bdb *b)
{
    put16(bdb_page(b, HASH) + 20, 5, false);
}
static void too_many_items(struct build_bdb *b)
{
    put16(bdb_page(b, HASH) + 20, 60000, false);
}
static void fewer_items(struct build_bdb *b)
{
    put16(bdb_page(b, HASH) + 20, 4, false);
}
static void tree_of_duplicates(struct build_bdb *b)
{
    item(b, 5)[0] = 4;
}
static void duplicates(struct build_bdb *b)
{
    char *p = item(b, 5);
    p[0] = 2;
    put16(p + 1, 6, false);
    put16(p + 9, 6, false);
    put16(p + 11, 6, false);
    put16(p + 19, 6, false);
}
static void bad_duplicates(struct build_bdb *b)
{
    duplicates(b);
    put16(item(b, 5) + 11, 7, false);
}
static void free_with_items(struct build_bdb *b)
{
    bdb_page(b, HASH)[25] = 0;
}
static void other_type(struct build_bdb *b)
{
    bdb_page(b, HASH)[25] = 5;
}
static void other_number(struct build_bdb *b)
{
    put32(bdb_page(b, HASH) + 8, 4, false);
}
static void unsorted(struct build_bdb *b)
{
    bdb_page(b, HASH)[25] = 2;
}
static void behind_the_last(struct build_bdb *b)
{
    put32(b->p + 32, 4, false);
}
static void long_key(struct build_bdb *b)
{
    item(b, 4)[0] = 3;
}
static void free_page(struct build_bdb *b)
{
    bdb_new_page(b, 0);
}

static void damage(void **state)
{
    static const struct {
        void (*how)(struct build_bdb *);
        uint32_t n_blobs;
        const char *lost; /* part of the first text; NULL: nothing is lost */
    } rows[] = {
        {free_page, 3, NULL},
        {unsorted, 3, NULL},
        {duplicates, 4, NULL},
        {cycle, 2, "already in use"},
        {self, 2, "already in use"},
        {wild_page, 2, "page 2147483647 of 10"},
        {short_chain, 2, "leads to page 0"},
        {long_chain, 2, "longer than"},
        {huge_value, 2, "more than 33554432"},
        {empty_value, 3, "4 overflow pages belong to no record"},
        {shared_chain, 2, "already in use"},
        {chain_to_hash, 2, "no overflow page"},
        {empty_overflow, 2, "has 0 bytes"},
        {overfull_overflow, 2, "has 487 bytes"},
        {wild_item, 2, "items 4 and 5"},
        {item_behind, 2, "items 0 and 1"},
        {odd_items, 0, "5 items"},
        {too_many_items, 0, "60000 items"},
        {fewer_items, 2, "4 items, and more"},
        {tree_of_duplicates, 2, "kind 4"},
        {bad_duplicates, 3, "do not fit"},
        {free_with_items, 0, "marked as free"},
        {other_type, 0, "of type 5"},
        {other_number, 3, "says that it is page 4"},
        {behind_the_last, 3, "behind the last"},
        {long_key, 2, "items 4 and 5"},
    };
    for (size_t i = 0; i < KE_ARRAY_LEN(rows); i++) {
        struct build_bdb b;
        struct seen s;
        struct err e = {0};
        two_chains(&b);
        rows[i].how(&b);
        assert_ok(read_database(bdb_read, (str){b.p, (size_t)b.n_pages * 512}, &s, &e));
        bool told = rows[i].lost ? s.n_lost && str_contains(str_z(s.first), str_z(rows[i].lost))
                                 : s.n_lost == 0;
        if (s.n_blobs != rows[i].n_blobs || !told)
            fail_msg("row %zu: %u blobs, %u lost: %s", i, s.n_blobs, s.n_lost, s.first);
        free(b.p);
    }
}

static void truncated_anywhere(void **state)
{
    struct build_bdb b;
    struct err e = {0};
    two_chains(&b);
    for (size_t n = 0; n < (size_t)b.n_pages * 512; n++) {
        struct seen s;
        autofree char *copy = malloc(n + 1); /* so that reading past the end is seen */
        memcpy(copy, b.p, n);
        int r = read_database(bdb_read, (str){copy, n}, &s, &e);
        assert_true(n < 128 ? r == ERR_FORMAT : r == 0 && s.n_lost > 0);
    }
    free(b.p);
}

static void refused(void **state)
{
    static const struct {
        size_t at;
        uint32_t value;
        int code;
        const char *text;
    } rows[] = {
        {12, 0x053162, ERR_UNSUPPORTED, "B-tree"},   {12, 0x12345678, ERR_FORMAT, "no Berkeley DB"},
        {16, 4, ERR_UNSUPPORTED, "version 4"},       {16, 11, ERR_UNSUPPORTED, "version 11"},
        {20, 256, ERR_FORMAT, "pages of 256"},       {20, 1000, ERR_FORMAT, "pages of 1000"},
        {20, 131072, ERR_FORMAT, "pages of 131072"}, {24, 0x0801, ERR_UNSUPPORTED, "encrypted"},
        {24, 0x0900, ERR_FORMAT, "no Berkeley DB"},
    };
    for (size_t i = 0; i < KE_ARRAY_LEN(rows); i++) {
        struct build_bdb b;
        struct seen s;
        struct err e = {0};
        two_chains(&b);
        put32(b.p + rows[i].at, rows[i].value, false);
        int r = read_database(bdb_read, (str){b.p, (size_t)b.n_pages * 512}, &s, &e);
        if (r != rows[i].code || !str_contains(str_z(e.text), str_z(rows[i].text)))
            fail_msg("row %zu: %d %s", i, r, e.text);
        free(b.p);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_layout),
        cmocka_unit_test(damage),
        cmocka_unit_test(truncated_anywhere),
        cmocka_unit_test(refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
