/* open.h - an open database; internal to the room. */
#ifndef KELLET_VULNDB_OPEN_H
#define KELLET_VULNDB_OPEN_H

#include "base/map.h"
#include "vulndb/manifest.h"
#include "vulndb/shard.h"

struct db_source {
    str name;
    struct shard *vulns, *texts; /* NULL: none */
    struct shard **claims;
    size_t n_claims;
    int rank; /* smaller is believed first */
};
/* The claim shards of one platform or ecosystem, in order of source. */
struct db_part {
    const struct shard **shards;
    size_t n;
};

struct vulndb {
    struct arena arena;
    struct manifest manifest;
    struct vulndb_source *infos;
    struct shard *shards;
    size_t n_shards;
    struct db_source *sources, **by_rank; /* by name; in the order to be believed */
    size_t n_sources, max_sources;
    struct shard *aliases;            /* NULL: none */
    struct map platforms, ecosystems; /* to struct db_part */
};

/* A database over shards in memory, for the fuzzer: claims and vulns belong together when their
 * sources have the same name. Header checksums are not looked at. The bytes are borrowed. */
int vulndb_open_memory(const str *shards, size_t n, struct vulndb **out, struct err *e);

#endif
