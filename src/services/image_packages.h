/* image_packages.h - an image's packages in the inverted index (store/posting.h). */
#ifndef KELLET_SERVICES_IMAGE_PACKAGES_H
#define KELLET_SERVICES_IMAGE_PACKAGES_H

#include "packages/inventory.h"
#include "store/db.h"

/* Makes the image's packages those of the inventory; `since`: when the image came, microseconds, 0:
 * now. */
int image_packages_put(struct db_tx *tx, str account, str digest, int64_t since,
                       const struct inventory *inv, struct err *e);

#endif
