#include "services/simplequeue/messages.h"

#include "codec/digest.h"

#include <sys/random.h>

enum { QUEUES_MAX = 10000 };

const char *const simplequeue_known[] = {
    "analysis_update", "archive_tasks",         "event_log",
    "feed_sync_tasks", "image_vulnerabilities", "images_to_analyze",
    "policy_eval",     "repo_update",           "tag_update",
    "vuln_update",     "watcher_tasks",         NULL};

/* Queues that hand out only so many messages at a time. */
static const struct limited {
    str queue;
    int64_t outstanding, visibility;
} limited[] = {{STR_INIT("feed_sync_tasks"), 1, 3600}};

static const struct limited *limit_of(str queue)
{
    for (size_t i = 0; i < KE_ARRAY_LEN(limited); i++) {
        if (str_eq(queue, limited[i].queue))
            return &limited[i];
    }
    return NULL;
}

bool simplequeue_name_ok(str queue)
{
    for (size_t i = 0; i < queue.n; i++) {
        char c = queue.p[i];
        if (!ke_isalnum(c) && c != '_' && c != '-' && c != '.')
            return false;
    }
    return queue.n > 0 && queue.n <= SIMPLEQUEUE_NAME_MAX;
}

const char *simplequeue_data_id(str sorted, char text[SIMPLEQUEUE_ID_TEXT])
{
    char whole[SHA256_TEXT];
    struct sha256 d = sha256_of(sorted.p, sorted.n);
    sha256_format(&d, whole);
    memcpy(text, whole + strlen("sha256:"), SIMPLEQUEUE_ID_TEXT - 1);
    text[SIMPLEQUEUE_ID_TEXT - 1] = '\0';
    return text;
}

#define COLUMNS                                                                                    \
    "id, queue, payload, data_id, receipt_handle, visible_at, popped, priority, tries, "           \
    "max_tries, created_at, last_updated"

static int read_message(struct db_rows *r, struct arena *a, struct simplequeue_message *out,
                        struct err *e)
{
    *out = (struct simplequeue_message){.id = db_int(r, 0),
                                        .queue = arena_dup(a, db_text(r, 1)),
                                        .payload = arena_dup(a, db_text(r, 2)),
                                        .data_id = arena_dup(a, db_text(r, 3)),
                                        .visible_at = db_int(r, 5),
                                        .popped = db_int(r, 6),
                                        .priority = db_int(r, 7),
                                        .tries = db_int(r, 8),
                                        .max_tries = db_int(r, 9),
                                        .created = db_int(r, 10),
                                        .updated = db_int(r, 11)};
    if (!db_is_null(r, 4))
        out->receipt = arena_dup(a, db_text(r, 4));
    return a->full ? err_no_memory(e) : 1;
}

/* The first row of a query of COLUMNS: 1, or 0. */
static int one_message(struct db_tx *tx, struct arena *a, const char *sql, const struct db_value *v,
                       size_t n, struct simplequeue_message *out, struct err *e)
{
    auto_rows *r = NULL;
    int rc = db_query(tx, sql, v, n, &r, e);
    if (rc == 0)
        rc = db_next(r, e);
    return rc > 0 ? read_message(r, a, out, e) : rc;
}

/* ---- put -------------------------------------------------------------------------------------
 */

static int put(struct db_tx *tx, void *ctx, struct err *e)
{
    const struct simplequeue_message *m = ctx;
    int64_t rc = db_exec(tx,
                         "INSERT INTO simplequeue_message (queue, payload, data_id, priority, "
                         "tries, max_tries, created_at, last_updated) "
                         "VALUES ($1, $2, $3, $4, $5, $6, now_us(), now_us())",
                         DB(DBS(m->queue), DBS(m->payload), DBS(m->data_id), DBI(m->priority),
                            DBI(m->tries), DBI(m->max_tries)),
                         e);
    return rc < 0 ? (int)rc : db_notify(tx, "simplequeue", m->queue, e);
}

int simplequeue_put(struct db *db, const struct simplequeue_message *m, struct err *e)
{
    return db_run(db, DB_WRITE, put, (void *)(uintptr_t)m, e);
}

/* ---- take ------------------------------------------------------------------------------------
 */

struct take {
    struct arena *arena;
    str queue;
    int64_t visibility;
    struct simplequeue_message *out;
};

/* 1: as many are out as may be. The queue's first row is the lock that makes this exact. */
static int is_exhausted(struct db_tx *tx, const struct limited *l, struct err *e)
{
    int64_t n = 0;
    int rc = db_query_int(tx,
                          "SELECT id FROM simplequeue_message WHERE queue = $1 ORDER BY id LIMIT 1 "
                          "{for_update}",
                          DB(DBS(l->queue)), &n, e);
    if (rc == ERR_NOT_FOUND)
        return 1;
    if (rc == 0)
        rc = db_query_int(tx,
                          "SELECT count(*) FROM simplequeue_message "
                          "WHERE queue = $1 AND visible_at > now_us()",
                          DB(DBS(l->queue)), &n, e);
    return rc < 0 ? rc : n >= l->outstanding;
}

static void new_receipt(char text[33])
{
    uint8_t random[16];
    while (getrandom(random, sizeof random, 0) != sizeof random)
        ;
    for (size_t i = 0; i < sizeof random; i++)
        snprintf(text + 2 * i, 3, "%02x", random[i]);
}

static int hand_out(struct db_tx *tx, const struct take *t, struct err *e)
{
    char receipt[33];
    new_receipt(receipt);
    return one_message(tx, t->arena,
                       "UPDATE simplequeue_message SET popped = 1, receipt_handle = $1, "
                       "visible_at = now_us() + $2, tries = tries + 1, last_updated = now_us() "
                       "WHERE id = $3 RETURNING " COLUMNS,
                       DB(DBZ(receipt), DBI(t->visibility * 1000000), DBI(t->out->id)), t->out, e);
}

static int take(struct db_tx *tx, void *ctx, struct err *e)
{
    struct take *t = ctx;
    const struct limited *l = limit_of(t->queue);
    if (l) {
        int rc = is_exhausted(tx, l, e);
        if (rc != 0)
            return rc < 0 ? rc : 0;
        t->visibility = t->visibility > 0 ? t->visibility : l->visibility;
    }
    int rc = one_message(tx, t->arena,
                         "SELECT " COLUMNS " FROM simplequeue_message WHERE queue = $1 AND "
                         "(visible_at IS NULL OR visible_at <= now_us()) "
                         "ORDER BY priority DESC, id LIMIT 1 {skip_locked}",
                         DB(DBS(t->queue)), t->out, e);
    if (rc <= 0)
        return rc;
    if (t->visibility > 0)
        return hand_out(tx, t, e);
    int64_t n =
        db_exec(tx, "DELETE FROM simplequeue_message WHERE id = $1", DB(DBI(t->out->id)), e);
    return n < 0 ? (int)n : 1;
}

/* Most looks find nothing: they need no writing transaction. */
static int look(struct db_tx *tx, void *ctx, struct err *e)
{
    struct take *t = ctx;
    int64_t id;
    int rc = db_query_int(tx,
                          "SELECT id FROM simplequeue_message WHERE queue = $1 AND "
                          "(visible_at IS NULL OR visible_at <= now_us()) LIMIT 1",
                          DB(DBS(t->queue)), &id, e);
    return rc == ERR_NOT_FOUND ? 0 : rc < 0 ? rc : 1;
}

int simplequeue_take(struct db *db, struct arena *a, str queue, int64_t visibility,
                     struct simplequeue_message *out, struct err *e)
{
    struct take t = {a, queue, visibility, out};
    int rc = db_run(db, DB_READ, look, &t, e);
    return rc > 0 ? db_run(db, DB_WRITE, take, &t, e) : rc;
}

/* ---- receipts ---------------------------------------------------------------------------------
 */

struct receipt {
    str queue, receipt;
    int64_t seconds, *until;
};

static int delete_message(struct db_tx *tx, void *ctx, struct err *e)
{
    const struct receipt *r = ctx;
    int64_t n =
        db_exec(tx, "DELETE FROM simplequeue_message WHERE queue = $1 AND receipt_handle = $2",
                DB(DBS(r->queue), DBS(r->receipt)), e);
    if (n < 0)
        return (int)n;
    return n ? 0 : err_set(e, ERR_NOT_FOUND, "no message has this receipt handle");
}

int simplequeue_delete(struct db *db, str queue, str receipt, struct err *e)
{
    struct receipt r = {.queue = queue, .receipt = receipt};
    return db_run(db, DB_WRITE, delete_message, &r, e);
}

static int extend(struct db_tx *tx, void *ctx, struct err *e)
{
    const struct receipt *r = ctx;
    int rc =
        db_query_int(tx,
                     "UPDATE simplequeue_message SET visible_at = now_us() + $1, "
                     "last_updated = now_us() WHERE queue = $2 AND receipt_handle = $3 "
                     "RETURNING visible_at",
                     DB(DBI(r->seconds * 1000000), DBS(r->queue), DBS(r->receipt)), r->until, e);
    if (rc == ERR_NOT_FOUND)
        return err_set(e, rc, "no message has this receipt handle");
    return rc;
}

int simplequeue_extend(struct db *db, str queue, str receipt, int64_t seconds, int64_t *until,
                       struct err *e)
{
    struct receipt r = {queue, receipt, seconds, until};
    return db_run(db, DB_WRITE, extend, &r, e);
}

/* ---- looking ---------------------------------------------------------------------------------
 */

struct search {
    struct arena *arena;
    str queue, data_id;
    struct simplequeue_message *out;
};

static int find(struct db_tx *tx, void *ctx, struct err *e)
{
    struct search *s = ctx;
    return one_message(tx, s->arena,
                       "SELECT " COLUMNS " FROM simplequeue_message "
                       "WHERE queue = $1 AND data_id = $2 ORDER BY id LIMIT 1",
                       DB(DBS(s->queue), DBS(s->data_id)), s->out, e);
}

int simplequeue_find(struct db *db, struct arena *a, str queue, str data_id,
                     struct simplequeue_message *out, struct err *e)
{
    struct search s = {a, queue, data_id, out};
    return db_run(db, DB_READ, find, &s, e);
}

struct renumber {
    str queue;
    int64_t from, to;
};

static int renumber(struct db_tx *tx, void *ctx, struct err *e)
{
    const struct renumber *r = ctx;
    int64_t n = db_exec(tx, "UPDATE simplequeue_message SET id = $1 WHERE queue = $2 AND id = $3",
                        DB(DBI(r->to), DBS(r->queue), DBI(r->from)), e);
    if (n == ERR_EXISTS)
        return err_set(e, ERR_EXISTS, "there is a message %lld already", (long long)r->to);
    if (n < 0)
        return (int)n;
    return n ? 0 : err_set(e, ERR_NOT_FOUND, "no message %lld in this queue", (long long)r->from);
}

int simplequeue_renumber(struct db *db, str queue, int64_t from, int64_t to, struct err *e)
{
    struct renumber r = {queue, from, to};
    return db_run(db, DB_WRITE, renumber, &r, e);
}

static bool is_known(str queue)
{
    for (size_t i = 0; simplequeue_known[i]; i++) {
        if (str_eq(queue, str_z(simplequeue_known[i])))
            return true;
    }
    return false;
}

static int compare_lengths(const void *a, const void *b)
{
    return str_cmp(((const struct simplequeue_length *)a)->queue,
                   ((const struct simplequeue_length *)b)->queue);
}

int simplequeue_lengths(struct db_tx *tx, struct arena *a, struct simplequeue_length **out,
                        size_t *n, struct err *e)
{
    struct simplequeue_length *list = arena_calloc(a, QUEUES_MAX, sizeof *list);
    if (!list)
        return err_no_memory(e);
    size_t used = 0;
    for (; simplequeue_known[used]; used++)
        list[used].queue = str_z(simplequeue_known[used]);
    auto_rows *r = NULL;
    int rc = db_query(tx,
                      "SELECT queue, count(*) FROM (SELECT queue FROM simplequeue_message "
                      "UNION ALL SELECT queue FROM queue_item) AS both_kinds GROUP BY queue",
                      DB0, &r, e);
    while (rc >= 0 && (rc = db_next(r, e)) > 0) {
        str queue = db_text(r, 0);
        size_t i = 0;
        for (; is_known(queue) && !str_eq(list[i].queue, queue); i++)
            ;
        if (!is_known(queue)) {
            if (used == QUEUES_MAX)
                continue;
            i = used++;
            list[i].queue = arena_dup(a, queue);
        }
        list[i].n = db_int(r, 1);
    }
    if (rc < 0)
        return rc;
    qsort(list, used, sizeof *list, compare_lengths);
    *out = list;
    *n = used;
    return a->full ? err_no_memory(e) : 0;
}

struct count {
    str queue;
    int64_t *out;
};

static int count(struct db_tx *tx, void *ctx, struct err *e)
{
    struct count *c = ctx;
    return db_query_int(tx,
                        "SELECT (SELECT count(*) FROM simplequeue_message WHERE queue = $1) + "
                        "(SELECT count(*) FROM queue_item WHERE queue = $2)",
                        DB(DBS(c->queue), DBS(c->queue)), c->out, e);
}

int simplequeue_length_of(struct db *db, str queue, int64_t *out, struct err *e)
{
    struct count c = {queue, out};
    return db_run(db, DB_READ, count, &c, e);
}
