/* db.h - one interface over SQLite and PostgreSQL: a pool of connections, transactions, statements.
 *
 * The same SQL text runs on both. What to write so that it does:
 *   - parameters are $1, $2, ...; statements are prepared once per connection and cached by text
 *   - types: BIGINT, TEXT, BYTEA, DOUBLE PRECISION; booleans are BIGINT 0 and 1; times are BIGINT
 *     (microseconds since 1970, unless a column's name ends in _s: seconds)
 *   - now_us() is the database's clock in microseconds, on both: leases never depend on a host's
 * clock
 *   - {skip_locked} and {for_update} after a SELECT: "FOR UPDATE SKIP LOCKED" and "FOR UPDATE" on
 *     PostgreSQL, nothing on SQLite, where a writing transaction has the database to itself
 *   - {for_share} ("FOR KEY SHARE"): the row must not go away before this transaction ends
 *   - INSERT ... ON CONFLICT (...) DO UPDATE / DO NOTHING, RETURNING, LIMIT/OFFSET, || are fine
 *   - LIKE: always with ESCAPE '!' (see db_like()); it is case-sensitive on both
 *   - a parameter that may be NULL must first stand where its type is clear: "s = $1 OR $1 IS NULL"
 *     (not the other way round), or CAST($1 AS TEXT)
 *   - in schema steps: {text} (sorted by bytes on both), {blob}, {identity}, {no_rowid}
 *   - {json}: nothing; JSON is kept as TEXT and read in C
 * SQL never contains a value: values are bound, always.
 *
 * Thread-safe: each transaction takes a connection from the pool for as long as it lives. */
#ifndef KELLET_STORE_DB_H
#define KELLET_STORE_DB_H

#include "base/arena.h"
#include "base/err.h"
#include "base/str.h"

struct db;
struct db_tx;
struct db_rows;

enum db_kind { DB_SQLITE, DB_POSTGRES };

struct db_options {
    /* "sqlite:PATH", or a libpq URL ("postgresql://user:pw@host:port/name?sslmode=require"). */
    const char *url;
    unsigned max_connections;   /* default 4 (SQLite: 1 writer and up to this many readers) */
    unsigned connect_timeout;   /* seconds, default 10 */
    unsigned acquire_timeout;   /* seconds to wait for a free connection, default 30 */
    unsigned statement_timeout; /* seconds, default 60 */
    /* PostgreSQL: seconds without a byte from the server after which the connection is given up
     * (ERR_NET); default 15 more than the server has for a statement. */
    unsigned answer_timeout;
};

/* Opens the pool; connects once, so that a wrong URL or password shows here. ERR_NET: the server
 * cannot be reached (a retry may help), ERR_AUTH: it refuses us. */
int db_open(const struct db_options *o, struct db **out, struct err *e);
void db_close(struct db *db);
enum db_kind db_kind(const struct db *db);
/* ERR_NET when the database does not answer within a few seconds. For /ready. */
int db_ping(struct db *db, struct err *e);

/* Counters for metrics, since the start. */
struct db_stats {
    uint64_t reads, writes, failures, retries; /* transactions */
    double read_seconds, write_seconds;
    unsigned open, busy; /* connections now */
    unsigned waiting;    /* for one of them: they get it in the order in which they came */
};
struct db_stats db_stats(struct db *db);

/* ---- values
 * ---------------------------------------------------------------------------------------- */
enum db_type { DB_NULL, DB_INT, DB_REAL, DB_TEXT, DB_BLOB };
struct db_value {
    enum db_type type;
    int64_t i;
    double r;
    str s; /* borrowed during the call */
};
#define DBI(v) ((struct db_value){.type = DB_INT, .i = (int64_t)(v)})
#define DBR(v) ((struct db_value){.type = DB_REAL, .r = (v)})
#define DBS(v) ((struct db_value){.type = DB_TEXT, .s = (v)})
#define DBZ(v) db_value_z(v) /* const char *; NULL gives NULL */
#define DBB(v) ((struct db_value){.type = DB_BLOB, .s = (v)})
#define DBNULL ((struct db_value){.type = DB_NULL})
/* A str whose p is NULL is SQL NULL; an empty one is ''. */
#define DBSN(v) db_value_nullable(v)
struct db_value db_value_z(const char *z);
struct db_value db_value_nullable(str s);

/* ---- transactions
 * ------------------------------------------------------------------------------------ */
enum db_mode { DB_READ, DB_WRITE };

/* Runs fn in a transaction and commits when it returns >= 0 (rolls back otherwise). When the
 * database says that the transaction lost a race (serialization, deadlock, busy) or the connection
 * broke before the commit was asked for, fn is run again, up to 5 times with growing waits: fn must
 * have no effect but through tx and its results in ctx. Returns fn's value. This is how everything
 * is written. */
int db_run(struct db *db, enum db_mode mode, int (*fn)(struct db_tx *tx, void *ctx, struct err *e),
           void *ctx, struct err *e);

/* By hand, for readers that stream many rows. db_rollback(NULL) is fine; both free tx. */
int db_begin(struct db *db, enum db_mode mode, struct db_tx **out, struct err *e);
int db_commit(struct db_tx *tx, struct err *e);
void db_rollback(struct db_tx *tx);
static inline void db_rollback_(struct db_tx **tx)
{
    db_rollback(*tx);
}
#define auto_tx struct db_tx KE_CLEANUP(db_rollback_)
enum db_kind db_tx_kind(const struct db_tx *tx);
/* The transaction's statements have an hour each, not statement_timeout: upgrades. */
int db_take_time(struct db_tx *tx, struct err *e);

/* Rows affected, or a negative code: ERR_EXISTS for a violated unique key, ERR_CONFLICT for a
 * violated foreign key or check, ERR_NET when the database is gone or has no room (disk, memory)
 * for now, ERR_IO otherwise. A failed statement dooms the transaction. Write db_exec(tx, "UPDATE
 * ... WHERE a = $1", DB(DBS(a), DBI(b)), e). */
int64_t db_exec(struct db_tx *tx, const char *sql, const struct db_value *v, size_t n,
                struct err *e);
#define DB(...)                                                                                    \
    (const struct db_value[]){__VA_ARGS__},                                                        \
        sizeof((const struct db_value[]){__VA_ARGS__}) / sizeof(struct db_value)
#define DB0 NULL, 0

/* A query's rows. On PostgreSQL rows arrive in batches, so any number may be read. */
int db_query(struct db_tx *tx, const char *sql, const struct db_value *v, size_t n,
             struct db_rows **out, struct err *e);
int db_next(struct db_rows *r, struct err *e); /* 1: a row; 0: the end; negative: an error */
void db_rows_close(struct db_rows *r);         /* NULL is fine */
static inline void db_rows_close_(struct db_rows **r)
{
    db_rows_close(*r);
}
#define auto_rows struct db_rows KE_CLEANUP(db_rows_close_)
/* Columns of the current row, from 0. NULL reads as 0, 0.0 and the str {NULL, 0}. Views live until
 * the next db_next(). */
bool db_is_null(const struct db_rows *r, int col);
int64_t db_int(const struct db_rows *r, int col);
double db_real(const struct db_rows *r, int col);
str db_text(const struct db_rows *r, int col);
str db_blob(const struct db_rows *r, int col);

/* One integer: the first column of the first row. ERR_NOT_FOUND when there is no row. */
int db_query_int(struct db_tx *tx, const char *sql, const struct db_value *v, size_t n,
                 int64_t *out, struct err *e);

/* Escapes %, _ and ! for LIKE ... ESCAPE '!'; '*' becomes % when `stars`. */
str db_like(struct arena *a, str text, bool stars);

/* ---- telling others
 * ------------------------------------------------------------------------------------ */
/* After the commit every process that listens on the channel ([a-z_]+) is told; payload <= 7000
 * bytes. Best effort: a listener that was not connected hears nothing, so listeners also look by
 * themselves now and then. */
int db_notify(struct db_tx *tx, const char *channel, str payload, struct err *e);
/* One background thread per db calls fn for each notice; fn must be quick. PostgreSQL: one
 * connection of its own, kept alive and renewed. SQLite: notices within this process, and between
 * processes none. */
int db_listen(struct db *db, const char *channel, void (*fn)(void *ctx, str payload), void *ctx,
              struct err *e);

#endif
