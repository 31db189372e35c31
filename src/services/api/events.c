#include "services/event.h"

#include "codec/json.h"
#include "services/api/operations.h"

#define COLUMNS                                                                                    \
    "generated_uuid, created_at, resource_user_id, resource_id, resource_type,"                    \
    " source_servicename, source_hostid, source_base_url, source_request_id, type, level,"         \
    " message, details"

/* A column's text; null stays null. The view lives until the next row. */
static str text_of(struct call *c, const struct db_rows *r, int col)
{
    return db_is_null(r, col) ? (str){0} : arena_dup(&c->arena, db_text(r, col));
}

static yyjson_mut_val *event_json(struct call *c, yyjson_mut_doc *d, const struct db_rows *r)
{
    static const char *const resource[] = {"user_id", "id", "type"};
    static const char *const source[] = {"servicename", "hostid", "base_url", "request_id"};
    static const char *const plain[] = {"type", "level", "message"};
    yyjson_mut_val *o = yyjson_mut_obj(d), *ev = yyjson_mut_obj(d), *res = yyjson_mut_obj(d),
                   *src = yyjson_mut_obj(d);
    str when = time_text_us(&c->arena, db_int(r, 1));
    put_str(d, o, "generated_uuid", text_of(c, r, 0));
    put_str(d, o, "created_at", when);
    for (int i = 0; i < 3; i++)
        put_str(d, res, resource[i], text_of(c, r, 2 + i));
    for (int i = 0; i < 4; i++)
        put_str(d, src, source[i], text_of(c, r, 5 + i));
    for (int i = 0; i < 3; i++)
        put_str(d, ev, plain[i], text_of(c, r, 9 + i));
    put_json(d, ev, "details", text_of(c, r, 12));
    put_str(d, ev, "timestamp", when);
    yyjson_mut_obj_add_val(d, ev, "resource", res);
    yyjson_mut_obj_add_val(d, ev, "source", src);
    yyjson_mut_obj_add_val(d, o, "event", ev);
    return o;
}

/* ---- filters ----------------------------------------------------------------------------------
 */
struct filter {
    struct call *c;
    int64_t since, before; /* 0: none */
    int64_t page, limit;
    str type; /* LIKE pattern; empty: any */
};

/* 1: fine; 0: answered. */
static int read_time(struct call *c, const char *name, int64_t *out)
{
    str v = call_param(c, name);
    if (!v.n || time_parse(v, out))
        return 1;
    return call_error(c, 400, "Invalid value for %s: %.*s is not a date and time", name,
                      STR_ARG(str_sub(v, 0, 200)));
}

static const char where[] = " FROM events WHERE account = $1"
                            " AND ($2 = 0 OR created_at > $2) AND ($3 = 0 OR created_at < $3)"
                            " AND ($4 = '' OR level = $4)";
static const char more[] = " AND ($5 = '' OR source_servicename = $5)"
                           " AND ($6 = '' OR source_hostid = $6)"
                           " AND ($7 = '' OR resource_type = $7)"
                           " AND ($8 = '' OR resource_id = $8)"
                           " AND ($9 = '' OR type LIKE $9 ESCAPE '!')";

static str param(const struct filter *f, const char *name)
{
    str v = call_param(f->c, name);
    return v.p ? v : STR("");
}

static int list_run(struct db_tx *tx, void *ctx, struct err *e)
{
    struct filter *f = ctx;
    struct call *c = f->c;
    char sql[1024];
    snprintf(sql, sizeof sql,
             "SELECT " COLUMNS "%s%s ORDER BY created_at DESC, id DESC LIMIT $10 OFFSET $11", where,
             more);
    auto_rows *r = NULL;
    int rc = db_query(tx, sql,
                      DB(DBS(c->account), DBI(f->since), DBI(f->before), DBS(param(f, "level")),
                         DBS(param(f, "source_servicename")), DBS(param(f, "source_hostid")),
                         DBS(param(f, "resource_type")), DBS(param(f, "resource_id")), DBS(f->type),
                         DBI(f->limit + 1), DBI((f->page - 1) * f->limit)),
                      &r, e);
    yyjson_mut_doc *d = call_doc(c);
    yyjson_mut_val *o = yyjson_mut_obj(d), *list = yyjson_mut_arr(d);
    int64_t n = 0;
    bool next = false;
    while (rc >= 0 && (rc = db_next(r, e)) == 1) {
        if (n == f->limit) {
            next = true;
            break;
        }
        yyjson_mut_arr_append(list, event_json(c, d, r));
        n++;
    }
    if (rc < 0)
        return rc;
    yyjson_mut_obj_add_val(d, o, "results", list);
    put_bool(d, o, "next_page", next);
    put_int(d, o, "item_count", n);
    put_int(d, o, "page", f->page);
    return call_send(c, 200, d, o);
}

static int list_events(struct call *c)
{
    struct filter f = {.c = c, .page = call_int(c, "page", 1), .limit = call_int(c, "limit", 100)};
    if (f.page < 1 || f.page > 1000000000)
        return call_error(c, 400, "page must be a valid integer greater than 0");
    if (f.limit < 1 || f.limit > 1000)
        return call_error(c, 400, "limit must be valid integer between 1 and 1000");
    int rc = read_time(c, "since", &f.since);
    if (rc == 1)
        rc = read_time(c, "before", &f.before);
    if (rc != 1)
        return rc;
    if (f.since && f.before && f.since >= f.before)
        return call_error(c, 400, "cannot have since value greater than before value");
    str type = call_param(c, "event_type");
    f.type = type.n ? db_like(&c->arena, type, true) : STR("");
    return f.type.p ? api_run(c, DB_READ, list_run, &f) : err_no_memory(c->err);
}

static int delete_run(struct db_tx *tx, void *ctx, struct err *e)
{
    struct filter *f = ctx;
    struct call *c = f->c;
    char sql[512];
    snprintf(sql, sizeof sql, "DELETE%s RETURNING generated_uuid", where);
    auto_rows *r = NULL;
    int rc = db_query(
        tx, sql, DB(DBS(c->account), DBI(f->since), DBI(f->before), DBS(param(f, "level"))), &r, e);
    yyjson_mut_doc *d = call_doc(c);
    yyjson_mut_val *list = yyjson_mut_arr(d);
    while (rc >= 0 && (rc = db_next(r, e)) == 1) {
        str id = text_of(c, r, 0);
        yyjson_mut_arr_append(list, yyjson_mut_strn(d, id.p ? id.p : "", id.n));
    }
    return rc < 0 ? rc : call_send(c, 200, d, list);
}

static int delete_events(struct call *c)
{
    struct filter f = {.c = c};
    int rc = read_time(c, "since", &f.since);
    if (rc == 1)
        rc = read_time(c, "before", &f.before);
    return rc == 1 ? api_run(c, DB_WRITE, delete_run, &f) : rc;
}

/* ---- one --------------------------------------------------------------------------------------
 */
static int get_run(struct db_tx *tx, void *ctx, struct err *e)
{
    struct call *c = ctx;
    auto_rows *r = NULL;
    int rc =
        db_query(tx, "SELECT " COLUMNS " FROM events WHERE account = $1 AND generated_uuid = $2",
                 DB(DBS(c->account), DBS(call_param(c, "eventId"))), &r, e);
    if (rc == 0)
        rc = db_next(r, e);
    if (rc < 0)
        return rc;
    if (rc == 0)
        return call_error(c, 404, "Event not found");
    yyjson_mut_doc *d = call_doc(c);
    return call_send(c, 200, d, event_json(c, d, r));
}

static int get_event(struct call *c)
{
    return api_run(c, DB_READ, get_run, c);
}

static int delete_one_run(struct db_tx *tx, void *ctx, struct err *e)
{
    struct call *c = ctx;
    int64_t n = db_exec(tx, "DELETE FROM events WHERE account = $1 AND generated_uuid = $2",
                        DB(DBS(c->account), DBS(call_param(c, "eventId"))), e);
    if (n < 0)
        return (int)n;
    if (n == 0)
        return call_error(c, 404, "Event not found");
    yyjson_mut_doc *d = call_doc(c);
    return call_send(c, 200, d, yyjson_mut_null(d));
}

static int delete_event(struct call *c)
{
    return api_run(c, DB_WRITE, delete_one_run, c);
}

/* ---- types ------------------------------------------------------------------------------------
 */
struct group {
    const char *category, *name, *words;
};
static const char system_words[] =
    "What the engine itself does and meets: states of services, background work, feeds.";
static const char user_words[] = "What happened to a user's images, tags and policies.";
static const struct group groups[] = {
    {"system", "analysis_archive", "Images' analyses going into the archive and leaving it"},
    {"system", "feeds", "Synchronisation of vulnerability data"},
    {"system", "image_analysis", "Fetching, analysing and importing images"},
    {"system", "repository", "Repositories that are watched for new tags"},
    {"system", "service", "Services coming and going"},
    {"system", "test", "Made up, to try things out"},
    {"user", "checks", "Results of policies and of vulnerability matching that changed"},
    {"user", "image", "Images' analyses that a user asked for"},
    {"user", "policy", "Policies activated or changed"},
};

static yyjson_mut_val *group_json(yyjson_mut_doc *d, const struct group *g)
{
    char prefix[64];
    int n = snprintf(prefix, sizeof prefix, "%s.%s.", g->category, g->name);
    yyjson_mut_val *o = yyjson_mut_obj(d), *list = yyjson_mut_arr(d);
    for (size_t i = 0; i < n_event_kinds; i++) {
        const struct event_kind *k = &event_kinds[i];
        if (!str_starts(str_z(k->type), (str){prefix, (size_t)n}))
            continue;
        yyjson_mut_val *e = yyjson_mut_obj(d);
        put_str(d, e, "name", str_z(k->name));
        put_str(d, e, "type", str_z(k->type));
        put_str(d, e, "message", str_z(k->message));
        put_str(d, e, "resource_type", str_z(k->resource_type));
        yyjson_mut_arr_append(list, e);
    }
    put_str(d, o, "name", str_z(g->name));
    put_str(d, o, "description", str_z(g->words));
    yyjson_mut_obj_add_val(d, o, "events", list);
    return o;
}

static yyjson_mut_val *category_json(yyjson_mut_doc *d, const char *name, const char *words)
{
    yyjson_mut_val *o = yyjson_mut_obj(d), *list = yyjson_mut_arr(d);
    for (size_t i = 0; i < KE_ARRAY_LEN(groups); i++) {
        if (strcmp(groups[i].category, name) == 0)
            yyjson_mut_arr_append(list, group_json(d, &groups[i]));
    }
    put_str(d, o, "name", str_z(name));
    put_str(d, o, "description", str_z(words));
    yyjson_mut_obj_add_val(d, o, "subcategories", list);
    return o;
}

static int list_event_types(struct call *c)
{
    yyjson_mut_doc *d = call_doc(c);
    yyjson_mut_val *a = yyjson_mut_arr(d);
    yyjson_mut_arr_append(a, category_json(d, "system", system_words));
    yyjson_mut_arr_append(a, category_json(d, "user", user_words));
    return call_send(c, 200, d, a);
}

const struct operation event_operations[] = {
    {"list_event_types", list_event_types, 0}, {"list_events", list_events, 0},
    {"delete_events", delete_events, 0},       {"get_event", get_event, 0},
    {"delete_event", delete_event, 0},         {NULL, NULL, 0},
};
