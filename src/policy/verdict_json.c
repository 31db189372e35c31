#include "policy/evaluate.h"

static const char *const header[] = {"Image_Id",    "Repo_Tag",    "Trigger_Id",
                                     "Gate",        "Trigger",     "Check_Output",
                                     "Gate_Action", "Whitelisted", "Policy_Id"};

/* Slices of the verdict, the bundle and the subject outlive neither... they are copied. */
static yyjson_mut_val *text(yyjson_mut_doc *d, str s)
{
    return yyjson_mut_strncpy(d, s.p ? s.p : "", s.n);
}

static yyjson_mut_val *text_or_null(yyjson_mut_doc *d, str s)
{
    return s.p ? text(d, s) : yyjson_mut_null(d);
}

static yyjson_mut_val *or_false(yyjson_mut_doc *d, yyjson_val *v)
{
    return v ? yyjson_val_mut_copy(d, v) : yyjson_mut_false(d);
}

static bool add(yyjson_mut_doc *d, yyjson_mut_val *o, const char *key, yyjson_mut_val *v)
{
    return v && yyjson_mut_obj_add(o, yyjson_mut_str(d, key), v);
}

static yyjson_mut_val *allowed_json(yyjson_mut_doc *d, const struct policy_row *row)
{
    static const char *const own[] = {"reason", "owner", "created", "vulnerability_id"};
    yyjson_mut_val *o = yyjson_mut_obj(d);
    bool ok = add(d, o, "matched_rule_id", text_or_null(d, row->allowlist_rule_id)) &&
              add(d, o, "whitelist_id", text_or_null(d, row->allowlist_id)) &&
              add(d, o, "whitelist_name", text_or_null(d, row->allowlist_name));
    bool extended = false;
    for (size_t i = 0; i < KE_ARRAY_LEN(own); i++) {
        yyjson_val *v = json_get(row->allowlist_item, own[i]);
        extended |= v != NULL;
        ok = ok && (!v || add(d, o, own[i], yyjson_val_mut_copy(d, v)));
    }
    yyjson_val *until = extended ? json_get(row->allowlist_item, "expires_on") : NULL;
    ok = ok && (!until || add(d, o, "expires_on", yyjson_val_mut_copy(d, until)));
    return ok ? o : NULL;
}

static yyjson_mut_val *row_json(yyjson_mut_doc *d, const struct policy_row *row,
                                const struct policy_subject *s, str image_id)
{
    yyjson_mut_val *a = yyjson_mut_arr(d);
    yyjson_mut_val *cells[] = {
        text(d, image_id),
        text(d, s->tag),
        text(d, row->trigger_id),
        yyjson_mut_str(d, row->gate),
        yyjson_mut_str(d, row->trigger),
        text(d, row->message),
        yyjson_mut_str(d, policy_action_names[row->action]),
        row->allowed ? allowed_json(d, row) : yyjson_mut_false(d),
        text(d, row->policy_id),
    };
    for (size_t i = 0; i < KE_ARRAY_LEN(cells); i++)
        if (!yyjson_mut_arr_append(a, cells[i]))
            return NULL;
    return a;
}

static yyjson_mut_val *table_json(const struct policy_verdict *v, const struct policy_subject *s,
                                  str image_id, yyjson_mut_doc *d)
{
    yyjson_mut_val *inner = yyjson_mut_obj(d), *rows = yyjson_mut_arr(d);
    bool ok =
        add(d, inner, "final_action", yyjson_mut_str(d, policy_action_names[v->policy_action])) &&
        add(d, inner, "header",
            yyjson_mut_arr_with_str(d, (const char **)header, KE_ARRAY_LEN(header))) &&
        add(d, inner, "row_count", yyjson_mut_uint(d, v->n_rows)) && add(d, inner, "rows", rows);
    for (size_t i = 0; ok && i < v->n_rows; i++)
        ok = yyjson_mut_arr_append(rows, row_json(d, &v->rows[i], s, image_id));
    yyjson_mut_val *image = yyjson_mut_obj(d), *table = yyjson_mut_obj(d);
    ok = ok && add(d, image, "result", inner) &&
         yyjson_mut_obj_add(table, text(d, image_id), image) &&
         add(d, table, "policy_data", yyjson_mut_arr(d)) &&
         add(d, table, "policy_name", yyjson_mut_str(d, "")) &&
         add(d, table, "whitelist_data", yyjson_mut_arr(d)) &&
         add(d, table, "whitelist_names", yyjson_mut_arr(d));
    return ok ? table : NULL;
}

static yyjson_mut_val *problems_json(const struct policy_problems *p, yyjson_mut_doc *d)
{
    yyjson_mut_val *list = yyjson_mut_arr(d);
    for (size_t i = 0; list && i < p->n; i++) {
        yyjson_mut_val *o = yyjson_mut_obj(d);
        bool ok = add(d, o, "details", text(d, p->list[i].details)) &&
                  add(d, o, "problem_type", yyjson_mut_str(d, p->list[i].type)) &&
                  add(d, o, "severity", yyjson_mut_str(d, p->list[i].severity)) &&
                  yyjson_mut_arr_append(list, o);
        if (!ok)
            return NULL;
    }
    return list;
}

int policy_verdict_json(const struct policy_verdict *v, const struct policy_bundle *b,
                        const struct policy_subject *s, yyjson_mut_doc *d, yyjson_mut_val **out,
                        struct err *e)
{
    str image_id = s->image ? s->image->id : (str){0};
    int64_t seconds = s->now_us / 1000000;
    yyjson_mut_val *o = yyjson_mut_obj(d);
    bool ok = add(d, o, "bundle", yyjson_val_mut_copy(d, policy_bundle_json(b))) &&
              add(d, o, "created_at", yyjson_mut_sint(d, seconds)) &&
              add(d, o, "evaluation_problems", problems_json(&v->problems, d)) &&
              add(d, o, "final_action", yyjson_mut_str(d, policy_action_names[v->final_action])) &&
              add(d, o, "final_action_reason", yyjson_mut_str(d, v->reason)) &&
              add(d, o, "image_id", text(d, image_id)) &&
              add(d, o, "last_modified", yyjson_mut_sint(d, seconds)) &&
              add(d, o, "matched_blacklisted_images_rule", or_false(d, v->denied_image)) &&
              add(d, o, "matched_mapping_rule", or_false(d, v->mapping)) &&
              add(d, o, "matched_whitelisted_images_rule", or_false(d, v->allowed_image)) &&
              add(d, o, "result", table_json(v, s, image_id, d)) &&
              add(d, o, "tag", text(d, s->tag)) && add(d, o, "user_id", text(d, s->account));
    if (!ok)
        return err_no_memory(e);
    *out = o;
    return 0;
}
