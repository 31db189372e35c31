#include "services/policy_engine/policy_check.h"

#include "base/auto.h"
#include "services/fulltag.h"
#include "services/log.h"
#include "services/metrics.h"
#include "services/policy_engine/evaluations.h"
#include "services/policy_engine/policy_document.h"
#include "services/policy_record.h"

#include <time.h>

enum { VERDICTS_KEPT = 96 << 20, KEY_MAX = 2400, ANSWER_MAX = 600 << 20, TIME_DIGITS = 10 };
static const int64_t history_us = 60000000; /* how long what hangs on other images is believed */
static const char *const upper_actions[] = {"STOP", "WARN", "GO"};

struct kept_verdict {
    struct kept kept;
    /* of what */
    int64_t bundle_updated, analyzed, image_updated, synced, valid_until;
    char generation[72];
    /* the verdict */
    enum policy_action action;
    char eval_id[EVALUATION_ID];
    struct buf detail;        /* {"policy", "result"}, as it stands in the answer */
    size_t created, modified; /* where its times are */
    struct buf result;        /* for the store; emptied once it is there */
    _Atomic int64_t stored;   /* when a row was last written; 0: never */
};

struct policy_checks {
    struct policy_loads *loads;
    struct keeper *verdicts;
    _Atomic bool caching;
    _Atomic int64_t synced, synced_at; /* of all feeds, and the second in which it was read */
};

static void verdict_end(struct kept *k)
{
    struct kept_verdict *v = (struct kept_verdict *)k;
    buf_done(&v->detail);
    buf_done(&v->result);
    free(v);
}

int policy_checks_new(struct policy_checks **out, struct err *e)
{
    struct policy_checks *p = calloc(1, sizeof *p);
    int rc = p ? policy_loads_new(&p->loads, e) : err_no_memory(e);
    if (rc == 0)
        rc = keeper_new(VERDICTS_KEPT, &p->verdicts, e);
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

struct policy_loads *policy_checks_loads(struct policy_checks *p)
{
    return p->loads;
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

struct asked {
    struct call *c;
    struct policy_checks *p;
    struct vuln_reports *reports;
    const struct policy_question *q;
    /* read */
    bool found;
    str digest, state;
    int64_t analyzed, updated;
    str policy; /* p NULL: there is none */
    int64_t policy_updated;
    int64_t now;
    struct image_record record; /* with account NULL: not read yet */
};

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
                                       "SELECT policy_id, last_updated, now_us() FROM policy_bundle"
                                       " WHERE account = $1 AND policy_id = $2",
                                       DB(DBS(a->q->account), DBS(a->q->policy)), &rows, e)
                            : db_query(tx,
                                       "SELECT policy_id, last_updated, now_us() FROM policy_bundle"
                                       " WHERE account = $1 AND active = 1",
                                       DB(DBS(a->q->account)), &rows, e);
    if (rc < 0 || (rc = db_next(rows, e)) < 0)
        return rc;
    a->policy = rc == 1 ? arena_dup(&a->c->arena, db_text(rows, 0)) : (str){0};
    a->policy_updated = rc == 1 ? db_int(rows, 1) : 0;
    a->now = rc == 1 ? db_int(rows, 2) : 0;
    return 0;
}

static int64_t monotonic_seconds(void)
{
    struct timespec ts;
    clock_gettime(CLOCK_MONOTONIC_COARSE, &ts);
    return ts.tv_sec + 1;
}

static int read_synced(struct db_tx *tx, struct policy_checks *p, struct err *e)
{
    int64_t second = monotonic_seconds(), synced = 0;
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

static int read_asked(struct db_tx *tx, void *ctx, struct err *e)
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

static int need_record(struct asked *a)
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

static double seconds_now(void)
{
    struct timespec ts;
    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
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
    };
}

static int make_verdict(struct asked *a, str tag, struct kept_verdict **out)
{
    struct kept_bundle *b = NULL;
    struct evaluation ev;
    double began = seconds_now();
    int rc = need_record(a);
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
    metric_observe(a->c->engine->metrics, METRIC_EVALUATION_SECONDS, seconds_now() - began,
                   METRIC_NO_LABELS);
    *out = v;
    return 0;
}

/* ---- keeping it --------------------------------------------------------------------------------
 */

static bool still_good(struct asked *a, const struct kept_verdict *v)
{
    auto_vulndata *data = vulndata_take(a->c->engine->vulndata);
    return v->bundle_updated == a->policy_updated && v->analyzed == a->analyzed &&
           v->image_updated == a->updated && v->synced == a->p->synced && a->now < v->valid_until &&
           strcmp(v->generation, data->generation) == 0;
}

static void count_look(struct asked *a, const struct kept_verdict *v, bool good, double began)
{
    struct metrics *m = a->c->engine->metrics;
    metric_add(m, good ? METRIC_EVALUATION_CACHE_HITS : METRIC_EVALUATION_CACHE_MISSES, 1,
               METRIC_NO_LABELS);
    if (!good)
        metric_add(m, v ? METRIC_EVALUATION_CACHE_STALE : METRIC_EVALUATION_CACHE_NOT_FOUND, 1,
                   METRIC_NO_LABELS);
    metric_observe(m, METRIC_EVALUATION_CACHE_SECONDS, seconds_now() - began, METRIC_NO_LABELS);
}

static int get_verdict(struct asked *a, str tag, struct kept_verdict **out)
{
    char key[KEY_MAX];
    double began = seconds_now();
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

/* Writes the row when it is due. Of several threads one writes. */
static int store_verdict(struct asked *a, str tag, struct kept_verdict *v)
{
    struct evaluation ev;
    int64_t stored = v->stored;
    if (a->q->interactive || (stored && a->now - stored < EVALUATION_BUMP_US))
        return 0;
    int rc = need_record(a);
    if (rc < 0)
        return rc;
    name_evaluation(a, tag, v, &ev);
    rc = evaluation_store(a->c->engine, &ev, a->c->err);
    if (rc >= 0)
        v->stored = a->now;
    return rc;
}

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
    int rc = get_verdict(a, tag, &v);
    if (rc < 0)
        return rc;
    rc = store_verdict(a, tag, v);
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

/* ---- history -----------------------------------------------------------------------------------
 */

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

static int answer_history(struct asked *a, const str *tags, size_t n)
{
    struct history h = {.a = a, .tags = tags, .n = n};
    for (size_t i = 0; i < n; i++) {
        struct kept_verdict *v;
        int rc = get_verdict(a, tags[i], &v);
        if (rc < 0)
            return rc;
        rc = store_verdict(a, tags[i], v);
        kept_drop(&v->kept);
        if (rc < 0)
            return rc;
    }
    int rc = db_run(a->c->engine->db, DB_READ, history_run, &h, a->c->err);
    return rc < 0 ? rc : 0;
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
    int rc = need_record(a);
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
    int rc = db_run(c->engine->db, DB_READ, read_asked, &a, c->err);
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
    return q->history && !q->interactive ? answer_history(&a, tags, n) : answer_newest(&a, tags, n);
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
