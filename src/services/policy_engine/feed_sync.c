#include "base/clock.h"
#include "base/vec.h"
#include "services/policy_engine/feed_sync.h"

#include "codec/json.h"
#include "feeds/anchore.h"
#include "feeds/sync.h"
#include "services/event.h"
#include "services/log.h"
#include "services/policy_engine/vulndata.h"
#include "store/queue.h"

#include <pthread.h>
#include <stdatomic.h>
#include <time.h>
#include <unistd.h>

enum { LEASE_US = 90 * 1000000, KEEP_EVERY_US = 20 * 1000000, REPORT_ARENA = 64 << 20 };
static const char lease[] = "feed_sync_run";

struct run {
    struct engine *engine;
    struct feed_sync_report *out;
    bool force;
    str only;
    struct feed_row *table;
    size_t n_table;
    struct http *http;
    char holder[128];
    pthread_t keeper;
    atomic_bool ended, lost;
};

void feed_sync_report_done(struct feed_sync_report *r)
{
    vec_done(&r->groups);
    vec_done(&r->feeds);
    arena_done(&r->arena);
}

/* ---- the lease ---------------------------------------------------------------------------------
 */

static void *keep_lease(void *ctx)
{
    struct run *r = ctx;
    struct timespec tick = {.tv_nsec = 200 * 1000000};
    int64_t waited = 0;
    while (!r->ended) {
        nanosleep(&tick, NULL);
        waited += tick.tv_nsec / 1000;
        if (waited < KEEP_EVERY_US)
            continue;
        waited = 0;
        struct err e;
        if (lease_hold(r->engine->db, STR(lease), str_z(r->holder), LEASE_US, &e) == 0)
            r->lost = true;
    }
    return NULL;
}

static int begin(struct run *r, struct err *e)
{
    static atomic_uint number;
    snprintf(r->holder, sizeof r->holder, "%.60s/%ld/%u", r->engine->host_id, (long)getpid(),
             ++number);
    int held = lease_hold(r->engine->db, STR(lease), str_z(r->holder), LEASE_US, e);
    if (held == 0)
        return err_set(e, ERR_CONFLICT, "A previous feed sync is in progress");
    if (held < 0)
        return held;
    if (pthread_create(&r->keeper, NULL, keep_lease, r) != 0) {
        lease_release(r->engine->db, STR(lease), str_z(r->holder), NULL);
        return err_set(e, ERR_NO_MEMORY, "cannot start a thread");
    }
    return 0;
}

static void end(struct run *r)
{
    r->ended = true;
    pthread_join(r->keeper, NULL);
    lease_release(r->engine->db, STR(lease), str_z(r->holder), NULL);
}

/* ---- telling -----------------------------------------------------------------------------------
 */

static void tell(struct run *r, const char *type, str id, str details)
{
    struct err e = {0};
    struct event ev = {.engine = r->engine,
                       .service = SERVICE_POLICY_ENGINE,
                       .type = type,
                       .account = STR("admin"),
                       .resource_id = id,
                       .details = details};
    if (event_tell(r->engine, &ev, &e) < 0)
        log_warn("policy_engine", "an event of the feeds cannot be told: %s", e.text);
}

static void tell_problem(struct run *r, const char *type, str id, str why)
{
    static const char *const names[] = {"cause"};
    log_warn("policy_engine", "feed sync %.*s: %.*s", STR_ARG(id), STR_ARG(why));
    tell(r, type, id, event_details(&r->out->arena, names, &why, 1));
}

/* Details of the whole run: what it looks at, and why it failed where it did. */
static void tell_run(struct run *r, const char *type, str cause)
{
    static const char *const feeds[] = {"vulnerabilities", "nvdv2", "github", "packages"};
    size_t n = r->engine->config->legacy_feeds_url ? 4 : 3;
    auto_buf text;
    buf_init(&text, 64 << 10);
    buf_add_char(&text, '{');
    if (cause.n) {
        log_warn("policy_engine", "feed sync: %.*s", STR_ARG(cause));
        buf_add_str(&text, STR("\"cause\": "));
        json_put_string(&text, cause);
        buf_add_str(&text, STR(", "));
    }
    buf_add_str(&text, STR("\"sync_feed_types\": ["));
    for (size_t i = 0; i < n; i++)
        buf_addf(&text, "%s\"%s\"", i ? ", " : "", feeds[i]);
    buf_add_str(&text, STR("]}"));
    tell(r, type, (str){0}, buf_view(&text));
}

/* {"result": {...}} of a group, as the answer to a synchronisation has it. */
static str group_details(struct run *r, const struct feed_group_result *g)
{
    auto_buf text;
    buf_init(&text, 64 << 10);
    buf_add_str(&text, STR("{\"result\": {\"group\": "));
    json_put_string(&text, g->group);
    buf_addf(&text,
             ", \"status\": \"success\", \"total_time_seconds\": %.6f,"
             " \"updated_image_count\": 0, \"updated_record_count\": %llu}}",
             g->seconds, (unsigned long long)g->records);
    return arena_dup(&r->out->arena, buf_view(&text));
}

static void write_down(struct run *r, const struct feed_note *n)
{
    struct err e = {0};
    if (feed_table_note(r->engine->db, n, &e) < 0)
        log_warn("policy_engine", "the table of feeds cannot be written: %s", e.text);
}

static void add_feed(struct run *r, str feed)
{
    for (size_t i = 0; i < r->out->feeds.n; i++)
        if (str_eq(r->out->feeds.p[i], feed))
            return;
    str *slot = vec_push(&r->out->feeds);
    if (slot)
        *slot = arena_dup(&r->out->arena, feed);
}

static void add_group(struct run *r, const struct feed_group_result *g)
{
    add_feed(r, g->feed);
    struct feed_group_result *slot = vec_push(&r->out->groups);
    if (!slot)
        return;
    *slot = *g;
    slot->feed = arena_dup(&r->out->arena, g->feed);
    slot->group = arena_dup(&r->out->arena, g->group);
}

/* Is it not disabled? */
static bool enabled(const struct run *r, str feed, str group)
{
    for (size_t i = 0; i < r->n_table; i++) {
        const struct feed_row *f = &r->table[i];
        if (!str_eq(f->name, feed))
            continue;
        if (!f->enabled && group.n)
            return false;
        for (size_t k = 0; k < f->n_groups; k++)
            if (str_eq(f->groups[k].name, group))
                return f->groups[k].enabled;
    }
    return true;
}

/* ---- the old feed service ----------------------------------------------------------------------
 */

static str resource(struct run *r, const struct anchore_group *g)
{
    if (!g->name.n)
        return g->feed;
    return arena_printf(&r->out->arena, "%.*s/%.*s", STR_ARG(g->feed), STR_ARG(g->name));
}

static bool anchore_wants(void *ctx, str feed, str group)
{
    struct run *r = ctx;
    if (r->only.n && !str_eq(r->only, feed))
        return false;
    return enabled(r, feed, group);
}

static int stopping(const struct run *r)
{
    return engine_stopping(r->engine) || r->lost ? ERR_CONFLICT : 0;
}

static int anchore_start(void *ctx, const struct anchore_group *g)
{
    struct run *r = ctx;
    write_down(r, &(struct feed_note){.feed = g->feed, .group = g->name});
    add_feed(r, g->feed);
    tell(r, g->name.n ? "system.feeds.sync.group_started" : "system.feeds.sync.feed_started",
         resource(r, g), STR(""));
    return stopping(r);
}

static int anchore_done(void *ctx, const struct anchore_group *g)
{
    struct run *r = ctx;
    const char *failed =
        g->name.n ? "system.feeds.sync.group_failed" : "system.feeds.sync.feed_failed";
    if (g->failed)
        tell_problem(r, failed, resource(r, g), g->problem);
    else
        write_down(r, &(struct feed_note){g->feed, g->name, (int64_t)g->records, true});
    const struct feed_group_result result = {g->feed, g->name, g->failed,
                                             g->changed ? g->records : 0, g->seconds};
    if (g->name.n)
        add_group(r, &result);
    if (!g->failed && g->name.n)
        tell(r, "system.feeds.sync.group_completed", resource(r, g), group_details(r, &result));
    else if (!g->failed)
        tell(r, "system.feeds.sync.feed_completed", resource(r, g), STR(""));
    return stopping(r);
}

static int sync_anchore(struct run *r, struct err *e)
{
    struct anchore_result result;
    const struct anchore_options o = {
        .data_dir = r->engine->config->data_dir,
        .url = r->engine->config->legacy_feeds_url,
        .http = r->http,
        .force = r->force,
        .wants = anchore_wants,
        .start = anchore_start,
        .done = anchore_done,
        .ctx = r,
    };
    int rc = anchore_sync(&o, &result, e);
    anchore_result_done(&result);
    return rc;
}

/* ---- upstreams ---------------------------------------------------------------------------------
 */

static bool upstream_wanted(const struct run *r, const struct feed_ops *f)
{
    static const char *const distros[] = {"alpine", "debian", "wolfi"};
    str shown = STR("");
    if (!f->sync || f->sync->on_request)
        return false;
    for (size_t i = 0; i < KE_ARRAY_LEN(distros); i++)
        if (strcmp(f->name, distros[i]) == 0)
            shown = STR("vulnerabilities");
    if (strcmp(f->name, "nvd") == 0)
        shown = STR("nvdv2");
    if (r->only.n && shown.n && !str_eq(r->only, shown))
        return false;
    for (size_t i = 0; shown.n && i < r->n_table; i++)
        if (str_eq(r->table[i].name, shown))
            return r->table[i].enabled;
    return true;
}

static bool stop_upstream(void *ctx)
{
    return stopping(ctx) != 0;
}

static void sync_upstream(struct run *r, const struct feed_ops *f)
{
    struct feed_sync_result result;
    struct err e = {0};
    const struct feed_sync_options o = {
        .data_dir = r->engine->config->data_dir,
        .base_url = feed_sync_base_url(f),
        .http = r->http,
        .force = r->force,
        .stop = stop_upstream,
        .ctx = r,
    };
    str name = str_z(f->name);
    tell(r, "system.feeds.sync.group_started", name, STR(""));
    double from = clock_seconds();
    int rc = feed_sync(f, &o, &result, &e);
    double seconds = clock_seconds() - from;
    if (rc < 0)
        tell_problem(r, "system.feeds.sync.group_failed", name, str_z(e.text));
    else
        tell(r, "system.feeds.sync.group_completed", name, STR(""));
    add_group(r, &(struct feed_group_result){STR("vulnerabilities"), name, rc < 0,
                                             rc == 0 && result.loaded ? result.stats.records : 0,
                                             seconds});
    feed_sync_result_done(&result);
}

/* The table's groups are what the database holds. */
static void note_parts(struct run *r)
{
    vulndata_refresh(r->engine->vulndata);
    auto_vulndata *view = vulndata_take(r->engine->vulndata);
    struct vulndb_part *parts;
    const struct vulndb_source *sources;
    size_t n = 0;
    if (!view->db || vulndb_parts(view->db, &r->out->arena, &parts, &n, NULL) < 0)
        return;
    for (size_t i = 0; i < n; i++) {
        struct feed_note note = {.synced = true};
        feed_of_part(&r->out->arena, parts[i].source, parts[i].platform, parts[i].ecosystem,
                     &note.feed, &note.group);
        for (size_t k = 0; k < n; k++)
            if (str_eq(parts[k].platform, parts[i].platform) &&
                str_eq(parts[k].ecosystem, parts[i].ecosystem))
                note.records += (int64_t)parts[k].vulns;
        if (note.group.n)
            write_down(r, &note);
    }
    sources = vulndb_sources(view->db, &n);
    for (size_t i = 0; i < n; i++)
        if (str_eq(sources[i].name, STR("nvd")))
            write_down(r, &(struct feed_note){STR("nvdv2"), STR("nvdv2:cves"),
                                              (int64_t)sources[i].vulns, true});
}

static void note_database(struct run *r)
{
    note_parts(r);
    static const char *const feeds[] = {"vulnerabilities", "nvdv2", "github"};
    for (size_t i = 0; i < KE_ARRAY_LEN(feeds); i++)
        if (!r->only.n || str_eq(r->only, str_z(feeds[i])))
            write_down(r, &(struct feed_note){.feed = str_z(feeds[i]), .synced = true});
}

static int sync_upstreams(struct run *r, struct err *e)
{
    for (size_t i = 0; feeds_all[i] && !stopping(r); i++)
        if (upstream_wanted(r, feeds_all[i]))
            sync_upstream(r, feeds_all[i]);
    note_database(r);
    return stopping(r) ? err_set(e, ERR_CONFLICT, "the synchronisation was stopped") : 0;
}

/* ---- the whole ---------------------------------------------------------------------------------
 */

static int read_table(struct db_tx *tx, void *ctx, struct err *e)
{
    struct run *r = ctx;
    return feed_table_read(tx, &r->out->arena, &r->table, &r->n_table, e);
}

static int sync_all(struct run *r, struct err *e)
{
    struct engine *en = r->engine;
    struct err why = {0};
    const struct http_options o = {.insecure = !en->config->feeds_ssl_verify,
                                   .connect_timeout = 10,
                                   .idle_timeout = 30,
                                   .retries = 1};
    int rc = vulndata_fetch(en, e);
    if (rc >= 0)
        rc = db_run(en->db, DB_READ, read_table, r, e);
    if (rc >= 0)
        rc = http_new(&o, &r->http, e);
    if (rc < 0)
        return rc;
    tell_run(r, "system.feeds.sync.started", STR(""));
    rc = en->config->legacy_feeds_url ? sync_anchore(r, &why) : sync_upstreams(r, &why);
    if (rc < 0)
        tell_run(r, "system.feeds.sync.failed", str_z(why.text));
    else
        tell_run(r, "system.feeds.sync.completed", STR(""));
    http_free(r->http);
    vulndata_refresh(en->vulndata);
    return vulndata_publish(en, e);
}

int feed_sync_run(struct engine *en, bool force, str only, struct feed_sync_report *out,
                  struct err *e)
{
    *out = (struct feed_sync_report){0};
    arena_init(&out->arena, REPORT_ARENA);
    struct run r = {.engine = en, .out = out, .force = force, .only = only};
    int rc = begin(&r, e);
    if (rc < 0)
        return rc;
    rc = sync_all(&r, e);
    end(&r);
    return rc < 0 ? rc : 0;
}

void feed_sync_note(struct engine *en)
{
    struct feed_sync_report report = {0};
    struct run r = {.engine = en, .out = &report};
    arena_init(&report.arena, REPORT_ARENA);
    note_database(&r);
    feed_sync_report_done(&report);
}
