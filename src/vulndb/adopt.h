/* adopt.h - changes to a database that need no builder: taking over what another machine built (its
 * manifest, and the shards that are not here yet), and taking a source out. */
#ifndef KELLET_VULNDB_ADOPT_H
#define KELLET_VULNDB_ADOPT_H

#include "vulndb/manifest.h"

/* `fetch` appends a shard's bytes; they are checked against the manifest's size and SHA-256
 * (ERR_MISMATCH). Readers see the old database or the new one. 1: installed; 0: what is here is the
 * same, or newer (a higher epoch). */
int vulndb_adopt(const char *data_dir, str manifest,
                 int (*fetch)(void *ctx, str file, struct buf *out, struct err *e), void *ctx,
                 struct err *e);

/* Takes a source out of the database: 1 done, 0 there was none. */
int vulndb_remove(const char *data_dir, str source, struct err *e);

#endif
