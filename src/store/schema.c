#include "store/schema.h"

#include "store/db_driver.h"
#include "store/schema_steps.h"

int schema_newest(void)
{
    int n = 0;
    while (schema_steps[n].title)
        n++;
    return n;
}

static int has_table(struct db_tx *tx, struct err *e)
{
    int64_t n = 0;
    const char *sql =
        db_tx_kind(tx) == DB_SQLITE
            ? "SELECT COUNT(*) FROM sqlite_master WHERE type = 'table' AND name = 'kellet_schema'"
            : "SELECT COUNT(*) FROM pg_catalog.pg_tables WHERE tablename = 'kellet_schema'"
              " AND schemaname = current_schema()";
    int rc = db_query_int(tx, sql, DB0, &n, e);
    return rc < 0 ? rc : n > 0;
}

static int read_version(struct db_tx *tx, void *ctx, struct err *e)
{
    int *out = ctx;
    int64_t version = 0;
    int rc = has_table(tx, e);
    if (rc == 1)
        rc = db_query_int(tx, "SELECT COALESCE(MAX(step), 0) FROM kellet_schema", DB0, &version, e);
    *out = (int)version;
    return rc;
}

int schema_version(struct db *db, int *out, struct err *e)
{
    int rc = db_run(db, DB_READ, read_version, out, e);
    return rc < 0 ? rc : 0;
}

struct upgrade {
    void (*tell)(void *ctx, int step, const char *title);
    void *ctx;
    bool done;
};

static int check_newer(struct db_tx *tx, struct err *e)
{
    int64_t breaking = 0;
    int rc = db_query_int(tx, "SELECT COUNT(*) FROM kellet_schema WHERE step > $1 AND breaks = 1",
                          DB(DBI(schema_newest())), &breaking, e);
    if (rc == 0 && breaking)
        rc = err_set(e, ERR_UNSUPPORTED,
                     "the database was upgraded by a newer version of kellet, with a change that "
                     "this version cannot use");
    return rc;
}

/* One process at a time: the lock is held until the step's transaction ends. */
static int lock(struct db_tx *tx, struct err *e)
{
    if (db_tx_kind(tx) == DB_SQLITE)
        return 0;
    int64_t rc = db_exec(tx, "SELECT pg_advisory_xact_lock(1802857580)", DB0, e);
    return rc < 0 ? (int)rc : 0;
}

static int apply(struct db_tx *tx, int step, struct err *e)
{
    const struct schema_step *s = &schema_steps[step - 1];
    int rc = 0;
    if (s->postgres && db_tx_kind(tx) == DB_POSTGRES)
        rc = db_script(tx, s->postgres, e);
    if (rc == 0)
        rc = db_script(tx, s->sql, e);
    if (rc == 0 && s->postgres_after && db_tx_kind(tx) == DB_POSTGRES)
        rc = db_script(tx, s->postgres_after, e);
    if (rc == 0 && s->sqlite_after && db_tx_kind(tx) == DB_SQLITE)
        rc = db_script(tx, s->sqlite_after, e);
    if (rc < 0)
        return err_wrap(e, "schema step %d (%s)", step, s->title);
    int64_t n = db_exec(tx,
                        "INSERT INTO kellet_schema (step, title, breaks, applied_at)"
                        " VALUES ($1, $2, $3, now_us())",
                        DB(DBI(step), DBZ(s->title), DBI(s->breaks)), e);
    return n < 0 ? (int)n : 0;
}

static int next_step(struct db_tx *tx, void *ctx, struct err *e)
{
    struct upgrade *u = ctx;
    int rc = db_take_time(tx, e);
    if (rc == 0)
        rc = lock(tx, e);
    if (rc == 0)
        rc = has_table(tx, e);
    if (rc == 0)
        rc = db_script(tx,
                       "CREATE TABLE kellet_schema (step BIGINT PRIMARY KEY, title {text} NOT NULL,"
                       " breaks BIGINT NOT NULL, applied_at BIGINT NOT NULL)",
                       e);
    if (rc < 0)
        return rc;
    rc = check_newer(tx, e);
    int64_t have = 0;
    if (rc == 0)
        rc = db_query_int(tx, "SELECT COALESCE(MAX(step), 0) FROM kellet_schema", DB0, &have, e);
    if (rc < 0)
        return rc;
    if (have >= schema_newest()) {
        u->done = true;
        return 0;
    }
    if (u->tell)
        u->tell(u->ctx, (int)have + 1, schema_steps[have].title);
    return apply(tx, (int)have + 1, e);
}

int schema_upgrade(struct db *db, void (*tell)(void *ctx, int step, const char *title), void *ctx,
                   struct err *e)
{
    struct upgrade u = {.tell = tell, .ctx = ctx};
    while (!u.done) {
        int rc = db_run(db, DB_WRITE, next_step, &u, e);
        if (rc < 0)
            return rc;
    }
    return 0;
}
