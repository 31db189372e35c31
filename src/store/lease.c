#include "store/queue.h"

struct holding {
    str name, holder;
    int64_t ttl_us;
};

static int hold(struct db_tx *tx, void *ctx, struct err *e)
{
    const struct holding *h = ctx;
    int64_t n =
        db_exec(tx,
                "INSERT INTO lease (name, holder, expires_at) VALUES ($1, $2, now_us() + $3)"
                " ON CONFLICT (name) DO UPDATE SET holder = excluded.holder,"
                " expires_at = excluded.expires_at"
                " WHERE lease.holder = excluded.holder OR lease.expires_at <= now_us()",
                DB(DBS(h->name), DBS(h->holder), DBI(h->ttl_us)), e);
    return (int)n;
}

int lease_hold(struct db *db, str name, str holder, int64_t ttl_us, struct err *e)
{
    struct holding h = {name, holder, ttl_us};
    return db_run(db, DB_WRITE, hold, &h, e);
}

static int let_go(struct db_tx *tx, void *ctx, struct err *e)
{
    const struct holding *h = ctx;
    int64_t n = db_exec(tx, "DELETE FROM lease WHERE name = $1 AND holder = $2",
                        DB(DBS(h->name), DBS(h->holder)), e);
    return n < 0 ? (int)n : 0;
}

int lease_release(struct db *db, str name, str holder, struct err *e)
{
    struct holding h = {.name = name, .holder = holder};
    return db_run(db, DB_WRITE, let_go, &h, e);
}
