/* host.h - the distro that an inventory was built from, as far as matching cares; and which claims
 * may speak about a package there at all (modules, architectures, channels).
 *
 * Channels (esm, eus, fips, ...) hold fixes that only subscribers get. A claim of a channel speaks
 * about a package only when the package's own version shows that it came from there ("+esm1",
 * ".fips."); there it outranks the base release's claims. Every other channel is passed over. */
#ifndef KELLET_MATCH_HOST_H
#define KELLET_MATCH_HOST_H

#include "packages/inventory.h"
#include "vulndb/platform.h"
#include "vulndb/vulndb.h"

struct match_host {
    const struct distro_family *family; /* NULL: not known */
    str own;                            /* "raspbian:12"; empty when the distro is not known */
    str platform;       /* whose claims apply: own, or that of claims_from ("debian:12") */
    bool covered;       /* the database has claims for `platform` */
    bool lists_unfixed; /* its vendor's data name the vulnerabilities without a fix too */
};

/* Slices live in the arena. db may be NULL. */
int match_host_resolve(const struct vulndb *db, const struct release_info *r, struct arena *a,
                       struct match_host *out, struct err *e);

/* Is the package of the kind that this host's distro installs? */
bool match_host_installs(const struct match_host *h, const struct package *p);

/* Does the version show that the package came from some channel? */
bool match_from_channel(str version);

/* Why this claim does not speak about this package whatever its version; NULL when it does. */
const char *match_passed_over(const struct package *p, const struct claim *c);

/* Is it a distro package that only carries the headers of a kernel (and matches through it)? */
bool match_is_kernel_headers(const struct package *p, const struct claim *c);

#endif
