/* keeper.h - things made once and shared by threads: found by a text, counted, bounded in bytes;
 * the least recently used go first.
 *
 * What is kept begins with a struct kept. Whoever takes or makes one has a use of it and drops it;
 * the keeper has one of its own. The last to drop it calls `free`. */
#ifndef KELLET_SERVICES_POLICY_ENGINE_KEEPER_H
#define KELLET_SERVICES_POLICY_ENGINE_KEEPER_H

#include "base/err.h"
#include "base/str.h"

struct kept {
    void (*free)(struct kept *k);
    size_t bytes;          /* about: set before keeper_put() */
    _Atomic unsigned uses; /* begins with 1: the maker's */
    /* the keeper's */
    char *key;
    uint64_t hash;
    struct kept *newer, *older, *next;
};
void kept_drop(struct kept *k); /* NULL is fine */

struct keeper;
int keeper_new(size_t max_bytes, struct keeper **out, struct err *e);
void keeper_free(struct keeper *k); /* NULL is fine */
/* A use of what is kept under `key`, or NULL. */
struct kept *keeper_take(struct keeper *k, str key);
/* Keeps it under `key` instead of what was there. When there is no memory for that nothing is kept.
 */
void keeper_put(struct keeper *k, str key, struct kept *item);

#endif
