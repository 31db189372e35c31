#include "codec/elf.h"

#include "base/cursor.h"

/* A cursor that knows the file's class and byte order. */
struct reader {
    struct cursor c;
    bool is64, big_endian;
};

static struct reader reader_over(const struct elf *elf, str s)
{
    return (struct reader){cursor_over(s.p, s.n), elf->is64, elf->big_endian};
}
static uint16_t half(struct reader *r)
{
    return r->big_endian ? cursor_u16be(&r->c) : cursor_u16le(&r->c);
}
static uint32_t word(struct reader *r)
{
    return r->big_endian ? cursor_u32be(&r->c) : cursor_u32le(&r->c);
}
/* An address, an offset, or anything else that is as wide as the class. */
static uint64_t wide(struct reader *r)
{
    if (!r->is64)
        return word(r);
    return r->big_endian ? cursor_u64be(&r->c) : cursor_u64le(&r->c);
}

bool elf_is(str head)
{
    return head.n >= 4 && memcmp(head.p, "\177ELF", 4) == 0;
}

int elf_parse(str head, struct elf *out, struct err *e)
{
    *out = (struct elf){0};
    if (!elf_is(head) || head.n < 16)
        return err_set(e, ERR_FORMAT, "not an ELF file");
    uint8_t class = (uint8_t)head.p[4], order = (uint8_t)head.p[5];
    if (class < 1 || class > 2 || order < 1 || order > 2)
        return err_set(e, ERR_FORMAT, "ELF file of unknown class or byte order");
    out->is64 = class == 2;
    out->big_endian = order == 2;
    struct reader r = reader_over(out, str_from(head, 16));
    out->type = half(&r);
    out->machine = half(&r);
    word(&r); /* version */
    wide(&r); /* entry */
    out->segments_at = wide(&r);
    out->sections_at = wide(&r);
    word(&r); /* flags */
    half(&r); /* size of this header */
    out->segment_size = half(&r);
    out->n_segments = half(&r);
    out->section_size = half(&r);
    out->n_sections = half(&r);
    out->names = half(&r);
    if (head.n < (out->is64 ? 64 : 52))
        return err_set(e, ERR_FORMAT, "ELF header is cut short");
    if (out->n_segments && out->segment_size < (out->is64 ? 56 : 32))
        return err_set(e, ERR_FORMAT, "ELF program headers of %u bytes", out->segment_size);
    return 0;
}

size_t elf_segments_bytes(const struct elf *elf)
{
    return (size_t)elf->n_segments * elf->segment_size;
}

bool elf_segment(const struct elf *elf, str table, size_t i, struct elf_segment *out)
{
    struct reader r = reader_over(elf, str_from(table, i * elf->segment_size));
    out->type = word(&r);
    if (elf->is64)
        out->flags = word(&r);
    out->offset = wide(&r);
    out->address = wide(&r);
    wide(&r); /* physical address */
    out->file_size = wide(&r);
    out->memory_size = wide(&r);
    if (!elf->is64)
        out->flags = word(&r);
    return cursor_ok(&r.c);
}

size_t elf_sections_bytes(const struct elf *elf)
{
    return (size_t)elf->n_sections * elf->section_size;
}

bool elf_section(const struct elf *elf, str table, size_t i, struct elf_section *out)
{
    if (elf->section_size < (elf->is64 ? 64 : 40))
        return false;
    struct reader r = reader_over(elf, str_from(table, i * elf->section_size));
    out->name = word(&r);
    out->type = word(&r);
    wide(&r); /* flags */
    wide(&r); /* address */
    out->offset = wide(&r);
    out->size = wide(&r);
    return cursor_ok(&r.c);
}
