/* build.c - from a filled builder to installed shards. */
#include "vulndb/builder.h"
#include "vulndb/install.h"

typedef int (*writes)(struct vulndb_builder *b, struct shard_writer *w, struct err *e);

static int install_one(struct vulndb_builder *b, struct install *i, const char *kind,
                       struct shard_writer *w, struct manifest_shard *out, struct err *e)
{
    auto_buf name;
    buf_init(&name, 4096);
    buf_add_str(&name, b->source);
    buf_addf(&name, ".%.*s",
             STR_ARG(w->platform.n    ? w->platform
                     : w->ecosystem.n ? w->ecosystem
                                      : str_z(kind)));
    out->kind = str_z(kind);
    out->platform = w->platform;
    out->ecosystem = w->ecosystem;
    b->stats.bytes += w->file.n;
    b->stats.shards++;
    return install_shard(i, buf_view(&name), buf_view(&w->file), out, e);
}

static int write_whole(struct vulndb_builder *b, struct install *i, enum shard_kind kind,
                       const char *name, writes write, struct manifest_source *m, struct err *e)
{
    struct shard_writer w;
    shard_writer_init(&w, kind, b->source, &b->strings, b->refs);
    int r = write(b, &w, e);
    if (r == 0)
        r = install_one(b, i, name, &w, &m->shards[m->n_shards++], e);
    shard_writer_done(&w);
    return r;
}

static int write_claims(struct vulndb_builder *b, struct install *i, struct manifest_source *m,
                        struct err *e)
{
    int r = 0;
    for (size_t first = 0, end; r == 0 && first < b->claims.n; first = end) {
        for (end = first; end < b->claims.n; end++)
            if (b->claims.p[end].part != b->claims.p[first].part)
                break;
        struct shard_writer w;
        shard_writer_init(&w, SHARD_CLAIMS, b->source, &b->strings, b->refs);
        r = build_claims(b, first, end - first, &w, e);
        if (r == 0)
            r = install_one(b, i, "claims", &w, &m->shards[m->n_shards++], e);
        shard_writer_done(&w);
    }
    return r;
}

static int drop_cmp(const void *a, const void *b)
{
    return strcmp(((const struct drop_count *)a)->reason, ((const struct drop_count *)b)->reason);
}

static bool has_texts(const struct vulndb_builder *b)
{
    for (size_t i = 0; i < b->vulns.n; i++)
        if (b->vulns.p[i].details.n)
            return true;
    return false;
}

static void count(struct vulndb_builder *b)
{
    struct vulndb_stats *s = &b->stats;
    s->records = b->records;
    s->claims_in = b->claims_in;
    s->claims_stored = b->claims.n;
    for (size_t i = 0; i < b->vulns.n; i++)
        s->vulns += !b->vulns.p[i].implied;
    if (b->drops.n)
        qsort(b->drops.p, b->drops.n, sizeof *b->drops.p, drop_cmp);
    for (size_t i = 0; i < b->drops.n; i++)
        s->dropped += b->drops.p[i].n;
    s->drops = b->drops.p;
    s->n_drops = b->drops.n;
}

static int write_source(struct vulndb_builder *b, struct install *i, struct err *e)
{
    struct manifest_source m = {0};
    m.shards = arena_calloc(&i->arena, b->parts.n + 2, sizeof *m.shards);
    if (!m.shards)
        return err_no_memory(e);
    int r = write_whole(b, i, SHARD_VULNS, "vulns", build_vulns, &m, e);
    if (r == 0 && has_texts(b))
        r = write_whole(b, i, SHARD_TEXTS, "texts", build_texts, &m, e);
    if (r == 0)
        r = write_claims(b, i, &m, e);
    if (r < 0)
        return r;
    m.info = (struct vulndb_source){
        .name = b->source,
        .loaded = time(NULL),
        .upstream_date = b->upstream_date,
        .upstream_version = b->upstream_version,
        .records = b->stats.records,
        .vulns = b->stats.vulns,
        .claims = b->stats.claims_stored,
        .dropped = b->stats.dropped,
        .bytes = b->stats.bytes,
        .drops = b->stats.drops,
        .n_drops = b->stats.n_drops,
        .digest = manifest_digest(&m, &i->arena),
    };
    return install_commit(i, &m, e);
}

int vulndb_builder_install(struct vulndb_builder *b, struct vulndb_stats *stats, struct err *e)
{
    if (b->arena.full)
        return err_no_memory(e);
    if (b->claims.n == 0 && b->vulns.n == 0)
        return err_set(e, ERR_FORMAT,
                       "nothing was found for source %.*s (%llu records read): the data of before "
                       "stay",
                       STR_ARG(b->source), (unsigned long long)b->records);
    struct install i;
    int r = build_sort(b, e);
    if (r < 0)
        return r;
    count(b);
    r = install_begin(&i, b->data_dir, b->waiting, b->waiting_ctx, e);
    if (r == 0)
        r = write_source(b, &i, e);
    install_end(&i, r < 0);
    if (r == 0 && stats)
        *stats = b->stats;
    return r < 0 ? err_wrap(e, "source %.*s was not installed, what was there stays",
                            STR_ARG(b->source))
                 : 0;
}
