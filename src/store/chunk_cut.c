#include "store/chunk_cut.h"

/* Two bits more before the mean and two fewer after it than the mean asks for. The bits are high
 * ones, which the last 48 bytes and more have moved. */
static const struct {
    size_t min, mean;
    uint64_t before, after;
} sizes[] = {
    {CHUNK_MIN, CHUNK_MEAN, UINT64_C(0x3fff) << 50, UINT64_C(0x3ff) << 54},
    {4 * CHUNK_MIN, 4 * CHUNK_MEAN, UINT64_C(0xffff) << 48, UINT64_C(0xfff) << 52},
};

/* The table is part of the stored format: other values find no old chunks again. */
void chunk_cutter_init(struct chunk_cutter *c)
{
    uint64_t x = UINT64_C(0x6b656c6c65742031);
    for (int i = 0; i < 256; i++) {
        x += UINT64_C(0x9e3779b97f4a7c15);
        uint64_t z = x;
        z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
        z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
        c->gear[i] = z ^ z >> 31;
    }
}

size_t chunk_cut(const struct chunk_cutter *c, str rest, bool large)
{
    size_t end = rest.n < CHUNK_MAX ? rest.n : CHUNK_MAX;
    size_t mean = end < sizes[large].mean ? end : sizes[large].mean;
    const unsigned char *p = (const unsigned char *)rest.p;
    uint64_t hash = 0;
    size_t i = sizes[large].min;
    for (; i < mean; i++) {
        hash = (hash << 1) + c->gear[p[i]];
        if (!(hash & sizes[large].before))
            return i + 1;
    }
    for (; i < end; i++) {
        hash = (hash << 1) + c->gear[p[i]];
        if (!(hash & sizes[large].after))
            return i + 1;
    }
    return end;
}
