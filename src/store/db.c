#include "store/db_driver.h"

#include <time.h>

#include "base/clock.h"
#include "base/text.h"

/* Who did not answer for so long is not asked again at once. */
enum { SILENCE_US = 10000000 };

/* A connection of the pool may have broken while it waited: then all are dropped and a new one
 * tells. */
static int begin_on(struct db *db, enum db_mode mode, struct db_conn **out, struct err *e)
{
    for (int attempt = 0;; attempt++) {
        int rc = db_acquire(db, mode == DB_WRITE, out, e);
        if (rc < 0)
            return rc;
        rc = db->driver->begin(*out, mode, e);
        if (rc == 0)
            return 0;
        bool broken = (*out)->broken;
        db_give_back(db, *out);
        if (!broken || attempt == 1)
            return rc;
        db_drop_idle(db);
    }
}

int db_begin(struct db *db, enum db_mode mode, struct db_tx **out, struct err *e)
{
    struct db_tx *tx = calloc(1, sizeof *tx);
    if (!tx)
        return err_no_memory(e);
    tx->db = db;
    tx->mode = mode;
    tx->began = clock_seconds();
    int rc = begin_on(db, mode, &tx->conn, e);
    if (rc < 0) {
        pthread_mutex_lock(&db->lock);
        db->stats.failures++;
        pthread_mutex_unlock(&db->lock);
        free(tx);
        return rc;
    }
    *out = tx;
    return 0;
}

static void finish(struct db_tx *tx, bool failed)
{
    struct db *db = tx->db;
    double took = clock_seconds() - tx->began;
    pthread_mutex_lock(&db->lock);
    db->stats.failures += failed;
    if (tx->mode == DB_WRITE) {
        db->stats.writes++;
        db->stats.write_seconds += took;
    } else {
        db->stats.reads++;
        db->stats.read_seconds += took;
    }
    pthread_mutex_unlock(&db->lock);
    bool broken = tx->conn->broken;
    db_give_back(db, tx->conn);
    if (broken)
        db_drop_idle(db);
    db_notices_free(tx->notices);
    free(tx);
}

static void close_rows(struct db_tx *tx)
{
    while (tx->rows)
        db_rows_close(tx->rows);
}

static int commit_keep(struct db_tx *tx, struct err *e)
{
    close_rows(tx);
    if (tx->failed) {
        tx->conn->driver->rollback(tx->conn);
        return err_set(e, ERR_CONFLICT, "a statement of the transaction had failed");
    }
    int rc = tx->conn->driver->commit(tx->conn, e);
    tx->again |= tx->conn->again;
    if (rc < 0) {
        if (!tx->conn->broken)
            tx->conn->driver->rollback(tx->conn);
        return rc;
    }
    if (tx->notices)
        db_notices_tell(tx->db, TAKE(tx->notices));
    return 0;
}

int db_commit(struct db_tx *tx, struct err *e)
{
    int rc = commit_keep(tx, e);
    finish(tx, rc < 0);
    return rc;
}

void db_rollback(struct db_tx *tx)
{
    if (!tx)
        return;
    close_rows(tx);
    if (!tx->conn->broken)
        tx->conn->driver->rollback(tx->conn);
    finish(tx, false);
}

enum db_kind db_tx_kind(const struct db_tx *tx)
{
    return tx->conn->driver->kind;
}

int db_take_time(struct db_tx *tx, struct err *e)
{
    char sql[64];
    int64_t n = 0;
    tx->conn->takes_time = true;
    snprintf(sql, sizeof sql, "SET LOCAL statement_timeout = '%ds'", DB_LONG_SECONDS);
    if (db_tx_kind(tx) == DB_POSTGRES)
        n = db_exec(tx, sql, DB0, e);
    return n < 0 ? (int)n : 0;
}

static void pause_before(int attempt)
{
    struct timespec t = {0};
    clock_gettime(CLOCK_MONOTONIC, &t);
    long ms = (10L << (2 * attempt)) + t.tv_nsec / 1000 % 10;
    t = (struct timespec){ms / 1000, ms % 1000 * 1000000};
    nanosleep(&t, NULL);
}

static int run_once(struct db *db, enum db_mode mode,
                    int (*fn)(struct db_tx *tx, void *ctx, struct err *e), void *ctx, bool *again,
                    struct err *e)
{
    struct db_tx *tx;
    int rc = db_begin(db, mode, &tx, e);
    if (rc < 0) {
        *again = rc == ERR_NET;
        return rc;
    }
    rc = fn(tx, ctx, e);
    close_rows(tx);
    if (rc < 0 || (tx->failed && tx->again)) {
        *again = tx->again;
        rc = rc < 0 ? rc : tx->failed;
        if (!tx->conn->broken)
            tx->conn->driver->rollback(tx->conn);
        finish(tx, true);
        return rc;
    }
    int committed = commit_keep(tx, e);
    *again = committed < 0 && tx->again && !tx->conn->broken;
    finish(tx, committed < 0);
    return committed < 0 ? committed : rc;
}

int db_run(struct db *db, enum db_mode mode, int (*fn)(struct db_tx *tx, void *ctx, struct err *e),
           void *ctx, struct err *e)
{
    int64_t began = clock_us();
    for (int attempt = 0;; attempt++) {
        bool again = false;
        int rc = run_once(db, mode, fn, ctx, &again, e);
        bool silent = rc == ERR_NET && clock_us() - began > SILENCE_US;
        if (rc >= 0 || !again || silent || attempt == 4)
            return rc;
        pthread_mutex_lock(&db->lock);
        db->stats.retries++;
        pthread_mutex_unlock(&db->lock);
        pause_before(attempt);
    }
}

static int ping(struct db_tx *tx, void *ctx, struct err *e)
{
    return db_query_int(tx, "SELECT 1", DB0, ctx, e);
}

int db_ping(struct db *db, struct err *e)
{
    int64_t one;
    bool again;
    int rc = run_once(db, DB_READ, ping, &one, &again, e);
    if (rc == ERR_IO)
        rc = err_set(e, ERR_NET, "the database does not answer");
    return rc;
}

static bool text_is_sound(str s)
{
    for (size_t i = 0; i < s.n;) {
        unsigned char c = (unsigned char)s.p[i];
        if (c == 0)
            return false;
        size_t n = 1;
        uint32_t cp;
        if (c >= 0x80 && !(n = text_utf8(str_from(s, i), &cp)))
            return false;
        i += n;
    }
    return true;
}

static int check_values(const struct db_value *v, size_t n, struct err *e)
{
    for (size_t i = 0; i < n; i++)
        if (v[i].type == DB_TEXT && !text_is_sound(v[i].s))
            return err_set(e, ERR_USAGE,
                           "text for the database is not UTF-8 or has a zero byte (value $%zu)",
                           i + 1);
    return 0;
}

static int doom(struct db_tx *tx, int rc)
{
    if (!tx->failed)
        tx->failed = rc;
    tx->again |= tx->conn->again || tx->conn->broken;
    return rc;
}

static int start(struct db_tx *tx, const char *sql, const struct db_value *v, size_t n,
                 struct db_stmt **st, struct err *e)
{
    if (tx->failed)
        return err_set(e, tx->failed, "an earlier statement of the transaction failed");
    int rc = check_values(v, n, e);
    if (rc < 0)
        return rc;
    return db_stmt_get(tx->conn, sql, v, n, st, e);
}

int64_t db_exec(struct db_tx *tx, const char *sql, const struct db_value *v, size_t n,
                struct err *e)
{
    struct db_stmt *st;
    int rc = start(tx, sql, v, n, &st, e);
    if (rc < 0)
        return doom(tx, rc);
    int64_t changed = tx->conn->driver->exec(tx->conn, st, v, n, e);
    db_stmt_release(tx->conn, st);
    return changed < 0 ? doom(tx, (int)changed) : changed;
}

int db_query(struct db_tx *tx, const char *sql, const struct db_value *v, size_t n,
             struct db_rows **out, struct err *e)
{
    struct db_rows *r = calloc(1, sizeof *r);
    if (!r)
        return doom(tx, err_no_memory(e));
    int rc = start(tx, sql, v, n, &r->stmt, e);
    if (rc < 0) {
        free(r);
        return doom(tx, rc);
    }
    r->tx = tx;
    r->next = tx->rows;
    tx->rows = r;
    rc = tx->conn->driver->query(tx->conn, r, v, n, e);
    if (rc < 0) {
        doom(tx, rc);
        db_rows_close(r);
        return rc;
    }
    *out = r;
    return 0;
}

int db_next(struct db_rows *r, struct err *e)
{
    if (r->have) {
        r->have = false;
        return 1;
    }
    if (r->done)
        return 0;
    int rc = r->tx->conn->driver->next(r->tx->conn, r, e);
    if (rc <= 0)
        r->done = true;
    return rc < 0 ? doom(r->tx, rc) : rc;
}

void db_rows_close(struct db_rows *r)
{
    if (!r)
        return;
    struct db_conn *c = r->tx->conn;
    c->driver->close(c, r);
    db_stmt_release(c, r->stmt);
    for (struct db_rows **at = &r->tx->rows; *at; at = &(*at)->next)
        if (*at == r) {
            *at = r->next;
            break;
        }
    free(r);
}

static struct db_value cell(const struct db_rows *r, int col)
{
    return r->tx->conn->driver->cell(r, col);
}

bool db_is_null(const struct db_rows *r, int col)
{
    return cell(r, col).type == DB_NULL;
}

int64_t db_int(const struct db_rows *r, int col)
{
    struct db_value v = cell(r, col);
    return v.type == DB_REAL ? (int64_t)v.r : v.type == DB_INT ? v.i : 0;
}

double db_real(const struct db_rows *r, int col)
{
    struct db_value v = cell(r, col);
    return v.type == DB_INT ? (double)v.i : v.type == DB_REAL ? v.r : 0;
}

str db_text(const struct db_rows *r, int col)
{
    struct db_value v = cell(r, col);
    if (v.type != DB_TEXT && v.type != DB_BLOB)
        return (str){0};
    return v.s.p ? v.s : STR("");
}

str db_blob(const struct db_rows *r, int col)
{
    return db_text(r, col);
}

int db_query_int(struct db_tx *tx, const char *sql, const struct db_value *v, size_t n,
                 int64_t *out, struct err *e)
{
    auto_rows *r = NULL;
    int rc = db_query(tx, sql, v, n, &r, e);
    if (rc < 0)
        return rc;
    rc = db_next(r, e);
    if (rc < 0)
        return rc;
    if (rc == 0)
        return err_set(e, ERR_NOT_FOUND, "no such row");
    *out = db_int(r, 0);
    return 0;
}
