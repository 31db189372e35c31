/* image_packages.h - an image's packages in the two indices: the one that queries by package and by
 * vulnerability ask (store/package_index.h), and the inverted one that leads from changed data to
 * images (store/posting.h). */
#ifndef KELLET_SERVICES_IMAGE_PACKAGES_H
#define KELLET_SERVICES_IMAGE_PACKAGES_H

#include "packages/inventory.h"
#include "store/db.h"

/* Makes the image's packages in both those of the inventory. */
int image_packages_put(struct db_tx *tx, str account, str digest, const struct inventory *inv,
                       struct err *e);
/* In the inverted index alone; `since`: when the image came, microseconds, 0: now. */
int image_packages_index(struct db_tx *tx, str account, str digest, int64_t since,
                         const struct inventory *inv, struct err *e);

#endif
