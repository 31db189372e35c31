/* ELF headers: both classes, both byte orders, and what is none. */
#include "unit.h"

#include "codec/elf.h"

static void headers(void **state)
{
    static const char le64[] = "\177ELF\2\1\1\0\0\0\0\0\0\0\0\0\3\0\x3e\0\1\0\0\0"
                               "\0\x10\0\0\0\0\0\0\x40\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0"
                               "\0\0\0\0\x40\0\x38\0\2\0\x40\0\0\0\0";
    static const char be32[] = "\177ELF\1\2\1\0\0\0\0\0\0\0\0\0\0\2\0\x14\0\0\0\1"
                               "\0\0\x10\0\0\0\0\x34\0\0\0\0\0\0\0\0\0\x34\0\x20\0\1\0\0\0\0\0";
    struct err e = {0};
    struct elf elf;
    assert_ok(elf_parse((str){le64, sizeof le64}, &elf, &e));
    assert_true(elf.is64 && !elf.big_endian);
    assert_int_equal(elf.machine, 62);
    assert_int_equal(elf.segments_at, 64);
    assert_int_equal(elf_segments_bytes(&elf), 112);
    assert_ok(elf_parse((str){be32, sizeof be32}, &elf, &e));
    assert_true(!elf.is64 && elf.big_endian);
    assert_int_equal(elf.machine, 20);
    assert_int_equal(elf.segments_at, 52);
    assert_int_equal(elf_segments_bytes(&elf), 32);
    for (size_t n = 0; n < 52; n++)
        assert_int_equal(elf_parse((str){be32, n}, &elf, &e), ERR_FORMAT);
    assert_int_equal(elf_parse(STR("\177ELF\3\1\1\0\0\0\0\0\0\0\0\0\0"), &elf, &e), ERR_FORMAT);
    assert_int_equal(elf_parse(STR("#!/bin/sh with enough text"), &elf, &e), ERR_FORMAT);
}

static void segments(void **state)
{
    static const char be32[] =
        "\0\0\0\1\0\0\x10\0\0\0\x20\0\0\0\x30\0\0\0\0\5\0\0\0\6\0\0\0\7\0\0\0\1";
    struct elf elf = {.big_endian = true, .n_segments = 1, .segment_size = 32};
    struct elf_segment s;
    assert_true(elf_segment(&elf, (str){be32, 32}, 0, &s));
    assert_int_equal(s.type, ELF_PT_LOAD);
    assert_int_equal(s.offset, 0x1000);
    assert_int_equal(s.address, 0x2000);
    assert_int_equal(s.file_size, 5);
    assert_int_equal(s.memory_size, 6);
    assert_int_equal(s.flags, 7);
    assert_false(elf_segment(&elf, (str){be32, 27}, 0, &s));
    assert_false(elf_segment(&elf, (str){be32, 32}, 1, &s));
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(headers), cmocka_unit_test(segments)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
