/* rpm_sqlite.h - reads `rpmdb.sqlite`, rpm's SQLite database, with its write-ahead log.
 *
 * SQLite itself reads the pages, through a VFS that knows nothing but the two spools: no file is
 * opened, nothing is written. The log is honoured in exclusive locking mode, where SQLite keeps the
 * log's index on the heap and needs no shared memory (sqlite.org/wal.html, "Use of WAL Without
 * Shared-Memory").
 *
 * The file may be hostile: functions, views, triggers, attached files and virtual tables are
 * refused, every size and step is limited, and only rowid and blob of an ordinary table `Packages`
 * are read. Row numbers must rise, and the blobs together may not be longer than the files, so a
 * tree that leads back into itself ends. A page that cannot be read costs the packages on it: what
 * lies before it is read upwards, what lies behind it downwards. */
#ifndef KELLET_PACKAGES_RPM_SQLITE_H
#define KELLET_PACKAGES_RPM_SQLITE_H

#include "codec/rpmdb.h"
#include "codec/spool.h"

/* wal may be NULL. 0 when the table was read (sink->lost says what is missing), ERR_FORMAT when it
 * is no such database, ERR_NO_MEMORY, or what the sink returned. */
int rpm_sqlite_read(const struct spool *db, const struct spool *wal, const struct rpmdb_sink *sink,
                    struct err *e);

#endif
