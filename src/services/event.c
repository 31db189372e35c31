#include "services/event.h"

#include "codec/json.h"
#include "services/notification.h"

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

/* Of one type for all: whoever is told of events is told of everything in the configured levels. */
static int notify(struct db_tx *tx, const struct event *ev, const struct event_kind *kind,
                  const char *uuid, struct err *e)
{
    yyjson_val *levels = json_at(ev->engine->config->tree, "services", "catalog", "event_log",
                                 "notification", "level", NULL);
    yyjson_val *level;
    size_t i, max;
    bool wanted = yyjson_arr_size(levels) == 0;
    yyjson_arr_foreach(levels, i, max, level) wanted |=
        str_eq_nocase(json_text(level), str_z(kind->level));
    if (!wanted)
        return 0;
    auto_buf b;
    buf_init(&b, 2 * DETAILS_MAX);
    buf_addf(&b,
             "\"generated_uuid\": \"%s\", \"event\": {\"type\": \"%s\", \"level\": \"%s\","
             " \"message\": ",
             uuid, kind->type, kind->level);
    json_put_string(&b, ev->message.n ? ev->message : str_z(kind->message));
    buf_add_str(&b, STR(", \"details\": "));
    buf_add_str(&b, ev->details.n ? ev->details : STR("{}"));
    buf_add_str(&b, STR(", \"resource\": {\"type\": "));
    json_put_string(&b, str_z(kind->resource_type));
    buf_add_str(&b, STR(", \"id\": "));
    json_put_string(&b, ev->resource_id);
    buf_add_str(&b, STR(", \"user_id\": "));
    json_put_string(&b, ev->account);
    buf_add_str(&b, STR("}}"));
    const struct notification n = {.account = ev->account,
                                   .type = STR("event_log"),
                                   .key = ev->resource_id,
                                   .id = str_z(uuid),
                                   .members = buf_view(&b)};
    int rc = buf_check(&b, "a notification", e);
    return rc < 0 ? rc : notification_put(tx, &n, e) < 0 ? e->code : 0;
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
    if (n < 0)
        return (int)n;
    return ev->engine && ev->engine->config->event_notification ? notify(tx, ev, kind, uuid, e) : 0;
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
