/* elf.h - headers of ELF files: enough to find a program's segments.
 *
 * Source: System V ABI, "Object Files" (gabi 4.3), 32 and 64 bits, both byte orders. Nothing here
 * is run or mapped; all fields are as the file says and may lie. */
#ifndef KELLET_CODEC_ELF_H
#define KELLET_CODEC_ELF_H

#include "base/err.h"
#include "base/str.h"

enum {
    ELF_PT_LOAD = 1,
    ELF_PF_EXEC = 1,
    ELF_PF_WRITE = 2,
};

struct elf {
    bool is64, big_endian;
    uint16_t type, machine;
    uint64_t segments_at;              /* offset of the program headers */
    uint16_t n_segments, segment_size; /* size: of one header */
    uint64_t sections_at;              /* offset of the section headers; 0: none */
    uint16_t n_sections, section_size;
    uint16_t names; /* index of the section that holds the sections' names */
};

struct elf_segment {
    uint32_t type, flags;
    uint64_t offset, address, file_size, memory_size;
};

struct elf_section {
    uint32_t name; /* offset in the section of names */
    uint32_t type;
    uint64_t offset, size;
};

bool elf_is(str head);
/* From the first bytes of a file. ERR_FORMAT when it is not ELF, or its header cannot be. */
int elf_parse(str head, struct elf *out, struct err *e);
/* Bytes of the program header table; 0 when there is none. */
size_t elf_segments_bytes(const struct elf *elf);
/* The i-th header out of that table. False when the table is too short. */
bool elf_segment(const struct elf *elf, str table, size_t i, struct elf_segment *out);
/* The same for sections. */
size_t elf_sections_bytes(const struct elf *elf);
bool elf_section(const struct elf *elf, str table, size_t i, struct elf_section *out);
#endif
