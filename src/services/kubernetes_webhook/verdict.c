#include "services/kubernetes_webhook/verdict.h"

#include "services/api/policy_engine.h"
#include "services/image.h"

enum { ANSWER_MAX = 4 << 20 };

struct finder {
    const struct verdict_question *q;
    struct arena *a;
    struct fulltag name;
    struct image_record image;
    bool found;
    struct verdict_answer *out;
};

static int account_in(struct db_tx *tx, struct arena *a, const struct admission_selector *s,
                      str *out, struct err *e)
{
    auto_rows *rows = NULL;
    if (s->account.n) {
        *out = s->account;
        return 0;
    }
    int k = db_query(tx, "SELECT account_name FROM account_users WHERE username = $1",
                     DB(DBS(s->user)), &rows, e);
    if (k >= 0 && (k = db_next(rows, e)) == 1) {
        *out = arena_dup(a, db_text(rows, 0));
        return out->p ? 0 : err_no_memory(e);
    }
    return k < 0 ? k : err_set(e, ERR_NOT_FOUND, "there is no user \"%.*s\"", STR_ARG(s->user));
}

struct account_question {
    struct arena *a;
    const struct admission_selector *s;
    str *out;
};

static int account_run(struct db_tx *tx, void *ctx, struct err *e)
{
    struct account_question *x = ctx;
    return account_in(tx, x->a, x->s, x->out, e);
}

int verdict_account(struct engine *en, struct arena *a, const struct admission_selector *s,
                    str *out, struct err *e)
{
    struct account_question x = {a, s, out};
    return s->account.n ? account_run(NULL, &x, e) : db_run(en->db, DB_READ, account_run, &x, e);
}

static int look(struct db_tx *tx, void *ctx, struct err *e)
{
    struct finder *f = ctx;
    str *account = &f->out->account;
    int k = account_in(tx, f->a, f->q->selector, account, e);
    if (k == 0)
        k = f->name.digest.p ? image_get(tx, f->a, *account, f->name.digest, &f->image, e)
                             : image_get_by_tag(tx, f->a, *account, f->name.fulltag, &f->image, e);
    f->found = k == 1 && !str_eq(f->image.image_status, STR("deleting"));
    return k < 0 ? k : 0;
}

/* ---- the policy engine's answer ----------------------------------------------------------------
 */

/* [{digest: {tag: [{"status": "pass", ...}, older ones]}}, ...] */
int verdict_read_check(str answer, bool *passed, struct err *e)
{
    auto_json *doc = NULL;
    int k = json_parse(answer, "the policy engine's answer", &doc, e);
    if (k < 0)
        return k;
    size_t i, n, i2, n2, i3, n3, seen = 0;
    yyjson_val *entry, *key, *tags, *tag, *list;
    *passed = true;
    yyjson_arr_foreach(yyjson_doc_get_root(doc), i, n, entry)
    {
        yyjson_obj_foreach(entry, i2, n2, key, tags)
        {
            yyjson_obj_foreach(tags, i3, n3, tag, list)
            {
                str status = json_str(yyjson_arr_get_first(list), "status");
                if (!status.n)
                    return err_set(e, ERR_FORMAT, "an evaluation in it has no status");
                *passed = *passed && str_eq(status, STR("pass"));
                seen++;
            }
        }
    }
    return seen ? 0 : err_set(e, ERR_FORMAT, "the policy engine's answer has no evaluation");
}

static int check_path(struct finder *f, struct buf *path)
{
    buf_add_str(path, STR("/users/"));
    policy_engine_escape(path, f->out->account);
    buf_add_str(path, STR("/images/"));
    policy_engine_escape(path, f->image.digest);
    buf_add_str(path, STR("/check?by_id=false&detail=false&history=false&interactive=true"));
    if (f->name.fulltag.p) {
        buf_add_str(path, STR("&tag="));
        policy_engine_escape(path, f->name.fulltag);
    }
    if (f->q->selector->policy.n) {
        buf_add_str(path, STR("&policyId="));
        policy_engine_escape(path, f->q->selector->policy);
    }
    return 0;
}

static int ask_policy(struct finder *f, bool *passed, struct err *e)
{
    auto_buf path, body;
    int status = 0;
    buf_init(&path, 64 << 10);
    buf_init(&body, ANSWER_MAX);
    check_path(f, &path);
    const char *text = buf_z(&path);
    if (!text)
        return err_no_memory(e);
    const struct service_request rq = {.service = SERVICE_POLICY_ENGINE,
                                       .method = "GET",
                                       .path = text,
                                       .account = f->out->account,
                                       .timeout = f->q->timeout,
                                       .request_id = f->q->request_id};
    int k = service_request(f->q->engine, &rq, &status, &body, e);
    if (k < 0)
        return k;
    if (status == 200)
        return verdict_read_check(buf_view(&body), passed, e);
    auto_json *doc = NULL;
    struct err ignored = {0};
    str why = {NULL, 0};
    if (json_parse(buf_view(&body), "", &doc, &ignored) == 0) {
        why = json_str(yyjson_doc_get_root(doc), "message");
        if (!why.n)
            why = json_str(yyjson_doc_get_root(doc), "detail");
    }
    return err_set(e, ERR_CONFLICT, "the policy engine answers %d: %.*s", status,
                   STR_ARG(str_sub(why, 0, 500)));
}

/* ---- one image ---------------------------------------------------------------------------------
 */

static int say(struct finder *f, enum image_verdict v, str text, struct err *e)
{
    f->out->verdict = v;
    f->out->text = text;
    return text.p ? 0 : err_no_memory(e);
}

static int judge(struct finder *f, struct err *e)
{
    str image = f->q->image, policy = f->q->selector->policy;
    bool passed = false;
    if (!f->found)
        return say(f, VERDICT_UNKNOWN,
                   arena_printf(f->a, "image '%.*s' is not known in the account '%.*s'",
                                STR_ARG(image), STR_ARG(f->out->account)),
                   e);
    f->out->digest = f->image.digest;
    if (!str_eq(f->image.analysis_status, STR("analyzed")))
        return say(f, VERDICT_REFUSED,
                   arena_printf(f->a, "image '%.*s' is not analysed yet (%.*s)", STR_ARG(image),
                                STR_ARG(f->image.analysis_status)),
                   e);
    if (f->q->selector->mode == ADMISSION_POLICY) {
        int k = ask_policy(f, &passed, e);
        if (k < 0)
            return err_wrap(e, "image '%.*s'", STR_ARG(image));
        if (!passed)
            return say(f, VERDICT_REFUSED,
                       arena_printf(f->a, "image '%.*s' (%.*s) failed the checks of %s%.*s",
                                    STR_ARG(image), STR_ARG(f->image.digest),
                                    policy.n ? "policy " : "the active policy", STR_ARG(policy)),
                       e);
    }
    return say(f, VERDICT_GOOD, STR(""), e);
}

int verdict_find(const struct verdict_question *q, struct arena *a, struct verdict_answer *out,
                 struct err *e)
{
    struct finder f = {.q = q, .a = a, .out = out};
    *out = (struct verdict_answer){.verdict = VERDICT_REFUSED};
    if (fulltag_parse(q->image, a, &f.name, NULL) < 0)
        return say(&f, VERDICT_REFUSED,
                   arena_printf(a, "image '%.*s' has no valid name", STR_ARG(q->image)), e);
    int k = db_run(q->engine->db, DB_READ, look, &f, e);
    return k < 0 ? k : judge(&f, e);
}
