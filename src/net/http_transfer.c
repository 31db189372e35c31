#include "net/http_transfer.h"

#include "base/auto.h"
#include "base/clock.h"
#include "net/http_fields.h"

#include <errno.h>
#include <signal.h>

bool http_status_is_redirect(int status)
{
    return status == 301 || status == 302 || status == 303 || status == 307 || status == 308;
}

static uint64_t position(const struct http_transfer *t)
{
    return t->rq->offset + t->delivered;
}

/* ---- the answer's headers ----------------------------------------------------------------------
 */

/* What was read so far is worth nothing. Without a sink nobody has seen it yet. */
static bool start_over(struct http_transfer *t)
{
    if (t->rq->sink || t->rq->offset)
        return false;
    if (t->body_out)
        t->body_out->n = t->body_start;
    t->delivered = 0;
    t->has_total = false;
    t->etag[0] = t->modified[0] = 0;
    return true;
}

static int changed(struct http_transfer *t)
{
    t->may_help = start_over(t);
    return err_set(&t->err, ERR_MISMATCH,
                   "%s changed on the server after its first %llu bytes were read",
                   t->url->redacted, (unsigned long long)position(t));
}

static void copy_value(const struct http_response *rs, const char *name, char *out, size_t size)
{
    str value = http_header(rs, name);
    if (value.n >= size)
        value.n = 0;
    memcpy(out, value.n ? value.p : "", value.n);
    out[value.n] = 0;
}

static int accept_part(struct http_transfer *t)
{
    struct http_content_range range;
    if (!http_content_range_parse(http_header(t->rs, "content-range"), &range) || !range.has_range)
        return err_set(&t->err, ERR_NET, "%s answered 206 without a usable Content-Range",
                       t->url->redacted);
    if (range.first != position(t))
        return err_set(&t->err, ERR_NET, "%s sent another part (from byte %llu) than asked for",
                       t->url->redacted, (unsigned long long)range.first);
    str etag = http_header(t->rs, "etag");
    if ((t->has_total && range.has_total && range.total != t->total) ||
        (t->etag[0] && etag.n && !str_eq(etag, str_z(t->etag))))
        return changed(t);
    if (range.has_total) {
        t->has_total = true;
        t->total = range.total;
    }
    if (!t->etag[0])
        copy_value(t->rs, "etag", t->etag, sizeof t->etag);
    t->has_expected = true;
    t->expected = range.last - range.first + 1;
    return 0;
}

/* A whole answer to a request for the rest: usable when it is known to be the same thing. */
static int accept_whole_for_part(struct http_transfer *t, bool has_length, uint64_t length)
{
    str etag = http_header(t->rs, "etag"), modified = http_header(t->rs, "last-modified");
    bool same, known = true;
    if (t->etag[0] && etag.n)
        same = str_eq(etag, str_z(t->etag));
    else if (t->has_total && has_length)
        same = t->total == length &&
               (!t->modified[0] || !modified.n || str_eq(modified, str_z(t->modified)));
    else
        same = known = t->delivered == 0 && !t->etag[0];
    if (!same && start_over(t))
        return 0;
    if (!known)
        return err_set(&t->err, ERR_NET,
                       "%s broke off after %llu bytes and cannot be resumed: the server tells "
                       "neither length nor entity tag",
                       t->url->redacted, (unsigned long long)position(t));
    if (!same)
        return changed(t);
    t->skip = position(t);
    return 0;
}

static int begin_body(struct http_transfer *t)
{
    uint64_t length = 0;
    bool has_length = str_to_u64(http_header(t->rs, "content-length"), &length);
    int rc = 0;
    t->mode = HTTP_BODY_DELIVER;
    if (t->body_out && (t->rq->sink || !t->delivered))
        t->body_out->n = t->body_start; /* what an attempt before said of its failure */
    if (t->ranged && t->rs->status == 206)
        rc = accept_part(t);
    else if (t->ranged)
        rc = accept_whole_for_part(t, has_length, length);
    if (rc < 0)
        return rc;
    if (t->rs->status != 206 && !t->delivered) {
        t->has_total = has_length;
        t->total = length;
        copy_value(t->rs, "etag", t->etag, sizeof t->etag);
        copy_value(t->rs, "last-modified", t->modified, sizeof t->modified);
    }
    uint64_t max = t->rq->max_body;
    if (t->has_total && strcmp(t->method, "HEAD") != 0 && t->total > t->rq->offset &&
        t->total - t->rq->offset > max)
        return err_set(&t->err, ERR_LIMIT, "%s announces %llu bytes, more than the limit of %llu",
                       t->url->redacted, (unsigned long long)t->total, (unsigned long long)max);
    return 0;
}

static int headers_end(struct http_transfer *t)
{
    if (t->rs->status >= 100 && t->rs->status < 200)
        return 0;
    t->headers_end = true;
    if (t->rs->status >= 200 && t->rs->status < 300)
        return begin_body(t);
    bool moved = !t->rq->no_redirect && http_status_is_redirect(t->rs->status) &&
                 http_header(t->rs, "location").n;
    t->mode = moved ? HTTP_BODY_DROP : HTTP_BODY_ERROR;
    if (moved || !t->body_out)
        return 0;
    t->body_out->n = t->body_start;
    if (!t->rq->sink)
        t->delivered = 0; /* it stood there */
    return 0;
}

/* "HTTP/1.1 200 OK", "HTTP/2 200". */
static int status_line(struct http_transfer *t, str line)
{
    uint64_t status;
    str_split(&line, ' ');
    if (!str_to_u64(str_sub(line, 0, 3), &status) || status < 100 || status > 599)
        return err_set(&t->err, ERR_NET, "%s answers with a malformed status line",
                       t->url->redacted);
    t->rs->status = (int)status;
    t->headers_end = false;
    buf_clear(&t->rs->headers);
    return 0;
}

static void field_line(struct http_transfer *t, str line)
{
    str value = line, name = str_split(&value, ':');
    if (!name.n || name.n == line.n || ke_isspace(name.p[0]))
        return;
    value = str_trim(value);
    struct buf *b = &t->rs->headers;
    for (size_t i = 0; i < name.n; i++)
        buf_add_char(b, ke_tolower(name.p[i]));
    buf_add_str(b, STR(": "));
    for (size_t i = 0; i < value.n; i++)
        buf_add_char(b, (unsigned char)value.p[i] < ' ' ? ' ' : value.p[i]);
    buf_add_char(b, '\n');
}

static size_t on_header(char *p, size_t size, size_t n, void *ctx)
{
    struct http_transfer *t = ctx;
    str line = str_trim((str){p, n * size});
    int rc = 0;
    t->last_byte = clock_ms();
    t->header_bytes += n * size;
    if (t->header_bytes > HTTP_HEADERS_MAX)
        rc = err_set(&t->err, ERR_LIMIT, "%s sends more than %d KiB of headers", t->url->redacted,
                     HTTP_HEADERS_MAX >> 10);
    else if (str_starts(line, STR("HTTP/")))
        rc = status_line(t, line);
    else if (t->headers_end)
        return n * size; /* trailers */
    else if (line.n == 0)
        rc = headers_end(t);
    else
        field_line(t, line);
    return rc < 0 ? 0 : n * size;
}

/* ---- the answer's body -------------------------------------------------------------------------
 */

static int keep_error_body(struct http_transfer *t, const char *p, size_t n)
{
    struct buf *b = t->body_out;
    t->received += n;
    if (b && t->mode == HTTP_BODY_ERROR) {
        size_t have = b->n - t->body_start, room = HTTP_ERROR_BODY_MAX - have;
        size_t limit = b->max - b->n;
        room = room < limit ? room : limit;
        buf_add(b, p, n < room ? n : room);
    }
    t->stopped = t->received > HTTP_ERROR_BODY_MAX;
    return t->stopped ? -1 : 0;
}

static int deliver(struct http_transfer *t, const char *p, size_t n)
{
    t->received += n;
    if (t->has_expected && t->received > t->expected)
        return err_set(&t->err, ERR_NET, "%s sent more than the range it announced",
                       t->url->redacted);
    size_t dropped = t->skip < n ? (size_t)t->skip : n;
    t->skip -= dropped;
    p += dropped;
    n -= dropped;
    if (n == 0)
        return 0;
    if (n > t->rq->max_body - t->delivered)
        return err_set(&t->err, ERR_LIMIT, "%s sends more than the limit of %llu bytes",
                       t->url->redacted, (unsigned long long)t->rq->max_body);
    if (t->rq->sink) {
        int rc = t->rq->sink(t->rq->ctx, p, n, &t->err);
        if (rc < 0) {
            t->err.code = rc;
            return rc;
        }
    } else if (t->body_out) {
        buf_add(t->body_out, p, n);
        if (!buf_ok(t->body_out))
            return buf_check(t->body_out, t->url->redacted, &t->err);
    }
    t->delivered += n;
    return 0;
}

static size_t on_body(char *p, size_t size, size_t n, void *ctx)
{
    struct http_transfer *t = ctx;
    int rc =
        t->mode == HTTP_BODY_DELIVER ? deliver(t, p, n * size) : keep_error_body(t, p, n * size);
    t->last_byte = clock_ms();
    return rc < 0 ? 0 : n * size;
}

static int on_progress(void *ctx, curl_off_t dt, curl_off_t dn, curl_off_t ut, curl_off_t un)
{
    struct http_transfer *t = ctx;
    curl_off_t connected = 0;
    t->h->api->getinfo(t->curl, CURLINFO_PRETRANSFER_TIME_T, &connected);
    /* The time to connect has its own limit; sending is not idle. */
    if (!connected || (uint64_t)un != t->sent)
        t->last_byte = clock_ms();
    t->sent = (uint64_t)un;
    if (t->rq->timeout_ms || clock_ms() - t->last_byte < (int64_t)t->h->o.idle_timeout * 1000)
        return 0;
    err_set(&t->err, ERR_NET, "%s: nothing arrived for %u seconds", t->url->redacted,
            t->h->o.idle_timeout);
    t->may_help = t->idle = true;
    return 1;
}

/* ---- the request -------------------------------------------------------------------------------
 */

static void list_free(struct curl_slist **list)
{
    const struct curl_api *api;
    if (*list && curl_api_load(&api, NULL) == 0)
        api->slist_free(*list);
}

static int header_add(struct http_transfer *t, struct curl_slist **list, const char *name,
                      const char *value)
{
    char *line autofree = NULL;
    if (strpbrk(value, "\r\n") || strpbrk(name, "\r\n: "))
        return err_set(&t->err, ERR_USAGE, "header %.40s is not usable", name);
    if (asprintf(&line, value[0] ? "%s: %s" : "%s:", name, value) < 0) {
        line = NULL;
        return err_no_memory(&t->err);
    }
    struct curl_slist *grown = t->h->api->slist_append(*list, line);
    if (!grown)
        return err_no_memory(&t->err);
    *list = grown;
    return 0;
}

/* Headers that say nothing about who asks may follow a redirect to another origin. */
static bool is_harmless(const char *name)
{
    static const char *const harmless[] = {
        "accept",        "accept-language", "accept-encoding", "content-type", "if-modified-since",
        "if-none-match", "cache-control",   "pragma"};
    for (size_t i = 0; i < KE_ARRAY_LEN(harmless); i++)
        if (strcasecmp(name, harmless[i]) == 0)
            return true;
    return false;
}

static int range_headers(struct http_transfer *t, struct curl_slist **list)
{
    char range[64];
    t->ranged = position(t) > 0 && strcmp(t->method, "GET") == 0;
    if (!t->ranged)
        return 0;
    snprintf(range, sizeof range, "bytes=%llu-", (unsigned long long)position(t));
    int rc = header_add(t, list, "Range", range);
    if (rc == 0 && http_etag_is_strong(str_z(t->etag)))
        rc = header_add(t, list, "If-Range", t->etag);
    return rc;
}

static int headers_make(struct http_transfer *t, struct curl_slist **list)
{
    bool has_type = false, has_encoding = false;
    int rc = range_headers(t, list);
    for (size_t i = 0; rc == 0 && i < t->rq->n_headers; i++) {
        const struct http_header *hd = &t->rq->headers[i];
        if (strcasecmp(hd->name, "if-range") == 0 || (t->foreign && !is_harmless(hd->name)))
            continue;
        has_type |= strcasecmp(hd->name, "content-type") == 0;
        has_encoding |= strcasecmp(hd->name, "accept-encoding") == 0;
        rc = header_add(t, list, hd->name, hd->value);
    }
    if (rc == 0 && t->authorization)
        rc = header_add(t, list, "Authorization", t->authorization);
    if (rc == 0 && !has_type) /* libcurl would invent one */
        rc = header_add(t, list, "Content-Type", "");
    if (rc == 0 && !has_encoding)
        rc = header_add(t, list, "Accept-Encoding", "identity");
    return rc < 0 ? rc : header_add(t, list, "Expect", "");
}

static void set_method(struct http_transfer *t, CURL *c)
{
    const struct curl_api *api = t->h->api;
    if (strcmp(t->method, "HEAD") == 0) {
        api->setopt(c, CURLOPT_NOBODY, 1L);
        return;
    }
    if (t->body.n || strcmp(t->method, "POST") == 0) {
        api->setopt(c, CURLOPT_POST, 1L);
        api->setopt(c, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)t->body.n);
        api->setopt(c, CURLOPT_POSTFIELDS, t->body.n ? t->body.p : "");
    } else {
        api->setopt(c, CURLOPT_HTTPGET, 1L);
    }
    api->setopt(c, CURLOPT_CUSTOMREQUEST, t->method);
}

static int no_certificates(struct http_transfer *t, const char *why)
{
    return err_set(&t->err, ERR_NET,
                   "%s: no CA certificates (%s): install the package ca-certificates or set "
                   "SSL_CERT_FILE",
                   t->url->redacted, why);
}

static CURLcode give_trust(CURL *c, void *ssl_ctx, void *ctx)
{
    struct http_transfer *t = ctx;
    struct err why = {0};
    (void)c;
    if (http_trust(t->h, ssl_ctx, &why) == 0)
        return CURLE_OK;
    no_certificates(t, why.text);
    return CURLE_SSL_CACERT_BADFILE;
}

static bool set_trust(struct http_transfer *t, CURL *c)
{
    const struct http *h = t->h;
    const struct curl_api *api = h->api;
    if (!h->shared_trust || api->setopt(c, CURLOPT_SSL_CTX_FUNCTION, give_trust) != CURLE_OK)
        return false;
    api->setopt(c, CURLOPT_SSL_CTX_DATA, t);
    api->setopt(c, CURLOPT_CAINFO, NULL);
    api->setopt(c, CURLOPT_CAPATH, NULL);
    api->setopt(c, CURLOPT_CAINFO_BLOB, NULL);
    return true;
}

static void set_tls(struct http_transfer *t, CURL *c, bool hashed)
{
    const struct http *h = t->h;
    const struct curl_api *api = h->api;
    api->setopt(c, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
    if (!hashed && !h->o.insecure && set_trust(t, c))
        return;
    if (h->system_ca_file)
        api->setopt(c, CURLOPT_CAINFO, h->system_ca_file);
    if (h->system_ca_dir)
        api->setopt(c, CURLOPT_CAPATH, h->system_ca_dir);
    if (hashed)
        api->setopt(c, CURLOPT_CAINFO, NULL);
    if (h->ca.n) {
        struct curl_blob blob = {h->ca.p, hashed ? h->own_ca : h->ca.n, CURL_BLOB_NOCOPY};
        if (api->setopt(c, CURLOPT_CAINFO_BLOB, &blob) != CURLE_OK)
            api->setopt(c, CURLOPT_CAINFO, h->o.ca_file); /* libcurl before 7.77 */
    }
    if (h->o.insecure) {
        api->setopt(c, CURLOPT_SSL_VERIFYPEER, 0L);
        api->setopt(c, CURLOPT_SSL_VERIFYHOST, 0L);
    }
}

static void set_options(struct http_transfer *t, CURL *c, struct curl_slist *headers)
{
    const struct http *h = t->h;
    const struct curl_api *api = h->api;
    api->setopt(c, CURLOPT_URL, t->url->text);
    api->setopt(c, CURLOPT_PATH_AS_IS, 1L);
    api->setopt(c, CURLOPT_NOSIGNAL, 1L);
    api->setopt(c, CURLOPT_FOLLOWLOCATION, 0L);
    api->setopt(c, CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L);
    api->setopt(c, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_2TLS);
    api->setopt(c, CURLOPT_USERAGENT, h->o.user_agent);
    api->setopt(c, CURLOPT_HTTPHEADER, headers);
    api->setopt(c, CURLOPT_ERRORBUFFER, t->curl_text);
    api->setopt(c, CURLOPT_CONNECTTIMEOUT, (long)h->o.connect_timeout);
    if (t->rq->timeout_ms) {
        api->setopt(c, CURLOPT_TIMEOUT_MS, (long)t->rq->timeout_ms);
    } else { /* a trickle that would take for ever counts as hanging too */
        api->setopt(c, CURLOPT_LOW_SPEED_LIMIT, 10L);
        api->setopt(c, CURLOPT_LOW_SPEED_TIME, (long)h->o.idle_timeout * 4);
    }
    api->setopt(c, CURLOPT_TCP_KEEPALIVE, 1L);
    api->setopt(c, CURLOPT_BUFFERSIZE, 128L << 10);
    api->setopt(c, CURLOPT_HEADERFUNCTION, on_header);
    api->setopt(c, CURLOPT_HEADERDATA, t);
    api->setopt(c, CURLOPT_WRITEFUNCTION, on_body);
    api->setopt(c, CURLOPT_WRITEDATA, t);
    api->setopt(c, CURLOPT_NOPROGRESS, 0L);
    api->setopt(c, CURLOPT_XFERINFOFUNCTION, on_progress);
    api->setopt(c, CURLOPT_XFERINFODATA, t);
    if (h->o.unix_socket)
        api->setopt(c, CURLOPT_UNIX_SOCKET_PATH, h->o.unix_socket);
    str host = str_z(t->url->host);
    if (h->o.unix_socket || http_host_is_loopback(host) || http_host_is_link_local(host))
        api->setopt(c, CURLOPT_PROXY, ""); /* a proxy cannot reach what only this machine sees */
    set_method(t, c);
}

/* ---- how it ended ------------------------------------------------------------------------------
 */

/* Neither name server nor host answered within the connect timeout. */
static int timed_out(struct http_transfer *t, const char *text)
{
    curl_off_t connected = 0;
    t->h->api->getinfo(t->curl, CURLINFO_PRETRANSFER_TIME_T, &connected);
    t->may_help = true;
    t->idle = !connected;
    if (connected)
        return err_set(&t->err, ERR_NET, "%s: %s", t->url->redacted, text);
    return err_set(&t->err, ERR_NET,
                   "%s: no connection within %u seconds (%s): is the address right, and is there a "
                   "firewall or a proxy in between?",
                   t->url->redacted, t->h->o.connect_timeout, text);
}

static int failure(struct http_transfer *t, CURLcode code)
{
    const char *text = t->curl_text[0] ? t->curl_text : t->h->api->strerror(code);
    const char *url = t->url->redacted;
    switch (code) {
    case CURLE_OUT_OF_MEMORY:
        return err_no_memory(&t->err);
    case CURLE_COULDNT_RESOLVE_HOST:
        t->may_help = t->no_contact = true;
        return err_set(&t->err, ERR_NET, "%s: the name %s is not known (is the network up?)", url,
                       t->url->host);
    case CURLE_COULDNT_RESOLVE_PROXY:
        t->may_help = t->no_contact = true;
        return err_set(&t->err, ERR_NET,
                       "%s: the proxy's name is not known; see http_proxy, https_proxy and "
                       "no_proxy in the environment",
                       url);
    case CURLE_COULDNT_CONNECT:
        t->may_help = t->no_contact = true;
        return err_set(&t->err, ERR_NET, "%s: %s", url, text);
    case CURLE_PEER_FAILED_VERIFICATION:
        return err_set(&t->err, ERR_NET,
                       "%s: the server's certificate is not trusted (%s); if it is signed by your "
                       "own authority, give that one's certificate",
                       url, text);
    case CURLE_SSL_CACERT_BADFILE:
        return no_certificates(t, text);
    case CURLE_SSL_CONNECT_ERROR:
        if (strstr(text, "wrong version number") || strstr(text, "packet length"))
            return err_set(&t->err, ERR_UNSUPPORTED,
                           "%s: the server speaks plain HTTP, not TLS (%s)", url, text);
        t->may_help = t->no_contact = true;
        return err_set(&t->err, ERR_NET, "%s: no TLS connection (%s)", url, text);
    case CURLE_OPERATION_TIMEDOUT:
        return timed_out(t, text);
    case CURLE_UNSUPPORTED_PROTOCOL:
    case CURLE_WEIRD_SERVER_REPLY:
    case CURLE_PARTIAL_FILE:
    case CURLE_RECV_ERROR:
    case CURLE_SEND_ERROR:
    case CURLE_GOT_NOTHING:
    case CURLE_HTTP2:
    case CURLE_HTTP2_STREAM:
        t->may_help = true;
        return err_set(&t->err, ERR_NET, "%s: %s", url, text);
    default:
        return err_set(&t->err, ERR_NET, "%s: %s", url, text);
    }
}

static int finish(struct http_transfer *t, CURLcode code, CURL *c)
{
    long connect_status = 0;
    if (t->err.code < 0)
        return t->err.code;
    t->h->api->getinfo(c, CURLINFO_HTTP_CONNECTCODE, &connect_status);
    if (code != CURLE_OK && connect_status == 407)
        return err_set(&t->err, ERR_AUTH,
                       "%s: the proxy wants a login: put user and password into the proxy's URL "
                       "(https_proxy=http://USER:PASSWORD@HOST:PORT)",
                       t->url->redacted);
    if (code != CURLE_OK && connect_status >= 400)
        return err_set(&t->err, ERR_NET, "%s: the proxy refused to connect (HTTP %ld)",
                       t->url->redacted, connect_status);
    if (code != CURLE_OK && !t->stopped)
        return failure(t, code);
    if (t->mode != HTTP_BODY_DELIVER || strcmp(t->method, "HEAD") == 0)
        return 0;
    if (t->skip)
        return changed(t);
    if (t->ranged && t->has_total && t->rs->status == 206 && position(t) < t->total) {
        t->may_help = true;
        return err_set(&t->err, ERR_NET, "%s ended after %llu of %llu bytes", t->url->redacted,
                       (unsigned long long)position(t), (unsigned long long)t->total);
    }
    return 0;
}

/* A certificate that the hashed directory does not vouch for may still be in the bundle. */
static CURLcode perform(struct http_transfer *t, CURL *c)
{
    struct http *h = t->h;
    bool hashed = h->hashed_ca;
    set_tls(t, c, hashed);
    CURLcode code = h->api->perform(c);
    if (code != CURLE_PEER_FAILED_VERIFICATION || !hashed)
        return code;
    h->hashed_ca = false;
    t->curl_text[0] = 0;
    const char *bundle = http_system_bundle(h);
    if (bundle)
        h->api->setopt(c, CURLOPT_CAINFO, bundle);
    set_tls(t, c, false);
    return h->api->perform(c);
}

/* A server that goes away must not end the process: some versions of libcurl and OpenSSL write to
 * its socket without asking for that (CURLOPT_NOSIGNAL). */
static CURLcode perform_without_sigpipe(struct http_transfer *t, CURL *c)
{
    sigset_t pipe_only, before, pending;
    const struct timespec now = {0};
    sigemptyset(&pipe_only);
    sigaddset(&pipe_only, SIGPIPE);
    sigpending(&pending);
    pthread_sigmask(SIG_BLOCK, &pipe_only, &before);
    CURLcode code = perform(t, c);
    if (!sigismember(&pending, SIGPIPE))
        while (sigtimedwait(&pipe_only, NULL, &now) < 0 && errno == EINTR)
            ;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return code;
}

int http_transfer_run(struct http_transfer *t, struct err *e)
{
    struct curl_slist *headers KE_CLEANUP(list_free) = NULL;
    struct http_handle handle = {0};
    t->err = (struct err){0};
    t->mode = HTTP_BODY_DROP;
    t->may_help = t->no_contact = t->idle = t->headers_end = t->stopped = t->has_expected = false;
    t->skip = t->received = t->expected = t->sent = 0;
    t->header_bytes = 0;
    t->curl_text[0] = 0;
    t->rs->status = 0;
    buf_clear(&t->rs->headers);
    int rc = headers_make(t, &headers);
    if (rc == 0)
        rc = http_handle_take(t->h, t->url, &handle, &t->err);
    if (rc == 0) {
        t->curl = handle.curl;
        t->last_byte = clock_ms();
        set_options(t, handle.curl, headers);
        CURLcode code = perform_without_sigpipe(t, handle.curl);
        rc = finish(t, code, handle.curl);
        http_handle_put(t->h, &handle);
    }
    snprintf(t->rs->effective_url, sizeof t->rs->effective_url, "%s", t->url->text);
    return rc < 0 ? err_set(e, rc, "%s", t->err.text) : 0;
}
