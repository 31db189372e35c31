/* A SQLite VFS over spools: see rpm_vfs.h. */
#include "packages/rpm_vfs.h"

struct file {
    sqlite3_file base;
    struct rpm_vfs *owner;
    const struct spool *spool; /* NULL: empty */
    uint64_t size;
};

/* ---- files --------------------------------------------------------------------------------------
 */

static int file_close(sqlite3_file *f)
{
    return SQLITE_OK;
}

static int file_read(sqlite3_file *base, void *to, int n, sqlite3_int64 offset)
{
    struct file *f = (struct file *)base;
    uint64_t end = f->spool ? spool_size(f->spool) : 0, at = (uint64_t)offset;
    if (n < 0 || offset < 0)
        return SQLITE_IOERR_READ;
    size_t have = at >= end ? 0 : end - at < (uint64_t)n ? (size_t)(end - at) : (size_t)n;
    if (have && spool_read(f->spool, to, have, at, NULL) < 0) {
        f->owner->io_failed = true;
        return SQLITE_IOERR_READ;
    }
    memset((char *)to + have, 0, (size_t)n - have);
    return at + (uint64_t)n <= f->size ? SQLITE_OK : SQLITE_IOERR_SHORT_READ;
}

static int file_write(sqlite3_file *f, const void *from, int n, sqlite3_int64 offset)
{
    return SQLITE_READONLY;
}

static int file_truncate(sqlite3_file *f, sqlite3_int64 size)
{
    return SQLITE_READONLY;
}

static int file_sync(sqlite3_file *f, int flags)
{
    return SQLITE_OK;
}

static int file_size(sqlite3_file *base, sqlite3_int64 *out)
{
    *out = (sqlite3_int64)((struct file *)base)->size;
    return SQLITE_OK;
}

static int file_lock(sqlite3_file *f, int level)
{
    return SQLITE_OK;
}

static int file_check_lock(sqlite3_file *f, int *out)
{
    *out = 0;
    return SQLITE_OK;
}

static int file_control(sqlite3_file *f, int op, void *arg)
{
    return SQLITE_NOTFOUND;
}

static int file_sector_size(sqlite3_file *f)
{
    return 512;
}

static int file_characteristics(sqlite3_file *f)
{
    return 0;
}

static const sqlite3_io_methods file_methods = {
    .iVersion = 1,
    .xClose = file_close,
    .xRead = file_read,
    .xWrite = file_write,
    .xTruncate = file_truncate,
    .xSync = file_sync,
    .xFileSize = file_size,
    .xLock = file_lock,
    .xUnlock = file_lock,
    .xCheckReservedLock = file_check_lock,
    .xFileControl = file_control,
    .xSectorSize = file_sector_size,
    .xDeviceCharacteristics = file_characteristics,
};

/* ---- the file system ----------------------------------------------------------------------------
 */

static struct rpm_vfs *owner_of(sqlite3_vfs *vfs)
{
    return vfs->pAppData;
}

static int vfs_open(sqlite3_vfs *vfs, const char *name, sqlite3_file *base, int flags, int *out)
{
    struct rpm_vfs *v = owner_of(vfs);
    struct file *f = (struct file *)base;
    *f = (struct file){.owner = v};
    if (flags & SQLITE_OPEN_MAIN_DB) {
        f->spool = v->db;
        f->size = v->db_size;
    } else if (flags & SQLITE_OPEN_WAL) {
        f->spool = v->wal;
        f->size = v->wal ? spool_size(v->wal) : 0;
    } else {
        return SQLITE_CANTOPEN;
    }
    f->base.pMethods = &file_methods;
    if (out)
        *out = (flags & ~(SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE)) | SQLITE_OPEN_READONLY;
    return SQLITE_OK;
}

static int vfs_delete(sqlite3_vfs *vfs, const char *name, int sync)
{
    return SQLITE_READONLY;
}

static int vfs_access(sqlite3_vfs *vfs, const char *name, int flags, int *out)
{
    const struct rpm_vfs *v = owner_of(vfs);
    str path = str_z(name);
    bool wal = str_ends(path, STR("-wal"));
    *out = flags != SQLITE_ACCESS_READWRITE &&
           (str_eq(path, STR(RPM_VFS_DB)) || (wal && v->wal && spool_size(v->wal)));
    return SQLITE_OK;
}

static int vfs_full_name(sqlite3_vfs *vfs, const char *name, int size, char *out)
{
    snprintf(out, (size_t)size, "%s", name);
    return SQLITE_OK;
}

static int vfs_randomness(sqlite3_vfs *vfs, int n, char *out)
{
    memset(out, 0, (size_t)n);
    return n;
}

static int vfs_sleep(sqlite3_vfs *vfs, int microseconds)
{
    return microseconds;
}

static int vfs_time(sqlite3_vfs *vfs, double *out)
{
    *out = 0;
    return SQLITE_OK;
}

static int vfs_last_error(sqlite3_vfs *vfs, int n, char *out)
{
    return 0;
}

int rpm_vfs_init(struct rpm_vfs *v, const struct spool *db, const struct spool *wal,
                 uint64_t db_size, struct err *e)
{
    *v = (struct rpm_vfs){.db = db, .wal = wal, .db_size = spool_size(db)};
    if (db_size > v->db_size)
        v->db_size = db_size;
    snprintf(v->name, sizeof v->name, "kellet-%p", (void *)v);
    v->vfs = (sqlite3_vfs){
        .iVersion = 1,
        .szOsFile = sizeof(struct file),
        .mxPathname = 64,
        .zName = v->name,
        .pAppData = v,
        .xOpen = vfs_open,
        .xDelete = vfs_delete,
        .xAccess = vfs_access,
        .xFullPathname = vfs_full_name,
        .xRandomness = vfs_randomness,
        .xSleep = vfs_sleep,
        .xCurrentTime = vfs_time,
        .xGetLastError = vfs_last_error,
    };
    int rc = sqlite3_vfs_register(&v->vfs, 0);
    return rc == SQLITE_OK ? 0 : err_set(e, ERR_NO_MEMORY, "SQLite: %s", sqlite3_errstr(rc));
}

void rpm_vfs_done(struct rpm_vfs *v)
{
    sqlite3_vfs_unregister(&v->vfs);
}
