#include "vulndb/install.h"

#include "base/auto.h"
#include "base/fs.h"
#include "base/map.h"
#include "codec/digest.h"
#include "vulndb/alias.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sys/file.h>

enum { ARENA_MAX = 256 << 20, NAME_MAX_LENGTH = 100 };

static int take_lock(struct install *i, void (*waiting)(void *), void *ctx, struct err *e)
{
    char path[PATH_MAX];
    snprintf(path, sizeof path, "%s/lock", i->dir);
    i->lock = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0666);
    if (i->lock < 0)
        return err_errno(e, "cannot open %s", path);
    if (flock(i->lock, LOCK_EX | LOCK_NB) == 0)
        return 0;
    if (errno != EWOULDBLOCK)
        return err_errno(e, "cannot lock %s", path);
    if (waiting)
        waiting(ctx);
    while (flock(i->lock, LOCK_EX) < 0)
        if (errno != EINTR)
            return err_errno(e, "cannot lock %s", path);
    return 0;
}

int install_begin(struct install *i, const char *data_dir, void (*waiting)(void *), void *ctx,
                  struct err *e)
{
    char path[PATH_MAX];
    *i = (struct install){.lock = -1};
    arena_init(&i->arena, ARENA_MAX);
    int n = snprintf(path, sizeof path, "%s/vulndb/shards", data_dir);
    if (n < 0 || (size_t)n >= sizeof path - 300)
        return err_set(e, ERR_LIMIT, "the data directory's path is too long");
    int r = fs_mkdirs(path, e);
    if (r < 0)
        return r;
    path[n - (int)strlen("/shards")] = '\0';
    i->dir = strdup(path);
    if (!i->dir)
        return err_no_memory(e);
    r = take_lock(i, waiting, ctx, e);
    if (r < 0)
        return r;
    snprintf(path, sizeof path, "%s/manifest.json", i->dir);
    r = manifest_read(path, &i->arena, &i->old, e);
    if (r == ERR_UNSUPPORTED || r == ERR_NOT_FOUND) { /* another format: this one replaces it */
        i->old = (struct manifest){0};
        r = 0;
    }
    i->old_known = r == 0;
    return r;
}

static void add_file_name(struct buf *b, str name)
{
    for (size_t k = 0; k < name.n && k < NAME_MAX_LENGTH; k++) {
        char c = name.p[k];
        buf_add_char(b, ke_isalnum(c) || c == '.' || c == '-' ? c : '_');
    }
}

int install_shard(struct install *i, str name, str bytes, struct manifest_shard *out, struct err *e)
{
    char path[PATH_MAX], text[SHA256_TEXT];
    struct sha256 digest = sha256_of(bytes.p, bytes.n);
    sha256_format(&digest, text);
    auto_buf file;
    buf_init(&file, NAME_MAX_LENGTH + 100);
    add_file_name(&file, name);
    buf_addf(&file, "-%s.kdb", text + strlen("sha256:"));
    out->file = arena_dup(&i->arena, buf_view(&file));
    out->sha256 = arena_dup(&i->arena, str_z(text));
    out->size = bytes.n;
    if (!out->file.p || !out->sha256.p)
        return err_no_memory(e);
    snprintf(path, sizeof path, "%s/shards/%.*s", i->dir, STR_ARG(out->file));
    return fs_write_atomic(path, bytes, 0644, e);
}

/* ---- aliases -----------------------------------------------------------------------------------
 */

static int open_vulns(struct install *i, const struct manifest *m, struct shard *shards,
                      const struct shard **list, size_t *n, struct err *e)
{
    for (size_t s = 0; s < m->n_sources; s++)
        for (size_t k = 0; k < m->sources[s].n_shards; k++) {
            const struct manifest_shard *ms = &m->sources[s].shards[k];
            char path[PATH_MAX];
            if (!str_eq(ms->kind, STR("vulns")))
                continue;
            snprintf(path, sizeof path, "%s/shards/%.*s", i->dir, STR_ARG(ms->file));
            int r = shard_open_file(path, ms->size, &shards[*n], e);
            if (r < 0)
                return r;
            list[*n] = &shards[*n];
            ++*n;
            break;
        }
    return 0;
}

static int install_aliases(struct install *i, struct manifest *m, struct err *e)
{
    struct shard *shards autofree = calloc(m->n_sources, sizeof *shards);
    const struct shard **list autofree = calloc(m->n_sources, sizeof *list);
    size_t n = 0;
    if (!shards || !list)
        return err_no_memory(e);
    auto_buf bytes;
    buf_init(&bytes, SIZE_MAX / 2);
    int r = open_vulns(i, m, shards, list, &n, e);
    if (r == 0)
        r = alias_build(list, n, &bytes, e);
    if (r == 0) {
        m->aliases.kind = STR("aliases");
        r = install_shard(i, STR("aliases"), buf_view(&bytes), &m->aliases, e);
    }
    for (size_t k = 0; k < n; k++)
        shard_close(&shards[k]);
    return r;
}

/* ---- the manifest ------------------------------------------------------------------------------
 */

static bool names_file(const struct manifest *m, str file)
{
    if (str_eq(m->aliases.file, file))
        return true;
    for (size_t s = 0; s < m->n_sources; s++)
        for (size_t k = 0; k < m->sources[s].n_shards; k++)
            if (str_eq(m->sources[s].shards[k].file, file))
                return true;
    return false;
}

static void remove_unnamed(const struct install *i, const struct manifest *m)
{
    char path[PATH_MAX];
    snprintf(path, sizeof path, "%s/shards", i->dir);
    DIR *dir = opendir(path);
    if (!dir)
        return;
    for (struct dirent *d = readdir(dir); d; d = readdir(dir)) {
        str name = str_z(d->d_name);
        if ((str_ends(name, STR(".kdb")) || str_ends(name, STR(".tmp"))) && !names_file(m, name))
            unlinkat(dirfd(dir), d->d_name, 0);
    }
    closedir(dir);
}

static int sync_dir(const char *path, struct err *e)
{
    int fd autoclose = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0 || (fsync(fd) < 0 && errno != EINVAL))
        return err_errno(e, "cannot write to disk: %s", path);
    return 0;
}

/* The old sources with the new one in its place. */
static int replace(struct install *i, const struct manifest_source *source, struct manifest *out,
                   struct err *e)
{
    *out = (struct manifest){.epoch = i->old.epoch + 1};
    out->sources = arena_calloc(&i->arena, i->old.n_sources + 1, sizeof *out->sources);
    if (!out->sources)
        return err_no_memory(e);
    bool placed = false;
    for (size_t k = 0; k < i->old.n_sources; k++) {
        int order = str_cmp(i->old.sources[k].info.name, source->info.name);
        if (order >= 0 && !placed) {
            if (source->n_shards)
                out->sources[out->n_sources++] = *source;
            placed = true;
        }
        if (order != 0)
            out->sources[out->n_sources++] = i->old.sources[k];
    }
    if (!placed && source->n_shards)
        out->sources[out->n_sources++] = *source;
    return 0;
}

int install_manifest(struct install *i, const struct manifest *m, str text, struct err *e)
{
    char path[PATH_MAX];
    snprintf(path, sizeof path, "%s/shards", i->dir);
    int r = sync_dir(path, e);
    snprintf(path, sizeof path, "%s/manifest.json", i->dir);
    if (r == 0)
        r = fs_write_atomic(path, text, 0644, e);
    if (r < 0)
        return r;
    remove_unnamed(i, m);
    return sync_dir(i->dir, e);
}

int install_commit(struct install *i, const struct manifest_source *source, struct err *e)
{
    struct manifest m;
    int r = replace(i, source, &m, e);
    if (r == 0)
        r = install_aliases(i, &m, e);
    if (r < 0)
        return r;
    auto_buf text;
    buf_init(&text, MANIFEST_MAX);
    manifest_print(&m, &text);
    r = buf_check(&text, "the manifest", e);
    return r < 0 ? r : install_manifest(i, &m, buf_view(&text), e);
}

void install_end(struct install *i, bool failed)
{
    if (failed && i->old_known)
        remove_unnamed(i, &i->old);
    if (i->lock >= 0)
        close(i->lock);
    free(i->dir);
    arena_done(&i->arena);
    *i = (struct install){.lock = -1};
}
