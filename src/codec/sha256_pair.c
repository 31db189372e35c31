#include "codec/sha256_pair.h"

#include <endian.h>
#include <string.h>

static const uint32_t begin[8] = {0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a,
                                  0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19};

#ifdef __x86_64__

#include <cpuid.h>
#include <immintrin.h>

static const uint32_t constants[64] __attribute__((aligned(16))) = {
    0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5,
    0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174,
    0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da,
    0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967,
    0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85,
    0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070,
    0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
    0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2};

#define WITH_SHA __attribute__((target("sha,sse4.1,ssse3")))
#define PART     WITH_SHA static inline __attribute__((always_inline))

bool sha256_pair_available(void)
{
    enum { SSSE3 = 1 << 9, SSE4_1 = 1 << 19, SHA = 1 << 29 };
    unsigned a, b, c, d;
    if (!__get_cpuid(1, &a, &b, &c, &d) || !(c & SSSE3) || !(c & SSE4_1))
        return false;
    return __get_cpuid_count(7, 0, &a, &b, &c, &d) && b & SHA;
}

/* The state in the order that the instructions want: a, b, e, f and c, d, g, h. */
struct lane {
    __m128i abef, cdgh;
    __m128i w[4]; /* the last 16 words of the message schedule */
};

PART void load(struct lane *l, const uint32_t h[8])
{
    __m128i badc = _mm_shuffle_epi32(_mm_loadu_si128((const __m128i *)h), 0xb1);
    __m128i hgfe = _mm_shuffle_epi32(_mm_loadu_si128((const __m128i *)(h + 4)), 0x1b);
    l->abef = _mm_alignr_epi8(badc, hgfe, 8);
    l->cdgh = _mm_blend_epi16(hgfe, badc, 0xf0);
}

PART void save(const struct lane *l, uint32_t h[8])
{
    __m128i feba = _mm_shuffle_epi32(l->abef, 0x1b), dchg = _mm_shuffle_epi32(l->cdgh, 0xb1);
    _mm_storeu_si128((__m128i *)h, _mm_blend_epi16(feba, dchg, 0xf0));
    _mm_storeu_si128((__m128i *)(h + 4), _mm_alignr_epi8(dchg, feba, 8));
}

/* Rounds 4 * i to 4 * i + 3 of a block. */
PART void rounds(struct lane *l, const uint8_t *block, int i)
{
    const __m128i swap = _mm_set_epi64x(0x0c0d0e0f08090a0b, 0x0405060700010203);
    __m128i *w = l->w;
    if (i < 4)
        w[i] = _mm_shuffle_epi8(_mm_loadu_si128((const __m128i *)(block + 16 * i)), swap);
    else
        w[i % 4] =
            _mm_sha256msg2_epu32(_mm_add_epi32(_mm_sha256msg1_epu32(w[i % 4], w[(i + 1) % 4]),
                                               _mm_alignr_epi8(w[(i + 3) % 4], w[(i + 2) % 4], 4)),
                                 w[(i + 3) % 4]);
    __m128i k = _mm_add_epi32(w[i % 4], _mm_load_si128((const __m128i *)(constants + 4 * i)));
    l->cdgh = _mm_sha256rnds2_epu32(l->cdgh, l->abef, k);
    l->abef = _mm_sha256rnds2_epu32(l->abef, l->cdgh, _mm_shuffle_epi32(k, 0x0e));
}

PART void add_up(struct lane *l, const struct lane *before)
{
    l->abef = _mm_add_epi32(l->abef, before->abef);
    l->cdgh = _mm_add_epi32(l->cdgh, before->cdgh);
}

WITH_SHA static void blocks_of_one(uint32_t h[8], const uint8_t *p, size_t n)
{
    struct lane l;
    load(&l, h);
    for (; n; n--, p += SHA256_BLOCK) {
        struct lane before = l;
#pragma GCC unroll 16
        for (int i = 0; i < 16; i++)
            rounds(&l, p, i);
        add_up(&l, &before);
    }
    save(&l, h);
}

WITH_SHA static void blocks_of_two(uint32_t h[8], const uint8_t *p, uint32_t g[8], const uint8_t *q,
                                   size_t n)
{
    struct lane l, k;
    load(&l, h);
    load(&k, g);
    for (; n; n--, p += SHA256_BLOCK, q += SHA256_BLOCK) {
        struct lane l_before = l, k_before = k;
#pragma GCC unroll 16
        for (int i = 0; i < 16; i++) {
            rounds(&l, p, i);
            rounds(&k, q, i);
        }
        add_up(&l, &l_before);
        add_up(&k, &k_before);
    }
    save(&l, h);
    save(&k, g);
}

#else

bool sha256_pair_available(void)
{
    return false;
}

static void blocks_of_one(uint32_t h[8], const uint8_t *p, size_t n)
{
    (void)h, (void)p, (void)n;
}

static void blocks_of_two(uint32_t h[8], const uint8_t *p, uint32_t g[8], const uint8_t *q,
                          size_t n)
{
    (void)h, (void)p, (void)g, (void)q, (void)n;
}

#endif

void sha256_begin(struct sha256_state *s)
{
    memcpy(s->h, begin, sizeof s->h);
    s->bytes = 0;
}

/* Fills up a block that was begun. Returns how many bytes that took. */
static size_t fill_block(struct sha256_state *s, const uint8_t *p, size_t n)
{
    size_t have = s->bytes % SHA256_BLOCK, want = SHA256_BLOCK - have;
    if (have == 0)
        return 0;
    if (n < want)
        want = n;
    memcpy(s->block + have, p, want);
    s->bytes += want;
    if (s->bytes % SHA256_BLOCK == 0)
        blocks_of_one(s->h, s->block, 1);
    return want;
}

static void keep_rest(struct sha256_state *s, const uint8_t *p, size_t n)
{
    memcpy(s->block, p, n);
    s->bytes += n;
}

void sha256_add(struct sha256_state *s, const uint8_t *p, size_t n)
{
    size_t at = fill_block(s, p, n), blocks = (n - at) / SHA256_BLOCK;
    blocks_of_one(s->h, p + at, blocks);
    s->bytes += blocks * SHA256_BLOCK;
    at += blocks * SHA256_BLOCK;
    if (at < n)
        keep_rest(s, p + at, n - at);
}

size_t sha256_add_beside(struct sha256_state *s, const uint8_t *p, size_t n, struct sha256_state *t,
                         const uint8_t *q, size_t m)
{
    size_t at = fill_block(s, p, n), taken = 0;
    if ((n - at) / SHA256_BLOCK)
        taken = fill_block(t, q, m);
    size_t both = (n - at) / SHA256_BLOCK, other = (m - taken) / SHA256_BLOCK;
    if (other < both)
        both = other;
    blocks_of_two(s->h, p + at, t->h, q + taken, both);
    s->bytes += both * SHA256_BLOCK;
    t->bytes += both * SHA256_BLOCK;
    at += both * SHA256_BLOCK;
    if (at < n)
        sha256_add(s, p + at, n - at);
    return taken + both * SHA256_BLOCK;
}

size_t sha256_padding(const struct sha256_state *s, uint8_t padding[2 * SHA256_BLOCK])
{
    size_t zeros = (2 * SHA256_BLOCK - 1 - 8 - s->bytes % SHA256_BLOCK) % SHA256_BLOCK;
    uint64_t bits = htobe64(s->bytes * 8);
    padding[0] = 0x80;
    memset(padding + 1, 0, zeros);
    memcpy(padding + 1 + zeros, &bits, sizeof bits);
    return 1 + zeros + sizeof bits;
}

struct sha256 sha256_result(const struct sha256_state *s)
{
    struct sha256 out;
    for (size_t i = 0; i < 8; i++) {
        uint32_t word = htobe32(s->h[i]);
        memcpy(out.b + 4 * i, &word, sizeof word);
    }
    return out;
}
