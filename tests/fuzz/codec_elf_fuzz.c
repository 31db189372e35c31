/* Any bytes as an ELF header with the program headers behind it. */
#include "codec/elf.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    str file = {(const char *)data, size};
    struct elf elf;
    struct elf_segment s;
    if (elf_parse(file, &elf, NULL) < 0)
        return 0;
    str table = str_from(file, elf.segments_at);
    for (size_t i = 0; i < elf.n_segments; i++)
        if (!elf_segment(&elf, table, i, &s))
            break;
    return 0;
}
