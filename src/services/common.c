#include "services/common.h"

#include "base/auto.h"
#include "services/call.h"
#include "services/discovery.h"
#include "services/metrics.h"
#include "store/schema.h"

static int get_root(struct call *c)
{
    return call_send_text(c, 200, "application/json", STR("\"v1\"\n"));
}

static int get_health(struct call *c)
{
    return call_send_text(c, 200, "application/json", STR("\"ok\"\n"));
}

static int get_version(struct call *c)
{
    yyjson_mut_doc *d = call_doc(c);
    yyjson_mut_val *root = yyjson_mut_obj(d);
    yyjson_mut_obj_add_obj(d, root, "api");
    put_str(d, yyjson_mut_obj_add_obj(d, root, "db"), "schema_version", STR(ENGINE_DB_VERSION));
    put_str(d, yyjson_mut_obj_add_obj(d, root, "service"), "version", STR(ENGINE_VERSION));
    return call_send(c, 200, d, root);
}

static int get_status(struct call *c)
{
    yyjson_mut_doc *d = call_doc(c);
    yyjson_mut_val *o = yyjson_mut_obj(d);
    bool up = engine_up(c->engine);
    put_bool(d, o, "available", up);
    put_bool(d, o, "busy", false);
    put_str(d, o, "db_version", STR(ENGINE_DB_VERSION));
    yyjson_mut_obj_add_obj(d, o, "detail");
    put_str(d, o, "message", up ? STR("all good") : STR("starting or stopping"));
    put_bool(d, o, "up", up);
    put_str(d, o, "version", STR(ENGINE_VERSION));
    return call_send(c, 200, d, o);
}

/* ---- /ready
 * --------------------------------------------------------------------------------------- */

static int check_state(struct call *c, struct err *e)
{
    return engine_up(c->engine) ? 0 : err_set(e, ERR_CONFLICT, "starting or stopping");
}

static int check_database(struct call *c, struct err *e)
{
    return db_ping(c->engine->db, e);
}

static int check_schema(struct call *c, struct err *e)
{
    int version = 0, r = schema_version(c->engine->db, &version, e);
    if (r == 0 && version < schema_newest())
        r = err_set(e, ERR_CONFLICT, "the database is at version %d, not %d", version,
                    schema_newest());
    return r;
}

static int check_service(struct call *c, struct err *e)
{
    const struct service_ops *ops = all_services[c->service];
    return ops->ready ? ops->ready(c->engine, e) : 0;
}

static const struct {
    const char *name;
    int (*check)(struct call *c, struct err *e);
} checks[] = {
    {"state", check_state},
    {"database", check_database},
    {"schema", check_schema},
    {"service", check_service},
};

static int get_ready(struct call *c)
{
    yyjson_mut_doc *d = call_doc(c);
    yyjson_mut_val *root = yyjson_mut_obj(d), *list = yyjson_mut_obj_add_obj(d, root, "checks");
    bool ready = true;
    for (size_t i = 0; i < KE_ARRAY_LEN(checks); i++) {
        struct err e = {0};
        bool good = checks[i].check(c, &e) >= 0;
        ready = ready && good;
        bool hide = checks[i].check == check_database; /* hosts and names of databases */
        put_str(d, list, checks[i].name,
                good   ? STR("ok")
                : hide ? STR("does not answer")
                       : str_z(e.text));
    }
    put_bool(d, root, "ready", ready);
    return call_send(c, ready ? 200 : 503, d, root);
}

static int get_metrics(struct call *c)
{
    if (!c->engine->config->metrics_enabled)
        return call_problem(c, 404, "Not Found",
                            "The requested URL was not found on the server. If you entered the URL "
                            "manually please check your spelling and try again.");
    auto_buf out;
    buf_init(&out, 16 << 20);
    metrics_page(c->engine, all_services[c->service], &out);
    int r = buf_check(&out, "the metrics", c->err);
    return r < 0 ? r : call_send_text(c, 200, METRICS_CONTENT_TYPE, buf_view(&out));
}

const struct route common_routes[] = {
    {"GET", "/", get_root, ROUTE_OPEN},
    {"GET", "/health", get_health, ROUTE_OPEN},
    {"GET", "/version", get_version, ROUTE_OPEN},
    {"GET", "/ready", get_ready, ROUTE_OPEN | ROUTE_SLOW},
    {"GET", "/status", get_status, 0},
    {"GET", "/metrics", get_metrics, 0},
    {.path = NULL},
};
