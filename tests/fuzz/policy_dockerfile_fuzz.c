#include "policy/dockerfile.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    str text = {(const char *)data, size};
    const struct dockerfile_instruction *list;
    for (int how = DOCKERFILE_JOINED; how <= DOCKERFILE_LINES; how++) {
        struct arena a;
        arena_init(&a, 64 << 20);
        int n = dockerfile_parse(text, (enum dockerfile_reading)how, &a, &list, NULL);
        if (n > 0)
            dockerfile_user(list, (size_t)n);
        arena_done(&a);
    }
    return 0;
}
