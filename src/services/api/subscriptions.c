#include "services/subscription.h"

#include "codec/json.h"
#include "services/api/operations.h"
#include "services/api/policy_engine.h"
#include "services/policy_engine/subscribed.h"

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

/* ---- writing -----------------------------------------------------------------------------------
 */

struct change {
    struct call *c;
    struct subscription s;
    bool was_active;
    str old_value;
};

/* Of findings or of a verdict: then it matters what was known when it began. */
static bool is_judged(const struct subscription *s)
{
    return str_eq(s->type, STR("vuln_update")) || str_eq(s->type, STR("policy_eval"));
}

/* The policy engine writes down what is known of the tag (policy_engine/subscribe.h). 1; 0: the
 * call was answered. One of an older build does not know how: what it looks at first is known then.
 */
static int begin(struct change *x)
{
    struct call *c = x->c;
    const struct subscription *s = &x->s;
    bool same = x->was_active && str_eq(x->old_value, s->value);
    if (!s->active || same || !is_judged(s))
        return 1;
    auto_buf path, sent, answer;
    int status = 0;
    buf_init(&path, 4 << 10);
    buf_init(&sent, 8 << 20);
    buf_init(&answer, 1 << 20);
    buf_add_str(&path, STR("/users/"));
    policy_engine_escape(&path, s->account);
    buf_add_str(&path, STR("/subscriptions/begin"));
    buf_add_str(&sent, STR("{\"subscription_key\": "));
    json_put_string(&sent, s->key);
    buf_add_str(&sent, STR(", \"subscription_type\": "));
    json_put_string(&sent, s->type);
    buf_add_str(&sent, STR(", \"subscription_value\": "));
    json_put_string(&sent, s->value);
    buf_add_char(&sent, '}');
    const struct service_request rq = {.service = SERVICE_POLICY_ENGINE,
                                       .method = "POST",
                                       .path = buf_z(&path),
                                       .account = s->account,
                                       .body = buf_view(&sent),
                                       .request_id = c->request_id};
    int rc = rq.path ? buf_check(&sent, "a subscription", c->err) : err_no_memory(c->err);
    if (rc == 0)
        rc = service_request(c->engine, &rq, &status, &answer, c->err);
    if (rc < 0)
        return rc;
    if (status >= 500)
        return call_error(c, 503, "the policy engine cannot say what is known of the tag now: %.*s",
                          STR_ARG(str_sub(buf_view(&answer), 0, 300)));
    return 1;
}

static int began(struct db_tx *tx, const struct subscription *s, struct err *e)
{
    int64_t n =
        s->active && is_judged(s) ? subscribed_began(tx, s->type, s->account, s->key, e) : 0;
    return n < 0 ? (int)n : 0;
}

static int add_run(struct db_tx *tx, void *ctx, struct err *e)
{
    const struct change *x = ctx;
    const struct subscription *s = &x->s;
    int rc = subscription_add(tx, s, e);
    if (rc == ERR_EXISTS)
        return call_error(x->c, 409, "subscription already exists in DB");
    if (rc >= 0)
        rc = began(tx, s, e);
    char id[33];
    subscription_id(s->account, s->key, s->type, id);
    return rc < 0 ? rc : send_one(x->c, tx, str_z(id));
}

static int exists_run(struct db_tx *tx, void *ctx, struct err *e)
{
    struct change *x = ctx;
    char id[33];
    struct subscription found;
    subscription_id(x->s.account, x->s.key, x->s.type, id);
    int rc = subscription_get(tx, &x->c->arena, x->s.account, str_z(id), &found, e);
    if (rc == 1)
        return call_error(x->c, 409, "subscription already exists in DB");
    return rc < 0 ? rc : 1;
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
    yyjson_val *value = json_get(c->body, "subscription_value");
    struct change x = {.c = c,
                       .s = {.account = c->account,
                             .key = key,
                             .type = type,
                             .value = yyjson_is_str(value) ? json_text(value) : (str){0},
                             .active = yyjson_is_true(json_get(c->body, "active"))}};
    int rc = db_run(c->engine->db, DB_READ, exists_run, &x, c->err);
    if (rc == 1)
        rc = begin(&x);
    return rc == 1 ? api_run(c, DB_WRITE, add_run, &x) : rc;
}

/* The subscription as it is to be: 1; 0: the call was answered. */
static int read_change(struct db_tx *tx, void *ctx, struct err *e)
{
    struct change *x = ctx;
    struct call *c = x->c;
    int rc = subscription_get(tx, &c->arena, c->account, call_param(c, "subscriptionId"), &x->s, e);
    if (rc == 0)
        return call_error(c, 404, "subscription not found in DB");
    if (rc < 0)
        return rc;
    yyjson_val *active = json_get(c->body, "active"),
               *value = json_get(c->body, "subscription_value");
    x->was_active = x->s.active;
    x->old_value = x->s.value;
    if (active)
        x->s.active = yyjson_is_true(active);
    if (value)
        x->s.value = yyjson_is_str(value) ? json_text(value) : (str){0};
    return 1;
}

static int update_run(struct db_tx *tx, void *ctx, struct err *e)
{
    struct change *x = ctx;
    int rc = read_change(tx, x, e);
    if (rc != 1)
        return rc;
    rc = subscription_update(tx, &x->s, e);
    if (rc >= 0)
        rc = began(tx, &x->s, e);
    return rc < 0 ? rc : send_one(x->c, tx, x->s.id);
}

static int update_subscription(struct call *c)
{
    struct change x = {.c = c};
    int rc = db_run(c->engine->db, DB_READ, read_change, &x, c->err);
    if (rc == 1)
        rc = begin(&x);
    return rc == 1 ? api_run(c, DB_WRITE, update_run, &x) : rc;
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
