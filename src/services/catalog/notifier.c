/* notifier.c - delivers the outbox. One process in the fleet does it, under the watcher's lease; it
 * sends and then marks, so a process that dies between the two sends again, with the same
 * Idempotency-Key.
 *
 * Receivers do not wait for each other: each has a thread of its own while it has something to get.
 * One that fails is left alone for a growing time (1 second to a minute in the first hour, then up
 * to 2 hours), and its notices wait in order. When it answers one, the others that failed are tried
 * too, after all that is due: one that is refused for itself holds up nobody. */
#include "base/auto.h"
#include "base/clock.h"
#include "services/catalog/watchers.h"
#include "services/log.h"
#include "services/metrics.h"
#include "services/notification.h"
#include "services/policy_engine/changes.h"
#include "services/webhook.h"

#include <pthread.h>
#include <stdatomic.h>

enum {
    SPREAD_AT_ONCE = 500,
    BATCH = 64,
    DIGEST_NOTICES = 10000, /* in one message, at most */
    DIGEST_BYTES = 6 << 20, /* and so much of payloads */
    HOLD_SECONDS = 900,     /* that a digest waits for what its window's data still change */
    BACKOFF_FIRST = 60,     /* seconds, at most, */
    BACKOFF_TRIES = 64,     /* for so many tries: about an hour; then twice as long each time */
    BACKOFF_MAX = 7200,     /* seconds */
    WAKE_SECONDS = 15,      /* between two times that what failed is tried early */
    SWEEP_SECONDS = 3600,
    EVENTS_AT_ONCE = 1000,
};
static const char log_name[] = "catalog";

/* ---- from the outbox to receivers
 * ------------------------------------------------------------------- */

struct spread {
    struct engine *en;
    int64_t n;
};

static int spread_one(struct db_tx *tx, struct engine *en, int64_t id, str type, struct err *e)
{
    struct webhook hooks[2];
    size_t n = webhooks_for(en->config, type, hooks);
    for (size_t i = 0; i < n; i++) {
        int64_t rc = db_exec(tx,
                             "INSERT INTO outbox_delivery (outbox, target, state, next_try, tries)"
                             " VALUES ($1, $2, 0, now_us() + $3, 0)"
                             " ON CONFLICT (outbox, target) DO NOTHING",
                             DB(DBI(id), DBZ(hooks[i].name), DBI(hooks[i].digest_us)), e);
        if (rc < 0)
            return (int)rc;
    }
    /* nobody to tell: done at once */
    int64_t rc = db_exec(tx, "UPDATE outbox SET next_try = 0, delivered_at = $2 WHERE id = $1",
                         DB(DBI(id), n ? DBNULL : DBI(1)), e);
    return rc < 0 ? (int)rc : 0;
}

static int spread_run(struct db_tx *tx, void *ctx, struct err *e)
{
    struct spread *s = ctx;
    struct arena a;
    struct {
        int64_t id;
        str type;
    } list[SPREAD_AT_ONCE];
    size_t n = 0;
    arena_init(&a, 1 << 20);
    auto_rows *rows = NULL;
    int rc = db_query(tx,
                      "SELECT id, type FROM outbox WHERE delivered_at IS NULL AND next_try > 0"
                      " ORDER BY id LIMIT $1",
                      DB(DBI(SPREAD_AT_ONCE)), &rows, e);
    while (rc >= 0 && n < SPREAD_AT_ONCE && (rc = db_next(rows, e)) == 1) {
        list[n].id = db_int(rows, 0);
        list[n++].type = arena_dup(&a, db_text(rows, 1));
    }
    db_rows_close(TAKE(rows));
    for (size_t i = 0; rc >= 0 && i < n; i++)
        rc = spread_one(tx, s->en, list[i].id, list[i].type, e);
    s->n = (int64_t)n;
    arena_done(&a);
    return rc < 0 ? rc : 0;
}

/* ---- one receiver
 * ---------------------------------------------------------------------------------- */

struct batch {
    const struct webhook *hook;
    struct webhook_line *line; /* NULL: no_line says why */
    int no_line;
    struct err why;
    struct arena a;
    struct notice list[BATCH];
    struct notice *digest; /* with digest_us: all of one account and type */
    size_t n;
    /* the outcome */
    bool sent, final;
    const char *problem;
    int64_t wait_us;
};

static void notice_read(struct batch *b, const struct db_rows *rows, struct notice *out)
{
    *out = (struct notice){
        .id = db_int(rows, 0),
        .account = arena_dup(&b->a, db_text(rows, 1)),
        .type = arena_dup(&b->a, db_text(rows, 2)),
        .key = arena_dup(&b->a, db_text(rows, 3)),
        .notification_id = arena_dup(&b->a, db_text(rows, 4)),
        .payload = arena_dup(&b->a, db_text(rows, 5)),
        .created_us = db_int(rows, 6),
        .deadline_us = db_int(rows, 7),
        .tries = db_int(rows, 8),
        .email = arena_dup(&b->a, db_text(rows, 9)),
    };
}

#define COLUMNS                                                                                    \
    "SELECT o.id, o.account, o.type, o.key, o.notification_id, o.payload, o.created_at,"           \
    " o.deadline, d.tries, a.email, d.batch FROM outbox_delivery d JOIN outbox o ON o.id = "       \
    "d.outbox"                                                                                     \
    " LEFT JOIN accounts a ON a.name = o.account"                                                  \
    " WHERE d.target = $1 AND d.state = 0"

/* Due ones, no two of one key, and none that an earlier one of its key must precede. */
static int take_due(struct db_tx *tx, void *ctx, struct err *e)
{
    struct batch *b = ctx;
    auto_rows *rows = NULL;
    b->n = 0;
    int rc =
        db_query(tx,
                 COLUMNS " AND d.next_try <= now_us() AND NOT EXISTS (SELECT 1 FROM outbox_delivery"
                         " f JOIN outbox p ON p.id = f.outbox WHERE f.target = $1 AND f.state = 0"
                         " AND p.id < o.id AND p.account = o.account AND p.type = o.type"
                         " AND p.key = o.key) ORDER BY o.id LIMIT $2",
                 DB(DBZ(b->hook->name), DBI(BATCH)), &rows, e);
    while (rc >= 0 && b->n < BATCH && (rc = db_next(rows, e)) == 1)
        notice_read(b, rows, &b->list[b->n++]);
    return rc < 0 ? rc : 0;
}

/* The oldest that is due; 0: none. A message that failed goes before what came later of its account
 * and type. A new one waits until the data that came in its window are gone through: one event is
 * one message, however long it takes and whoever is killed meanwhile. */
static int digest_first(struct db_tx *tx, struct batch *b, struct notice *out, int64_t *batch,
                        struct err *e)
{
    auto_rows *rows = NULL;
    int64_t findings, verdicts;
    int rc = changes_open_since(tx, STR("vuln_update"), &findings, e);
    if (rc >= 0)
        rc = changes_open_since(tx, STR("policy_eval"), &verdicts, e);
    if (rc >= 0)
        rc = db_query(
            tx,
            COLUMNS
            " AND d.next_try <= now_us() AND NOT EXISTS (SELECT 1 FROM outbox_delivery f"
            " JOIN outbox p ON p.id = f.outbox WHERE f.target = $1 AND f.state = 0"
            " AND f.batch > 0 AND f.batch <> d.batch AND p.account = o.account"
            " AND p.type = o.type AND p.id < o.id) AND (d.batch > 0 OR o.created_at < now_us() - $3"
            " OR o.created_at + $2 < CASE o.type WHEN 'vuln_update' THEN $4 WHEN 'policy_eval'"
            " THEN $5 ELSE 9223372036854775807 END) ORDER BY o.id LIMIT 1",
            DB(DBZ(b->hook->name), DBI(b->hook->digest_us),
               DBI(b->hook->digest_us + HOLD_SECONDS * 1000000LL), DBI(findings), DBI(verdicts)),
            &rows, e);
    if (rc < 0 || (rc = db_next(rows, e)) <= 0)
        return rc;
    notice_read(b, rows, out);
    *batch = db_int(rows, 10);
    return 1;
}

/* What one message has is written down before it is sent: sent again under the same key, it is the
 * same message, whatever came meanwhile. *batch: the id of its first notice. */
static int digest_make(struct db_tx *tx, struct batch *b, const struct notice *first,
                       int64_t *batch, struct err *e)
{
    auto_rows *rows = NULL;
    int64_t last = first->id, bytes = 0;
    int rc = db_query(tx,
                      "SELECT o.id, LENGTH(o.payload) FROM outbox_delivery d JOIN outbox o"
                      " ON o.id = d.outbox WHERE d.target = $1 AND d.state = 0 AND d.batch = 0"
                      " AND o.account = $2 AND o.type = $3 AND o.id >= $4 ORDER BY o.id LIMIT $5",
                      DB(DBZ(b->hook->name), DBS(first->account), DBS(first->type), DBI(first->id),
                         DBI(DIGEST_NOTICES)),
                      &rows, e);
    while (rc >= 0 && (rc = db_next(rows, e)) == 1) {
        bytes += db_int(rows, 1);
        if (bytes > DIGEST_BYTES && db_int(rows, 0) != first->id)
            break;
        last = db_int(rows, 0);
    }
    db_rows_close(TAKE(rows));
    if (rc < 0)
        return rc;
    *batch = first->id;
    int64_t n = db_exec(
        tx,
        "UPDATE outbox_delivery SET batch = $2 WHERE target = $1 AND state = 0"
        " AND batch = 0 AND outbox IN (SELECT id FROM outbox WHERE account = $3"
        " AND type = $4 AND id >= $2 AND id <= $5)",
        DB(DBZ(b->hook->name), DBI(*batch), DBS(first->account), DBS(first->type), DBI(last)), e);
    return n < 0 ? (int)n : 0;
}

/* One message: everything that waits of the account and type whose oldest notice is due. */
static int take_digest(struct db_tx *tx, void *ctx, struct err *e)
{
    struct batch *b = ctx;
    struct notice first;
    auto_rows *rows = NULL;
    int64_t batch = 0;
    b->n = 0;
    b->digest = arena_calloc(&b->a, DIGEST_NOTICES, sizeof *b->digest);
    if (!b->digest)
        return err_no_memory(e);
    int rc = digest_first(tx, b, &first, &batch, e);
    if (rc == 1 && !batch)
        rc = digest_make(tx, b, &first, &batch, e);
    if (rc < 0 || !batch)
        return rc;
    rc = db_query(tx, COLUMNS " AND d.batch = $2 ORDER BY o.id LIMIT $3",
                  DB(DBZ(b->hook->name), DBI(batch), DBI(DIGEST_NOTICES)), &rows, e);
    while (rc >= 0 && b->n < DIGEST_NOTICES && (rc = db_next(rows, e)) == 1)
        notice_read(b, rows, &b->digest[b->n++]);
    return rc < 0 ? rc : 0;
}

struct outcome {
    const struct batch *b;
    const struct notice *list;
    size_t n;
};

static int mark(struct db_tx *tx, void *ctx, struct err *e)
{
    const struct outcome *o = ctx;
    for (size_t i = 0; i < o->n; i++) {
        int64_t id = o->list[i].id;
        int64_t rc =
            db_exec(tx,
                    "UPDATE outbox_delivery SET tries = tries + 1, state = CASE WHEN $3 = 1 THEN 1"
                    " WHEN $4 = 1 OR (SELECT deadline FROM outbox WHERE id = $1) < now_us() THEN 2"
                    " ELSE 0 END, ended_at = CASE WHEN $3 = 1 THEN now_us() ELSE NULL END,"
                    " next_try = now_us() + $5, last_error = $6 WHERE outbox = $1 AND target = $2",
                    DB(DBI(id), DBZ(o->b->hook->name), DBI(o->b->sent), DBI(o->b->final),
                       DBI(o->b->wait_us), DBZ(o->b->problem)),
                    e);
        if (rc >= 0)
            rc = db_exec(tx,
                         "UPDATE outbox SET delivered_at = now_us() WHERE id = $1 AND NOT EXISTS"
                         " (SELECT 1 FROM outbox_delivery WHERE outbox = $1 AND state <> 1)",
                         DB(DBI(id)), e);
        if (rc < 0)
            return (int)rc;
    }
    return 0;
}

static int64_t backoff_us(int64_t tries)
{
    int64_t s = BACKOFF_FIRST, max = BACKOFF_MAX;
    if (tries < 6)
        s = (int64_t)1 << tries;
    for (int64_t i = BACKOFF_TRIES; i <= tries && s < max; i++)
        s *= 2;
    return (s > max ? max : s) * 1000000;
}

/* Sends one message and writes down how it went. 1: sent, 0: not. */
static int deliver(struct engine *en, struct batch *b, const struct notice *list, size_t n,
                   struct err *e)
{
    struct err why = b->why;
    char key[200];
    snprintf(key, sizeof key, "%.*s-%lld", STR_ARG(str_sub(list->notification_id, 0, 150)),
             (long long)list->id);
    int rc = b->line ? webhook_send(b->line, list, n, key, &why) : b->no_line;
    b->sent = rc == 0;
    b->final = rc < 0 && rc != ERR_NET && rc != ERR_AUTH && rc != ERR_NO_MEMORY;
    b->problem = rc < 0 ? why.text : NULL;
    b->wait_us = rc < 0 ? backoff_us(list->tries) : 0;
    metric_add(en->metrics, METRIC_NOTIFICATIONS_TOTAL, 1,
               METRIC_LABELS(b->hook->name, rc == 0 ? "success" : "fail"));
    if (rc < 0)
        log_warn(log_name, "notification %s to webhook \"%s\": %s", key, b->hook->name, why.text);
    struct outcome o = {b, list, n};
    rc = db_run(en->db, DB_WRITE, mark, &o, e);
    return rc < 0 ? rc : b->sent;
}

/* The receiver answers: what failed before is due. 1: something is, 0: nothing failed. */
static int wake(struct db_tx *tx, void *ctx, struct err *e)
{
    const struct webhook *hook = ctx;
    int64_t n = db_exec(tx,
                        "UPDATE outbox_delivery SET next_try = now_us() WHERE target = $1"
                        " AND state = 0 AND tries > 0 AND next_try > now_us()",
                        DB(DBZ(hook->name)), e);
    return n < 0 ? (int)n : n > 0;
}

/* Until nothing is due or a delivery fails. *wake_s: when what failed may be tried early again. */
static int lane_run(struct engine *en, struct webhook *hook, int64_t *wake_s, struct err *e)
{
    autofree struct batch *b = calloc(1, sizeof *b);
    if (!b)
        return err_no_memory(e);
    b->hook = hook;
    b->no_line = webhook_open(hook, &b->line, &b->why);
    bool digest = hook->digest_us > 0, going = true, answered = false;
    int rc = 0;
    while (rc >= 0 && going && !engine_stopping(en)) {
        arena_init(&b->a, 256 << 20);
        rc = digest ? db_run(en->db, DB_WRITE, take_digest, b, e)
                    : db_run(en->db, DB_READ, take_due, b, e);
        going = rc >= 0 && b->n > 0;
        if (going && digest)
            going = (rc = deliver(en, b, b->digest, b->n, e)) == 1;
        for (size_t i = 0; going && !digest && i < b->n && !engine_stopping(en); i++)
            going = (rc = deliver(en, b, &b->list[i], 1, e)) == 1;
        arena_done(&b->a);
        answered |= going;
        if (rc >= 0 && !b->n && answered && clock_s() >= *wake_s) {
            going = (rc = db_run(en->db, DB_WRITE, wake, hook, e)) == 1;
            if (going)
                *wake_s = clock_s() + WAKE_SECONDS;
        }
    }
    webhook_close(b->line);
    return rc < 0 ? rc : 0;
}

/* ---- receivers side by side
 * ---------------------------------------------------------------------- */

struct lane {
    struct engine *en;
    struct webhook hook;
    pthread_t thread;
    bool started;
    int64_t wake_s; /* the thread's: see lane_run() */
    atomic_bool busy;
};
struct notifier {
    struct lane lanes[WEBHOOKS];
    time_t sweep_s; /* of the monotonic clock: not before */
};

static void *lane_thread(void *ctx)
{
    struct lane *l = ctx;
    struct err e = {0};
    if (lane_run(l->en, &l->hook, &l->wake_s, &e) < 0)
        log_error(log_name, "notifications to webhook \"%s\": %s", l->hook.name, e.text);
    atomic_store(&l->busy, false);
    return NULL;
}

static void lane_join(struct lane *l)
{
    if (l->started)
        pthread_join(l->thread, NULL);
    l->started = false;
}

static void lane_start(struct lane *l)
{
    lane_join(l);
    atomic_store(&l->busy, true);
    l->started = pthread_create(&l->thread, NULL, lane_thread, l) == 0;
    if (!l->started)
        atomic_store(&l->busy, false);
}

int notifications_start(struct engine *en, struct err *e)
{
    struct notifier *n = calloc(1, sizeof *n);
    if (!n)
        return err_no_memory(e);
    en->state[SERVICE_CATALOG] = n;
    return 0;
}

void notifications_stop(struct engine *en)
{
    struct notifier *n = en->state[SERVICE_CATALOG];
    for (size_t i = 0; n && i < WEBHOOKS; i++)
        lane_join(&n->lanes[i]);
    free(n);
    en->state[SERVICE_CATALOG] = NULL;
}

/* ---- the whole
 * ------------------------------------------------------------------------------------- */

struct due {
    bool fresh; /* something in the outbox is for nobody yet */
    bool targets[WEBHOOKS];
};

static int read_due(struct db_tx *tx, void *ctx, struct err *e)
{
    struct due *d = ctx;
    auto_rows *fresh = NULL, *rows = NULL;
    *d = (struct due){0};
    int rc =
        db_query(tx, "SELECT 1 FROM outbox WHERE delivered_at IS NULL AND next_try > 0 LIMIT 1",
                 DB0, &fresh, e);
    if (rc < 0 || (rc = db_next(fresh, e)) < 0)
        return rc;
    d->fresh = rc == 1;
    db_rows_close(TAKE(fresh));
    rc = db_query(tx,
                  "SELECT DISTINCT target FROM outbox_delivery WHERE state = 0"
                  " AND next_try <= now_us()",
                  DB0, &rows, e);
    while (rc >= 0 && (rc = db_next(rows, e)) == 1)
        for (size_t i = 0; i < WEBHOOKS; i++)
            d->targets[i] |= str_eq(db_text(rows, 0), str_z(webhook_names[i]));
    return rc < 0 ? rc : 0;
}

/* A receiver that the configuration no longer names gets nothing any more. */
static int drop_target(struct db_tx *tx, void *ctx, struct err *e)
{
    const char *name = ctx;
    int64_t n = db_exec(tx,
                        "UPDATE outbox_delivery SET state = 2, last_error ="
                        " 'the configuration names no such webhook any more'"
                        " WHERE target = $1 AND state = 0",
                        DB(DBZ(name)), e);
    return n < 0 ? (int)n : 0;
}

static int sweep(struct db_tx *tx, void *ctx, struct err *e)
{
    int64_t n = db_exec(tx,
                        "DELETE FROM outbox WHERE created_at < now_us() - $1 AND NOT EXISTS"
                        " (SELECT 1 FROM outbox_delivery d WHERE d.outbox = outbox.id"
                        " AND d.state = 0)",
                        DB(DBI((NOTIFICATION_DAYS + NOTIFICATION_KEEP) * 86400LL * 1000000)), e);
    if (n > 0)
        n = db_exec(tx, "DELETE FROM outbox_delivery WHERE outbox NOT IN (SELECT id FROM outbox)",
                    DB0, e);
    return n < 0 ? (int)n : 0;
}

struct old_events {
    int64_t days, n;
};

static int sweep_events(struct db_tx *tx, void *ctx, struct err *e)
{
    struct old_events *o = ctx;
    o->n = db_exec(tx,
                   "DELETE FROM events WHERE id IN (SELECT id FROM events WHERE created_at <"
                   " now_us() - $1 ORDER BY created_at LIMIT $2)",
                   DB(DBI(o->days * 86400LL * 1000000), DBI(EVENTS_AT_ONCE)), e);
    return o->n < 0 ? (int)o->n : 0;
}

/* Once an hour: what is swept is days old. */
static int sweep_at_times(struct engine *en, struct notifier *n, struct err *e)
{
    struct old_events old = {.days = en->config->event_days, .n = EVENTS_AT_ONCE};
    int64_t now = clock_s();
    if (n->sweep_s > now)
        return 0;
    n->sweep_s = now + SWEEP_SECONDS;
    int rc = db_run(en->db, DB_WRITE, sweep, NULL, e);
    while (rc >= 0 && old.days && old.n == EVENTS_AT_ONCE && !engine_stopping(en))
        rc = db_run(en->db, DB_WRITE, sweep_events, &old, e);
    return rc;
}

int notifications_run(struct engine *en, struct err *e)
{
    struct spread s = {.en = en};
    struct due due;
    struct notifier *all = en->state[SERVICE_CATALOG];
    int rc = db_run(en->db, DB_READ, read_due, &due, e);
    if (rc >= 0 && due.fresh) {
        do {
            rc = db_run(en->db, DB_WRITE, spread_run, &s, e);
        } while (rc >= 0 && s.n == SPREAD_AT_ONCE && !engine_stopping(en));
        if (rc >= 0)
            rc = db_run(en->db, DB_READ, read_due, &due, e);
    }
    for (size_t i = 0; rc >= 0 && i < WEBHOOKS; i++) {
        struct lane *l = &all->lanes[i];
        if (!due.targets[i] || atomic_load(&l->busy))
            continue;
        struct err why = {0};
        l->en = en;
        int named = webhook_named(en->config, webhook_names[i], &l->hook, &why);
        if (named < 0)
            log_error(log_name, "%s", why.text);
        else if (named == 0)
            rc = db_run(en->db, DB_WRITE, drop_target, (void *)webhook_names[i], e);
        else
            lane_start(l);
    }
    if (rc >= 0)
        rc = sweep_at_times(en, all, e);
    return rc < 0 ? rc : 0;
}
