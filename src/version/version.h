/* version.h - version schemes: one table of operations per scheme, ordering exactly as the scheme's
 * own tool.
 *
 * deb (dpkg, deb-version(7)), apk (apk-tools 3), rpmvercmp and rpm-evr (rpm lib/rpmvercmp.c and
 * epoch:version-release; no epoch is epoch 0, no release is less than any), semver (semver.org
 * 2.0.0), npm (node-semver, loose), pep440 (PEP 440), gem (Gem::Version), maven (ComparableVersion
 * 3.9.9), golang (golang.org/x/mod/semver, "go" and "v" prefixes tolerated), composer
 * (composer/semver 3 and PHP's version_compare), nuget (NuGet.Versioning), pub (pub_semver), cran
 * (R's package_version), hackage (Cabal's Version), alpm (libalpm) and portage.
 * Three more are for matching: maven-jre (maven without a trailing .jreN or .jdkN), pep440-public
 * (pep440 without the local part, as specifiers compare) and bitnami (semver without the build's
 * revision). All functions are pure and thread-safe, and none limits the length of digit strings.
 *
 * Maven has no keys: its own order has cycles (1.sp.1 < 1-alpha < 1 < 1.sp.1), which no order of
 * bytes has. Nor has alpm: it says 1-1 = 1 = 1-2, but 1-1 < 1-2. */
#ifndef KELLET_VERSION_VERSION_H
#define KELLET_VERSION_VERSION_H

#include "base/buf.h"
#include "base/str.h"

struct version_ops {
    const char *name; /* "deb", ... : the scheme's name on the command line and in claims */
    /* MUST. Does the scheme's own tool accept this text? */
    bool (*valid)(str v);
    /* MUST. <0, 0, >0. Total over all byte strings: invalid text is ordered too (after its best
     * reading), so that a range never depends on luck; callers that care ask valid() first. Does
     * not allocate. */
    int (*compare)(str a, str b);
    /* MAY. Appends a byte key such that memcmp (shorter is smaller) of keys orders as compare does.
     * False when this text has no key (the caller then compares texts) or the buffer failed. A key
     * is at most about twice as long as its text. */
    bool (*key)(str v, struct buf *out);
    /* MAY. See version_comparable(); NULL: both valid. */
    bool (*comparable)(str a, str b);
};

/* Has the order of a and b a meaning in this scheme? `kellet vercmp` says "invalid" where not.
 *
 * npm, golang, pep440(-public), gem: when the tool accepts both. rpmvercmp, rpm-evr, alpm, maven,
 * maven-jre: always, as their tools refuse nothing. deb: as dpkg, and "_" may occur. semver, nuget,
 * pub, bitnami: also what people write for it: any number of numeric components, leading zeros, a
 * prefix v or =, .beta for -beta, letters at the end (1.0.1k). composer: not two branches of
 * different names. cran, hackage: rows of numbers. portage: as the tool, and equal texts. apk: what
 * apk-tools refuses is found in real databases, so there it needs only to begin as a version, and
 * then a number after the letter (6.0.2p1), an unknown suffix word (1.2_blah), ".word" or a capital
 * letter after the numbers, or a second dash after the release; a word without any digit is
 * comparable to itself only. */
bool version_comparable(const struct version_ops *ops, str a, str b);

/* The scheme of that name, or NULL. */
const struct version_ops *version_scheme(str name);
/* All schemes, ended by NULL. */
extern const struct version_ops *const version_schemes[];

#endif
