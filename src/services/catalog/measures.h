/* measures.h - what the catalog adds to its page of metrics: counts of the store, the same from
 * every process of it. */
#ifndef KELLET_SERVICES_CATALOG_MEASURES_H
#define KELLET_SERVICES_CATALOG_MEASURES_H

#include "services/engine.h"

/* kellet_images (those that are not analysed, by state), kellet_notifications_waiting and
 * kellet_notifications_wait_seconds. Nothing when the store does not answer. */
void catalog_metrics(struct engine *en, struct buf *out);

#endif
