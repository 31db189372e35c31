/* vulnerabilities.c - /images/{imageDigest}/vuln and by_id. */
#include "services/api/policy_engine.h"
#include "services/image.h"

static int list_types(struct call *c)
{
    yyjson_mut_doc *d = call_doc(c);
    yyjson_mut_val *list = yyjson_mut_arr(d);
    yyjson_mut_arr_add_str(d, list, "os");
    yyjson_mut_arr_add_str(d, list, "non-os");
    yyjson_mut_arr_add_str(d, list, "all");
    return call_send(c, 200, d, list);
}

static int report_of(struct call *c, str digest)
{
    auto_buf path;
    buf_init(&path, 64 << 10);
    buf_add_str(&path, STR("/users/"));
    policy_engine_escape(&path, c->account);
    buf_add_str(&path, STR("/images/"));
    policy_engine_escape(&path, digest);
    buf_add_str(&path, STR("/vulnerabilities?vtype="));
    policy_engine_escape(&path, call_param(c, "vtype"));
    policy_engine_param(c, &path, "force_refresh");
    policy_engine_param(c, &path, "vendor_only");
    return policy_engine_pass(c, "GET", buf_z(&path));
}

static int by_digest(struct call *c)
{
    return report_of(c, call_param(c, "imageDigest"));
}

struct by_id {
    struct call *c;
    struct image_record record;
    int found;
};

static int read_by_id(struct db_tx *tx, void *ctx, struct err *e)
{
    struct by_id *b = ctx;
    b->found = image_get_by_id(tx, &b->c->arena, b->c->account, call_param(b->c, "imageId"),
                               &b->record, e);
    return b->found;
}

static int by_image_id(struct call *c)
{
    struct by_id b = {.c = c};
    int r = db_run(c->engine->db, DB_READ, read_by_id, &b, c->err);
    if (r < 0)
        return r;
    return b.found ? report_of(c, b.record.digest) : call_error(c, 404, "image not found in DB");
}

const struct operation vulnerability_operations[] = {
    {"get_image_vulnerability_types", list_types, 0},
    {"get_image_vulnerabilities_by_type", by_digest, ROUTE_SLOW},
    {"get_image_vulnerability_types_by_imageId", list_types, 0},
    {"get_image_vulnerabilities_by_type_imageId", by_image_id, ROUTE_SLOW},
    {0},
};
