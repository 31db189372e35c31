#include "store/db_driver.h"

#include <errno.h>
#include <sqlite3.h>

#include "base/clock.h"
#include "base/fs.h"

struct lite {
    struct db_conn conn;
    sqlite3 *db;
    int64_t now; /* now_us() within one statement */
    unsigned timeout;
    double deadline;
};

static struct lite *lite_of(struct db_conn *c)
{
    return (struct lite *)c;
}

static bool no_room(struct lite *l, int rc)
{
    int why = l->db && (rc & 0xff) == SQLITE_IOERR ? sqlite3_system_errno(l->db) : 0;
    return (rc & 0xff) == SQLITE_FULL || why == ENOSPC || why == EDQUOT;
}

static int fail(struct lite *l, int rc, struct err *e)
{
    const char *text = l->db ? sqlite3_errmsg(l->db) : "out of memory";
    int extended = l->db ? sqlite3_extended_errcode(l->db) : rc;
    switch (rc & 0xff) {
    case SQLITE_CONSTRAINT:
        if (extended == SQLITE_CONSTRAINT_UNIQUE || extended == SQLITE_CONSTRAINT_PRIMARYKEY ||
            extended == SQLITE_CONSTRAINT_ROWID)
            return err_set(e, ERR_EXISTS, "database: %s", text);
        return err_set(e, ERR_CONFLICT, "database: %s", text);
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
        l->conn.again = true;
        return err_set(e, ERR_IO, "database: %s", text);
    case SQLITE_INTERRUPT:
        return err_set(e, ERR_IO, "database: a statement took longer than %u seconds", l->timeout);
    case SQLITE_NOMEM:
        return err_no_memory(e);
    case SQLITE_TOOBIG:
        return err_set(e, ERR_LIMIT, "database: %s", text);
    case SQLITE_ERROR:
    case SQLITE_MISUSE:
    case SQLITE_RANGE:
        return err_set(e, ERR_USAGE, "database: %s", text);
    default:
        return err_set(e, no_room(l, rc) ? ERR_NET : ERR_IO, "database: %s", text);
    }
}

static void fn_now(sqlite3_context *ctx, int argc, sqlite3_value **argv)
{
    struct lite *l = sqlite3_user_data(ctx);
    if (!l->now)
        l->now = clock_wall_us();
    sqlite3_result_int64(ctx, l->now);
}

static int on_progress(void *arg)
{
    struct lite *l = arg;
    return l->deadline > 0 && clock_seconds() > l->deadline;
}

static void statement_begins(struct lite *l)
{
    l->now = 0;
    l->deadline = clock_seconds() + (l->conn.takes_time ? DB_LONG_SECONDS : l->timeout);
}

static int lite_script(struct db_conn *c, const char *sql, struct err *e)
{
    struct lite *l = lite_of(c);
    statement_begins(l);
    int rc = sqlite3_exec(l->db, sql, NULL, NULL, NULL);
    l->deadline = 0;
    return rc == SQLITE_OK ? 0 : fail(l, rc, e);
}

static void lite_disconnect(struct db_conn *c)
{
    struct lite *l = lite_of(c);
    sqlite3_close_v2(l->db);
    free(l);
}

static int lite_configure(struct lite *l, bool writer, struct err *e)
{
    sqlite3_extended_result_codes(l->db, 1);
    sqlite3_busy_timeout(l->db, 10000);
    sqlite3_progress_handler(l->db, 20000, on_progress, l);
    sqlite3_create_function(l->db, "now_us", 0, SQLITE_UTF8 | SQLITE_INNOCUOUS, l, fn_now, NULL,
                            NULL);
    sqlite3_db_config(l->db, SQLITE_DBCONFIG_DQS_DML, 0, NULL);
    sqlite3_db_config(l->db, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
    int rc = lite_script(&l->conn,
                         "PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL;"
                         "PRAGMA foreign_keys = ON; PRAGMA case_sensitive_like = ON;"
                         "PRAGMA temp_store = MEMORY; PRAGMA cache_size = -8000;"
                         "PRAGMA journal_size_limit = 67108864; PRAGMA trusted_schema = OFF;",
                         e);
    if (rc == 0 && !writer)
        rc = lite_script(&l->conn, "PRAGMA query_only = ON", e);
    return rc;
}

static int lite_connect(const struct db_options *o, bool writer, struct db_conn **out,
                        struct err *e)
{
    const char *path = o->url + strlen("sqlite:");
    if (str_starts(str_z(path), STR("///")))
        path += 2;
    if (!*path || *path == ':')
        return err_set(e, ERR_USAGE, "database URL names no file");
    struct lite *l = calloc(1, sizeof *l);
    if (!l)
        return err_no_memory(e);
    l->conn.driver = &db_sqlite;
    l->timeout = o->statement_timeout;
    int rc = sqlite3_open_v2(
        path, &l->db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX, NULL);
    rc = rc == SQLITE_OK ? lite_configure(l, writer, e) : fail(l, rc, e);
    if (rc < 0) {
        lite_disconnect(&l->conn);
        return err_wrap(e, "%s", path);
    }
    *out = &l->conn;
    return 0;
}

static int lite_begin(struct db_conn *c, enum db_mode mode, struct err *e)
{
    return lite_script(c, mode == DB_WRITE ? "BEGIN IMMEDIATE" : "BEGIN", e);
}

static int lite_commit(struct db_conn *c, struct err *e)
{
    return lite_script(c, "COMMIT", e);
}

static void lite_rollback(struct db_conn *c)
{
    struct lite *l = lite_of(c);
    if (!sqlite3_get_autocommit(l->db) && lite_script(c, "ROLLBACK", NULL) < 0)
        c->broken = true;
}

static int lite_prepare(struct db_conn *c, const char *sql, const struct db_value *v, size_t n,
                        struct db_stmt *st, struct err *e)
{
    struct lite *l = lite_of(c);
    sqlite3_stmt *s = NULL;
    int rc = sqlite3_prepare_v3(l->db, sql, -1, SQLITE_PREPARE_PERSISTENT, &s, NULL);
    if (rc != SQLITE_OK)
        return fail(l, rc, e);
    st->handle = s;
    for (size_t i = 0; i < n; i++) {
        char name[16];
        snprintf(name, sizeof name, "$%zu", i + 1);
        st->index[i] = sqlite3_bind_parameter_index(s, name);
    }
    if ((size_t)sqlite3_bind_parameter_count(s) > n)
        return err_set(e, ERR_USAGE, "database: statement has %d values, %zu were given",
                       sqlite3_bind_parameter_count(s), n);
    return 0;
}

static void lite_unprepare(struct db_conn *c, struct db_stmt *st)
{
    sqlite3_finalize(st->handle);
}

static int bind_one(sqlite3_stmt *s, int at, const struct db_value *v)
{
    const char *p = v->s.p ? v->s.p : "";
    switch (v->type) {
    case DB_INT:
        return sqlite3_bind_int64(s, at, v->i);
    case DB_REAL:
        return sqlite3_bind_double(s, at, v->r);
    case DB_TEXT:
        return sqlite3_bind_text64(s, at, p, v->s.n, SQLITE_TRANSIENT, SQLITE_UTF8);
    case DB_BLOB:
        return sqlite3_bind_blob64(s, at, p, v->s.n, SQLITE_TRANSIENT);
    default:
        return sqlite3_bind_null(s, at);
    }
}

static int bind_all(struct lite *l, struct db_stmt *st, const struct db_value *v, size_t n,
                    struct err *e)
{
    for (size_t i = 0; i < n; i++)
        if (st->index[i]) {
            int rc = bind_one(st->handle, st->index[i], &v[i]);
            if (rc != SQLITE_OK)
                return fail(l, rc, e);
        }
    statement_begins(l);
    return 0;
}

static int64_t lite_exec(struct db_conn *c, struct db_stmt *st, const struct db_value *v, size_t n,
                         struct err *e)
{
    struct lite *l = lite_of(c);
    int64_t rows = 0;
    int rc = bind_all(l, st, v, n, e);
    if (rc < 0)
        return rc;
    while ((rc = sqlite3_step(st->handle)) == SQLITE_ROW)
        rows++;
    if (rc == SQLITE_DONE)
        rc = 0;
    else
        rc = fail(l, rc, e);
    if (rc == 0 && !sqlite3_stmt_readonly(st->handle))
        rows = sqlite3_changes64(l->db);
    sqlite3_reset(st->handle);
    sqlite3_clear_bindings(st->handle);
    return rc < 0 ? rc : rows;
}

static int lite_next(struct db_conn *c, struct db_rows *r, struct err *e)
{
    struct lite *l = lite_of(c);
    int rc = sqlite3_step(r->stmt->handle);
    if (rc == SQLITE_ROW)
        return 1;
    return rc == SQLITE_DONE ? 0 : fail(l, rc, e);
}

static int lite_query(struct db_conn *c, struct db_rows *r, const struct db_value *v, size_t n,
                      struct err *e)
{
    int rc = bind_all(lite_of(c), r->stmt, v, n, e);
    if (rc == 0)
        rc = lite_next(c, r, e);
    if (rc < 0)
        return rc;
    r->have = rc == 1;
    r->done = rc == 0;
    return 0;
}

static void lite_close(struct db_conn *c, struct db_rows *r)
{
    sqlite3_reset(r->stmt->handle);
    sqlite3_clear_bindings(r->stmt->handle);
}

static struct db_value lite_cell(const struct db_rows *r, int col)
{
    sqlite3_stmt *s = r->stmt->handle;
    switch (sqlite3_column_type(s, col)) {
    case SQLITE_INTEGER:
        return DBI(sqlite3_column_int64(s, col));
    case SQLITE_FLOAT:
        return DBR(sqlite3_column_double(s, col));
    case SQLITE_TEXT: {
        const char *p = (const char *)sqlite3_column_text(s, col);
        return DBS(((str){p, (size_t)sqlite3_column_bytes(s, col)}));
    }
    case SQLITE_BLOB: {
        const char *p = sqlite3_column_blob(s, col);
        return DBB(((str){p, (size_t)sqlite3_column_bytes(s, col)}));
    }
    default:
        return DBNULL;
    }
}

static const char *const dialect[][2] = {
    {"skip_locked", ""},
    {"for_update", ""},
    {"for_share", ""},
    {"json", ""},
    {"text", "TEXT"},
    {"blob", "BLOB"},
    {"identity", "INTEGER PRIMARY KEY AUTOINCREMENT"},
    {"no_rowid", "WITHOUT ROWID"},
    {NULL, NULL},
};

const struct db_driver db_sqlite = {
    .kind = DB_SQLITE,
    .dialect = dialect,
    .connect = lite_connect,
    .disconnect = lite_disconnect,
    .begin = lite_begin,
    .commit = lite_commit,
    .rollback = lite_rollback,
    .script = lite_script,
    .prepare = lite_prepare,
    .unprepare = lite_unprepare,
    .exec = lite_exec,
    .query = lite_query,
    .next = lite_next,
    .close = lite_close,
    .cell = lite_cell,
};
