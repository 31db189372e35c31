#include "services/policy_engine/policy_check_internal.h"

#include "base/auto.h"
#include "services/policy_record.h"

struct history {
    struct asked *a;
    const str *tags;
    size_t n;
    yyjson_mut_doc *d;
};

static int add_detail(struct db_tx *tx, struct history *h, const struct evaluation_row *r,
                      yyjson_mut_val *entry, struct err *e)
{
    struct asked *a = h->a;
    yyjson_mut_val *detail = yyjson_mut_obj_add_obj(h->d, entry, "detail"), *result;
    if (!a->q->detail)
        return 0;
    struct err why = {0};
    int rc = evaluation_read(a->c->engine, tx, a->q->account, r->eval_id, r->created, r->updated,
                             h->d, &result, &why);
    if (rc == ERR_NOT_FOUND)
        return 0;
    if (rc < 0)
        return err_set(e, why.code, "%s", why.text);
    auto_buf text;
    buf_init(&text, BUNDLE_BYTES_MAX);
    rc = policy_bundle(a->c->engine, tx, a->q->account, r->policy_id, &text, &why);
    if (rc < 0 && rc != ERR_NOT_FOUND)
        return err_set(e, why.code, "%s", why.text);
    put_json(h->d, detail, "policy", buf_view(&text));
    yyjson_mut_obj_add_val(h->d, detail, "result", result);
    return 0;
}

static int add_history(struct db_tx *tx, struct history *h, str tag, yyjson_mut_val *out,
                       struct err *e)
{
    struct asked *a = h->a;
    struct evaluation_row *rows;
    size_t n;
    bool newest = true;
    int rc = evaluation_list(tx, &a->c->arena, a->q->account, a->digest, tag, a->q->policy, &rows,
                             &n, e);
    yyjson_mut_val *list = yyjson_mut_arr(h->d);
    for (size_t i = 0; rc >= 0 && i < n; i++) {
        /* The row of this very evaluation may not have been written again. */
        bool this = newest && str_eq(rows[i].policy_id, a->policy);
        newest &= !this;
        if (this)
            rows[i].created = rows[i].updated = a->now;
        yyjson_mut_val *entry = yyjson_mut_obj(h->d);
        if (this)
            yyjson_mut_arr_prepend(list, entry);
        else
            yyjson_mut_arr_append(list, entry);
        rc = add_detail(tx, h, &rows[i], entry, e);
        put_time(h->d, entry, "last_evaluation", rows[i].created);
        put_str(h->d, entry, "policyId", rows[i].policy_id);
        put_str(h->d, entry, "status",
                str_eq(rows[i].action, STR("STOP")) ? STR("fail") : STR("pass"));
    }
    yyjson_mut_obj_add(out, yyjson_mut_strncpy(h->d, tag.p, tag.n), list);
    return rc < 0 ? rc : 0;
}

static int history_run(struct db_tx *tx, void *ctx, struct err *e)
{
    struct history *h = ctx;
    int rc = 0;
    h->d = call_doc(h->a->c);
    yyjson_mut_val *list = yyjson_mut_arr(h->d), *tags = yyjson_mut_obj(h->d);
    yyjson_mut_val *image = yyjson_mut_arr_add_obj(h->d, list);
    for (size_t i = 0; rc >= 0 && i < h->n; i++)
        rc = add_history(tx, h, h->tags[i], tags, e);
    yyjson_mut_obj_add(image, yyjson_mut_strncpy(h->d, h->a->digest.p, h->a->digest.n), tags);
    return rc < 0 ? rc : call_send(h->a->c, 200, h->d, list);
}

int policy_check_history(struct asked *a, const str *tags, size_t n)
{
    struct history h = {.a = a, .tags = tags, .n = n};
    for (size_t i = 0; i < n; i++) {
        struct kept_verdict *v;
        int rc = verdict_get(a, tags[i], &v);
        if (rc < 0)
            return rc;
        rc = verdict_store(a, tags[i], v);
        kept_drop(&v->kept);
        if (rc < 0)
            return rc;
    }
    int rc = db_run(a->c->engine->db, DB_READ, history_run, &h, a->c->err);
    return rc < 0 ? rc : 0;
}
