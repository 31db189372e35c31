/* schemes.h - the schemes that all.c lists, one constant table each. */
#ifndef KELLET_VERSION_SCHEMES_H
#define KELLET_VERSION_SCHEMES_H

#include "version/version.h"

extern const struct version_ops version_deb, version_apk, version_rpmvercmp, version_rpm_evr;
extern const struct version_ops version_semver, version_npm, version_golang, version_nuget;
extern const struct version_ops version_pub, version_pep440, version_gem, version_maven;
extern const struct version_ops version_composer, version_cran, version_hackage;
extern const struct version_ops version_alpm, version_portage, version_maven_jre, version_bitnami;
extern const struct version_ops version_pep440_public;

#endif
