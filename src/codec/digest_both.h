/* digest_both.h - two SHA-256 over the same bytes for little more than one costs. Only for
 * digest.c.
 *
 * A file's content belongs to two digests: its own and that of its layer. Blocks of 64 bytes have
 * one message schedule whatever the state before them, and the rounds of two states fill the gaps
 * that one alone leaves (FIPS 180-4, 6.2; the SHA instructions of x86-64). */
#ifndef KELLET_CODEC_DIGEST_BOTH_H
#define KELLET_CODEC_DIGEST_BOTH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Has this processor the instructions? */
bool digest_both_there(void);
/* Takes `blocks` blocks of 64 bytes into both states (H0 to H7 each). Only where they are there. */
void digest_both_blocks(uint32_t a[8], uint32_t b[8], const uint8_t *p, size_t blocks);

#endif
