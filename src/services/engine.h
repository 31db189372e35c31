/* engine.h - one process of the engine: configuration, store, data, and the services that run here.
 *
 * Every service is stateless: what it knows is in the store. Code of a service reads and writes
 * records through the store itself; it asks another service (service_request) only for what that
 * service alone has: the catalog the way to registries, the policy engine the vulnerability data.
 * In one process such a request is a function call, between processes it is HTTP with the internal
 * credential. */
#ifndef KELLET_SERVICES_ENGINE_H
#define KELLET_SERVICES_ENGINE_H

#include "net/http.h"
#include "net/httpd.h"
#include "services/config.h"
#include "store/db.h"
#include "store/documents.h"

enum { ENGINE_CHANNELS = 8 };

struct engine;
struct call;
struct metrics;
struct router;       /* services/router.h */
struct vulndata;     /* services/policy_engine/vulndata.h: the open vulnerability database */
struct auth;         /* services/auth.h: credential cache, token keys */
struct discovery;    /* services/discovery.h */
struct registry_ecr; /* services/registry_ecr.h: tokens of Amazon's registries */
struct secrets;      /* services/secrets.h: encrypts what is stored (registry passwords) */
struct engine_life;

/* What a route needs; see router.h for how requests reach it. */
enum route_flags {
    ROUTE_OPEN = 1,     /* no credentials asked for */
    ROUTE_SLOW = 2,     /* waits for something: runs on a pool thread */
    ROUTE_INTERNAL = 4, /* only for accounts of type admin and service */
    ROUTE_RAW = 8,      /* the body is not parsed as JSON */
    ROUTE_BIG = 16,     /* body up to 100 MiB (imports) */
    ROUTE_HUGE = 32,    /* body up to 16 GiB (archives of images' analyses) */
};
struct route {
    const char *method; /* "GET" */
    const char *path;   /* "/images/{imageDigest}/vuln/{vtype}"; "{name...}" takes slashes too */
    int (*handle)(struct call *c); /* answers through call.h; a negative code is answered for it */
    unsigned flags;
};
/* Of the external API: method, path, parameters and body come from share/api/swagger.yaml, by
 * operation. */
struct operation {
    const char *id; /* operationId */
    int (*handle)(struct call *c);
    unsigned flags;
};

/* Runs again and again in the process of its service, under a lease (one process at a time) unless
 * `everywhere`. */
struct watcher {
    const char *name; /* also of its cycle timer and lease: "image_watcher" */
    int64_t seconds, min, max;
    bool everywhere;
    const char *wake; /* MAY: a channel (db_notify) that makes the next round come at once */
    /* Does one round; must look at engine_stopping() between steps that take long. */
    int (*run)(struct engine *en, struct err *e);
};

struct service_ops {
    enum service_id id;
    const struct route *routes;                /* ended by path NULL; MAY */
    const struct operation *const *operations; /* lists, ended by NULL; apiext only */
    const struct watcher *watchers;            /* ended by name NULL; MAY */
    /* MAY: is what the configuration says of this service right? start would find it too. */
    int (*check)(const struct config *c, struct err *e);
    int (*start)(struct engine *en, struct err *e); /* MAY: before the port opens */
    void (*drain)(struct engine *en); /* MAY: SIGTERM: take no new work, hand back what is held */
    void (*stop)(struct engine *en);  /* MAY: after the last request */
    /* MAY: after the store was closed: frees what listeners (db_listen) were given. */
    void (*gone)(struct engine *en);
    /* MAY: appends lines of Prometheus text. */
    void (*metrics)(struct engine *en, struct buf *out);
    /* MAY: 0, or why it is not ready. */
    int (*ready)(struct engine *en, struct err *e);
};
extern const struct service_ops service_catalog, service_apiext, service_simplequeue,
    service_policy_engine, service_analyzer, service_kubernetes_webhook;
extern const struct service_ops *const all_services[SERVICE_COUNT]; /* all.c */

struct engine {
    const struct config *config;
    struct db *db;
    struct documents *documents;
    struct http *http;     /* for other services and webhooks */
    struct zygote *zygote; /* packages/zygote.h: starts analysts; NULL where none are needed */
    struct auth *auth;
    struct secrets *secrets;
    struct registry_ecr *ecr;
    struct discovery *discovery;
    struct metrics *metrics;
    struct vulndata *vulndata;  /* set by the policy engine's start; NULL elsewhere */
    void *state[SERVICE_COUNT]; /* each service's own */
    struct httpd *servers[SERVICE_COUNT];
    struct router *routers[SERVICE_COUNT];
    const char *host_id;      /* as registered: see discovery.h */
    struct engine_life *life; /* engine.c's own */
};

/* Starts the services that the configuration selects, serves until SIGTERM or SIGINT, drains and
 * stops. `upgrade`: bring the database to the newest schema also when the catalog does not run
 * here. Returns 0 after a clean stop; a negative code when it could not start or a service died. */
int engine_serve(const struct config *c, bool upgrade, struct err *e);

bool engine_stopping(const struct engine *en);
/* All services that run here have started and none is being drained. */
bool engine_up(const struct engine *en);
/* Waits for `us` microseconds; true when the engine is stopping. */
bool engine_wait(struct engine *en, int64_t us);
/* Notices on the channel are counted from now on; at most ENGINE_CHANNELS different ones, before
 * any thread waits for them. */
int engine_listen(struct engine *en, const char *channel, struct err *e);
/* engine_wait() that ends early when there was a notice beyond the *seen th; moves *seen. channel
 * NULL: none. */
bool engine_wait_for(struct engine *en, int64_t us, const char *channel, uint64_t *seen);
/* A service's thread met something that it can't go on after: the process ends with this text. */
void engine_fail(struct engine *en, const char *what, const struct err *why);

/* ---- asking another service
 * ------------------------------------------------------------------------- */
struct service_request {
    enum service_id service;
    const char *method;
    const char *path;         /* with the query, percent-encoded:
                                 "/users/admin/images/x/vulnerabilities?vendor_only=true" */
    str account;              /* namespace; "" none */
    str body;                 /* JSON; "" none */
    const char *content_type; /* NULL: application/json */
    unsigned timeout;         /* seconds that all instances together may take, over the network;
                                 0: client_read_timeout for each */
    str request_id;           /* of the request that this serves: logs repeat it */
};
/* Any answer is a result: *status and *body (appended). Tries instances that are up in turn when
 * one can't be reached. ERR_NET: no instance answered; the text names the service. */
int service_request(struct engine *en, const struct service_request *rq, int *status,
                    struct buf *body, struct err *e);

#endif
