#include "services/router.h"

#include "base/auto.h"
#include "services/auth.h"
#include "services/log.h"
#include "services/metrics.h"
#include "services/router_table.h"

#include <sys/random.h>

static const size_t call_memory = (size_t)256 << 20;
static const uint64_t body_usual = 16U << 20, body_big = 100U << 20, body_huge = 16ULL << 30;

/* A call, and how far its request has come. */
struct routed {
    struct call call;
    struct err err;
    struct router *router;
    const struct entry *entry; /* NULL: none fits */
    struct path_parts parts;
    str allow, query;
};

/* ---- the life of a call */

static struct routed *routed_new(struct router *r)
{
    struct routed *x = calloc(1, sizeof *x);
    if (!x)
        return NULL;
    x->router = r;
    x->call.engine = r->engine;
    x->call.service = r->ops->id;
    x->call.err = &x->err;
    arena_init(&x->call.arena, call_memory);
    return x;
}

static void routed_free(void *p)
{
    struct routed *x = p;
    if (!x)
        return;
    yyjson_doc_free(x->call.body_doc);
    buf_done(&x->call.answer);
    arena_done(&x->call.arena);
    free(x);
}

static void routed_free_(struct routed **x)
{
    routed_free(*x);
}

static void find_route(struct routed *x, str method, str path, str query)
{
    struct call *c = &x->call;
    c->method = method;
    c->path = path;
    x->query = query;
    path_split(path, &c->arena, &x->parts);
    x->entry = router_match(x->router, method, &x->parts, &c->arena, &x->allow);
    c->route = x->entry ? x->entry->path : NULL;
}

static bool sane_id(str id)
{
    if (!id.n || id.n > 128)
        return false;
    for (size_t i = 0; i < id.n; i++) {
        if (!ke_isalnum(id.p[i]) && !strchr("-_.:", id.p[i]))
            return false;
    }
    return true;
}

static str request_id(struct arena *a, str offered)
{
    if (sane_id(offered))
        return arena_dup(a, offered);
    uint64_t id[2] = {0};
    if (getrandom(id, sizeof id, 0) != (ssize_t)sizeof id)
        return STR("-");
    return arena_printf(a, "%016llx%016llx", (unsigned long long)id[0], (unsigned long long)id[1]);
}

/* ---- answers of the router itself */

static const char *service_key(const struct routed *x)
{
    return service_names[x->router->ops->id].key;
}

static void answer_error(struct routed *x, int code)
{
    static const struct {
        int code, status;
    } table[] = {{ERR_NOT_FOUND, 404}, {ERR_USAGE, 400}, {ERR_EXISTS, 409}, {ERR_CONFLICT, 409},
                 {ERR_AUTH, 403},      {ERR_LIMIT, 413}, {ERR_NET, 503}};
    static const char last_resort[] =
        "{\n  \"detail\": \"The server ran out of memory.\",\n  \"status\": 500,\n"
        "  \"title\": \"Internal Server Error\",\n  \"type\": \"about:blank\"\n}\n";
    struct call *c = &x->call;
    struct err why = x->err;
    for (size_t i = 0; i < KE_ARRAY_LEN(table); i++) {
        if (table[i].code == code && call_error(c, table[i].status, "%s", why.text) == 0)
            return;
    }
    log_line(LOG_LEVEL_ERROR, service_key(x), c->request_id.p, "%.*s %.*s: %s", STR_ARG(c->method),
             STR_ARG(c->path), why.text);
    if (call_problem(c, 500, "Internal Server Error",
                     "The server met an error; its log has it under request id %.*s.",
                     STR_ARG(c->request_id)) < 0)
        call_send_text(c, 500, "application/problem+json", STR(last_resort));
}

static int answer_no_route(struct routed *x)
{
    struct call *c = &x->call;
    if (!x->allow.n)
        return call_problem(c, 404, "Not Found",
                            "The requested URL was not found on the server. If you entered the URL "
                            "manually please check your spelling and try again.");
    call_reply_header(c, "Allow", x->allow.p);
    if (str_eq(c->method, STR("OPTIONS")))
        return call_send_text(c, 200, "text/html; charset=utf-8", STR(""));
    return call_problem(c, 405, "Method Not Allowed",
                        "The method is not allowed for the requested URL.");
}

/* ---- the steps */

static bool is_open(const struct routed *x)
{
    if (x->entry->flags & ROUTE_OPEN)
        return true;
    const struct service_config *s = &x->router->engine->config->services[x->router->ops->id];
    return x->router->ops->id == SERVICE_KUBERNETES_WEBHOOK && !s->require_auth;
}

static int authorize(struct routed *x)
{
    struct call *c = &x->call;
    if (is_open(x))
        return 0;
    const struct operation_spec *spec = x->entry->spec;
    int k = auth_authorize(c, spec ? spec->action.p : NULL);
    if (k || !(x->entry->flags & ROUTE_INTERNAL))
        return k;
    if (c->who.internal || str_eq(c->who.account_type, STR("admin")) ||
        str_eq(c->who.account_type, STR("service")))
        return 0;
    call_error(c, 403, "Not authorized. Requires callers account of type admin or service");
    return 1;
}

static int serve(struct routed *x)
{
    struct call *c = &x->call;
    int k = 0;
    if (!c->who.internal && !is_open(x))
        k = auth_identify(c);
    if (k == 0)
        k = router_collect(c, x->entry, &x->parts, x->query);
    if (k == 0 && !c->who.internal)
        k = authorize(x);
    if (k == 0)
        k = router_check(x->router, c, x->entry);
    return k ? k : x->entry->handle(c);
}

static void settle(struct routed *x, int k)
{
    if (k < 0)
        answer_error(x, k);
    else if (!x->call.status && !x->call.parked)
        answer_error(x, err_set(&x->err, ERR_IO, "the handler gave no answer"));
}

/* ---- over the network */

/* The last that touches the call: another thread frees it when the answer has been sent. */
static void reply(struct routed *x)
{
    struct call *c = &x->call;
    if (c->shared.release)
        httpd_reply_shared(c->rq, c->status, c->answer_type, c->shared.bytes, c->shared.varies,
                           c->shared.gzipped, c->shared.release, c->shared.owner);
    else
        httpd_reply(c->rq, c->status, c->answer_type, &c->answer, !c->plain);
}

static void resumed(void *ctx, struct httpd_request *rq);

static void finish(struct routed *x, int k)
{
    struct call *c = &x->call;
    settle(x, k);
    if (c->parked)
        httpd_park(c->rq, c->park_ms, resumed, x);
    else
        reply(x);
}

static void resumed(void *ctx, struct httpd_request *rq)
{
    struct routed *x = ctx;
    x->call.parked = false;
    finish(x, x->call.resume(&x->call));
}

static void serve_deferred(void *ctx, struct httpd_request *rq)
{
    struct routed *x = ctx;
    finish(x, serve(x));
}

static bool must_defer(struct routed *x)
{
    if (x->entry->flags & ROUTE_SLOW || strcmp(x->entry->method, "GET") != 0)
        return true;
    if (is_open(x))
        return false;
    return db_kind(x->router->engine->db) == DB_POSTGRES || auth_will_wait(&x->call);
}

/* The call of a request: made when its headers are there, found again when the body is. */
static struct routed *routed_of(struct router *r, struct httpd_request *rq)
{
    struct routed *x = httpd_data(rq);
    if (x)
        return x;
    x = routed_new(r);
    if (!x)
        return NULL;
    httpd_set_data(rq, x, routed_free);
    x->call.rq = rq;
    find_route(x, httpd_method(rq), httpd_path(rq), httpd_query(rq));
    x->call.request_id = request_id(&x->call.arena, httpd_header_of(rq, "x-request-id"));
    return x;
}

static uint64_t admit(void *ctx, struct httpd_request *rq)
{
    struct routed *x = routed_of(ctx, rq);
    unsigned flags = x && x->entry ? x->entry->flags : 0;
    return flags & ROUTE_HUGE ? body_huge : flags & ROUTE_BIG ? body_big : body_usual;
}

static void handle(void *ctx, struct httpd_request *rq)
{
    struct routed *x = routed_of(ctx, rq);
    if (!x)
        return;
    struct call *c = &x->call;
    c->raw = httpd_body(rq);
    c->content_type = httpd_header_of(rq, "content-type");
    if (c->request_id.p)
        httpd_add_header(rq, "x-request-id", c->request_id.p);
    if (!x->entry)
        finish(x, answer_no_route(x));
    else if (must_defer(x))
        httpd_defer(rq, serve_deferred, x);
    else
        finish(x, serve(x));
}

static void too_large(void *ctx, struct httpd_request *rq)
{
    struct routed *x = routed_of(ctx, rq);
    if (!x)
        return;
    unsigned flags = x->entry ? x->entry->flags : 0;
    if (flags & ROUTE_BIG)
        call_error(&x->call, 400, "too large. Max size of 100MB supported for content");
    else
        call_problem(&x->call, 413, "Request Entity Too Large",
                     "The data value transmitted exceeds the capacity limit.");
    reply(x);
}

static void count(const struct routed *x, int status, uint64_t sent, uint64_t usec)
{
    struct metrics *m = x->router->engine->metrics;
    const char *service = service_key(x), *method = x->entry ? x->entry->method : "other";
    const char *route = x->entry ? x->entry->path : "none";
    char code[8];
    snprintf(code, sizeof code, "%d", status);
    metric_observe(m, METRIC_HTTP_SECONDS, (double)usec / 1e6,
                   METRIC_LABELS(service, method, route, code));
    metric_add(m, METRIC_HTTP_TOTAL, 1, METRIC_LABELS(service, method, code));
    metric_add(m, METRIC_HTTP_BYTES, (double)sent, METRIC_LABELS(service));
}

static void done(void *ctx, struct httpd_request *rq, int status, uint64_t sent, uint64_t usec)
{
    struct routed *x = httpd_data(rq);
    if (!x)
        return;
    count(x, status, sent, usec);
    const struct call *c = &x->call;
    enum log_level level =
        x->entry && x->entry->flags & ROUTE_OPEN ? LOG_LEVEL_DEBUG : LOG_LEVEL_INFO;
    if (log_wants(level))
        log_line(level, service_key(x), c->request_id.p, "%.*s %.*s %d %llu bytes %llu us %.*s",
                 STR_ARG(c->method), STR_ARG(c->path), status, (unsigned long long)sent,
                 (unsigned long long)usec, STR_ARG(c->who.username));
}

/* ---- set-up */

int router_new(struct engine *en, const struct service_ops *ops, struct router **out, struct err *e)
{
    struct router *r = calloc(1, sizeof *r);
    if (!r)
        return err_no_memory(e);
    r->engine = en;
    r->ops = ops;
    arena_init(&r->arena, (size_t)16 << 20);
    int k = router_fill(r, e);
    if (k < 0) {
        router_free(r);
        return err_wrap(e, "the routes of %s", service_names[ops->id].key);
    }
    *out = r;
    return 0;
}

void router_free(struct router *r)
{
    if (!r)
        return;
    schema_set_free(r->schemas);
    yyjson_doc_free(r->document);
    free(r->entries);
    arena_done(&r->arena);
    free(r);
}

int router_start(struct engine *en, const struct service_ops *ops, struct err *e)
{
    const struct service_config *s = &en->config->services[ops->id];
    struct router *r;
    int k = router_new(en, ops, &r, e);
    if (k < 0)
        return k;
    const struct httpd_options o = {
        .address = s->listen,
        .port = s->port,
        .tls_cert = s->ssl_cert,
        .tls_key = s->ssl_key,
        .tls_chain = s->ssl_chain,
        .event_threads = ops->id == SERVICE_APIEXT ? 2 : 1,
        .pool_threads = s->max_request_threads,
        .idle_timeout = s->request_timeout,
        .admit = admit,
        .handle = handle,
        .too_large = too_large,
        .done = done,
        .ctx = r,
    };
    en->routers[ops->id] = r;
    k = httpd_start(&o, &en->servers[ops->id], e);
    if (k == 0)
        return 0;
    en->routers[ops->id] = NULL;
    router_free(r);
    return err_wrap(e, "opening the port of %s", service_names[ops->id].key);
}

void router_stop(struct engine *en, enum service_id id, unsigned seconds)
{
    if (en->servers[id] && seconds)
        httpd_drain(en->servers[id], seconds);
    httpd_stop(en->servers[id]);
    en->servers[id] = NULL;
    router_free(en->routers[id]);
    en->routers[id] = NULL;
}

/* ---- in process */

int router_dispatch(struct engine *en, enum service_id id, const struct service_request *rq,
                    int *status, struct buf *body, struct err *e)
{
    if (!en->routers[id])
        return err_set(e, ERR_NET, "the service %s is not up", service_names[id].key);
    struct routed *x KE_CLEANUP(routed_free_) = routed_new(en->routers[id]);
    if (!x)
        return err_no_memory(e);
    struct call *c = &x->call;
    str query = str_z(rq->path), path = str_split(&query, '?');
    find_route(x, str_z(rq->method), path, query);
    c->who = (struct identity){
        STR("anchore-system"), STR("anchore-system"), STR("service"), STR("enabled"), {0}, true};
    c->account = rq->account.n ? rq->account : c->who.account;
    c->raw = rq->body;
    c->content_type = rq->content_type ? str_z(rq->content_type) : STR("application/json");
    c->request_id = request_id(&c->arena, rq->request_id);
    settle(x, x->entry ? serve(x) : answer_no_route(x));
    *status = c->status;
    buf_add_str(body, buf_view(&c->answer));
    return buf_check(body, "the answer", e);
}
