/* origin.h - which layer brought a package.
 *
 * A package database is written anew by every layer that installs something, so the topmost layer
 * that has it says nothing about a package's origin. What people want to know - the base image's
 * package or one's own? - is the lowest layer from which on the file names the package without a
 * break. */
#ifndef KELLET_PACKAGES_ORIGIN_H
#define KELLET_PACKAGES_ORIGIN_H

#include "packages/squash.h"

/* A file that cataloguers read, in one layer, and the same path in the next lower layer that has
 * it. */
struct origin_place {
    const struct evidence_file *file;
    const struct origin_place *below; /* NULL: in no lower layer */
    uint32_t layer;
};

/* Fills layer_of, which has a number for each package of the file. Time: n log n in the packages of
 * all the files below. */
int origin_layers(const struct squash_layer *layers, const struct origin_place *top,
                  uint32_t *layer_of, struct err *e);

#endif
