#include "services/kubernetes_webhook/cache.h"

#include "base/clock.h"
#include "base/hash.h"

#include <pthread.h>
#include <time.h>

enum { SLOTS = 4096, KEY_MAX = 4096 };

struct entry {
    int64_t at_ms, asked_ms; /* asked: when somebody was last told to look again */
    enum image_verdict verdict;
    size_t n[4]; /* key, account, text, digest: one behind the other in bytes */
    char bytes[];
};
struct verdict_cache {
    pthread_mutex_t lock;
    struct entry *slots[SLOTS];
};

int verdict_cache_new(struct verdict_cache **out, struct err *e)
{
    struct verdict_cache *c = calloc(1, sizeof *c);
    if (!c)
        return err_no_memory(e);
    pthread_mutex_init(&c->lock, NULL);
    *out = c;
    return 0;
}

void verdict_cache_free(struct verdict_cache *c)
{
    if (!c)
        return;
    for (size_t i = 0; i < SLOTS; i++)
        free(c->slots[i]);
    pthread_mutex_destroy(&c->lock);
    free(c);
}

/* All that a verdict depends on; n 0: too long to be kept. */
static size_t key_of(const struct admission_selector *s, str image, char out[KEY_MAX])
{
    const str parts[] = {s->user, s->account, s->policy, image};
    size_t n = 0;
    out[n++] = (char)('0' + s->mode);
    for (size_t i = 0; i < KE_ARRAY_LEN(parts); i++) {
        if (parts[i].n + 1 > KEY_MAX - n)
            return 0;
        if (parts[i].n)
            memcpy(out + n, parts[i].p, parts[i].n);
        n += parts[i].n;
        out[n++] = '\0';
    }
    return n;
}

static str part(const struct entry *x, int i)
{
    size_t from = 0;
    for (int k = 0; k < i; k++)
        from += x->n[k];
    return (str){x->bytes + from, x->n[i]};
}

/* Under the lock. */
static bool is_due(struct entry *x, struct verdict_age age)
{
    if (age.now_ms - x->at_ms <= age.keep_ms / 2 || age.now_ms - x->asked_ms < age.keep_ms / 4)
        return false;
    x->asked_ms = age.now_ms;
    return true;
}

bool verdict_cache_get(struct verdict_cache *c, const struct admission_selector *s, str image,
                       struct verdict_age age, struct arena *a, struct verdict_answer *out,
                       bool *due)
{
    char key[KEY_MAX];
    size_t n = key_of(s, image, key);
    if (!n)
        return false;
    size_t slot = hash64(key, n) % SLOTS;
    pthread_mutex_lock(&c->lock);
    struct entry *x = c->slots[slot];
    bool found = x && age.now_ms - x->at_ms <= age.keep_ms && str_eq(part(x, 0), (str){key, n});
    if (found)
        *out = (struct verdict_answer){.verdict = x->verdict,
                                       .account = arena_dup(a, part(x, 1)),
                                       .text = arena_dup(a, part(x, 2)),
                                       .digest = arena_dup(a, part(x, 3))};
    if (due)
        *due = found && is_due(x, age);
    pthread_mutex_unlock(&c->lock);
    return found && !a->full;
}

void verdict_cache_put(struct verdict_cache *c, const struct admission_selector *s, str image,
                       int64_t now_ms, const struct verdict_answer *v)
{
    char key[KEY_MAX];
    size_t n = key_of(s, image, key), all = 0;
    const str parts[] = {{key, n}, v->account, v->text, v->digest};
    if (!n || v->verdict == VERDICT_UNKNOWN)
        return;
    for (size_t i = 0; i < KE_ARRAY_LEN(parts); i++)
        all += parts[i].n;
    struct entry *x = malloc(sizeof *x + all);
    if (!x)
        return;
    *x = (struct entry){.at_ms = now_ms, .asked_ms = INT64_MIN / 2, .verdict = v->verdict};
    char *to = x->bytes;
    for (size_t i = 0; i < KE_ARRAY_LEN(parts); i++) {
        x->n[i] = parts[i].n;
        if (parts[i].n)
            memcpy(to, parts[i].p, parts[i].n);
        to += parts[i].n;
    }
    size_t slot = hash64(key, n) % SLOTS;
    pthread_mutex_lock(&c->lock);
    free(c->slots[slot]);
    c->slots[slot] = x;
    pthread_mutex_unlock(&c->lock);
}
