/* http_url.h - URLs of requests: parsed once, compared by origin, shown without secrets.
 *
 * Parsing is libcurl's, so that what is compared is what is connected to. */
#ifndef KELLET_NET_HTTP_URL_H
#define KELLET_NET_HTTP_URL_H

#include "base/str.h"
#include "net/curl_api.h"

enum { HTTP_URL_MAX = 16384 };

struct http_url {
    char *text;         /* without user, password and fragment; owned */
    char *user_pass;    /* "user:password" when the URL had them, else NULL; owned */
    char scheme[8];     /* "http" or "https" */
    char host[256];     /* lower case; IPv6 in brackets */
    char port[8];       /* decimal, the scheme's own when the URL has none */
    char redacted[512]; /* scheme, host, port and path: for messages. No query (signatures live
                           there) */
};

/* Only http and https; anything else is ERR_USAGE. */
int http_url_parse(const struct curl_api *api, const char *text, struct http_url *out,
                   struct err *e);
/* A Location header's value seen from base. User and password in it are dropped. */
int http_url_resolve(const struct curl_api *api, const struct http_url *base, const char *location,
                     struct http_url *out, struct err *e);
void http_url_done(struct http_url *u);

/* Same scheme, host and port. */
bool http_url_same_origin(const struct http_url *a, const struct http_url *b);
/* "localhost", names below it, 127.0.0.0/8, ::1. */
bool http_host_is_loopback(str host);
/* 169.254.0.0/16, and the address that cloud machines ask for their metadata by IPv6. */
bool http_host_is_link_local(str host);

#endif
