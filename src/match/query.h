/* query.h - from a package to the look-ups that find its claims.
 *
 * Distro packages are looked up on their platform by the source package's name and version (deb
 * Source, apk origin, rpm source package) and by their own; language packages in their ecosystem by
 * the normalised name: "group:artifact" for Maven, the module path for Go, whose standard library
 * is the package "stdlib". */
#ifndef KELLET_MATCH_QUERY_H
#define KELLET_MATCH_QUERY_H

#include "match/host.h"

struct match_query {
    str platform, ecosystem; /* one of them */
    str name, version;
    unsigned kinds; /* bits 1 << enum package_kind: which claims may speak */
};
enum { MATCH_QUERIES_MAX = 2 };

struct match_target {
    struct match_query q[MATCH_QUERIES_MAX];
    size_t n;            /* 0: cannot be looked up, see the two below */
    str uncovered;       /* no data for this platform, ecosystem or type of package */
    const char *why_not; /* "its version is not known" ... */
    bool expected;       /* why_not is no gap: a Go main module built from a working tree */
};

/* Slices point into the package, the host or the arena. db may be NULL. */
int match_target_of(const struct vulndb *db, const struct match_host *h, const struct package *p,
                    struct arena *a, struct match_target *out, struct err *e);

/* The names by which claims may speak of the package, whatever the database holds: of that
 * ecosystem, or of any platform when *ecosystem is empty. None when it cannot be looked up. Slices
 * as above. */
int match_names_of(const struct package *p, struct arena *a, str *ecosystem,
                   str out[MATCH_QUERIES_MAX], size_t *n, struct err *e);

#endif
