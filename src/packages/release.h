/* release.h - which distribution is this? One answer out of the several files that may say so.
 *
 * Cataloguers note every release file they meet (os-release(5), lsb-release, alpine-release,
 * debian_version, the redhat-release family ...); which one counts is only known after the squash.
 */
#ifndef KELLET_PACKAGES_RELEASE_H
#define KELLET_PACKAGES_RELEASE_H

#include "packages/package.h"

/* The entry that identifies the system: /etc/os-release, then /usr/lib/os-release, then the older
 * files, the special before the general (oracle-release before redhat-release, which Oracle has
 * too; lsb-release before debian_version, which Ubuntu has too). An entry without id only counts
 * when no entry has one. NULL for an empty list. */
const struct release_info *release_pick(const struct release_info *list, size_t n);

/* The picked entry, with version_id and codename filled from other entries of the same id where it
 * has none (Debian testing's os-release has no version; debian_version may). False when there is
 * none; *out is then zeroed. Slices are borrowed from the list. */
bool release_resolve(const struct release_info *list, size_t n, struct release_info *out);

#endif
