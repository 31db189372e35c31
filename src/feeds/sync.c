#include "feeds/sync.h"

#include "base/auto.h"
#include "base/fs.h"
#include "base/vec.h"
#include "codec/digest.h"
#include "feeds/sync_fetch.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>

enum { RELEASES_MAX = 200, URL_LONGEST = 2048, INDEX_MAX = 4 << 20 };

struct sync_item {
    char *url, *store;
    bool optional, changed;
};

struct sync {
    const struct feed_ops *feed;
    const struct feed_sync_options *o;
    struct feed_sync_result *out;
    char dir[PATH_MAX];
    VEC(struct sync_item) items;
    size_t at; /* the item being downloaded */
};

static void sync_done(struct sync *s)
{
    for (size_t i = 0; i < s->items.n; i++) {
        free(s->items.p[i].url);
        free(s->items.p[i].store);
    }
    vec_done(&s->items);
}

/* ---- which files --------------------------------------------------------------------------------
 */

/* The URL below the base that stands for its scheme and host. */
static void rebase(const char *base, str url, struct buf *out)
{
    str b = str_z(base);
    while (str_ends(b, STR("/")))
        b.n--;
    ptrdiff_t at = str_find(url, STR("://"));
    str rest = at < 0 ? url : str_from(url, (size_t)at + 3);
    ptrdiff_t slash = str_index(rest, '/');
    buf_add_str(out, b);
    buf_add_str(out, slash < 0 ? STR("/") : str_from(rest, (size_t)slash));
}

static void put_filled(struct buf *out, const char *pattern, const char *mark, str value)
{
    str p = str_z(pattern), m = str_z(mark);
    ptrdiff_t at;
    while (m.n && (at = str_find(p, m)) >= 0) {
        buf_add_str(out, str_sub(p, 0, (size_t)at));
        buf_add_str(out, value);
        p = str_from(p, (size_t)at + m.n);
    }
    buf_add_str(out, p);
}

static int item_add(struct sync *s, const struct feed_file *f, const char *mark, str value,
                    struct err *e)
{
    auto_buf url, store, based;
    buf_init(&url, URL_LONGEST);
    buf_init(&store, URL_LONGEST);
    buf_init(&based, URL_LONGEST);
    put_filled(&url, f->url, mark, value);
    put_filled(&store, f->store, mark, value);
    if (s->o->base_url)
        rebase(s->o->base_url, buf_view(&url), &based);
    const char *final = s->o->base_url ? buf_z(&based) : buf_z(&url), *below = buf_z(&store);
    if (!final || !below)
        return err_set(e, ERR_LIMIT, "the URL of a file is longer than %d bytes", URL_LONGEST);
    struct sync_item *item = vec_push(&s->items);
    if (!item || !(item->url = strdup(final)) || !(item->store = strdup(below)))
        return err_no_memory(e);
    item->optional = f->optional;
    return 0;
}

/* "v3.18/" or "edge/": a release's directory. */
static bool is_release(str name)
{
    if (str_eq(name, STR("edge")))
        return true;
    if (name.n < 4 || name.n > 16 || name.p[0] != 'v' || !ke_isdigit(name.p[1]))
        return false;
    for (size_t i = 1; i < name.n; i++)
        if (!ke_isdigit(name.p[i]) && name.p[i] != '.')
            return false;
    return true;
}

/* The directories that an index page links to, each once, in the page's order. */
static size_t index_releases(str page, str out[RELEASES_MAX])
{
    size_t n = 0;
    ptrdiff_t at;
    while (n < RELEASES_MAX && (at = str_find(page, STR("href=\""))) >= 0) {
        page = str_from(page, (size_t)at + 6);
        ptrdiff_t quote = str_index(page, '"');
        str link = quote < 0 ? STR("") : str_sub(page, 0, (size_t)quote);
        if (str_ends(link, STR("/")))
            link.n--;
        link = str_basename(link);
        bool known = !is_release(link);
        for (size_t i = 0; i < n; i++)
            known |= str_eq(out[i], link);
        if (!known)
            out[n++] = link;
    }
    return n;
}

static int index_fetch(struct sync *s, struct buf *page, struct err *e)
{
    auto_buf url;
    struct http_response rs = {0};
    buf_init(&url, URL_LONGEST);
    str index = str_z(s->feed->sync->index_url);
    if (s->o->base_url)
        rebase(s->o->base_url, index, &url);
    else
        buf_add_str(&url, index);
    if (!buf_z(&url))
        return err_no_memory(e);
    struct http_request rq = {.url = url.p, .max_body = INDEX_MAX};
    int r = http_fetch(s->o->http, &rq, &rs, page, e);
    if (r == 0 && rs.status != 200)
        r = http_status_error(&rs, url.p, e);
    http_response_done(&rs);
    return r;
}

static int items_by_index(struct sync *s, struct err *e)
{
    auto_buf page;
    str releases[RELEASES_MAX];
    buf_init(&page, INDEX_MAX);
    int r = index_fetch(s, &page, e);
    if (r < 0)
        return r;
    size_t n = index_releases(buf_view(&page), releases);
    if (!n)
        return err_set(e, ERR_FORMAT, "the index at %s names no release", s->feed->sync->index_url);
    for (const struct feed_file *f = s->feed->sync->files; f->url && r == 0; f++) {
        if (!strstr(f->url, "{release}"))
            r = item_add(s, f, "", STR(""), e);
        else
            for (size_t i = 0; i < n && r == 0; i++)
                r = item_add(s, f, "{release}", releases[i], e);
    }
    return r;
}

static int items_by_year(struct sync *s, struct err *e)
{
    struct tm now;
    time_t t = time(NULL);
    gmtime_r(&t, &now);
    int r = 0;
    for (const struct feed_file *f = s->feed->sync->files; f->url && r == 0; f++)
        for (int year = s->feed->sync->first_year; year <= now.tm_year + 1900 && r == 0; year++) {
            char text[16];
            snprintf(text, sizeof text, "%d", year);
            r = item_add(s, f, "{year}", str_z(text), e);
        }
    return r;
}

static int items_make(struct sync *s, struct err *e)
{
    if (s->feed->sync->index_url)
        return items_by_index(s, e);
    if (s->feed->sync->first_year)
        return items_by_year(s, e);
    int r = 0;
    for (const struct feed_file *f = s->feed->sync->files; f->url && r == 0; f++)
        r = item_add(s, f, "", STR(""), e);
    return r;
}

/* ---- downloading --------------------------------------------------------------------------------
 */

static void on_bytes(void *ctx, uint64_t bytes)
{
    struct sync *s = ctx;
    if (s->o->on_file)
        s->o->on_file(s->o->ctx, s->items.p[s->at].store, s->at + 1, s->items.n,
                      s->out->bytes + bytes);
}

static bool stopped(void *ctx)
{
    const struct sync *s = ctx;
    return s->o->stop && s->o->stop(s->o->ctx);
}

static int item_fetch(struct sync *s, struct sync_item *item, struct err *e)
{
    char path[PATH_MAX], dir[PATH_MAX];
    int n = snprintf(path, sizeof path, "%s/%s", s->dir, item->store);
    if (n < 0 || (size_t)n >= sizeof path)
        return err_set(e, ERR_LIMIT, "path too long: %s", s->dir);
    str parent = str_dirname(str_z(path));
    snprintf(dir, sizeof dir, "%.*s", STR_ARG(parent));
    int r = fs_mkdirs(dir, e);
    if (r < 0)
        return r;
    enum sync_outcome outcome = SYNC_UNCHANGED;
    struct sync_fetch f = {.http = s->o->http,
                           .url = item->url,
                           .path = path,
                           .optional = item->optional,
                           .on_bytes = on_bytes,
                           .stop = stopped,
                           .ctx = s};
    on_bytes(s, 0);
    r = sync_fetch(&f, &outcome, e);
    s->out->bytes += f.bytes;
    s->out->changed += r == 0 && outcome == SYNC_CHANGED;
    s->out->absent += r == 0 && outcome == SYNC_ABSENT;
    item->changed = r == 0 && outcome == SYNC_CHANGED;
    return r;
}

/* Tries every file; the first failure is the result. */
static int items_fetch(struct sync *s, struct err *e)
{
    struct err ignored;
    int r = 0;
    s->out->files = s->items.n;
    for (s->at = 0; s->at < s->items.n; s->at++) {
        if (stopped(s))
            return err_set(e, ERR_CONFLICT, "the synchronisation was stopped");
        int one = item_fetch(s, &s->items.p[s->at], r == 0 ? e : &ignored);
        if (r == 0)
            r = one;
    }
    return r;
}

/* ---- loading ------------------------------------------------------------------------------------
 */

/* A digest over names, sizes and times of the files: what a database was built from. */
static int fingerprint(struct sync *s, char text[SHA256_TEXT], struct err *e)
{
    struct digest_ctx *d;
    int r = digest_new(&d, e);
    if (r < 0)
        return r;
    size_t present = 0;
    for (size_t i = 0; i < s->items.n; i++) {
        char path[PATH_MAX];
        struct stat st;
        snprintf(path, sizeof path, "%s/%s", s->dir, s->items.p[i].store);
        if (stat(path, &st) < 0)
            continue;
        char line[PATH_MAX + 128];
        int n = snprintf(line, sizeof line, "%s %lld %lld.%09ld\n", s->items.p[i].store,
                         (long long)st.st_size, (long long)st.st_mtim.tv_sec, st.st_mtim.tv_nsec);
        digest_update(d, line, (size_t)n);
        present++;
    }
    struct sha256 sum = digest_final(d);
    digest_free(d);
    sha256_format(&sum, text);
    return present ? 0 : err_set(e, ERR_NOT_FOUND, "the upstream has none of the files");
}

static bool loaded_from(const char *marker, const char *print)
{
    auto_buf text;
    buf_init(&text, 4096);
    return fs_read(marker, &text, NULL) == 0 && str_eq(str_trim(buf_view(&text)), str_z(print));
}

/* Is the source in the database still? (Somebody may have removed that.) */
static bool in_database(const struct sync *s)
{
    struct vulndb *db;
    bool found = false;
    size_t n = 0;
    if (vulndb_open(s->o->data_dir, &db, NULL) < 0)
        return false;
    const struct vulndb_source *sources = vulndb_sources(db, &n);
    for (size_t i = 0; i < n; i++)
        found |= str_eq(sources[i].name, str_z(s->feed->name));
    vulndb_close(db);
    return found;
}

/* The builder's sink, asking between records whether to go on. */
struct stoppable {
    struct claim_sink sink, *below;
    struct sync *sync;
};

static int stoppable_check(const struct stoppable *t, struct err *e)
{
    return stopped(t->sync) ? err_set(e, ERR_CONFLICT, "the synchronisation was stopped") : 0;
}

static int stoppable_vuln(struct claim_sink *s, const struct vuln *v, struct err *e)
{
    const struct stoppable *t = (const struct stoppable *)s;
    int r = stoppable_check(t, e);
    return r < 0 ? r : t->below->vuln(t->below, v, e);
}

static int stoppable_claim(struct claim_sink *s, const struct claim *c, struct err *e)
{
    const struct stoppable *t = (const struct stoppable *)s;
    return t->below->claim(t->below, c, e);
}

static void stoppable_drop(struct claim_sink *s, const char *reason, uint64_t n)
{
    const struct stoppable *t = (const struct stoppable *)s;
    t->below->drop(t->below, reason, n);
}

static void stoppable_record(struct claim_sink *s, uint64_t n)
{
    const struct stoppable *t = (const struct stoppable *)s;
    t->below->record(t->below, n);
}

static void stoppable_dated(struct claim_sink *s, int64_t date, str version)
{
    const struct stoppable *t = (const struct stoppable *)s;
    t->below->dated(t->below, date, version);
}

static int load(struct sync *s, struct err *e)
{
    int r = vulndb_builder_new(s->o->data_dir, str_z(s->feed->name), &s->out->builder, e);
    if (r < 0)
        return r;
    struct feed_progress progress = {s->o->on_load, s->o->ctx};
    const char *dir = s->dir;
    struct stoppable sink = {
        {stoppable_vuln, stoppable_claim, stoppable_drop, stoppable_record, stoppable_dated},
        vulndb_builder_sink(s->out->builder),
        s};
    r = feeds_load(s->feed, &dir, 1, &sink.sink, s->o->on_load ? &progress : NULL, e);
    if (r == 0)
        r = vulndb_builder_install(s->out->builder, &s->out->stats, e);
    return r;
}

static int load_if_changed(struct sync *s, struct err *e)
{
    char marker[PATH_MAX + 16], print[SHA256_TEXT];
    snprintf(marker, sizeof marker, "%s/.loaded", s->dir);
    int r = fingerprint(s, print, e);
    if (r < 0)
        return r;
    if (!s->o->force && loaded_from(marker, print) && in_database(s))
        return 0;
    r = load(s, e);
    if (r < 0 && !stopped(s)) { /* what came may be garbage: fetch it whole the next time */
        for (size_t i = 0; i < s->items.n; i++) {
            char path[PATH_MAX];
            snprintf(path, sizeof path, "%s/%s", s->dir, s->items.p[i].store);
            if (s->items.p[i].changed)
                sync_forget(path);
        }
    }
    if (r < 0)
        return r;
    s->out->loaded = true;
    return fs_write_atomic(marker, str_z(print), 0644, e);
}

/* ---- the whole ----------------------------------------------------------------------------------
 */

static int lock(const struct sync *s, int *fd, struct err *e)
{
    char path[PATH_MAX + 16];
    snprintf(path, sizeof path, "%s/.lock", s->dir);
    *fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0644);
    if (*fd < 0)
        return err_errno(e, "cannot create %s", path);
    if (flock(*fd, LOCK_EX | LOCK_NB) == 0)
        return 0;
    if (errno == EWOULDBLOCK)
        return err_set(e, ERR_USAGE, "another `kellet feeds sync` is at work in %s", s->dir);
    return err_errno(e, "cannot lock %s", path);
}

int feed_sync(const struct feed_ops *feed, const struct feed_sync_options *o,
              struct feed_sync_result *out, struct err *e)
{
    *out = (struct feed_sync_result){0};
    if (!feed->sync)
        return err_set(e, ERR_USAGE, "the feed has no upstream to download from");
    struct sync s = {.feed = feed, .o = o, .out = out};
    int fd autoclose = -1;
    int n = snprintf(s.dir, sizeof s.dir, "%s/feeds/%s", o->data_dir, feed->name);
    if (n < 0 || (size_t)n >= sizeof s.dir - 256)
        return err_set(e, ERR_LIMIT, "path too long: %s", o->data_dir);
    int r = fs_mkdirs(s.dir, e);
    if (r == 0)
        r = lock(&s, &fd, e);
    if (r == 0)
        r = items_make(&s, e);
    if (r == 0)
        r = items_fetch(&s, e);
    if (r == 0)
        r = load_if_changed(&s, e);
    sync_done(&s);
    return r;
}

void feed_sync_result_done(struct feed_sync_result *r)
{
    vulndb_builder_free(r->builder);
    r->builder = NULL;
}

const char *feed_sync_base_url(const struct feed_ops *feed)
{
    char name[64];
    size_t n = (size_t)snprintf(name, sizeof name, "KELLET_FEED_BASE_URL_%s", feed->name);
    for (size_t i = 0; i < n && i < sizeof name; i++)
        if (name[i] >= 'a' && name[i] <= 'z')
            name[i] = (char)(name[i] - 'a' + 'A');
    const char *own = getenv(name), *all = getenv("KELLET_FEED_BASE_URL");
    return own && *own ? own : all && *all ? all : NULL;
}
