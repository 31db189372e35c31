/* squash.h - layers' facts into one inventory: what is visible from the top.
 *
 * OCI image specification, "Applying Changesets": an upper layer hides what it replaces, removes
 * (whiteouts) or covers (opaque directories). */
#ifndef KELLET_PACKAGES_SQUASH_H
#define KELLET_PACKAGES_SQUASH_H

#include "image/layer_record.h"
#include "packages/inventory.h"
#include "packages/links.h"

struct squash_layer {
    struct facts facts;
    const struct layer_record *record;
};

/* Orders by everything that makes two packages different; where they were found does not. */
int package_cmp(const struct package *a, const struct package *b);

/* One entry a package and purl; the places where it was found become its evidence. In: each with
 * one. */
int packages_merge(struct inv_package *list, size_t *n, struct arena *a, struct err *e);

/* Fills packages, release, problems and unsupported of the inventory. aliases: with which the
 * layers were read. */
int squash_layers(struct squash_layer *layers, size_t n, const struct alias_list *aliases,
                  struct inventory *inv, struct err *e);

/* Databases that lie behind links (links.h) and were not read under their known path: added to the
 * list, in the arena. 1 when there are new ones: the layers must be read again with the list. */
int squash_aliases(const struct squash_layer *layers, size_t n, struct arena *a,
                   struct alias_list *list, struct err *e);

#endif
