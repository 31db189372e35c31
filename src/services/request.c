/* request.c - asking another service: by a call when it runs here, else over the network. */
#include "base/auto.h"
#include "base/clock.h"
#include "services/auth.h"
#include "services/discovery_internal.h"
#include "services/router.h"

#include <time.h>

enum { FOUND_US = 5000000, INSTANCES_MAX = 64, REQUEST_BODY_MAX = 512 << 20 };

static bool found_has(const struct found *f, const char *url)
{
    for (size_t i = 0; i < f->urls.n; i++)
        if (strcmp(f->urls.p[i].text, url) == 0)
            return true;
    return false;
}

static int found_add(struct found *f, const char *url, struct err *e)
{
    if (found_has(f, url) || f->urls.n == INSTANCES_MAX)
        return 0;
    struct found_url *u = vec_push(&f->urls);
    if (!u)
        return err_no_memory(e);
    snprintf(u->text, sizeof u->text, "%s", url);
    return 0;
}

static int found_load(struct engine *en, enum service_id id, struct found *f, struct err *e)
{
    f->urls.n = 0;
    if (en->config->endpoints[id])
        return found_add(f, en->config->endpoints[id], e);
    auto_tx *tx = NULL;
    auto_rows *rows = NULL;
    int r = db_begin(en->db, DB_READ, &tx, e);
    if (r == 0)
        r = db_query(tx,
                     "SELECT base_url, version FROM services WHERE servicename = $1 AND status = 1"
                     " AND heartbeat > now_us() - 30000000 ORDER BY hostid",
                     DB(DBZ(service_names[id].key)), &rows, e);
    while (r >= 0 && (r = db_next(rows, e)) == 1) {
        char url[512];
        snprintf(url, sizeof url, "%.*s/%.*s", STR_ARG(db_text(rows, 0)),
                 STR_ARG(db_text(rows, 1)));
        r = found_add(f, url, e);
    }
    db_rows_close(TAKE(rows));
    return r < 0 ? r : 0;
}

/* Copies the ways to a service, in the order in which to try them; how many. */
static int found_take(struct engine *en, enum service_id id, bool fresh,
                      struct found_url out[INSTANCES_MAX], struct err *e)
{
    struct discovery *d = en->discovery;
    struct found *f = &d->found[id];
    pthread_mutex_lock(&d->lock);
    int r = 0;
    if (fresh || !f->urls.n || f->until < clock_us()) {
        r = found_load(en, id, f, e);
        f->until = clock_us() + FOUND_US;
    }
    size_t n = r < 0 ? 0 : f->urls.n, first = d->turn++;
    for (size_t i = 0; i < n; i++)
        out[i] = f->urls.p[(first + i) % n];
    if (r == 0 && !d->http) {
        const struct config *c = en->config;
        const struct http_options o = {
            .insecure = !c->internal_ssl_verify,
            .connect_timeout = c->client_connect_timeout ? c->client_connect_timeout : 5,
            .idle_timeout = c->client_read_timeout ? c->client_read_timeout : 180,
        };
        r = http_new(&o, &d->http, e);
    }
    pthread_mutex_unlock(&d->lock);
    return r < 0 ? r : (int)n;
}

/* Leaves one that did not answer out until the list is read again. */
static void found_drop(struct engine *en, enum service_id id, const char *url)
{
    struct discovery *d = en->discovery;
    struct found *f = &d->found[id];
    pthread_mutex_lock(&d->lock);
    for (size_t i = 0; i < f->urls.n; i++) {
        if (strcmp(f->urls.p[i].text, url) == 0)
            f->urls.p[i--] = f->urls.p[--f->urls.n];
    }
    pthread_mutex_unlock(&d->lock);
}

static int ask(struct engine *en, const struct service_request *rq, const char *base, uint32_t ms,
               int *status, struct buf *body, struct err *e)
{
    auto_buf url, token;
    buf_init(&url, 1 << 16);
    buf_init(&token, 1 << 14);
    buf_addf(&url, "%s%s", base, rq->path);
    int r = auth_internal(en, &token, e);
    if (r < 0)
        return r;
    struct arena a;
    arena_init(&a, 1 << 16);
    struct http_header headers[3];
    size_t n = 0;
    if (rq->body.n)
        headers[n++] = (struct http_header){"Content-Type", rq->content_type ? rq->content_type
                                                                             : "application/json"};
    if (rq->account.n)
        headers[n++] = (struct http_header){"x-anchore-account", arena_dup(&a, rq->account).p};
    if (rq->request_id.n)
        headers[n++] = (struct http_header){"x-request-id", arena_dup(&a, rq->request_id).p};
    const struct http_request h = {.method = rq->method,
                                   .url = buf_z(&url),
                                   .headers = headers,
                                   .n_headers = n,
                                   .body = rq->body,
                                   .authorization = buf_z(&token),
                                   .max_body = REQUEST_BODY_MAX,
                                   .timeout_ms = ms,
                                   .no_retry = true};
    struct http_response rs;
    size_t before = body->n;
    r = http_fetch(en->discovery->http, &h, &rs, body, e);
    *status = rs.status;
    http_response_done(&rs);
    arena_done(&a);
    if (r == 0 && *status == 503)
        r = err_set(e, ERR_NET, "%s answers 503", base);
    if (r < 0)
        body->n = before;
    return r;
}

static bool is_idempotent(const char *method)
{
    return strcmp(method, "POST") != 0;
}

/* What the next of `left` instances may take of the time that remains; 0: no limit. */
static uint32_t share_ms(int64_t until_us, int left)
{
    int64_t ms = (until_us - clock_us()) / 1000;
    if (!until_us)
        return 0;
    ms = left > 1 ? ms / 2 : ms;
    return ms < 1 ? 1 : (uint32_t)ms;
}

int service_request(struct engine *en, const struct service_request *rq, int *status,
                    struct buf *body, struct err *e)
{
    if (en->config->services[rq->service].selected)
        return router_dispatch(en, rq->service, rq, status, body, e);
    autofree struct found_url *urls = calloc(INSTANCES_MAX, sizeof *urls);
    if (!urls)
        return err_no_memory(e);
    int64_t until_us = rq->timeout ? clock_us() + (int64_t)rq->timeout * 1000000 : 0;
    struct err last = {0};
    for (int round = 0; round < 2; round++) {
        int n = found_take(en, rq->service, round > 0, urls, e);
        if (n < 0)
            return n;
        for (int i = 0; i < n && (!until_us || clock_us() < until_us); i++) {
            int r = ask(en, rq, urls[i].text, share_ms(until_us, n - i), status, body, &last);
            if (r != ERR_NET)
                return r < 0 ? err_set(e, r, "%s", last.text) : r;
            found_drop(en, rq->service, urls[i].text);
            /* An answer may be under way that never arrives: what is not safe to repeat is only
             * repeated elsewhere when the first one cannot have begun. */
            if (!is_idempotent(rq->method) && !str_contains(str_z(last.text), STR("connect")) &&
                *status != 503)
                return err_set(e, ERR_NET, "the %s service: %s", service_names[rq->service].words,
                               last.text);
        }
    }
    return err_set(e, ERR_NET, "no %s service answers%s%s", service_names[rq->service].words,
                   last.text[0] ? ": " : " (none is registered)", last.text);
}
