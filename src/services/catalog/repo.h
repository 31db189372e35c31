/* repo.h - watching whole repositories: every tag that appears is added as an image. */
#ifndef KELLET_SERVICES_CATALOG_REPO_H
#define KELLET_SERVICES_CATALOG_REPO_H

#include "services/call.h"

/* The subscription's value of a repository with these tags, as the original writes it: JSON text in
 * the arena. lookuptag: "latest" when there is one, else the first tag. */
str repo_value(struct arena *a, const str *tags, size_t n, bool autosubscribe);

/* POST /repo of the catalog: regrepo, autosubscribe, dryrun. */
int repo_post(struct call *c);

#endif
