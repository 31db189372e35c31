/* image_packages.h - an image's packages in the index that queries by package and by vulnerability
 * ask. */
#ifndef KELLET_SERVICES_IMAGE_PACKAGES_H
#define KELLET_SERVICES_IMAGE_PACKAGES_H

#include "packages/inventory.h"
#include "store/db.h"

/* Makes the image's packages in the index those of the inventory. */
int image_packages_put(struct db_tx *tx, str account, str digest, const struct inventory *inv,
                       struct err *e);

#endif
