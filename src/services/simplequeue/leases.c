#include "services/simplequeue/leases.h"

#define COLUMNS "id, held_by, expires_at, epoch"

static int read_lease(struct db_rows *r, struct arena *a, struct simplequeue_lease *out,
                      struct err *e)
{
    *out = (struct simplequeue_lease){
        .id = arena_dup(a, db_text(r, 0)), .expires_at = db_int(r, 2), .epoch = db_int(r, 3)};
    if (!db_is_null(r, 1))
        out->held_by = arena_dup(a, db_text(r, 1));
    return a->full ? err_no_memory(e) : 1;
}

struct work {
    struct arena *arena;
    str id, client;
    int64_t ttl_us, epoch;
    struct simplequeue_lease *out;
};

static int one_lease(struct db_tx *tx, struct work *w, const char *sql, const struct db_value *v,
                     size_t n, struct err *e)
{
    auto_rows *r = NULL;
    int rc = db_query(tx, sql, v, n, &r, e);
    if (rc == 0)
        rc = db_next(r, e);
    return rc > 0 ? read_lease(r, w->arena, w->out, e) : rc;
}

static int get(struct db_tx *tx, void *ctx, struct err *e)
{
    struct work *w = ctx;
    int rc = one_lease(tx, w, "SELECT " COLUMNS " FROM simplequeue_lease WHERE id = $1",
                       DB(DBS(w->id)), e);
    if (rc == 0)
        return err_set(e, ERR_NOT_FOUND, "no lease %.*s", STR_ARG(w->id));
    return rc < 0 ? rc : 0;
}

static int make(struct db_tx *tx, void *ctx, struct err *e)
{
    struct work *w = ctx;
    int64_t rc = db_exec(tx,
                         "INSERT INTO simplequeue_lease (id, epoch) VALUES ($1, 0) "
                         "ON CONFLICT (id) DO NOTHING",
                         DB(DBS(w->id)), e);
    return rc < 0 ? (int)rc : get(tx, ctx, e);
}

int simplequeue_lease_make(struct db *db, struct arena *a, str id, struct simplequeue_lease *out,
                           struct err *e)
{
    struct work w = {.arena = a, .id = id, .out = out};
    return db_run(db, DB_WRITE, make, &w, e);
}

int simplequeue_lease_get(struct db *db, struct arena *a, str id, struct simplequeue_lease *out,
                          struct err *e)
{
    struct work w = {.arena = a, .id = id, .out = out};
    return db_run(db, DB_READ, get, &w, e);
}

struct listing {
    struct arena *arena;
    struct simplequeue_lease *list;
    size_t n;
};

static int list_all(struct db_tx *tx, void *ctx, struct err *e)
{
    struct listing *l = ctx;
    int64_t n;
    int rc = db_query_int(tx, "SELECT count(*) FROM simplequeue_lease", DB0, &n, e);
    if (rc < 0)
        return rc;
    n = n > SIMPLEQUEUE_LEASES_MAX ? SIMPLEQUEUE_LEASES_MAX : n;
    l->n = 0;
    l->list = arena_calloc(l->arena, (size_t)n + 1, sizeof *l->list);
    if (!l->list)
        return err_no_memory(e);
    auto_rows *r = NULL;
    rc = db_query(tx, "SELECT " COLUMNS " FROM simplequeue_lease ORDER BY id LIMIT $1", DB(DBI(n)),
                  &r, e);
    while (rc >= 0 && (rc = db_next(r, e)) > 0 && l->n < (size_t)n)
        rc = read_lease(r, l->arena, &l->list[l->n++], e);
    return rc < 0 ? rc : 0;
}

int simplequeue_lease_list(struct db *db, struct arena *a, struct simplequeue_lease **out,
                           size_t *n, struct err *e)
{
    struct listing l = {.arena = a};
    int rc = db_run(db, DB_READ, list_all, &l, e);
    *out = l.list;
    *n = rc < 0 ? 0 : l.n;
    return rc;
}

/* Runs a changing statement; when no row was changed, tells an unknown lease from one that is in
 * another state (0). */
static int change(struct db_tx *tx, struct work *w, const char *sql, const struct db_value *v,
                  size_t n, struct err *e)
{
    int rc = one_lease(tx, w, sql, v, n, e);
    return rc == 0 ? get(tx, w, e) : rc;
}

static int acquire(struct db_tx *tx, void *ctx, struct err *e)
{
    struct work *w = ctx;
    return change(tx, w,
                  "UPDATE simplequeue_lease SET held_by = $1, expires_at = now_us() + $2, "
                  "epoch = epoch + 1 WHERE id = $3 AND (held_by IS NULL OR expires_at IS NULL OR "
                  "expires_at <= now_us()) RETURNING " COLUMNS,
                  DB(DBS(w->client), DBI(w->ttl_us), DBS(w->id)), e);
}

static int refresh(struct db_tx *tx, void *ctx, struct err *e)
{
    struct work *w = ctx;
    return change(tx, w,
                  "UPDATE simplequeue_lease SET expires_at = now_us() + $1, epoch = epoch + 1 "
                  "WHERE id = $2 AND held_by = $3 AND epoch <= $4 AND expires_at > now_us() "
                  "RETURNING " COLUMNS,
                  DB(DBI(w->ttl_us), DBS(w->id), DBS(w->client), DBI(w->epoch)), e);
}

static int release(struct db_tx *tx, void *ctx, struct err *e)
{
    struct work *w = ctx;
    return change(tx, w,
                  "UPDATE simplequeue_lease SET held_by = NULL, expires_at = NULL "
                  "WHERE id = $1 AND held_by = $2 AND epoch <= $3 RETURNING " COLUMNS,
                  DB(DBS(w->id), DBS(w->client), DBI(w->epoch)), e);
}

int simplequeue_lease_acquire(struct db *db, struct arena *a, str id, str client, int64_t ttl,
                              struct simplequeue_lease *out, struct err *e)
{
    struct work w = {a, id, client, ttl * 1000000, 0, out};
    return db_run(db, DB_WRITE, acquire, &w, e);
}

int simplequeue_lease_refresh(struct db *db, struct arena *a, str id, str client, int64_t ttl,
                              int64_t epoch, struct simplequeue_lease *out, struct err *e)
{
    struct work w = {a, id, client, ttl * 1000000, epoch, out};
    return db_run(db, DB_WRITE, refresh, &w, e);
}

int simplequeue_lease_release(struct db *db, struct arena *a, str id, str client, int64_t epoch,
                              struct simplequeue_lease *out, struct err *e)
{
    struct work w = {a, id, client, 0, epoch, out};
    return db_run(db, DB_WRITE, release, &w, e);
}
