/* semver.h - Semantic Versioning 2.0.0 and its dialects, for the schemes of this room only.
 *
 * One lenient reader for all (any number of numeric components, missing ones are 0) notes what it
 * met; each scheme then judges what is valid. What cannot be read comes last and is ordered
 * naturally. What differs: npm reads as node-semver's loose mode does, Go has "go" tags, NuGet
 * compares identifiers without regard to case, Pub orders by build metadata too. */
#ifndef KELLET_VERSION_SEMVER_H
#define KELLET_VERSION_SEMVER_H

#include "base/buf.h"
#include "base/str.h"

enum semver_dialect { SEMVER, SEMVER_NPM, SEMVER_GO, SEMVER_NUGET, SEMVER_PUB };

enum semver_note {
    SEMVER_PREFIX = 1,            /* "v" */
    SEMVER_LOOSE_PREFIX = 2,      /* "=", or blanks, or more than one letter */
    SEMVER_ZERO = 4,              /* leading zero in a component */
    SEMVER_PRE_ZERO = 8,          /* ... or in a numeric identifier */
    SEMVER_EMPTY_IDENTIFIER = 16, /* in the pre-release or build */
    SEMVER_NO_HYPHEN = 32,        /* 1.2.3beta, 1.2.3.beta */
    SEMVER_GO_TAG = 64,           /* go1.22rc1 */
    SEMVER_TWO_BUILDS = 128,      /* 1.2.3+a+b */
};

struct semver {
    str core, pre, build, rest; /* build: the first one */
    str pre_number;             /* of a Go tag: the 1 of rc1 */
    unsigned components, notes;
    bool has_pre, has_build;
};

void semver_read(str v, enum semver_dialect dialect, struct semver *out);
int semver_compare_as(enum semver_dialect dialect, str a, str b);
bool semver_key_as(enum semver_dialect dialect, str v, struct buf *out);
/* Can all of it be read, whatever the number of components, but for letters at its end (1.0.1k)? */
bool semver_readable(enum semver_dialect dialect, str v);

/* The functions of a scheme's table that only name their dialect. */
#define SEMVER_SCHEME(name, dialect)                                                               \
    static int name##_compare(str a, str b)                                                        \
    {                                                                                              \
        return semver_compare_as(dialect, a, b);                                                   \
    }                                                                                              \
    static bool name##_key(str v, struct buf *out)                                                 \
    {                                                                                              \
        return semver_key_as(dialect, v, out);                                                     \
    }

#endif
