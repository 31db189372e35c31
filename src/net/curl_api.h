/* curl_api.h - the functions of libcurl that this room uses, looked up when the network is first
 * used.
 *
 * libcurl brings dozens of shared libraries and milliseconds of start-up with it, which a scan of a
 * local archive must not pay. Only net/ includes this header. */
#ifndef KELLET_NET_CURL_API_H
#define KELLET_NET_CURL_API_H

#include "base/err.h"

#include <curl/curl.h>

struct ssl_ctx_st;
struct x509_store_st;
/* OpenSSL's SSL_CTX_set1_cert_store() */
typedef void trust_fn(struct ssl_ctx_st *, struct x509_store_st *);

struct curl_api {
    CURL *(*handle_new)(void);
    void (*handle_free)(CURL *);
    void (*handle_reset)(CURL *);
    CURLcode (*setopt)(CURL *, CURLoption, ...);
    CURLcode (*getinfo)(CURL *, CURLINFO, ...);
    CURLcode (*perform)(CURL *);
    const char *(*strerror)(CURLcode);
    struct curl_slist *(*slist_append)(struct curl_slist *, const char *);
    void (*slist_free)(struct curl_slist *);
    CURLU *(*url_new)(void);
    void (*url_free)(CURLU *);
    CURLUcode (*url_set)(CURLU *, CURLUPart, const char *, unsigned int);
    CURLUcode (*url_get)(const CURLU *, CURLUPart, char **, unsigned int);
    void (*free)(void *);
    curl_version_info_data *(*version_info)(CURLversion);
    CURLcode (*global_init)(long);
    trust_fn *trust; /* of the OpenSSL that libcurl uses; NULL: it uses none */
};

/* Loads libcurl once per process (thread-safe). ERR_UNSUPPORTED, with what to install, when it is
 * not there or too old (7.62, 2018, is the first with the URL interface). */
int curl_api_load(const struct curl_api **out, struct err *e);

#endif
