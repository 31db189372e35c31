#include "services/discovery.h"

#include "base/auto.h"
#include "services/discovery_internal.h"
#include "services/event.h"
#include "services/log.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>

enum { SUFFIX_MAX = 100, DOWN_SECONDS = 30, GONE_SECONDS = 45 };

/* ---- our own rows
 * ---------------------------------------------------------------------------------- */

static int instance_make(struct discovery *d, struct err *e)
{
    uint64_t b[2];
    if (getrandom(b, sizeof b, 0) != sizeof b)
        return err_errno(e, "while naming this process");
    char host[100] = "";
    gethostname(host, sizeof host - 1);
    snprintf(d->instance, sizeof d->instance, "%016llx%016llx %s %ld", (unsigned long long)b[0],
             (unsigned long long)b[1], host, (long)getpid());
    return 0;
}

int discovery_open(struct engine *en, struct err *e)
{
    struct discovery *d = calloc(1, sizeof *d);
    if (!d)
        return err_no_memory(e);
    pthread_mutex_init(&d->lock, NULL);
    snprintf(d->host_id, sizeof d->host_id, "%s", en->config->host_id);
    en->discovery = d;
    en->host_id = d->host_id;
    return instance_make(d, e);
}

void discovery_close(struct discovery *d)
{
    if (!d)
        return;
    http_free(d->http);
    for (int i = 0; i < SERVICE_COUNT; i++)
        vec_done(&d->found[i].urls);
    pthread_mutex_destroy(&d->lock);
    free(d);
}

const char *discovery_instance(const struct engine *en)
{
    return en->discovery->instance;
}

str discovery_status(struct arena *a, bool up, const char *message)
{
    auto_buf b;
    buf_init(&b, 4096);
    const char *word = up ? "true" : "false";
    buf_addf(&b,
             "{\"available\": %s, \"busy\": false, \"db_version\": \"" ENGINE_DB_VERSION
             "\", \"detail\": {}, \"message\": ",
             word);
    json_put_string(&b, str_z(message));
    buf_addf(&b, ", \"up\": %s, \"version\": \"" ENGINE_VERSION "\"}", word);
    return arena_dup(a, buf_view(&b));
}

static str base_url(struct arena *a, const struct service_config *s, uint16_t port)
{
    const char *host = s->external_hostname ? s->external_hostname : s->endpoint_hostname;
    return arena_printf(a, "%s://%s:%u", s->external_tls ? "https" : "http", host,
                        s->external_port ? s->external_port : port);
}

/* Was the process that wrote this instance one of this machine, and is it gone? */
static bool instance_is_dead(const struct discovery *d, str instance)
{
    str own = str_z(d->instance), rest = instance;
    str_split(&rest, ' ');
    str_split(&own, ' ');
    str host = str_split(&rest, ' '), own_host = str_split(&own, ' ');
    uint64_t pid;
    if (!str_eq(host, own_host) || !str_to_u64(rest, &pid) || pid == 0 || pid > INT32_MAX)
        return false;
    return str_eq(rest, own) || (kill((pid_t)pid, 0) < 0 && errno == ESRCH);
}

/* 1: some living process has one of our services under this host id. */
static int host_id_taken(struct engine *en, struct db_tx *tx, str host_id, struct err *e)
{
    auto_rows *rows = NULL;
    int r = db_query(tx,
                     "SELECT servicename, instance FROM services WHERE hostid = $1"
                     " AND heartbeat > now_us() - $2",
                     DB(DBS(host_id), DBI((int64_t)DOWN_SECONDS * 1000000)), &rows, e);
    while (r >= 0 && (r = db_next(rows, e)) == 1) {
        int id = service_by_name(db_text(rows, 0));
        str instance = db_text(rows, 1);
        if (id >= 0 && en->config->services[id].selected &&
            !str_eq(instance, str_z(en->discovery->instance)) &&
            !instance_is_dead(en->discovery, instance))
            return 1;
    }
    return r;
}

static int row_write(struct engine *en, struct db_tx *tx, int id, struct err *e)
{
    struct arena a;
    arena_init(&a, 1 << 16);
    const struct service_config *s = &en->config->services[id];
    str url = base_url(&a, s, en->servers[id] ? httpd_port(en->servers[id]) : s->port);
    bool up = en->discovery->up;
    str detail = discovery_status(&a, up, up ? "all good" : "starting");
    /* What is there is of a dead process; one that came since we looked stays, and n is 0. */
    int64_t n = db_exec(
        tx, "DELETE FROM services WHERE hostid = $1 AND servicename = $2 AND instance <> $3",
        DB(DBZ(en->host_id), DBZ(service_names[id].key), DBZ(en->discovery->instance)), e);
    if (n >= 0)
        n = db_exec(
            tx,
            "INSERT INTO services (hostid, servicename, version, base_url, status, status_message,"
            " service_detail, instance, heartbeat, created_at, last_updated)"
            " VALUES ($1, $2, 'v1', $3, $6, $7, $4, $5, now_us(), now_us(), now_us())"
            " ON CONFLICT (hostid, servicename) DO UPDATE SET version = excluded.version,"
            " base_url = excluded.base_url, status = excluded.status,"
            " status_message = excluded.status_message,"
            " service_detail = excluded.service_detail, heartbeat = excluded.heartbeat,"
            " last_updated = excluded.last_updated WHERE services.instance = excluded.instance",
            DB(DBZ(en->host_id), DBZ(service_names[id].key), DBS(url), DBS(detail),
               DBZ(en->discovery->instance), DBI(up), DBZ(up ? "available" : "registered")),
            e);
    arena_done(&a);
    return n < 0 ? (int)n : n == 0 ? err_set(e, ERR_CONFLICT, "another process was faster") : 0;
}

static int register_in(struct db_tx *tx, void *ctx, struct err *e)
{
    struct engine *en = ctx;
    struct discovery *d = en->discovery;
    int r = d->registered ? host_id_taken(en, tx, str_z(d->host_id), e) : 1;
    for (int i = 1; i <= SUFFIX_MAX && r == 1; i++) {
        if (i == 1)
            snprintf(d->host_id, sizeof d->host_id, "%s", en->config->host_id);
        else
            snprintf(d->host_id, sizeof d->host_id, "%s-%d", en->config->host_id, i);
        r = host_id_taken(en, tx, str_z(d->host_id), e);
    }
    if (r == 1)
        return err_set(e, ERR_CONFLICT, "more than %d processes have the host id %s", SUFFIX_MAX,
                       en->config->host_id);
    for (int i = 0; i < SERVICE_COUNT && r == 0; i++)
        if (en->config->services[i].selected)
            r = row_write(en, tx, i, e);
    return r;
}

static int register_as(struct engine *en, bool up, struct err *e)
{
    struct discovery *d = en->discovery;
    char before[sizeof d->host_id];
    memcpy(before, d->host_id, sizeof before);
    d->up = up;
    int r = ERR_CONFLICT;
    for (int i = 0; i < 10 && r == ERR_CONFLICT; i++)
        r = db_run(en->db, DB_WRITE, register_in, en, e);
    if (r < 0)
        return err_wrap(e, "while registering");
    d->registered = true;
    if (strcmp(en->host_id, before) != 0)
        log_warn(NULL, "another living process has the host id %s: this one goes as %s",
                 en->config->host_id, en->host_id);
    return 0;
}

int discovery_reserve(struct engine *en, struct err *e)
{
    return register_as(en, false, e);
}

int discovery_register(struct engine *en, struct err *e)
{
    return register_as(en, true, e);
}

static int beat_in(struct db_tx *tx, void *ctx, struct err *e)
{
    struct engine *en = ctx;
    for (int i = 0; i < SERVICE_COUNT; i++) {
        if (!en->config->services[i].selected)
            continue;
        int64_t n = db_exec(
            tx,
            "UPDATE services SET heartbeat = now_us(), last_updated = now_us()"
            " WHERE hostid = $1 AND servicename = $2 AND instance = $3"
            " AND status = 1",
            DB(DBZ(en->host_id), DBZ(service_names[i].key), DBZ(en->discovery->instance)), e);
        if (n < 0)
            return (int)n;
        if (n == 0)
            return 1;
    }
    return 0;
}

int discovery_beat(struct engine *en, struct err *e)
{
    int r = db_run(en->db, DB_WRITE, beat_in, en, e);
    return r == 1 ? discovery_register(en, e) : r;
}

static int leave_in(struct db_tx *tx, void *ctx, struct err *e)
{
    struct engine *en = ctx;
    int64_t n = db_exec(tx, "DELETE FROM services WHERE instance = $1",
                        DB(DBZ(en->discovery->instance)), e);
    return n < 0 ? (int)n : 0;
}

int discovery_leave(struct engine *en, struct err *e)
{
    return db_run(en->db, DB_WRITE, leave_in, en, e);
}

/* ---- the rows of those that died
 * ------------------------------------------------------------------ */

struct lost {
    str host, service, url;
    bool remove;
};
struct watch_ctx {
    struct engine *en;
    struct arena a;
    struct lost lost[64];
    size_t n;
};

static int lost_find(struct watch_ctx *w, struct db_tx *tx, struct err *e)
{
    auto_rows *rows = NULL;
    int r = db_query(
        tx,
        "SELECT hostid, servicename, base_url, heartbeat < now_us() - $2 FROM services"
        " WHERE (status = 1 AND heartbeat < now_us() - $1) OR heartbeat < now_us() - $2"
        " ORDER BY heartbeat LIMIT 64",
        DB(DBI((int64_t)DOWN_SECONDS * 1000000), DBI((int64_t)GONE_SECONDS * 1000000)), &rows, e);
    while (r >= 0 && (r = db_next(rows, e)) == 1)
        w->lost[w->n++] =
            (struct lost){arena_dup(&w->a, db_text(rows, 0)), arena_dup(&w->a, db_text(rows, 1)),
                          arena_dup(&w->a, db_text(rows, 2)), db_int(rows, 3) != 0};
    return r;
}

static int lost_tell(struct watch_ctx *w, struct db_tx *tx, const struct lost *l, struct err *e)
{
    const char *names[] = {"host_id", "name", "base_url", "cause"};
    str cause = arena_printf(&w->a, "no heartbeat from service in (%d) seconds",
                             l->remove ? GONE_SECONDS : DOWN_SECONDS);
    str values[] = {l->host, l->service, l->url, cause};
    struct event ev = {.engine = w->en,
                       .service = SERVICE_CATALOG,
                       .type = l->remove ? "system.service.removed"
                                         : "system.service.state_transition.down",
                       .account = STR("admin"),
                       .resource_id = l->url,
                       .details = event_details(&w->a, names, values, 4)};
    return event_add(tx, &ev, e);
}

static int watch_in(struct db_tx *tx, void *ctx, struct err *e)
{
    struct watch_ctx *w = ctx;
    arena_done(&w->a);
    w->n = 0;
    str detail = discovery_status(&w->a, false, "no heartbeat from service in (30) seconds");
    int r = lost_find(w, tx, e);
    for (size_t i = 0; i < w->n && r >= 0; i++) {
        const struct lost *l = &w->lost[i];
        int64_t n = l->remove
                        ? db_exec(tx, "DELETE FROM services WHERE hostid = $1 AND servicename = $2",
                                  DB(DBS(l->host), DBS(l->service)), e)
                        : db_exec(tx,
                                  "UPDATE services SET status = 0, status_message = 'unavailable',"
                                  " service_detail = $3, last_updated = now_us()"
                                  " WHERE hostid = $1 AND servicename = $2",
                                  DB(DBS(l->host), DBS(l->service), DBS(detail)), e);
        r = n < 0 ? (int)n : lost_tell(w, tx, l, e);
    }
    return r < 0 ? r : 0;
}

int discovery_watch(struct engine *en, struct err *e)
{
    struct watch_ctx w = {.en = en};
    arena_init(&w.a, 1 << 20);
    int r = db_run(en->db, DB_WRITE, watch_in, &w, e);
    for (size_t i = 0; r >= 0 && i < w.n; i++)
        log_warn("catalog", "%.*s on %.*s %s", STR_ARG(w.lost[i].service), STR_ARG(w.lost[i].host),
                 w.lost[i].remove ? "is gone: its row was removed"
                                  : "is down: no heartbeat for 30 seconds");
    arena_done(&w.a);
    return r;
}
