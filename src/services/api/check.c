#include "services/api/operations.h"

#include "services/image.h"
#include "services/policy_record.h"

struct question {
    struct call *c;
    bool by_id;
};

static int check_run(struct db_tx *tx, void *ctx, struct err *e)
{
    struct question *q = ctx;
    struct call *c = q->c;
    struct image_record image;
    struct policy_record policy;
    struct arena *a = &c->arena;
    int rc = q->by_id ? image_get_by_id(tx, a, c->account, call_param(c, "imageId"), &image, e)
                      : image_get(tx, a, c->account, call_param(c, "imageDigest"), &image, e);
    if (rc == 0)
        return call_error(c, 404, "image not found in DB");
    if (rc == 1 && !str_eq(image.analysis_status, STR("analyzed")))
        return call_error(c, 404, "image is not analyzed - analysis_status: %.*s",
                          STR_ARG(image.analysis_status));
    if (rc < 0)
        return rc;
    str id = call_param(c, "policyId");
    rc = id.n ? policy_get(tx, a, c->account, id, &policy, e)
              : policy_get_active(tx, a, c->account, &policy, e);
    if (rc == 0)
        return id.n ? call_error(c, 404, "Policy bundle %.*s not found in DB", STR_ARG(id))
                    : call_error(c, 404, "no active policy bundle found");
    return rc < 0 ? rc
                  : call_problem(c, 501, "Not Implemented",
                                 "policy evaluation is not part of this version yet");
}

static int check(struct call *c, bool by_id)
{
    struct fulltag name;
    struct err why = {0};
    str tag = call_param(c, "tag");
    if (tag.n && fulltag_parse(tag, &c->arena, &name, &why) < 0) {
        yyjson_mut_doc *d = call_doc(c);
        yyjson_mut_val *detail = yyjson_mut_obj(d);
        put_str(d, detail, "raw_exception_message", arena_dup(&c->arena, str_z(why.text)));
        yyjson_mut_obj_add_val(d, detail, "error_codes", yyjson_mut_arr(d));
        return call_error_detail(c, 400, STR("cannot handle image input string"), d, detail);
    }
    struct question q = {c, by_id};
    return api_run(c, DB_READ, check_run, &q);
}

static int get_image_policy_check(struct call *c)
{
    return check(c, false);
}

static int get_image_policy_check_by_id(struct call *c)
{
    return check(c, true);
}

const struct operation check_operations[] = {
    {"get_image_policy_check", get_image_policy_check, 0},
    {"get_image_policy_check_by_imageId", get_image_policy_check_by_id, 0},
    {NULL, NULL, 0},
};
