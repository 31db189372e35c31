/* open.c - opens a database: manifest, maps, and which shard answers for what. */
#include "vulndb/open.h"

#include "base/auto.h"
#include "base/fs.h"

#include <limits.h>

enum { ARENA_MAX = 256 << 20, TRIES = 20 };

static int source_rank(str name)
{
    static const char *const last[] = {"nvd", "cve", "kev", "epss"};
    for (size_t i = 0; i < KE_ARRAY_LEN(last); i++)
        if (str_eq(name, str_z(last[i])))
            return 2 + (int)i;
    return str_eq(name, STR("ghsa")) ? 0 : 1;
}

static struct vulndb *db_new(size_t n_shards, size_t n_sources, struct err *e)
{
    struct vulndb *db = calloc(1, sizeof *db);
    if (!db) {
        err_no_memory(e);
        return NULL;
    }
    arena_init(&db->arena, ARENA_MAX);
    db->max_sources = n_sources;
    map_init(&db->platforms);
    map_init(&db->ecosystems);
    db->shards = calloc(n_shards + 1, sizeof *db->shards);
    db->sources = calloc(n_sources + 1, sizeof *db->sources);
    db->by_rank = calloc(n_sources + 1, sizeof(struct db_source *));
    if (!db->shards || !db->sources || !db->by_rank) {
        vulndb_close(db);
        err_no_memory(e);
        return NULL;
    }
    return db;
}

void vulndb_close(struct vulndb *db)
{
    if (!db)
        return;
    for (size_t i = 0; i < db->n_shards; i++)
        shard_close(&db->shards[i]);
    free(db->shards);
    free(db->sources);
    free(db->by_rank);
    map_done(&db->platforms);
    map_done(&db->ecosystems);
    arena_done(&db->arena);
    free(db);
}

static int add_part(struct vulndb *db, struct map *map, str name, const struct shard *s,
                    struct err *e)
{
    struct db_part *part = map_get(map, name);
    if (!part) {
        part = arena_new(&db->arena, struct db_part);
        if (part)
            part->shards = arena_calloc(&db->arena, db->max_sources, sizeof(struct shard *));
        if (!part || !part->shards || !map_put(map, name, part))
            return err_no_memory(e);
    }
    if (part->n == db->max_sources)
        return err_set(e, ERR_FORMAT, "two shards of one source for %.*s", STR_ARG(name));
    part->shards[part->n++] = s;
    return 0;
}

/* Knows shard s as one of the source's. */
static int place_shard(struct vulndb *db, struct db_source *source, struct shard *s, struct err *e)
{
    switch (s->kind) {
    case SHARD_VULNS:
        source->vulns = s;
        return 0;
    case SHARD_TEXTS:
        source->texts = s;
        return 0;
    case SHARD_ALIASES:
        db->aliases = s;
        return 0;
    case SHARD_CLAIMS:
        break;
    }
    source->claims[source->n_claims++] = s;
    if (s->platform.n || !s->ecosystem.n)
        return add_part(db, &db->platforms, s->platform, s, e);
    return add_part(db, &db->ecosystems, s->ecosystem, s, e);
}

static int source_cmp(const void *a, const void *b)
{
    const struct db_source *x = *(struct db_source *const *)a, *y = *(struct db_source *const *)b;
    return x->rank != y->rank ? x->rank - y->rank : str_cmp(x->name, y->name);
}

static void finish(struct vulndb *db)
{
    for (size_t i = 0; i < db->n_sources; i++) {
        struct db_source *s = &db->sources[i];
        s->rank = source_rank(s->name);
        db->by_rank[i] = s;
        for (size_t k = 0; k < s->n_claims; k++) {
            s->claims[k]->vulns = s->vulns;
            s->claims[k]->texts = s->texts;
        }
    }
    qsort(db->by_rank, db->n_sources, sizeof(struct db_source *), source_cmp);
}

static int open_shard(struct vulndb *db, const char *dir, const struct manifest_shard *ms,
                      struct shard **out, struct err *e)
{
    char path[PATH_MAX];
    int n = snprintf(path, sizeof path, "%s/shards/%.*s", dir, STR_ARG(ms->file));
    if (n < 0 || (size_t)n >= sizeof path)
        return err_set(e, ERR_LIMIT, "the data directory's path is too long");
    struct shard *s = &db->shards[db->n_shards];
    int r = shard_open_file(path, ms->size, s, e);
    if (r < 0)
        return r;
    db->n_shards++;
    *out = s;
    return 0;
}

static int open_source(struct vulndb *db, const char *dir, const struct manifest_source *ms,
                       struct err *e)
{
    struct db_source *source = &db->sources[db->n_sources++];
    source->name = ms->info.name;
    source->claims = arena_calloc(&db->arena, ms->n_shards + 1, sizeof(struct shard *));
    if (!source->claims)
        return err_no_memory(e);
    for (size_t i = 0; i < ms->n_shards; i++) {
        struct shard *s;
        int r = open_shard(db, dir, &ms->shards[i], &s, e);
        if (r == 0)
            r = place_shard(db, source, s, e);
        if (r < 0)
            return r;
        if (!str_eq(s->source, source->name))
            return err_set(e, ERR_FORMAT, "%.*s belongs to another source than the manifest says",
                           STR_ARG(ms->shards[i].file));
    }
    return 0;
}

static int open_all(struct vulndb *db, const char *dir, struct err *e)
{
    const struct manifest *m = &db->manifest;
    db->infos = arena_calloc(&db->arena, m->n_sources + 1, sizeof *db->infos);
    if (!db->infos)
        return err_no_memory(e);
    for (size_t i = 0; i < m->n_sources; i++) {
        db->infos[i] = m->sources[i].info;
        int r = open_source(db, dir, &m->sources[i], e);
        if (r < 0)
            return r;
    }
    if (m->aliases.file.n) {
        int r = open_shard(db, dir, &m->aliases, &db->aliases, e);
        if (r < 0)
            return r;
    }
    finish(db);
    return 0;
}

static int open_once(const char *dir, struct vulndb **out, struct err *e)
{
    char path[PATH_MAX];
    struct arena arena;
    struct manifest m;
    snprintf(path, sizeof path, "%s/manifest.json", dir);
    arena_init(&arena, ARENA_MAX);
    int r = manifest_read(path, &arena, &m, e);
    size_t n_shards = 1;
    for (size_t i = 0; r == 0 && i < m.n_sources; i++)
        n_shards += m.sources[i].n_shards;
    struct vulndb *db = r == 0 ? db_new(n_shards, m.n_sources, e) : NULL;
    if (!db) {
        arena_done(&arena);
        return r < 0 ? r : ERR_NO_MEMORY;
    }
    db->arena = arena;
    db->manifest = m;
    r = open_all(db, dir, e);
    if (r < 0) {
        vulndb_close(db);
        return r;
    }
    *out = db;
    return 0;
}

int vulndb_open(const char *data_dir, struct vulndb **out, struct err *e)
{
    char dir[PATH_MAX - 300], path[PATH_MAX];
    int n = snprintf(dir, sizeof dir, "%s/vulndb", data_dir);
    if (n < 0 || (size_t)n >= sizeof dir)
        return err_set(e, ERR_LIMIT, "the data directory's path is too long");
    snprintf(path, sizeof path, "%s/manifest.json", dir);
    if (!fs_is_file(path))
        return err_set(e, ERR_NOT_FOUND,
                       "there is no vulnerability data in %s yet: `kellet feeds sync` fetches it, "
                       "`kellet feeds load` reads local files",
                       dir);
    int r = ERR_NOT_FOUND; /* a shard may go between reading the manifest and opening it */
    for (int i = 0; r == ERR_NOT_FOUND && i < TRIES; i++)
        r = open_once(dir, out, e);
    return r == ERR_NOT_FOUND ? err_set(e, ERR_FORMAT, "%s lacks shards: load or sync again", dir)
                              : r;
}

int vulndb_open_memory(const str *shards, size_t n, struct vulndb **out, struct err *e)
{
    struct vulndb *db = db_new(n, n, e);
    if (!db)
        return ERR_NO_MEMORY;
    int r = 0;
    for (size_t i = 0; r == 0 && i < n; i++) {
        struct shard *s = &db->shards[db->n_shards];
        r = shard_open_memory(shards[i].p, shards[i].n, false, s, e);
        if (r < 0)
            break;
        db->n_shards++;
        struct db_source *source = NULL;
        for (size_t k = 0; k < db->n_sources; k++)
            if (str_eq(db->sources[k].name, s->source))
                source = &db->sources[k];
        if (!source) {
            source = &db->sources[db->n_sources++];
            source->name = s->source;
            source->claims = arena_calloc(&db->arena, n, sizeof(struct shard *));
        }
        r = source->claims ? place_shard(db, source, s, e) : err_no_memory(e);
    }
    if (r < 0) {
        vulndb_close(db);
        return r;
    }
    finish(db);
    *out = db;
    return 0;
}
