#include "vulndb/adopt.h"

#include "base/auto.h"
#include "base/fs.h"
#include "codec/digest.h"
#include "vulndb/install.h"

#include <limits.h>
#include <sys/stat.h>

struct adoption {
    struct install install;
    int (*fetch)(void *ctx, str file, struct buf *out, struct err *e);
    void *ctx;
};

static int adopt_shard(struct adoption *a, const struct manifest_shard *s, struct err *e)
{
    char path[PATH_MAX], text[SHA256_TEXT];
    struct stat st;
    int n = snprintf(path, sizeof path, "%s/shards/%.*s", a->install.dir, STR_ARG(s->file));
    if (n < 0 || (size_t)n >= sizeof path)
        return err_set(e, ERR_LIMIT, "the data directory's path is too long");
    if (stat(path, &st) == 0 && (uint64_t)st.st_size == s->size)
        return 0;
    auto_buf bytes;
    buf_init(&bytes, s->size + 4096); /* room for those who terminate */
    int r = a->fetch(a->ctx, s->file, &bytes, e);
    if (r < 0)
        return r;
    struct sha256 digest = sha256_of(bytes.p, bytes.n);
    if (bytes.n != s->size || !str_eq(str_z(sha256_format(&digest, text)), s->sha256))
        return err_set(e, ERR_MISMATCH, "the shard %.*s is not what its manifest says",
                       STR_ARG(s->file));
    return fs_write_atomic(path, buf_view(&bytes), 0644, e);
}

static int adopt_shards(struct adoption *a, const struct manifest *m, struct err *e)
{
    int r = 0;
    for (size_t i = 0; i < m->n_sources; i++)
        for (size_t k = 0; r == 0 && k < m->sources[i].n_shards; k++)
            r = adopt_shard(a, &m->sources[i].shards[k], e);
    if (r == 0 && m->aliases.file.n)
        r = adopt_shard(a, &m->aliases, e);
    return r;
}

int vulndb_adopt(const char *data_dir, str manifest,
                 int (*fetch)(void *ctx, str file, struct buf *out, struct err *e), void *ctx,
                 struct err *e)
{
    struct adoption a = {.fetch = fetch, .ctx = ctx};
    struct manifest m;
    int r = install_begin(&a.install, data_dir, NULL, NULL, e);
    if (r == 0)
        r = manifest_parse(manifest, &a.install.arena, &m, e);
    bool newer = r == 0 && m.epoch > a.install.old.epoch;
    if (newer)
        r = adopt_shards(&a, &m, e);
    if (r == 0 && newer)
        r = install_manifest(&a.install, &m, manifest, e);
    install_end(&a.install, r < 0 && newer);
    return r < 0 ? r : newer;
}

int vulndb_remove(const char *data_dir, str source, struct err *e)
{
    struct install i;
    const struct manifest_source none = {.info.name = source};
    bool found = false;
    int r = install_begin(&i, data_dir, NULL, NULL, e);
    for (size_t k = 0; r == 0 && k < i.old.n_sources; k++)
        found |= str_eq(i.old.sources[k].info.name, source);
    if (found)
        r = install_commit(&i, &none, e);
    install_end(&i, r < 0 && found);
    return r < 0 ? r : found;
}
