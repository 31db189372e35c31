/* manifest.h - DATA/vulndb/manifest.json: which shards make up the database, and what they are. */
#ifndef KELLET_VULNDB_MANIFEST_H
#define KELLET_VULNDB_MANIFEST_H

#include "base/arena.h"
#include "base/buf.h"
#include "vulndb/vulndb.h"

enum { MANIFEST_FORMAT = 1, MANIFEST_MAX = 64 << 20 };

struct manifest_shard {
    str kind;                /* "claims", "vulns", "texts", "aliases" */
    str platform, ecosystem; /* of claims */
    str file;                /* below shards/; letters, digits, - _ . and + only */
    str sha256;              /* "sha256:..." */
    uint64_t size;
};
struct manifest_source {
    struct vulndb_source info;
    struct manifest_shard *shards; /* vulns, texts, then claims in byte order */
    size_t n_shards;
};
struct manifest {
    uint64_t epoch;                  /* one more with each install */
    struct manifest_source *sources; /* sorted by name */
    size_t n_sources;
    struct manifest_shard aliases; /* file empty: none */
};

/* Reads and parses a manifest; everything in *out lives in the arena. ERR_NOT_FOUND when the file
 * is not there. */
int manifest_read(const char *path, struct arena *a, struct manifest *out, struct err *e);
/* The same of a text. */
int manifest_parse(str text, struct arena *a, struct manifest *out, struct err *e);
void manifest_print(const struct manifest *m, struct buf *out);
/* "sha256:..." over the digests of a source's shards, in the arena. */
str manifest_digest(const struct manifest_source *s, struct arena *a);

#endif
