#include "base/vec.h"

#include "base/compiler.h"

void *vec_grow(void **items, size_t *n, size_t *cap, size_t size)
{
    if (*n == *cap) {
        size_t want = *cap ? *cap : 8, bytes;
        if (ke_mul_overflow(want, *cap ? (size_t)2 : (size_t)1, &want) ||
            ke_mul_overflow(want, size, &bytes))
            return NULL;
        void *grown = realloc(*items, bytes);
        if (!grown)
            return NULL;
        *items = grown;
        *cap = want;
    }
    void *item = (char *)*items + *n * size;
    ++*n;
    return memset(item, 0, size);
}
