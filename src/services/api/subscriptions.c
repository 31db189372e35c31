#include "services/subscription.h"

#include "codec/json.h"
#include "services/api/operations.h"

static yyjson_mut_val *subscription_json(yyjson_mut_doc *d, const struct subscription *s)
{
    yyjson_mut_val *o = yyjson_mut_obj(d);
    put_str(d, o, "subscription_id", s->id);
    put_str(d, o, "subscription_key", s->key);
    put_str(d, o, "subscription_type", s->type);
    put_str(d, o, "subscription_value", s->value);
    put_bool(d, o, "active", s->active);
    put_str(d, o, "userId", s->account);
    put_int(d, o, "created_at", s->created / 1000000);
    put_int(d, o, "last_updated", s->updated / 1000000);
    return o;
}

/* An array of those that match; `id` empty: any. */
static int send_list(struct call *c, struct db_tx *tx, str key, str type, str id)
{
    struct subscription *list;
    size_t n;
    int rc = subscription_list(tx, &c->arena, c->account, key, type, false, &list, &n, c->err);
    if (rc < 0)
        return rc;
    yyjson_mut_doc *d = call_doc(c);
    yyjson_mut_val *a = yyjson_mut_arr(d);
    for (size_t i = 0; i < n; i++) {
        if (id.n == 0 || str_eq(list[i].id, id))
            yyjson_mut_arr_append(a, subscription_json(d, &list[i]));
    }
    return call_send(c, 200, d, a);
}

static int send_one(struct call *c, struct db_tx *tx, str id)
{
    struct subscription s;
    int rc = subscription_get(tx, &c->arena, c->account, id, &s, c->err);
    if (rc < 0)
        return rc;
    yyjson_mut_doc *d = call_doc(c);
    yyjson_mut_val *a = yyjson_mut_arr(d);
    if (rc)
        yyjson_mut_arr_append(a, subscription_json(d, &s));
    return call_send(c, 200, d, a);
}

static int bad_type(struct call *c, str type)
{
    return call_error(c, 400, "%.*s is not a supported subscription type",
                      STR_ARG(str_sub(type, 0, 200)));
}

static int list_run(struct db_tx *tx, void *ctx, struct err *e)
{
    struct call *c = ctx;
    return send_list(c, tx, call_param(c, "subscription_key"), call_param(c, "subscription_type"),
                     (str){0});
}

static int list_subscriptions(struct call *c)
{
    str type = call_param(c, "subscription_type");
    if (type.n && !subscription_type_known(type))
        return bad_type(c, type);
    return api_run(c, DB_READ, list_run, c);
}

static int get_run(struct db_tx *tx, void *ctx, struct err *e)
{
    struct call *c = ctx;
    return send_one(c, tx, call_param(c, "subscriptionId"));
}

static int get_subscription(struct call *c)
{
    return api_run(c, DB_READ, get_run, c);
}

static int add_run(struct db_tx *tx, void *ctx, struct err *e)
{
    struct call *c = ctx;
    yyjson_val *value = json_get(c->body, "subscription_value");
    struct subscription s = {
        .account = c->account,
        .key = json_str(c->body, "subscription_key"),
        .type = json_str(c->body, "subscription_type"),
        .value = yyjson_is_str(value) ? json_text(value) : (str){0},
        .active = yyjson_is_true(json_get(c->body, "active")),
    };
    int rc = subscription_add(tx, &s, e);
    if (rc == ERR_EXISTS)
        return call_error(c, 409, "subscription already exists in DB");
    char id[33];
    subscription_id(s.account, s.key, s.type, id);
    return rc < 0 ? rc : send_one(c, tx, str_z(id));
}

static int add_subscription(struct call *c)
{
    str key = json_str(c->body, "subscription_key"), type = json_str(c->body, "subscription_type");
    if (!key.n || !type.n)
        return call_error(c, 400,
                          "body does not contain both subscription_key and subscription_type");
    if (!subscription_type_known(type))
        return bad_type(c, type);
    if (key.n > 4096)
        return call_error(c, 400, "subscription_key is longer than 4096 bytes");
    return api_run(c, DB_WRITE, add_run, c);
}

static int update_run(struct db_tx *tx, void *ctx, struct err *e)
{
    struct call *c = ctx;
    struct subscription s;
    str id = call_param(c, "subscriptionId");
    int rc = subscription_get(tx, &c->arena, c->account, id, &s, e);
    if (rc == 0)
        return call_error(c, 404, "subscription not found in DB");
    if (rc < 0)
        return rc;
    yyjson_val *active = json_get(c->body, "active"),
               *value = json_get(c->body, "subscription_value");
    if (active)
        s.active = yyjson_is_true(active);
    if (value)
        s.value = yyjson_is_str(value) ? json_text(value) : (str){0};
    rc = subscription_update(tx, &s, e);
    return rc < 0 ? rc : send_one(c, tx, id);
}

static int update_subscription(struct call *c)
{
    return api_run(c, DB_WRITE, update_run, c);
}

static int delete_run(struct db_tx *tx, void *ctx, struct err *e)
{
    struct call *c = ctx;
    int rc = subscription_delete(tx, c->account, call_param(c, "subscriptionId"), e);
    if (rc < 0)
        return rc;
    yyjson_mut_doc *d = call_doc(c);
    return call_send(c, 200, d, yyjson_mut_true(d));
}

static int delete_subscription(struct call *c)
{
    return api_run(c, DB_WRITE, delete_run, c);
}

const struct operation subscription_operations[] = {
    {"list_subscriptions", list_subscriptions, 0},
    {"add_subscription", add_subscription, 0},
    {"get_subscription", get_subscription, 0},
    {"update_subscription", update_subscription, 0},
    {"delete_subscription", delete_subscription, 0},
    {NULL, NULL, 0},
};
