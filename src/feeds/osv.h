/* osv.h - the parts of the OSV driver: records (osv.c) and version ranges (osv_range.c).
 *
 * Source: the OSV schema 1.7 (ossf.github.io/osv-schema), "Evaluation" included. */
#ifndef KELLET_FEEDS_OSV_H
#define KELLET_FEEDS_OSV_H

#include "base/arena.h"
#include "feeds/common.h"

/* One interval of an affected entry, and the version that ends it for good (empty: none known). */
struct osv_interval {
    struct version_range range;
    str fixed;
};

struct osv_intervals {
    struct osv_interval *p; /* in the arena, sorted */
    size_t n;
    size_t git;      /* ranges of commits, which are left out */
    size_t empty;    /* ranges that hold no version at all */
    size_t unknown;  /* ranges of a type that is not known */
    const char *bad; /* what is wrong with the entry; NULL: nothing */
};

/* Reads affected[].ranges. scheme orders the events, which may come in any order. */
int osv_intervals_read(yyjson_val *affected, const char *scheme, struct arena *a,
                       struct osv_intervals *out, struct err *e);

/* The scheme of an affected entry: SEMVER ranges have their own where the ecosystem is not itself
 * of that kind. */
const char *osv_scheme(yyjson_val *affected, const char *ecosystem_scheme);

/* versions[] less those that the intervals cover anyway. *out in the arena. */
int osv_exact_read(yyjson_val *affected, const char *scheme, const struct osv_intervals *in,
                   struct arena *a, str **out, size_t *n, struct err *e);

#endif
