#include "services/policy_engine/evaluations.h"

#include "base/auto.h"
#include "codec/digest.h"
#include "services/call.h"
#include "services/event.h"
#include "services/notification.h"
#include "services/subscription.h"

enum { RESULT_MAX = 600 << 20, TOLD_MAX = 1 << 20 };

void evaluation_id(const struct evaluation *ev, char out[EVALUATION_ID])
{
    const str parts[] = {ev->policy_id, STR(":"), ev->account, STR(":"),  ev->digest,
                         STR(":"),      ev->tag,  STR(":"),    ev->action};
    digest_id(parts, KE_ARRAY_LEN(parts), out);
}

/* ---- reading -----------------------------------------------------------------------------------
 */

int evaluation_list(struct db_tx *tx, struct arena *a, str account, str digest, str tag, str policy,
                    struct evaluation_row **out, size_t *n, struct err *e)
{
    auto_rows *rows = NULL;
    *n = 0;
    *out = arena_calloc(a, EVALUATIONS_LISTED, sizeof **out);
    if (!*out)
        return err_no_memory(e);
    int rc = db_query(tx,
                      "SELECT policy_id, tag, eval_id, final_action, created_at, last_updated"
                      " FROM policy_eval WHERE account = $1 AND image_digest = $2 AND"
                      " (tag = $3 OR $3 = '') AND (policy_id = $4 OR $4 = '')"
                      " ORDER BY created_at DESC, policy_id LIMIT 1000",
                      DB(DBS(account), DBS(digest), DBS(tag), DBS(policy)), &rows, e);
    while (rc >= 0 && *n < EVALUATIONS_LISTED && (rc = db_next(rows, e)) == 1) {
        struct evaluation_row *r = &(*out)[(*n)++];
        r->policy_id = arena_dup(a, db_text(rows, 0));
        r->tag = arena_dup(a, db_text(rows, 1));
        r->eval_id = arena_dup(a, db_text(rows, 2));
        r->action = arena_dup(a, db_text(rows, 3));
        r->created = db_int(rows, 4);
        r->updated = db_int(rows, 5);
    }
    return rc < 0 ? rc : a->full ? err_no_memory(e) : 0;
}

static int get_result(struct engine *en, struct db_tx *tx, str account, str eval_id,
                      struct buf *out, struct err *e)
{
    buf_clear(out);
    return document_get(en->documents, tx, account, STR(EVALUATION_BUCKET), eval_id, out, e);
}

static void set_time(yyjson_mut_doc *doc, yyjson_mut_val *o, const char *key, int64_t us)
{
    yyjson_mut_obj_remove_key(o, key);
    put_int(doc, o, key, us / 1000000);
}

int evaluation_read(struct engine *en, struct db_tx *tx, str account, str eval_id, int64_t created,
                    int64_t updated, yyjson_mut_doc *doc, yyjson_mut_val **out, struct err *e)
{
    auto_buf text;
    auto_json *read = NULL;
    buf_init(&text, RESULT_MAX);
    int rc = get_result(en, tx, account, eval_id, &text, e);
    if (rc >= 0)
        rc = json_parse(buf_view(&text), "a stored evaluation", &read, e);
    if (rc < 0)
        return rc;
    *out = yyjson_val_mut_copy(doc, yyjson_doc_get_root(read));
    if (!*out)
        return err_no_memory(e);
    set_time(doc, *out, "created_at", created);
    set_time(doc, *out, "last_modified", updated);
    return 0;
}

/* ---- writing -----------------------------------------------------------------------------------
 */

struct storing {
    struct engine *en;
    const struct evaluation *ev;
    char id[EVALUATION_ID];
    struct arena a;
    str told_policy, told_action; /* what subscribers know of; p NULL: nothing */
};

/* An action and the policy that came to it. */
struct verdict {
    str policy, action;
};

static int put_result(struct db_tx *tx, struct storing *s, struct err *e)
{
    char had[72], have[SHA256_TEXT];
    uint64_t size;
    const struct evaluation *ev = s->ev;
    struct documents *d = s->en->documents;
    struct sha256 digest = sha256_of(ev->result.p, ev->result.n);
    int rc = document_stat(d, tx, ev->account, STR(EVALUATION_BUCKET), str_z(s->id), &size, had, e);
    if (rc < 0 || (rc == 1 && strcmp(had, sha256_format(&digest, have)) == 0))
        return rc < 0 ? rc : 0;
    return document_put(d, tx, ev->account, STR(EVALUATION_BUCKET), str_z(s->id), ev->result, e);
}

/* What is too long to be sent is told by its action. */
static void put_status(struct buf *b, str result, str action)
{
    if (result.n && result.n <= TOLD_MAX)
        buf_add_str(b, result);
    else
        buf_addf(b, "{\"final_action\": \"%.*s\"}", STR_ARG(action));
}

static int put_notice(struct db_tx *tx, struct storing *s, const struct verdict *last,
                      struct err *e)
{
    const struct evaluation *ev = s->ev;
    auto_buf b, old;
    char old_id[EVALUATION_ID];
    struct evaluation before = *ev;
    struct err why = {0};
    before.action = last->action;
    before.policy_id = last->policy;
    evaluation_id(&before, old_id);
    buf_init(&b, NOTIFICATION_MAX);
    buf_init(&old, RESULT_MAX);
    int rc = get_result(s->en, tx, ev->account, str_z(old_id), &old, &why);
    if (rc < 0 && rc != ERR_NOT_FOUND)
        return err_set(e, why.code, "%s", why.text);
    buf_add_str(&b, STR("\"last_eval\": "));
    put_status(&b, buf_view(&old), last->action);
    buf_add_str(&b, STR(", \"curr_eval\": "));
    put_status(&b, ev->result, ev->action);
    buf_add_str(&b, STR(", \"annotations\": "));
    buf_add_str(&b, ev->annotations.n ? ev->annotations : STR("{}"));
    const struct notification n = {.account = ev->account,
                                   .type = STR("policy_eval"),
                                   .key = ev->tag,
                                   .members = buf_view(&b)};
    rc = buf_check(&b, "a notification", e);
    return rc < 0 ? rc : notification_put(tx, &n, e);
}

static int tell_change(struct db_tx *tx, struct storing *s, const struct verdict *last,
                       struct err *e)
{
    static const char *const names[] = {"image_digest", "policy_id", "last_final_action",
                                        "curr_final_action"};
    const struct evaluation *ev = s->ev;
    const str values[] = {ev->digest, ev->policy_id, last->action, ev->action};
    const struct event event = {
        .engine = s->en,
        .service = SERVICE_CATALOG,
        .type = "user.checks.tag.policy_evaluation.update",
        .account = ev->account,
        .resource_id = ev->tag,
        .details = event_details(&s->a, names, values, KE_ARRAY_LEN(values)),
        .request_id = ev->request_id,
    };
    int rc = event_add(tx, &event, e);
    return rc < 0 ? rc : put_notice(tx, s, last, e);
}

static int read_told(struct db_tx *tx, struct storing *s, struct err *e)
{
    auto_rows *rows = NULL;
    int rc = db_query(tx,
                      "SELECT policy_id, final_action FROM policy_told WHERE account = $1 AND"
                      " tag = $2 AND image_digest = $3",
                      DB(DBS(s->ev->account), DBS(s->ev->tag), DBS(s->ev->digest)), &rows, e);
    s->told_policy = s->told_action = (str){0};
    if (rc >= 0 && (rc = db_next(rows, e)) == 1) {
        s->told_policy = arena_dup(&s->a, db_text(rows, 0));
        s->told_action = arena_dup(&s->a, db_text(rows, 1));
    }
    return rc;
}

/* Is this the verdict that counts for subscribers, of another bundle than they know? */
static bool is_switched(const struct storing *s)
{
    return s->ev->active && s->told_policy.p && !str_eq(s->told_policy, s->ev->policy_id);
}

static int put_told(struct db_tx *tx, struct storing *s, struct err *e)
{
    const struct evaluation *ev = s->ev;
    bool same = s->told_policy.p && str_eq(s->told_policy, ev->policy_id);
    int rc = 1;
    if (same ? str_eq(s->told_action, ev->action) : !ev->active)
        return 0;
    if (!s->told_policy.p)
        rc = subscription_active(tx, ev->account, ev->tag, STR("policy_eval"), e);
    if (rc <= 0)
        return rc;
    int64_t n = db_exec(
        tx,
        "INSERT INTO policy_told (account, tag, image_digest, policy_id,"
        " final_action) VALUES ($1, $2, $3, $4, $5) ON CONFLICT (account, tag,"
        " image_digest) DO UPDATE SET policy_id = excluded.policy_id,"
        " final_action = excluded.final_action",
        DB(DBS(ev->account), DBS(ev->tag), DBS(ev->digest), DBS(ev->policy_id), DBS(ev->action)),
        e);
    return n < 0 ? (int)n : 0;
}

/* before: the policy's own last verdict, if there is one. */
static int tell_difference(struct db_tx *tx, struct storing *s, const struct verdict *before,
                           struct err *e)
{
    const struct verdict told = {s->told_policy, s->told_action};
    const struct verdict *last = is_switched(s) ? &told : before;
    int rc = last && !str_eq(last->action, s->ev->action) ? tell_change(tx, s, last, e) : 0;
    return rc < 0 ? rc : put_told(tx, s, e);
}

static int store_run(struct db_tx *tx, void *ctx, struct err *e)
{
    struct storing *s = ctx;
    const struct evaluation *ev = s->ev;
    auto_rows *rows = NULL;
    int rc =
        db_query(tx,
                 "SELECT eval_id, final_action, created_at, now_us() FROM policy_eval WHERE"
                 " account = $1 AND image_digest = $2 AND tag = $3 AND policy_id = $4"
                 " ORDER BY created_at DESC LIMIT 1",
                 DB(DBS(ev->account), DBS(ev->digest), DBS(ev->tag), DBS(ev->policy_id)), &rows, e);
    if (rc < 0 || (rc = db_next(rows, e)) < 0)
        return rc;
    bool before = rc == 1, same = before && str_eq(db_text(rows, 0), str_z(s->id));
    str last = before ? arena_dup(&s->a, db_text(rows, 1)) : STR("");
    int64_t created = before ? db_int(rows, 2) : 0, now = before ? db_int(rows, 3) : 0, n = 0;
    db_rows_close(TAKE(rows));
    if (same && now - created > EVALUATION_BUMP_US / 2)
        n = db_exec(tx,
                    "UPDATE policy_eval SET created_at = $6, last_updated = $6 WHERE account = $1"
                    " AND image_digest = $2 AND tag = $3 AND policy_id = $4 AND created_at = $5",
                    DB(DBS(ev->account), DBS(ev->digest), DBS(ev->tag), DBS(ev->policy_id),
                       DBI(created), DBI(now)),
                    e);
    else if (!same)
        n = db_exec(tx,
                    "INSERT INTO policy_eval (account, image_digest, tag, policy_id, created_at,"
                    " final_action, eval_id, last_updated, result_key) VALUES ($1, $2, $3, $4,"
                    " now_us(), $5, $6, now_us(), $7)",
                    DB(DBS(ev->account), DBS(ev->digest), DBS(ev->tag), DBS(ev->policy_id),
                       DBS(ev->action), DBZ(s->id),
                       DBS(arena_printf(&s->a, EVALUATION_BUCKET "/%s", s->id))),
                    e);
    if (n < 0)
        return (int)n;
    const struct verdict own = {ev->policy_id, last};
    rc = read_told(tx, s, e);
    if (rc >= 0)
        rc = tell_difference(tx, s, before ? &own : NULL, e);
    return rc < 0 ? rc : put_result(tx, s, e);
}

int evaluation_store(struct engine *en, const struct evaluation *ev, struct err *e)
{
    struct storing s = {.en = en, .ev = ev};
    evaluation_id(ev, s.id);
    arena_init(&s.a, 16 << 20);
    int rc = db_run(en->db, DB_WRITE, store_run, &s, e);
    arena_done(&s.a);
    return rc < 0 ? rc : 0;
}

static int known_run(struct db_tx *tx, void *ctx, struct err *e)
{
    const struct evaluation *ev = ctx;
    int64_t n = db_exec(tx,
                        "INSERT INTO policy_told (account, tag, image_digest, policy_id,"
                        " final_action) SELECT v.account, v.tag, v.image_digest, v.policy_id,"
                        " v.final_action FROM policy_eval v JOIN policy_bundle b ON"
                        " b.account = v.account AND b.policy_id = v.policy_id AND b.active = 1"
                        " WHERE v.account = $1 AND v.tag = $2 AND v.image_digest = $3"
                        " ORDER BY v.created_at DESC LIMIT 1 ON CONFLICT (account, tag,"
                        " image_digest) DO UPDATE SET policy_id = excluded.policy_id,"
                        " final_action = excluded.final_action",
                        DB(DBS(ev->account), DBS(ev->tag), DBS(ev->digest)), e);
    return n < 0 ? (int)n : 0;
}

int evaluation_known(struct engine *en, str account, str digest, str tag, struct err *e)
{
    struct evaluation ev = {.account = account, .digest = digest, .tag = tag};
    return db_run(en->db, DB_WRITE, known_run, &ev, e);
}
