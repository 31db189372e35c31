/* package_version.h - versions of packages against those that bundles write. */
#ifndef KELLET_POLICY_PACKAGE_VERSION_H
#define KELLET_POLICY_PACKAGE_VERSION_H

#include "base/str.h"

/* How the package's version stands to `wanted`: *order < 0, 0 or > 0, as its ecosystem compares.
 * What is asked for without a release is compared with `version`, which has none either, else with
 * `full_version` (always when `version` is empty). Short versions (2, 2.1) stand for whole ones
 * where the ecosystem knows whole ones only (npm). False: they have no order; the same text is
 * equal all the same. */
bool package_version_order(str scheme, str version, str full_version, str wanted, int *order);

#endif
