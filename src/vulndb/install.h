/* install.h - puts new shards and a new manifest into DATA/vulndb so that a reader sees the old
 * database or the new one, and two writers one after the other. */
#ifndef KELLET_VULNDB_INSTALL_H
#define KELLET_VULNDB_INSTALL_H

#include "vulndb/manifest.h"

struct install {
    struct arena arena;
    char *dir;           /* DATA/vulndb */
    int lock;            /* held while the struct lives */
    struct manifest old; /* as it was when the lock was got; empty when there was none */
    bool old_known;      /* false: it could not be read, so nothing may be removed */
};

/* Makes the directories, takes the lock (calling `waiting` first when someone else has it) and
 * reads the manifest. install_end() in any case. */
int install_begin(struct install *i, const char *data_dir, void (*waiting)(void *), void *ctx,
                  struct err *e);
/* Writes a shard's bytes durably and describes it in *out (in i->arena); `name` is for people. */
int install_shard(struct install *i, str name, str bytes, struct manifest_shard *out,
                  struct err *e);
/* Puts `source` in the place of the one of that name (takes that one out when `source` has no
 * shards), joins aliases anew, renames the manifest,
 * removes what is no longer named. */
int install_commit(struct install *i, const struct manifest_source *source, struct err *e);
/* The last step alone: the shards are there, `text` is m as printed. */
int install_manifest(struct install *i, const struct manifest *m, str text, struct err *e);
/* Removes shards that the old manifest does not name (after a failure), lets the lock go. */
void install_end(struct install *i, bool failed);

#endif
