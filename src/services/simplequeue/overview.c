#include "services/analyzer/analyzer.h"
#include "services/call.h"
#include "services/log.h"
#include "services/metrics.h"
#include "services/simplequeue/messages.h"
#include "services/simplequeue/simplequeue.h"
#include "store/queue.h"

enum { LETTERS_MAX = 1000, LETTERS_DEFAULT = 100 };

struct overview {
    struct arena *arena;
    str queue; /* empty: all */
    size_t limit;
    struct queue_count *counts;
    size_t n_counts;
    struct simplequeue_length *lengths;
    size_t n_lengths;
    struct {
        struct queue_item *items;
        size_t n;
    } * dead; /* for each count */
};

static int read_counts(struct db_tx *tx, struct overview *o, struct err *e)
{
    int rc = queue_counts(tx, o->arena, &o->counts, &o->n_counts, e);
    return rc < 0 ? rc : simplequeue_lengths(tx, o->arena, &o->lengths, &o->n_lengths, e);
}

static int read_all(struct db_tx *tx, void *ctx, struct err *e)
{
    struct overview *o = ctx;
    int rc = read_counts(tx, o, e);
    if (rc < 0)
        return rc;
    o->dead = arena_calloc(o->arena, o->n_counts + 1, sizeof *o->dead);
    if (!o->dead)
        return err_no_memory(e);
    for (size_t i = 0; i < o->n_counts; i++) {
        const struct queue_count *q = &o->counts[i];
        if (!q->dead || (o->queue.n && !str_eq(o->queue, q->queue)))
            continue;
        rc = queue_dead(tx, o->arena, q->queue, &o->dead[i].items, &o->dead[i].n, o->limit, e);
        if (rc < 0)
            return rc;
    }
    return 0;
}

static yyjson_mut_val *count_value(yyjson_mut_doc *d, const struct queue_count *q)
{
    yyjson_mut_val *o = yyjson_mut_obj(d);
    put_str(d, o, "name", q->queue);
    put_int(d, o, "waiting", q->waiting);
    put_int(d, o, "leased", q->leased);
    put_int(d, o, "dead", q->dead);
    put_int(d, o, "oldest_waiting_seconds", q->oldest_us / 1000000);
    put_int(d, o, "oldest_lease_seconds", q->oldest_lease_us / 1000000);
    return o;
}

static yyjson_mut_val *letter_value(yyjson_mut_doc *d, const struct queue_item *q)
{
    yyjson_mut_val *o = yyjson_mut_obj(d);
    put_int(d, o, "id", q->id);
    put_str(d, o, "queue", q->queue);
    put_str(d, o, "account", q->account);
    put_int(d, o, "tries", q->tries);
    put_int(d, o, "max_tries", q->max_tries);
    put_str(d, o, "reason", q->reason);
    put_str(d, o, "last_owner", q->owner);
    put_time(d, o, "created_at", q->created);
    put_json(d, o, "payload", q->payload);
    return o;
}

int simplequeue_overview(struct call *c)
{
    int64_t limit = call_int(c, "limit", LETTERS_DEFAULT);
    struct overview o = {.arena = &c->arena,
                         .queue = call_param(c, "queue"),
                         .limit = limit < 0             ? 0
                                  : limit > LETTERS_MAX ? LETTERS_MAX
                                                        : (size_t)limit};
    int rc = db_run(c->engine->db, DB_READ, read_all, &o, c->err);
    if (rc < 0)
        return rc;
    yyjson_mut_doc *d = call_doc(c);
    yyjson_mut_val *root = yyjson_mut_obj(d), *queues = yyjson_mut_arr(d),
                   *messages = yyjson_mut_obj(d), *dead = yyjson_mut_arr(d);
    for (size_t i = 0; i < o.n_counts; i++) {
        yyjson_mut_arr_append(queues, count_value(d, &o.counts[i]));
        for (size_t k = 0; k < o.dead[i].n; k++)
            yyjson_mut_arr_append(dead, letter_value(d, &o.dead[i].items[k]));
    }
    for (size_t i = 0; i < o.n_lengths; i++)
        yyjson_mut_obj_add(messages, yyjson_mut_strn(d, o.lengths[i].queue.p, o.lengths[i].queue.n),
                           yyjson_mut_sint(d, o.lengths[i].n));
    yyjson_mut_obj_add_val(d, root, "queues", queues);
    yyjson_mut_obj_add_val(d, root, "lengths", messages);
    yyjson_mut_obj_add_val(d, root, "dead_letters", dead);
    return call_send(c, 200, d, root);
}

static int revive(struct db_tx *tx, void *ctx, struct err *e)
{
    return queue_revive(tx, *(int64_t *)ctx, e);
}

int simplequeue_revive(struct call *c)
{
    int64_t id = call_int(c, "id", -1);
    if (id < 0)
        return call_error(c, 400, "the id must be a number");
    int rc = db_run(c->engine->db, DB_WRITE, revive, &id, c->err);
    if (rc < 0)
        return rc;
    yyjson_mut_doc *d = call_doc(c);
    yyjson_mut_val *o = yyjson_mut_obj(d);
    put_int(d, o, "id", id);
    put_bool(d, o, "revived", true);
    return call_send(c, 200, d, o);
}

/* ---- metrics ---------------------------------------------------------------------------------
 */

/* The queue of analyses is told of when it is empty too: who scales workers by it sees a nought,
 * not nothing. */
static int read_for_metrics(struct db_tx *tx, void *ctx, struct err *e)
{
    struct overview *o = ctx;
    int rc = read_counts(tx, o, e);
    for (size_t i = 0; rc == 0 && i < o->n_counts; i++)
        if (str_eq(o->counts[i].queue, STR(ANALYZER_QUEUE)))
            return 0;
    struct queue_count *more = arena_calloc(o->arena, o->n_counts + 1, sizeof *more);
    if (rc < 0 || !more)
        return rc < 0 ? rc : err_no_memory(e);
    if (o->n_counts)
        memcpy(more, o->counts, o->n_counts * sizeof *more);
    more[o->n_counts++].queue = STR(ANALYZER_QUEUE);
    o->counts = more;
    return 0;
}

/* One line for each queue: load balancers of workers read the depth from the log. */
int simplequeue_report(struct engine *en, struct err *e)
{
    struct arena arena;
    arena_init(&arena, 16 << 20);
    struct overview o = {.arena = &arena};
    int rc = db_run(en->db, DB_READ, read_for_metrics, &o, e);
    for (size_t i = 0; rc == 0 && i < o.n_counts; i++) {
        const struct queue_count *q = &o.counts[i];
        const struct log_number numbers[] = {{"waiting", q->waiting},
                                             {"leased", q->leased},
                                             {"dead", q->dead},
                                             {"oldest_waiting_seconds", q->oldest_us / 1000000}};
        auto_buf name;
        buf_init(&name, 1024);
        buf_add_str(&name, q->queue);
        log_numbers("simplequeue", "queue", buf_z(&name), numbers, KE_ARRAY_LEN(numbers));
    }
    arena_done(&arena);
    return rc;
}

static void add_depth(struct buf *out, str queue, const char *state, int64_t n)
{
    buf_addf(out, "kellet_queue_depth{queue=\"%.*s\",state=\"%s\"} %lld\n", STR_ARG(queue), state,
             (long long)n);
}

void simplequeue_metrics(struct engine *en, struct buf *out)
{
    struct arena arena;
    struct err e;
    arena_init(&arena, 16 << 20);
    struct overview o = {.arena = &arena};
    if (db_run(en->db, DB_READ, read_for_metrics, &o, &e) == 0) {
        metrics_head(out, "anchore_queue_length", "gauge", "Messages in a queue");
        for (size_t i = 0; i < o.n_lengths; i++)
            metrics_sample(out, "anchore_queue_length", "queuename", o.lengths[i].queue,
                           (double)o.lengths[i].n);
        metrics_head(out, "kellet_queue_depth", "gauge", "Work in a queue");
        for (size_t i = 0; i < o.n_counts; i++) {
            add_depth(out, o.counts[i].queue, "waiting", o.counts[i].waiting);
            add_depth(out, o.counts[i].queue, "leased", o.counts[i].leased);
            add_depth(out, o.counts[i].queue, "dead", o.counts[i].dead);
        }
        metrics_head(out, "kellet_queue_wait_seconds", "gauge", "Age of the oldest waiting item");
        for (size_t i = 0; i < o.n_counts; i++)
            metrics_sample(out, "kellet_queue_wait_seconds", "queue", o.counts[i].queue,
                           (double)o.counts[i].oldest_us / 1e6);
        metrics_head(out, "kellet_lease_age_seconds", "gauge", "Age of the oldest lease");
        for (size_t i = 0; i < o.n_counts; i++)
            metrics_sample(out, "kellet_lease_age_seconds", "queue", o.counts[i].queue,
                           (double)o.counts[i].oldest_lease_us / 1e6);
    }
    arena_done(&arena);
}
