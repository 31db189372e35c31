/* http.h - an HTTP client over libcurl, loaded when the network is first used (start-up stays
 * fast).
 *
 * One struct http per thread of use is not needed: it is thread-safe and keeps connections between
 * calls. Requests carry deadlines; a server that hangs, sends too much, redirects in circles or
 * lies about lengths gives an error that names the URL without its credentials. Redirects are
 * followed here, not by libcurl, so that credentials stay with the host they belong to. */
#ifndef KELLET_NET_HTTP_H
#define KELLET_NET_HTTP_H

#include "base/buf.h"
#include "base/err.h"

struct http;

struct http_options {
    /* PEM bundle added to the system's; NULL: the system's only. $SSL_CERT_FILE, $CURL_CA_BUNDLE
     * and $SSL_CERT_DIR say where that is. */
    const char *ca_file;
    bool insecure;            /* accept any certificate (asked for by the user) */
    const char *unix_socket;  /* talk to this socket whatever the host; NULL: TCP */
    const char *user_agent;   /* NULL: "kellet/VERSION" */
    uint32_t connect_timeout; /* seconds, default 15 */
    uint32_t idle_timeout;    /* seconds without a byte, default 60 */
    /* Of idempotent requests after network errors, 408, 425, 429, 500, 502, 503, 504; default 5. An
     * attempt that brought 64 KiB or more counts as a new first one; a host that cannot be reached
     * at all is tried at most three times, one that stays silent twice. */
    uint32_t retries;
    /* First wait, doubled with jitter up to 30 s; default 500. Retry-After wins; when it asks for
     * more than 120 s, the answer is returned at once. */
    uint32_t retry_wait_ms;
};

/* Proxies come from the environment as for curl (http_proxy, https_proxy, all_proxy, no_proxy), but
 * never for loopback and link-local hosts. ERR_UNSUPPORTED when libcurl is not installed. */
int http_new(const struct http_options *o, struct http **out, struct err *e);
void http_free(struct http *h);

struct http_header {
    const char *name, *value;
};

struct http_response {
    int status;
    struct buf headers; /* "name: value\n" each, names in lower case, of the final response */
    char effective_url[2048];
};
void http_response_done(struct http_response *r);
/* The value of a header (first one), or empty. */
str http_header(const struct http_response *r, const char *name);

struct http_request {
    const char *method; /* NULL: GET */
    const char *url;    /* http or https; user and password in it become Basic credentials */
    /* Across a redirect to another origin only Accept and the like are passed on, a body never. */
    const struct http_header *headers;
    size_t n_headers;
    str body;
    /* Basic or bearer credentials: sent to the URL's own host and port only, never across a
     * redirect to another. NULL: none. The whole value of the Authorization header. */
    const char *authorization;
    /* Range: bytes=offset- ; 0: none. A server that ignores it gets its prefix dropped. When the
     * first part is from an earlier run, give its entity tag as header If-Range: ERR_MISMATCH when
     * the file has changed. */
    uint64_t offset;
    uint64_t max_body; /* ERR_LIMIT beyond; 0: 64 MiB */
    /* One attempt may take this long, however bytes arrive, in place of idle_timeout; 0: no such
     * limit. ERR_NET. */
    uint32_t timeout_ms;
    bool no_retry;
    bool no_redirect; /* a redirect is an answer like another: its body goes to *body_out */
    /* Body bytes of the final 2xx response as they come. May return a negative code to stop. NULL:
     * into *body_out (http_fetch's argument). Bodies of other statuses always go to *body_out (at
     * most 64 KiB). */
    int (*sink)(void *ctx, const void *p, size_t n, struct err *e);
    void *ctx;
};

/* Performs the request with retries and up to 10 redirects. Any HTTP status is a result (0 is
 * returned); ERR_NET means that no answer came, ERR_UNSUPPORTED that the server
 * speaks plain HTTP where https was asked for. When a body breaks off, the request is resumed with
 * a Range from where the sink stands, as long as the server's ETag or length agree (ERR_MISMATCH
 * when they do not; without a sink the body is read anew). So a sink may have received bytes before
 * a status that is not 2xx. *rs is set anew: http_response_done() it whatever the outcome. body_out
 * may be NULL; the caller initialises it, and the body is appended. No content coding is asked for.
 */
int http_fetch(struct http *h, const struct http_request *rq, struct http_response *rs,
               struct buf *body_out, struct err *e);

/* Have two URLs the same scheme, host and port? False when one of them is no http URL. */
bool http_same_origin(const char *a, const char *b);

/* Turns an unexpected status into an error that says what to do (401/403, 404, 429, 5xx). */
int http_status_error(const struct http_response *rs, const char *what, struct err *e);

#endif
