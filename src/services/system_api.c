/* system_api.c - /system and /system/services of the external API. */
#include "services/call.h"
#include "services/discovery.h"

static const char columns[] = "SELECT hostid, servicename, version, base_url, status,"
                              " status_message, service_detail FROM services";

static yyjson_mut_val *service_value(yyjson_mut_doc *d, const struct db_rows *rows)
{
    yyjson_mut_val *o = yyjson_mut_obj(d);
    put_str(d, o, "hostid", db_text(rows, 0));
    put_str(d, o, "servicename", db_text(rows, 1));
    put_str(d, o, "version", db_text(rows, 2));
    put_str(d, o, "base_url", db_text(rows, 3));
    put_bool(d, o, "status", db_int(rows, 4) != 0);
    put_str(d, o, "status_message", db_text(rows, 5));
    put_json(d, o, "service_detail", db_text(rows, 6));
    return o;
}

/* The services of a name and host (each empty: all) as an array. */
static int services_array(struct call *c, str name, str host, yyjson_mut_doc *d,
                          yyjson_mut_val **out)
{
    auto_tx *tx = NULL;
    auto_rows *rows = NULL;
    *out = yyjson_mut_arr(d);
    str sql = arena_printf(&c->arena,
                           "%s WHERE ($1 = '' OR servicename = $1) AND ($2 = '' OR hostid = $2)"
                           " ORDER BY servicename, hostid LIMIT 10000",
                           columns);
    int r = sql.p ? db_begin(c->engine->db, DB_READ, &tx, c->err) : err_no_memory(c->err);
    if (r == 0)
        r = db_query(tx, sql.p, DB(DBS(name), DBS(host)), &rows, c->err);
    while (r >= 0 && (r = db_next(rows, c->err)) == 1)
        yyjson_mut_arr_append(*out, service_value(d, rows));
    db_rows_close(TAKE(rows));
    return r < 0 ? r : 0;
}

static int get_system(struct call *c)
{
    yyjson_mut_doc *d = call_doc(c);
    yyjson_mut_val *list, *root = yyjson_mut_obj(d);
    int r = services_array(c, STR(""), STR(""), d, &list);
    if (r < 0)
        return r;
    yyjson_mut_obj_add_val(d, root, "service_states", list);
    return call_send(c, 200, d, root);
}

static int list_services(struct call *c)
{
    yyjson_mut_doc *d = call_doc(c);
    yyjson_mut_val *list;
    int r = services_array(c, call_param(c, "servicename"), STR(""), d, &list);
    return r < 0 ? r : call_send(c, 200, d, list);
}

static int not_found(struct call *c)
{
    return call_error(c, 404, "servicename/host_id (%.*s/%.*s) not found in anchore-engine",
                      STR_ARG(call_param(c, "servicename")), STR_ARG(call_param(c, "hostid")));
}

static int get_service(struct call *c)
{
    yyjson_mut_doc *d = call_doc(c);
    yyjson_mut_val *list;
    int r = services_array(c, call_param(c, "servicename"), call_param(c, "hostid"), d, &list);
    if (r < 0)
        return r;
    return yyjson_mut_arr_size(list) ? call_send(c, 200, d, list) : not_found(c);
}

struct removal {
    str name, host;
    int64_t active; /* -1: there is no such row */
};

static int removal_run(struct db_tx *tx, void *ctx, struct err *e)
{
    struct removal *m = ctx;
    m->active = -1;
    int r = db_query_int(tx,
                         "SELECT status FROM services WHERE servicename = $1 AND hostid = $2"
                         " {for_update}",
                         DB(DBS(m->name), DBS(m->host)), &m->active, e);
    if (r == ERR_NOT_FOUND)
        return 0;
    if (r < 0 || m->active)
        return r;
    int64_t n = db_exec(tx, "DELETE FROM services WHERE servicename = $1 AND hostid = $2",
                        DB(DBS(m->name), DBS(m->host)), e);
    return n < 0 ? (int)n : 0;
}

static int delete_service(struct call *c)
{
    struct removal m = {.name = call_param(c, "servicename"), .host = call_param(c, "hostid")};
    int r = db_run(c->engine->db, DB_WRITE, removal_run, &m, c->err);
    if (r < 0)
        return r;
    if (m.active < 0)
        return not_found(c);
    return m.active ? call_error(c, 409, "cannot delete an active service") : call_empty(c, 200);
}

const struct operation discovery_operations[] = {
    {.id = "get_service_detail", .handle = get_system},
    {.id = "list_services", .handle = list_services},
    {.id = "get_services_by_name", .handle = list_services},
    {.id = "get_services_by_name_and_host", .handle = get_service},
    {.id = "delete_service", .handle = delete_service},
    {.id = NULL},
};
