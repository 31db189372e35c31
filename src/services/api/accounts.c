#include "services/api/operations.h"

#include "codec/json.h"
#include "services/auth.h"

static const char *const reserved[] = {"system", "anchore-system", "admin"};

static yyjson_mut_val *account_json(yyjson_mut_doc *d, const struct account *a)
{
    yyjson_mut_val *o = yyjson_mut_obj(d);
    put_str(d, o, "name", a->name);
    put_str(d, o, "type", a->type);
    put_str(d, o, "state", a->state);
    put_str(d, o, "email", a->email);
    put_time(d, o, "created_at", a->created);
    put_time(d, o, "last_updated", a->updated);
    return o;
}

static int send_account(struct call *c, const struct account *a)
{
    yyjson_mut_doc *d = call_doc(c);
    return call_send(c, 200, d, account_json(d, a));
}

static int send_state(struct call *c, str state)
{
    yyjson_mut_doc *d = call_doc(c);
    yyjson_mut_val *o = yyjson_mut_obj(d);
    put_str(d, o, "state", state);
    return call_send(c, 200, d, o);
}

static bool is_service(const struct account *a)
{
    return str_eq(a->type, STR("service"));
}

/* 1: there; 0: answered with 404, as for the engine's own account, which no list shows either. */
static int find(struct call *c, struct db_tx *tx, struct account *out)
{
    int rc = account_get(tx, &c->arena, call_param(c, "accountname"), out, c->err);
    if (rc < 0)
        return rc;
    return rc == 0 || is_service(out) ? call_error(c, 404, "Account not found") : 1;
}

/* ---- list, one --------------------------------------------------------------------------------
 */
static int list_run(struct db_tx *tx, void *ctx, struct err *e)
{
    struct call *c = ctx;
    struct account *list;
    size_t n;
    int rc = account_list(tx, &c->arena, call_param(c, "state"), &list, &n, e);
    if (rc < 0)
        return rc;
    yyjson_mut_doc *d = call_doc(c);
    yyjson_mut_val *a = yyjson_mut_arr(d);
    for (size_t i = 0; i < n; i++)
        yyjson_mut_arr_append(a, account_json(d, &list[i]));
    return call_send(c, 200, d, a);
}

static int list_accounts(struct call *c)
{
    return api_run(c, DB_READ, list_run, c);
}

static int get_run(struct db_tx *tx, void *ctx, struct err *e)
{
    struct call *c = ctx;
    struct account a;
    int rc = find(c, tx, &a);
    return rc == 1 ? send_account(c, &a) : rc;
}

static int get_account(struct call *c)
{
    return api_run(c, DB_READ, get_run, c);
}

static int own_run(struct db_tx *tx, void *ctx, struct err *e)
{
    struct call *c = ctx;
    struct account a;
    int rc = account_get(tx, &c->arena, c->account, &a, e);
    if (rc == 0)
        return call_error(c, 404, "Account not found");
    return rc == 1 ? send_account(c, &a) : rc;
}

static int get_users_account(struct call *c)
{
    return api_run(c, DB_READ, own_run, c);
}

/* ---- create -----------------------------------------------------------------------------------
 */
static int create_run(struct db_tx *tx, void *ctx, struct err *e)
{
    struct call *c = ctx;
    str email = json_str(c->body, "email");
    struct account a = {
        .name = json_str(c->body, "name"),
        .type = STR("user"),
        .state = STR("enabled"),
        .email = email.n ? email : (str){0},
    };
    int rc = account_add(tx, &a, e);
    if (rc == ERR_EXISTS)
        return call_error(c, 400, "Account already exists");
    if (rc == 0)
        rc = account_add_bundles(c->engine, tx, a.name, e);
    if (rc == 0)
        rc = account_get(tx, &c->arena, a.name, &a, e);
    return rc == 1 ? send_account(c, &a) : rc;
}

static int create_account(struct call *c)
{
    str name = json_str(c->body, "name");
    for (size_t i = 0; i < KE_ARRAY_LEN(reserved); i++) {
        if (str_eq(name, str_z(reserved[i])))
            return call_error(c, 400, "Invalid account request: Cannot use name %s", reserved[i]);
    }
    return api_run(c, DB_WRITE, create_run, c);
}

/* ---- states -----------------------------------------------------------------------------------
 */
static int bad_change(struct call *c, str from, str to)
{
    return call_error(c, 400,
                      "Invalid account state change requested. Cannot go from state %.*s to state"
                      " %.*s",
                      STR_ARG(from), STR_ARG(to));
}

static int state_run(struct db_tx *tx, void *ctx, struct err *e)
{
    struct call *c = ctx;
    struct account a;
    int rc = find(c, tx, &a);
    if (rc != 1)
        return rc;
    str state = json_str(c->body, "state");
    if (str_eq(a.type, STR("admin")) && !str_eq(state, STR("enabled")))
        return call_error(c, 400, "Cannot disable the admin account");
    if (str_eq(a.state, STR("deleting")))
        return bad_change(c, a.state, state);
    if (!str_eq(a.state, state))
        rc = account_set_state(tx, a.name, state, e);
    return rc < 0 ? rc : send_state(c, state);
}

static int update_account_state(struct call *c)
{
    int rc = api_run(c, DB_WRITE, state_run, c);
    auth_forget(c->engine);
    return rc;
}

static int delete_run(struct db_tx *tx, void *ctx, struct err *e)
{
    struct call *c = ctx;
    struct account a;
    int rc = find(c, tx, &a);
    if (rc != 1)
        return rc;
    if (str_eq(a.type, STR("admin")))
        return call_error(c, 400, "Account cannot be deleted");
    if (!str_eq(a.state, STR("disabled")))
        return bad_change(c, a.state, STR("deleting"));
    rc = account_set_state(tx, a.name, STR("deleting"), e);
    return rc < 0 ? rc : send_state(c, STR("deleting"));
}

static int delete_account(struct call *c)
{
    int rc = api_run(c, DB_WRITE, delete_run, c);
    auth_forget(c->engine);
    return rc;
}

const struct operation account_operations[] = {
    {"list_accounts", list_accounts, 0},
    {"create_account", create_account, 0},
    {"get_account", get_account, 0},
    {"delete_account", delete_account, 0},
    {"update_account_state", update_account_state, 0},
    {"get_users_account", get_users_account, 0},
    {NULL, NULL, 0},
};
