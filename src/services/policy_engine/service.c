/* service.c - the policy engine: vulnerability data, reports of images, questions about both. */
#include "services/call.h"
#include "services/log.h"
#include "services/metrics.h"
#include "services/policy_engine/changes.h"
#include "services/policy_engine/feed_sync.h"
#include "services/policy_engine/finding_names.h"
#include "services/policy_engine/image_query.h"
#include "services/policy_engine/policy_check.h"
#include "services/policy_engine/policy_update.h"
#include "services/policy_engine/reindex.h"
#include "services/policy_engine/subscribe.h"
#include "services/policy_engine/vuln_query.h"
#include "services/policy_engine/vuln_report.h"
#include "services/policy_engine/vuln_update.h"
#include "services/policy_engine/vulndata.h"

#include "feeds/anchore.h"

struct policy_engine {
    struct vuln_reports *reports;
    struct policy_checks *checks;
    char noted[72]; /* generation that the table of feeds shows; of the watcher alone */
    int64_t vuln_update_next_us; /* of its watcher alone */
};

static struct policy_engine *state_of(const struct call *c)
{
    return c->engine->state[SERVICE_POLICY_ENGINE];
}

/* ---- reports -----------------------------------------------------------------------------------
 */

static int get_vulnerabilities(struct call *c)
{
    auto_report *report = NULL;
    struct vuln_reports *rs = state_of(c)->reports;
    str kind_name = call_param(c, "vtype"), text;
    int kind = kind_name.n ? vuln_kind_by_name(kind_name) : VULN_ALL;
    if (kind < 0)
        return call_error(c, 404, "content type (%.*s) not available", STR_ARG(kind_name));
    int r = vuln_report_take(c->engine, rs, call_param(c, "user_id"), call_param(c, "image_id"),
                             call_flag(c, "force_refresh", false), &report, c->err);
    if (r == 0)
        r = vuln_report_text(rs, report, (enum vuln_kind)kind, call_flag(c, "vendor_only", true),
                             &text, c->err);
    return r < 0 ? r : call_send_text(c, 200, "application/json", text);
}

static int send_list(struct call *c, yyjson_mut_doc *d, const char *key, yyjson_mut_val *list)
{
    yyjson_mut_val *root = yyjson_mut_obj(d);
    yyjson_mut_obj_add_val(d, root, key, list);
    return call_send(c, 200, d, root);
}

static int get_aliases(struct call *c)
{
    auto_vulndata *view = vulndata_take(c->engine->vulndata);
    str *ids = NULL;
    size_t n = 0;
    int r =
        finding_names_now(view->db, &c->arena, call_param(c, "vulnerability_id"), &ids, &n, c->err);
    yyjson_mut_doc *d = call_doc(c);
    yyjson_mut_val *list = yyjson_mut_arr(d);
    for (size_t i = 0; r >= 0 && i < n; i++)
        yyjson_mut_arr_add_strncpy(d, list, ids[i].p, ids[i].n);
    return r < 0 ? r : send_list(c, d, "ids", list);
}

static int query_vulnerabilities(struct call *c)
{
    auto_vulndata *view = vulndata_take(c->engine->vulndata);
    yyjson_mut_doc *d = call_doc(c);
    yyjson_mut_val *list = yyjson_mut_arr(d);
    const struct vuln_query q = {
        .ids = call_param(c, "id"),
        .namespaces = call_param(c, "namespace"),
        .package = call_param(c, "affected_package"),
        .package_version = call_param(c, "affected_package_version"),
    };
    if (q.package_version.n && !q.package.n)
        return call_error(c, 400,
                          "if affected_package_version is specified, affected_package must also be"
                          " specified");
    int r = vuln_query_run(view->db, &q, d, list, c->err);
    return r < 0 ? r : send_list(c, d, "vulnerabilities", list);
}

static int query_by_package(struct call *c)
{
    yyjson_mut_doc *d = call_doc(c);
    yyjson_mut_val *list = yyjson_mut_arr(d);
    const struct package_query q = {
        .account = call_param(c, "user_id"),
        .name = call_param(c, "name"),
        .version = call_param(c, "version"),
        .type = call_param(c, "package_type"),
    };
    int r = image_query_by_package(c->engine, &q, d, list, c->err);
    return r < 0 ? r : send_list(c, d, "images", list);
}

static int query_by_vulnerability(struct call *c)
{
    yyjson_mut_doc *d = call_doc(c);
    yyjson_mut_val *list = yyjson_mut_arr(d);
    const struct vulnerability_query q = {
        .account = call_param(c, "user_id"),
        .id = call_param(c, "vulnerability_id"),
        .namespace = call_param(c, "namespace"),
        .package = call_param(c, "affected_package"),
        .severity = call_param(c, "severity"),
        .vendor_only = call_flag(c, "vendor_only", true),
    };
    int r = image_query_by_vulnerability(c->engine, state_of(c)->reports, &q, d, list, c->err);
    return r < 0 ? r : send_list(c, d, "images", list);
}

/* ---- evaluations -------------------------------------------------------------------------------
 */

static int get_check(struct call *c)
{
    const struct policy_question q = {
        .account = call_param(c, "user_id"),
        .image = call_param(c, "image_id"),
        .by_id = call_flag(c, "by_id", false),
        .tag = call_param(c, "tag"),
        .policy = call_param(c, "policyId"),
        .detail = call_flag(c, "detail", true),
        .history = call_flag(c, "history", false),
        .interactive = call_flag(c, "interactive", false),
    };
    return policy_check_answer(c, state_of(c)->checks, state_of(c)->reports, &q);
}

static int check_inline(struct call *c)
{
    if (!yyjson_is_obj(c->body))
        return call_error(c, 400, "the body must be a policy bundle");
    return policy_check_inline(c, state_of(c)->checks, state_of(c)->reports,
                               call_param(c, "user_id"), call_param(c, "image_id"),
                               call_param(c, "tag"), c->body);
}

static int dry_run(struct call *c)
{
    const struct dry_run_question q = {
        .account = call_param(c, "user_id"),
        .policy = call_param(c, "policyId"),
        .after = call_param(c, "after"),
        .limit = call_int(c, "limit", 100),
        .all = call_flag(c, "all", false),
    };
    if (!yyjson_is_obj(c->body))
        return call_error(c, 400, "the body must be a policy bundle");
    return policy_dry_run(c, state_of(c)->checks, state_of(c)->reports, &q, c->body);
}

static int send_caching(struct call *c)
{
    yyjson_mut_doc *d = call_doc(c);
    yyjson_mut_val *root = yyjson_mut_obj(d);
    bool on = policy_checks_caching(state_of(c)->checks);
    put_str(d, root, "cache_status", on ? STR("enabled") : STR("disabled"));
    put_bool(d, root, "enabled", on);
    return call_send(c, 200, d, root);
}

static int set_caching(struct call *c)
{
    yyjson_val *on = json_get(c->body, "enabled");
    if (!yyjson_is_bool(on))
        return call_error(c, 400, "the body must say \"enabled\": true or false");
    policy_checks_set_caching(state_of(c)->checks, yyjson_get_bool(on));
    return send_caching(c);
}

/* A subscription is about to become active. */
static int begin_subscription(struct call *c)
{
    const struct subscription s = {
        .account = call_param(c, "user_id"),
        .key = json_str(c->body, "subscription_key"),
        .type = json_str(c->body, "subscription_type"),
        .value = json_str(c->body, "subscription_value"),
    };
    if (!s.key.n || !s.type.n)
        return call_error(c, 400, "the body must have subscription_key and subscription_type");
    int r = subscribe_begin(c->engine, state_of(c)->reports, &s, c->err);
    return r < 0 ? r : call_empty(c, 204);
}

/* ---- feeds -------------------------------------------------------------------------------------
 */

static void put_group(yyjson_mut_doc *d, yyjson_mut_val *o, const struct feed_group_row *g)
{
    put_str(d, o, "name", g->name);
    put_time(d, o, "created_at", g->created);
    put_time(d, o, "updated_at", g->updated);
    put_bool(d, o, "enabled", g->enabled);
    put_time(d, o, "last_sync", g->last_sync);
    put_int(d, o, "record_count", g->records);
}

static void put_feed(yyjson_mut_doc *d, yyjson_mut_val *o, const struct feed_row *f)
{
    put_str(d, o, "name", f->name);
    put_time(d, o, "created_at", f->created);
    put_time(d, o, "updated_at", f->updated);
    put_bool(d, o, "enabled", f->enabled);
    put_time(d, o, "last_full_sync", f->last_full_sync);
    yyjson_mut_val *groups = yyjson_mut_obj_add_arr(d, o, "groups");
    for (size_t i = 0; i < f->n_groups; i++)
        put_group(d, yyjson_mut_arr_add_obj(d, groups), &f->groups[i]);
}

struct feed_call {
    struct call *c;
    str feed, group;
    bool enabled;
    struct feed_row *rows;
    size_t n;
};

static int read_feeds(struct db_tx *tx, void *ctx, struct err *e)
{
    struct feed_call *f = ctx;
    return feed_table_read(tx, &f->c->arena, &f->rows, &f->n, e);
}

static int list_feeds(struct call *c)
{
    struct feed_call f = {.c = c};
    int r = db_run(c->engine->db, DB_READ, read_feeds, &f, c->err);
    if (r < 0)
        return r;
    yyjson_mut_doc *d = call_doc(c);
    yyjson_mut_val *list = yyjson_mut_arr(d);
    for (size_t i = 0; i < f.n; i++)
        put_feed(d, yyjson_mut_arr_add_obj(d, list), &f.rows[i]);
    return call_send(c, 200, d, list);
}

/* The feed or group as it is now. */
static int send_feed(struct feed_call *f)
{
    yyjson_mut_doc *d = call_doc(f->c);
    yyjson_mut_val *o = yyjson_mut_obj(d);
    for (size_t i = 0; i < f->n; i++) {
        const struct feed_row *row = &f->rows[i];
        if (!str_eq(row->name, f->feed))
            continue;
        if (!f->group.n)
            put_feed(d, o, row);
        for (size_t k = 0; k < row->n_groups; k++)
            if (str_eq(row->groups[k].name, f->group))
                put_group(d, o, &row->groups[k]);
    }
    return call_send(f->c, 200, d, o);
}

static int enable_feed(struct db_tx *tx, void *ctx, struct err *e)
{
    struct feed_call *f = ctx;
    int r = feed_table_enable(tx, f->feed, f->group, f->enabled, e);
    return r < 0 ? r : read_feeds(tx, f, e);
}

static int clear_feed(struct db_tx *tx, void *ctx, struct err *e)
{
    struct feed_call *f = ctx;
    int r = feed_table_clear(tx, f->feed, f->group, e);
    return r < 0 ? r : read_feeds(tx, f, e);
}

static int change_feed(struct call *c)
{
    struct feed_call f = {.c = c,
                          .feed = call_param(c, "feed"),
                          .group = call_param(c, "group"),
                          .enabled = call_flag(c, "enabled", true)};
    int r = db_run(c->engine->db, DB_WRITE, enable_feed, &f, c->err);
    return r < 0 ? r : send_feed(&f);
}

/* Takes the records out of the database too, where they came from the old feed service. */
static int remove_records(struct feed_call *f)
{
    struct engine *en = f->c->engine;
    int r = 0;
    for (size_t i = 0; i < f->n; i++)
        for (size_t k = 0; r >= 0 && k < f->rows[i].n_groups; k++)
            if (str_eq(f->rows[i].name, f->feed) &&
                (!f->group.n || str_eq(f->rows[i].groups[k].name, f->group)))
                r = anchore_remove(en->config->data_dir, f->feed, f->rows[i].groups[k].name,
                                   f->c->err);
    vulndata_refresh(en->vulndata);
    return r < 0 ? r : vulndata_publish(en, f->c->err);
}

static int delete_feed(struct call *c)
{
    struct feed_call f = {.c = c, .feed = call_param(c, "feed"), .group = call_param(c, "group")};
    int r = db_run(c->engine->db, DB_WRITE, clear_feed, &f, c->err);
    if (r >= 0 && c->engine->config->legacy_feeds_url)
        r = remove_records(&f);
    return r < 0 ? r : send_feed(&f);
}

static bool put_sync_groups(yyjson_mut_doc *d, yyjson_mut_val *groups,
                            const struct feed_sync_report *report, str feed, double *seconds)
{
    bool failed = false;
    for (size_t i = 0; i < report->groups.n; i++) {
        const struct feed_group_result *g = &report->groups.p[i];
        if (!str_eq(g->feed, feed))
            continue;
        yyjson_mut_val *o = yyjson_mut_arr_add_obj(d, groups);
        put_str(d, o, "group", g->group);
        put_str(d, o, "status", g->failed ? STR("failure") : STR("success"));
        yyjson_mut_obj_add_real(d, o, "total_time_seconds", g->seconds);
        put_int(d, o, "updated_image_count", 0);
        put_int(d, o, "updated_record_count", (int64_t)g->records);
        *seconds += g->seconds;
        failed |= g->failed;
    }
    return failed;
}

static int in_progress(struct call *c)
{
    yyjson_mut_doc *d = call_doc(c);
    yyjson_mut_val *detail = yyjson_mut_obj(d);
    yyjson_mut_val *codes = yyjson_mut_obj_add_arr(d, detail, "error_codes");
    yyjson_mut_arr_add_str(d, codes, "FEED_SYNC_ALREADY_IN_PROGRESS");
    return call_error_detail(c, 409, str_z(c->err->text), d, detail);
}

static int sync_feeds(struct call *c)
{
    struct feed_sync_report report;
    int r = feed_sync_run(c->engine, call_flag(c, "force_flush", false), call_param(c, "feed"),
                          &report, c->err);
    yyjson_mut_doc *d = call_doc(c);
    yyjson_mut_val *list = yyjson_mut_arr(d);
    for (size_t i = 0; r >= 0 && i < report.feeds.n; i++) {
        yyjson_mut_val *o = yyjson_mut_arr_add_obj(d, list);
        yyjson_mut_val *groups = yyjson_mut_arr(d);
        double seconds = 0;
        bool failed = put_sync_groups(d, groups, &report, report.feeds.p[i], &seconds);
        put_str(d, o, "feed", report.feeds.p[i]);
        yyjson_mut_obj_add_val(d, o, "groups", groups);
        put_str(d, o, "status", failed ? STR("failure") : STR("success"));
        put_int(d, o, "total_time_seconds", (int64_t)seconds);
    }
    if (r >= 0)
        r = call_send(c, 200, d, list);
    else if (r == ERR_CONFLICT)
        r = in_progress(c);
    feed_sync_report_done(&report);
    return r;
}

/* ---- life --------------------------------------------------------------------------------------
 */

static int watch_feeds(struct engine *en, struct err *e)
{
    struct feed_sync_report report;
    if (!en->config->feeds_sync_enabled)
        return 0;
    int r = feed_sync_run(en, false, STR(""), &report, e);
    feed_sync_report_done(&report);
    return r == ERR_CONFLICT ? 0 : r;
}

static int watch_published(struct engine *en, struct err *e)
{
    int r = vulndata_fetch(en, e);
    if (r == 1)
        log_info("policy_engine", "newer vulnerability data were installed");
    struct policy_engine *pe = en->state[SERVICE_POLICY_ENGINE];
    auto_vulndata *view = vulndata_take(en->vulndata);
    if (view->db && !en->config->legacy_feeds_url && strcmp(pe->noted, view->generation) != 0) {
        snprintf(pe->noted, sizeof pe->noted, "%s", view->generation);
        feed_sync_note(en);
    }
    return r < 0 ? r : 0;
}

static int watch_findings(struct engine *en, struct err *e)
{
    struct policy_engine *pe = en->state[SERVICE_POLICY_ENGINE];
    return vuln_update_run(en, pe->reports, &pe->vuln_update_next_us, e);
}

static int forget_changes(struct engine *en, struct err *e)
{
    int64_t days = en->config->changes_days;
    int64_t n = days ? changes_expire(en->db, days, e) : 0;
    if (n > 0)
        log_info("policy_engine", "%lld changes of findings older than %lld days were forgotten",
                 (long long)n, (long long)days);
    return n < 0 ? (int)n : 0;
}

static int start(struct engine *en, struct err *e)
{
    struct policy_engine *pe = calloc(1, sizeof *pe);
    if (!pe)
        return err_no_memory(e);
    size_t most = (size_t)en->config->policy_cache_max, reports = most / 5;
    int r = vuln_reports_new(reports, &pe->reports, e);
    if (r == 0)
        r = policy_checks_new(most - reports, &pe->checks, e);
    if (r == 0)
        r = vulndata_open(en->config->data_dir, &en->vulndata, e);
    if (r < 0) {
        policy_checks_free(pe->checks);
        vuln_reports_free(pe->reports);
        free(pe);
        return r;
    }
    en->state[SERVICE_POLICY_ENGINE] = pe;
    return 0;
}

static void stop(struct engine *en)
{
    struct policy_engine *pe = en->state[SERVICE_POLICY_ENGINE];
    if (!pe)
        return;
    policy_checks_free(pe->checks);
    vuln_reports_free(pe->reports);
    vulndata_close(en->vulndata);
    en->vulndata = NULL;
    en->state[SERVICE_POLICY_ENGINE] = NULL;
    free(pe);
}

/* How old the data are that this process judges by. */
static void feed_metrics(struct engine *en, struct buf *out)
{
    auto_vulndata *view = vulndata_take(en->vulndata);
    size_t n = 0;
    const struct vulndb_source *s = view->db ? vulndb_sources(view->db, &n) : NULL;
    metrics_head(out, "kellet_feed_loaded_timestamp_seconds", "gauge",
                 "When a source's data were brought in, in seconds since 1970");
    for (size_t i = 0; i < n; i++)
        metrics_sample(out, "kellet_feed_loaded_timestamp_seconds", "source", s[i].name,
                       (double)s[i].loaded);
    metrics_head(out, "kellet_feed_claims", "gauge", "What a source says, number of claims");
    for (size_t i = 0; i < n; i++)
        metrics_sample(out, "kellet_feed_claims", "source", s[i].name, (double)s[i].claims);
}

static const struct route routes[] = {
    {"GET", "/users/{user_id}/images/{image_id}/vulnerabilities", get_vulnerabilities,
     ROUTE_SLOW | ROUTE_INTERNAL},
    {"GET", "/users/{user_id}/images/{image_id}/check", get_check, ROUTE_SLOW | ROUTE_INTERNAL},
    {"POST", "/users/{user_id}/images/{image_id}/check_inline", check_inline,
     ROUTE_SLOW | ROUTE_INTERNAL | ROUTE_BIG},
    {"POST", "/users/{user_id}/policies/dry_run", dry_run, ROUTE_SLOW | ROUTE_INTERNAL},
    {"POST", "/users/{user_id}/subscriptions/begin", begin_subscription,
     ROUTE_SLOW | ROUTE_INTERNAL},
    {"GET", "/evaluation_cache/status", send_caching, ROUTE_INTERNAL},
    {"POST", "/evaluation_cache/status", set_caching, ROUTE_INTERNAL},
    {"GET", "/users/{user_id}/query/images/by_package", query_by_package,
     ROUTE_SLOW | ROUTE_INTERNAL},
    {"GET", "/users/{user_id}/query/images/by_vulnerability", query_by_vulnerability,
     ROUTE_SLOW | ROUTE_INTERNAL},
    {"GET", "/vulnerabilities/{vulnerability_id}/aliases", get_aliases, ROUTE_INTERNAL},
    {"GET", "/query/vulnerabilities", query_vulnerabilities, ROUTE_SLOW | ROUTE_INTERNAL},
    {"GET", "/feeds", list_feeds, ROUTE_INTERNAL},
    {"POST", "/feeds", sync_feeds, ROUTE_SLOW | ROUTE_INTERNAL},
    {"PUT", "/feeds/{feed}", change_feed, ROUTE_SLOW | ROUTE_INTERNAL},
    {"DELETE", "/feeds/{feed}", delete_feed, ROUTE_SLOW | ROUTE_INTERNAL},
    {"PUT", "/feeds/{feed}/{group}", change_feed, ROUTE_SLOW | ROUTE_INTERNAL},
    {"DELETE", "/feeds/{feed}/{group}", delete_feed, ROUTE_SLOW | ROUTE_INTERNAL},
    {0},
};

static const struct watcher watchers[] = {
    {.name = "feed_sync", .seconds = 14400, .min = 1800, .max = 100000, .run = watch_feeds},
    {.name = "vulndata",
     .seconds = 5,
     .min = 1,
     .max = 60,
     .everywhere = true,
     .wake = VULNDATA_CHANNEL,
     .run = watch_published},
    {.name = "reindex",
     .seconds = 2,
     .min = 1,
     .max = 600,
     .wake = VULNDATA_CHANNEL,
     .run = reindex_run},
    {.name = "vuln_update",
     .seconds = 1,
     .min = 1,
     .max = 600,
     .wake = CHANGES_CHANNEL,
     .run = watch_findings},
    {.name = "policy_update",
     .seconds = 2,
     .min = 1,
     .max = 600,
     .wake = CHANGES_CHANNEL,
     .run = policy_update_run},
    {.name = "changes_expire", .seconds = 3600, .min = 60, .max = 604800, .run = forget_changes},
    {0},
};

const struct service_ops service_policy_engine = {
    .id = SERVICE_POLICY_ENGINE,
    .routes = routes,
    .watchers = watchers,
    .start = start,
    .stop = stop,
    .metrics = feed_metrics,
};
