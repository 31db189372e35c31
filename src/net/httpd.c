#include "net/httpd_internal.h"

#include "base/auto.h"
#include "base/cond.h"
#include "base/fs.h"

#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <signal.h>
#include <sys/socket.h>

/* ---- libmicrohttpd's callbacks: on an event thread
 * ---------------------------------------------- */

static void *on_uri(void *ctx, const char *uri, struct MHD_Connection *c)
{
    return httpd_request_new(ctx, c, uri);
}

static size_t keep_escapes(void *ctx, struct MHD_Connection *c, char *s)
{
    return strlen(s);
}

static enum MHD_Result send_response(struct httpd_request *rq)
{
    if (!rq->response)
        return MHD_NO;
    return mhd.queue_response(rq->connection, (unsigned)rq->status, rq->response);
}

static void call_handler(struct httpd_request *rq, httpd_fn *fn, int status, const char *text)
{
    if (fn)
        fn(rq->server->o.ctx, rq);
    else
        httpd_reply_text(rq, status, text);
}

/* Runs fn, or the fixed answer when that is NULL; sends what it answered. */
static enum MHD_Result answer(struct httpd_request *rq, httpd_fn *fn, int status, const char *text)
{
    enum httpd_outcome outcome = HTTPD_UNANSWERED;
    rq->outcome = &outcome;
    call_handler(rq, fn, status, text);
    if (outcome == HTTPD_MOVED)
        return MHD_YES;
    if (outcome == HTTPD_UNANSWERED)
        httpd_reply_text(rq, 500, "no answer was made\n");
    return send_response(rq);
}

static enum MHD_Result begin(struct httpd *h, struct httpd_request *rq, const char *method)
{
    rq->begun = true;
    httpd_slow_head_done(h, rq->connection);
    rq->started_us = (uint64_t)clock_us();
    pthread_mutex_lock(&h->lock);
    h->active++;
    pthread_mutex_unlock(&h->lock);
    int refusal = httpd_request_begin(rq, method);
    if (refusal == 0)
        return MHD_YES;
    if (refusal == 413)
        return answer(rq, h->o.too_large, 413, "the body is too large\n");
    return answer(rq, NULL, refusal, "bad request\n");
}

static enum MHD_Result on_request(void *ctx, struct MHD_Connection *c, const char *url,
                                  const char *method, const char *version, const char *upload_data,
                                  size_t *upload_size, void **request)
{
    struct httpd *h = ctx;
    struct httpd_request *rq = *request;
    if (!rq)
        return MHD_NO;
    if (!rq->begun)
        return begin(h, rq, method);
    if (*upload_size) {
        size_t n = *upload_size;
        *upload_size = 0;
        bool taken = httpd_request_body(rq, upload_data, n);
        httpd_slow_body(h, c, rq->body_size);
        return taken ? MHD_YES : MHD_NO;
    }
    if (rq->suspended) {
        rq->suspended = false;
        pthread_mutex_lock(&h->lock);
        h->suspended--;
        pthread_cond_broadcast(&h->change);
        pthread_mutex_unlock(&h->lock);
        return send_response(rq);
    }
    httpd_slow_received(h, c);
    if (rq->refused)
        return answer(rq, h->o.too_large, 413, "the body is too large\n");
    if (!httpd_request_body_end(rq))
        return answer(rq, NULL, 507, "no room for the body\n");
    return answer(rq, h->o.handle, 0, NULL);
}

static void on_completed(void *ctx, struct MHD_Connection *c, void **request,
                         enum MHD_RequestTerminationCode how)
{
    struct httpd *h = ctx;
    struct httpd_request *rq = *request;
    *request = NULL;
    httpd_slow_answered(h, c);
    if (!rq)
        return;
    if (rq->begun) {
        bool whole = how == MHD_REQUEST_TERMINATED_COMPLETED_OK;
        if (h->o.done)
            h->o.done(h->o.ctx, rq, whole ? rq->status : 0, whole ? rq->sent : 0,
                      (uint64_t)clock_us() - rq->started_us);
        pthread_mutex_lock(&h->lock);
        h->suspended -= rq->suspended; /* the client left before the answer came */
        h->active--;
        pthread_cond_broadcast(&h->change);
        pthread_mutex_unlock(&h->lock);
    }
    httpd_request_free(rq);
}

/* ---- start ------------------------------------------------------------------------------------
 */

static int open_socket(const struct addrinfo *ai, bool any, struct err *e)
{
    int on = 1, off = 0;
    autoclose int fd = socket(ai->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return err_errno(e, "cannot open a socket");
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (ai->ai_family == AF_INET6)
        setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, any ? &off : &on, sizeof on);
    if (bind(fd, ai->ai_addr, ai->ai_addrlen) < 0 || listen(fd, 511) < 0)
        return err_errno(e, "cannot listen");
    return TAKE_FD(fd);
}

static int listen_on(const struct httpd_options *o, struct err *e)
{
    char port[8];
    snprintf(port, sizeof port, "%u", o->port);
    bool any = !o->address || !*o->address || str_eq(str_z(o->address), STR("::"));
    const char *tries[] = {any ? "::" : o->address, any ? "0.0.0.0" : NULL};
    int fd = -1;
    for (size_t i = 0; fd < 0 && i < 2 && tries[i]; i++) {
        struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE}, *found = NULL;
        int rc = getaddrinfo(tries[i], port, &hints, &found);
        if (rc != 0) {
            fd = err_set(e, ERR_IO, "%s", gai_strerror(rc));
            continue;
        }
        fd = open_socket(found, any, e);
        bool taken = fd < 0 && errno == EADDRINUSE;
        freeaddrinfo(found);
        if (taken)
            break;
    }
    return fd < 0 ? err_wrap(e, "port %u of %s", o->port, any ? "all addresses" : o->address) : fd;
}

static uint16_t port_of(int fd)
{
    struct sockaddr_storage sa = {0};
    socklen_t n = sizeof sa;
    if (getsockname(fd, (struct sockaddr *)&sa, &n) < 0)
        return 0;
    return ntohs(sa.ss_family == AF_INET6 ? ((struct sockaddr_in6 *)&sa)->sin6_port
                                          : ((struct sockaddr_in *)&sa)->sin_port);
}

struct pem {
    struct buf key, cert;
};

static int read_pem(const struct httpd_options *o, struct pem *p, struct err *e)
{
    if (!o->tls_cert && !o->tls_key)
        return 0;
    if (!o->tls_cert || !o->tls_key)
        return err_set(e, ERR_USAGE, "TLS needs a certificate and its key");
    if (fs_read(o->tls_key, &p->key, e) < 0 || fs_read(o->tls_cert, &p->cert, e) < 0)
        return e ? e->code : ERR_IO;
    buf_add_char(&p->cert, '\n');
    if (o->tls_chain && fs_read(o->tls_chain, &p->cert, e) < 0)
        return e ? e->code : ERR_IO;
    return buf_z(&p->key) && buf_z(&p->cert) ? 0 : err_no_memory(e);
}

static int start_daemon(struct httpd *h, int fd, struct pem *p, struct MHD_Daemon **out,
                        struct err *e)
{
    static const char *const ciphers = "NORMAL:-VERS-TLS1.0:-VERS-TLS1.1:-VERS-DTLS-ALL";
    unsigned flags = MHD_USE_EPOLL_INTERNAL_THREAD | MHD_ALLOW_SUSPEND_RESUME;
    struct MHD_OptionItem options[] = {
        {MHD_OPTION_LISTEN_SOCKET, fd, NULL},
        {MHD_OPTION_CONNECTION_LIMIT, h->o.max_connections, NULL},
        {MHD_OPTION_CONNECTION_TIMEOUT, h->o.idle_timeout, NULL},
        {MHD_OPTION_CONNECTION_MEMORY_LIMIT, HTTPD_CONNECTION_MEMORY, NULL},
        {MHD_OPTION_CONNECTION_MEMORY_INCREMENT, HTTPD_CONNECTION_MEMORY / 4, NULL},
        {MHD_OPTION_STRICT_FOR_CLIENT, 1, NULL},
        {MHD_OPTION_NOTIFY_COMPLETED, (intptr_t)on_completed, h},
        {MHD_OPTION_NOTIFY_CONNECTION, (intptr_t)httpd_slow_connection, h},
        {MHD_OPTION_URI_LOG_CALLBACK, (intptr_t)on_uri, h},
        {MHD_OPTION_UNESCAPE_CALLBACK, (intptr_t)keep_escapes, NULL},
        {h->o.event_threads > 1 ? MHD_OPTION_THREAD_POOL_SIZE : MHD_OPTION_END, h->o.event_threads,
         NULL},
        {MHD_OPTION_END, 0, NULL},
    };
    struct MHD_OptionItem tls[] = {
        {h->tls ? MHD_OPTION_HTTPS_MEM_KEY : MHD_OPTION_END, 0, p->key.p},
        {MHD_OPTION_HTTPS_MEM_CERT, 0, p->cert.p},
        {MHD_OPTION_HTTPS_PRIORITIES, 0, (void *)(uintptr_t)ciphers},
        {MHD_OPTION_END, 0, NULL},
    };
    sigset_t all, old;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &old);
    *out = mhd.start_daemon(flags | (h->tls ? MHD_USE_TLS : 0), h->port, NULL, NULL, on_request, h,
                            MHD_OPTION_ARRAY, options, MHD_OPTION_ARRAY, tls, MHD_OPTION_END);
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    if (!*out)
        return err_set(e, ERR_IO, "cannot start the server on port %u%s", h->port,
                       h->tls ? ": does the key belong to the certificate?" : "");
    return 0;
}

int httpd_daemon_start(struct httpd *h, struct MHD_Daemon **out, struct err *e)
{
    struct pem pem;
    buf_init(&pem.key, 1 << 20);
    buf_init(&pem.cert, 4 << 20);
    autoclose int fd = fcntl(h->listener, F_DUPFD_CLOEXEC, 0);
    int rc = fd < 0 ? err_errno(e, "the listening socket") : read_pem(&h->o, &pem, e);
    if (rc == 0)
        rc = start_daemon(h, fd, &pem, out, e);
    if (rc == 0)
        (void)TAKE_FD(fd);
    if (pem.key.p)
        explicit_bzero(pem.key.p, pem.key.n);
    buf_done(&pem.key);
    buf_done(&pem.cert);
    return rc;
}

void httpd_daemon_quiesce(struct MHD_Daemon *d)
{
    MHD_socket fd = mhd.quiesce_daemon(d);
    if (fd != MHD_INVALID_SOCKET)
        close(fd);
}

static void defaults(struct httpd_options *o)
{
    o->event_threads = o->event_threads ? o->event_threads : 1;
    o->pool_threads = o->pool_threads ? o->pool_threads : 50;
    if (o->pool_threads > HTTPD_WORKERS_MAX)
        o->pool_threads = HTTPD_WORKERS_MAX;
    o->max_connections = o->max_connections ? o->max_connections : 1024;
    o->idle_timeout = o->idle_timeout ? o->idle_timeout : 180;
}

static int start(struct httpd *h, struct err *e)
{
    int rc = httpd_pool_start(h, e);
    if (rc == 0)
        rc = h->listener = listen_on(&h->o, e);
    if (rc < 0)
        return rc;
    h->port = port_of(h->listener);
    httpd_reload_note(h);
    rc = httpd_daemon_start(h, &h->daemon, e);
    rc = rc < 0 ? rc : httpd_slow_start(h, e);
    return rc < 0 ? rc : httpd_reload_start(h, e);
}

int httpd_start(const struct httpd_options *o, struct httpd **out, struct err *e)
{
    int rc = mhd_load(e);
    if (rc < 0)
        return rc;
    struct httpd *h = calloc(1, sizeof *h);
    if (!h)
        return err_no_memory(e);
    h->o = *o;
    h->tls = o->tls_cert != NULL;
    h->listener = -1;
    defaults(&h->o);
    httpd_slow_init(h);
    rc = start(h, e);
    if (rc == 0) {
        *out = h;
        return 0;
    }
    httpd_slow_stop(h);
    if (h->daemon)
        mhd.stop_daemon(h->daemon);
    if (h->listener >= 0)
        close(h->listener);
    httpd_pool_stop(h);
    httpd_slow_done(h);
    free(h);
    return rc;
}

uint16_t httpd_port(const struct httpd *h)
{
    return h->port;
}

/* ---- end --------------------------------------------------------------------------------------
 */

void httpd_drain(struct httpd *h, unsigned seconds)
{
    pthread_mutex_lock(&h->lock);
    bool first = !h->draining;
    h->draining = true;
    pthread_mutex_unlock(&h->lock);
    if (first) {
        httpd_reload_end(h);
        httpd_daemon_quiesce(h->daemon);
        close(h->listener);
        h->listener = -1;
    }
    httpd_pool_wake_all(h);
    int64_t end = clock_us() + seconds * (int64_t)1000000;
    pthread_mutex_lock(&h->lock);
    while (h->active && cond_wait_until(&h->change, &h->lock, end))
        ;
    pthread_mutex_unlock(&h->lock);
}

void httpd_stop(struct httpd *h)
{
    if (!h)
        return;
    httpd_drain(h, 0);
    /* A suspended connection can't be closed: all of them are answered first. */
    pthread_mutex_lock(&h->lock);
    h->stopping = true;
    while (h->suspended)
        pthread_cond_wait(&h->change, &h->lock);
    pthread_mutex_unlock(&h->lock);
    httpd_slow_stop(h);
    httpd_reload_stop(h);
    mhd.stop_daemon(h->daemon);
    httpd_pool_stop(h);
    httpd_slow_done(h);
    free(h);
}
