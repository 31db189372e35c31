/* sha256_pair.h - two SHA-256 side by side, with the processor's SHA instructions.
 *
 * One SHA-256 waits for its own last round most of the time: two together take 1.1 to 1.25 times as
 * long as one (measured: script/bench sha256). A layer that is listed needs two over the same
 * bytes, the layer's and each file's. OpenSSL has no call for two, and no library of Debian has.
 * Whoever wants one digest uses digest.h. Format: FIPS 180-4. */
#ifndef KELLET_CODEC_SHA256_PAIR_H
#define KELLET_CODEC_SHA256_PAIR_H

#include "codec/digest.h"

enum { SHA256_BLOCK = 64 };

struct sha256_state {
    uint32_t h[8];
    uint64_t bytes;
    uint8_t block[SHA256_BLOCK]; /* the last bytes % SHA256_BLOCK */
};

/* Whether this processor can. What follows must not be called otherwise. */
bool sha256_pair_available(void);

void sha256_begin(struct sha256_state *s);
void sha256_add(struct sha256_state *s, const uint8_t *p, size_t n);
/* All of p into s; beside it as much of q (m bytes) into t as takes no time of its own. Returns how
 * many bytes of q were taken, 0 to m: the caller adds the rest later. */
size_t sha256_add_beside(struct sha256_state *s, const uint8_t *p, size_t n, struct sha256_state *t,
                         const uint8_t *q, size_t m);
/* What ends the message: to be added before sha256_result(). Returns its length. */
size_t sha256_padding(const struct sha256_state *s, uint8_t padding[2 * SHA256_BLOCK]);
struct sha256 sha256_result(const struct sha256_state *s);

#endif
