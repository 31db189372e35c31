/* lookup_json.h - what the catalog answers about a name, written and read. */
#ifndef KELLET_SERVICES_CATALOG_LOOKUP_JSON_H
#define KELLET_SERVICES_CATALOG_LOOKUP_JSON_H

#include "services/call.h"
#include "services/catalog/lookup.h"

/* Answers a lookup that succeeded (200) or failed (400 with its error code). */
int lookup_send(struct call *c, const struct fulltag *name, const struct catalog_lookup *found);
int lookup_send_failure(struct call *c, const struct catalog_lookup *found, const struct err *why);
/* Asks the catalog for a name. 0: *out filled; 1: the catalog's refusal was sent as this call's
 * answer. */
int lookup_ask(struct call *c, const struct fulltag *name, struct catalog_lookup *out);

#endif
