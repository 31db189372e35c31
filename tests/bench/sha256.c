/* sha256.c - what two SHA-256 side by side (codec/sha256_pair.h) cost, as a ratio to one by OpenSSL
 * over the same bytes: 256 KiB at a time, as a layer is read.
 *
 *     script/bench sha256 */
#include "codec/sha256_pair.h"

#include <stdio.h>
#include <time.h>

enum { BYTES = 256 << 10, TIMES = 4000, ROUNDS = 5 };

static uint8_t bytes[BYTES];

static double cpu_seconds(void)
{
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static double one(struct digest_ctx *d)
{
    double begun = cpu_seconds();
    for (int i = 0; i < TIMES; i++)
        digest_update(d, bytes, BYTES);
    return cpu_seconds() - begun;
}

static double pair(struct digest_ctx *d, struct digest_ctx *beside)
{
    double begun = cpu_seconds();
    for (int i = 0; i < TIMES; i++) {
        digest_update_later(beside, bytes, BYTES);
        digest_update(d, bytes, BYTES);
    }
    return cpu_seconds() - begun;
}

int main(void)
{
    struct digest_ctx *alone = NULL, *d = NULL, *beside = NULL;
    struct err e = {0};
    if (digest_new(&alone, &e) < 0 || digest_new(&d, &e) < 0 || digest_new(&beside, &e) < 0) {
        fprintf(stderr, "%s\n", e.text);
        return 1;
    }
    digest_beside(d, beside);
    printf("two at once: %s\n", sha256_pair_available() ? "yes" : "no, this processor cannot");
    for (int i = 0; i < ROUNDS; i++) {
        double single = one(alone), both = pair(d, beside), gb = (double)BYTES * TIMES / 1e9;
        printf("one (OpenSSL) %.2f GB/s, two %.2f GB/s together: %.2f of one\n", gb / single,
               2 * gb / both, both / single);
    }
    digest_part(d);
    digest_free(alone);
    digest_free(d);
    digest_free(beside);
    return 0;
}
