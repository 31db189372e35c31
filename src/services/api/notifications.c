#include "services/api/operations.h"

#include "services/notification.h"

enum { LIST_DEFAULT = 100, LIST_MAX = 1000 };
static const char *const states[] = {"pending", "delivered", "failed"};

struct asked {
    struct call *c;
    int64_t state; /* -1: any */
    yyjson_mut_doc *d;
    yyjson_mut_val *list;
};

static void put_delivery(struct asked *q, yyjson_mut_val *list, const struct db_rows *r)
{
    yyjson_mut_val *o = yyjson_mut_arr_add_obj(q->d, list);
    int64_t state = db_int(r, 7);
    put_str(q->d, o, "webhook", db_text(r, 6));
    put_str(q->d, o, "state", str_z(states[state < 0 || state > 2 ? 2 : state]));
    put_int(q->d, o, "tries", db_int(r, 8));
    put_time(q->d, o, "next_try", state == 0 ? db_int(r, 9) : 0);
    put_time(q->d, o, "delivered_at", db_int(r, 10));
    put_str(q->d, o, "last_error", db_text(r, 11));
}

static int list_run(struct db_tx *tx, void *ctx, struct err *e)
{
    struct asked *q = ctx;
    struct call *c = q->c;
    int64_t limit = call_int(c, "limit", LIST_DEFAULT), last = -1;
    yyjson_mut_val *deliveries = NULL;
    auto_rows *r = NULL;
    q->list = yyjson_mut_arr(q->d);
    int rc = db_query(
        tx,
        "SELECT o.id, o.type, o.key, o.notification_id, o.payload, o.created_at, d.target, d.state,"
        " d.tries, d.next_try, d.ended_at, d.last_error FROM (SELECT * FROM outbox x"
        " WHERE x.account = $1 AND ($2 = 0 OR x.id < $2) AND ($3 < 0 OR ($3 = 0 AND x.delivered_at "
        "IS NULL AND x.next_try > 0) OR EXISTS (SELECT 1 FROM"
        " outbox_delivery y WHERE y.outbox = x.id AND y.state = $3)) ORDER BY x.id DESC LIMIT $4) o"
        " LEFT JOIN outbox_delivery d ON d.outbox = o.id ORDER BY o.id DESC, d.target",
        DB(DBS(c->account), DBI(call_int(c, "before", 0)), DBI(q->state),
           DBI(limit < 1 || limit > LIST_MAX ? LIST_DEFAULT : limit)),
        &r, e);
    while (rc >= 0 && (rc = db_next(r, e)) == 1) {
        if (db_int(r, 0) != last) {
            yyjson_mut_val *o = yyjson_mut_arr_add_obj(q->d, q->list);
            last = db_int(r, 0);
            put_int(q->d, o, "id", last);
            put_str(q->d, o, "notification_type", db_text(r, 1));
            put_str(q->d, o, "subscription_key", db_text(r, 2));
            put_str(q->d, o, "notification_id", db_text(r, 3));
            if (call_flag(c, "detail", false))
                put_json(q->d, o, "payload", db_text(r, 4));
            put_time(q->d, o, "created_at", db_int(r, 5));
            deliveries = yyjson_mut_obj_add_arr(q->d, o, "deliveries");
        }
        if (!db_is_null(r, 6))
            put_delivery(q, deliveries, r);
    }
    return rc < 0 ? rc : 0;
}

static int list_notifications(struct call *c)
{
    struct asked q = {.c = c, .state = -1, .d = call_doc(c)};
    str state = call_param(c, "state");
    for (int i = 0; i < 3; i++)
        if (str_eq(state, str_z(states[i])))
            q.state = i;
    int rc = db_run(c->engine->db, DB_READ, list_run, &q, c->err);
    return rc < 0 ? rc : call_send(c, 200, q.d, q.list);
}

static int replay_run(struct db_tx *tx, void *ctx, struct err *e)
{
    struct call *c = ctx;
    int64_t id = call_int(c, "notification_id", -1);
    int64_t n =
        db_exec(tx,
                "UPDATE outbox SET delivered_at = NULL, next_try = now_us(),"
                " deadline = now_us() + $3 WHERE id = $1 AND account = $2",
                DB(DBI(id), DBS(c->account), DBI(NOTIFICATION_DAYS * 86400LL * 1000000)), e);
    if (n > 0)
        n = db_exec(tx,
                    "UPDATE outbox_delivery SET state = 0, tries = 0, next_try = now_us(),"
                    " ended_at = NULL, batch = 0 WHERE outbox = $1",
                    DB(DBI(id)), e);
    else if (n == 0)
        return err_set(e, ERR_NOT_FOUND, "there is no notification %lld", (long long)id);
    return n < 0 ? (int)n : db_notify(tx, NOTIFICATION_CHANNEL, STR(""), e);
}

static int replay_notification(struct call *c)
{
    int rc = db_run(c->engine->db, DB_WRITE, replay_run, c, c->err);
    return rc < 0 ? rc : call_empty(c, 204);
}

const struct operation notification_operations[] = {
    {"list_notifications", list_notifications, 0},
    {"replay_notification", replay_notification, 0},
    {NULL, NULL, 0},
};
