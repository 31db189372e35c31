#include "services/policy_engine/policy_check_internal.h"

#include "base/auto.h"
#include "base/clock.h"
#include "services/metrics.h"
#include "services/policy_engine/policy_document.h"

#include <time.h>

enum { KEY_MAX = 2400, ANSWER_MAX = 600 << 20 };
static const int64_t history_us = 60000000; /* how long what hangs on other images is believed */
static const char *const upper_actions[] = {"STOP", "WARN", "GO"};

static void verdict_end(struct kept *k)
{
    struct kept_verdict *v = (struct kept_verdict *)k;
    buf_done(&v->detail);
    buf_done(&v->result);
    free(v);
}

int policy_checks_new(size_t max_bytes, struct policy_checks **out, struct err *e)
{
    struct policy_checks *p = calloc(1, sizeof *p);
    size_t verdicts = max_bytes / 6;
    int rc = p ? policy_loads_new(max_bytes - verdicts, &p->loads, e) : err_no_memory(e);
    if (rc == 0)
        rc = keeper_new(verdicts, &p->verdicts, e);
    if (rc < 0) {
        policy_checks_free(p);
        return rc;
    }
    const char *wish = getenv("ANCHORE_POLICY_ENGINE_EVALUATION_CACHE_ENABLED");
    p->caching = !wish || !str_eq_nocase(str_z(wish), STR("false"));
    *out = p;
    return 0;
}

void policy_checks_free(struct policy_checks *p)
{
    if (!p)
        return;
    keeper_free(p->verdicts);
    policy_loads_free(p->loads);
    free(p);
}

bool policy_checks_caching(struct policy_checks *p)
{
    return p->caching;
}

void policy_checks_set_caching(struct policy_checks *p, bool on)
{
    p->caching = on;
}

/* ---- what is asked about -----------------------------------------------------------------------
 */

static int read_row(struct db_tx *tx, struct asked *a, str digest, struct err *e)
{
    auto_rows *rows = NULL;
    int rc = db_query(tx,
                      "SELECT analysis_status, analyzed_at, last_updated FROM catalog_image"
                      " WHERE account = $1 AND image_digest = $2",
                      DB(DBS(a->q->account), DBS(digest)), &rows, e);
    if (rc < 0 || (rc = db_next(rows, e)) < 0)
        return rc;
    a->found = rc == 1;
    if (!a->found)
        return 0;
    a->digest = digest;
    a->state = arena_dup(&a->c->arena, db_text(rows, 0));
    a->analyzed = db_int(rows, 1);
    a->updated = db_int(rows, 2);
    return 0;
}

static int read_policy(struct db_tx *tx, struct asked *a, struct err *e)
{
    auto_rows *rows = NULL;
    int rc = a->q->policy.n ? db_query(tx,
                                       "SELECT policy_id, last_updated, now_us(), " VEX_STATE
                                       " FROM policy_bundle WHERE account = $1 AND policy_id = $2",
                                       DB(DBS(a->q->account), DBS(a->q->policy)), &rows, e)
                            : db_query(tx,
                                       "SELECT policy_id, last_updated, now_us(), " VEX_STATE
                                       " FROM policy_bundle WHERE account = $1 AND active = 1",
                                       DB(DBS(a->q->account)), &rows, e);
    if (rc < 0 || (rc = db_next(rows, e)) < 0)
        return rc;
    a->policy = rc == 1 ? arena_dup(&a->c->arena, db_text(rows, 0)) : (str){0};
    a->policy_updated = rc == 1 ? db_int(rows, 1) : 0;
    a->now = rc == 1 ? db_int(rows, 2) : 0;
    a->vex = rc == 1 ? db_int(rows, 3) : 0;
    return 0;
}

static int read_synced(struct db_tx *tx, struct policy_checks *p, struct err *e)
{
    int64_t second = clock_s() + 1, synced = 0;
    if (p->synced_at == second)
        return 0;
    int rc =
        db_query_int(tx, "SELECT COALESCE(MAX(last_sync), 0) FROM feed_group", DB0, &synced, e);
    if (rc < 0)
        return rc;
    p->synced = synced;
    p->synced_at = second;
    return 0;
}

int asked_read(struct db_tx *tx, void *ctx, struct err *e)
{
    struct asked *a = ctx;
    str digest = a->q->image;
    int rc = 0;
    if (a->q->by_id) {
        rc = image_get_by_id(tx, &a->c->arena, a->q->account, a->q->image, &a->record, e);
        digest = rc == 1 ? a->record.digest : STR("");
        a->record = (struct image_record){0};
    }
    if (rc >= 0)
        rc = read_row(tx, a, digest, e);
    if (rc >= 0)
        rc = read_policy(tx, a, e);
    return rc < 0 ? rc : read_synced(tx, a->p, e);
}

static int read_record(struct db_tx *tx, void *ctx, struct err *e)
{
    struct asked *a = ctx;
    return image_get(tx, &a->c->arena, a->q->account, a->digest, &a->record, e);
}

int asked_need_record(struct asked *a)
{
    if (a->record.account.p)
        return 0;
    int rc = db_run(a->c->engine->db, DB_READ, read_record, a, a->c->err);
    if (rc == 0)
        return err_set(a->c->err, ERR_NOT_FOUND, "image not found in DB");
    return rc < 0 ? rc : 0;
}

/* ---- making a verdict --------------------------------------------------------------------------
 */

/* Where the member stands that many levels deep in the result: its number's place, or 0. */
static size_t time_place(const struct buf *text, const char *member)
{
    static const str result = STR_INIT("\n            \"result\": {");
    char line[64];
    str all = buf_view(text);
    ptrdiff_t at = str_find(all, result);
    int n = snprintf(line, sizeof line, "\n              \"%s\": ", member);
    if (at < 0 || n < 0)
        return 0;
    ptrdiff_t more = str_find(str_from(all, (size_t)at + result.n), (str){line, (size_t)n});
    return more < 0 ? 0 : (size_t)at + result.n + (size_t)more + (size_t)n;
}

static int write_compact(yyjson_mut_doc *d, yyjson_mut_val *result, struct buf *out, struct err *e)
{
    size_t n;
    policy_document_set(d, result, "created_at", yyjson_mut_int(d, 0));
    policy_document_set(d, result, "last_modified", yyjson_mut_int(d, 0));
    char *text autofree = yyjson_mut_val_write(result, YYJSON_WRITE_ALLOW_INVALID_UNICODE, &n);
    if (!text)
        return err_no_memory(e);
    buf_add(out, text, n);
    return buf_check(out, "an evaluation", e);
}

/* The texts of a verdict: for the answer, and for the store. */
static int write_texts(struct kept_verdict *v, const struct policy_verdict *verdict,
                       const struct policy_bundle *b, const struct policy_subject *s, struct err *e)
{
    yyjson_mut_doc *d = yyjson_mut_doc_new(NULL);
    yyjson_mut_val *detail, *result;
    int rc = d ? policy_document_detail(verdict, b, s, d, &detail, &result, e) : err_no_memory(e);
    if (rc >= 0)
        rc = json_pretty_at(detail, 5, &v->detail, e);
    if (rc >= 0)
        rc = write_compact(d, result, &v->result, e);
    yyjson_mut_doc_free(d);
    v->created = time_place(&v->detail, "created_at");
    v->modified = time_place(&v->detail, "last_modified");
    return rc < 0 ? rc : 0;
}

static int judge(struct asked *a, const struct kept_bundle *b, str tag, struct kept_verdict *v)
{
    struct engine *en = a->c->engine;
    struct err *e = a->c->err;
    struct policy_load load;
    struct policy_verdict *verdict = NULL;
    unsigned needs = policy_bundle_needs(b->bundle);
    int rc =
        policy_load_subject(en, a->p->loads, a->reports, &a->record, tag, needs, a->now, &load, e);
    if (rc >= 0)
        rc = policy_evaluate(b->bundle, &load.subject, &verdict, e);
    if (rc >= 0) {
        v->action = verdict->final_action;
        v->valid_until = verdict->valid_until_us;
        if (needs & PART_HISTORY && v->valid_until > a->now + history_us)
            v->valid_until = a->now + history_us;
        rc = write_texts(v, verdict, b->bundle, &load.subject, e);
        snprintf(v->generation, sizeof v->generation, "%s", load.data->generation);
    }
    policy_verdict_free(verdict);
    policy_load_done(&load);
    return rc < 0 ? rc : 0;
}

static void name_evaluation(const struct asked *a, str tag, const struct kept_verdict *v,
                            struct evaluation *out)
{
    *out = (struct evaluation){
        .account = a->q->account,
        .digest = a->digest,
        .tag = tag,
        .policy_id = a->policy,
        .action = str_z(upper_actions[v->action]),
        .result = buf_view(&v->result),
        .annotations = a->record.account.p ? a->record.annotations : (str){0},
        .request_id = a->c->request_id,
        .active = !a->q->policy.n,
    };
}

static int make_verdict(struct asked *a, str tag, struct kept_verdict **out)
{
    struct kept_bundle *b = NULL;
    struct evaluation ev;
    double began = clock_seconds();
    int rc = asked_need_record(a);
    if (rc >= 0)
        rc = policy_load_bundle(a->c->engine, a->p->loads, a->q->account, a->policy,
                                a->policy_updated, &b, a->c->err);
    if (rc < 0)
        return rc;
    struct kept_verdict *v = calloc(1, sizeof *v);
    if (!v) {
        kept_drop(&b->kept);
        return err_no_memory(a->c->err);
    }
    v->kept = (struct kept){.free = verdict_end, .uses = 1};
    v->bundle_updated = a->policy_updated;
    v->vex = a->vex;
    v->analyzed = a->analyzed;
    v->image_updated = a->updated;
    v->synced = a->p->synced;
    buf_init(&v->detail, ANSWER_MAX);
    buf_init(&v->result, ANSWER_MAX);
    rc = judge(a, b, tag, v);
    kept_drop(&b->kept);
    if (rc < 0) {
        kept_drop(&v->kept);
        return rc;
    }
    name_evaluation(a, tag, v, &ev);
    evaluation_id(&ev, v->eval_id);
    metric_observe(a->c->engine->metrics, METRIC_EVALUATION_SECONDS, clock_seconds() - began,
                   METRIC_NO_LABELS);
    *out = v;
    return 0;
}

/* ---- keeping it --------------------------------------------------------------------------------
 */

static bool still_good(struct asked *a, const struct kept_verdict *v)
{
    auto_vulndata *data = vulndata_take(a->c->engine->vulndata);
    return v->bundle_updated == a->policy_updated && v->vex == a->vex &&
           v->analyzed == a->analyzed && v->image_updated == a->updated &&
           v->synced == a->p->synced && a->now < v->valid_until &&
           strcmp(v->generation, data->generation) == 0;
}

static void count_look(struct asked *a, const struct kept_verdict *v, bool good, double began)
{
    struct metrics *m = a->c->engine->metrics;
    metric_add(m, good ? METRIC_EVALUATION_CACHE_HITS : METRIC_EVALUATION_CACHE_MISSES, 1,
               METRIC_NO_LABELS);
    if (!good)
        metric_add(m,
                   !v                                       ? METRIC_EVALUATION_CACHE_NOT_FOUND
                   : v->bundle_updated != a->policy_updated ? METRIC_EVALUATION_CACHE_INVALID
                                                            : METRIC_EVALUATION_CACHE_STALE,
                   1, METRIC_NO_LABELS);
    metric_observe(m, METRIC_EVALUATION_CACHE_SECONDS, clock_seconds() - began, METRIC_NO_LABELS);
}

int verdict_get(struct asked *a, str tag, struct kept_verdict **out)
{
    char key[KEY_MAX];
    double began = clock_seconds();
    int n = snprintf(key, sizeof key, "%.*s|%.*s|%.*s|%.*s", STR_ARG(a->q->account),
                     STR_ARG(a->digest), STR_ARG(a->policy), STR_ARG(tag));
    bool keep = a->p->caching && n > 0 && (size_t)n < sizeof key;
    struct kept_verdict *v =
        keep ? (struct kept_verdict *)keeper_take(a->p->verdicts, str_z(key)) : NULL;
    bool good = v && still_good(a, v);
    if (keep)
        count_look(a, v, good, began);
    if (good) {
        *out = v;
        return 0;
    }
    kept_drop((struct kept *)v);
    int rc = make_verdict(a, tag, out);
    if (rc >= 0 && keep) {
        (*out)->kept.bytes = (*out)->detail.cap + sizeof **out;
        keeper_put(a->p->verdicts, str_z(key), &(*out)->kept);
    }
    return rc;
}

int verdict_store(struct asked *a, str tag, struct kept_verdict *v)
{
    struct evaluation ev;
    int64_t stored = v->stored;
    if (a->q->interactive || (stored && a->now - stored < EVALUATION_BUMP_US))
        return 0;
    int rc = asked_need_record(a);
    if (rc < 0)
        return rc;
    name_evaluation(a, tag, v, &ev);
    rc = evaluation_store(a->c->engine, &ev, a->c->err);
    if (rc >= 0)
        v->stored = a->now;
    return rc;
}
