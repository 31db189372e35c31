#include "policy/spdx.h"

static bool odd(void *ctx, const struct spdx *x)
{
    return x->licence.n & 1;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    str text = {(const char *)data, size};
    const struct spdx *x;
    struct arena a;
    arena_init(&a, 16 << 20);
    if (spdx_stated(text, &a, &x, NULL) == 0 && x)
        spdx_fulfilled(x, odd, NULL);
    arena_done(&a);
    return 0;
}
