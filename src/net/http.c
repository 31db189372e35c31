#include "net/http.h"

#include "base/auto.h"
#include "net/base64.h"
#include "net/http_fields.h"
#include "net/http_transfer.h"

#include <sys/random.h>

enum {
    REDIRECTS_MAX = 10,
    NO_CONTACT_TRIES = 2,    /* an unknown or closed host seldom comes back within seconds */
    IDLE_TRIES = 1,          /* each has already cost the whole idle timeout */
    ATTEMPTS_MAX = 200,      /* whatever progress each of them made */
    PROGRESS_MIN = 64 << 10, /* bytes that make an attempt count as a new first one */
    BACKOFF_MAX_MS = 30 * 1000,
    RETRY_AFTER_MAX = 120, /* seconds; a server that wants more gets its answer reported */
    DEFAULT_MAX_BODY = 64 << 20,
};

void http_response_done(struct http_response *r)
{
    buf_done(&r->headers);
    r->status = 0;
}

str http_header(const struct http_response *r, const char *name)
{
    str rest = buf_view(&r->headers), line, wanted = str_z(name);
    while (str_line(&rest, &line)) {
        if (line.n > wanted.n + 1 && line.p[wanted.n] == ':' &&
            str_eq_nocase(str_sub(line, 0, wanted.n), wanted))
            return str_trim(str_from(line, wanted.n + 1));
    }
    return (str){0};
}

/* ---- retries -----------------------------------------------------------------------------------
 */

static bool is_idempotent(const char *method)
{
    static const char *const names[] = {"GET", "HEAD", "PUT", "DELETE", "OPTIONS"};
    for (size_t i = 0; i < KE_ARRAY_LEN(names); i++)
        if (strcmp(method, names[i]) == 0)
            return true;
    return false;
}

static bool status_may_pass(int status)
{
    return status == 408 || status == 425 || status == 429 || status == 500 || status == 502 ||
           status == 503 || status == 504;
}

static void sleep_ms(uint64_t ms)
{
    struct timespec left = {.tv_sec = (time_t)(ms / 1000), .tv_nsec = (long)(ms % 1000) * 1000000};
    while (nanosleep(&left, &left) != 0)
        ;
}

/* The first wait doubled for each try, then anything from half of that to all of it, so that many
 * clients do not come back in step. */
static uint64_t backoff_ms(uint32_t first, unsigned tries)
{
    uint64_t wait = (uint64_t)first << (tries < 16 ? tries : 16);
    uint32_t random = 0;
    if (wait > BACKOFF_MAX_MS)
        wait = BACKOFF_MAX_MS;
    if (getrandom(&random, sizeof random, GRND_NONBLOCK) != sizeof random)
        random = 0;
    return wait / 2 + (wait / 2) * (random & 0xffff) / 0xffff;
}

/* Sleeps before another try. False: trying again makes no sense. */
static bool wait_for_next(const struct http_transfer *t, int rc, unsigned tries)
{
    const struct http_options *o = &t->h->o;
    uint64_t seconds;
    if (t->rq->no_retry || tries >= o->retries)
        return false;
    if (rc < 0 && (!t->may_help || (t->no_contact && tries >= NO_CONTACT_TRIES) ||
                   (t->idle && tries >= IDLE_TRIES)))
        return false;
    if (rc == 0 && !status_may_pass(t->rs->status))
        return false;
    if (!is_idempotent(t->method) && !(rc < 0 && t->no_contact))
        return false;
    if (rc == 0 &&
        http_retry_after_parse(http_header(t->rs, "retry-after"), time(NULL), &seconds)) {
        if (seconds > RETRY_AFTER_MAX)
            return false;
        sleep_ms(seconds * 1000);
        return true;
    }
    sleep_ms(backoff_ms(o->retry_wait_ms, tries));
    return true;
}

/* ---- redirects ---------------------------------------------------------------------------------
 */

struct chain {
    struct http_url first, now;
    char *seen[REDIRECTS_MAX + 1];
    size_t n_seen;
    char *from_url; /* Authorization made of the URL's user and password; owned */
};

static void chain_done(struct chain *c)
{
    for (size_t i = 0; i < c->n_seen; i++)
        free(c->seen[i]);
    free(c->from_url);
    http_url_done(&c->first);
    http_url_done(&c->now);
}

static int chain_init(struct chain *c, const struct curl_api *api, const char *url, struct err *e)
{
    int rc = http_url_parse(api, url, &c->first, e);
    if (rc < 0 || !c->first.user_pass)
        return rc;
    auto_buf b;
    buf_init(&b, 16384);
    buf_add_str(&b, STR("Basic "));
    base64_encode(str_z(c->first.user_pass), &b);
    const char *text = buf_z(&b);
    c->from_url = text ? strdup(text) : NULL;
    return c->from_url ? 0 : err_no_memory(e);
}

/* Back to the request's own URL: what a redirect led to may have expired. */
static int chain_start(struct chain *c, struct http_transfer *t, struct err *e)
{
    const struct http_request *rq = t->rq;
    while (c->n_seen)
        free(c->seen[--c->n_seen]);
    http_url_done(&c->now);
    c->now = c->first;
    c->now.user_pass = NULL;
    if (!(c->now.text = strdup(c->first.text)))
        return err_no_memory(e);
    t->url = &c->now;
    t->method = rq->method ? rq->method : "GET";
    t->body = rq->body;
    t->foreign = false;
    t->authorization = rq->authorization ? rq->authorization : c->from_url;
    return 0;
}

static int chain_follow(struct chain *c, struct http_transfer *t, struct err *e)
{
    struct http_url next;
    auto_buf location;
    buf_init(&location, HTTP_URL_MAX);
    buf_add_str(&location, http_header(t->rs, "location"));
    const char *text = buf_z(&location);
    if (!text)
        return err_set(e, ERR_LIMIT, "%s redirects to an overlong URL", c->now.redacted);
    int rc = http_url_resolve(t->h->api, &c->now, text, &next, e);
    if (rc < 0) {
        http_url_done(&next);
        return rc;
    }
    if (c->n_seen == REDIRECTS_MAX) {
        http_url_done(&next);
        return err_set(e, ERR_NET, "%s: more than %d redirects", c->first.redacted, REDIRECTS_MAX);
    }
    c->seen[c->n_seen++] = TAKE(c->now.text);
    c->now = next;
    for (size_t i = 0; i < c->n_seen; i++)
        if (strcmp(c->seen[i], c->now.text) == 0)
            return err_set(e, ERR_NET, "%s: the server redirects in a circle", c->first.redacted);
    if (!http_url_same_origin(&c->first, &c->now)) { /* for good, even if it leads back */
        t->foreign = true;
        t->authorization = NULL;
    }
    bool post = strcmp(t->method, "POST") == 0;
    if ((t->rs->status == 303 && strcmp(t->method, "HEAD") != 0) ||
        (post && (t->rs->status == 301 || t->rs->status == 302))) {
        t->method = "GET";
        t->body = (str){0};
    }
    if (t->foreign && t->body.n) /* it may hold secrets, as forms with tokens do */
        return err_set(e, ERR_NET, "%s redirects what was sent to another server: refused",
                       c->first.redacted);
    return 0;
}

/* From the current URL to the end of its redirects. */
static int run_chain(struct chain *c, struct http_transfer *t, struct err *e)
{
    for (;;) {
        int rc = http_transfer_run(t, e);
        if (rc < 0 || t->rq->no_redirect || !http_status_is_redirect(t->rs->status) ||
            !http_header(t->rs, "location").n)
            return rc;
        t->may_help = false;
        if ((rc = chain_follow(c, t, e)) < 0)
            return rc;
    }
}

/* ---- the whole ---------------------------------------------------------------------------------
 */

/* What the caller knows of the first part, from an earlier run. */
static void take_if_range(struct http_transfer *t)
{
    for (size_t i = 0; i < t->rq->n_headers; i++)
        if (strcasecmp(t->rq->headers[i].name, "if-range") == 0)
            snprintf(t->etag, sizeof t->etag, "%s", t->rq->headers[i].value);
}

static int fetch(struct http_transfer *t, struct chain *c, struct err *e)
{
    unsigned tries = 0;
    uint64_t before = 0;
    for (unsigned attempts = 1;; attempts++) {
        int rc = chain_start(c, t, e);
        if (rc < 0)
            return rc;
        rc = run_chain(c, t, e);
        if (t->delivered - before >= PROGRESS_MIN)
            tries = 0;
        before = t->delivered;
        if (attempts == ATTEMPTS_MAX || !wait_for_next(t, rc, tries++))
            return rc;
    }
}

int http_fetch(struct http *h, const struct http_request *rq, struct http_response *rs,
               struct buf *body_out, struct err *e)
{
    struct http_request own = *rq;
    struct chain c KE_CLEANUP(chain_done) = {0};
    struct http_transfer *t autofree = calloc(1, sizeof *t);
    rs->status = 0;
    rs->effective_url[0] = 0;
    buf_init(&rs->headers, HTTP_HEADERS_MAX * 2);
    if (!t)
        return err_no_memory(e);
    if (!own.max_body)
        own.max_body = DEFAULT_MAX_BODY;
    *t = (struct http_transfer){.h = h, .rq = &own, .rs = rs, .body_out = body_out};
    t->body_start = body_out ? body_out->n : 0;
    take_if_range(t);
    int rc = chain_init(&c, h->api, rq->url, e);
    return rc < 0 ? rc : fetch(t, &c, e);
}

int http_status_error(const struct http_response *rs, const char *what, struct err *e)
{
    str url = str_z(rs->effective_url);
    url = str_split(&url, '?');
    url = str_sub(url, 0, 200);
    int status = rs->status;
    uint64_t seconds;
    if (status == 401 || status == 403)
        return err_set(e, ERR_AUTH, "%s: access refused by %.*s (HTTP %d): check the credentials",
                       what, STR_ARG(url), status);
    if (status == 404 || status == 410)
        return err_set(e, ERR_NOT_FOUND, "%s: not found at %.*s (HTTP %d)", what, STR_ARG(url),
                       status);
    if (status == 407)
        return err_set(e, ERR_AUTH,
                       "%s: the proxy wants a login: put user and password into the proxy's URL",
                       what);
    if (status == 429 &&
        http_retry_after_parse(http_header(rs, "retry-after"), time(NULL), &seconds))
        return err_set(e, ERR_NET,
                       "%s: too many requests to %.*s (HTTP 429): try again in %llu seconds", what,
                       STR_ARG(url), (unsigned long long)seconds);
    if (status == 429)
        return err_set(e, ERR_NET, "%s: too many requests to %.*s (HTTP 429): try again later",
                       what, STR_ARG(url));
    if (status >= 500)
        return err_set(e, ERR_NET,
                       "%s: the server has a problem at %.*s (HTTP %d): try again later", what,
                       STR_ARG(url), status);
    return err_set(e, ERR_NET, "%s: unexpected answer from %.*s (HTTP %d)", what, STR_ARG(url),
                   status);
}
