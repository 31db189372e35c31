/* rpm_vfs.h - a read-only SQLite VFS whose only files are two spools: a database and its log.
 *
 * Each reader registers a VFS of its own under a name of its own, so that readers on several
 * threads share nothing. Pages behind the end of a database that says it is longer read as zeros:
 * SQLite then finds a damaged page where one is missing, instead of refusing the whole file. */
#ifndef KELLET_PACKAGES_RPM_VFS_H
#define KELLET_PACKAGES_RPM_VFS_H

#include "codec/spool.h"

#include <sqlite3.h>

#define RPM_VFS_DB "rpmdb.sqlite" /* the only name that can be opened */

struct rpm_vfs {
    sqlite3_vfs vfs;
    char name[40];
    const struct spool *db, *wal; /* wal: may be NULL */
    uint64_t db_size;             /* as SQLite is told; at least the spool's */
    bool io_failed;               /* the spool itself failed (not: ended) */
};

/* Registers v->vfs under v->name. db_size: the size the database's header states, or 0. */
int rpm_vfs_init(struct rpm_vfs *v, const struct spool *db, const struct spool *wal,
                 uint64_t db_size, struct err *e);
/* All connections must be closed. */
void rpm_vfs_done(struct rpm_vfs *v);

#endif
