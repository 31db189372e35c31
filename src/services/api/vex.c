/* vex.c - /vex: VEX documents of an account, which its images' findings are judged with (kellet's
 * own, not the original's). */
#include "services/api/operations.h"
#include "services/policy_engine/subscribed.h"
#include "services/policy_engine/vex_store.h"

struct vex_asked {
    struct call *c;
    size_t statements, unusable;
};

static bool is_name(str s)
{
    for (size_t i = 0; i < s.n; i++)
        if (!ke_isalnum(s.p[i]) && s.p[i] != '.' && s.p[i] != '_' && s.p[i] != '-')
            return false;
    return s.n > 0 && s.n <= VEX_NAME_MAX;
}

static int no_document(struct call *c)
{
    return call_error(c, 404, "there is no VEX document of that name");
}

static int list_run(struct db_tx *tx, void *ctx, struct err *e)
{
    struct call *c = ctx;
    auto_rows *rows = NULL;
    yyjson_mut_doc *d = call_doc(c);
    yyjson_mut_val *list = yyjson_mut_arr(d);
    int rc = db_query(tx,
                      "SELECT key, last_updated FROM document WHERE account = $1"
                      " AND bucket = '" VEX_BUCKET "' ORDER BY key",
                      DB(DBS(c->account)), &rows, e);
    while (rc >= 0 && (rc = db_next(rows, e)) == 1) {
        yyjson_mut_val *o = yyjson_mut_arr_add_obj(d, list);
        put_str(d, o, "name", arena_dup(&c->arena, db_text(rows, 0)));
        put_time(d, o, "last_updated", db_int(rows, 1));
    }
    return rc < 0 ? rc : call_send(c, 200, d, list);
}

static int list_documents(struct call *c)
{
    return api_run(c, DB_READ, list_run, c);
}

static int get_run(struct db_tx *tx, void *ctx, struct err *e)
{
    struct call *c = ctx;
    auto_buf text;
    buf_init(&text, VEX_BYTES_MAX);
    int rc = document_get(c->engine->documents, tx, c->account, STR(VEX_BUCKET),
                          call_param(c, "name"), &text, e);
    if (rc == ERR_NOT_FOUND)
        return no_document(c);
    return rc < 0 ? rc : call_send_text(c, 200, "application/json", buf_view(&text));
}

static int get_document(struct call *c)
{
    return is_name(call_param(c, "name")) ? api_run(c, DB_READ, get_run, c) : no_document(c);
}

static int put_run(struct db_tx *tx, void *ctx, struct err *e)
{
    struct vex_asked *q = ctx;
    struct call *c = q->c;
    str name = call_param(c, "name");
    int64_t others = 0;
    int rc = db_query_int(tx,
                          "SELECT COUNT(*) FROM document WHERE account = $1 AND bucket ="
                          " '" VEX_BUCKET "' AND key <> $2",
                          DB(DBS(c->account), DBS(name)), &others, e);
    if (rc >= 0 && others >= VEX_DOCUMENTS_MAX)
        return call_error(c, 400, "an account has at most %d VEX documents", VEX_DOCUMENTS_MAX);
    if (rc >= 0)
        rc = document_put(c->engine->documents, tx, c->account, STR(VEX_BUCKET), name, c->raw, e);
    int64_t n = rc < 0 ? rc : subscribed_account(tx, c->account, e);
    if (n < 0)
        return (int)n;
    yyjson_mut_doc *d = call_doc(c);
    yyjson_mut_val *o = yyjson_mut_obj(d);
    put_str(d, o, "name", name);
    yyjson_mut_obj_add_uint(d, o, "statements", q->statements);
    yyjson_mut_obj_add_uint(d, o, "unusable_products", q->unusable);
    return call_send(c, 200, d, o);
}

static int put_document(struct call *c)
{
    struct vex_asked q = {.c = c};
    struct vex *vex = NULL;
    struct err why = {0};
    if (!is_name(call_param(c, "name")))
        return call_error(c, 400, "a VEX document's name has 1 to %d of A-Z a-z 0-9 . _ -",
                          VEX_NAME_MAX);
    int rc = vex_new(&vex, c->err);
    if (rc < 0)
        return rc;
    rc = vex_read(vex, c->raw, "the document", &why);
    q.statements = vex_statements(vex);
    q.unusable = vex_unusable(vex);
    vex_free(vex);
    if (rc == ERR_NO_MEMORY)
        return err_no_memory(c->err);
    if (rc < 0)
        return call_error(c, 400, "%s", why.text);
    return api_run(c, DB_WRITE, put_run, &q);
}

static int delete_run(struct db_tx *tx, void *ctx, struct err *e)
{
    struct call *c = ctx;
    int rc = document_delete(c->engine->documents, tx, c->account, STR(VEX_BUCKET),
                             call_param(c, "name"), e);
    if (rc <= 0)
        return rc < 0 ? rc : no_document(c);
    int64_t n = subscribed_account(tx, c->account, e);
    return n < 0 ? (int)n : call_empty(c, 204);
}

static int delete_document(struct call *c)
{
    return is_name(call_param(c, "name")) ? api_run(c, DB_WRITE, delete_run, c) : no_document(c);
}

const struct operation vex_operations[] = {
    {"list_vex_documents", list_documents, 0},
    {"get_vex_document", get_document, 0},
    {"put_vex_document", put_document, 0},
    {"delete_vex_document", delete_document, 0},
    {NULL, NULL, 0},
};
