#include "codec/digest_both.h"

#ifdef __x86_64__

#include <cpuid.h>
#include <immintrin.h>

static const uint32_t k[64] = {
    0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5,
    0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174,
    0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da,
    0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967,
    0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85,
    0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070,
    0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
    0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2,
};

bool digest_both_there(void)
{
    unsigned a, b = 0, c = 0, d;
    bool sse = __get_cpuid(1, &a, &b, &c, &d) && (c & bit_SSSE3) && (c & bit_SSE4_1);
    return sse && __get_cpuid_count(7, 0, &a, &b, &c, &d) && (b & bit_SHA);
}

#define SHA_CODE __attribute__((target("sha,ssse3,sse4.1")))

struct state { /* as the instructions want it: A, B, E, F and C, D, G, H from the top down */
    __m128i abef, cdgh;
};

SHA_CODE static inline struct state state_load(const uint32_t h[8])
{
    __m128i low = _mm_shuffle_epi32(_mm_loadu_si128((const __m128i *)(const void *)h), 0xb1);
    __m128i high = _mm_shuffle_epi32(_mm_loadu_si128((const __m128i *)(const void *)(h + 4)), 0x1b);
    return (struct state){_mm_alignr_epi8(low, high, 8), _mm_blend_epi16(high, low, 0xf0)};
}

SHA_CODE static inline void state_store(const struct state *s, uint32_t h[8])
{
    __m128i up = _mm_shuffle_epi32(s->abef, 0x1b), down = _mm_shuffle_epi32(s->cdgh, 0xb1);
    _mm_storeu_si128((__m128i *)(void *)h, _mm_blend_epi16(up, down, 0xf0));
    _mm_storeu_si128((__m128i *)(void *)(h + 4), _mm_alignr_epi8(down, up, 8));
}

SHA_CODE static inline void four_rounds(struct state *s, __m128i w)
{
    s->cdgh = _mm_sha256rnds2_epu32(s->cdgh, s->abef, w);
    s->abef = _mm_sha256rnds2_epu32(s->abef, s->cdgh, _mm_shuffle_epi32(w, 0x0e));
}

SHA_CODE void digest_both_blocks(uint32_t a[8], uint32_t b[8], const uint8_t *p, size_t blocks)
{
    const __m128i order = _mm_set_epi64x(0x0c0d0e0f08090a0b, 0x0405060700010203);
    struct state x = state_load(a), y = state_load(b);
    for (; blocks; blocks--, p += 64) {
        const struct state x0 = x, y0 = y;
        __m128i w[4];
#pragma GCC unroll 16
        for (int i = 0; i < 16; i++) {
            __m128i *now = &w[i % 4], last = w[(i + 3) % 4];
            if (i < 4) {
                *now = _mm_loadu_si128((const __m128i *)(const void *)(p + 16 * i));
                *now = _mm_shuffle_epi8(*now, order);
            } else {
                *now = _mm_sha256msg1_epu32(*now, w[(i + 1) % 4]);
                *now = _mm_add_epi32(*now, _mm_alignr_epi8(last, w[(i + 2) % 4], 4));
                *now = _mm_sha256msg2_epu32(*now, last);
            }
            __m128i sum =
                _mm_add_epi32(*now, _mm_loadu_si128((const __m128i *)(const void *)(k + 4 * i)));
            four_rounds(&x, sum);
            four_rounds(&y, sum);
        }
        x = (struct state){_mm_add_epi32(x.abef, x0.abef), _mm_add_epi32(x.cdgh, x0.cdgh)};
        y = (struct state){_mm_add_epi32(y.abef, y0.abef), _mm_add_epi32(y.cdgh, y0.cdgh)};
    }
    state_store(&x, a);
    state_store(&y, b);
}

#else

bool digest_both_there(void)
{
    return false;
}

void digest_both_blocks(uint32_t a[8], uint32_t b[8], const uint8_t *p, size_t blocks)
{
    (void)a, (void)b, (void)p, (void)blocks;
}

#endif
