#include "services/policy_schema.h"

#include "codec/schema.h"
#include "policy/problems.h"
#include "services/swagger_json.h"

static int check(yyjson_val *document, yyjson_val *bundle, struct err *why, struct err *e)
{
    struct schema_set *schemas;
    int rc = schema_set_new(document, &schemas, e);
    if (rc < 0)
        return rc;
    rc = schema_check(schemas, json_get(json_get(document, "definitions"), "PolicyBundle"), bundle,
                      why);
    schema_set_free(schemas);
    return rc < 0 ? err_set(e, rc, "%s", why->text) : rc;
}

int policy_schema_lint(yyjson_val *bundle, int64_t now_us, struct arena *a,
                       struct policy_problems *out, struct err *e)
{
    auto_json *doc = NULL;
    struct err why = {0};
    int rc = policy_lint(bundle, now_us, a, out, e);
    if (rc >= 0)
        rc = json_parse((str){swagger_json, swagger_json_size}, "swagger.json", &doc, e);
    if (rc >= 0)
        rc = check(yyjson_doc_get_root(doc), bundle, &why, e);
    if (rc == 0 && !problems_addf(out, "error", "SchemaError", "%s", why.text))
        return err_no_memory(e);
    return rc < 0 ? rc : (int)out->total;
}
