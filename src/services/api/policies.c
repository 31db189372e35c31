#include "services/policy_record.h"

#include "base/auto.h"
#include "codec/digest.h"
#include "codec/json.h"
#include "policy/bundle.h"
#include "services/api/operations.h"
#include "services/event.h"

enum { BUNDLE_MAX = 16 << 20, ID_MAX = 512 };

/* ---- records ----------------------------------------------------------------------------------
 */
static yyjson_mut_val *record_json(yyjson_mut_doc *d, const struct policy_record *p)
{
    yyjson_mut_val *o = yyjson_mut_obj(d);
    put_str(d, o, "policyId", p->id);
    put_str(d, o, "userId", p->account);
    put_bool(d, o, "active", p->active);
    put_str(d, o, "policy_source", p->source);
    put_time(d, o, "created_at", p->created);
    put_time(d, o, "last_updated", p->updated);
    if (p->name.n)
        put_str(d, o, "name", p->name);
    if (p->description.n)
        put_str(d, o, "description", p->description);
    return o;
}

static yyjson_mut_val *meta_json(struct call *c, yyjson_mut_doc *d, const struct policy_record *p,
                                 str bundle)
{
    char md5[33];
    digest_id(&bundle, 1, md5);
    yyjson_mut_val *o = yyjson_mut_obj(d);
    put_str(d, o, "archiveId", p->id);
    put_str(d, o, "bucket", STR(POLICY_BUCKET));
    put_str(d, o, "content_url",
            arena_printf(&c->arena, "db://%.*s/" POLICY_BUCKET "/%.*s", STR_ARG(p->account),
                         STR_ARG(p->id)));
    put_int(d, o, "created_at", p->created / 1000000);
    put_str(d, o, "digest", arena_dup(&c->arena, str_z(md5)));
    put_str(d, o, "documentName", arena_printf(&c->arena, "%.*s.json", STR_ARG(p->id)));
    put_null(d, o, "document_metadata");
    put_bool(d, o, "is_compressed", false);
    put_int(d, o, "last_updated", p->updated / 1000000);
    put_str(d, o, "record_state_key", STR("active"));
    put_null(d, o, "record_state_val");
    put_int(d, o, "size", (int64_t)bundle.n);
    put_str(d, o, "userId", p->account);
    return o;
}

static int add_bundle(struct call *c, struct db_tx *tx, yyjson_mut_doc *d, yyjson_mut_val *o,
                      const struct policy_record *p)
{
    auto_buf text;
    buf_init(&text, BUNDLE_MAX);
    int rc = policy_bundle(c->engine, tx, p->account, p->id, &text, c->err);
    if (rc < 0)
        return rc;
    put_json(d, o, "policybundle", buf_view(&text));
    yyjson_mut_obj_add_val(d, o, "policybundlemeta", meta_json(c, d, p, buf_view(&text)));
    return 0;
}

static int add_record(struct call *c, struct db_tx *tx, yyjson_mut_doc *d, yyjson_mut_val *list,
                      const struct policy_record *p, bool detail)
{
    yyjson_mut_val *o = record_json(d, p);
    yyjson_mut_arr_append(list, o);
    if (detail)
        return add_bundle(c, tx, d, o, p);
    yyjson_mut_obj_add_val(d, o, "policybundle", yyjson_mut_obj(d));
    yyjson_mut_obj_add_val(d, o, "policybundlemeta", yyjson_mut_obj(d));
    return 0;
}

static int not_found(struct call *c, str id)
{
    return call_error(c, 404, "Policy bundle %.*s not found in DB", STR_ARG(id));
}

static int list_run(struct db_tx *tx, void *ctx, struct err *e)
{
    struct call *c = ctx;
    struct policy_record *list;
    size_t n;
    int rc = policy_list(tx, &c->arena, c->account, &list, &n, e);
    yyjson_mut_doc *d = call_doc(c);
    yyjson_mut_val *a = yyjson_mut_arr(d);
    for (size_t i = 0; rc == 0 && i < n; i++)
        rc = add_record(c, tx, d, a, &list[i], call_flag(c, "detail", false));
    return rc < 0 ? rc : call_send(c, 200, d, a);
}

static int list_policies(struct call *c)
{
    return api_run(c, DB_READ, list_run, c);
}

static int get_run(struct db_tx *tx, void *ctx, struct err *e)
{
    struct call *c = ctx;
    struct policy_record p;
    str id = call_param(c, "policyId");
    int rc = policy_get(tx, &c->arena, c->account, id, &p, e);
    if (rc == 0)
        return not_found(c, id);
    yyjson_mut_doc *d = call_doc(c);
    yyjson_mut_val *a = yyjson_mut_arr(d);
    if (rc == 1)
        rc = add_record(c, tx, d, a, &p, call_flag(c, "detail", true));
    return rc < 0 ? rc : call_send(c, 200, d, a);
}

static int get_policy(struct call *c)
{
    return api_run(c, DB_READ, get_run, c);
}

/* ---- writing ----------------------------------------------------------------------------------
 */
yyjson_mut_val *policy_problems_json(yyjson_mut_doc *d, const struct policy_problems *p)
{
    yyjson_mut_val *list = yyjson_mut_arr(d);
    for (size_t i = 0; i < p->n; i++) {
        yyjson_mut_val *o = yyjson_mut_obj(d);
        put_str(d, o, "severity", str_z(p->list[i].severity));
        put_str(d, o, "problem_type", str_z(p->list[i].type));
        put_str(d, o, "details", p->list[i].details);
        yyjson_mut_arr_append(list, o);
    }
    return list;
}

int policy_accept(struct call *c, yyjson_val *bundle)
{
    struct policy_problems found;
    int n = policy_validate(bundle, &c->arena, &found, c->err);
    if (n <= 0)
        return n < 0 ? n : 1;
    yyjson_mut_doc *d = call_doc(c);
    yyjson_mut_val *detail = yyjson_mut_obj(d);
    yyjson_mut_obj_add_val(d, detail, "validation_details", policy_problems_json(d, &found));
    yyjson_mut_obj_add_val(d, detail, "error_codes", yyjson_mut_arr(d));
    return call_error_detail(c, 400, STR("Bundle failed validation"), d, detail);
}

struct writing {
    struct call *c;
    str id;             /* of the record */
    str said;           /* the same, in the body; empty: not said */
    yyjson_val *bundle; /* as sent */
    bool one;           /* answer with the object, not with a list of it */
    bool must_exist;
    int activate; /* -1: as it is */
};

/* The bundle's JSON, with the record's id when it has none itself. */
static int bundle_text(struct writing *w, str *out)
{
    struct call *c = w->c;
    yyjson_mut_doc *d = call_doc(c);
    yyjson_mut_val *root = yyjson_val_mut_copy(d, w->bundle);
    if (root && !json_str(w->bundle, "id").n) {
        yyjson_mut_obj_remove_key(root, "id");
        put_str(d, root, "id", w->id);
    }
    size_t n = 0;
    char *text = root ? yyjson_mut_val_write(root, 0, &n) : NULL;
    *out = text ? arena_dup(&c->arena, (str){text, n}) : (str){0};
    free(text);
    if (!out->p)
        return err_no_memory(c->err);
    return n > BUNDLE_MAX
               ? err_set(c->err, ERR_LIMIT, "a policy bundle has at most %d bytes", BUNDLE_MAX)
               : 0;
}

static int tell_changed(struct call *c, struct db_tx *tx, str id)
{
    struct event ev = {
        .engine = c->engine,
        .service = SERVICE_CATALOG,
        .type = "user.policy.active.content_change",
        .account = c->account,
        .resource_id = id,
        .request_id = c->request_id,
    };
    return event_add(tx, &ev, c->err);
}

static int send_written(struct writing *w, const struct policy_record *p, str text, bool existed)
{
    struct call *c = w->c;
    yyjson_mut_doc *d = call_doc(c);
    yyjson_mut_val *o = record_json(d, p);
    put_json(d, o, "policybundle", text);
    yyjson_mut_val *bundle = yyjson_mut_obj_get(o, "policybundle");
    yyjson_mut_obj_remove_key(bundle, "active");
    put_bool(d, bundle, "active", p->active);
    if (existed) {
        yyjson_mut_obj_remove_key(bundle, "last_updated");
        put_int(d, bundle, "last_updated", p->updated / 1000000);
    }
    if (w->one)
        return call_send(c, 200, d, o);
    yyjson_mut_val *list = yyjson_mut_arr(d);
    yyjson_mut_arr_append(list, o);
    return call_send(c, 200, d, list);
}

static int write_run(struct db_tx *tx, void *ctx, struct err *e)
{
    struct writing *w = ctx;
    struct call *c = w->c;
    struct policy_record p = {0};
    str text, name = json_str(w->bundle, "name"), words = json_str(w->bundle, "description");
    int rc = policy_get(tx, &c->arena, c->account, w->id, &p, e);
    if (rc == 0 && w->must_exist)
        return not_found(c, w->id);
    bool existed = rc == 1;
    if (rc < 0)
        return rc;
    if (w->said.n && !str_eq(w->said, w->id))
        return call_error(c, 400,
                          "policyId in route is different from policyId in payload: %.*s != %.*s",
                          STR_ARG(w->id), STR_ARG(w->said));
    if (existed && p.active && w->activate == 0)
        return call_error(c, 409,
                          "cannot deactivate an active policy - can only activate an"
                          " inactive policy");
    p.account = c->account;
    p.id = w->id;
    p.source = STR("local");
    p.name = name.n ? name : (str){0};
    p.description = words.n ? words : (str){0};
    if ((rc = bundle_text(w, &text)) < 0 || (rc = policy_put(c->engine, tx, &p, text, e)) < 0)
        return rc;
    if (p.active)
        rc = tell_changed(c, tx, p.id);
    else if (w->activate == 1)
        rc = policy_activate(c->engine, tx, c->account, p.id, c->request_id, e);
    if (rc >= 0)
        rc = policy_get(tx, &c->arena, c->account, w->id, &p, e);
    return rc < 0 ? rc : send_written(w, &p, text, existed);
}

static int add_policy(struct call *c)
{
    char md5[33];
    struct writing w = {.c = c, .bundle = c->body, .one = true, .activate = -1};
    w.id = json_str(c->body, "id");
    if (!w.id.n) {
        const str parts[] = {c->account, STR(":"), json_str(c->body, "name")};
        digest_id(parts, KE_ARRAY_LEN(parts), md5);
        w.id = arena_dup(&c->arena, str_z(md5));
    }
    if (w.id.n > ID_MAX)
        return call_error(c, 400, "a policy bundle's id has at most %d bytes", ID_MAX);
    int rc = policy_accept(c, c->body);
    return rc == 1 ? api_run(c, DB_WRITE, write_run, &w) : rc;
}

static int wanted_state(struct call *c)
{
    str asked = call_param(c, "active");
    yyjson_val *active = json_get(c->body, "active");
    if (asked.n)
        return call_flag(c, "active", false);
    return yyjson_is_bool(active) ? yyjson_get_bool(active) : -1;
}

static int update_policy(struct call *c)
{
    yyjson_val *bundle = json_get(c->body, "policybundle");
    str id = call_param(c, "policyId"), said = json_str(c->body, "policyId");
    int rc = policy_accept(c, bundle);
    if (rc != 1)
        return rc;
    struct writing w = {
        .c = c, .id = id, .bundle = bundle, .must_exist = true, .activate = wanted_state(c)};
    w.said = said;
    return api_run(c, DB_WRITE, write_run, &w);
}

static int delete_run(struct db_tx *tx, void *ctx, struct err *e)
{
    struct call *c = ctx;
    struct policy_record p;
    str id = call_param(c, "policyId");
    int rc = policy_get(tx, &c->arena, c->account, id, &p, e);
    if (rc == 0)
        return not_found(c, id);
    if (rc == 1 && p.active)
        return call_error(c, 409,
                          "cannot delete an active policy - activate a different policy then"
                          " delete this one");
    if (rc == 1)
        rc = policy_delete(c->engine, tx, c->account, id, e);
    if (rc < 0)
        return rc;
    yyjson_mut_doc *d = call_doc(c);
    return call_send(c, 200, d, yyjson_mut_str(d, "deleted"));
}

static int delete_policy(struct call *c)
{
    return api_run(c, DB_WRITE, delete_run, c);
}

static int describe_policy(struct call *c)
{
    yyjson_mut_doc *d = call_doc(c);
    yyjson_mut_val *spec = yyjson_mut_arr(d);
    int rc = gate_spec_write(d, spec, false, c->err);
    return rc < 0 ? rc : call_send(c, 200, d, spec);
}

const struct operation policy_operations[] = {
    {"list_policies", list_policies, 0},
    {"add_policy", add_policy, 0},
    {"get_policy", get_policy, 0},
    {"update_policy", update_policy, 0},
    {"delete_policy", delete_policy, 0},
    {"describe_policy", describe_policy, 0},
    {NULL, NULL, 0},
};
