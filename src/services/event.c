#include "services/event.h"

#include "codec/json.h"

#include <sodium.h>

enum { DETAILS_MAX = 1 << 20 };

static str base_url_of(const struct engine *en, enum service_id service, char *out, size_t size)
{
    const struct service_config *s = &en->config->services[service];
    const char *host = s->external_hostname ? s->external_hostname : s->endpoint_hostname;
    unsigned port = s->external_port ? s->external_port : s->port;
    int n = snprintf(out, size, "%s://%s:%u", s->external_tls || s->ssl_cert ? "https" : "http",
                     host ? host : "localhost", port);
    return (str){out, n > 0 && (size_t)n < size ? (size_t)n : 0};
}

int event_add(struct db_tx *tx, const struct event *ev, struct err *e)
{
    const struct event_kind *kind = event_kind_of(str_z(ev->type));
    if (!kind)
        return err_set(e, ERR_USAGE, "%s is no type of event", ev->type);
    if (ev->details.n > DETAILS_MAX)
        return err_set(e, ERR_LIMIT, "an event's details are larger than %d bytes", DETAILS_MAX);
    unsigned char id[16];
    char uuid[33], url[512];
    randombytes_buf(id, sizeof id);
    sodium_bin2hex(uuid, sizeof uuid, id, sizeof id);
    bool known = ev->engine && (unsigned)ev->service < SERVICE_COUNT;
    struct db_value nobody = DBNULL;
    int64_t n = db_exec(
        tx,
        "INSERT INTO events (generated_uuid, account, created_at, resource_type, resource_id,"
        " resource_user_id, source_servicename, source_hostid, source_base_url,"
        " source_request_id, type, level, message, details)"
        " VALUES ($1, $2, now_us(), $3, $4, $2, $5, $6, $7, $8, $9, $10, $11, $12)",
        DB(DBZ(uuid), DBS(ev->account), DBZ(kind->resource_type),
           ev->resource_id.n ? DBS(ev->resource_id) : nobody,
           known ? DBZ(service_names[ev->service].key) : nobody,
           known ? DBZ(ev->engine->host_id) : nobody,
           known ? DBS(base_url_of(ev->engine, ev->service, url, sizeof url)) : nobody,
           ev->request_id.n ? DBS(ev->request_id) : nobody, DBZ(kind->type), DBZ(kind->level),
           DBS(ev->message.n ? ev->message : str_z(kind->message)),
           DBS(ev->details.n ? ev->details : STR("{}"))),
        e);
    return n < 0 ? (int)n : 0;
}

static int tell_run(struct db_tx *tx, void *ctx, struct err *e)
{
    return event_add(tx, ctx, e);
}

int event_tell(struct engine *en, const struct event *ev, struct err *e)
{
    return db_run(en->db, DB_WRITE, tell_run, (void *)ev, e);
}

str event_details(struct arena *a, const char *const *names, const str *values, size_t n)
{
    auto_buf b;
    buf_init(&b, DETAILS_MAX);
    buf_add_char(&b, '{');
    for (size_t i = 0; i < n; i++) {
        if (i)
            buf_add(&b, ", ", 2);
        json_put_string(&b, str_z(names[i]));
        buf_add(&b, ": ", 2);
        if (values[i].p)
            json_put_string(&b, values[i]);
        else
            buf_add_str(&b, STR("null"));
    }
    buf_add_char(&b, '}');
    return buf_ok(&b) ? arena_dup(a, buf_view(&b)) : (str){0};
}
