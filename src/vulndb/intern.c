#include "vulndb/intern.h"

#include "base/auto.h"
#include "base/hash.h"

#include <endian.h>

enum { CHUNK = 256 * 1024, FIRST_SLOTS = 1024 };

bool intern_init(struct intern *in, struct arena *arena)
{
    *in = (struct intern){.arena = arena, .n_slots = FIRST_SLOTS};
    in->slots = calloc(FIRST_SLOTS, sizeof *in->slots);
    return in->slots && intern_add(in, STR("")) == 0;
}

void intern_done(struct intern *in)
{
    free(in->entries);
    free(in->slots);
    *in = (struct intern){0};
}

static char *keep(struct intern *in, str s)
{
    size_t room = (s.n + 3) & ~(size_t)3;
    if (room > CHUNK / 4) {
        char *own = arena_alloc(in->arena, room);
        return own && s.n ? memcpy(own, s.p, s.n) : own;
    }
    if ((size_t)(in->end - in->next) < room) {
        in->next = arena_alloc(in->arena, CHUNK);
        if (!in->next) {
            in->end = NULL;
            return NULL;
        }
        in->end = in->next + CHUNK;
    }
    char *p = in->next;
    in->next += room;
    if (s.n)
        memcpy(p, s.p, s.n);
    return p;
}

static bool grow_slots(struct intern *in)
{
    uint32_t n = in->n_slots * 2;
    uint32_t *slots = n > in->n_slots ? calloc(n, sizeof *slots) : NULL;
    if (!slots)
        return false;
    for (uint32_t id = 0; id < in->n; id++) {
        uint32_t at = in->entries[id].hash & (n - 1);
        while (slots[at])
            at = (at + 1) & (n - 1);
        slots[at] = id + 1;
    }
    free(in->slots);
    in->slots = slots;
    in->n_slots = n;
    return true;
}

static uint32_t *slot_of(const struct intern *in, str s, uint32_t hash)
{
    uint32_t at = hash & (in->n_slots - 1);
    while (in->slots[at]) {
        const struct intern_entry *e = &in->entries[in->slots[at] - 1];
        if (e->hash == hash && str_eq((str){e->p, e->n}, s))
            break;
        at = (at + 1) & (in->n_slots - 1);
    }
    return &in->slots[at];
}

uint32_t intern_add(struct intern *in, str s)
{
    if (s.n >= UINT32_MAX)
        return INTERN_FAILED;
    uint32_t hash = (uint32_t)hash64(s.p, s.n);
    uint32_t *slot = slot_of(in, s, hash);
    if (*slot)
        return *slot - 1;
    if (in->n == in->cap) {
        uint32_t cap = in->cap ? in->cap * 2 : 1024;
        struct intern_entry *entries =
            cap > in->cap ? realloc(in->entries, (size_t)cap * sizeof *entries) : NULL;
        if (!entries)
            return INTERN_FAILED;
        in->entries = entries;
        in->cap = cap;
    }
    char *p = keep(in, s);
    if (!p && s.n)
        return INTERN_FAILED;
    in->entries[in->n] = (struct intern_entry){p, (uint32_t)s.n, hash};
    *slot = ++in->n;
    if (in->n > in->n_slots / 2 && !grow_slots(in))
        return INTERN_FAILED;
    return in->n - 1;
}

struct ranked {
    uint64_t prefix; /* the first eight bytes, most significant first */
    const struct intern_entry *entry;
};

static int ranked_cmp(const void *a, const void *b)
{
    const struct ranked *x = a, *y = b;
    if (x->prefix != y->prefix)
        return x->prefix < y->prefix ? -1 : 1;
    return str_cmp((str){x->entry->p, x->entry->n}, (str){y->entry->p, y->entry->n});
}

bool intern_rank(const struct intern *in, uint32_t **rank, uint32_t **by_rank)
{
    struct ranked *items autofree = malloc((size_t)in->n * sizeof *items);
    uint32_t *r autofree = malloc((size_t)in->n * sizeof *r);
    uint32_t *b autofree = malloc((size_t)in->n * sizeof *b);
    if (!items || !r || !b)
        return false;
    for (uint32_t i = 0; i < in->n; i++) {
        uint64_t prefix = 0;
        if (in->entries[i].n)
            memcpy(&prefix, in->entries[i].p, in->entries[i].n < 8 ? in->entries[i].n : 8);
        items[i] = (struct ranked){be64toh(prefix), &in->entries[i]};
    }
    qsort(items, in->n, sizeof *items, ranked_cmp);
    for (uint32_t i = 0; i < in->n; i++) {
        b[i] = (uint32_t)(items[i].entry - in->entries);
        r[b[i]] = i;
    }
    *rank = TAKE(r);
    *by_rank = TAKE(b);
    return true;
}
