#include "services/call.h"

#include "base/clock.h"
#include "services/simplequeue/messages.h"
#include "services/simplequeue/simplequeue.h"

enum { LOOK_EVERY_MS = 1000, WAIT_MAX_SECONDS = 3600 };
static const int64_t visibility_max = (int64_t)366 * 86400;

/* The queue of the path, or an answer: *queue.n is 0 then. */
static int queue_of(struct call *c, str *queue)
{
    *queue = call_param(c, "queuename");
    if (simplequeue_name_ok(*queue))
        return 0;
    *queue = (str){0};
    return call_error(c, 400, "a queue's name has 1 to %d letters, digits, '_', '-' and '.'",
                      SIMPLEQUEUE_NAME_MAX);
}

static int send_true(struct call *c)
{
    yyjson_mut_doc *d = call_doc(c);
    return call_send(c, 200, d, yyjson_mut_bool(d, true));
}

static int send_nothing(struct call *c)
{
    yyjson_mut_doc *d = call_doc(c);
    return call_send(c, 200, d, yyjson_mut_obj(d));
}

static int send_message(struct call *c, const struct simplequeue_message *m)
{
    yyjson_mut_doc *d = call_doc(c);
    yyjson_mut_val *o = yyjson_mut_obj(d);
    put_int(d, o, "queueId", m->id);
    put_str(d, o, "userId", STR("system"));
    put_str(d, o, "queueName", m->queue);
    put_int(d, o, "created_at", m->created / 1000000);
    put_int(d, o, "last_updated", m->updated / 1000000);
    put_bool(d, o, "popped", m->popped != 0);
    put_bool(d, o, "priority", m->priority != 0);
    put_json(d, o, "data", m->payload);
    put_str(d, o, "dataId", m->data_id);
    put_int(d, o, "tries", m->tries);
    put_int(d, o, "max_tries", m->max_tries);
    put_str(d, o, "receipt_handle", m->receipt);
    put_str(d, o, "visible_at", m->visible_at ? time_text_us(&c->arena, m->visible_at) : (str){0});
    put_str(d, o, "record_state_key", STR("active"));
    put_null(d, o, "record_state_val");
    return call_send(c, 200, d, o);
}

/* ---- queues ----------------------------------------------------------------------------------
 */

struct names {
    struct call *call;
    struct simplequeue_length *list;
    size_t n;
};

static int read_names(struct db_tx *tx, void *ctx, struct err *e)
{
    struct names *names = ctx;
    return simplequeue_lengths(tx, &names->call->arena, &names->list, &names->n, e);
}

int simplequeue_list_queues(struct call *c)
{
    struct names names = {.call = c};
    int rc = db_run(c->engine->db, DB_READ, read_names, &names, c->err);
    if (rc < 0)
        return rc;
    yyjson_mut_doc *d = call_doc(c);
    yyjson_mut_val *list = yyjson_mut_arr(d);
    for (size_t i = 0; i < names.n; i++)
        yyjson_mut_arr_add_strn(d, list, names.list[i].queue.p, names.list[i].queue.n);
    return call_send(c, 200, d, list);
}

int simplequeue_qlen(struct call *c)
{
    str queue;
    int rc = queue_of(c, &queue);
    if (rc < 0 || !queue.n)
        return rc;
    int64_t n;
    rc = simplequeue_length_of(c->engine->db, queue, &n, c->err);
    if (rc < 0)
        return rc;
    str text = arena_printf(&c->arena, "\"%lld\"\n", (long long)n);
    return call_send_text(c, 200, "application/json", text);
}

/* ---- taking ----------------------------------------------------------------------------------
 */

/* The message, or nothing when the time is up, or waits on. */
static int look_again(struct call *c)
{
    struct simplequeue_waiter *w = c->state;
    struct simplequeue_waiters *all = c->engine->state[SERVICE_SIMPLEQUEUE];
    struct simplequeue_message m;
    int rc = c->rq && httpd_gone(c->rq)
                 ? 0
                 : simplequeue_take(c->engine->db, &c->arena, w->queue, w->visibility, &m, c->err);
    uint64_t now = (uint64_t)clock_us();
    if (rc == 0 && w->waits && now < w->deadline_us && !httpd_gone(c->rq)) {
        uint64_t left = (w->deadline_us - now) / 1000 + 1;
        return call_park(c, left < LOOK_EVERY_MS ? (uint32_t)left : LOOK_EVERY_MS, look_again);
    }
    if (w->waits)
        simplequeue_waiters_remove(all, w);
    if (rc < 0)
        return rc;
    return rc ? send_message(c, &m) : send_nothing(c);
}

static int64_t clamp(int64_t v, int64_t max)
{
    return v < 0 ? 0 : v > max ? max : v;
}

int simplequeue_dequeue(struct call *c)
{
    str queue;
    int rc = queue_of(c, &queue);
    if (rc < 0 || !queue.n)
        return rc;
    int64_t wait = clamp(call_int(c, "wait_max_seconds", 0), WAIT_MAX_SECONDS);
    struct simplequeue_waiter *w = arena_new(&c->arena, struct simplequeue_waiter);
    if (!w)
        return err_no_memory(c->err);
    w->queue = queue;
    w->visibility = clamp(call_int(c, "visibility_timeout", 0), visibility_max);
    w->rq = c->rq;
    w->deadline_us = (uint64_t)clock_us() + (uint64_t)wait * 1000000;
    c->state = w;
    w->waits = wait && c->rq;
    if (w->waits)
        simplequeue_waiters_add(c->engine->state[SERVICE_SIMPLEQUEUE], w);
    return look_again(c);
}

/* ---- putting ---------------------------------------------------------------------------------
 */

/* The body as stored and its id. False: it is no object, and that was answered. */
static bool body_of(struct call *c, struct simplequeue_message *m, int *rc)
{
    if (!yyjson_is_obj(c->body)) {
        *rc = call_error(c, 400, "the body must be a JSON object");
        return false;
    }
    yyjson_mut_doc *d = call_doc(c);
    auto_buf sorted;
    buf_init(&sorted, 64 << 20);
    *rc = json_pretty(yyjson_val_mut_copy(d, c->body), &sorted, c->err);
    if (*rc < 0)
        return false;
    char id[SIMPLEQUEUE_ID_TEXT];
    m->data_id = arena_dup(&c->arena, str_z(simplequeue_data_id(buf_view(&sorted), id)));
    m->payload = c->raw.n ? c->raw : arena_dup(&c->arena, buf_view(&sorted));
    if (c->arena.full)
        *rc = err_no_memory(c->err);
    return *rc == 0;
}

int simplequeue_enqueue(struct call *c)
{
    struct simplequeue_message m = {.priority = call_flag(c, "forcefirst", false),
                                    .tries = clamp(call_int(c, "qcount", 0), INT32_MAX)};
    int rc = queue_of(c, &m.queue);
    if (rc < 0 || !m.queue.n || !body_of(c, &m, &rc))
        return rc;
    rc = simplequeue_put(c->engine->db, &m, c->err);
    return rc < 0 ? rc : send_true(c);
}

int simplequeue_is_inqueue(struct call *c)
{
    struct simplequeue_message m = {0};
    int rc = queue_of(c, &m.queue);
    if (rc < 0 || !m.queue.n || !body_of(c, &m, &rc))
        return rc;
    struct simplequeue_message found;
    rc = simplequeue_find(c->engine->db, &c->arena, m.queue, m.data_id, &found, c->err);
    if (rc < 0)
        return rc;
    return rc ? send_message(c, &found) : send_nothing(c);
}

int simplequeue_update_queueid(struct call *c)
{
    str queue;
    int rc = queue_of(c, &queue);
    if (rc < 0 || !queue.n)
        return rc;
    yyjson_val *from = yyjson_obj_get(c->body, "src_queueId"),
               *to = yyjson_obj_get(c->body, "dst_queueId");
    if (!yyjson_is_int(from) || !yyjson_is_int(to))
        return call_error(c, 400, "src_queueId and dst_queueId must be numbers");
    rc = simplequeue_renumber(c->engine->db, queue, yyjson_get_sint(from), yyjson_get_sint(to),
                              c->err);
    return rc < 0 ? rc : send_true(c);
}

/* ---- receipts ---------------------------------------------------------------------------------
 */

int simplequeue_delete_message(struct call *c)
{
    str queue;
    int rc = queue_of(c, &queue);
    if (rc < 0 || !queue.n)
        return rc;
    str receipt = call_param(c, "receipt_handle");
    if (!receipt.n)
        return call_error(c, 400, "receipt_handle is missing");
    rc = simplequeue_delete(c->engine->db, queue, receipt, c->err);
    return rc < 0 ? rc : send_true(c);
}

int simplequeue_set_visibility(struct call *c)
{
    str queue;
    int rc = queue_of(c, &queue);
    if (rc < 0 || !queue.n)
        return rc;
    str receipt = call_param(c, "receipt_handle");
    int64_t seconds = call_int(c, "visibility_timeout", -1), until;
    if (!receipt.n || seconds < 0)
        return call_error(c, 400, "receipt_handle and visibility_timeout are needed");
    rc = simplequeue_extend(c->engine->db, queue, receipt, clamp(seconds, visibility_max), &until,
                            c->err);
    if (rc == ERR_NOT_FOUND)
        return call_error(c, 400, "%s", c->err->text);
    if (rc < 0)
        return rc;
    yyjson_mut_doc *d = call_doc(c);
    str text = time_text_us(&c->arena, until);
    return call_send(c, 200, d, yyjson_mut_strn(d, text.p, text.n));
}
