/* policy_watcher.c - verdicts of subscribed tags are kept up to date. */
#include "base/auto.h"
#include "codec/json.h"
#include "services/api/policy_engine.h"
#include "services/catalog/watchers.h"
#include "services/image.h"
#include "services/log.h"
#include "services/subscription.h"

enum { LIST_MAX = 256 << 20, ANSWER_MAX = 64 << 20 };

struct round {
    struct engine *en;
    struct arena a;
    int64_t since, until; /* only accounts whose active bundle changed in between; 0: all */
    struct subscription *list;
    size_t n;
};

static int read_round(struct db_tx *tx, void *ctx, struct err *e)
{
    struct round *r = ctx;
    int rc = subscription_list(tx, &r->a, STR(""), STR(""), STR("policy_eval"), true, &r->list,
                               &r->n, e);
    return rc < 0 ? rc : db_query_int(tx, "SELECT now_us()", DB0, &r->until, e);
}

static int changed(struct db_tx *tx, const struct round *r, str account, struct err *e)
{
    int64_t n = 0;
    int rc = db_query_int(tx,
                          "SELECT COUNT(*) FROM policy_bundle WHERE account = $1 AND active = 1 AND"
                          " last_updated > $2",
                          DB(DBS(account), DBI(r->since)), &n, e);
    return rc < 0 ? rc : n > 0;
}

struct one {
    struct round *r;
    const struct subscription *s;
    struct arena *a;
    bool wanted;
    struct image_record record;
};

static int read_one(struct db_tx *tx, void *ctx, struct err *e)
{
    struct one *o = ctx;
    int rc = o->r->since ? changed(tx, o->r, o->s->account, e) : 1;
    o->wanted = rc == 1;
    if (rc != 1)
        return rc;
    rc = image_get_by_tag(tx, o->a, o->s->account, o->s->key, &o->record, e);
    o->wanted = rc == 1;
    return rc;
}

static int evaluate(struct one *o, str digest, struct err *e)
{
    auto_buf path, body;
    int status = 0;
    buf_init(&path, 64 << 10);
    buf_init(&body, ANSWER_MAX);
    buf_add_str(&path, STR("/users/"));
    policy_engine_escape(&path, o->s->account);
    buf_add_str(&path, STR("/images/"));
    policy_engine_escape(&path, digest);
    buf_add_str(&path, STR("/check?detail=false&tag="));
    policy_engine_escape(&path, o->s->key);
    const struct service_request rq = {
        .service = SERVICE_POLICY_ENGINE,
        .method = "GET",
        .path = buf_z(&path),
        .account = o->s->account,
    };
    int rc = rq.path ? service_request(o->r->en, &rq, &status, &body, e) : err_no_memory(e);
    if (rc >= 0 && status != 200 && status != 404)
        rc = err_set(e, ERR_IO, "the policy engine answered %d: %.*s", status,
                     STR_ARG(str_sub(buf_view(&body), 0, 300)));
    return rc < 0 ? rc : 0;
}

/* The newest, and those that the subscription names. */
static int evaluate_all(struct one *o, struct err *e)
{
    auto_json *doc = NULL;
    size_t i, n;
    yyjson_val *v;
    int rc = evaluate(o, o->record.digest, e);
    if (!o->s->value.n || json_parse(o->s->value, "subscription", &doc, NULL) < 0)
        return rc;
    yyjson_arr_foreach(json_get(yyjson_doc_get_root(doc), "digests"), i, n, v)
    {
        str digest = json_text(v);
        if (rc >= 0 && digest.n && !str_eq(digest, o->record.digest))
            rc = evaluate(o, digest, e);
    }
    return rc;
}

static void do_one(struct round *r, const struct subscription *s)
{
    struct arena a;
    struct err why = {0};
    arena_init(&a, 64 << 20);
    struct one o = {.r = r, .s = s, .a = &a};
    int rc = db_run(r->en->db, DB_READ, read_one, &o, &why);
    if (rc >= 0 && o.wanted && str_eq(o.record.analysis_status, STR("analyzed")) &&
        str_eq(o.record.image_status, STR("active")))
        rc = evaluate_all(&o, &why);
    if (rc < 0)
        log_warn("catalog", "evaluation of %.*s of %.*s: %s", STR_ARG(s->key), STR_ARG(s->account),
                 why.text);
    arena_done(&a);
}

static int do_round(struct engine *en, int64_t since, int64_t *until, struct err *e)
{
    struct round r = {.en = en, .since = since};
    arena_init(&r.a, LIST_MAX);
    int rc = db_run(en->db, DB_READ, read_round, &r, e);
    for (size_t i = 0; rc >= 0 && i < r.n && !engine_stopping(en); i++)
        do_one(&r, &r.list[i]);
    *until = r.until;
    arena_done(&r.a);
    return rc < 0 ? rc : 0;
}

int policy_eval_run(struct engine *en, struct err *e)
{
    int64_t until;
    return do_round(en, 0, &until, e);
}

/* How far the round before looked is kept in the store, beside the leases' table of settings. */
static int read_mark(struct db_tx *tx, void *ctx, struct err *e)
{
    int64_t *mark = ctx;
    auto_rows *rows = NULL;
    int rc = db_query(tx, "SELECT value FROM settings WHERE name = 'policy_change'", DB0, &rows, e);
    if (rc < 0 || (rc = db_next(rows, e)) != 1)
        return rc;
    uint64_t v = 0;
    str_to_u64(db_blob(rows, 0), &v);
    *mark = (int64_t)v;
    return 1;
}

static int write_mark(struct db_tx *tx, void *ctx, struct err *e)
{
    char text[32];
    int n = snprintf(text, sizeof text, "%lld", (long long)*(int64_t *)ctx);
    int64_t rc = db_exec(tx,
                         "INSERT INTO settings (name, value) VALUES ('policy_change', $1)"
                         " ON CONFLICT (name) DO UPDATE SET value = excluded.value",
                         DB(DBB(((str){text, (size_t)n}))), e);
    return rc < 0 ? (int)rc : 0;
}

static int newest_change(struct db_tx *tx, void *ctx, struct err *e)
{
    return db_query_int(tx,
                        "SELECT COALESCE(MAX(last_updated), 0) FROM policy_bundle WHERE active = 1",
                        DB0, ctx, e);
}

int policy_change_run(struct engine *en, struct err *e)
{
    int64_t since = 0, newest = 0, until;
    int known = db_run(en->db, DB_READ, read_mark, &since, e);
    int rc = known < 0 ? known : db_run(en->db, DB_READ, newest_change, &newest, e);
    if (rc < 0 || (known == 1 && newest <= since))
        return rc < 0 ? rc : 0;
    if (known == 1)
        rc = do_round(en, since, &until, e);
    return rc < 0 ? rc : db_run(en->db, DB_WRITE, write_mark, &newest, e);
}
