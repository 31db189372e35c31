/* check.c - /images/{imageDigest}/check and by_id: the policy engine evaluates, stores and answers.
 */
#include "services/api/operations.h"
#include "services/api/policy_engine.h"

static int check(struct call *c, const char *image, bool by_id)
{
    auto_buf path;
    buf_init(&path, 64 << 10);
    buf_add_str(&path, STR("/users/"));
    policy_engine_escape(&path, c->account);
    buf_add_str(&path, STR("/images/"));
    policy_engine_escape(&path, call_param(c, image));
    buf_add_str(&path, by_id ? STR("/check?by_id=true") : STR("/check?by_id=false"));
    policy_engine_param(c, &path, "tag");
    policy_engine_param(c, &path, "policyId");
    policy_engine_param(c, &path, "detail");
    policy_engine_param(c, &path, "history");
    policy_engine_param(c, &path, "interactive");
    return policy_engine_pass(c, "GET", buf_z(&path));
}

static int get_image_policy_check(struct call *c)
{
    return check(c, "imageDigest", false);
}

static int get_image_policy_check_by_id(struct call *c)
{
    return check(c, "imageId", true);
}

const struct operation check_operations[] = {
    {"get_image_policy_check", get_image_policy_check, ROUTE_SLOW},
    {"get_image_policy_check_by_imageId", get_image_policy_check_by_id, ROUTE_SLOW},
    {NULL, NULL, 0},
};
