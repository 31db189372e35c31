/* http_client.h - the inside of struct http: options, trust store, and handles kept between calls.
 *
 * A libcurl handle owns its connections and is used by one thread at a time; those not in use wait
 * in a small pool, where a request prefers the one that last spoke to its origin. */
#ifndef KELLET_NET_HTTP_CLIENT_H
#define KELLET_NET_HTTP_CLIENT_H

#include "net/curl_api.h"
#include "net/http.h"
#include "net/http_url.h"

#include <pthread.h>

enum { HTTP_POOL_MAX = 16, HTTP_CA_MAX = 16 << 20 };

struct http_handle {
    CURL *curl;
    char origin[300];
};

struct http {
    const struct curl_api *api;
    struct http_options o; /* strings owned, defaults filled in */
    char *system_ca_file;  /* from the environment; NULL: libcurl's own default */
    char *system_ca_dir;
    struct buf ca; /* o.ca_file, when there is one, and then the system's bundle */
    size_t own_ca; /* length of the first */
    /* The system has a directory of certificates by hash of their names, where OpenSSL finds the
     * one it needs: reading the whole bundle costs 25 ms. Given up for the bundle when
     * a certificate cannot be verified so. */
    _Atomic bool hashed_ca;
    bool shared_trust; /* bundles are taken apart by http_trust.h */
    pthread_mutex_t lock;
    struct http_handle idle[HTTP_POOL_MAX]; /* oldest first */
    size_t n_idle;
};

/* The system's bundle of CA certificates, or NULL. */
const char *http_system_bundle(const struct http *h);
/* What libcurl would load by itself for each connection: for a context (SSL_CTX) of h's, when
 * h->shared_trust. */
int http_trust(const struct http *h, void *ssl_ctx, struct err *e);

/* A handle with its options reset. Returned by http_handle_put(), whatever happened. */
int http_handle_take(struct http *h, const struct http_url *url, struct http_handle *out,
                     struct err *e);
void http_handle_put(struct http *h, struct http_handle *handle);

#endif
