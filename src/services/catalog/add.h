/* add.h - adding an image, from any of the ways to ask for it: names are resolved, the record, its
 * tag, its subscriptions and its work are written in one transaction. */
#ifndef KELLET_SERVICES_CATALOG_ADD_H
#define KELLET_SERVICES_CATALOG_ADD_H

#include "services/catalog/lookup.h"
#include "services/image.h"

struct catalog_add {
    str account;
    struct fulltag name; /* what to record; its digest, when there is one, is what to fetch */
    str annotations, dockerfile; /* as in struct image_add */
    int64_t created;
    bool force, autosubscribe;
    bool watch; /* the subscriptions of the tag are made */
    str why;
};

/* Writes what a lookup found: image_put() and the subscriptions. *out is the record afterwards, in
 * the arena. ERR_LIMIT: larger than max_compressed_image_size_mb; ERR_USAGE as image_put(). */
int catalog_add_found(struct engine *en, struct arena *a, const struct catalog_add *add,
                      const struct catalog_lookup *found, struct image_record *out, struct err *e);
/* Is it larger than the configuration allows? */
bool catalog_is_oversized(const struct config *c, const struct catalog_lookup *found);
enum { CATALOG_MB = 1000000 };

#endif
