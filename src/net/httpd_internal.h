/* httpd_internal.h - what the parts of the HTTP server share.
 *
 * The life of a request: libmicrohttpd's event thread makes it (httpd.c) and reads its body
 * (httpd_request.c); the handler answers (httpd_reply.c) on that thread or, the connection being
 * suspended, on a thread of the pool (httpd_pool.c); the event thread sends the answer and frees
 * it. A request has one owner at any time: the event thread, one pool thread, the line of the pool
 * or the list of parked ones. Who hands it on doesn't touch it again. */
#ifndef KELLET_NET_HTTPD_INTERNAL_H
#define KELLET_NET_HTTPD_INTERNAL_H

#include "net/httpd.h"
#include "net/mhd_api.h"

#include <netinet/in.h>
#include <pthread.h>

enum {
    HTTPD_HEADERS_MAX = 32,          /* of an answer */
    HTTPD_LINE_MAX = 1024,           /* deferred requests that wait for a thread */
    HTTPD_BODY_IN_MEMORY = 1 << 20,  /* above: a file */
    HTTPD_SKIP_MAX = 8 << 20,        /* of a refused body that is read, so that the answer is too */
    HTTPD_CONNECTION_MEMORY = 65536, /* of one connection: headers and the window of the body */
    HTTPD_THREAD_IDLE_SECONDS = 10,
    HTTPD_WORKERS_MAX = 1024,
    HTTPD_BODY_RATE = 500,      /* bytes a second: slower bodies have the time-out and no more */
    HTTPD_CROWDED_SECONDS = 10, /* the time-out when three quarters of the connections are taken */
};

/* What became of a request while a function had it. */
enum httpd_outcome { HTTPD_UNANSWERED, HTTPD_ANSWERED, HTTPD_MOVED };

typedef void httpd_fn(void *ctx, struct httpd_request *rq);

struct httpd_request {
    struct httpd *server;
    struct MHD_Connection *connection;
    char *uri; /* as sent */
    str path, query;
    char method[24];
    char peer[INET6_ADDRSTRLEN + 1];
    uint64_t started_us, sent;
    int status;
    enum httpd_outcome *outcome; /* of the function that has it now; NULL: none */
    bool begun;                  /* the headers were seen: counted as active */
    bool suspended, refused, broken;
    struct MHD_Response *response;
    struct {
        char *name, *value;
    } headers[HTTPD_HEADERS_MAX];
    size_t n_headers;
    /* the body */
    uint64_t body_max, body_size;
    struct buf body;
    int body_fd;
    char *body_map;
    /* the caller's */
    void *data;
    void (*data_free)(void *);
    /* the pool's: under its lock */
    httpd_fn *fn;
    void *fn_ctx;
    struct httpd_request *next, *previous;
    uint64_t deadline_us;
    bool parked, woken;
};

struct httpd_list {
    struct httpd_request *first, *last;
    size_t n;
};

struct httpd_worker {
    pthread_t thread;
    struct httpd *server;
    enum { HTTPD_WORKER_NONE, HTTPD_WORKER_RUNS, HTTPD_WORKER_ENDED } state;
};

enum { HTTPD_OLD_MAX = 4 };
/* Servers with TLS: the files are looked at when something changes beside them (httpd_reload.c). */
struct httpd_reload {
    pthread_t thread;
    bool running;
    int end, notify; /* descriptors: to end the thread; of the files' directories, or -1 */
    struct timespec changed[3];            /* of certificate, key, chain */
    struct MHD_Daemon *old[HTTPD_OLD_MAX]; /* they serve the connections that they have */
    size_t n_old;
};

/* Connections, and what they do (httpd_slow.c). */
struct httpd_slow {
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t change;
    bool running, ending;
    struct httpd_peer *first;
    size_t n;
    int64_t look_us; /* when the thread is to look at them */
};

struct httpd {
    struct httpd_options o;
    struct MHD_Daemon *daemon;
    int listener; /* each daemon has a descriptor of its own of the same socket; -1: drained */
    struct httpd_reload reload;
    struct httpd_slow slow;
    uint16_t port;
    bool tls;
    pthread_mutex_t lock;
    pthread_cond_t work, change; /* for workers; for those who wait in drain and stop */
    struct httpd_list line, parked;
    struct httpd_worker *workers;
    size_t n_workers, idle_workers;
    size_t active;    /* requests begun and not ended */
    size_t suspended; /* of them: not with the event thread */
    bool draining, stopping, ending;
};

/* ---- httpd.c */
/* Reads the TLS files and starts a daemon on h->listener. */
int httpd_daemon_start(struct httpd *h, struct MHD_Daemon **out, struct err *e);
void httpd_daemon_quiesce(struct MHD_Daemon *d);

/* ---- httpd_reload.c */
/* Before the files are read for the first time. */
void httpd_reload_note(struct httpd *h);
/* Does nothing without TLS. */
int httpd_reload_start(struct httpd *h, struct err *e);
/* Draining: ends the thread. */
void httpd_reload_end(struct httpd *h);
/* No connection is suspended. */
void httpd_reload_stop(struct httpd *h);

/* ---- httpd_slow.c */
void httpd_slow_init(struct httpd *h);
int httpd_slow_start(struct httpd *h, struct err *e);
/* Ends the thread. */
void httpd_slow_stop(struct httpd *h);
/* No daemon runs any more. */
void httpd_slow_done(struct httpd *h);
/* libmicrohttpd's notification about a connection; ctx is the server. */
void httpd_slow_connection(void *ctx, struct MHD_Connection *c, void **context,
                           enum MHD_ConnectionNotificationCode code);
/* What a connection does now: the head is there, so much of the body, all of it, the answer is
 * sent. On the event thread. */
void httpd_slow_head_done(struct httpd *h, struct MHD_Connection *c);
void httpd_slow_body(struct httpd *h, struct MHD_Connection *c, uint64_t received);
void httpd_slow_received(struct httpd *h, struct MHD_Connection *c);
void httpd_slow_answered(struct httpd *h, struct MHD_Connection *c);

/* ---- httpd_request.c */
struct httpd_request *httpd_request_new(struct httpd *h, struct MHD_Connection *c, const char *uri);
void httpd_request_free(struct httpd_request *rq);
/* Looks at the head: 0, or the status of the refusal. */
int httpd_request_begin(struct httpd_request *rq, const char *method);
/* Takes a piece of the body; false: the connection is to be closed. */
bool httpd_request_body(struct httpd_request *rq, const char *p, size_t n);
/* The body is complete; false: it can't be read (memory, disk). */
bool httpd_request_body_end(struct httpd_request *rq);

/* ---- httpd_reply.c */
void httpd_reply_text(struct httpd_request *rq, int status, const char *text);

/* ---- httpd_pool.c */
int httpd_pool_start(struct httpd *h, struct err *e);
/* Runs or answers what waits, and ends the threads. */
void httpd_pool_stop(struct httpd *h);
/* Wakes all that are parked. */
void httpd_pool_wake_all(struct httpd *h);

#endif
