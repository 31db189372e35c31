#include "services/api/operations.h"

#include "codec/json.h"
#include "services/auth.h"

enum { PASSWORD_MAX = 1024 };

static yyjson_mut_val *user_json(yyjson_mut_doc *d, const struct user *u)
{
    yyjson_mut_val *o = yyjson_mut_obj(d);
    put_str(d, o, "username", u->username);
    put_str(d, o, "type", u->type);
    put_str(d, o, "source", u->source);
    put_time(d, o, "created_at", u->created);
    put_time(d, o, "last_updated", u->updated);
    return o;
}

static int send_user(struct call *c, const struct user *u)
{
    yyjson_mut_doc *d = call_doc(c);
    return call_send(c, 200, d, user_json(d, u));
}

/* As many stars as the password has bytes. */
static yyjson_mut_val *credential_json(struct call *c, yyjson_mut_doc *d,
                                       const struct credential *k)
{
    size_t n = k->length > PASSWORD_MAX ? PASSWORD_MAX : k->length;
    char *stars = arena_alloc(&c->arena, n + 1);
    if (stars)
        memset(stars, '*', n);
    yyjson_mut_val *o = yyjson_mut_obj(d);
    put_str(d, o, "type", STR("password"));
    put_str(d, o, "value", (str){stars, n});
    put_time(d, o, "created_at", k->created);
    return o;
}

/* 1: there; 0: answered, as for the engine's own account, which no list shows. */
static int find_account(struct call *c, struct db_tx *tx)
{
    struct account a;
    int rc = account_get(tx, &c->arena, call_param(c, "accountname"), &a, c->err);
    if (rc < 0)
        return rc;
    if (rc == 0 || str_eq(a.type, STR("service")))
        return call_error(c, 404, "Account not found");
    return 1;
}

static int find_user(struct call *c, struct db_tx *tx, struct user *out)
{
    int rc = user_get(tx, &c->arena, call_param(c, "username"), out, c->err);
    if (rc < 0)
        return rc;
    if (rc == 0 || !str_eq(out->account, call_param(c, "accountname")))
        return call_error(c, 404, "User not found");
    return 1;
}

static int change(struct call *c, int (*fn)(struct db_tx *tx, void *ctx, struct err *e), void *ctx)
{
    int rc = api_run(c, DB_WRITE, fn, ctx);
    auth_forget(c->engine);
    return rc;
}

/* ---- list, one --------------------------------------------------------------------------------
 */
static int list_run(struct db_tx *tx, void *ctx, struct err *e)
{
    struct call *c = ctx;
    struct user *list;
    size_t n;
    int rc = find_account(c, tx);
    if (rc != 1)
        return rc;
    rc = user_list(tx, &c->arena, call_param(c, "accountname"), &list, &n, e);
    if (rc < 0)
        return rc;
    yyjson_mut_doc *d = call_doc(c);
    yyjson_mut_val *a = yyjson_mut_arr(d);
    for (size_t i = 0; i < n; i++)
        yyjson_mut_arr_append(a, user_json(d, &list[i]));
    return call_send(c, 200, d, a);
}

static int list_users(struct call *c)
{
    return api_run(c, DB_READ, list_run, c);
}

static int get_run(struct db_tx *tx, void *ctx, struct err *e)
{
    struct call *c = ctx;
    struct user u;
    int rc = find_user(c, tx, &u);
    return rc == 1 ? send_user(c, &u) : rc;
}

static int get_account_user(struct call *c)
{
    return api_run(c, DB_READ, get_run, c);
}

static int own_run(struct db_tx *tx, void *ctx, struct err *e)
{
    struct call *c = ctx;
    struct user u;
    int rc = user_get(tx, &c->arena, c->who.username, &u, e);
    if (rc == 0)
        return call_error(c, 404, "User not found");
    return rc == 1 ? send_user(c, &u) : rc;
}

static int get_user(struct call *c)
{
    return api_run(c, DB_READ, own_run, c);
}

/* ---- create, delete ---------------------------------------------------------------------------
 */
struct new_password {
    struct call *c;
    str username, hash;
    size_t length;
};

static int create_run(struct db_tx *tx, void *ctx, struct err *e)
{
    struct new_password *p = ctx;
    struct call *c = p->c;
    struct user u;
    int rc = find_account(c, tx);
    if (rc != 1)
        return rc;
    rc = user_add(tx, p->username, call_param(c, "accountname"), STR("native"), e);
    if (rc == ERR_EXISTS)
        return call_error(c, 400, "User already exists");
    if (rc == 0)
        rc = credential_put(tx, p->username, p->hash, p->length, e);
    if (rc == 0)
        rc = user_get(tx, &c->arena, p->username, &u, e);
    return rc == 1 ? send_user(c, &u) : rc;
}

static int create_user(struct call *c)
{
    str password = json_str(c->body, "password");
    struct new_password p = {c, json_str(c->body, "username"), {0}, password.n};
    int rc = auth_hash(c->engine->auth, &c->arena, password, &p.hash, c->err);
    return rc < 0 ? rc : api_run(c, DB_WRITE, create_run, &p);
}

static int delete_run(struct db_tx *tx, void *ctx, struct err *e)
{
    struct call *c = ctx;
    struct user u;
    int rc = find_user(c, tx, &u);
    if (rc != 1)
        return rc;
    if (str_eq(u.type, STR("internal")) || str_eq(u.username, STR("admin")))
        return call_error(c, 400, "User not allowed to be deleted due to system constraints");
    if (str_eq(u.username, c->who.username))
        return call_error(c, 400,
                          "Cannot delete credential used for authentication of the request");
    rc = user_delete(tx, u.username, e);
    return rc < 0 ? rc : call_empty(c, 204);
}

static int delete_user(struct call *c)
{
    return change(c, delete_run, c);
}

/* ---- credentials ------------------------------------------------------------------------------
 */
static int send_credentials(struct call *c, struct db_tx *tx, str username)
{
    struct credential k = {0};
    int rc = credential_get(tx, &c->arena, username, &k, c->err);
    if (rc < 0)
        return rc;
    yyjson_mut_doc *d = call_doc(c);
    yyjson_mut_val *a = yyjson_mut_arr(d);
    if (rc)
        yyjson_mut_arr_append(a, credential_json(c, d, &k));
    return call_send(c, 200, d, a);
}

static int credentials_run(struct db_tx *tx, void *ctx, struct err *e)
{
    struct call *c = ctx;
    struct user u;
    int rc = find_user(c, tx, &u);
    return rc == 1 ? send_credentials(c, tx, u.username) : rc;
}

static int list_user_credentials(struct call *c)
{
    return api_run(c, DB_READ, credentials_run, c);
}

static int own_credentials_run(struct db_tx *tx, void *ctx, struct err *e)
{
    struct call *c = ctx;
    return send_credentials(c, tx, c->who.username);
}

static int get_credentials(struct call *c)
{
    return api_run(c, DB_READ, own_credentials_run, c);
}

static int put_run(struct db_tx *tx, void *ctx, struct err *e)
{
    struct new_password *p = ctx;
    struct call *c = p->c;
    struct user u;
    struct credential k;
    int rc = p->username.p ? user_get(tx, &c->arena, p->username, &u, e) : find_user(c, tx, &u);
    if (rc == 0 && p->username.p)
        return call_error(c, 404, "User not found");
    if (rc != 1)
        return rc;
    if (str_eq(u.type, STR("internal")))
        return call_error(c, 400, "This user has no password");
    rc = credential_put(tx, u.username, p->hash, p->length, e);
    if (rc == 0)
        rc = credential_get(tx, &c->arena, u.username, &k, e);
    if (rc != 1)
        return rc;
    yyjson_mut_doc *d = call_doc(c);
    return call_send(c, 200, d, credential_json(c, d, &k));
}

static int put_credential(struct call *c, str username)
{
    str value = json_str(c->body, "value");
    struct new_password p = {c, username, {0}, value.n};
    if (value.n == 0 || value.n > PASSWORD_MAX)
        return call_error(c, 400,
                          value.n ? "Invalid credential value, too long"
                                  : "Invalid credential value, must be non-null and non-empty");
    int rc = auth_hash(c->engine->auth, &c->arena, value, &p.hash, c->err);
    return rc < 0 ? rc : change(c, put_run, &p);
}

static int create_user_credential(struct call *c)
{
    return put_credential(c, (str){0});
}

static int add_credential(struct call *c)
{
    return put_credential(c, c->who.username);
}

static int delete_credential_run(struct db_tx *tx, void *ctx, struct err *e)
{
    struct call *c = ctx;
    struct user u;
    int rc = find_user(c, tx, &u);
    if (rc != 1)
        return rc;
    if (str_eq(u.username, c->who.username))
        return call_error(c, 400, "Cannot delete credential of authenticated user");
    rc = credential_delete(tx, u.username, e);
    return rc < 0 ? rc : call_empty(c, 204);
}

static int delete_user_credential(struct call *c)
{
    return change(c, delete_credential_run, c);
}

const struct operation user_operations[] = {
    {"list_users", list_users, 0},
    {"create_user", create_user, ROUTE_SLOW},
    {"get_account_user", get_account_user, 0},
    {"delete_user", delete_user, 0},
    {"list_user_credentials", list_user_credentials, 0},
    {"create_user_credential", create_user_credential, ROUTE_SLOW},
    {"delete_user_credential", delete_user_credential, 0},
    {"get_user", get_user, 0},
    {"get_credentials", get_credentials, 0},
    {"add_credential", add_credential, ROUTE_SLOW},
    {NULL, NULL, 0},
};
