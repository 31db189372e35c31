/* rpm.h - what the readers of rpm's databases and of rpm's lists share. */
#ifndef KELLET_PACKAGES_RPM_H
#define KELLET_PACKAGES_RPM_H

#include "codec/rpm_header.h"
#include "packages/cataloguer.h"

/* Adds the package that h describes, found in the file `path`. Public keys (gpg-pubkey) are no
 * packages and are left out. The version is "epoch:version-release"; without an epoch, or with one
 * that rpm calls "(none)", "version-release". */
int rpm_package(struct cat *c, str path, const struct rpm_header *h, struct err *e);

/* The lists that Azure Linux (CBL-Mariner) leaves in distroless images instead of a database, made
 * by its image tools with `rpm -qa`: container-manifest-2 has ten columns between tabs (name,
 * version-release, install time, build time, vendor, epoch, size, arch, epoch as a number, source
 * rpm); container-manifest-1 has name-version-release.arch only. A line of another form is a
 * problem entry. */
int rpm_manifest_full(struct cat *c, str path, str text, struct err *e);
int rpm_manifest_short(struct cat *c, str path, str text, struct err *e);

#endif
