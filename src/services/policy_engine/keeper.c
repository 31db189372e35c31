#include "services/policy_engine/keeper.h"

#include "base/hash.h"

#include <pthread.h>
#include <stdlib.h>

enum { BUCKETS = 1 << 14 };

struct keeper {
    pthread_mutex_t lock;
    size_t bytes, max;
    struct kept ends; /* ends.older: the newest; ends.newer: the oldest */
    struct kept *buckets[BUCKETS];
};

void kept_drop(struct kept *k)
{
    if (!k || --k->uses)
        return;
    free(k->key);
    k->free(k);
}

int keeper_new(size_t max_bytes, struct keeper **out, struct err *e)
{
    struct keeper *k = calloc(1, sizeof *k);
    if (!k)
        return err_no_memory(e);
    pthread_mutex_init(&k->lock, NULL);
    k->max = max_bytes;
    k->ends.newer = k->ends.older = &k->ends;
    *out = k;
    return 0;
}

static struct kept **slot_of(struct keeper *k, str key, uint64_t hash)
{
    struct kept **at = &k->buckets[hash % BUCKETS];
    while (*at && !((*at)->hash == hash && str_eq(str_z((*at)->key), key)))
        at = &(*at)->next;
    return at;
}

static void unlink_kept(struct kept *x)
{
    x->newer->older = x->older;
    x->older->newer = x->newer;
}

static void link_newest(struct keeper *k, struct kept *x)
{
    x->newer = &k->ends;
    x->older = k->ends.older;
    x->older->newer = x;
    k->ends.older = x;
}

static void forget(struct keeper *k, struct kept *x)
{
    *slot_of(k, str_z(x->key), x->hash) = x->next;
    unlink_kept(x);
    k->bytes -= x->bytes;
    kept_drop(x);
}

void keeper_free(struct keeper *k)
{
    if (!k)
        return;
    while (k->ends.newer != &k->ends)
        forget(k, k->ends.newer);
    pthread_mutex_destroy(&k->lock);
    free(k);
}

struct kept *keeper_take(struct keeper *k, str key)
{
    pthread_mutex_lock(&k->lock);
    struct kept *x = *slot_of(k, key, hash64(key.p, key.n));
    if (x) {
        unlink_kept(x);
        link_newest(k, x);
        x->uses++;
    }
    pthread_mutex_unlock(&k->lock);
    return x;
}

void keeper_put(struct keeper *k, str key, struct kept *item)
{
    item->hash = hash64(key.p, key.n);
    item->key = strndup(key.p, key.n);
    if (!item->key)
        return;
    pthread_mutex_lock(&k->lock);
    struct kept *old = *slot_of(k, key, item->hash);
    if (old)
        forget(k, old);
    item->next = NULL;
    *slot_of(k, key, item->hash) = item;
    link_newest(k, item);
    k->bytes += item->bytes;
    item->uses++;
    while (k->bytes > k->max && k->ends.newer != &k->ends)
        forget(k, k->ends.newer);
    pthread_mutex_unlock(&k->lock);
}
