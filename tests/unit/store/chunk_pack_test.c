#include "store/chunk_pack.h"
#include "unit.h"

#include <stdlib.h>

enum { N = 1000, BATCH = 64 };

struct world {
    char *bytes;
    struct chunk chunks[N];
    struct chunk *list[N];
};

/* Chunks of 0 to 20,000 bytes, hardly compressible ones among them. */
static int setup(void **state)
{
    struct world *w = calloc(1, sizeof *w);
    size_t max = 20000, all = N * 7 + max;
    uint32_t x = 1;
    if (!w || !(w->bytes = malloc(all)))
        return -1;
    for (size_t i = 0; i < all; i++) {
        x = x * 1664525 + 1013904223;
        w->bytes[i] = (char)(i % 3000 < 1500 ? 'a' + (int)(i % 7) : (int)(x >> 24));
    }
    for (size_t i = 0; i < N; i++) {
        w->chunks[i].raw = (str){w->bytes + i * 7, i * 37 % max};
        w->chunks[i].digest = sha256_of(w->chunks[i].raw.p, w->chunks[i].raw.n);
        w->list[i] = &w->chunks[N - 1 - i];
    }
    *state = w;
    return 0;
}

static int teardown(void **state)
{
    struct world *w = *state;
    free(w->bytes);
    free(w);
    return 0;
}

static void check(const struct chunk *c, str packed)
{
    struct err e = {0};
    auto_buf plain;
    buf_init(&plain, CHUNK_MAX);
    assert_ok(chunk_expand(packed, c->raw.n, &c->digest, &plain, &e));
}

static void read_all(const struct world *w, size_t n, bool aside)
{
    struct chunk_packer *p;
    struct err e = {0};
    str packed[BATCH];
    assert_ok(chunk_packer_new(w->list, n, aside, &p, &e));
    for (size_t i = 0, some; i < n; i += some) {
        some = aside ? n - i < BATCH ? n - i : BATCH : 1;
        for (size_t k = 0; k < some; k++)
            assert_ok(chunk_packer_get(p, i + k, &packed[k], &e));
        for (size_t k = 0; k < some; k++) /* all of a batch are there at once */
            check(w->list[i + k], packed[k]);
        chunk_packer_drop(p, i + some);
    }
    chunk_packer_free(p);
}

static void all_in_order(void **state)
{
    static const size_t counts[] = {0, 1, CHUNK_PACK_GROUP, CHUNK_PACK_GROUP + 1, 255, 256, N};
    for (size_t i = 0; i < KE_ARRAY_LEN(counts); i++) {
        read_all(*state, counts[i], true);
        read_all(*state, counts[i], false);
    }
}

static void given_up(void **state)
{
    const struct world *w = *state;
    for (size_t asked = 0; asked < 3; asked++) {
        struct chunk_packer *p;
        struct err e = {0};
        str packed;
        assert_ok(chunk_packer_new(w->list, N, true, &p, &e));
        if (asked)
            assert_ok(chunk_packer_get(p, asked * 50, &packed, &e));
        chunk_packer_free(p);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(all_in_order), cmocka_unit_test(given_up)};
    return cmocka_run_group_tests(tests, setup, teardown);
}
