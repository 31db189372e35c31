/* rpm's SQLite database: see rpm_sqlite.h. */
#include "packages/rpm_sqlite.h"

#include "base/auto.h"
#include "base/cursor.h"
#include "packages/rpm_vfs.h"

#include <stdarg.h>
#include <stdint.h>

enum {
    FAILURES_MAX = 64, /* damaged places until the rest is given up */
    STEPS = 1000,      /* of SQLite's machine between two looks at the limit below */
    STEPS_MAX = 50000, /* times STEPS: 50 million; a row takes about ten */
    CACHE_KIB = 512,   /* page cache */
    HEADER_SIZE = 100, /* of the database */
    WAL_HEADER_SIZE = 32,
};

/* One direction of reading Packages: what the statements are. */
struct direction {
    const char *rows, *next;
};
static const struct direction upwards = {
    "SELECT rowid, blob FROM Packages WHERE rowid > ?1 AND rowid < ?2 ORDER BY rowid",
    "SELECT rowid FROM Packages WHERE rowid > ?1 AND rowid < ?2 ORDER BY rowid LIMIT 1",
};
static const struct direction downwards = {
    "SELECT rowid, blob FROM Packages WHERE rowid > ?1 AND rowid < ?2 ORDER BY rowid DESC",
    "SELECT rowid FROM Packages WHERE rowid > ?1 AND rowid < ?2 ORDER BY rowid DESC LIMIT 1",
};

struct reader {
    const struct rpmdb_sink *sink;
    struct rpm_vfs vfs;
    sqlite3 *db;
    sqlite3_int64 low, high; /* rows outside of these are done */
    uint64_t left;           /* bytes of blobs that may still come */
    uint32_t steps, failures;
};

static void lost(const struct reader *r, int code, const char *fmt, ...) KE_PRINTF(3, 4);
static void lost(const struct reader *r, int code, const char *fmt, ...)
{
    struct err why = {.code = code};
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(why.text, sizeof why.text, fmt, ap);
    va_end(ap);
    r->sink->lost(r->sink->ctx, &why);
}

static int fail(const struct reader *r, int rc, const char *what, struct err *e)
{
    int code = rc == SQLITE_NOMEM                              ? ERR_LIMIT
               : r->vfs.io_failed                              ? ERR_IO
               : rc == SQLITE_TOOBIG || rc == SQLITE_INTERRUPT ? ERR_LIMIT
                                                               : ERR_FORMAT;
    return err_set(e, code, "%s: %s", what, sqlite3_errstr(rc));
}

/* ---- opening ------------------------------------------------------------------------------------
 */

static int step_limit(void *ctx)
{
    struct reader *r = ctx;
    return ++r->steps > STEPS_MAX;
}

static int authorize(void *ctx, int action, const char *a, const char *b, const char *schema,
                     const char *inner)
{
    return action == SQLITE_SELECT || action == SQLITE_READ ? SQLITE_OK : SQLITE_DENY;
}

static void set_limits(sqlite3 *db)
{
    static const struct {
        int id, value;
    } limits[] = {
        {SQLITE_LIMIT_LENGTH, RPMDB_BLOB_MAX},
        {SQLITE_LIMIT_SQL_LENGTH, 64 << 10},
        {SQLITE_LIMIT_COLUMN, 64},
        {SQLITE_LIMIT_EXPR_DEPTH, 16},
        {SQLITE_LIMIT_COMPOUND_SELECT, 2},
        {SQLITE_LIMIT_VDBE_OP, 10000},
        {SQLITE_LIMIT_FUNCTION_ARG, 8},
        {SQLITE_LIMIT_ATTACHED, 0},
        {SQLITE_LIMIT_LIKE_PATTERN_LENGTH, 64},
        {SQLITE_LIMIT_VARIABLE_NUMBER, 4},
        {SQLITE_LIMIT_TRIGGER_DEPTH, 1},
        {SQLITE_LIMIT_WORKER_THREADS, 0},
    };
    static const struct {
        int id, on;
    } switches[] = {
        {SQLITE_DBCONFIG_DEFENSIVE, 1},        {SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0},
        {SQLITE_DBCONFIG_ENABLE_TRIGGER, 0},   {SQLITE_DBCONFIG_ENABLE_VIEW, 0},
        {SQLITE_DBCONFIG_ENABLE_FKEY, 0},      {SQLITE_DBCONFIG_ENABLE_LOAD_EXTENSION, 0},
        {SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1},
    };
    for (size_t i = 0; i < KE_ARRAY_LEN(limits); i++)
        sqlite3_limit(db, limits[i].id, limits[i].value);
    for (size_t i = 0; i < KE_ARRAY_LEN(switches); i++)
        sqlite3_db_config(db, switches[i].id, switches[i].on, (int *)NULL);
    sqlite3_db_config(db, SQLITE_DBCONFIG_LOOKASIDE, NULL, 0, 0);
}

static int connect(struct reader *r, struct err *e)
{
    int rc = sqlite3_open_v2(RPM_VFS_DB, &r->db, SQLITE_OPEN_READONLY | SQLITE_OPEN_NOMUTEX,
                             r->vfs.name);
    if (rc != SQLITE_OK)
        return fail(r, rc, "opening the database", e);
    set_limits(r->db);
    sqlite3_progress_handler(r->db, STEPS, step_limit, r);
    char pragmas[200];
    snprintf(pragmas, sizeof pragmas,
             "PRAGMA locking_mode=EXCLUSIVE; PRAGMA cache_size=-%d; PRAGMA mmap_size=0;"
             "PRAGMA temp_store=MEMORY; PRAGMA cell_size_check=ON; PRAGMA query_only=ON",
             CACHE_KIB);
    rc = sqlite3_exec(r->db, pragmas, NULL, NULL, NULL);
    if (rc != SQLITE_OK)
        return fail(r, rc, "opening the database", e);
    sqlite3_set_authorizer(r->db, authorize, NULL);
    return 0;
}

static void disconnect(struct reader *r)
{
    sqlite3_close(r->db);
    rpm_vfs_done(&r->vfs);
}

/* Packages must be an ordinary table: views and virtual tables run code. */
static int check_table(struct reader *r, struct err *e)
{
    sqlite3_stmt *s = NULL;
    int rc = sqlite3_prepare_v2(
        r->db, "SELECT type, rootpage FROM sqlite_schema WHERE name = 'Packages' COLLATE NOCASE",
        -1, &s, NULL);
    if (rc == SQLITE_OK)
        rc = sqlite3_step(s);
    bool plain = rc == SQLITE_ROW &&
                 str_eq(str_z((const char *)sqlite3_column_text(s, 0)), STR("table")) &&
                 sqlite3_column_int(s, 1) > 1;
    sqlite3_finalize(s);
    if (rc != SQLITE_ROW && rc != SQLITE_DONE)
        return fail(r, rc, "reading the list of tables", e);
    if (!plain)
        return err_set(e, ERR_FORMAT, "no table named Packages");
    return 0;
}

/* ---- rows ---------------------------------------------------------------------------------------
 */

static int prepare(struct reader *r, const char *sql, sqlite3_stmt **out)
{
    int rc = sqlite3_prepare_v2(r->db, sql, -1, out, NULL);
    if (rc == SQLITE_OK)
        rc = sqlite3_bind_int64(*out, 1, r->low);
    return rc == SQLITE_OK ? sqlite3_bind_int64(*out, 2, r->high) : rc;
}

/* Narrows the range of rows that are to be read by a row just seen; false when it is not in it. */
static bool row_done(struct reader *r, const struct direction *d, sqlite3_int64 row)
{
    if (row <= r->low || row >= r->high)
        return false;
    *(d == &upwards ? &r->low : &r->high) = row;
    return true;
}

/* One row to the sink. 0, or a negative code that ends the reading. */
static int row_read(struct reader *r, sqlite3_stmt *s, struct err *e)
{
    sqlite3_int64 row = sqlite3_column_int64(s, 0);
    if (sqlite3_column_type(s, 1) != SQLITE_BLOB) {
        lost(r, ERR_FORMAT, "record %lld has no blob", (long long)row);
        return 0;
    }
    const char *p = sqlite3_column_blob(s, 1);
    size_t n = (size_t)sqlite3_column_bytes(s, 1);
    if (!p || n > r->left) {
        lost(r, ERR_FORMAT,
             n ? "record %lld: records lie on top of each other" : "record %lld has an empty blob",
             (long long)row);
        return 0;
    }
    r->left -= n;
    return r->sink->blob(r->sink->ctx, (uint32_t)row, (str){p, n}, e);
}

/* Reads rows until the end or the first damage. 1: all rows of the range are done; 0: *rc says
 * what is wrong. */
static int rows_read(struct reader *r, const struct direction *d, int *rc, struct err *e)
{
    sqlite3_stmt *s = NULL;
    int result = 0;
    *rc = prepare(r, d->rows, &s);
    if (*rc == SQLITE_OK)
        while (result == 0 && (*rc = sqlite3_step(s)) == SQLITE_ROW) {
            if (!row_done(r, d, sqlite3_column_int64(s, 0))) {
                *rc = SQLITE_CORRUPT;
                break;
            }
            result = row_read(r, s, e);
        }
    sqlite3_finalize(s);
    return result < 0 ? result : *rc == SQLITE_DONE;
}

/* Gives up the record that could not be read. False when not even its number can be read. */
static bool row_skip(struct reader *r, const struct direction *d)
{
    sqlite3_stmt *s = NULL;
    int rc = prepare(r, d->next, &s);
    if (rc == SQLITE_OK)
        rc = sqlite3_step(s);
    bool ok = rc == SQLITE_DONE || (rc == SQLITE_ROW && row_done(r, d, sqlite3_column_int64(s, 0)));
    sqlite3_finalize(s);
    return ok;
}

/* Where the reading stands, for people. */
static const char *direction_place(const struct reader *r, const struct direction *d, char *text,
                                   size_t size)
{
    if (d == &upwards && r->low != INT64_MIN)
        snprintf(text, size, "after record %lld", (long long)r->low);
    else if (d == &downwards && r->high != INT64_MAX)
        snprintf(text, size, "before record %lld", (long long)r->high);
    else
        snprintf(text, size, "%s record", d == &upwards ? "first" : "last");
    return text;
}

/* 1: every row of the range was seen; 0: the rest cannot be read from this side. */
static int direction_read(struct reader *r, const struct direction *d, struct err *e)
{
    for (;;) {
        int rc;
        int done = rows_read(r, d, &rc, e);
        if (done != 0)
            return done;
        struct err why;
        char place[64];
        fail(r, rc, direction_place(r, d, place, sizeof place), &why);
        r->sink->lost(r->sink->ctx, &why);
        if (why.code == ERR_NO_MEMORY || why.code == ERR_IO)
            return err_set(e, why.code, "%s", why.text);
        if (rc == SQLITE_INTERRUPT || ++r->failures >= FAILURES_MAX)
            return 1;
        if (!row_skip(r, d))
            return 0;
    }
}

/* ---- the files ----------------------------------------------------------------------------------
 */

static int check_header(const struct spool *db, uint64_t *stated, struct err *e)
{
    uint8_t header[HEADER_SIZE];
    *stated = 0;
    if (spool_size(db) < sizeof header)
        return err_set(e, ERR_FORMAT, "%llu bytes are no SQLite database",
                       (unsigned long long)spool_size(db));
    int r = spool_read(db, header, sizeof header, 0, e);
    if (r < 0)
        return r;
    if (memcmp(header, "SQLite format 3", 16) != 0)
        return err_set(e, ERR_FORMAT, "no SQLite database");
    struct cursor c = cursor_over(header, sizeof header);
    cursor_skip(&c, 16);
    uint32_t page_size = cursor_u16be(&c);
    cursor_skip(&c, 6);
    uint32_t changes = cursor_u32be(&c), pages = cursor_u32be(&c);
    cursor_skip(&c, 60);
    if (changes == cursor_u32be(&c)) /* else the count of pages is out of date */
        *stated = (uint64_t)pages * (page_size == 1 ? 65536 : page_size);
    return 0;
}

/* SQLite ignores a log whose header is damaged as if there were none. An empty log, and one that
 * was emptied by zeros, hold nothing. */
static bool wal_damaged(const struct spool *wal)
{
    uint8_t header[WAL_HEADER_SIZE];
    if (spool_size(wal) == 0)
        return false;
    if (spool_size(wal) < sizeof header || spool_read(wal, header, sizeof header, 0, NULL) < 0)
        return true;
    struct cursor c = cursor_over(header, sizeof header);
    uint32_t magic = cursor_u32be(&c);
    if (magic == 0)
        return false;
    if ((magic & ~1u) != 0x377f0682)
        return true;
    uint32_t (*const next)(struct cursor *) = magic & 1 ? cursor_u32be : cursor_u32le;
    struct cursor words = cursor_over(header, sizeof header);
    uint32_t a = 0, b = 0;
    for (int i = 0; i < 3; i++) {
        a += next(&words) + b;
        b += next(&words) + a;
    }
    cursor_skip(&c, 20);
    uint32_t a_stored = cursor_u32be(&c), b_stored = cursor_u32be(&c);
    return a != a_stored || b != b_stored;
}

int rpm_sqlite_read(const struct spool *db, const struct spool *wal, const struct rpmdb_sink *sink,
                    struct err *e)
{
    struct reader r = {.sink = sink, .low = INT64_MIN, .high = INT64_MAX};
    uint64_t stated = 0;
    int ret = check_header(db, &stated, e);
    if (ret < 0)
        return ret;
    bool has_wal = wal && spool_size(wal) > 0;
    if (has_wal && wal_damaged(wal))
        lost(&r, ERR_FORMAT, "the write-ahead log is damaged: what it holds is not seen");
    if (!has_wal && stated > spool_size(db))
        lost(&r, ERR_FORMAT, "the file ends after %llu of %llu bytes",
             (unsigned long long)spool_size(db), (unsigned long long)stated);
    r.left = spool_size(db) + (wal ? spool_size(wal) : 0);
    ret = rpm_vfs_init(&r.vfs, db, wal, stated, e);
    if (ret < 0)
        return ret;
    ret = connect(&r, e);
    if (ret == 0)
        ret = check_table(&r, e);
    if (ret == 0)
        ret = direction_read(&r, &upwards, e);
    if (ret == 0)
        ret = direction_read(&r, &downwards, e);
    disconnect(&r);
    return ret < 0 ? ret : 0;
}
