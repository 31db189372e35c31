/* common.h - the routes that every service has: "/", /health, /version, /ready, /status, /metrics.
 *
 * The router mounts them before a service's own. They take the place of operations of the external
 * API with the same method and path. */
#ifndef KELLET_SERVICES_COMMON_H
#define KELLET_SERVICES_COMMON_H

#include "services/engine.h"

/* Ended by path NULL. /metrics is not ROUTE_OPEN here: metrics.auth_disabled opens it. */
extern const struct route common_routes[];

#endif
