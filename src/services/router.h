/* router.h - how a request becomes a call, for each service of the process.
 *
 * In this order: the path finds a route ("/v1" in front may be left out; double and trailing
 * slashes do not matter; another version is 404), 404 and 405 as problems; OPTIONS is answered; the
 * caller is identified and authorized (auth.h); parameters and body are checked against the API's
 * description, with the messages that the original gives; the handler runs. Quick GETs on SQLite
 * run on the event thread, everything else on a pool thread. */
#ifndef KELLET_SERVICES_ROUTER_H
#define KELLET_SERVICES_ROUTER_H

#include "services/engine.h"

struct router;

/* Makes the table of a service: its routes, the common ones and, for the external API, the
 * operations of the Swagger document (one without a handler answers 501). `en` and `ops` are
 * borrowed. ERR_USAGE: two routes are the same, or a handler's operation is not in the document. */
int router_new(struct engine *en, const struct service_ops *ops, struct router **out,
               struct err *e);
void router_free(struct router *r);
/* The first operation that has no handler, in document order, from *from on (start at 0; moved
 * past it); NULL: none is left. */
const char *router_unbound(const struct router *r, size_t *from);

/* Makes the router and opens the service's port as configured: en->routers[], en->servers[]. */
int router_start(struct engine *en, const struct service_ops *ops, struct err *e);
/* Closes the port (requests under way end first, for at most `seconds`) and frees both. */
void router_stop(struct engine *en, enum service_id id, unsigned seconds);

/* A request of another service of this process, by a function call: identity internal. */
int router_dispatch(struct engine *en, enum service_id id, const struct service_request *rq,
                    int *status, struct buf *body, struct err *e);

#endif
