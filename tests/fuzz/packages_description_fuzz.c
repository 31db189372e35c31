/* A description from a process that nobody vouches for; what decodes encodes to the same again. */
#include "packages/description.h"

static bool decode(str data, struct arena *a, struct description *d)
{
    *d = (struct description){.arena = a};
    return description_decode(data, d, NULL) == 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct description d, again;
    struct arena a;
    auto_buf first, second;
    arena_init(&a, 4 << 20);
    buf_init(&first, 16 << 20);
    buf_init(&second, 16 << 20);
    if (decode((str){(const char *)data, size}, &a, &d)) {
        description_encode(&d, &first);
        if (!buf_ok(&first) || !decode(buf_view(&first), &a, &again))
            abort();
        description_encode(&again, &second);
        if (!str_eq(buf_view(&first), buf_view(&second)))
            abort();
        description_done(&again);
    }
    description_done(&d);
    arena_done(&a);
    return 0;
}
