/* arena.h - memory for one unit of work (a layer, a batch of packages, a request), freed all at
 * once.
 *
 * Every arena has a maximum given at its start; passing it makes arena_alloc return NULL and sets
 * `full`, which callers report as ERR_LIMIT. Not thread-safe: one arena, one thread. */
#ifndef KELLET_BASE_ARENA_H
#define KELLET_BASE_ARENA_H

#include "base/compiler.h"
#include "base/str.h"

struct arena_block;

struct arena {
    struct arena_block *head;
    char *next, *end;
    size_t used; /* bytes held from the system */
    size_t max;
    bool full;
};

/* Nothing is allocated until the first use. max counts bytes held from the system. */
void arena_init(struct arena *a, size_t max);
/* Frees everything; the arena may be used again with the same maximum. */
void arena_done(struct arena *a);

/* Zeroed, aligned for any type; NULL when the maximum is reached or the system has no memory. */
void *arena_alloc(struct arena *a, size_t size) KE_MUST_CHECK;
/* n * size with overflow check. */
void *arena_calloc(struct arena *a, size_t n, size_t size) KE_MUST_CHECK;
/* A copy of s, also terminated by NUL. On failure p is NULL and a->full is set (n is 0). */
str arena_dup(struct arena *a, str s);
str arena_printf(struct arena *a, const char *fmt, ...) KE_PRINTF(2, 3);

#define arena_new(a, type) ((type *)arena_alloc((a), sizeof(type)))

#endif
