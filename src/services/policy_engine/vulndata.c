#include "services/policy_engine/vulndata.h"

#include "base/auto.h"
#include "base/clock.h"
#include "base/fs.h"
#include "codec/digest.h"
#include "services/log.h"
#include "vulndb/adopt.h"

#include <limits.h>
#include <pthread.h>
#include <sys/stat.h>
#include <time.h>

enum { SHARD_BYTES_MAX = INT32_MAX };

struct vulndata {
    pthread_mutex_t lock;
    char data_dir[PATH_MAX - 256];
    struct vulndata_view *current;
    struct stat seen; /* the manifest's, as it was opened */
    int64_t looked;   /* seconds on the monotonic clock */
};

static struct vulndata_view *view_new(struct vulndb *db, const char *generation)
{
    struct vulndata_view *view = calloc(1, sizeof *view);
    if (!view)
        return NULL;
    view->db = db;
    view->uses = 1;
    snprintf(view->generation, sizeof view->generation, "%s", generation);
    return view;
}

void vulndata_drop(struct vulndata_view *view)
{
    if (!view || --view->uses)
        return;
    vulndb_close(view->db);
    free(view);
}

static void manifest_path(const char *data_dir, char path[PATH_MAX])
{
    snprintf(path, PATH_MAX, "%s/vulndb/%s", data_dir, VULNDATA_MANIFEST);
}

/* A manifest that changes while the database is opened gives a generation of its own only when the
 * next look sees it: its time differs. */
static int view_open(const char *data_dir, struct vulndata_view **out, struct err *e)
{
    char path[PATH_MAX], text[SHA256_TEXT];
    auto_buf manifest;
    struct vulndb *db;
    buf_init(&manifest, SHARD_BYTES_MAX);
    manifest_path(data_dir, path);
    int r = fs_read(path, &manifest, e);
    if (r == 0)
        r = vulndb_open(data_dir, &db, e);
    if (r < 0)
        return r;
    struct sha256 digest = sha256_of(manifest.p, manifest.n);
    *out = view_new(db, sha256_format(&digest, text));
    if (*out)
        return 0;
    vulndb_close(db);
    return err_no_memory(e);
}

static bool same_file(const struct stat *a, const struct stat *b)
{
    return a->st_ino == b->st_ino && a->st_size == b->st_size &&
           a->st_mtim.tv_sec == b->st_mtim.tv_sec && a->st_mtim.tv_nsec == b->st_mtim.tv_nsec;
}

/* Under the lock. */
static void look(struct vulndata *v)
{
    char path[PATH_MAX];
    struct stat st;
    struct err e = {0};
    struct vulndata_view *view;
    v->looked = clock_s();
    manifest_path(v->data_dir, path);
    if (stat(path, &st) < 0 || same_file(&st, &v->seen))
        return;
    if (view_open(v->data_dir, &view, &e) < 0) {
        log_warn("policy_engine", "the vulnerability data cannot be opened: %s", e.text);
        return;
    }
    v->seen = st;
    vulndata_drop(v->current);
    v->current = view;
}

int vulndata_open(const char *data_dir, struct vulndata **out, struct err *e)
{
    struct vulndata *v = calloc(1, sizeof *v);
    if (!v)
        return err_no_memory(e);
    int n = snprintf(v->data_dir, sizeof v->data_dir, "%s", data_dir);
    v->current = view_new(NULL, "none");
    if (!v->current || n < 0 || (size_t)n >= sizeof v->data_dir) {
        free(v->current);
        free(v);
        return err_set(e, ERR_LIMIT, "the data directory's path is too long");
    }
    pthread_mutex_init(&v->lock, NULL);
    look(v);
    *out = v;
    return 0;
}

void vulndata_close(struct vulndata *v)
{
    if (!v)
        return;
    vulndata_drop(v->current);
    pthread_mutex_destroy(&v->lock);
    free(v);
}

void vulndata_refresh(struct vulndata *v)
{
    pthread_mutex_lock(&v->lock);
    look(v);
    pthread_mutex_unlock(&v->lock);
}

struct vulndata_view *vulndata_take(struct vulndata *v)
{
    pthread_mutex_lock(&v->lock);
    if (v->looked != clock_s())
        look(v);
    struct vulndata_view *view = v->current;
    view->uses++;
    pthread_mutex_unlock(&v->lock);
    return view;
}

/* ---- sharing -----------------------------------------------------------------------------------
 */

struct publication {
    struct engine *engine;
    str key, bytes;
    struct buf *out;
    int found; /* 1: the document was there */
    char digest[72];
};

static int put_one(struct db_tx *tx, void *ctx, struct err *e)
{
    struct publication *p = ctx;
    struct documents *d = p->engine->documents;
    return document_put(d, tx, STR(VULNDATA_ACCOUNT), STR(VULNDATA_BUCKET), p->key, p->bytes, e);
}

static int put_manifest(struct db_tx *tx, void *ctx, struct err *e)
{
    int rc = put_one(tx, ctx, e);
    return rc < 0 ? rc : db_notify(tx, VULNDATA_CHANNEL, STR(""), e);
}

static int stat_one(struct db_tx *tx, void *ctx, struct err *e)
{
    struct publication *p = ctx;
    uint64_t size;
    p->found = document_stat(p->engine->documents, tx, STR(VULNDATA_ACCOUNT), STR(VULNDATA_BUCKET),
                             p->key, &size, p->digest, e);
    return p->found;
}

static int get_one(struct db_tx *tx, void *ctx, struct err *e)
{
    struct publication *p = ctx;
    buf_clear(p->out);
    return document_get(p->engine->documents, tx, STR(VULNDATA_ACCOUNT), STR(VULNDATA_BUCKET),
                        p->key, p->out, e);
}

static int delete_one(struct db_tx *tx, void *ctx, struct err *e)
{
    struct publication *p = ctx;
    return document_delete(p->engine->documents, tx, STR(VULNDATA_ACCOUNT), STR(VULNDATA_BUCKET),
                           p->key, e);
}

static int publish_shard(struct engine *en, const struct manifest_shard *s, struct err *e)
{
    char path[PATH_MAX];
    struct publication p = {.engine = en, .key = s->file};
    int r = db_run(en->db, DB_READ, stat_one, &p, e);
    if (r != 0)
        return r < 0 ? r : 0;
    auto_buf bytes;
    buf_init(&bytes, SHARD_BYTES_MAX);
    snprintf(path, sizeof path, "%s/vulndb/shards/%.*s", en->config->data_dir, STR_ARG(s->file));
    r = fs_read(path, &bytes, e);
    p.bytes = buf_view(&bytes);
    return r < 0 ? r : db_run(en->db, DB_WRITE, put_one, &p, e);
}

typedef int shard_fn(struct engine *en, const struct manifest_shard *s, struct err *e);

static int each_shard(struct engine *en, const struct manifest *m, shard_fn *fn, struct err *e)
{
    int r = 0;
    for (size_t i = 0; i < m->n_sources; i++)
        for (size_t k = 0; r >= 0 && k < m->sources[i].n_shards; k++)
            r = engine_stopping(en) ? err_set(e, ERR_CONFLICT, "the engine is stopping")
                                    : fn(en, &m->sources[i].shards[k], e);
    if (r >= 0 && m->aliases.file.n)
        r = fn(en, &m->aliases, e);
    return r;
}

static int unpublish_shard(struct engine *en, const struct manifest_shard *s, struct err *e)
{
    struct publication p = {.engine = en, .key = s->file};
    return db_run(en->db, DB_WRITE, delete_one, &p, e);
}

static bool manifest_names(const struct manifest *m, str file)
{
    bool found = str_eq(m->aliases.file, file);
    for (size_t i = 0; i < m->n_sources; i++)
        for (size_t k = 0; k < m->sources[i].n_shards; k++)
            found |= str_eq(m->sources[i].shards[k].file, file);
    return found;
}

/* Leaves in `old` only the shards that `m` does not name. */
static void keep_unnamed(struct manifest *old, const struct manifest *m)
{
    for (size_t i = 0; i < old->n_sources; i++) {
        struct manifest_source *s = &old->sources[i];
        size_t kept = 0;
        for (size_t k = 0; k < s->n_shards; k++)
            if (!manifest_names(m, s->shards[k].file))
                s->shards[kept++] = s->shards[k];
        s->n_shards = kept;
    }
    if (manifest_names(m, old->aliases.file))
        old->aliases.file = STR("");
}

/* What the store holds: 1, or 0 when it holds nothing. */
static int published(struct engine *en, struct buf *text, struct err *e)
{
    struct err why = {0};
    struct publication p = {.engine = en, .key = STR(VULNDATA_MANIFEST), .out = text};
    int r = db_run(en->db, DB_READ, get_one, &p, &why);
    if (r == ERR_NOT_FOUND)
        return 0;
    if (r < 0 && e)
        *e = why;
    return r < 0 ? r : 1;
}

int vulndata_publish(struct engine *en, struct err *e)
{
    char path[PATH_MAX];
    auto_buf here, there;
    struct arena a;
    struct manifest m, old = {0};
    buf_init(&here, MANIFEST_MAX);
    buf_init(&there, MANIFEST_MAX);
    manifest_path(en->config->data_dir, path);
    struct err why = {0};
    int r = fs_read(path, &here, &why);
    if (r == ERR_NOT_FOUND)
        return 0;
    if (r < 0)
        return err_set(e, why.code, "%s", why.text);
    arena_init(&a, 256 << 20);
    r = manifest_parse(buf_view(&here), &a, &m, e);
    if (r == 0)
        r = published(en, &there, e);
    if (r == 1 && manifest_parse(buf_view(&there), &a, &old, NULL) < 0)
        old = (struct manifest){0};
    bool newer = r >= 0 && (r == 0 || m.epoch > old.epoch);
    if (newer)
        r = each_shard(en, &m, publish_shard, e);
    if (newer && r >= 0) {
        struct publication p = {
            .engine = en, .key = STR(VULNDATA_MANIFEST), .bytes = buf_view(&here)};
        r = db_run(en->db, DB_WRITE, put_manifest, &p, e);
    }
    if (newer && r >= 0) {
        keep_unnamed(&old, &m);
        r = each_shard(en, &old, unpublish_shard, e);
    }
    arena_done(&a);
    return r < 0 ? r : newer;
}

static int fetch_shard(void *ctx, str file, struct buf *out, struct err *e)
{
    struct publication p = {.engine = ctx, .key = file, .out = out};
    return db_run(p.engine->db, DB_READ, get_one, &p, e);
}

int vulndata_is_published(struct engine *en, const struct vulndata_view *view, struct err *e)
{
    struct publication p = {.engine = en, .key = STR(VULNDATA_MANIFEST)};
    int r = db_run(en->db, DB_READ, stat_one, &p, e);
    return r < 0 ? r : r == 1 && strcmp(p.digest, view->generation) == 0;
}

int vulndata_fetch(struct engine *en, struct err *e)
{
    auto_vulndata *view = vulndata_take(en->vulndata);
    struct publication p = {.engine = en, .key = STR(VULNDATA_MANIFEST)};
    int r = db_run(en->db, DB_READ, stat_one, &p, e);
    if (r != 1 || strcmp(p.digest, view->generation) == 0)
        return r < 0 ? r : 0;
    auto_buf text;
    buf_init(&text, MANIFEST_MAX);
    r = published(en, &text, e);
    if (r != 1)
        return r;
    return vulndb_adopt(en->config->data_dir, buf_view(&text), fetch_shard, en, e);
}

int vulndata_newest(struct engine *en, struct err *e)
{
    auto_vulndata *view = vulndata_take(en->vulndata);
    int rc = vulndata_is_published(en, view, e);
    if (rc != 0)
        return rc;
    rc = vulndata_fetch(en, e);
    if (rc != 1)
        return rc;
    vulndata_refresh(en->vulndata);
    vulndata_drop(TAKE(view));
    view = vulndata_take(en->vulndata);
    return vulndata_is_published(en, view, e);
}
