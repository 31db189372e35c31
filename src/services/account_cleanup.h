/* account_cleanup.h - removes what belonged to accounts in state deleting, then the accounts. */
#ifndef KELLET_SERVICES_ACCOUNT_CLEANUP_H
#define KELLET_SERVICES_ACCOUNT_CLEANUP_H

#include "services/engine.h"

/* One round of the catalog's watcher account_resource_cleanup (60 s). */
int account_cleanup_run(struct engine *en, struct err *e);

#endif
