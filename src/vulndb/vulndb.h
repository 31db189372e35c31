/* vulndb.h - the vulnerability database: immutable shards opened by mmap, and a manifest that lists
 * them.
 *
 * A directory DATA/vulndb holds manifest.json and shards/<name>-<sha256>.kdb. A shard belongs to
 * one source and one platform or ecosystem ("debian/debian:12", "osv/PyPI", "nvd/cve", "kev/cve",
 * "epss/cve"). Installing writes new shard files, fsyncs them, then renames a new manifest: readers
 * keep what they have mapped. A database is safe for any number of threads once opened. The format
 * is described in docs/vulndb.md. */
#ifndef KELLET_VULNDB_VULNDB_H
#define KELLET_VULNDB_VULNDB_H

#include "base/arena.h"
#include "vulndb/claim.h"

/* ---- building ----------------------------------------------------------------------------------
 */

struct vulndb_builder;

/* A builder for one source ("debian", "osv", "alma" ...). What it installs replaces all earlier
 * shards of that source. `data_dir` is DATA (the directory that holds vulndb/). */
int vulndb_builder_new(const char *data_dir, str source, struct vulndb_builder **out,
                       struct err *e);
/* Where the driver writes; owned by the builder. */
struct claim_sink *vulndb_builder_sink(struct vulndb_builder *b);

/* Called when install has to wait for another process that is installing. */
void vulndb_builder_waiting(struct vulndb_builder *b, void (*fn)(void *ctx), void *ctx);

struct drop_count {
    const char *reason;
    uint64_t n;
};
struct vulndb_stats {
    uint64_t records, vulns, claims_in, claims_stored, dropped;
    const struct drop_count *drops; /* sorted by reason; owned by the builder */
    size_t n_drops;
    uint64_t bytes; /* of the shards written */
    size_t shards;
};
/* Writes the shards (deterministic: same claims, same bytes, whatever their order) and the
 * manifest. ERR_FORMAT when nothing at all was stored: the last good data stay. */
int vulndb_builder_install(struct vulndb_builder *b, struct vulndb_stats *stats, struct err *e);
void vulndb_builder_free(struct vulndb_builder *b);

/* ---- reading -----------------------------------------------------------------------------------
 */

struct vulndb;

/* ERR_NOT_FOUND when DATA holds no database yet. Shards are verified (size, header and its
 * checksum; the whole sha256 with vulndb_verify) and every offset read from them is checked.
 * Nothing else is read: opening costs a few microseconds a shard. */
int vulndb_open(const char *data_dir, struct vulndb **out, struct err *e);
void vulndb_close(struct vulndb *db);
int vulndb_verify(const struct vulndb *db, struct err *e);

struct vulndb_source { /* one line of `kellet feeds status` */
    str name;
    int64_t loaded, upstream_date; /* Unix seconds; upstream_date 0: not known */
    str upstream_version;
    uint64_t records, vulns, claims, dropped, bytes;
    const struct drop_count *drops;
    size_t n_drops;
    str digest; /* "sha256:..." over the source's shard digests: names the data in reports */
};
/* Sorted by name; owned by the database. */
const struct vulndb_source *vulndb_sources(const struct vulndb *db, size_t *n);
/* True when some shard holds claims for the platform ("debian:12") or ecosystem ("PyPI"). */
bool vulndb_covers(const struct vulndb *db, str platform, str ecosystem);
/* When the newest of the sources with claims for the platform was loaded, Unix seconds; 0: there is
 * none. */
int64_t vulndb_loaded(const struct vulndb *db, str platform);

/* One more with each install. */
uint64_t vulndb_epoch(const struct vulndb *db);
/* What one source says about one platform or ecosystem. */
struct vulndb_part {
    str source, platform, ecosystem; /* owned by the database */
    uint64_t claims, vulns;          /* vulns: distinct ones that claims name */
};
/* In order of source, then as installed; *out in the arena. Reads every claim's row: milliseconds
 * for a million. */
int vulndb_parts(const struct vulndb *db, struct arena *a, struct vulndb_part **out, size_t *n,
                 struct err *e);

/* An entry that no driver sent but a claim names is an empty vuln of that id. */

/* What a look-up gives: the claim with views into the map, its source, and its vulnerability.
 * ranges, exact and aliases are decoded into the arena. */
struct db_claim {
    struct claim claim;
    str source;
    struct vuln vuln; /* details empty: see vulndb_text */
};
/* The details (description) of a vuln of a source, decompressed into the arena; empty when it has
 * none or is not known. */
int vulndb_text(const struct vulndb *db, str source, str id, struct arena *a, str *out,
                struct err *e);

/* All claims about a package, from every source, in a fixed order: by source, then vuln id, then
 * content. `version`: when not empty, only claims that affect (or, CLAIM_UNAFFECTED, name) that
 * version under the claim's scheme are returned. *out lives in the arena. 0 or a negative code. */
int vulndb_lookup(const struct vulndb *db, str platform, str ecosystem, str package, str version,
                  struct arena *a, struct db_claim **out, size_t *n, struct err *e);

/* Does `version` lie in the claim's ranges or exact list? (The same test as above, for explain.) */
bool claim_covers_version(const struct claim *c, str version);

/* Everything the sources know about one id: severity, CVSS, KEV, EPSS, aliases. In the order in
 * which they are to be believed: "ghsa", then the other sources by name, then "nvd", "cve", "kev",
 * "epss". *out in the arena. */
struct db_vuln {
    struct vuln vuln;
    str source;
};
int vulndb_vuln(const struct vulndb *db, str id, struct arena *a, struct db_vuln **out, size_t *n,
                struct err *e);
/* All ids that name the same vulnerability (by ALIAS_SAME and ALIAS_UPSTREAM links of any source,
 * both ways), sorted, the given one included. */
int vulndb_aliases(const struct vulndb *db, str id, struct arena *a, str **out, size_t *n,
                   struct err *e);

/* Every claim of a source (all when empty), in shard order, for dump. Stops when fn returns
 * non-zero. */
int vulndb_each(const struct vulndb *db, str source,
                int (*fn)(void *ctx, const struct db_claim *c, struct err *e), void *ctx,
                struct err *e);
/* Every vuln of a source, likewise; with details. */
int vulndb_each_vuln(const struct vulndb *db, str source,
                     int (*fn)(void *ctx, const struct db_vuln *v, struct err *e), void *ctx,
                     struct err *e);

#endif
