/* package_identity.h - a distinct package as bytes: all that a match depends on, and nothing else.
 *
 * So findings are computed once for each identity and hold for every image that has it. Parts: the
 * package's own fields; for packages of a distribution its release; for a language package that a
 * distribution's package installed also that package (its vendor's word may take findings back). */
#ifndef KELLET_SERVICES_PACKAGE_IDENTITY_H
#define KELLET_SERVICES_PACKAGE_IDENTITY_H

#include "base/buf.h"
#include "packages/inventory.h"

enum { IDENTITY_NAMES_MAX = 4, IDENTITY_MAX = 1 << 20 };

struct package_identity {
    struct package p;
    struct release_info release; /* id empty: of no account */
    str owner_name;              /* empty: none */
    struct package owner;        /* type NULL: only its name is known */
};

/* `owner`: the package that installed it, NULL when it has none or is not listed. Appends. */
int package_identity_write(const struct inventory *inv, const struct inv_package *p,
                           const struct package *owner, struct buf *out, struct err *e);
/* Views into bytes. ERR_FORMAT; ERR_UNSUPPORTED for a type that this build lacks. */
int package_identity_read(str bytes, struct package_identity *out, struct err *e);
/* Keys (vulndb_name_key) of the names by which claims may speak of it, its owner's included. */
int package_identity_names(const struct package_identity *id, uint64_t out[IDENTITY_NAMES_MAX],
                           size_t *n, struct err *e);

#endif
