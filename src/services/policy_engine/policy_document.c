#include "services/policy_engine/policy_document.h"

#include "services/call.h"

void policy_document_set(yyjson_mut_doc *d, yyjson_mut_val *o, const char *key, yyjson_mut_val *v)
{
    yyjson_mut_obj_remove_key(o, key);
    yyjson_mut_obj_add(o, yyjson_mut_strcpy(d, key), v);
}

static yyjson_mut_val *text(yyjson_mut_doc *d, str s)
{
    return yyjson_mut_strncpy(d, s.p ? s.p : "", s.n);
}

int policy_document_detail(const struct policy_verdict *v, const struct policy_bundle *b,
                           const struct policy_subject *s, yyjson_mut_doc *d,
                           yyjson_mut_val **detail, yyjson_mut_val **result, struct err *e)
{
    int64_t now = s->now_us / 1000000;
    *detail = yyjson_mut_obj(d);
    int rc = *detail ? policy_verdict_json(v, b, s, d, result, e) : err_no_memory(e);
    if (rc < 0)
        return rc;
    policy_document_set(d, *result, "image_digest", text(d, s->image->digest));
    policy_document_set(d, *result, "status",
                        yyjson_mut_str(d, policy_passes(v) ? "pass" : "fail"));
    policy_document_set(d, *result, "created_at", yyjson_mut_int(d, now));
    policy_document_set(d, *result, "last_modified", yyjson_mut_int(d, now));
    yyjson_mut_obj_add_val(d, *detail, "policy", yyjson_val_mut_copy(d, policy_bundle_json(b)));
    yyjson_mut_obj_add_val(d, *detail, "result", *result);
    return 0;
}

static int write_answer(const struct policy_verdict *v, const struct policy_bundle *b,
                        const struct policy_subject *s, str tag_source, yyjson_mut_doc *d,
                        struct arena *a, struct buf *out, struct err *e)
{
    yyjson_mut_val *detail, *result, *root = yyjson_mut_arr(d), *tags = yyjson_mut_obj(d);
    int rc = policy_document_detail(v, b, s, d, &detail, &result, e);
    if (rc < 0)
        return rc;
    yyjson_mut_val *entries = yyjson_mut_arr(d), *entry = yyjson_mut_arr_add_obj(d, entries);
    yyjson_mut_obj_add_val(d, entry, "detail", detail);
    put_str(d, entry, "last_evaluation", time_text(a, s->now_us));
    put_str(d, entry, "policyId", policy_bundle_id(b));
    put_str(d, entry, "status", policy_passes(v) ? STR("pass") : STR("fail"));
    put_str(d, entry, "tag_source", tag_source);
    yyjson_mut_obj_add(tags, text(d, s->tag), entries);
    yyjson_mut_obj_add(yyjson_mut_arr_add_obj(d, root), text(d, s->image->digest), tags);
    return json_pretty(root, out, e);
}

int policy_document_write(const struct policy_verdict *v, const struct policy_bundle *b,
                          const struct policy_subject *s, str tag_source, struct buf *out,
                          struct err *e)
{
    struct arena a;
    yyjson_mut_doc *d = yyjson_mut_doc_new(NULL);
    if (!d)
        return err_no_memory(e);
    arena_init(&a, 1 << 20);
    int rc = write_answer(v, b, s, tag_source, d, &a, out, e);
    arena_done(&a);
    yyjson_mut_doc_free(d);
    return rc;
}
