/* objects.h - the catalog's documents over HTTP: /objects, /archive and /objects/raw. */
#ifndef KELLET_SERVICES_CATALOG_OBJECTS_H
#define KELLET_SERVICES_CATALOG_OBJECTS_H

#include "services/call.h"

int objects_get(struct call *c); /* {"document": ...} */
int objects_put(struct call *c); /* the same as body */
int objects_delete(struct call *c);
int objects_get_raw(struct call *c); /* bytes */
int objects_put_raw(struct call *c);

#endif
