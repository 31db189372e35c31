#include "store/chunk_pack.h"

#include <zstd.h>

#include "base/aside.h"

enum { LEVEL = 3 };

/* Some chunks after each other, compressed at once. */
struct group {
    struct buf bytes;
    size_t ends[CHUNK_PACK_GROUP + 1];
    bool done;
    int rc;
    struct err err;
};

struct chunk_packer {
    struct chunk *const *chunks;
    size_t n, each; /* each: chunks of a group */
    ZSTD_CCtx *own;
    struct aside aside;
    bool with_aside;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    /* under the lock: */
    size_t next, dropped; /* groups: the first that nobody took; the first that is needed */
    bool stop;
    struct group ring[CHUNK_PACK_GROUPS];
};

static size_t n_groups(const struct chunk_packer *p)
{
    return (p->n + p->each - 1) / p->each;
}

static int compress(ZSTD_CCtx *z, str raw, struct buf *out, struct err *e)
{
    size_t bound = ZSTD_compressBound(raw.n);
    char *to = buf_reserve(out, bound);
    if (!to)
        return err_no_memory(e);
    size_t n = ZSTD_compressCCtx(z, to, bound, raw.p ? raw.p : "", raw.n, LEVEL);
    if (ZSTD_isError(n))
        return err_set(e, ERR_NO_MEMORY, "zstd: %s", ZSTD_getErrorName(n));
    out->n += n;
    return 0;
}

int chunk_compress(str raw, struct buf *out, struct err *e)
{
    ZSTD_CCtx *z = ZSTD_createCCtx();
    int rc = z ? compress(z, raw, out, e) : err_no_memory(e);
    ZSTD_freeCCtx(z);
    return rc;
}

static void pack(struct chunk_packer *p, ZSTD_CCtx *z, size_t g)
{
    struct group *at = &p->ring[g % CHUNK_PACK_GROUPS];
    at->rc = 0;
    buf_clear(&at->bytes);
    for (size_t i = 0; i < p->each && g * p->each + i < p->n && at->rc == 0; i++) {
        at->rc = compress(z, p->chunks[g * p->each + i]->raw, &at->bytes, &at->err);
        at->ends[i + 1] = at->bytes.n;
    }
}

/* Takes and packs the next group. Called and returns with the lock held; false: there is none. */
static bool pack_next(struct chunk_packer *p, ZSTD_CCtx *z)
{
    if (p->stop || p->next >= n_groups(p) || p->next >= p->dropped + CHUNK_PACK_GROUPS)
        return false;
    size_t g = p->next++;
    pthread_mutex_unlock(&p->lock);
    pack(p, z, g);
    pthread_mutex_lock(&p->lock);
    p->ring[g % CHUNK_PACK_GROUPS].done = true;
    pthread_cond_broadcast(&p->changed);
    return true;
}

static void pack_aside(void *ctx)
{
    struct chunk_packer *p = ctx;
    ZSTD_CCtx *z = ZSTD_createCCtx();
    pthread_mutex_lock(&p->lock);
    while (z && !p->stop && p->next < n_groups(p))
        if (!pack_next(p, z))
            pthread_cond_wait(&p->changed, &p->lock);
    pthread_mutex_unlock(&p->lock);
    ZSTD_freeCCtx(z);
}

int chunk_packer_new(struct chunk *const *chunks, size_t n, bool aside, struct chunk_packer **out,
                     struct err *e)
{
    struct chunk_packer *p = calloc(1, sizeof *p);
    if (!p)
        return err_no_memory(e);
    p->chunks = chunks;
    p->n = n;
    p->each = aside ? CHUNK_PACK_GROUP : 1;
    pthread_mutex_init(&p->lock, NULL);
    pthread_cond_init(&p->changed, NULL);
    for (size_t i = 0; i < CHUNK_PACK_GROUPS; i++)
        buf_init(&p->ring[i].bytes, SIZE_MAX / 2);
    if (!(p->own = ZSTD_createCCtx())) {
        chunk_packer_free(p);
        return err_no_memory(e);
    }
    p->with_aside = aside && n_groups(p) > 1;
    if (p->with_aside)
        aside_begin(&p->aside, pack_aside, p);
    *out = p;
    return 0;
}

int chunk_packer_get(struct chunk_packer *p, size_t i, str *packed, struct err *e)
{
    size_t g = i / p->each, k = i % p->each;
    struct group *at = &p->ring[g % CHUNK_PACK_GROUPS];
    pthread_mutex_lock(&p->lock);
    while (g >= p->next || !at->done)
        if (!pack_next(p, p->own))
            pthread_cond_wait(&p->changed, &p->lock);
    pthread_mutex_unlock(&p->lock);
    if (at->rc < 0)
        return err_set(e, at->rc, "%s", at->err.text);
    *packed = str_sub(buf_view(&at->bytes), at->ends[k], at->ends[k + 1]);
    return 0;
}

void chunk_packer_drop(struct chunk_packer *p, size_t i)
{
    pthread_mutex_lock(&p->lock);
    for (; p->dropped < i / p->each; p->dropped++) {
        struct group *at = &p->ring[p->dropped % CHUNK_PACK_GROUPS];
        at->done = false;
        if (p->each == 1) /* they are large */
            buf_done(&at->bytes);
    }
    pthread_cond_broadcast(&p->changed);
    pthread_mutex_unlock(&p->lock);
}

void chunk_packer_free(struct chunk_packer *p)
{
    if (!p)
        return;
    pthread_mutex_lock(&p->lock);
    p->stop = true;
    pthread_cond_broadcast(&p->changed);
    pthread_mutex_unlock(&p->lock);
    if (p->with_aside)
        aside_end(&p->aside);
    for (size_t i = 0; i < CHUNK_PACK_GROUPS; i++)
        buf_done(&p->ring[i].bytes);
    ZSTD_freeCCtx(p->own);
    pthread_cond_destroy(&p->changed);
    pthread_mutex_destroy(&p->lock);
    free(p);
}
