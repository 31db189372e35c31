#include "policy/passwd.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const struct passwd_entry *list;
    struct arena a;
    arena_init(&a, 64 << 20);
    passwd_parse((str){(const char *)data, size}, &a, &list, NULL);
    arena_done(&a);
    return 0;
}
