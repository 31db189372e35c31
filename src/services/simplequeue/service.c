#include "services/simplequeue/simplequeue.h"

static int start(struct engine *en, struct err *e)
{
    struct simplequeue_waiters *w = NULL;
    int rc = simplequeue_waiters_new(en->db, &w, e);
    en->state[SERVICE_SIMPLEQUEUE] = w;
    return rc;
}

static int ready(struct engine *en, struct err *e)
{
    return db_ping(en->db, e);
}

#define FLAGS (ROUTE_INTERNAL | ROUTE_SLOW)

static const struct route routes[] = {
    {"GET", "/queues", simplequeue_list_queues, FLAGS},
    {"GET", "/queues/{queuename}", simplequeue_dequeue, FLAGS},
    {"POST", "/queues/{queuename}", simplequeue_enqueue, FLAGS},
    {"DELETE", "/queues/{queuename}", simplequeue_delete_message, FLAGS},
    {"PUT", "/queues/{queuename}", simplequeue_set_visibility, FLAGS},
    {"POST", "/queues/{queuename}/is_inqueue", simplequeue_is_inqueue, FLAGS},
    {"POST", "/queues/{queuename}/update_queueid", simplequeue_update_queueid, FLAGS},
    {"GET", "/queues/{queuename}/qlen", simplequeue_qlen, FLAGS},
    {"GET", "/leases", simplequeue_list_leases, FLAGS},
    {"POST", "/leases", simplequeue_create_lease, FLAGS},
    {"GET", "/leases/{lease_id}", simplequeue_describe_lease, FLAGS},
    {"GET", "/leases/{lease_id}/acquire", simplequeue_acquire_lease, FLAGS},
    {"PUT", "/leases/{lease_id}/ttl", simplequeue_refresh_lease, FLAGS},
    {"GET", "/leases/{lease_id}/release", simplequeue_release_lease, FLAGS},
    {"GET", "/kellet/queues", simplequeue_overview, FLAGS},
    {"POST", "/kellet/queues/dead/{id}/revive", simplequeue_revive, FLAGS},
    {0},
};

static const struct watcher watchers[] = {
    {.name = "queue_report", .seconds = 60, .min = 10, .max = 3600, .run = simplequeue_report},
    {0},
};

static void gone(struct engine *en)
{
    simplequeue_waiters_free(en->state[SERVICE_SIMPLEQUEUE]);
}

/* The waiters outlive a stop: the store's listening thread may still tell them. */
const struct service_ops service_simplequeue = {
    .id = SERVICE_SIMPLEQUEUE,
    .routes = routes,
    .watchers = watchers,
    .start = start,
    .gone = gone,
    .metrics = simplequeue_metrics,
    .ready = ready,
};
