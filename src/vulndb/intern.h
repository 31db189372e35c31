/* intern.h - byte strings by number: equal bytes get the same number, and number 0 is the empty
 * one.
 *
 * For the builder, which holds millions of claims: an entry costs 24 bytes and its text. Bytes are
 * kept 4-byte aligned in the arena, so arrays of 32-bit words can be interned too. */
#ifndef KELLET_VULNDB_INTERN_H
#define KELLET_VULNDB_INTERN_H

#include "base/arena.h"

#define INTERN_FAILED UINT32_MAX

struct intern_entry {
    char *p;
    uint32_t n, hash;
};

struct intern {
    struct arena *arena; /* borrowed */
    struct intern_entry *entries;
    uint32_t n, cap;
    uint32_t *slots; /* entry + 1; 0: free */
    uint32_t n_slots;
    char *next, *end;
};

/* False when memory is out. */
bool intern_init(struct intern *in, struct arena *arena);
void intern_done(struct intern *in);
/* The number of s, new or known; INTERN_FAILED when memory or the arena is out. */
uint32_t intern_add(struct intern *in, str s);
static inline str intern_get(const struct intern *in, uint32_t id)
{
    return (str){in->entries[id].p, in->entries[id].n};
}
/* Byte order: rank[id] is the place of each entry in sorted order, by_rank the reverse; both on the
 * heap, owned by the caller. False when memory is out. */
bool intern_rank(const struct intern *in, uint32_t **rank, uint32_t **by_rank);

#endif
