/* httpd.h - an HTTP/1.1 server over libmicrohttpd: one listening port, TLS when asked for.
 *
 * A small number of event threads does the reading and writing; a request is handed to the handler
 * when its headers and body are there. Quick handlers run on the event thread; a handler that waits
 * for something (a registry, another service) is moved to a pool thread by httpd_defer(), and one
 * that waits for an event (long poll) is parked by httpd_park() without occupying any thread.
 *
 * Bodies are kept in memory up to 1 MiB and in an unlinked file above (mapped for the handler), up
 * to the limit that `admit` gave. Slow clients, too many connections, bad requests and oversized
 * headers are answered or dropped here (408, 413, 431, 503) and never reach the handler. */
#ifndef KELLET_NET_HTTPD_H
#define KELLET_NET_HTTPD_H

#include "base/buf.h"
#include "base/err.h"
#include "base/str.h"

struct httpd;
struct httpd_request;

struct httpd_options {
    const char *address; /* "0.0.0.0", "::", "127.0.0.1"; NULL: all addresses, both families */
    uint16_t port;       /* 0: any free one, see httpd_port() */
    /* PEM files; cert and key both or none. The chain, when given, follows the certificate. They
     * are read again when they change: new connections see the new certificate within some seconds,
     * those that are open stay. Files that can't be used change nothing. */
    const char *tls_cert, *tls_key, *tls_chain;
    unsigned event_threads;   /* default 1 */
    unsigned pool_threads;    /* most at once, started when needed, ended when idle; default 50 */
    unsigned max_connections; /* default 1024 */
    /* Seconds, default 180: without a byte from the client; for a whole head, from the first moment
     * of the connection or the answer before; for a body, and a second more for each 500 bytes of
     * it. When three quarters of the connections are taken the last two count at most 10. Who is
     * slower is closed, within two seconds more. */
    unsigned idle_timeout;
    /* MAY: called when the headers are there, on the event thread. Returns the largest body to
     * take; a larger one is answered with 413 by `too_large`. NULL: 1 MiB for all. */
    uint64_t (*admit)(void *ctx, struct httpd_request *rq);
    /* MUST: answers the request with httpd_reply() before it returns, unless it was deferred or
     * parked. One that returns without any of these is answered with 500. */
    void (*handle)(void *ctx, struct httpd_request *rq);
    /* MAY: answers a request whose body is larger than `admit` allowed, before it returns; NULL:
     * plain text 413. A body that is a little too long (8 MiB) is read and dropped first, so that
     * clients which send before they listen see the answer; others' connections are closed. */
    void (*too_large)(void *ctx, struct httpd_request *rq);
    /* MAY: when an exchange has ended: for access logs and metrics. status 0: the client went away.
     */
    void (*done)(void *ctx, struct httpd_request *rq, int status, uint64_t sent, uint64_t usec);
    void *ctx;
};

/* Listens and serves. ERR_IO when the port is taken (the text says which). */
int httpd_start(const struct httpd_options *o, struct httpd **out, struct err *e);
uint16_t httpd_port(const struct httpd *h);
/* Stops accepting; requests under way are finished (parked ones are woken with `gone` set) for at
 * most `seconds`. */
void httpd_drain(struct httpd *h, unsigned seconds);
/* Drains for no time, waits for the handlers that run, and frees; NULL is fine. Handlers that wait
 * for something long look at httpd_gone() in between. */
void httpd_stop(struct httpd *h);

/* ---- a request: views live until the reply has been given --------------------------------------
 */
str httpd_method(const struct httpd_request *rq);
str httpd_path(const struct httpd_request *rq);  /* as sent: percent-encoded, without the query */
str httpd_query(const struct httpd_request *rq); /* as sent, without "?" */
str httpd_body(const struct httpd_request *rq);
str httpd_header_of(const struct httpd_request *rq, const char *name); /* any case; empty: none */
bool httpd_has_header(const struct httpd_request *rq, const char *name);
str httpd_peer(const struct httpd_request *rq); /* the client's address as text */
bool httpd_is_tls(const struct httpd_request *rq);
/* The caller's own pointer, kept with the request; freed by `free_fn` at its end. */
void httpd_set_data(struct httpd_request *rq, void *data, void (*free_fn)(void *));
void *httpd_data(const struct httpd_request *rq);

/* Runs fn(ctx, rq) on a pool thread; it must reply (or park). When all pool threads are busy it
 * waits in line; false: the line is full too (1,024), and a 503 was sent. */
bool httpd_defer(struct httpd_request *rq, void (*fn)(void *ctx, struct httpd_request *rq),
                 void *ctx);
/* Parks the request: nothing happens until httpd_wake(), or `milliseconds` have passed; then fn
 * runs on a pool thread and must reply or park again. Safe against a wake that comes first. */
void httpd_park(struct httpd_request *rq, uint32_t milliseconds,
                void (*fn)(void *ctx, struct httpd_request *rq), void *ctx);
/* Wakes a parked request, from any thread. The caller makes sure that rq still lives (its fn, when
 * it runs, takes rq off the caller's list under the caller's lock). */
void httpd_wake(struct httpd_request *rq);
bool httpd_gone(const struct httpd_request *rq); /* the client left, or the server is draining */

/* ---- the reply
 * ------------------------------------------------------------------------------------ */
/* Headers with control characters are refused: nothing a client sent can split a response. */
void httpd_add_header(struct httpd_request *rq, const char *name, const char *value);
/* Takes what `body` holds (it is left empty). HEAD gets the headers only. Bodies of 1 KiB or more
 * are gzipped when the client accepts that and `compress` is set. */
void httpd_reply(struct httpd_request *rq, int status, const char *content_type, struct buf *body,
                 bool compress);
/* The same from bytes that someone else owns: release(owner) is called, from any thread, when they
 * have been sent. `varies`: the client's Accept-Encoding decided their form; `gzipped`: this is the
 * compressed one (httpd_gzip()). */
void httpd_reply_shared(struct httpd_request *rq, int status, const char *content_type, str bytes,
                        bool varies, bool gzipped, void (*release)(void *owner), void *owner);
bool httpd_accepts_gzip(const struct httpd_request *rq);
/* Appends `in` compressed as httpd_reply() does it. ERR_LIMIT, ERR_NO_MEMORY. */
int httpd_gzip(str in, struct buf *out, struct err *e);
/* The same from a descriptor that is owned from now on: `size` bytes from its beginning. */
void httpd_reply_fd(struct httpd_request *rq, int status, const char *content_type, int fd,
                    uint64_t size);

/* Percent-decodes once ('+' stays in paths, is a blank in queries); false: a bad escape or a NUL.
 */
bool httpd_decode(str s, bool query, struct buf *out);

#endif
