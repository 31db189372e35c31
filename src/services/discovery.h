/* discovery.h - which services run where: the table of services, heartbeats, and the way to one.
 *
 * Each process has a row for each service that runs in it, under its host id, and renews them every
 * 10 seconds; a row whose heartbeat is 30 seconds old is down, and gone 15 seconds later. A process
 * owns its rows by its instance: when a living process has the configured host id with one of the
 * same services, "-2", "-3" ... is appended to ours, so that two never write one row.
 *
 * base_url is scheme://host:port with external_hostname and external_port where given; the scheme
 * is https when the service itself speaks TLS or external_tls says that a balancer does. */
#ifndef KELLET_SERVICES_DISCOVERY_H
#define KELLET_SERVICES_DISCOVERY_H

#include "services/engine.h"

#define ENGINE_VERSION    "1.1.0"  /* of the API that clients are told */
#define ENGINE_DB_VERSION "0.0.16" /* likewise */

/* Opens en->discovery. */
int discovery_open(struct engine *en, struct err *e);
void discovery_close(struct discovery *d); /* NULL is fine */
/* Chooses the host id (en->host_id) and adds this process's rows, to which nobody is sent yet. */
int discovery_reserve(struct engine *en, struct err *e);
/* From now on others may come. */
int discovery_register(struct engine *en, struct err *e);
/* Renews them (and adds again what was taken away). To be called every 10 seconds. */
int discovery_beat(struct engine *en, struct err *e);
/* Removes them. */
int discovery_leave(struct engine *en, struct err *e);
/* A text that no other process has: owner of leases and of queue items. */
const char *discovery_instance(const struct engine *en);

/* One round of the service watcher: marks rows down and removes them, with events. */
int discovery_watch(struct engine *en, struct err *e);

/* The document of GET /status. */
str discovery_status(struct arena *a, bool up, const char *message);

/* Of the external API: /system and /system/services. Ended by id NULL. */
extern const struct operation discovery_operations[];

#endif
