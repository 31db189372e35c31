#include "services/catalog/objects.h"

#include "base/auto.h"

static const size_t object_max = (size_t)512 << 20;

struct object {
    struct call *c;
    str bytes; /* to write */
    struct buf *out;
};

static int get_in(struct db_tx *tx, void *ctx, struct err *e)
{
    const struct object *o = ctx;
    struct call *c = o->c;

    buf_clear(o->out);
    return document_get(c->engine->documents, tx, c->account, call_param(c, "bucket"),
                        call_param(c, "archiveid"), o->out, e);
}

static int put_in(struct db_tx *tx, void *ctx, struct err *e)
{
    const struct object *o = ctx;
    struct call *c = o->c;
    return document_put(c->engine->documents, tx, c->account, call_param(c, "bucket"),
                        call_param(c, "archiveid"), o->bytes, e);
}

static int delete_in(struct db_tx *tx, void *ctx, struct err *e)
{
    const struct object *o = ctx;
    struct call *c = o->c;
    return document_delete(c->engine->documents, tx, c->account, call_param(c, "bucket"),
                           call_param(c, "archiveid"), e);
}

static int get(struct call *c, bool wrapped)
{
    auto_buf bytes;
    struct object o = {.c = c, .out = &bytes};

    buf_init(&bytes, object_max);
    int rc = db_run(c->engine->db, DB_READ, get_in, &o, c->err);
    if (rc == ERR_NOT_FOUND)
        return call_error(c, 404, "No document found at given path");
    if (rc < 0)
        return rc;
    if (!wrapped)
        return call_send_text(c, 200, "application/octet-stream", buf_view(&bytes));
    struct buf *out = call_text(c);
    buf_add_str(out, STR("{\"document\": "));
    buf_add_str(out, buf_view(&bytes));
    buf_add_str(out, STR("}\n"));
    return call_text_end(c, 200, "application/json");
}

int objects_get(struct call *c)
{
    return get(c, true);
}

int objects_get_raw(struct call *c)
{
    return get(c, false);
}

static int put(struct call *c, str bytes)
{
    struct object o = {.c = c, .bytes = bytes};
    int rc = db_run(c->engine->db, DB_WRITE, put_in, &o, c->err);
    return rc < 0 ? rc : call_send_text(c, 200, "application/json", STR("true\n"));
}

int objects_put(struct call *c)
{
    yyjson_val *v = json_get(c->body, "document");
    size_t n;

    if (!v)
        return call_error(c, 400, "'document' is a required property");
    autofree char *text = yyjson_val_write(v, 0, &n);
    return text ? put(c, (str){text, n}) : err_no_memory(c->err);
}

int objects_put_raw(struct call *c)
{
    return put(c, c->raw);
}

int objects_delete(struct call *c)
{
    struct object o = {.c = c};
    int rc = db_run(c->engine->db, DB_WRITE, delete_in, &o, c->err);
    return rc < 0 ? rc : call_empty(c, 204);
}
