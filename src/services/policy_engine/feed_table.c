/* feed_table.c - the tables feed and feed_group. */
#include "base/vec.h"
#include "services/policy_engine/feed_sync.h"

static int read_groups(struct db_tx *tx, struct arena *a, struct feed_row *f, struct err *e)
{
    auto_rows *rows = NULL;
    VEC(struct feed_group_row) list = {0};
    int r = db_query(tx,
                     "SELECT group_name, enabled, last_sync, record_count, created_at, updated_at"
                     " FROM feed_group WHERE feed = $1 ORDER BY created_at, group_name",
                     DB(DBS(f->name)), &rows, e);
    while (r >= 0 && (r = db_next(rows, e)) == 1) {
        struct feed_group_row *g = vec_push(&list);
        if (!g) {
            r = err_no_memory(e);
            break;
        }
        *g = (struct feed_group_row){
            .name = arena_dup(a, db_text(rows, 0)),
            .enabled = db_int(rows, 1),
            .last_sync = db_int(rows, 2),
            .records = db_int(rows, 3),
            .created = db_int(rows, 4),
            .updated = db_int(rows, 5),
        };
    }
    f->groups = arena_calloc(a, list.n + 1, sizeof *f->groups);
    if (r >= 0 && !f->groups)
        r = err_no_memory(e);
    if (r >= 0 && list.n)
        memcpy(f->groups, list.p, list.n * sizeof *f->groups);
    f->n_groups = list.n;
    vec_done(&list);
    return r;
}

static int read_feeds(struct db_tx *tx, struct arena *a, struct feed_row **out, size_t *n,
                      struct err *e)
{
    auto_rows *rows = NULL;
    enum { FEEDS_MAX = 64 };
    *n = 0;
    *out = arena_calloc(a, FEEDS_MAX, sizeof **out);
    if (!*out)
        return err_no_memory(e);
    int r = db_query(tx,
                     "SELECT name, enabled, last_full_sync, created_at, updated_at FROM feed"
                     " ORDER BY created_at, name LIMIT 64",
                     DB0, &rows, e);
    while (r >= 0 && (r = db_next(rows, e)) == 1)
        (*out)[(*n)++] = (struct feed_row){
            .name = arena_dup(a, db_text(rows, 0)),
            .enabled = db_int(rows, 1),
            .last_full_sync = db_int(rows, 2),
            .created = db_int(rows, 3),
            .updated = db_int(rows, 4),
        };
    return r;
}

int feed_table_read(struct db_tx *tx, struct arena *a, struct feed_row **out, size_t *n,
                    struct err *e)
{
    int r = read_feeds(tx, a, out, n, e);
    for (size_t i = 0; r >= 0 && i < *n; i++)
        r = read_groups(tx, a, &(*out)[i], e);
    return r < 0 ? r : a->full ? err_no_memory(e) : 0;
}

static int not_found(str feed, str group, struct err *e)
{
    return err_set(e, ERR_NOT_FOUND, "Resource %.*s not found", STR_ARG(group.n ? group : feed));
}

int feed_table_enable(struct db_tx *tx, str feed, str group, bool enabled, struct err *e)
{
    int64_t n =
        group.n ? db_exec(tx,
                          "UPDATE feed_group SET enabled = $1, updated_at = now_us() WHERE feed ="
                          " $2 AND group_name = $3",
                          DB(DBI(enabled), DBS(feed), DBS(group)), e)
                : db_exec(tx, "UPDATE feed SET enabled = $1 WHERE name = $2",
                          DB(DBI(enabled), DBS(feed)), e);
    return n < 0 ? (int)n : n == 0 ? not_found(feed, group, e) : 0;
}

static int is_enabled(struct db_tx *tx, str feed, str group, int64_t *enabled, struct err *e)
{
    struct err why = {0};
    int r =
        group.n
            ? db_query_int(tx, "SELECT enabled FROM feed_group WHERE feed = $1 AND group_name = $2",
                           DB(DBS(feed), DBS(group)), enabled, &why)
            : db_query_int(tx, "SELECT enabled FROM feed WHERE name = $1", DB(DBS(feed)), enabled,
                           &why);
    if (r == ERR_NOT_FOUND)
        return not_found(feed, group, e);
    return r < 0 ? err_set(e, why.code, "%s", why.text) : 0;
}

int feed_table_clear(struct db_tx *tx, str feed, str group, struct err *e)
{
    int64_t enabled = 0;
    int r = is_enabled(tx, feed, group, &enabled, e);
    if (r < 0)
        return r;
    if (enabled)
        return err_set(e, ERR_CONFLICT,
                       group.n ? "Cannot delete an enabled feed group. Disable the feed group first"
                               : "Cannot delete an enabled feed. Disable the feed first");
    int64_t n =
        group.n ? db_exec(tx,
                          "UPDATE feed_group SET last_sync = NULL, record_count = 0, updated_at ="
                          " now_us() WHERE feed = $1 AND group_name = $2",
                          DB(DBS(feed), DBS(group)), e)
                : db_exec(tx,
                          "UPDATE feed_group SET last_sync = NULL, record_count = 0, updated_at ="
                          " now_us() WHERE feed = $1",
                          DB(DBS(feed)), e);
    if (n >= 0 && !group.n)
        n = db_exec(tx,
                    "UPDATE feed SET last_full_sync = NULL, updated_at = now_us() WHERE name = $1",
                    DB(DBS(feed)), e);
    return n < 0 ? (int)n : 0;
}

static int note(struct db_tx *tx, void *ctx, struct err *e)
{
    const struct feed_note *n = ctx;
    int64_t r = db_exec(tx,
                        "INSERT INTO feed (name, created_at, updated_at) VALUES ($1, now_us(),"
                        " now_us()) ON CONFLICT (name) DO NOTHING",
                        DB(DBS(n->feed)), e);
    if (r >= 0 && n->group.n)
        r = db_exec(tx,
                    "INSERT INTO feed_group (feed, group_name, created_at, updated_at) VALUES ($1,"
                    " $2, now_us(), now_us()) ON CONFLICT (feed, group_name) DO NOTHING",
                    DB(DBS(n->feed), DBS(n->group)), e);
    if (r >= 0 && n->synced && n->group.n)
        r = db_exec(tx,
                    "UPDATE feed_group SET last_sync = now_us(), record_count = $3, updated_at ="
                    " now_us() WHERE feed = $1 AND group_name = $2",
                    DB(DBS(n->feed), DBS(n->group), DBI(n->records)), e);
    if (r >= 0 && n->synced && !n->group.n)
        r = db_exec(tx,
                    "UPDATE feed SET last_full_sync = now_us(), updated_at = now_us() WHERE name"
                    " = $1",
                    DB(DBS(n->feed)), e);
    return r < 0 ? (int)r : 0;
}

int feed_table_note(struct db *db, const struct feed_note *n, struct err *e)
{
    return db_run(db, DB_WRITE, note, (void *)(uintptr_t)n, e);
}

void feed_of_part(struct arena *a, str source, str platform, str ecosystem, str *feed, str *group)
{
    static const struct {
        const char *ecosystem, *group;
    } groups[] = {
        {"PyPI", "github:python"}, {"npm", "github:npm"},        {"RubyGems", "github:gem"},
        {"Maven", "github:java"},  {"Go", "github:go"},          {"Packagist", "github:composer"},
        {"NuGet", "github:nuget"}, {"crates.io", "github:rust"},
    };
    *feed = STR("vulnerabilities");
    *group = platform;
    if (str_eq(source, STR("nvd"))) {
        *feed = STR("nvdv2");
        *group = platform.n || ecosystem.n ? STR("") : STR("nvdv2:cves");
        return;
    }
    if (!ecosystem.n)
        return;
    *feed = STR("github");
    for (size_t i = 0; i < KE_ARRAY_LEN(groups); i++)
        if (str_eq(ecosystem, str_z(groups[i].ecosystem))) {
            *group = str_z(groups[i].group);
            return;
        }
    *group = arena_printf(a, "osv:%.*s", STR_ARG(ecosystem));
}
