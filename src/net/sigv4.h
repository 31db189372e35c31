/* sigv4.h - AWS Signature Version 4: the Authorization field of a request.
 *
 * Source: AWS General Reference, "Signature Version 4 signing process", and the S3 API reference,
 * "Authenticating Requests (AWS Signature Version 4)". Own code because libcurl's signer
 * canonicalizes several S3 paths and queries wrongly. Pure: the caller brings the time. */
#ifndef KELLET_NET_SIGV4_H
#define KELLET_NET_SIGV4_H

#include "net/http.h"

struct sigv4_keys {
    const char *access_key, *secret_key;
    const char *session_token; /* NULL or "": long-term keys */
};

struct sigv4_request {
    const char *method;
    str host;  /* the Host field as it is sent: with a port that is not the scheme's own */
    str path;  /* as it is sent, percent-encoded, from "/" on; empty stands for "/" */
    str query; /* as it is sent, without "?" */
    const struct http_header *headers; /* all are signed, at most 24; without Host and x-amz-date */
    size_t n_headers;
    str body;
    bool unsigned_payload; /* S3 over TLS: the body is left out of the signature */
    const char *region, *service;
    /* The path is signed as it is and the payload's hash sent along. Other services see the path
     * without its dot segments and encoded once more. */
    bool s3;
    int64_t time; /* seconds since 1970: the server's, when the own clock is wrong */
};

struct sigv4_signed {
    struct http_header headers[3]; /* to send too: x-amz-date, and what else is needed */
    size_t n_headers;
    char authorization[1024];
    char date[17], payload[65], signature[65]; /* headers[] points into these and to the keys */
};

/* ERR_LIMIT: more headers or query parameters than any of our requests has, or too long. */
int sigv4_sign(const struct sigv4_request *rq, const struct sigv4_keys *keys,
               struct sigv4_signed *out, struct err *e);

/* The canonical request as text, for tests: signed_headers is "host;x-amz-date". */
int sigv4_canonical(const struct sigv4_request *rq, const struct sigv4_keys *keys,
                    struct sigv4_signed *s, struct buf *out, struct buf *signed_headers,
                    struct err *e);

/* Appends s with everything but letters, digits, "-._~" (and "/" when asked) as %XX. */
void sigv4_encode(str s, bool keep_slash, struct buf *out);

#endif
