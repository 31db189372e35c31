/* history.c - /history/...: the memory of findings (kellet's own, not the original's). */
#include "services/api/operations.h"
#include "services/api/policy_engine.h"
#include "services/policy_engine/affected.h"
#include "services/policy_engine/changes.h"
#include "services/policy_engine/finding_names.h"
#include "services/policy_engine/history.h"

struct asked {
    struct call *c;
    yyjson_mut_doc *d;
    yyjson_mut_val *list, *aliases;
    int64_t at;
    bool now;
    int found;
    VEC(str) ids; /* of the vulnerability, by the newest data */
};

static void put_history(yyjson_mut_doc *d, yyjson_mut_val *list, const struct history_row *r)
{
    yyjson_mut_val *o = yyjson_mut_arr_add_obj(d, list);
    put_str(d, o, "vuln", r->vulnerability);
    put_str(d, o, "package_name", r->package);
    put_str(d, o, "package_version", r->version);
    put_str(d, o, "package_type", r->type);
    put_str(d, o, "severity", str_z(severity_name(r->severity)));
    put_str(d, o, "fix", r->fix.n ? r->fix : STR("None"));
    put_str(d, o, "fix_state", str_z(fix_state_name(r->fix_state)));
    put_str(d, o, "source", r->source);
    put_str(d, o, "data_generation", r->generation);
    put_time(d, o, "first_seen", r->first_seen);
    put_time(d, o, "from", r->from);
    put_time(d, o, "to", r->to);
}

static int read_image(struct db_tx *tx, void *ctx, struct err *e)
{
    struct asked *q = ctx;
    struct history_row *rows;
    size_t n;
    yyjson_mut_arr_clear(q->list);
    q->found = history_image(tx, &q->c->arena, q->c->account, call_param(q->c, "imageDigest"),
                             &rows, &n, e);
    for (size_t i = 0; q->found == 1 && i < n; i++)
        put_history(q->d, q->list, &rows[i]);
    return q->found;
}

static struct asked begin(struct call *c)
{
    struct asked q = {.c = c, .d = call_doc(c)};
    q.list = yyjson_mut_arr(q.d);
    return q;
}

static int send_list(struct asked *q, const char *name, str value, const char *key)
{
    yyjson_mut_val *root = yyjson_mut_obj(q->d);
    put_str(q->d, root, name, value);
    yyjson_mut_obj_add_val(q->d, root, key, q->list);
    return call_send(q->c, 200, q->d, root);
}

static int get_image(struct call *c)
{
    struct asked q = begin(c);
    int r = api_run(c, DB_READ, read_image, &q);
    if (r < 0)
        return r;
    if (!q.found)
        return call_error(c, 404, "image not found in DB");
    return send_list(&q, "imageDigest", call_param(c, "imageDigest"), "findings");
}

static int add_affected(void *ctx, const struct posting_image *i, struct err *e)
{
    struct asked *q = ctx;
    yyjson_mut_val *o = yyjson_mut_arr_add_obj(q->d, q->list);
    put_str(q->d, o, "imageDigest", i->digest);
    put_time(q->d, o, "known_since", i->since);
    return o ? 0 : err_no_memory(e);
}

static int read_affected(struct db_tx *tx, void *ctx, struct err *e)
{
    struct asked *q = ctx;
    str *ids = q->ids.p;
    size_t n = q->ids.n;
    int r = q->at ? 0 : db_query_int(tx, "SELECT now_us()", DB0, &q->at, e);
    yyjson_mut_arr_clear(q->list);
    yyjson_mut_arr_clear(q->aliases);
    if (r >= 0 && !q->now)
        r = finding_names_ever(tx, &q->c->arena, &ids, &n, e);
    for (size_t i = 1; r >= 0 && i < n; i++)
        yyjson_mut_arr_add_strncpy(q->d, q->aliases, ids[i].p, ids[i].n);
    return r < 0 ? r
                 : history_affected(tx, q->c->account, ids, n, q->at, q->now, add_affected, q, e);
}

/* The policy engine has the vulnerability data, and so the other names. */
static int ask_names(struct asked *q, yyjson_doc **out)
{
    auto_buf path, body;
    int status = 0;
    buf_init(&path, 4000);
    buf_add_str(&path, STR("/vulnerabilities/"));
    policy_engine_escape(&path, call_param(q->c, "vulnerabilityId"));
    buf_add_str(&path, STR("/aliases"));
    int r = policy_engine_ask(q->c, "GET", buf_ok(&path) ? buf_z(&path) : NULL, &status, &body);
    if (r >= 0 && status != 200)
        r = err_set(q->c->err, ERR_NET, "the policy engine answered %d", status);
    if (r >= 0)
        r = json_parse(buf_view(&body), "the policy engine's answer", out, q->c->err);
    return r < 0 ? r : 0;
}

static int take_names(struct asked *q, yyjson_doc *answer)
{
    size_t i, n;
    yyjson_val *id;
    yyjson_arr_foreach(json_get(yyjson_doc_get_root(answer), "ids"), i, n, id)
    {
        str *slot = vec_push(&q->ids);
        if (!slot)
            return err_no_memory(q->c->err);
        *slot = json_text(id);
    }
    return 0;
}

static int get_affected(struct call *c)
{
    auto_json *names = NULL;
    struct asked q = begin(c);
    yyjson_mut_val *root = yyjson_mut_obj(q.d);
    q.aliases = yyjson_mut_arr(q.d);
    str at = call_param(c, "at"), id = call_param(c, "vulnerabilityId");
    q.now = str_eq(call_param(c, "known"), STR("now"));
    if (at.n && !time_parse(at, &q.at))
        return call_error(c, 400, "not a time: %.*s", STR_ARG(at));
    int r = ask_names(&q, &names);
    if (r >= 0)
        r = take_names(&q, names);
    if (r >= 0)
        r = api_run(c, DB_READ, read_affected, &q);
    vec_done(&q.ids);
    if (r < 0)
        return r;
    put_str(q.d, root, "vuln", id);
    yyjson_mut_obj_add_val(q.d, root, "aliases", q.aliases);
    yyjson_mut_obj_add_val(q.d, root, "images", q.list);
    return call_send(c, 200, q.d, root);
}

static int read_trends(struct db_tx *tx, void *ctx, struct err *e)
{
    struct asked *q = ctx;
    struct history_day *days;
    size_t n;
    yyjson_mut_arr_clear(q->list);
    int r = history_days(tx, &q->c->arena, q->c->account, call_int(q->c, "days", 30), &days, &n, e);
    for (size_t i = 0; r >= 0 && i < n; i++) {
        yyjson_mut_val *o = yyjson_mut_arr_add_obj(q->d, q->list);
        yyjson_mut_val *counts = yyjson_mut_obj(q->d);
        put_time(q->d, o, "day", days[i].day * 86400 * 1000000);
        put_int(q->d, o, "images", days[i].images);
        for (int s = 0; s <= SEV_CRITICAL; s++)
            put_int(q->d, counts, severity_name((enum severity)s), days[i].findings[s]);
        yyjson_mut_obj_add_val(q->d, o, "findings", counts);
    }
    return r;
}

static int get_trends(struct call *c)
{
    struct asked q = begin(c);
    int r = api_run(c, DB_READ, read_trends, &q);
    return r < 0 ? r : send_list(&q, "account", c->account, "days");
}

static void put_change(yyjson_mut_doc *d, yyjson_mut_val *list, const struct finding_change *x)
{
    yyjson_mut_val *o = yyjson_mut_arr_add_obj(d, list);
    yyjson_mut_val *kinds = yyjson_mut_obj_add_arr(d, o, "kinds");
    for (unsigned bit = 1; bit <= CHANGE_FIX; bit *= 2)
        if (x->kinds & bit)
            yyjson_mut_arr_add_str(d, kinds, change_kind_name((enum change_kind)bit));
    put_int(d, o, "seq", x->seq);
    put_time(d, o, "at", x->at);
    put_str(d, o, "vuln", x->vulnerability);
    put_str(d, o, "package_name", x->name);
    put_str(d, o, "package_version", x->version);
    put_str(d, o, "package_type", x->type);
    put_str(d, o, "severity_before", str_z(severity_name(x->severity_before)));
    put_str(d, o, "severity", str_z(severity_name(x->severity)));
    put_str(d, o, "fix_before", x->fix_before);
    put_str(d, o, "fix", x->fix);
    put_str(d, o, "data_generation", x->generation);
}

static int add_image(void *ctx, str account, str digest, const struct finding_change *const *mine,
                     size_t n, struct err *e)
{
    struct asked *q = ctx;
    yyjson_mut_val *o = yyjson_mut_arr_add_obj(q->d, q->list);
    put_str(q->d, o, "imageDigest", digest);
    yyjson_mut_val *list = yyjson_mut_obj_add_arr(q->d, o, "changes");
    for (size_t i = 0; i < n; i++)
        put_change(q->d, list, mine[i]);
    return list ? 0 : err_no_memory(e);
}

static int read_changes(struct db_tx *tx, void *ctx, struct err *e)
{
    struct asked *q = ctx;
    struct finding_change *list;
    size_t n, limit = (size_t)call_int(q->c, "limit", 100);
    int64_t after = call_int(q->c, "after", 0);
    yyjson_mut_arr_clear(q->list);
    int r = changes_read(tx, &q->c->arena, after, limit, &list, &n, e);
    q->at = r >= 0 && n ? list[n - 1].seq : after;
    return r < 0 ? r : changes_by_image(tx, q->c->account, list, n, add_image, q, e);
}

static int get_changes(struct call *c)
{
    struct asked q = begin(c);
    int r = api_run(c, DB_READ, read_changes, &q);
    if (r < 0)
        return r;
    yyjson_mut_val *root = yyjson_mut_obj(q.d);
    put_int(q.d, root, "next", q.at);
    yyjson_mut_obj_add_val(q.d, root, "images", q.list);
    return call_send(c, 200, q.d, root);
}

static int read_updates(struct db_tx *tx, void *ctx, struct err *e)
{
    struct asked *q = ctx;
    struct affected_batch *list;
    size_t n;
    yyjson_mut_arr_clear(q->list);
    int r = affected_batches(tx, &q->c->arena, call_int(q->c, "before", 0),
                             (size_t)call_int(q->c, "limit", 100), &list, &n, e);
    for (size_t i = 0; r >= 0 && i < n; i++) {
        yyjson_mut_val *o = yyjson_mut_arr_add_obj(q->d, q->list);
        put_int(q->d, o, "id", list[i].id);
        put_str(q->d, o, "data_generation_before", list[i].generation_before);
        put_str(q->d, o, "data_generation", list[i].generation);
        put_time(q->d, o, "started_at", list[i].started);
        put_time(q->d, o, "listed_at", list[i].listed);
        put_time(q->d, o, "ended_at", list[i].ended);
    }
    return r;
}

static int get_updates(struct call *c)
{
    struct asked q = begin(c);
    int r = api_run(c, DB_READ, read_updates, &q);
    return r < 0 ? r : send_list(&q, "account", c->account, "updates");
}

static int add_listed(void *ctx, const struct posting_image *i, struct err *e)
{
    struct asked *q = ctx;
    q->at = i->id;
    return add_affected(ctx, i, e);
}

static int read_update_images(struct db_tx *tx, void *ctx, struct err *e)
{
    struct asked *q = ctx;
    int64_t after = call_int(q->c, "after", 0);
    yyjson_mut_arr_clear(q->list);
    q->at = after;
    q->found = affected_images(tx, q->c->account, call_int(q->c, "updateId", 0), after,
                               (size_t)call_int(q->c, "limit", 1000), add_listed, q, e);
    return q->found;
}

static int get_update_images(struct call *c)
{
    struct asked q = begin(c);
    int r = api_run(c, DB_READ, read_update_images, &q);
    if (r < 0)
        return r;
    if (!q.found)
        return call_error(c, 404, "no list of images: there was no such update, or it is at work");
    yyjson_mut_val *root = yyjson_mut_obj(q.d);
    put_int(q.d, root, "next", q.at);
    yyjson_mut_obj_add_val(q.d, root, "images", q.list);
    return call_send(c, 200, q.d, root);
}

const struct operation history_operations[] = {
    {"get_image_history", get_image, ROUTE_SLOW},
    {"get_vulnerability_history", get_affected, ROUTE_SLOW},
    {"get_finding_trends", get_trends, ROUTE_SLOW},
    {"get_finding_changes", get_changes, ROUTE_SLOW},
    {"get_data_updates", get_updates, ROUTE_SLOW},
    {"get_data_update_images", get_update_images, ROUTE_SLOW},
    {0},
};
