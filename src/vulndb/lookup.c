/* lookup.c - the questions one asks an open database. */
#include "vulndb/alias.h"
#include "vulndb/open.h"

#include "base/auto.h"
#include "codec/digest.h"

const struct vulndb_source *vulndb_sources(const struct vulndb *db, size_t *n)
{
    *n = db->infos ? db->n_sources : 0;
    return db->infos;
}

bool vulndb_covers(const struct vulndb *db, str platform, str ecosystem)
{
    return (platform.n && map_get(&db->platforms, platform)) ||
           (ecosystem.n && map_get(&db->ecosystems, ecosystem));
}

int64_t vulndb_loaded(const struct vulndb *db, str platform)
{
    const struct db_part *part = platform.n ? map_get(&db->platforms, platform) : NULL;
    size_t n;
    const struct vulndb_source *sources = vulndb_sources(db, &n);
    int64_t newest = 0;
    for (size_t i = 0; part && i < n; i++)
        for (size_t k = 0; k < part->n; k++)
            if (str_eq(part->shards[k]->source, sources[i].name) && sources[i].loaded > newest)
                newest = sources[i].loaded;
    return newest;
}

static int damaged(const struct shard *s, struct err *e)
{
    return err_set(e, ERR_FORMAT, "the data of %.*s are damaged: load or sync that source again",
                   STR_ARG(s->source));
}

/* ---- packages ----------------------------------------------------------------------------------
 */

struct hits {
    struct db_claim *list;
    size_t n, cap;
    struct arena *a;
};

static struct db_claim *hit(struct hits *h)
{
    if (h->n == h->cap) {
        size_t cap = h->cap ? h->cap * 2 : 4;
        struct db_claim *list = arena_calloc(h->a, cap, sizeof *list);
        if (!list)
            return NULL;
        if (h->n)
            memcpy(list, h->list, h->n * sizeof *list);
        h->list = list;
        h->cap = cap;
    }
    return &h->list[h->n++];
}

static int look_in_shard(const struct shard *s, str package, uint64_t hash, struct version_query *q,
                         struct hits *hits, struct err *e)
{
    bool bad = false;
    int64_t row = shard_find(s, PACKAGE_ROW, package, hash, &bad);
    if (row < 0)
        return bad ? damaged(s, e) : 0;
    const char *p = s->section[SEC_ROWS].p + (size_t)row * PACKAGE_ROW;
    uint32_t first = shard_u32(p + 8), n = shard_u32(p + 12);
    str name = shard_str(s, shard_u32(p + 4), &bad);
    if (first > shard_rows(s, SEC_CLAIMS, CLAIM_ROW) ||
        n > shard_rows(s, SEC_CLAIMS, CLAIM_ROW) - first)
        return damaged(s, e);
    for (uint32_t i = first; i < first + n; i++) {
        const char *claim = s->section[SEC_CLAIMS].p + (size_t)i * CLAIM_ROW;
        if (q->text.n && !shard_ranges_cover(s, shard_u32(claim + 8), q, &bad)) {
            if (bad)
                return damaged(s, e);
            continue;
        }
        struct db_claim *out = hit(hits);
        if (!out)
            return err_no_memory(e);
        int r = shard_claim(s, i, name, hits->a, out, e);
        if (r < 0)
            return r;
    }
    return 0;
}

static int look_in_part(const struct map *parts, str part, str package, uint64_t hash,
                        struct version_query *q, struct hits *hits, struct err *e)
{
    const struct db_part *p = part.n ? map_get(parts, part) : NULL;
    int r = 0;
    for (size_t i = 0; p && r == 0 && i < p->n; i++)
        r = look_in_shard(p->shards[i], package, hash, q, hits, e);
    return r;
}

int vulndb_lookup(const struct vulndb *db, str platform, str ecosystem, str package, str version,
                  struct arena *a, struct db_claim **out, size_t *n, struct err *e)
{
    struct hits hits = {.a = a};
    struct version_query q = {.text = version};
    uint64_t hash = shard_hash(package);
    int r = look_in_part(&db->platforms, platform, package, hash, &q, &hits, e);
    if (r == 0)
        r = look_in_part(&db->ecosystems, ecosystem, package, hash, &q, &hits, e);
    version_query_done(&q);
    *out = hits.list;
    *n = r == 0 ? hits.n : 0;
    return r;
}

/* ---- ids ---------------------------------------------------------------------------------------
 */

int vulndb_vuln(const struct vulndb *db, str id, struct arena *a, struct db_vuln **out, size_t *n,
                struct err *e)
{
    uint64_t hash = shard_hash(id);
    *out = NULL;
    *n = 0;
    for (size_t i = 0; i < db->n_sources; i++) {
        const struct shard *s = db->by_rank[i]->vulns;
        bool bad = false;
        int64_t row = s ? shard_find(s, VULN_ROW, id, hash, &bad) : -1;
        if (bad)
            return damaged(s, e);
        if (row < 0)
            continue;
        if (!*out)
            *out = arena_calloc(a, db->n_sources, sizeof **out);
        if (!*out)
            return err_no_memory(e);
        if (!shard_vuln(s, (uint32_t)row, a, &(*out)[*n].vuln))
            return damaged(s, e);
        (*out)[(*n)++].source = s->source;
    }
    return 0;
}

int vulndb_aliases(const struct vulndb *db, str id, struct arena *a, str **out, size_t *n,
                   struct err *e)
{
    return alias_group(db->aliases, id, a, out, n, e);
}

int vulndb_text(const struct vulndb *db, str source, str id, struct arena *a, str *out,
                struct err *e)
{
    *out = STR("");
    for (size_t i = 0; i < db->n_sources; i++) {
        const struct db_source *s = &db->sources[i];
        if (!str_eq(s->name, source) || !s->vulns || !s->texts)
            continue;
        bool bad = false;
        int64_t row = shard_find(s->vulns, VULN_ROW, id, shard_hash(id), &bad);
        if (bad)
            return damaged(s->vulns, e);
        struct text_block block = {0};
        int r = row < 0 ? 0 : shard_text(s->texts, (uint32_t)row, &block, out, e);
        if (r == 0 && out->n) {
            *out = arena_dup(a, *out);
            r = out->p ? 0 : err_no_memory(e);
        }
        text_block_done(&block);
        return r;
    }
    return 0;
}

/* ---- everything --------------------------------------------------------------------------------
 */

enum { EACH_ARENA = 1 << 30, EACH_KEEP = 1 << 20 };

/* `next`: the claim that must come first, as packages lie one after the other. */
static int each_package(const struct shard *s, uint32_t row, uint32_t *next, struct arena *a,
                        int (*fn)(void *, const struct db_claim *, struct err *), void *ctx,
                        struct err *e)
{
    bool bad = false;
    const char *p = s->section[SEC_ROWS].p + (size_t)row * PACKAGE_ROW;
    uint32_t first = shard_u32(p + 8), n = shard_u32(p + 12);
    str name = shard_str(s, shard_u32(p + 4), &bad);
    if (bad || first != *next || n > shard_rows(s, SEC_CLAIMS, CLAIM_ROW) - first)
        return damaged(s, e);
    *next += n;
    for (uint32_t i = first; i < first + n; i++) {
        struct db_claim c;
        if (a->used > EACH_KEEP)
            arena_done(a);
        int r = shard_claim(s, i, name, a, &c, e);
        if (r == 0)
            r = fn(ctx, &c, e);
        if (r != 0)
            return r;
    }
    return 0;
}

int vulndb_each(const struct vulndb *db, str source,
                int (*fn)(void *ctx, const struct db_claim *c, struct err *e), void *ctx,
                struct err *e)
{
    struct arena a;
    int r = 0;
    arena_init(&a, EACH_ARENA);
    for (size_t i = 0; i < db->n_sources; i++) {
        const struct db_source *s = &db->sources[i];
        if (source.n && !str_eq(source, s->name))
            continue;
        for (size_t k = 0; k < s->n_claims; k++) {
            uint32_t packages = shard_rows(s->claims[k], SEC_ROWS, PACKAGE_ROW), next = 0;
            for (uint32_t row = 0; r == 0 && row < packages; row++)
                r = each_package(s->claims[k], row, &next, &a, fn, ctx, e);
        }
    }
    arena_done(&a);
    return r;
}

struct vuln_visit {
    struct arena arena;
    struct text_block block;
    int (*fn)(void *ctx, const struct db_vuln *v, struct err *e);
    void *ctx;
};

static int visit_vuln(struct vuln_visit *visit, const struct db_source *s, uint32_t row,
                      struct err *e)
{
    struct db_vuln v = {.source = s->name};
    if (visit->arena.used > EACH_KEEP)
        arena_done(&visit->arena);
    if (!shard_vuln(s->vulns, row, &visit->arena, &v.vuln))
        return visit->arena.full ? err_no_memory(e) : damaged(s->vulns, e);
    int r = s->texts ? shard_text(s->texts, row, &visit->block, &v.vuln.details, e) : 0;
    return r < 0 ? r : visit->fn(visit->ctx, &v, e);
}

int vulndb_each_vuln(const struct vulndb *db, str source,
                     int (*fn)(void *ctx, const struct db_vuln *v, struct err *e), void *ctx,
                     struct err *e)
{
    struct vuln_visit visit = {.fn = fn, .ctx = ctx};
    int r = 0;
    arena_init(&visit.arena, EACH_ARENA);
    for (size_t i = 0; i < db->n_sources; i++) {
        const struct db_source *s = &db->sources[i];
        if (!s->vulns || (source.n && !str_eq(source, s->name)))
            continue;
        uint32_t n = shard_rows(s->vulns, SEC_ROWS, VULN_ROW);
        for (uint32_t row = 0; r == 0 && row < n; row++)
            r = visit_vuln(&visit, s, row, e);
        text_block_done(&visit.block);
    }
    arena_done(&visit.arena);
    return r;
}

int vulndb_verify(const struct vulndb *db, struct err *e)
{
    size_t at = 0;
    const struct manifest *m = &db->manifest;
    for (size_t i = 0; i <= m->n_sources; i++) {
        bool last = i == m->n_sources;
        size_t n = last ? db->aliases != NULL : m->sources[i].n_shards;
        for (size_t k = 0; k < n; k++, at++) {
            const struct manifest_shard *ms = last ? &m->aliases : &m->sources[i].shards[k];
            const struct shard *s = &db->shards[at];
            struct sha256 want, got = sha256_of(s->data, s->size);
            int r = sha256_parse(ms->sha256, &want, e);
            if (r < 0)
                return r;
            if (!sha256_eq(&want, &got))
                return err_set(e, ERR_MISMATCH, "%.*s is not what was installed: load it again",
                               STR_ARG(ms->file));
        }
    }
    return 0;
}
