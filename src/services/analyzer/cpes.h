/* cpes.h - the CPE names that a package may go by: guesses from its name, source and makers.
 *
 * Vendors and products are each tried with "-" and "_" and by their first parts; the most specific
 * (longest) come first. Clients show them, and policies of the original matched with them. */
#ifndef KELLET_SERVICES_ANALYZER_CPES_H
#define KELLET_SERVICES_ANALYZER_CPES_H

#include "base/arena.h"
#include "packages/package.h"

enum { CPES_MAX = 64 };

/* Up to CPES_MAX names ("cpe:2.3:a:vendor:product:version:*:*:*:*:*:*:*") in the arena; returns how
 * many. */
size_t cpes_of_package(struct arena *a, const struct package *p, const str **out);

#endif
