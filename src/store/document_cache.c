#include "store/document_cache.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"

enum { SLOTS = 1024 };

/* In the cache's lists as long as it is kept there, which counts as one reference. */
struct document_ref {
    struct document_key key;
    char *p;
    size_t n;
    unsigned refs; /* atomic */
    struct document_ref *chain, *newer, *older;
};

struct document_cache {
    pthread_mutex_t lock;
    size_t max, used;
    struct document_ref *slots[SLOTS], *newest, *oldest;
};

int document_cache_new(size_t max, struct document_cache **out, struct err *e)
{
    struct document_cache *c = calloc(1, sizeof *c);
    if (!c)
        return err_no_memory(e);
    c->max = max;
    pthread_mutex_init(&c->lock, NULL);
    *out = c;
    return 0;
}

str document_ref_bytes(const struct document_ref *r)
{
    return (str){r->p, r->n};
}

void document_ref_drop(struct document_ref *r)
{
    if (!r || __atomic_sub_fetch(&r->refs, 1, __ATOMIC_ACQ_REL))
        return;
    free(r->p);
    free(r);
}

static struct document_ref **slot_of(struct document_cache *c, const struct document_key *k)
{
    struct document_ref **at = &c->slots[hash64(k, sizeof *k) % SLOTS];
    while (*at && memcmp(&(*at)->key, k, sizeof *k) != 0)
        at = &(*at)->chain;
    return at;
}

static void unlist(struct document_cache *c, struct document_ref *r)
{
    *(r->newer ? &r->newer->older : &c->newest) = r->older;
    *(r->older ? &r->older->newer : &c->oldest) = r->newer;
}

static void list_first(struct document_cache *c, struct document_ref *r)
{
    r->newer = NULL;
    r->older = c->newest;
    *(c->newest ? &c->newest->newer : &c->oldest) = r;
    c->newest = r;
}

static void forget(struct document_cache *c, struct document_ref *r)
{
    struct document_ref **at = slot_of(c, &r->key);
    *at = r->chain;
    unlist(c, r);
    c->used -= r->n;
    document_ref_drop(r);
}

void document_cache_free(struct document_cache *c)
{
    if (!c)
        return;
    while (c->newest)
        forget(c, c->newest);
    pthread_mutex_destroy(&c->lock);
    free(c);
}

struct document_ref *document_cache_find(struct document_cache *c, const struct document_key *k)
{
    pthread_mutex_lock(&c->lock);
    struct document_ref *r = *slot_of(c, k);
    if (r) {
        __atomic_add_fetch(&r->refs, 1, __ATOMIC_RELAXED);
        unlist(c, r);
        list_first(c, r);
    }
    pthread_mutex_unlock(&c->lock);
    return r;
}

static void keep_it(struct document_cache *c, struct document_ref *r)
{
    pthread_mutex_lock(&c->lock);
    struct document_ref **at = slot_of(c, &r->key);
    if (!*at) {
        while (c->oldest && c->used + r->n > c->max)
            forget(c, c->oldest);
        at = slot_of(c, &r->key);
        *at = r;
        list_first(c, r);
        c->used += r->n;
        __atomic_add_fetch(&r->refs, 1, __ATOMIC_RELAXED);
    }
    pthread_mutex_unlock(&c->lock);
}

struct document_ref *document_cache_add(struct document_cache *c, const struct document_key *k,
                                        struct buf *bytes, bool keep)
{
    struct document_ref *r = calloc(1, sizeof *r);
    if (!r)
        return NULL;
    char *fitting = bytes->n ? realloc(bytes->p, bytes->n) : NULL;
    r->key = *k;
    r->p = fitting ? fitting : bytes->p;
    r->n = bytes->n;
    r->refs = 1;
    buf_init(bytes, bytes->max);
    if (keep && r->n <= c->max / 2)
        keep_it(c, r);
    return r;
}
