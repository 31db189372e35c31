/* version.h - version schemes: one table of operations per scheme, ordering exactly as the scheme's
 * own tool.
 *
 * deb (dpkg, deb-version(7)), apk (apk-tools), rpmvercmp and rpm-evr (rpm lib/rpmvercmp.c and
 * epoch:version-release), semver (semver.org 2.0.0), npm (node-semver, loose), pep440 (PEP 440),
 * gem (Gem::Version), maven (ComparableVersion 3.9.9), golang (golang.org/x/mod/semver, "go" and
 * "v" prefixes tolerated). All functions are pure and thread-safe, and none limits the length of
 * digit strings. */
#ifndef KELLET_VERSION_VERSION_H
#define KELLET_VERSION_VERSION_H

#include "base/buf.h"
#include "base/str.h"

struct version_ops {
    const char *name; /* "deb", ... : the scheme's name on the command line and in claims */
    /* MUST. Does the scheme's own tool accept this text? */
    bool (*valid)(str v);
    /* MUST. <0, 0, >0. Total over all byte strings: invalid text is ordered too (after its best
     * reading), so that a range never depends on luck; callers that care ask valid() first. */
    int (*compare)(str a, str b);
    /* MAY. Appends a byte key such that memcmp (shorter is smaller) of keys orders as compare does.
     * False when this text has no key (the caller then compares texts). */
    bool (*key)(str v, struct buf *out);
};

/* The scheme of that name, or NULL. */
const struct version_ops *version_scheme(str name);
/* All schemes, ended by NULL. */
extern const struct version_ops *const version_schemes[];

#endif
