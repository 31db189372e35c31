#include "base/map.h"

#include "base/hash.h"

#include <stdlib.h>

void map_init(struct map *m)
{
    *m = (struct map){.seed = hash64_seed()};
}

void map_done(struct map *m)
{
    free(m->slots);
    m->slots = NULL;
    m->n = m->cap = 0;
}

static struct map_slot *map_find(const struct map *m, str key, uint64_t hash)
{
    size_t i = (size_t)hash & (m->cap - 1);
    while (m->slots[i].used && !(m->slots[i].hash == hash && str_eq(m->slots[i].key, key)))
        i = (i + 1) & (m->cap - 1);
    return &m->slots[i];
}

static bool map_resize(struct map *m, size_t cap)
{
    struct map_slot *slots = calloc(cap, sizeof *slots);
    if (!slots)
        return false;
    struct map grown = {slots, m->n, cap, m->seed};
    for (size_t i = 0; i < m->cap; i++)
        if (m->slots[i].used)
            *map_find(&grown, m->slots[i].key, m->slots[i].hash) = m->slots[i];
    free(m->slots);
    *m = grown;
    return true;
}

bool map_reserve(struct map *m, size_t n)
{
    size_t cap = 64;
    while (cap / 4 * 3 <= n && cap <= SIZE_MAX / 4)
        cap *= 2;
    return cap <= m->cap || map_resize(m, cap);
}

void *map_get(const struct map *m, str key)
{
    if (m->cap == 0)
        return NULL;
    const struct map_slot *s = map_find(m, key, hash64_seeded(key.p, key.n, m->seed));
    return s->used ? s->value : NULL;
}

void **map_slot(struct map *m, str key)
{
    if (m->n * 4 >= m->cap * 3 && !map_resize(m, m->cap ? m->cap * 2 : 64))
        return NULL;
    uint64_t hash = hash64_seeded(key.p, key.n, m->seed);
    struct map_slot *s = map_find(m, key, hash);
    if (!s->used) {
        *s = (struct map_slot){key, hash, NULL, true};
        m->n++;
    }
    return &s->value;
}

bool map_put(struct map *m, str key, void *value)
{
    void **slot = map_slot(m, key);
    if (slot)
        *slot = value;
    return slot != NULL;
}
