/* policy_trial.c - /policies/lint and /policies/dry_run: what is wrong with a bundle, and what it
 * would change, before it is stored. */
#include "policy/bundle.h"
#include "services/api/operations.h"
#include "services/api/policy_engine.h"
#include "services/policy_schema.h"

#include <time.h>

static int lint_policy(struct call *c)
{
    struct policy_problems found = {0};
    int n = policy_schema_lint(c->body, (int64_t)time(NULL) * 1000000, &c->arena, &found, c->err);
    if (n < 0)
        return n;
    yyjson_mut_doc *d = call_doc(c);
    yyjson_mut_val *root = yyjson_mut_obj(d), *list = policy_problems_json(d, &found);
    bool valid = true;
    for (size_t i = 0; i < found.n; i++)
        valid &= strcmp(found.list[i].severity, "error") != 0;
    put_bool(d, root, "valid", valid);
    put_int(d, root, "total", (int64_t)found.total);
    yyjson_mut_obj_add_val(d, root, "problems", list);
    return call_send(c, 200, d, root);
}

static int dry_run_policy(struct call *c)
{
    int rc = policy_accept(c, c->body);
    if (rc != 1)
        return rc;
    auto_buf path;
    buf_init(&path, 64 << 10);
    buf_add_str(&path, STR("/users/"));
    policy_engine_escape(&path, c->account);
    buf_add_str(&path, call_flag(c, "all", false) ? STR("/policies/dry_run?all=true")
                                                  : STR("/policies/dry_run?all=false"));
    policy_engine_param(c, &path, "policyId");
    policy_engine_param(c, &path, "limit");
    policy_engine_param(c, &path, "after");
    return policy_engine_send(c, buf_z(&path), c->raw);
}

const struct operation policy_trial_operations[] = {
    {"lint_policy", lint_policy, ROUTE_SLOW},
    {"dry_run_policy", dry_run_policy, ROUTE_SLOW},
    {NULL, NULL, 0},
};
