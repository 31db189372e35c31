/* imports.c - operations that collect what an SBOM import needs; see services/imports.h. */
#include "services/imports.h"

#include "base/auto.h"
#include "codec/digest.h"
#include "services/api/operations.h"

#include <sys/random.h>

struct operation_row {
    str account, uuid, status;
    int64_t created, updated, expires;
};

static const char columns[] = "account, uuid, status, created_at, last_updated, expires_at";

static struct operation_row row_of(struct call *c, struct db_rows *rows)
{
    return (struct operation_row){
        .account = arena_dup(&c->arena, db_text(rows, 0)),
        .uuid = arena_dup(&c->arena, db_text(rows, 1)),
        .status = arena_dup(&c->arena, db_text(rows, 2)),
        .created = db_int(rows, 3),
        .updated = db_int(rows, 4),
        .expires = db_int(rows, 5),
    };
}

static yyjson_mut_val *row_json(struct call *c, yyjson_mut_doc *d, const struct operation_row *r)
{
    yyjson_mut_val *o = yyjson_mut_obj(d);
    str updated = time_text_us(&c->arena, r->updated);
    put_str(d, o, "account", r->account);
    put_time(d, o, "created_at", r->created);
    put_time(d, o, "expires_at", r->expires);
    put_time(d, o, "last_update", r->updated);
    put_str(d, o, "last_updated",
            str_ends(updated, STR("Z")) ? str_sub(updated, 0, updated.n - 1) : updated);
    put_str(d, o, "status", r->status);
    put_str(d, o, "uuid", r->uuid);
    return o;
}

/* ---- operations --------------------------------------------------------------------------------
 */

struct asked {
    struct call *c;
    str uuid;
    struct operation_row row;
    const char *type;
    char digest[65];
};

/* 1 or 0. */
static int read_row(struct db_tx *tx, struct asked *q, struct err *e)
{
    char sql[300];
    auto_rows *rows = NULL;
    snprintf(sql, sizeof sql, "SELECT %s FROM image_import WHERE uuid = $1 AND account = $2",
             columns);
    int rc = db_query(tx, sql, DB(DBS(q->uuid), DBS(q->c->account)), &rows, e);
    if (rc < 0 || (rc = db_next(rows, e)) <= 0)
        return rc;
    q->row = row_of(q->c, rows);
    return 1;
}

static int send_missing(struct asked *q)
{
    return call_error(q->c, 404, "Resource %.*s not found", STR_ARG(str_sub(q->uuid, 0, 200)));
}

static int send_row(struct asked *q)
{
    yyjson_mut_doc *d = call_doc(q->c);
    return call_send(q->c, 200, d, row_json(q->c, d, &q->row));
}

static int list_in(struct db_tx *tx, void *ctx, struct err *e)
{
    struct call *c = ctx;
    char sql[300];
    auto_rows *rows = NULL;
    yyjson_mut_doc *d = call_doc(c);
    yyjson_mut_val *list = yyjson_mut_arr(d);
    snprintf(sql, sizeof sql,
             "SELECT %s FROM image_import WHERE account = $1 ORDER BY created_at LIMIT 10000",
             columns);
    int rc = db_query(tx, sql, DB(DBS(c->account)), &rows, e);
    while (rc >= 0 && (rc = db_next(rows, e)) == 1) {
        struct operation_row r = row_of(c, rows);
        yyjson_mut_arr_append(list, row_json(c, d, &r));
    }
    return rc < 0 ? rc : call_send(c, 200, d, list);
}

static int list_operations(struct call *c)
{
    return api_run(c, DB_READ, list_in, c);
}

static int create_in(struct db_tx *tx, void *ctx, struct err *e)
{
    struct asked *q = ctx;
    int64_t n = db_exec(tx,
                        "INSERT INTO image_import (uuid, account, status, expires_at, created_at, "
                        "last_updated) VALUES ($1, $2, 'pending', now_us() + 86400000000, "
                        "now_us(), now_us())",
                        DB(DBS(q->uuid), DBS(q->c->account)), e);
    return n < 0 ? (int)n : read_row(tx, q, e);
}

static int create_operation(struct call *c)
{
    unsigned char random[16];
    char uuid[33];
    struct asked q = {.c = c};
    if (getrandom(random, sizeof random, 0) != sizeof random)
        return err_errno(c->err, "no random bytes");
    for (size_t i = 0; i < sizeof random; i++)
        snprintf(uuid + 2 * i, 3, "%02x", random[i]);
    q.uuid = str_z(uuid);
    int rc = db_run(c->engine->db, DB_WRITE, create_in, &q, c->err);
    return rc < 0 ? rc : send_row(&q);
}

static int get_in(struct db_tx *tx, void *ctx, struct err *e)
{
    return read_row(tx, ctx, e);
}

static int get_operation(struct call *c)
{
    struct asked q = {.c = c, .uuid = call_param(c, "operation_id")};
    int rc = db_run(c->engine->db, DB_READ, get_in, &q, c->err);
    return rc < 0 ? rc : rc ? send_row(&q) : send_missing(&q);
}

static int end_in(struct db_tx *tx, void *ctx, struct err *e)
{
    struct asked *q = ctx;
    int64_t n = db_exec(tx,
                        "UPDATE image_import SET status = 'invalidated', last_updated = now_us() "
                        "WHERE uuid = $1 AND account = $2 AND status = 'pending'",
                        DB(DBS(q->uuid), DBS(q->c->account)), e);
    return n < 0 ? (int)n : read_row(tx, q, e);
}

static int delete_operation(struct call *c)
{
    struct asked q = {.c = c, .uuid = call_param(c, "operation_id")};
    int rc = db_run(c->engine->db, DB_WRITE, end_in, &q, c->err);
    return rc < 0 ? rc : rc ? send_row(&q) : send_missing(&q);
}

/* ---- contents ----------------------------------------------------------------------------------
 */

static int list_contents_in(struct db_tx *tx, void *ctx, struct err *e)
{
    struct asked *q = ctx;
    struct call *c = q->c;
    auto_rows *rows = NULL;
    int rc = read_row(tx, q, e);
    if (rc <= 0)
        return rc;
    yyjson_mut_doc *d = call_doc(c);
    yyjson_mut_val *list = yyjson_mut_arr(d);
    rc = db_query(tx,
                  "SELECT digest, created_at FROM image_import_content WHERE operation_id = $1 AND "
                  "content_type = $2 ORDER BY digest LIMIT 10000",
                  DB(DBS(q->uuid), DBZ(q->type)), &rows, e);
    while (rc >= 0 && (rc = db_next(rows, e)) == 1) {
        yyjson_mut_val *o = yyjson_mut_arr_add_obj(d, list);
        put_time(d, o, "created_at", db_int(rows, 1));
        put_str(d, o, "digest", db_text(rows, 0));
    }
    rc = rc < 0 ? rc : call_send(c, 200, d, list);
    return rc < 0 ? rc : 1;
}

static int list_contents(struct call *c, const char *type)
{
    struct asked q = {.c = c, .uuid = call_param(c, "operation_id"), .type = type};
    int rc = db_run(c->engine->db, DB_READ, list_contents_in, &q, c->err);
    return rc < 0 ? rc : rc ? 0 : send_missing(&q);
}

static bool takes_contents(str status)
{
    return str_eq(status, STR("pending")) || str_eq(status, STR("processing"));
}

static int upload_in(struct db_tx *tx, void *ctx, struct err *e)
{
    struct asked *q = ctx;
    struct call *c = q->c;
    int rc = read_row(tx, q, e);
    if (rc <= 0 || !takes_contents(q->row.status))
        return rc;
    str key = arena_printf(&c->arena, "%.*s/%s/%s", STR_ARG(q->uuid), q->type, q->digest);
    rc = document_put(c->engine->documents, tx, c->account, STR(IMPORT_BUCKET), key, c->raw, e);
    if (rc < 0)
        return rc;
    int64_t n = db_exec(tx,
                        "INSERT INTO image_import_content (operation_id, digest, content_type, "
                        "created_at) VALUES ($1, $2, $3, now_us()) ON CONFLICT (operation_id, "
                        "digest, content_type) DO NOTHING",
                        DB(DBS(q->uuid), DBZ(q->digest), DBZ(q->type)), e);
    if (n >= 0)
        n = db_query_int(tx,
                         "SELECT created_at FROM image_import_content WHERE operation_id = $1 AND "
                         "digest = $2 AND content_type = $3",
                         DB(DBS(q->uuid), DBZ(q->digest), DBZ(q->type)), &q->row.created, e);
    return n < 0 ? (int)n : 1;
}

static int upload(struct call *c, const char *type, bool json)
{
    struct asked q = {.c = c, .uuid = call_param(c, "operation_id"), .type = type};
    if (c->raw.n > IMPORT_CONTENT_MAX)
        return call_error(c, 400, "too large. Max size of 100MB supported for content");
    if (!c->raw.n)
        return call_error(c, 400, "the request has no content");
    auto_json *doc = NULL;
    struct err why = {0};
    if (json && !c->body && json_parse(c->raw, "body", &doc, &why) < 0)
        return call_problem(c, 400, "Bad Request", "Request body is not valid JSON");
    struct sha256 sum = sha256_of(c->raw.p, c->raw.n);
    for (size_t i = 0; i < sizeof sum.b; i++)
        snprintf(q.digest + 2 * i, 3, "%02x", sum.b[i]);
    int rc = db_run(c->engine->db, DB_WRITE, upload_in, &q, c->err);
    if (rc < 0)
        return rc;
    if (rc == 0)
        return send_missing(&q);
    if (!takes_contents(q.row.status))
        return call_error(c, 409, "Invalid operation status: %.*s", STR_ARG(q.row.status));
    yyjson_mut_doc *d = call_doc(c);
    yyjson_mut_val *o = yyjson_mut_obj(d);
    put_time(d, o, "created_at", q.row.created);
    put_str(d, o, "digest", str_z(q.digest));
    return call_send(c, 200, d, o);
}

#define CONTENT(name, type, json)                                                                  \
    static int list_##name(struct call *c)                                                         \
    {                                                                                              \
        return list_contents(c, type);                                                             \
    }                                                                                              \
    static int upload_##name(struct call *c)                                                       \
    {                                                                                              \
        return upload(c, type, json);                                                              \
    }

CONTENT(packages, "packages", true)
CONTENT(dockerfile, "dockerfile", false)
CONTENT(manifest, "manifest", true)
CONTENT(parent_manifest, "parent_manifest", true)
CONTENT(image_config, "image_config", true)

enum { UPLOAD = ROUTE_BIG | ROUTE_SLOW };

const struct operation import_operations[] = {
    {"list_operations", list_operations, 0},
    {"create_operation", create_operation, 0},
    {"get_operation", get_operation, 0},
    {"invalidate_operation", delete_operation, 0},
    {"list_import_packages", list_packages, 0},
    {"import_image_packages", upload_packages, UPLOAD},
    {"list_import_dockerfiles", list_dockerfile, 0},
    {"import_image_dockerfile", upload_dockerfile, UPLOAD | ROUTE_RAW},
    {"list_import_image_manifests", list_manifest, 0},
    {"import_image_manifest", upload_manifest, UPLOAD | ROUTE_RAW},
    {"list_import_parent_manifests", list_parent_manifest, 0},
    {"import_image_parent_manifest", upload_parent_manifest, UPLOAD | ROUTE_RAW},
    {"list_import_image_configs", list_image_config, 0},
    {"import_image_config", upload_image_config, UPLOAD},
    {0},
};
