/* watchers.h - what the catalog does by itself, one round each. */
#ifndef KELLET_SERVICES_CATALOG_WATCHERS_H
#define KELLET_SERVICES_CATALOG_WATCHERS_H

#include "services/engine.h"

/* Images that wait for an analysis and are in no queue go back into it, also those that are being
 * analysed by nobody; dead letters become analysis_failed with their reason. */
int analyzer_queue_run(struct engine *en, struct err *e);
/* Tags with an active tag_update are looked up again; a new digest is a new image, and a
 * notification. */
int image_watcher_run(struct engine *en, struct err *e);
/* Tags of watched repositories that were never seen are added. */
int repo_watcher_run(struct engine *en, struct err *e);
/* Images in state deleting are really removed. */
int image_gc_run(struct engine *en, struct err *e);
/* Delivers what is in the outbox (notification.h). */
int notifications_run(struct engine *en, struct err *e);
int notifications_start(struct engine *en, struct err *e);
void notifications_stop(struct engine *en); /* after the watchers' last rounds */
/* Tags with an active policy_eval are evaluated by the account's active bundle: their newest
 * digest, and those that the subscription's value names. */
int policy_eval_run(struct engine *en, struct err *e);
/* The same for accounts whose active bundle was changed since the last round. */
int policy_change_run(struct engine *en, struct err *e);
int documents_sweep_run(struct engine *en, struct err *e);

#endif
