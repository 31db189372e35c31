/* hash.h - XXH3 64-bit, for tables (seeded) and for stored keys (seed 0: stable across machines).
 */
#ifndef KELLET_BASE_HASH_H
#define KELLET_BASE_HASH_H

#include <stddef.h>
#include <stdint.h>

uint64_t hash64(const void *p, size_t n);
/* A seed that nobody can guess, so that nobody can choose keys that fall together. */
uint64_t hash64_seed(void);
uint64_t hash64_seeded(const void *p, size_t n, uint64_t seed);

#endif
