/* package_index.h - which image has which package, for questions like "which images have openssl?".
 *
 * A hundred thousand images have twenty million packages between them, but images that share layers
 * share most of those. So the packages of an image, sorted, are cut into groups by content, a group
 * is kept once, and an image is a list of groups. To read, join the tables package (id, name,
 * version, type, source, arch, ecosystem, distro) and image_package (account, image_digest,
 * package_id), a view. */
#ifndef KELLET_STORE_PACKAGE_INDEX_H
#define KELLET_STORE_PACKAGE_INDEX_H

#include "store/db.h"

struct indexed_package {
    str name, version, type;             /* type: "dpkg", "npm", ... */
    str source, arch, ecosystem, distro; /* may be empty */
};

/* Makes the image's packages exactly these; any order, the same one may come twice. At most a
 * million. */
int package_index_put(struct db_tx *tx, str account, str image_digest,
                      const struct indexed_package *p, size_t n, struct err *e);
/* 1 when the image was known, 0 when not. */
int package_index_delete(struct db_tx *tx, str account, str image_digest, struct err *e);
/* Removes groups and packages that no image has any more; at most `limit` groups. Returns how many.
 */
int64_t package_index_sweep(struct db *db, size_t limit, struct err *e);

#endif
