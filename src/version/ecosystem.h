/* ecosystem.h - language ecosystems by their OSV names: version scheme, name rules, purl type.
 *
 * The one place that knows these words. Source: the OSV schema's list of ecosystems and the purl
 * specification's types. */
#ifndef KELLET_VERSION_ECOSYSTEM_H
#define KELLET_VERSION_ECOSYSTEM_H

#include "base/buf.h"
#include "base/str.h"

struct ecosystem {
    const char *name; /* OSV: "PyPI", "npm", "Maven", "Go", "RubyGems", "crates.io", ... */
    const char
        *scheme; /* version scheme for ranges of type ECOSYSTEM; SEMVER ranges use "semver" */
    const char *purl_type; /* "pypi", "npm", ... */
    /* MAY. The name as the ecosystem compares it (PEP 503 for PyPI, ...); NULL: as it stands. */
    void (*normalise)(str name, struct buf *out);
};

/* By OSV name without a ":suffix", case-insensitive; NULL when unknown. */
const struct ecosystem *ecosystem_find(str osv_name);
const struct ecosystem *ecosystem_by_purl_type(str type);
/* Appends the comparable form of a package name. */
void ecosystem_normalise(const struct ecosystem *eco, str name, struct buf *out);
extern const struct ecosystem ecosystems[]; /* ended by name == NULL */

#endif
