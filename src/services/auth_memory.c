#include "services/auth_memory.h"

#include <pthread.h>
#include <sodium.h>

#include "base/hash.h"

enum { SLOTS = 256, TEXTS = 7, KEY_MAX = 1024 };

struct slot {
    bool by_uuid;
    int64_t read_at;
    str texts[TEXTS]; /* key, identity, credential; one allocation: bytes */
    char *bytes;
    size_t n;
};

struct identities {
    pthread_mutex_t lock;
    uint64_t turn, seed;
    struct slot slots[SLOTS];
};

int identities_open(struct identities **out, struct err *e)
{
    struct identities *m = calloc(1, sizeof *m);
    if (!m)
        return err_no_memory(e);
    pthread_mutex_init(&m->lock, NULL);
    randombytes_buf(&m->seed, sizeof m->seed);
    *out = m;
    return 0;
}

static void slot_clear(struct slot *s)
{
    if (s->bytes)
        sodium_memzero(s->bytes, s->n);
    free(s->bytes);
    *s = (struct slot){0};
}

void identities_close(struct identities *m)
{
    if (!m)
        return;
    identities_forget(m);
    pthread_mutex_destroy(&m->lock);
    free(m);
}

static struct slot *slot_of(struct identities *m, bool by_uuid, str key)
{
    return &m->slots[hash64_seeded(key.p, key.n, m->seed + by_uuid) % SLOTS];
}

static void texts_of(const struct identity *who, str key, str credential, str out[TEXTS])
{
    const str all[TEXTS] = {
        key,       who->username, who->account, who->account_type, who->account_state,
        who->uuid, credential};
    memcpy(out, all, sizeof all);
}

bool identities_get(struct identities *m, bool by_uuid, str key, int64_t now_ms, struct arena *a,
                    struct identity *who, str *credential)
{
    pthread_mutex_lock(&m->lock);
    const struct slot *s = slot_of(m, by_uuid, key);
    bool found = s->bytes && s->by_uuid == by_uuid && str_eq(s->texts[0], key) &&
                 now_ms - s->read_at < IDENTITY_MS && now_ms >= s->read_at;
    str copy[TEXTS];
    for (int i = 1; found && i < TEXTS; i++)
        copy[i] = arena_dup(a, s->texts[i]);
    pthread_mutex_unlock(&m->lock);
    if (!found || a->full)
        return false;
    *who = (struct identity){.username = copy[1],
                             .account = copy[2],
                             .account_type = copy[3],
                             .account_state = copy[4],
                             .uuid = copy[5]};
    *credential = copy[6];
    return true;
}

uint64_t identities_turn(struct identities *m)
{
    pthread_mutex_lock(&m->lock);
    uint64_t turn = m->turn;
    pthread_mutex_unlock(&m->lock);
    return turn;
}

void identities_put(struct identities *m, bool by_uuid, str key, int64_t now_ms, uint64_t turn,
                    const struct identity *who, str credential)
{
    struct slot new = {.by_uuid = by_uuid, .read_at = now_ms};
    texts_of(who, key, credential, new.texts);
    for (int i = 0; i < TEXTS; i++)
        new.n += new.texts[i].n;
    if (key.n > KEY_MAX || !(new.bytes = malloc(new.n + 1)))
        return;
    char *at = new.bytes;
    for (int i = 0; i < TEXTS; i++) {
        if (new.texts[i].n)
            memcpy(at, new.texts[i].p, new.texts[i].n);
        new.texts[i].p = at;
        at += new.texts[i].n;
    }
    pthread_mutex_lock(&m->lock);
    if (m->turn == turn) {
        struct slot *s = slot_of(m, by_uuid, key), old = *s;
        *s = new;
        new = old;
    }
    pthread_mutex_unlock(&m->lock);
    slot_clear(&new);
}

void identities_forget(struct identities *m)
{
    pthread_mutex_lock(&m->lock);
    m->turn++;
    for (int i = 0; i < SLOTS; i++)
        slot_clear(&m->slots[i]);
    pthread_mutex_unlock(&m->lock);
}
