/* call.h - one request being served: who asks, in whose account, with what; and the answer.
 *
 * The router has parsed and checked everything before a handler runs: credentials, permission,
 * account, parameters and body against the API's description. The handler answers once, by one of
 * the call_... functions, and returns 0; or it returns a negative code with *c->err filled, which
 * becomes an error answer (NOT_FOUND 404, USAGE 400, EXISTS and CONFLICT 409, AUTH 403, LIMIT 413,
 * NET 503, others 500) in the application's error format. */
#ifndef KELLET_SERVICES_CALL_H
#define KELLET_SERVICES_CALL_H

#include "services/engine.h"

struct identity {
    str username, account;
    str account_type;  /* "admin", "user", "service" */
    str account_state; /* "enabled", ... */
    str uuid;
    bool internal; /* another service of this engine */
};

struct call_param {
    str name, value; /* decoded, as text */
};

struct call {
    struct engine *engine;
    enum service_id service;
    struct arena arena;  /* freed with the call; at most 256 MiB */
    struct identity who; /* empty for open routes */
    str account;         /* the namespace: x-anchore-account, or the caller's own */
    str method, path;
    str request_id;
    struct call_param *params; /* path and query together, after defaults; arrays joined by "," */
    size_t n_params;
    yyjson_doc *body_doc;
    yyjson_val *body; /* checked JSON body, or NULL */
    str raw;          /* the body as sent */
    str content_type; /* of the body */
    struct err *err;
    /* the answer */
    int status;
    const char *answer_type;
    struct buf answer;
    struct httpd_request *rq; /* NULL when another service of this process asks */
    const char *route;        /* the template that fits: "/images/{imageDigest}" */
    bool plain;               /* the answer is not worth compressing */
    struct {                  /* sent instead of `answer` when release is set: another's bytes */
        str bytes;
        bool varies, gzipped; /* see httpd_reply_shared() */
        void (*release)(void *owner);
        void *owner;
    } shared;
    bool parked; /* answered later, see call_park() */
    uint32_t park_ms;
    int (*resume)(struct call *c);
    void *state; /* of the handler, between parking and resuming */
};

/* ---- parameters
 * ------------------------------------------------------------------------------------ */
str call_param(const struct call *c, const char *name);                /* p NULL: absent */
bool call_flag(const struct call *c, const char *name, bool fallback); /* true/false, any case */
int64_t call_int(const struct call *c, const char *name, int64_t fallback);
str call_header(const struct call *c, const char *name); /* empty: absent */

/* ---- answers
 * ------------------------------------------------------------------------------------------ */
/* A document to fill and send: it and its values live in the call's arena (NULL, and everything
 * made from NULL is NULL, when that is full; call_send then says so). */
yyjson_mut_doc *call_doc(struct call *c);
/* Sends `root` of a document from call_doc() as the original does: keys sorted at every level,
 * indented by two blanks, non-ASCII as \u escapes, a newline at the end. */
int call_send(struct call *c, int status, yyjson_mut_doc *doc, yyjson_mut_val *root);
/* JSON text that is in that form already. */
int call_send_text(struct call *c, int status, const char *content_type, str text);
/* For long answers, written piece by piece: the answer's buffer, emptied, and then its end. */
struct buf *call_text(struct call *c);
int call_text_end(struct call *c, int status, const char *content_type);
int call_empty(struct call *c, int status); /* 204 and the like */
/* {"detail": {"error_codes": []}, "httpcode": N, "message": "..."} */
int call_error(struct call *c, int status, const char *fmt, ...) KE_PRINTF(3, 4);
/* The same with members of detail: built in `doc` ("error_codes": [] is added when it has none);
 * NULL detail: {"error_codes": []}. */
int call_error_detail(struct call *c, int status, str message, yyjson_mut_doc *doc,
                      yyjson_mut_val *detail);
/* RFC 7807: {"detail", "status", "title", "type": "about:blank"}; fmt NULL: no detail (null). */
int call_problem(struct call *c, int status, const char *title, const char *fmt, ...)
    KE_PRINTF(4, 5);
/* Long poll: the answer is given by `resume`, which runs on another thread after `milliseconds` or
 * httpd_wake(c->rq), and answers or parks again. Returns 0, which the handler returns at once,
 * touching the call no more. When nobody can wait (c->rq NULL: asked in process) resume runs now.
 */
int call_park(struct call *c, uint32_t milliseconds, int (*resume)(struct call *c));
/* Adds a header to the answer. */
void call_reply_header(struct call *c, const char *name, const char *value);

/* ---- JSON helpers of the API
 * -------------------------------------------------------------------------- */
/* "2026-11-23T19:01:24Z" of microseconds since 1970. */
str time_text(struct arena *a, int64_t us);
/* "2026-11-23T19:01:24.036962Z": events. */
str time_text_us(struct arena *a, int64_t us);
/* RFC 3339 and the date-only and blank-separated forms that the original takes; false: not a time.
 */
bool time_parse(str text, int64_t *us);
/* Copies into doc: str members. A str with p NULL becomes null. */
void put_str(yyjson_mut_doc *d, yyjson_mut_val *o, const char *key, str v);
void put_int(yyjson_mut_doc *d, yyjson_mut_val *o, const char *key, int64_t v);
void put_bool(yyjson_mut_doc *d, yyjson_mut_val *o, const char *key, bool v);
void put_null(yyjson_mut_doc *d, yyjson_mut_val *o, const char *key);
/* JSON text as a value; null when it does not parse or is empty. */
void put_json(yyjson_mut_doc *d, yyjson_mut_val *o, const char *key, str json_text);
void put_time(yyjson_mut_doc *d, yyjson_mut_val *o, const char *key, int64_t us); /* 0: null */
/* Keys sorted, 2 blanks, ASCII, newline: what call_send writes. */
int json_pretty(yyjson_mut_val *root, struct buf *out, struct err *e);
/* The same for a value that stands `depth` levels deep, without the newline; and a string's text.
 */
int json_pretty_at(yyjson_mut_val *v, unsigned depth, struct buf *out, struct err *e);
void json_put_ascii(struct buf *b, str s);

#endif
