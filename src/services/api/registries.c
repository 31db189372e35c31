#include "services/api/images.h"
#include "services/catalog/lookup.h"
#include "services/registry_ecr.h"
#include "services/registry_record.h"

struct change {
    struct call *c;
    struct registry_record record;
    str password;
    bool update;
    struct registry_record *list;
    size_t n;
    int found;
};

static yyjson_mut_val *record_value(yyjson_mut_doc *d, const struct registry_record *r)
{
    yyjson_mut_val *o = yyjson_mut_obj(d);

    put_time(d, o, "created_at", r->created);
    put_time(d, o, "last_updated", r->updated);
    put_str(d, o, "registry", r->registry);
    put_str(d, o, "registry_name", r->name);
    put_str(d, o, "registry_type", r->type);
    put_str(d, o, "registry_user", r->user);
    if (r->verify < 0)
        put_null(d, o, "registry_verify");
    else
        put_bool(d, o, "registry_verify", r->verify != 0);
    put_str(d, o, "userId", r->account);
    return o;
}

static int send_list(struct call *c, const struct registry_record *list, size_t n)
{
    yyjson_mut_doc *d = call_doc(c);
    yyjson_mut_val *a = yyjson_mut_arr(d);

    for (size_t i = 0; i < n; i++)
        yyjson_mut_arr_append(a, record_value(d, &list[i]));
    return call_send(c, 200, d, a);
}

/* ---- reading -----------------------------------------------------------------------------------
 */

static int read_list(struct db_tx *tx, void *ctx, struct err *e)
{
    struct change *x = ctx;
    return registry_record_list(tx, &x->c->arena, x->c->account, &x->list, &x->n, e);
}

int registries_list(struct call *c)
{
    struct change x = {.c = c};
    int rc = db_run(c->engine->db, DB_READ, read_list, &x, c->err);
    return rc < 0 ? rc : send_list(c, x.list, x.n);
}

static int read_record(struct db_tx *tx, void *ctx, struct err *e)
{
    struct change *x = ctx;

    x->found = registry_record_get(tx, &x->c->arena, x->c->account, call_param(x->c, "registry"),
                                   &x->record, e);
    return x->found;
}

int registries_get(struct call *c)
{
    struct change x = {.c = c};
    int rc = db_run(c->engine->db, DB_READ, read_record, &x, c->err);
    if (rc < 0)
        return rc;
    return x.found ? send_list(c, &x.record, 1) : call_error(c, 404, "registry not found in DB");
}

static int delete_in(struct db_tx *tx, void *ctx, struct err *e)
{
    const struct change *x = ctx;
    return registry_record_delete(tx, x->c->account, call_param(x->c, "registry"), e);
}

int registries_delete(struct call *c)
{
    struct change x = {.c = c};
    int rc = db_run(c->engine->db, DB_WRITE, delete_in, &x, c->err);
    return rc < 0 ? rc : call_send_text(c, 200, "application/json", STR("true\n"));
}

/* ---- writing -----------------------------------------------------------------------------------
 */

static str text_or_none(yyjson_val *o, const char *key)
{
    yyjson_val *v = json_get(o, key);
    return yyjson_is_str(v) ? json_text(v) : (str){0};
}

/* 0, or 1 after an answer was given. */
static int refuse(int rc)
{
    return rc < 0 ? rc : 1;
}

static int check_name(struct call *c, str name)
{
    if (str_starts(name, STR("http://")) || str_starts(name, STR("https://")))
        return refuse(call_error(c, 409,
                                 "input registry name must start with a hostname/ip, without URI "
                                 "schema (http://, https://)"));
    if (str_ends(name, STR("/")))
        return refuse(
            call_error(c, 409, "input registry name cannot end with trailing '/' characters"));
    return 0;
}

static int read_body(struct change *x)
{
    struct call *c = x->c;
    yyjson_val *verify = json_get(c->body, "registry_verify");
    struct registry_record *r = &x->record;

    r->account = c->account;
    r->registry = text_or_none(c->body, "registry");
    r->name = text_or_none(c->body, "registry_name");
    r->type = text_or_none(c->body, "registry_type");
    r->user = text_or_none(c->body, "registry_user");
    r->verify = yyjson_is_bool(verify) ? yyjson_get_bool(verify) : -1;
    x->password = text_or_none(c->body, "registry_pass");
    if (!r->registry.n)
        return refuse(call_error(c, 400, "registry must not be empty"));
    if (x->update && !str_eq(r->registry, call_param(c, "registry")))
        return refuse(
            call_error(c, 409, "registry name in path does not equal registry name in body"));
    if (!r->name.n)
        r->name = r->registry;
    return check_name(c, r->registry);
}

static int try_ecr(struct change *x, struct err *why)
{
    struct aws_ecr_login login = {0};
    const struct registry_record *r = &x->record;
    str rest = r->registry, host = str_split(&rest, '/');
    int rc = registry_ecr_login(x->c->engine, r->account, host, r->user, x->password, &login, why);
    if (rc == 0)
        rc = catalog_ping(r->registry, str_z(login.user), str_z(login.password), r->verify != 0,
                          why);
    explicit_bzero(&login, sizeof login);
    return rc;
}

static int check_login(struct change *x)
{
    struct call *c = x->c;
    struct registry_record *r = &x->record;
    struct err why = {0};
    bool ecr = str_eq(r->type, STR("awsecr"));

    if (ecr && registry_ecr_allowed(c->engine, r->user, x->password, &why) < 0)
        return refuse(call_error(c, 406, "%s", why.text));
    if (!call_flag(c, "validate", true))
        return 0;
    if ((ecr ? try_ecr(x, &why)
             : catalog_ping(r->registry, r->user, x->password, r->verify != 0, &why)) == 0)
        return 0;
    return refuse(call_error(c, 406,
                             "cannot ping supplied registry with supplied credentials - exception: "
                             "failed check to access registry (https://%.*s,%.*s) - exception: %s",
                             STR_ARG(r->registry), STR_ARG(r->user), why.text));
}

static int write_in(struct db_tx *tx, void *ctx, struct err *e)
{
    struct change *x = ctx;
    int rc = x->update ? registry_record_update(x->c->engine, tx, &x->record, x->password, e)
                       : registry_record_add(x->c->engine, tx, &x->record, x->password, e);
    if (rc < 0)
        return rc;
    rc = registry_record_get(tx, &x->c->arena, x->c->account, x->record.registry, &x->record, e);
    return rc == 0 ? err_set(e, ERR_NOT_FOUND, "registry not found in DB") : rc;
}

/* Before the registry is asked: a name that is taken needs no login. */
static int check_present(struct change *x)
{
    struct change probe = {.c = x->c};
    struct call *c = x->c;
    int rc = x->update ? db_run(c->engine->db, DB_READ, read_record, &probe, c->err) : 1;

    if (rc < 0)
        return rc;
    if (x->update && !probe.found)
        return refuse(call_error(c, 404, "could not find existing registry to update"));
    return 0;
}

static int write_record(struct change *x)
{
    struct call *c = x->c;
    int rc = read_body(x);
    if (rc == 0)
        rc = check_present(x);
    if (rc == 0)
        rc = check_login(x);
    if (rc)
        return rc < 0 ? rc : 0;
    rc = db_run(c->engine->db, DB_WRITE, write_in, x, c->err);
    if (rc == ERR_EXISTS)
        return call_error(c, 409, "%s", c->err->text);
    return rc < 0 ? rc : send_list(c, &x->record, 1);
}

int registries_create(struct call *c)
{
    struct change x = {.c = c};
    return write_record(&x);
}

int registries_update(struct call *c)
{
    struct change x = {.c = c, .update = true};
    return write_record(&x);
}

const struct operation registry_operations[] = {
    {"list_registries", registries_list, 0},   {"create_registry", registries_create, ROUTE_SLOW},
    {"get_registry", registries_get, 0},       {"update_registry", registries_update, ROUTE_SLOW},
    {"delete_registry", registries_delete, 0}, {0},
};
