#include "store/queue_internal.h"

/* ---- leases that ran out */

enum { BATCH = 100 };

struct reaping {
    int (*dead)(struct db_tx *tx, const struct queue_item *q, void *ctx, struct err *e);
    void *ctx;
    struct arena *arena;
    struct queue_item items[BATCH];
};

static int reap_some(struct db_tx *tx, void *ctx, struct err *e)
{
    struct reaping *p = ctx;
    auto_rows *r = NULL;
    size_t n = 0;
    int rc = db_query(tx,
                      "SELECT " QUEUE_COLUMNS " FROM queue_item WHERE leased = 1"
                      " AND deadline < now_us() AND tries >= max_tries ORDER BY id LIMIT 100"
                      " {skip_locked}",
                      DB0, &r, e);
    while (rc >= 0 && n < BATCH && (rc = db_next(r, e)) == 1) {
        struct queue_item *q = &p->items[n++];
        rc = queue_read(r, p->arena, q, e);
        q->reason = arena_printf(p->arena, "gave up after %lld tries: the lease of %.*s ran out",
                                 (long long)q->tries, STR_ARG(q->owner));
    }
    for (size_t i = 0; rc >= 0 && i < n; i++) {
        rc = queue_bury(tx, p->items[i].id, p->items[i].reason, e);
        if (rc == 0 && p->dead)
            rc = p->dead(tx, &p->items[i], p->ctx, e);
    }
    return rc < 0 ? rc : (int)n;
}

static int wake_expired(struct db_tx *tx, void *ctx, struct err *e)
{
    auto_rows *r = NULL;
    int rc = db_query(tx,
                      "SELECT DISTINCT queue FROM queue_item WHERE leased = 1"
                      " AND deadline < now_us() AND tries < max_tries",
                      DB0, &r, e);
    while (rc >= 0 && (rc = db_next(r, e)) == 1)
        rc = queue_tell(tx, db_text(r, 0), e);
    return rc;
}

int64_t queue_reap(struct db *db,
                   int (*dead)(struct db_tx *tx, const struct queue_item *q, void *ctx,
                               struct err *e),
                   void *ctx, struct err *e)
{
    struct arena a;
    arena_init(&a, 256 << 20);
    struct reaping p = {.dead = dead, .ctx = ctx, .arena = &a};
    int64_t total = 0;
    int rc = db_run(db, DB_READ, wake_expired, NULL, e);
    while (rc >= 0) {
        rc = db_run(db, DB_WRITE, reap_some, &p, e);
        arena_done(&a);
        if (rc > 0)
            total += rc;
        if (rc < BATCH)
            break;
    }
    return rc < 0 ? rc : total;
}

/* ---- looking */

static struct queue_count *count_of(struct arena *a, struct queue_count *list, size_t *n, str queue)
{
    for (size_t i = 0; i < *n; i++)
        if (str_eq(list[i].queue, queue))
            return &list[i];
    if (*n == 1000)
        return NULL;
    list[*n].queue = arena_dup(a, queue);
    return &list[(*n)++];
}

int queue_counts(struct db_tx *tx, struct arena *a, struct queue_count **out, size_t *n,
                 struct err *e)
{
    *n = 0;
    *out = arena_calloc(a, 1000, sizeof **out);
    if (!*out)
        return err_set(e, ERR_LIMIT, "counts of queues do not fit into memory");
    auto_rows *r = NULL, *d = NULL;
    int rc = db_query(tx,
                      "SELECT queue, SUM(1 - leased), SUM(leased),"
                      " now_us() - MIN(CASE WHEN leased = 0 THEN created_at END),"
                      " now_us() - MIN(taken_at) FROM queue_item GROUP BY queue ORDER BY queue",
                      DB0, &r, e);
    struct queue_count *c;
    while (rc >= 0 && (rc = db_next(r, e)) == 1 && (c = count_of(a, *out, n, db_text(r, 0)))) {
        c->waiting = db_int(r, 1);
        c->leased = db_int(r, 2);
        c->oldest_us = db_int(r, 3);
        c->oldest_lease_us = db_int(r, 4);
    }
    if (rc >= 0)
        rc = db_query(tx, "SELECT queue, COUNT(*) FROM queue_dead GROUP BY queue ORDER BY queue",
                      DB0, &d, e);
    while (rc >= 0 && (rc = db_next(d, e)) == 1 && (c = count_of(a, *out, n, db_text(d, 0))))
        c->dead = db_int(d, 1);
    return rc < 0 ? rc : 0;
}

int queue_dead(struct db_tx *tx, struct arena *a, str queue, struct queue_item **out, size_t *n,
               size_t limit, struct err *e)
{
    *n = 0;
    limit = limit < 10000 ? limit : 10000;
    *out = arena_calloc(a, limit + 1, sizeof **out);
    if (!*out)
        return err_set(e, ERR_LIMIT, "dead letters do not fit into memory");
    auto_rows *r = NULL;
    int rc = db_query(tx,
                      "SELECT id, queue, account, payload, dedupe, priority, tries, max_tries,"
                      " created_at, died_at, owner, '', reason FROM queue_dead WHERE queue = $1"
                      " ORDER BY died_at DESC, id DESC LIMIT $2",
                      DB(DBS(queue), DBI(limit)), &r, e);
    while (rc >= 0 && *n < limit && (rc = db_next(r, e)) == 1)
        rc = queue_read(r, a, &(*out)[(*n)++], e);
    return rc < 0 ? rc : 0;
}

static int read_dead(struct db_tx *tx, struct arena *a, int64_t id, struct queue_item *q,
                     struct err *e)
{
    auto_rows *r = NULL;
    int rc = db_query(tx,
                      "SELECT id, queue, account, payload, dedupe, priority, tries, max_tries,"
                      " created_at, died_at, owner, '', reason FROM queue_dead WHERE id = $1"
                      " {for_update}",
                      DB(DBI(id)), &r, e);
    if (rc == 0)
        rc = db_next(r, e);
    if (rc == 0)
        rc = err_set(e, ERR_NOT_FOUND, "no dead letter %lld", (long long)id);
    return rc < 0 ? rc : queue_read(r, a, q, e);
}

static int revive(struct db_tx *tx, const struct queue_item *q, struct err *e)
{
    int64_t n = db_exec(tx, "DELETE FROM queue_dead WHERE id = $1", DB(DBI(q->id)), e);
    int64_t turn = 0;
    int rc = n < 0 ? (int)n : queue_turn(tx, q->queue, q->account, q->priority, &turn, e);
    if (rc < 0)
        return rc;
    n = db_exec(tx,
                "INSERT INTO queue_item (id, queue, account, payload, dedupe, priority, turn,"
                " tries, max_tries, created_at, not_before, leased)"
                " VALUES ($1, $2, $3, $4, $5, $6, $7, 0, $8, now_us(), now_us(), 0)"
                " ON CONFLICT (queue, dedupe) WHERE dedupe <> '' DO NOTHING",
                DB(DBI(q->id), DBS(q->queue), DBS(q->account), DBS(q->payload), DBS(q->dedupe),
                   DBI(q->priority), DBI(turn), DBI(q->max_tries)),
                e);
    if (n == 0)
        return err_set(e, ERR_EXISTS, "the same work is in queue %.*s again already",
                       STR_ARG(q->queue));
    return n < 0 ? (int)n : queue_tell(tx, q->queue, e);
}

int queue_revive(struct db_tx *tx, int64_t id, struct err *e)
{
    struct arena a;
    arena_init(&a, 64 << 20);
    struct queue_item q;
    int rc = read_dead(tx, &a, id, &q, e);
    if (rc == 0)
        rc = revive(tx, &q, e);
    arena_done(&a);
    return rc;
}
