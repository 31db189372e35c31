/* http_transfer.h - one request to one URL and its answer: no redirects, no retries.
 *
 * struct http_transfer lives as long as a http_fetch() and remembers between its attempts how much
 * of the body was delivered and what is known of the representation (RFC 9110: entity tag, length),
 * so that an attempt can go on where the one before broke off. */
#ifndef KELLET_NET_HTTP_TRANSFER_H
#define KELLET_NET_HTTP_TRANSFER_H

#include "net/http_client.h"

enum http_body {
    HTTP_BODY_DROP,    /* of redirects and of answers that will be tried again */
    HTTP_BODY_ERROR,   /* of other statuses than 2xx: to body_out, at most 64 KiB */
    HTTP_BODY_DELIVER, /* of 2xx: to the sink */
};

enum {
    HTTP_HEADERS_MAX = 256 << 10,
    HTTP_ERROR_BODY_MAX = 64 << 10,
};

struct http_transfer {
    /* Set by the caller for each attempt. */
    struct http *h;
    const struct http_request *rq;
    struct http_response *rs;
    struct buf *body_out;
    size_t body_start; /* body_out->n at the beginning */
    const struct http_url *url;
    const char *method;
    str body;
    const char *authorization; /* NULL: none for this URL */
    bool foreign; /* another origin than the request's: pass on harmless headers only */

    /* What is known of the representation. */
    uint64_t delivered; /* bytes given to the sink, beginning at rq->offset */
    uint64_t total;
    bool has_total;
    char etag[256], modified[64];

    /* Of the attempt that ended. */
    bool may_help;   /* a failed attempt: another one may succeed */
    bool no_contact; /* the server was never reached */
    bool idle;       /* the server was waited for in vain */

    /* Inside an attempt. */
    enum http_body mode;
    bool headers_end, ranged, stopped;
    uint64_t skip, received, expected;
    bool has_expected;
    size_t header_bytes;
    CURL *curl;
    uint64_t sent;
    int64_t last_byte; /* monotonic milliseconds */
    struct err err;
    char curl_text[CURL_ERROR_SIZE];
};

/* Performs one attempt. 0: an answer (rs->status) is there with all of its body; else a negative
 * code, and t->may_help says whether trying again makes sense. */
int http_transfer_run(struct http_transfer *t, struct err *e);

bool http_status_is_redirect(int status);

#endif
