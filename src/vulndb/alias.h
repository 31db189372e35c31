/* alias.h - which ids name the same vulnerability, over all sources: built at install time as a
 * shard of its own, so that opening the database reads nothing.
 *
 * ALIAS_SAME and ALIAS_UPSTREAM links join, both ways and transitively. Not joined: RELATED links,
 * links of withdrawn and rejected entries, and the upstream links of an entry that has several (an
 * advisory that fixes five CVEs does not make them one). */
#ifndef KELLET_VULNDB_ALIAS_H
#define KELLET_VULNDB_ALIAS_H

#include "vulndb/shard.h"

/* The shard's bytes for the given vuln shards; *out is initialised by the caller. */
int alias_build(const struct shard *const *vulns, size_t n, struct buf *out, struct err *e);
/* The group of an id, sorted, the id itself included, in the arena. */
int alias_group(const struct shard *s, str id, struct arena *a, str **out, size_t *n,
                struct err *e);

#endif
