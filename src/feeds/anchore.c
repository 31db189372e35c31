#include "feeds/anchore.h"

#include "base/auto.h"
#include "base/clock.h"
#include "base/fs.h"
#include "base/vec.h"
#include "codec/digest.h"
#include "codec/json.h"
#include "vulndb/adopt.h"
#include "vulndb/vulndb.h"

#include <limits.h>
#include <time.h>

enum {
    URL_LONGEST = 4096,
    NAME_LONGEST = 60,
    PAGES_MAX = 100000,
    PAGE_BYTES_MAX = 256 << 20,
    RECORD_MAX = 16 << 20,
    GROUPS_MAX = 2000,
    RESULT_ARENA = 64 << 20,
};

static const char *const known_feeds[] = {"vulnerabilities", "nvdv2", "github", "packages"};

struct run {
    const struct anchore_options *o;
    struct anchore_result *out;
    VEC(struct anchore_group) groups;
    struct err *e;
};

bool anchore_name_ok(str s)
{
    if (!s.n || s.n > NAME_LONGEST || s.p[0] == '.')
        return false;
    for (size_t i = 0; i < s.n; i++)
        if (!ke_isalnum(s.p[i]) && !memchr("-_.:", s.p[i], 4))
            return false;
    return true;
}

bool anchore_feed_known(str feed)
{
    for (size_t i = 0; i < KE_ARRAY_LEN(known_feeds); i++)
        if (str_eq(str_z(known_feeds[i]), feed))
            return true;
    return false;
}

str anchore_source(struct arena *a, str feed, str group)
{
    if (str_eq(feed, STR("nvdv2")))
        return STR("nvd");
    if (str_eq(feed, STR("packages")))
        return arena_printf(a, "packages:%.*s", STR_ARG(group));
    return arena_dup(a, group);
}

static int group_path(const char *data_dir, str feed, str group, const char *suffix,
                      char path[PATH_MAX], struct err *e)
{
    int n = snprintf(path, PATH_MAX, "%s/feeds/anchore/%.*s", data_dir, STR_ARG(feed));
    if (n < 0 || n >= PATH_MAX - NAME_LONGEST - 20)
        return err_set(e, ERR_LIMIT, "path too long: %s", data_dir);
    int r = fs_mkdirs(path, e);
    snprintf(path + n, (size_t)(PATH_MAX - n), "/%.*s%s", STR_ARG(group), suffix);
    return r;
}

/* ---- pages -------------------------------------------------------------------------------------
 */

/* Calls fn with each page's `member`, an array, in turn. */
static int each_page(struct run *run, str feed, str group, const char *member,
                     int (*fn)(struct run *run, void *ctx, yyjson_val *items, struct err *e),
                     void *ctx, struct err *e)
{
    str base = str_z(run->o->url);
    char token[512] = "";
    while (str_ends(base, STR("/")))
        base.n--;
    for (size_t page = 0; page < PAGES_MAX; page++) {
        auto_buf url, body;
        auto_json *doc = NULL;
        struct http_response rs = {0};
        buf_init(&url, URL_LONGEST);
        buf_init(&body, PAGE_BYTES_MAX);
        buf_add_str(&url, base);
        if (feed.n)
            buf_addf(&url, "/%.*s", STR_ARG(feed));
        if (group.n)
            buf_addf(&url, "/%.*s", STR_ARG(group));
        if (token[0])
            buf_addf(&url, "?next_token=%s", token);
        if (!buf_z(&url))
            return err_set(e, ERR_LIMIT, "the URL of the feed service is too long");
        struct http_request rq = {
            .url = url.p, .authorization = run->o->authorization, .max_body = PAGE_BYTES_MAX};
        int r = http_fetch(run->o->http, &rq, &rs, &body, e);
        if (r == 0 && rs.status != 200)
            r = http_status_error(&rs, url.p, e);
        if (r == 0 && !str_starts(http_header(&rs, "content-type"), STR("application/json")))
            r = err_set(e, ERR_FORMAT, "%s: the answer is no JSON", url.p);
        http_response_done(&rs);
        if (r == 0)
            r = json_parse(buf_view(&body), url.p, &doc, e);
        if (r == 0 && !yyjson_is_arr(json_get(yyjson_doc_get_root(doc), member)))
            r = err_set(e, ERR_FORMAT, "%s: the answer has no list \"%s\"", url.p, member);
        if (r == 0)
            r = fn(run, ctx, json_get(yyjson_doc_get_root(doc), member), e);
        str next = json_str(yyjson_doc_get_root(doc), "next_token");
        if (r < 0 || !next.n)
            return r;
        auto_buf escaped;
        buf_init(&escaped, sizeof token - 1);
        for (size_t i = 0; i < next.n; i++)
            buf_addf(&escaped, ke_isalnum(next.p[i]) ? "%c" : "%%%02X", (unsigned char)next.p[i]);
        if (!buf_z(&escaped) || strcmp(token, escaped.p) == 0)
            return err_set(e, ERR_FORMAT, "%s: no usable next_token", url.p);
        snprintf(token, sizeof token, "%s", escaped.p);
    }
    return err_set(e, ERR_LIMIT, "the feed service has more than %d pages", PAGES_MAX);
}

struct names {
    struct arena *arena;
    VEC(str) items;
};

static int take_names(struct run *run, void *ctx, yyjson_val *items, struct err *e)
{
    struct names *names = ctx;
    size_t i, n;
    yyjson_val *item;
    yyjson_arr_foreach(items, i, n, item)
    {
        str name = json_str(item, "name");
        if (!anchore_name_ok(name))
            continue;
        str *slot = names->items.n < GROUPS_MAX ? vec_push(&names->items) : NULL;
        if (!slot)
            return err_set(e, ERR_LIMIT, "the feed service has more than %d groups", GROUPS_MAX);
        *slot = arena_dup(names->arena, name);
    }
    return 0;
}

/* ---- one group ---------------------------------------------------------------------------------
 */

struct download {
    FILE *file;
    struct digest_ctx *digest;
    uint64_t records;
};

static int take_records(struct run *run, void *ctx, yyjson_val *items, struct err *e)
{
    struct download *d = ctx;
    size_t i, n, length;
    yyjson_val *item;
    yyjson_arr_foreach(items, i, n, item)
    {
        char *text autofree = yyjson_val_write(item, 0, &length);
        if (!text)
            return err_no_memory(e);
        if (length >= RECORD_MAX)
            return err_set(e, ERR_LIMIT, "a record is larger than %d bytes", RECORD_MAX);
        text[length++] = '\n'; /* in the place of the NUL */
        if (fwrite(text, 1, length, d->file) != length)
            return err_errno(e, "cannot write a feed's records");
        digest_update(d->digest, text, length);
        d->records++;
    }
    return 0;
}

static int download(struct run *run, struct anchore_group *g, const char *path,
                    char digest[SHA256_TEXT], struct err *e)
{
    struct download d = {.file = fopen(path, "we")};
    if (!d.file)
        return err_errno(e, "cannot create %s", path);
    int r = digest_new(&d.digest, e);
    if (r == 0) {
        r = each_page(run, g->feed, g->name, "data", take_records, &d, e);
        struct sha256 sum = digest_final(d.digest);
        digest_free(d.digest);
        sha256_format(&sum, digest);
    }
    if (fclose(d.file) && r == 0)
        r = err_errno(e, "cannot write %s", path);
    g->records = d.records;
    return r;
}

static int read_records(const char *path, str feed, str group, struct claim_sink *sink,
                        struct err *e)
{
    FILE *file autofile = fopen(path, "re");
    char *line autofree = NULL;
    size_t cap = 0;
    ssize_t n;
    int r = 0;
    if (!file)
        return err_errno(e, "cannot open %s", path);
    while (r == 0 && (n = getline(&line, &cap, file)) > 0)
        r = anchore_record(feed, group, (str){line, (size_t)n}, sink, e);
    if (r == 0 && ferror(file))
        r = err_errno(e, "cannot read %s", path);
    return r;
}

static int load(const char *data_dir, const struct anchore_group *g, const char *path, str source,
                struct err *e)
{
    struct vulndb_builder *b;
    struct vulndb_stats stats;
    int r = vulndb_builder_new(data_dir, source, &b, e);
    if (r < 0)
        return r;
    r = read_records(path, g->feed, g->name, vulndb_builder_sink(b), e);
    if (r == 0)
        r = vulndb_builder_install(b, &stats, e);
    vulndb_builder_free(b);
    return r;
}

static bool in_database(const char *data_dir, str source)
{
    struct vulndb *db;
    bool found = false;
    size_t n = 0;
    if (vulndb_open(data_dir, &db, NULL) < 0)
        return false;
    const struct vulndb_source *sources = vulndb_sources(db, &n);
    for (size_t i = 0; i < n; i++)
        found |= str_eq(sources[i].name, source);
    vulndb_close(db);
    return found;
}

static int sync_group(struct run *run, struct anchore_group *g, struct err *e)
{
    char path[PATH_MAX], part[PATH_MAX], mark[PATH_MAX], digest[SHA256_TEXT];
    const char *data_dir = run->o->data_dir;
    str source = anchore_source(&run->out->arena, g->feed, g->name);
    auto_buf old;
    buf_init(&old, 4096);
    int r = group_path(data_dir, g->feed, g->name, ".jsonl", path, e);
    if (r == 0)
        r = group_path(data_dir, g->feed, g->name, ".part", part, e);
    if (r == 0)
        r = group_path(data_dir, g->feed, g->name, ".loaded", mark, e);
    if (r == 0)
        r = download(run, g, part, digest, e);
    bool same = r == 0 && !run->o->force && fs_read(mark, &old, NULL) == 0 &&
                str_eq(buf_view(&old), str_z(digest)) &&
                (!g->records || in_database(data_dir, source));
    if (r < 0 || same) {
        unlink(part);
        return r;
    }
    if (rename(part, path) < 0)
        return err_errno(e, "cannot rename %s", part);
    unlink(mark);
    r = g->records ? load(data_dir, g, path, source, e) : vulndb_remove(data_dir, source, e);
    if (r < 0)
        return r;
    g->changed = run->out->changed = true;
    return fs_write_atomic(mark, str_z(digest), 0644, e);
}

static int stopped(struct run *run)
{
    return err_set(run->e, ERR_CONFLICT, "the synchronisation was stopped");
}

static int one_group(struct run *run, str feed, str name)
{
    const struct anchore_options *o = run->o;
    struct err why = {0};
    struct anchore_group g = {.feed = feed, .name = name};
    if (o->wants && !o->wants(o->ctx, feed, name))
        return 0;
    if (o->start && o->start(o->ctx, &g) < 0)
        return stopped(run);
    double started = clock_seconds();
    if (sync_group(run, &g, &why) < 0) {
        g.failed = true;
        g.problem = arena_dup(&run->out->arena, str_z(why.text));
    }
    g.seconds = clock_seconds() - started;
    struct anchore_group *slot = vec_push(&run->groups);
    if (!slot)
        return err_no_memory(run->e);
    *slot = g;
    return o->done && o->done(o->ctx, &g) < 0 ? stopped(run) : 0;
}

static int one_feed(struct run *run, str feed)
{
    const struct anchore_options *o = run->o;
    struct names groups = {.arena = &run->out->arena};
    struct anchore_group whole = {.feed = feed};
    struct err why = {0};
    if (!anchore_feed_known(feed) || (o->wants && !o->wants(o->ctx, feed, STR(""))))
        return 0;
    if (o->start && o->start(o->ctx, &whole) < 0)
        return stopped(run);
    int r = each_page(run, feed, STR(""), "groups", take_names, &groups, &why);
    whole.failed = r < 0;
    whole.problem = arena_dup(&run->out->arena, str_z(why.text));
    r = 0;
    for (size_t i = 0; r == 0 && i < groups.items.n; i++)
        r = one_group(run, feed, groups.items.p[i]);
    vec_done(&groups.items);
    if (r == 0 && o->done && o->done(o->ctx, &whole) < 0)
        r = stopped(run);
    return r;
}

int anchore_sync(const struct anchore_options *o, struct anchore_result *out, struct err *e)
{
    *out = (struct anchore_result){0};
    arena_init(&out->arena, RESULT_ARENA);
    struct run run = {.o = o, .out = out, .e = e};
    struct names feeds = {.arena = &out->arena};
    int r = each_page(&run, STR(""), STR(""), "feeds", take_names, &feeds, e);
    for (size_t i = 0; r == 0 && i < feeds.items.n; i++)
        r = one_feed(&run, feeds.items.p[i]);
    vec_done(&feeds.items);
    out->groups = run.groups.p;
    out->n = run.groups.n;
    return r;
}

void anchore_result_done(struct anchore_result *r)
{
    free(r->groups);
    arena_done(&r->arena);
}

int anchore_remove(const char *data_dir, str feed, str group, struct err *e)
{
    static const char *const suffixes[] = {".jsonl", ".part", ".loaded"};
    char path[PATH_MAX];
    struct arena a;
    if (!anchore_feed_known(feed) || !anchore_name_ok(group))
        return 0;
    for (size_t i = 0; i < KE_ARRAY_LEN(suffixes); i++) {
        int r = group_path(data_dir, feed, group, suffixes[i], path, e);
        if (r < 0)
            return r;
        unlink(path);
    }
    arena_init(&a, 4096);
    int r = vulndb_remove(data_dir, anchore_source(&a, feed, group), e);
    arena_done(&a);
    return r;
}
