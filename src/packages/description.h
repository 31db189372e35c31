/* description.h - what an image is, as the analyst tells its parent: identity, platform, layers,
 * problems. */
#ifndef KELLET_PACKAGES_DESCRIPTION_H
#define KELLET_PACKAGES_DESCRIPTION_H

#include "base/vec.h"
#include "packages/inventory.h"

struct description {
    struct arena *arena; /* owns the slices */
    str manifest_digest, config_digest, os, architecture, variant, created;
    str manifest_json, config_json; /* when facts are wanted */
    VEC(str) tags;
    VEC(struct layer_ref) layers;
    VEC(struct inv_problem) problems;
};

void description_done(struct description *d);
void description_encode(const struct description *d, struct buf *out);
/* Trusts nothing in data. d->arena must be set. */
int description_decode(str data, struct description *d, struct err *e);

#endif
