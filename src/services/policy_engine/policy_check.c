#include "services/policy_engine/policy_check_internal.h"

#include "base/auto.h"
#include "services/fulltag.h"

enum { TIME_DIGITS = 10 };

/* ---- the answer --------------------------------------------------------------------------------
 */

static void patch_seconds(char *at, int64_t us)
{
    int64_t s = us / 1000000;
    for (int i = TIME_DIGITS; i-- > 0; s /= 10)
        at[i] = (char)('0' + s % 10);
}

static void put_detail(struct buf *b, const struct kept_verdict *v, int64_t now)
{
    size_t at = b->n;
    buf_add_str(b, buf_view(&v->detail));
    if (!buf_ok(b))
        return;
    if (v->created)
        patch_seconds(b->p + at + v->created, now);
    if (v->modified)
        patch_seconds(b->p + at + v->modified, now);
}

static void put_entry(struct asked *a, struct buf *b, const struct kept_verdict *v)
{
    str when = time_text(&a->c->arena, a->now);
    buf_add_str(b, STR("        {\n          \"detail\": "));
    if (a->q->detail)
        put_detail(b, v, a->now);
    else
        buf_add_str(b, STR("{}"));
    buf_addf(
        b, ",\n          \"last_evaluation\": \"%.*s\",\n          \"policyId\": ", STR_ARG(when));
    json_put_ascii(b, a->policy);
    buf_addf(b, ",\n          \"status\": \"%s\"\n        }",
             v->action == ACTION_STOP ? "fail" : "pass");
}

static int put_tag(struct asked *a, struct buf *b, str tag)
{
    struct kept_verdict *v;
    int rc = verdict_get(a, tag, &v);
    if (rc < 0)
        return rc;
    rc = verdict_store(a, tag, v);
    buf_add_str(b, STR("\n      "));
    json_put_ascii(b, tag);
    buf_add_str(b, STR(": [\n"));
    put_entry(a, b, v);
    buf_add_str(b, STR("\n      ]"));
    kept_drop(&v->kept);
    return rc;
}

static int answer_newest(struct asked *a, const str *tags, size_t n)
{
    struct buf *b = call_text(a->c);
    int rc = 0;
    buf_add_str(b, STR("[\n  {\n    "));
    json_put_ascii(b, a->digest);
    buf_add_str(b, STR(": {"));
    for (size_t i = 0; rc >= 0 && i < n; i++) {
        if (i)
            buf_add_char(b, ',');
        rc = put_tag(a, b, tags[i]);
    }
    buf_add_str(b, STR("\n    }\n  }\n]\n"));
    return rc < 0 ? rc : call_text_end(a->c, 200, "application/json");
}

/* ---- the question ------------------------------------------------------------------------------
 */

static int bad_tag(struct call *c, const struct err *why)
{
    yyjson_mut_doc *d = call_doc(c);
    yyjson_mut_val *detail = yyjson_mut_obj(d);
    put_str(d, detail, "raw_exception_message", arena_dup(&c->arena, str_z(why->text)));
    yyjson_mut_obj_add_val(d, detail, "error_codes", yyjson_mut_arr(d));
    return call_error_detail(c, 400, STR("cannot handle image input string"), d, detail);
}

static int list_tags(struct asked *a, const str **tags, size_t *n)
{
    int rc = asked_need_record(a);
    if (rc < 0)
        return rc;
    str *list = arena_calloc(&a->c->arena, a->record.n_tags + 1, sizeof *list);
    if (!list)
        return err_no_memory(a->c->err);
    for (size_t i = 0; i < a->record.n_tags; i++)
        list[i] = a->record.tags[i].fulltag;
    *tags = list;
    *n = a->record.n_tags;
    return 0;
}

int policy_check_answer(struct call *c, struct policy_checks *p, struct vuln_reports *reports,
                        const struct policy_question *q)
{
    struct asked a = {.c = c, .p = p, .reports = reports, .q = q};
    struct err why = {0};
    struct fulltag name;
    const str *tags = NULL;
    size_t n = 1;
    if (q->tag.n && fulltag_parse(q->tag, &c->arena, &name, &why) < 0)
        return bad_tag(c, &why);
    int rc = db_run(c->engine->db, DB_READ, asked_read, &a, c->err);
    if (rc < 0)
        return rc;
    if (!a.found)
        return call_error(c, 404, "image not found in DB");
    if (!str_eq(a.state, STR("analyzed")))
        return call_error(c, 404, "image is not analyzed - analysis_status: %.*s",
                          STR_ARG(a.state));
    if (!a.policy.p && q->policy.n)
        return call_error(c, 404, "Policy bundle %.*s not found in DB", STR_ARG(q->policy));
    if (!a.policy.p)
        return call_error(c, 404, "user has no active policy to evaluate: %.*s",
                          STR_ARG(q->account));
    str one = q->tag.n ? name.fulltag.p ? name.fulltag : name.pull : STR("");
    tags = &one;
    if (!q->tag.n && (rc = list_tags(&a, &tags, &n)) < 0)
        return rc;
    if (!n)
        return call_error(c, 404, "could not find any evaluations for input images");
    return q->history && !q->interactive ? policy_check_history(&a, tags, n)
                                         : answer_newest(&a, tags, n);
}

/* ---- a bundle that is not stored ---------------------------------------------------------------
 */

static int inline_record(struct db_tx *tx, void *ctx, struct err *e)
{
    struct asked *a = ctx;
    int rc = image_get_by_id(tx, &a->c->arena, a->q->account, a->q->image, &a->record, e);
    a->found = rc == 1;
    if (rc >= 0)
        rc = db_query_int(tx, "SELECT now_us()", DB0, &a->now, e);
    return rc;
}

int policy_check_inline(struct call *c, struct policy_checks *p, struct vuln_reports *reports,
                        str account, str image_id, str tag, yyjson_val *bundle)
{
    const struct policy_question q = {.account = account, .image = image_id};
    struct asked a = {.c = c, .p = p, .reports = reports, .q = &q};
    struct policy_bundle *b = NULL;
    struct policy_load load;
    struct policy_verdict *verdict = NULL;
    yyjson_mut_val *result = NULL;
    size_t size;
    int rc = db_run(c->engine->db, DB_READ, inline_record, &a, c->err);
    if (rc < 0)
        return rc;
    if (!a.found || !str_eq(a.record.analysis_status, STR("analyzed")))
        return call_error(c, 404, "Image not found");
    char *text autofree = yyjson_val_write(bundle, YYJSON_WRITE_ALLOW_INVALID_UNICODE, &size);
    if (!text)
        return err_no_memory(c->err);
    rc = policy_bundle_new((str){text, size}, &b, c->err);
    if (rc < 0)
        return rc;
    rc = policy_load_subject(c->engine, p->loads, reports, &a.record, tag, policy_bundle_needs(b),
                             a.now, &load, c->err);
    if (rc >= 0)
        rc = policy_evaluate(b, &load.subject, &verdict, c->err);
    yyjson_mut_doc *d = call_doc(c);
    if (rc >= 0)
        rc = policy_verdict_json(verdict, b, &load.subject, d, &result, c->err);
    if (rc >= 0)
        rc = call_send(c, 200, d, result);
    policy_verdict_free(verdict);
    policy_load_done(&load);
    policy_bundle_free(b);
    return rc;
}
