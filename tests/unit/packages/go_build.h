/* go_build.h - programs with Go's build information in them, made by hand: both formats, both
 * classes and byte orders, as ELF, PE and Mach-O. Nothing in them runs. */
#ifndef KELLET_TESTS_GO_BUILD_H
#define KELLET_TESTS_GO_BUILD_H

#include "base/buf.h"

struct gb_options {
    bool is32, big;
    bool pointers;  /* the format before Go 1.18 */
    bool no_note;   /* without Go's note */
    bool pie;       /* another writable segment before the one that counts */
    bool far_table; /* program headers at the end of the file */
    bool upx;
    size_t shift; /* where in the data segment, in bytes */
    const char *version, *modules;
    uint64_t lie_pointer, lie_length; /* added to the version's string */
};

enum { GB_TEXT = 0x1000, GB_RODATA = 0x1400, GB_RELRO = 0x2000, GB_DATA = 0x3000, GB_END = 0x4800 };
static const uint64_t gb_base = 0x400000;

struct gb {
    struct buf b;
    const struct gb_options *o;
};

static inline void gb_int(struct gb *g, uint64_t v, size_t n)
{
    for (size_t i = 0; i < n; i++)
        buf_add_char(&g->b, (char)(v >> 8 * (g->o->big ? n - 1 - i : i)));
}
static inline void gb_word(struct gb *g, uint64_t v)
{
    gb_int(g, v, g->o->is32 ? 4 : 8);
}
static inline void gb_pad(struct gb *g, size_t to)
{
    while (g->b.n < to)
        buf_add_char(&g->b, 0);
}

static inline void gb_segment(struct gb *g, unsigned type, unsigned flags, uint64_t at, uint64_t n)
{
    gb_int(g, type, 4);
    if (!g->o->is32)
        gb_int(g, flags, 4);
    gb_word(g, at);
    gb_word(g, gb_base + at);
    gb_word(g, gb_base + at);
    gb_word(g, n);
    gb_word(g, n);
    if (g->o->is32)
        gb_int(g, flags, 4);
    gb_word(g, 0x1000);
}

static inline void gb_segments(struct gb *g)
{
    if (!g->o->no_note)
        gb_segment(g, 4, 4, 0x300, 20);
    gb_segment(g, 1, 5, GB_TEXT, GB_RODATA - GB_TEXT);
    gb_segment(g, 1, 6, GB_DATA, GB_END - GB_DATA); /* not in the file's order */
    gb_segment(g, 1, 4, GB_RODATA, GB_RELRO - GB_RODATA);
    if (g->o->pie)
        gb_segment(g, 1, 6, GB_RELRO, GB_DATA - GB_RELRO);
}

static inline void gb_elf_header(struct gb *g)
{
    const struct gb_options *o = g->o;
    unsigned n = 3 + !o->no_note + o->pie;
    buf_add(&g->b, "\177ELF", 4);
    buf_add_char(&g->b, o->is32 ? 1 : 2);
    buf_add_char(&g->b, o->big ? 2 : 1);
    buf_add(&g->b, "\1\0\0\0\0\0\0\0\0\0", 10);
    gb_int(g, 2, 2);
    gb_int(g, 62, 2);
    gb_int(g, 1, 4);
    gb_word(g, gb_base + GB_TEXT);
    gb_word(g, o->far_table ? GB_END : o->is32 ? 52 : 64);
    gb_word(g, 0);
    gb_int(g, 0, 4);
    gb_int(g, o->is32 ? 52 : 64, 2);
    gb_int(g, o->is32 ? 32 : 56, 2);
    gb_int(g, n, 2);
    gb_int(g, 0, 2);
    gb_int(g, 0, 2);
    gb_int(g, 0, 2);
    if (!o->far_table)
        gb_segments(g);
    if (o->upx) {
        gb_pad(g, 0x1a0);
        buf_add(&g->b, "UPX!", 4);
    }
    gb_pad(g, 0x300);
    gb_int(g, 4, 4);
    gb_int(g, 4, 4);
    gb_int(g, 4, 4);
    buf_add(&g->b, o->no_note ? "GNU\0abcd" : "Go\0\0abcd", 8);
}

static inline void gb_modules(struct gb *g)
{
    buf_add(&g->b, "0123456789abcdef", 16);
    buf_add_str(&g->b, str_z(g->o->modules));
    buf_add(&g->b, "fedcba9876543210", 16);
}

/* The header, and with it the strings where they belong. */
static inline void gb_info(struct gb *g)
{
    const struct gb_options *o = g->o;
    str version = str_z(o->version), modules = str_z(o->modules);
    buf_add(&g->b, "\xff Go buildinf:", 14);
    buf_add_char(&g->b, o->is32 ? 4 : 8);
    buf_add_char(&g->b, (char)((o->big ? 1 : 0) | (o->pointers ? 0 : 2)));
    size_t start = g->b.n - 16;
    if (!o->pointers) {
        gb_pad(g, start + 32);
        buf_add_varint(&g->b, version.n + o->lie_length);
        buf_add_str(&g->b, version);
        buf_add_varint(&g->b, modules.n + 32);
        gb_modules(g);
        return;
    }
    gb_word(g, gb_base + start + 64);
    gb_word(g, gb_base + start + 96);
    gb_pad(g, start + 64);
    gb_word(g, gb_base + GB_RODATA + 0x100 + o->lie_pointer);
    gb_word(g, version.n + o->lie_length);
    gb_pad(g, start + 96);
    gb_word(g, gb_base + GB_RODATA + 0x200);
    gb_word(g, modules.n + 32);
}

static inline void gb_body(struct gb *g)
{
    gb_pad(g, GB_RODATA + 0x100);
    if (g->o->pointers) {
        buf_add_str(&g->b, str_z(g->o->version));
        gb_pad(g, GB_RODATA + 0x200);
        gb_modules(g);
    }
    gb_pad(g, GB_DATA + g->o->shift);
    gb_info(g);
    gb_pad(g, GB_END);
}

static inline void gb_elf(struct buf *out, const struct gb_options *o)
{
    struct gb g = {.o = o};
    buf_init(&g.b, 1 << 20);
    gb_elf_header(&g);
    gb_body(&g);
    if (o->far_table)
        gb_segments(&g);
    buf_add_str(out, buf_view(&g.b));
    buf_done(&g.b);
}

static inline void gb_pe(struct buf *out, const struct gb_options *o)
{
    struct gb g = {.o = o};
    buf_init(&g.b, 1 << 20);
    buf_add(&g.b, "MZ", 2);
    gb_pad(&g, 0x3c);
    gb_int(&g, 0x80, 4);
    gb_pad(&g, 0x80);
    buf_add(&g.b, "PE\0\0\x64\x86\2\0", 8);
    gb_pad(&g, 0x80 + 20);
    gb_int(&g, 0xf0, 2);
    gb_int(&g, 0x22, 2);
    gb_int(&g, o->is32 ? 0x10b : 0x20b, 2);
    gb_pad(&g, 0x98 + (o->is32 ? 28 : 24));
    gb_word(&g, gb_base);
    gb_pad(&g, 0x98 + 0xf0);
    static const uint32_t sections[2] = {GB_RODATA, GB_DATA};
    for (size_t i = 0; i < 2; i++) {
        buf_add(&g.b, ".section", 8);
        gb_int(&g, GB_END - GB_DATA, 4);
        gb_int(&g, sections[i], 4);
        gb_int(&g, i ? GB_END - GB_DATA : GB_RELRO - GB_RODATA, 4);
        gb_int(&g, sections[i], 4);
        gb_pad(&g, 0x98 + 0xf0 + (i + 1) * 40);
    }
    gb_body(&g);
    buf_add_str(out, buf_view(&g.b));
    buf_done(&g.b);
}

static inline void gb_macho(struct buf *out, const struct gb_options *o)
{
    struct gb g = {.o = o};
    buf_init(&g.b, 1 << 20);
    gb_int(&g, o->is32 ? 0xfeedface : 0xfeedfacf, 4);
    gb_pad(&g, 16);
    gb_int(&g, 2, 4);
    gb_pad(&g, o->is32 ? 28 : 32);
    for (size_t i = 0; i < 2; i++) {
        size_t start = g.b.n, size = o->is32 ? 56 : 72;
        uint32_t at = i ? GB_DATA : GB_RODATA;
        gb_int(&g, o->is32 ? 1 : 0x19, 4);
        gb_int(&g, size, 4);
        gb_pad(&g, start + 24);
        gb_word(&g, gb_base + at);
        gb_word(&g, GB_END - GB_DATA);
        gb_word(&g, at);
        gb_word(&g, i ? GB_END - GB_DATA : GB_RELRO - GB_RODATA);
        gb_pad(&g, start + size);
    }
    gb_body(&g);
    buf_add_str(out, buf_view(&g.b));
    buf_done(&g.b);
}

#endif
