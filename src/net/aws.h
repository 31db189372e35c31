/* aws.h - one signed request to an AWS service: where it goes, retries, clock skew, errors.
 *
 * Sources: AWS SDKs and Tools Reference Guide (service-specific endpoints, retry behavior), the
 * error documents of S3 and STS (XML) and ECR (JSON). Endpoints are those of the region, unless the
 * configuration or the environment names others, as AWS's own tools let them. */
#ifndef KELLET_NET_AWS_H
#define KELLET_NET_AWS_H

#include "net/http.h"

#include <stdatomic.h>

enum { AWS_REGION_MAX = 64, AWS_ENDPOINT_MAX = 512 };

struct aws_keys {
    char access_key[160], secret_key[256], session_token[12288];
    int64_t expires; /* seconds since 1970; 0: they do not */
};

/* Addresses that win over the pattern "https://SERVICE.REGION.SUFFIX"; NULL: none. */
struct aws_endpoints {
    const char *all, *ecr, *sts, *s3;
};

struct aws_client {
    struct http *http;
    _Atomic int64_t skew; /* the server's clock less our own, once a server has told */
    unsigned tries;       /* of a request; 0: 4 */
};

/* Is it a name that can stand in an address ("eu-central-1")? */
bool aws_region_ok(str region);
/* $AWS_REGION or $AWS_DEFAULT_REGION; NULL: neither. */
const char *aws_region_environment(void);
/* "amazonaws.com", or what the region's partition has instead. */
const char *aws_suffix(str region);

/* The address of a service ("sts", "ecr", "s3") without a slash at its end: the configured one,
 * else $AWS_ENDPOINT_URL_<SERVICE>, $AWS_ENDPOINT_URL, else the region's. *own: it is not the
 * region's. ERR_USAGE: no http address, or no region. */
int aws_endpoint(const struct aws_endpoints *given, const char *service, const char *region,
                 char out[AWS_ENDPOINT_MAX], bool *own, struct err *e);

struct aws_request {
    const char *service; /* as it is signed: "s3" changes the rules (sigv4.h) */
    const char *region;
    const char *method;
    const char *url;                   /* percent-encoded */
    const struct http_header *headers; /* signed, at most 20 */
    size_t n_headers;
    str body;
    uint64_t max_body; /* of the answer */
};

/* Any status is a result. keys NULL: not signed. Tries again, after growing waits, when there is no
 * answer, the service has a problem or throttles (every request here may be repeated); once with
 * the server's time when it finds our clock wrong. Redirects are not followed. */
int aws_send(struct aws_client *c, const struct aws_keys *keys, const struct aws_request *rq,
             struct http_response *rs, struct buf *body, struct err *e);

/* What an answer that is no success says: its code ("AccessDenied") and message, cleaned; "". */
struct aws_error {
    char code[80], message[300];
};
void aws_error_read(const struct http_response *rs, str body, struct aws_error *out);
/* The keys themselves are at fault (expired, unknown): others may help. */
bool aws_error_is_keys(const struct aws_error *x);
/* Sets an error for it: ERR_AUTH, ERR_NOT_FOUND, ERR_CONFLICT, ERR_NET (throttled, server's
 * problem), ERR_USAGE (what was asked). `what` says what was tried. */
int aws_error_set(const struct http_response *rs, str body, const char *what, struct err *e);

/* What sending gave, as one result: `rc` with `what` before its text, else aws_error_set() for an
 * answer that is not 200; 0: it is. */
int aws_expect_ok(int rc, const struct http_response *rs, str body, const char *what,
                  struct err *e);

/* "2026-01-02T03:04:05Z", with or without a fraction; -1: it is no such time. */
int64_t aws_time_parse(str text);
/* Seconds since 1970 as the servers see it. */
int64_t aws_now(struct aws_client *c);

#endif
