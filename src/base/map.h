/* map.h - a hash map from str to a pointer or an index. Keys are borrowed: they must outlive the
 * map.
 *
 * Hashing is XXH3 with a seed drawn at start-up for each map, so that hostile keys cannot choose
 * collisions. Iteration order is not defined: nothing that is printed may depend on it. */
#ifndef KELLET_BASE_MAP_H
#define KELLET_BASE_MAP_H

#include "base/str.h"

struct map_slot {
    str key;
    uint64_t hash;
    void *value;
    bool used;
};

struct map {
    struct map_slot *slots;
    size_t n, cap; /* cap: 0 or a power of two */
    uint64_t seed;
};

void map_init(struct map *m);
void map_done(struct map *m); /* frees the slots, not keys or values */

/* Makes room for so many keys at once. False when memory is out. */
bool map_reserve(struct map *m, size_t n);
/* The value, or NULL when the key is absent. */
void *map_get(const struct map *m, str key);
/* Adds or replaces. False when memory is out. */
bool map_put(struct map *m, str key, void *value);
/* The slot of the key, made with value NULL when absent; NULL when memory is out. Valid until the
 * next call that adds. */
void **map_slot(struct map *m, str key);

#endif
