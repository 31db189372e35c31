#include "services/auth_parts.h"

#include "base/clock.h"
#include "base/hash.h"

#include <pthread.h>
#include <sodium.h>
#include <stdlib.h>
#include <time.h>

enum {
    MEMORY = 19 << 20, /* of one verification */
    PASSES = 2,
    AT_ONCE = 2,
    WAITING_MAX = 64,
    WAYS = 4,
    SETS = 512,
    BRAKES = 1024,
    FREE_TRIES = 10,
    LONGEST_BRAKE = 30,
    FORGET_AFTER = 600,
};

struct brake {
    uint64_t who; /* of name and peer; 0: unused */
    unsigned failures;
    int64_t last; /* seconds, monotonic */
};

struct passwords {
    pthread_mutex_t lock;
    pthread_cond_t freed;
    unsigned running, waiting;
    unsigned char key[crypto_generichash_KEYBYTES];
    unsigned char good[SETS][WAYS][crypto_generichash_BYTES];
    unsigned char turn[SETS]; /* which way of a set is overwritten next */
    struct brake brakes[BRAKES];
    char nobody[crypto_pwhash_STRBYTES];
};

int passwords_open(struct passwords **out, struct err *e)
{
    if (sodium_init() < 0)
        return err_set(e, ERR_IO, "libsodium cannot be started");
    struct passwords *p = calloc(1, sizeof *p);
    if (!p)
        return err_no_memory(e);
    pthread_mutex_init(&p->lock, NULL);
    pthread_cond_init(&p->freed, NULL);
    randombytes_buf(p->key, sizeof p->key);
    char random[32];
    randombytes_buf(random, sizeof random);
    if (crypto_pwhash_str(p->nobody, random, sizeof random, PASSES, MEMORY) != 0) {
        passwords_close(p);
        return err_no_memory(e);
    }
    *out = p;
    return 0;
}

void passwords_close(struct passwords *p)
{
    if (!p)
        return;
    pthread_mutex_destroy(&p->lock);
    pthread_cond_destroy(&p->freed);
    sodium_memzero(p, sizeof *p);
    free(p);
}

static int gate_enter(struct passwords *p, struct err *e)
{
    pthread_mutex_lock(&p->lock);
    if (p->waiting >= WAITING_MAX) {
        pthread_mutex_unlock(&p->lock);
        return err_set(e, ERR_NET, "too many logins at once: try again");
    }
    p->waiting++;
    while (p->running >= AT_ONCE)
        pthread_cond_wait(&p->freed, &p->lock);
    p->waiting--;
    p->running++;
    pthread_mutex_unlock(&p->lock);
    return 0;
}

static void gate_leave(struct passwords *p)
{
    pthread_mutex_lock(&p->lock);
    p->running--;
    pthread_cond_signal(&p->freed);
    pthread_mutex_unlock(&p->lock);
}

int passwords_hash(struct passwords *p, struct arena *a, str password, str *out, struct err *e)
{
    char text[crypto_pwhash_STRBYTES];
    int rc = gate_enter(p, e);
    if (rc < 0)
        return rc;
    rc = crypto_pwhash_str(text, password.p ? password.p : "", password.n, PASSES, MEMORY);
    gate_leave(p);
    if (rc != 0)
        return err_no_memory(e);
    *out = arena_dup(a, str_z(text));
    return out->p ? 0 : err_no_memory(e);
}

static void add_part(crypto_generichash_state *st, str s)
{
    uint64_t n = s.n;
    crypto_generichash_update(st, (const unsigned char *)&n, sizeof n);
    crypto_generichash_update(st, (const unsigned char *)(s.p ? s.p : ""), s.n);
}

static void remember_key(struct passwords *p, str username, str hash, str password,
                         unsigned char out[crypto_generichash_BYTES])
{
    crypto_generichash_state st;
    crypto_generichash_init(&st, p->key, sizeof p->key, crypto_generichash_BYTES);
    add_part(&st, username);
    add_part(&st, hash);
    add_part(&st, password);
    crypto_generichash_final(&st, out, crypto_generichash_BYTES);
}

static unsigned set_of(const unsigned char *key)
{
    return (key[0] | (unsigned)key[1] << 8) % SETS;
}

bool passwords_remembered(struct passwords *p, str username, str hash, str password)
{
    unsigned char key[crypto_generichash_BYTES];
    remember_key(p, username, hash, password, key);
    unsigned set = set_of(key);
    bool found = false;
    pthread_mutex_lock(&p->lock);
    for (int i = 0; i < WAYS; i++)
        found |= sodium_memcmp(p->good[set][i], key, sizeof key) == 0;
    pthread_mutex_unlock(&p->lock);
    return found;
}

static void remember(struct passwords *p, str username, str hash, str password)
{
    unsigned char key[crypto_generichash_BYTES];
    remember_key(p, username, hash, password, key);
    unsigned set = set_of(key);
    pthread_mutex_lock(&p->lock);
    memcpy(p->good[set][p->turn[set]], key, crypto_generichash_BYTES);
    p->turn[set] = (unsigned char)((p->turn[set] + 1) % WAYS);
    pthread_mutex_unlock(&p->lock);
}

static uint64_t brake_key(struct passwords *p, str username, str peer)
{
    uint64_t seed;
    memcpy(&seed, p->key, sizeof seed);
    uint64_t h = hash64_seeded(username.p, username.n, seed);
    return hash64_seeded(peer.p, peer.n, h) | 1;
}

/* Slots are shared by hash: a newcomer takes over one that was quiet. */
static bool brake_holds(struct passwords *p, uint64_t who)
{
    int64_t now = clock_s();
    pthread_mutex_lock(&p->lock);
    const struct brake *b = &p->brakes[(who >> 1) % BRAKES];
    bool holds = false;
    if (b->who == who && b->failures >= FREE_TRIES) {
        unsigned over = b->failures - FREE_TRIES;
        int64_t wait = over >= 5 ? LONGEST_BRAKE : 1 << over;
        holds = now - b->last < wait;
    }
    pthread_mutex_unlock(&p->lock);
    return holds;
}

static void brake_tell(struct passwords *p, uint64_t who, bool good)
{
    int64_t now = clock_s();
    pthread_mutex_lock(&p->lock);
    struct brake *b = &p->brakes[(who >> 1) % BRAKES];
    bool mine = b->who == who;
    if (good && mine)
        *b = (struct brake){0};
    else if (!good && (mine || now - b->last > LONGEST_BRAKE || b->failures < FREE_TRIES)) {
        unsigned before = mine && now - b->last < FORGET_AFTER ? b->failures : 0;
        *b = (struct brake){
            .who = who, .failures = before < 1000 ? before + 1 : before, .last = now};
    }
    pthread_mutex_unlock(&p->lock);
}

int passwords_check(struct passwords *p, str username, str hash, str password, str peer,
                    struct err *e)
{
    uint64_t who = brake_key(p, username, peer);
    char stored[crypto_pwhash_STRBYTES];
    bool known = hash.n > 0 && hash.n < sizeof stored;
    if (known && passwords_remembered(p, username, hash, password))
        return 1;
    if (brake_holds(p, who))
        return 0;
    memset(stored, 0, sizeof stored);
    memcpy(stored, known ? hash.p : p->nobody, known ? hash.n : sizeof stored);
    int rc = gate_enter(p, e);
    if (rc < 0)
        return rc;
    rc = crypto_pwhash_str_verify(stored, password.p ? password.p : "", password.n);
    gate_leave(p);
    bool good = rc == 0 && known;
    brake_tell(p, who, good);
    if (good) {
        remember(p, username, hash, password);
        remember(p, username, (str){0}, password);
    }
    return good;
}
