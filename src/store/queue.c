#include "store/queue_internal.h"

#include <unistd.h>

enum { DEFAULT_TRIES = 5, MAX_PAYLOAD = 16 << 20 };

static int done_or(int64_t changed, struct err *e)
{
    if (changed < 0)
        return (int)changed;
    return changed ? 0 : err_set(e, ERR_NOT_FOUND, "the lease on this work was lost");
}

int queue_read(const struct db_rows *r, struct arena *a, struct queue_item *out, struct err *e)
{
    *out = (struct queue_item){
        .id = db_int(r, 0),
        .queue = arena_dup(a, db_text(r, 1)),
        .account = arena_dup(a, db_text(r, 2)),
        .payload = arena_dup(a, db_text(r, 3)),
        .dedupe = arena_dup(a, db_text(r, 4)),
        .priority = db_int(r, 5),
        .tries = db_int(r, 6),
        .max_tries = db_int(r, 7),
        .created = db_int(r, 8),
        .deadline = db_int(r, 9),
        .owner = arena_dup(a, db_text(r, 10)),
        .receipt = arena_dup(a, db_text(r, 11)),
        .reason = arena_dup(a, db_text(r, 12)),
    };
    return a->full ? err_set(e, ERR_LIMIT, "items of a queue do not fit into memory") : 0;
}

int queue_turn(struct db_tx *tx, str queue, str account, int64_t priority, int64_t *out,
               struct err *e)
{
    auto_rows *r = NULL;
    int rc = db_query(
        tx,
        "SELECT (SELECT turn FROM queue_item WHERE queue = $1 AND priority = $2 AND leased = 0"
        "   AND not_before <= now_us() ORDER BY priority DESC, turn LIMIT 1),"
        " (SELECT MAX(turn) + 1 FROM queue_item WHERE queue = $1 AND account = $3"
        "   AND priority = $2)",
        DB(DBS(queue), DBI(priority), DBS(account)), &r, e);
    if (rc == 0)
        rc = db_next(r, e);
    if (rc < 0)
        return rc;
    int64_t first = db_int(r, 0), own = db_int(r, 1);
    *out = own > first ? own : first;
    return 0;
}

int queue_tell(struct db_tx *tx, str queue, struct err *e)
{
    char channel[80];
    snprintf(channel, sizeof channel, "queue_%.*s", (int)queue.n, queue.p);
    return db_notify(tx, channel, STR(""), e);
}

static int check_put(const struct queue_put *p, struct err *e)
{
    bool sound = p->queue.n > 0 && p->queue.n <= 50;
    for (size_t i = 0; sound && i < p->queue.n; i++)
        sound = p->queue.p[i] == '_' || (p->queue.p[i] >= 'a' && p->queue.p[i] <= 'z');
    if (!sound)
        return err_set(e, ERR_USAGE, "'%.*s' is no name of a queue", STR_ARG(p->queue));
    if (p->payload.n > MAX_PAYLOAD)
        return err_set(e, ERR_LIMIT, "an item of %zu bytes for queue %.*s", p->payload.n,
                       STR_ARG(p->queue));
    return 0;
}

static int find_twin(struct db_tx *tx, const struct queue_put *p, int64_t *id, struct err *e)
{
    int rc = id ? db_query_int(tx, "SELECT id FROM queue_item WHERE queue = $1 AND dedupe = $2",
                               DB(DBS(p->queue), DBS(p->dedupe)), id, e)
                : 0;
    return rc == ERR_NOT_FOUND ? 0 : rc;
}

int queue_put(struct db_tx *tx, const struct queue_put *p, int64_t *id, struct err *e)
{
    int64_t turn, made = 0;
    int rc = check_put(p, e);
    if (rc == 0)
        rc = queue_turn(tx, p->queue, p->account, p->priority, &turn, e);
    if (rc < 0)
        return rc;
    rc = db_query_int(
        tx,
        "INSERT INTO queue_item (queue, account, payload, dedupe, priority, turn, tries,"
        " max_tries, created_at, not_before, leased)"
        " VALUES ($1, $2, $3, $4, $5, $6, 0, $7, now_us(), now_us() + $8, 0)"
        " ON CONFLICT (queue, dedupe) WHERE dedupe <> '' DO NOTHING RETURNING id",
        DB(DBS(p->queue), DBS(p->account.p ? p->account : STR("")), DBS(p->payload),
           DBS(p->dedupe.p ? p->dedupe : STR("")), DBI(p->priority), DBI(turn),
           DBI(p->max_tries > 0 ? p->max_tries : DEFAULT_TRIES), DBI(p->delay_us)),
        &made, e);
    if (rc == ERR_NOT_FOUND)
        return find_twin(tx, p, id, e);
    if (rc == 0 && id)
        *id = made;
    if (rc == 0)
        rc = queue_tell(tx, p->queue, e);
    return rc < 0 ? rc : 1;
}

/* ---- taking */

struct taking {
    struct arena *arena;
    str queue, owner;
    int64_t lease_us;
    struct queue_item *out;
    size_t n, got;
    int64_t turns[256];
};

static int is_there_any(struct db_tx *tx, void *ctx, struct err *e)
{
    const struct taking *t = ctx;
    int64_t one;
    int rc = db_query_int(
        tx,
        "SELECT 1 FROM queue_item WHERE queue = $1 AND leased = 0 AND not_before <= now_us()"
        " UNION ALL SELECT 1 FROM queue_item WHERE queue = $1 AND leased = 1"
        " AND deadline < now_us() LIMIT 1",
        DB(DBS(t->queue)), &one, e);
    return rc == ERR_NOT_FOUND ? 0 : rc < 0 ? rc : 1;
}

static const char expire[] =
    "UPDATE queue_item SET leased = 0, reason = 'the lease of ' || owner || ' ran out',"
    " owner = NULL, receipt = NULL, taken_at = NULL, deadline = NULL"
    " WHERE queue = $1 AND leased = 1 AND deadline < now_us() AND tries < max_tries";

static const char take[] =
    "WITH picked AS MATERIALIZED (SELECT id FROM queue_item WHERE queue = $1 AND leased = 0"
    "  AND not_before <= now_us() ORDER BY priority DESC, turn, id LIMIT $2 {skip_locked})"
    " UPDATE queue_item SET leased = 1, tries = tries + 1, taken_at = now_us(),"
    " deadline = now_us() + $3, owner = $4, receipt = $5 || CAST(id AS TEXT)"
    " WHERE id IN (SELECT id FROM picked) RETURNING " QUEUE_COLUMNS ", turn";

static void receipt_prefix(char out[34])
{
    static const char hex[] = "0123456789abcdef";
    unsigned char b[16];
    if (getentropy(b, sizeof b) < 0)
        abort(); /* cannot fail for 16 bytes on Linux */
    for (int i = 0; i < 16; i++) {
        out[2 * i] = hex[b[i] >> 4];
        out[2 * i + 1] = hex[b[i] & 15];
    }
    out[32] = '-';
    out[33] = 0;
}

/* RETURNING has no order: each is put where it belongs. */
static void insert_in_order(struct taking *t, const struct queue_item *q, int64_t turn)
{
    size_t at = t->got++;
    for (; at > 0; at--) {
        const struct queue_item *o = &t->out[at - 1];
        int64_t other = t->turns[at - 1];
        if (o->priority > q->priority ||
            (o->priority == q->priority && (other < turn || (other == turn && o->id < q->id))))
            break;
        t->out[at] = *o;
        t->turns[at] = other;
    }
    t->out[at] = *q;
    t->turns[at] = turn;
}

static int take_items(struct db_tx *tx, void *ctx, struct err *e)
{
    struct taking *t = ctx;
    char prefix[34];
    receipt_prefix(prefix);
    t->got = 0;
    int64_t expired = db_exec(tx, expire, DB(DBS(t->queue)), e);
    if (expired < 0)
        return (int)expired;
    auto_rows *r = NULL;
    int rc =
        db_query(tx, take,
                 DB(DBS(t->queue), DBI(t->n), DBI(t->lease_us), DBS(t->owner), DBZ(prefix)), &r, e);
    while (rc == 0 && t->got < t->n && (rc = db_next(r, e)) == 1) {
        struct queue_item q;
        rc = queue_read(r, t->arena, &q, e);
        if (rc == 0)
            insert_in_order(t, &q, db_int(r, 13));
    }
    return rc < 0 ? rc : (int)t->got;
}

int queue_take(struct db *db, struct arena *a, str queue, str owner, int64_t lease_us,
               struct queue_item *out, size_t n, struct err *e)
{
    struct taking t = {.arena = a,
                       .queue = queue,
                       .owner = owner,
                       .lease_us = lease_us,
                       .out = out,
                       .n = n < 256 ? n : 256};
    /* Who only looks should not stand in the way of SQLite's writers. */
    if (db_kind(db) == DB_SQLITE) {
        int rc = db_run(db, DB_READ, is_there_any, &t, e);
        if (rc <= 0)
            return rc;
    }
    return db_run(db, DB_WRITE, take_items, &t, e);
}

/* ---- holding and handing back */

struct extending {
    str queue, receipt;
    int64_t lease_us;
};

static int extend(struct db_tx *tx, void *ctx, struct err *e)
{
    const struct extending *x = ctx;
    return done_or(db_exec(tx,
                           "UPDATE queue_item SET deadline = now_us() + $1"
                           " WHERE receipt = $2 AND queue = $3 AND leased = 1",
                           DB(DBI(x->lease_us), DBS(x->receipt), DBS(x->queue)), e),
                   e);
}

int queue_extend(struct db *db, str queue, str receipt, int64_t lease_us, struct err *e)
{
    struct extending x = {queue, receipt, lease_us};
    return db_run(db, DB_WRITE, extend, &x, e);
}

int queue_done(struct db_tx *tx, str queue, str receipt, struct err *e)
{
    return done_or(
        db_exec(tx, "DELETE FROM queue_item WHERE receipt = $1 AND queue = $2 AND leased = 1",
                DB(DBS(receipt), DBS(queue)), e),
        e);
}

int queue_bury(struct db_tx *tx, int64_t id, str reason, struct err *e)
{
    int64_t n = db_exec(
        tx,
        "INSERT INTO queue_dead (id, queue, account, payload, dedupe, priority, tries, max_tries,"
        " created_at, owner, reason, died_at)"
        " SELECT id, queue, account, payload, dedupe, priority, tries, max_tries, created_at,"
        " owner, $2, now_us() FROM queue_item WHERE id = $1",
        DB(DBI(id), DBS(reason.p ? reason : STR(""))), e);
    if (n >= 0)
        n = db_exec(tx, "DELETE FROM queue_item WHERE id = $1", DB(DBI(id)), e);
    return n < 0 ? (int)n : 0;
}

int queue_fail(struct db_tx *tx, str queue, str receipt, str reason, int64_t retry_us, bool final,
               struct err *e)
{
    auto_rows *r = NULL;
    int rc = db_query(tx,
                      "SELECT id, tries, max_tries FROM queue_item"
                      " WHERE receipt = $1 AND queue = $2 AND leased = 1 {for_update}",
                      DB(DBS(receipt), DBS(queue)), &r, e);
    if (rc == 0)
        rc = db_next(r, e);
    if (rc <= 0)
        return rc < 0 ? rc : done_or(0, e);
    int64_t id = db_int(r, 0);
    if (final || db_int(r, 1) >= db_int(r, 2)) {
        rc = queue_bury(tx, id, reason, e);
        return rc < 0 ? rc : 1;
    }
    int64_t n = db_exec(tx,
                        "UPDATE queue_item SET leased = 0, reason = $2, owner = NULL,"
                        " receipt = NULL, taken_at = NULL, deadline = NULL,"
                        " not_before = now_us() + $3 WHERE id = $1",
                        DB(DBI(id), DBS(reason.p ? reason : STR("")), DBI(retry_us)), e);
    return n < 0 ? (int)n : 0;
}

#define RELEASE                                                                                    \
    "UPDATE queue_item SET leased = 0, tries = tries - 1, owner = NULL, receipt = NULL,"           \
    " taken_at = NULL, deadline = NULL"

int queue_release(struct db_tx *tx, str queue, str receipt, struct err *e)
{
    int rc = done_or(db_exec(tx, RELEASE " WHERE receipt = $1 AND queue = $2 AND leased = 1",
                             DB(DBS(receipt), DBS(queue)), e),
                     e);
    return rc < 0 ? rc : queue_tell(tx, queue, e);
}

static int release_owner(struct db_tx *tx, void *ctx, struct err *e)
{
    const str *owner = ctx;
    auto_rows *r = NULL;
    int rc = db_query(tx, RELEASE " WHERE owner = $1 AND leased = 1 RETURNING queue",
                      DB(DBS(*owner)), &r, e);
    int n = 0;
    while (rc >= 0 && (rc = db_next(r, e)) == 1) {
        n++;
        rc = queue_tell(tx, db_text(r, 0), e);
    }
    return rc < 0 ? rc : n;
}

int64_t queue_release_owner(struct db *db, str owner, struct err *e)
{
    return db_run(db, DB_WRITE, release_owner, &owner, e);
}
