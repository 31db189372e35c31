/* package_places.h - the places where a package is shown: the original lists a package once for
 * each of them, in contents, reports and policies.
 *
 * A place is the path of a package's evidence; a Python package's is the directory that its modules
 * are in, so that the metadata of one installation, in whatever form, are one place. Distribution
 * packages have one place, their database. */
#ifndef KELLET_SERVICES_PACKAGE_PLACES_H
#define KELLET_SERVICES_PACKAGE_PLACES_H

#include "packages/inventory.h"

struct package_place {
    str path;       /* of the evidence */
    str place;      /* without the leading "/"; a slice of path */
    uint32_t layer; /* index in inventory.layers; UINT32_MAX: not known */
};

/* Each place once, in the order of the evidence; at least one. The array is the arena's, the slices
 * are the inventory's. NULL: no memory. */
const struct package_place *package_places(const struct inv_package *ip, struct arena *a,
                                           size_t *n);
/* The place of a location as contents show it ("/usr/lib/python3/dist-packages/six"). */
str package_place_of_location(const struct package_type *t, str location);

#endif
