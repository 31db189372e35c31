/* db_driver.h - what a database driver does for db.c. Only for files of this room.
 *
 * A driver never decides about retries or pools: it sets `broken` when the connection is of no use
 * any more and `again` when the database asked for the whole transaction to be run once more. */
#ifndef KELLET_STORE_DB_DRIVER_H
#define KELLET_STORE_DB_DRIVER_H

#include <pthread.h>

#include "store/db.h"

enum { DB_CACHE_SLOTS = 512, DB_MAX_VALUES = 2000, DB_LONG_SECONDS = 3600 };

struct db_stmt {
    char *sql; /* as the caller wrote it: the key, with types */
    uint8_t *types;
    size_t n_types;
    uint64_t hash, used;
    unsigned open; /* rows that read from it */
    bool cached;
    void *handle;  /* SQLite: sqlite3_stmt */
    int *index;    /* SQLite: where $1, $2, ... are bound */
    uint64_t name; /* PostgreSQL: "s<name>" */
};

struct db_conn {
    const struct db_driver *driver;
    bool broken, again, writer;
    bool takes_time; /* a statement has DB_LONG_SECONDS */
    uint64_t uses;
    struct db_stmt *slots[DB_CACHE_SLOTS];
    struct db_conn *next;
};

struct db_rows {
    struct db_tx *tx;
    struct db_stmt *stmt;
    struct db_rows *next; /* of the transaction */
    bool done, have;      /* have: a row is ready that the caller has not asked for yet */
    void *state;          /* the driver's */
};

struct db_driver {
    enum db_kind kind;
    bool typed;                      /* statements depend on the types of their values */
    const char *const (*dialect)[2]; /* "word" -> text; ended by NULL */
    int (*connect)(const struct db_options *o, bool writer, struct db_conn **out, struct err *e);
    void (*disconnect)(struct db_conn *c);
    int (*begin)(struct db_conn *c, enum db_mode mode, struct err *e);
    int (*commit)(struct db_conn *c, struct err *e);
    void (*rollback)(struct db_conn *c);
    /* Several statements without values. */
    int (*script)(struct db_conn *c, const char *sql, struct err *e);
    int (*prepare)(struct db_conn *c, const char *sql, const struct db_value *v, size_t n,
                   struct db_stmt *st, struct err *e);
    void (*unprepare)(struct db_conn *c, struct db_stmt *st);
    int64_t (*exec)(struct db_conn *c, struct db_stmt *st, const struct db_value *v, size_t n,
                    struct err *e);
    /* Runs; MAY leave a first row ready (r->have). */
    int (*query)(struct db_conn *c, struct db_rows *r, const struct db_value *v, size_t n,
                 struct err *e);
    int (*next)(struct db_conn *c, struct db_rows *r, struct err *e);
    void (*close)(struct db_conn *c, struct db_rows *r);
    struct db_value (*cell)(const struct db_rows *r, int col);
    /* MAY: notices that travel through the server. Blocks until something came, the descriptor
     * `wake` became readable, or the connection broke. */
    int (*listen)(struct db_conn *c, const char *channel, struct err *e);
    int (*wait)(struct db_conn *c, int wake,
                void (*fn)(void *ctx, const char *channel, str payload), void *ctx, struct err *e);
};
extern const struct db_driver db_sqlite, db_postgres;

struct db_notice {
    struct db_notice *next;
    char *channel;
    char *payload;
    size_t n;
};

struct db_listener {
    struct db_listener *next;
    char *channel;
    void (*fn)(void *ctx, str payload);
    void *ctx;
};

struct db {
    const struct db_driver *driver;
    struct db_options o;
    char *url;
    pthread_mutex_t lock;
    struct db_conn *idle[2]; /* by writer: PostgreSQL has [0] only */
    unsigned open[2], busy[2], max[2];
    struct db_waiter *waiting[2]; /* for one of these, who came first (db_pool.c) */
    struct db_stats stats;
    /* listeners */
    pthread_mutex_t listen_lock;
    struct db_listener *listeners;
    struct db_notice *notices, **notices_end; /* SQLite: to be told */
    unsigned n_notices;
    pthread_t thread;
    bool threaded, closing;
    bool changed; /* listeners were added */
    int wake[2];
};

struct db_tx {
    struct db *db;
    struct db_conn *conn;
    enum db_mode mode;
    int failed; /* code of the statement that failed */
    bool again;
    struct db_rows *rows;
    struct db_notice *notices; /* SQLite: told after the commit */
    double began;
};

/* db_pool.c */
int db_acquire(struct db *db, bool writer, struct db_conn **out, struct err *e);
void db_give_back(struct db *db, struct db_conn *c);
/* The server went away: connections that wait in the pool are of no use either. */
void db_drop_idle(struct db *db);

/* db_sql.c */
/* {word}s of the dialect replaced; malloc'ed. */
char *db_rewrite(const struct db_driver *d, const char *sql, struct err *e);
int db_stmt_get(struct db_conn *c, const char *sql, const struct db_value *v, size_t n,
                struct db_stmt **out, struct err *e);
void db_stmt_release(struct db_conn *c, struct db_stmt *st);
void db_stmt_drop_all(struct db_conn *c);
/* Several statements, {word}s replaced: schema steps. */
int db_script(struct db_tx *tx, const char *sql, struct err *e);

/* db_listen.c */
void db_listen_init(struct db *db);
void db_listen_done(struct db *db);
void db_notices_free(struct db_notice *n);
/* Hands the notices of a committed transaction to the thread. */
void db_notices_tell(struct db *db, struct db_notice *n);

#endif
