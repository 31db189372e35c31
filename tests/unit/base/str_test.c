/* Slices, buffers, arenas, maps and cursors: the tables that everything else stands on. */
#include "unit.h"

#include "base/arena.h"
#include "base/buf.h"
#include "base/cursor.h"
#include "base/map.h"

static void splits_and_lines(void **state)
{
    str rest = STR("a,b,,c"), part;
    assert_str(str_split(&rest, ','), STR("a"));
    assert_str(str_split(&rest, ','), STR("b"));
    assert_str(str_split(&rest, ','), STR(""));
    assert_str(str_split(&rest, ','), STR("c"));
    assert_int_equal(rest.n, 0);
    rest = STR("one\r\ntwo\n\nend");
    assert_true(str_line(&rest, &part));
    assert_str(part, STR("one"));
    assert_true(str_line(&rest, &part));
    assert_true(str_line(&rest, &part));
    assert_str(part, STR(""));
    assert_true(str_line(&rest, &part));
    assert_str(part, STR("end"));
    assert_false(str_line(&rest, &part));
}

static void numbers(void **state)
{
    uint64_t v;
    static const struct {
        const char *text;
        bool ok;
        uint64_t value;
    } rows[] = {
        {"0", true, 0},
        {"18446744073709551615", true, UINT64_MAX},
        {"18446744073709551616", false, 0},
        {"", false, 0},
        {"-1", false, 0},
        {"1x", false, 0},
    };
    for (size_t i = 0; i < KE_ARRAY_LEN(rows); i++) {
        assert_int_equal(str_to_u64(str_z(rows[i].text), &v), rows[i].ok);
        if (rows[i].ok)
            assert_true(v == rows[i].value);
    }
    assert_true(str_to_u64_hex(STR("ffFF"), &v) && v == 0xffff);
    assert_false(str_to_u64_hex(STR("11112222333344445"), &v));
}

static void arena_has_a_maximum(void **state)
{
    struct arena a;
    arena_init(&a, 100000);
    size_t n = 0;
    while (arena_alloc(&a, 1000))
        n++;
    assert_true(n > 50 && n < 100);
    assert_true(a.full);
    arena_done(&a);
    assert_non_null(arena_alloc(&a, 10));
    assert_null(arena_calloc(&a, SIZE_MAX / 2, 4));
    arena_done(&a);
}

static void buf_has_a_maximum(void **state)
{
    auto_buf b;
    buf_init(&b, 10);
    buf_add_str(&b, STR("12345"));
    buf_addf(&b, "%d", 67890);
    assert_true(buf_ok(&b));
    assert_str(buf_view(&b), STR("1234567890"));
    assert_string_equal(buf_z(&b), "1234567890");
    buf_add_char(&b, 'x');
    assert_false(buf_ok(&b));
    assert_int_equal(b.n, 10);
}

static void varints_round_trip(void **state)
{
    static const uint64_t values[] = {0, 1, 127, 128, 300, UINT32_MAX, UINT64_MAX};
    auto_buf b;
    buf_init(&b, 1000);
    for (size_t i = 0; i < KE_ARRAY_LEN(values); i++)
        buf_add_varint(&b, values[i]);
    struct cursor c = cursor_over(b.p, b.n);
    for (size_t i = 0; i < KE_ARRAY_LEN(values); i++)
        assert_true(cursor_varint(&c) == values[i]);
    assert_true(cursor_ok(&c));
    cursor_u8(&c);
    assert_false(cursor_ok(&c));
    struct cursor bad = cursor_over("\xff\xff\xff\xff\xff\xff\xff\xff\xff\x7f", 10);
    cursor_varint(&bad);
    assert_false(cursor_ok(&bad));
}

static void map_keeps_many(void **state)
{
    struct map m;
    map_init(&m);
    static char keys[5000][8];
    for (size_t i = 0; i < KE_ARRAY_LEN(keys); i++) {
        snprintf(keys[i], sizeof keys[i], "k%zu", i);
        assert_true(map_put(&m, str_z(keys[i]), keys[i]));
    }
    assert_int_equal(m.n, KE_ARRAY_LEN(keys));
    for (size_t i = 0; i < KE_ARRAY_LEN(keys); i++)
        assert_ptr_equal(map_get(&m, str_z(keys[i])), keys[i]);
    assert_null(map_get(&m, STR("absent")));
    size_t room = m.cap;
    assert_true(map_reserve(&m, 10)); /* it has more */
    assert_int_equal(m.cap, room);
    assert_true(map_reserve(&m, 4 * room));
    for (size_t i = 0; i < KE_ARRAY_LEN(keys); i++)
        assert_ptr_equal(map_get(&m, str_z(keys[i])), keys[i]);
    map_done(&m);
    assert_true(map_reserve(&m, KE_ARRAY_LEN(keys)));
    room = m.cap;
    for (size_t i = 0; i < KE_ARRAY_LEN(keys); i++)
        assert_true(map_put(&m, str_z(keys[i]), keys[i]));
    assert_int_equal(m.cap, room); /* it did not grow */
    map_done(&m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(splits_and_lines),    cmocka_unit_test(numbers),
        cmocka_unit_test(arena_has_a_maximum), cmocka_unit_test(buf_has_a_maximum),
        cmocka_unit_test(varints_round_trip),  cmocka_unit_test(map_keeps_many),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
