#include "services/policy_engine/policy_check_internal.h"

#include "base/auto.h"
#include "base/clock.h"

#include <time.h>

enum { DRY_RUN_SECONDS = 20, ACTIONS = 3 };

struct pair {
    str tag, digest;
};

struct dry_run {
    struct call *c;
    const struct dry_run_question *q;
    struct policy_question question; /* about one image, by the policy that is compared with */
    struct asked asked;
    struct policy_bundle *bundle; /* the new one */
    /* the page */
    str after_tag, after_digest;
    struct pair *pairs;
    size_t n;
    bool more; /* there are others behind it */
    /* the answer */
    yyjson_mut_doc *d;
    yyjson_mut_val *list;
    size_t looked, changed, failed;
    size_t before[ACTIONS], then[ACTIONS];
};

static int read_pairs(struct db_tx *tx, void *ctx, struct err *e)
{
    struct dry_run *r = ctx;
    auto_rows *rows = NULL;
    struct arena *a = &r->c->arena;
    r->n = 0;
    r->more = false;
    int rc = db_query(
        tx,
        "SELECT t.fulltag, t.image_digest FROM catalog_image_tag t JOIN"
        " catalog_image i ON i.account = t.account AND i.image_digest ="
        " t.image_digest WHERE t.account = $1 AND i.analysis_status = 'analyzed' AND"
        " i.image_status = 'active' AND (t.fulltag > $2 OR (t.fulltag = $2 AND"
        " t.image_digest > $3)) ORDER BY t.fulltag, t.image_digest LIMIT $4",
        DB(DBS(r->q->account), DBS(r->after_tag), DBS(r->after_digest), DBI(r->q->limit + 1)),
        &rows, e);
    while (rc >= 0 && (rc = db_next(rows, e)) == 1) {
        r->more = r->n == (size_t)r->q->limit;
        if (!r->more)
            r->pairs[r->n++] =
                (struct pair){arena_dup(a, db_text(rows, 0)), arena_dup(a, db_text(rows, 1))};
    }
    return rc < 0 ? rc : 0;
}

static int new_action(struct dry_run *r, str tag, enum policy_action *out)
{
    struct asked *a = &r->asked;
    struct policy_load load;
    struct policy_verdict *verdict = NULL;
    int rc = asked_need_record(a);
    if (rc < 0)
        return rc;
    rc = policy_load_subject(r->c->engine, a->p->loads, a->reports, &a->record, tag,
                             policy_bundle_needs(r->bundle), a->now, &load, r->c->err);
    if (rc >= 0)
        rc = policy_evaluate(r->bundle, &load.subject, &verdict, r->c->err);
    if (rc >= 0)
        *out = verdict->final_action;
    policy_verdict_free(verdict);
    policy_load_done(&load);
    return rc < 0 ? rc : 0;
}

/* 1: judged by both; 0: the image has gone meanwhile; negative: it could not be judged. */
static int judge_pair(struct dry_run *r, const struct pair *p, enum policy_action *before,
                      enum policy_action *then)
{
    struct asked *a = &r->asked;
    struct kept_verdict *v;
    r->question.image = p->digest;
    a->record = (struct image_record){0};
    int rc = db_run(r->c->engine->db, DB_READ, asked_read, a, r->c->err);
    if (rc < 0)
        return rc;
    if (!a->found || !str_eq(a->state, STR("analyzed")))
        return 0;
    if (!a->policy.p)
        return err_set(r->c->err, ERR_NOT_FOUND, "the policy to compare with was removed");
    rc = verdict_get(a, p->tag, &v);
    if (rc < 0)
        return rc;
    *before = v->action;
    kept_drop(&v->kept);
    rc = new_action(r, p->tag, then);
    return rc < 0 ? rc : 1;
}

static void add_pair(struct dry_run *r, const struct pair *p)
{
    enum policy_action before = ACTION_GO, then = ACTION_GO;
    int rc = judge_pair(r, p, &before, &then);
    r->looked += rc != 0;
    r->failed += rc < 0;
    if (rc == 1) {
        r->before[before]++;
        r->then[then]++;
        r->changed += before != then;
    }
    if (rc == 0 || (rc == 1 && before == then && !r->q->all))
        return;
    yyjson_mut_val *o = yyjson_mut_arr_add_obj(r->d, r->list);
    put_str(r->d, o, "tag", p->tag);
    put_str(r->d, o, "image_digest", p->digest);
    if (rc < 0) {
        put_str(r->d, o, "error", str_z(r->c->err->text));
        *r->c->err = (struct err){0};
        return;
    }
    put_str(r->d, o, "old_final_action", str_z(policy_action_names[before]));
    put_str(r->d, o, "new_final_action", str_z(policy_action_names[then]));
}

static bool time_is_up(int64_t began)
{
    return clock_s() - began >= DRY_RUN_SECONDS;
}

/* How many of the page were looked at before time was up or the client left. */
static size_t judge_page(struct dry_run *r)
{
    size_t i = 0;
    int64_t began = clock_s();
    while (i < r->n) {
        add_pair(r, &r->pairs[i++]);
        if (time_is_up(began) || (r->c->rq && httpd_gone(r->c->rq)))
            break;
    }
    return i;
}

static void put_actions(yyjson_mut_doc *d, yyjson_mut_val *o, const char *key,
                        const size_t counts[ACTIONS])
{
    yyjson_mut_val *in = yyjson_mut_obj_add_obj(d, o, key);
    for (size_t i = 0; i < ACTIONS; i++)
        put_int(d, in, policy_action_names[i], (int64_t)counts[i]);
}

static int answer(struct dry_run *r)
{
    struct call *c = r->c;
    r->d = call_doc(c);
    r->list = yyjson_mut_arr(r->d);
    size_t done = judge_page(r);
    yyjson_mut_val *root = yyjson_mut_obj(r->d), *counts = yyjson_mut_obj(r->d);
    put_int(r->d, counts, "evaluated", (int64_t)r->looked);
    put_int(r->d, counts, "changed", (int64_t)r->changed);
    put_int(r->d, counts, "failed", (int64_t)r->failed);
    put_actions(r->d, counts, "old", r->before);
    put_actions(r->d, counts, "new", r->then);
    put_str(r->d, root, "policyId", r->asked.policy);
    yyjson_mut_obj_add_val(r->d, root, "counts", counts);
    yyjson_mut_obj_add_val(r->d, root, "images", r->list);
    str next = {0};
    if (done && (done < r->n || r->more))
        next = arena_printf(&c->arena, "%.*s@%.*s", STR_ARG(r->pairs[done - 1].tag),
                            STR_ARG(r->pairs[done - 1].digest));
    put_str(r->d, root, "next", next);
    return call_send(c, 200, r->d, root);
}

static int compile(struct dry_run *r, yyjson_val *bundle)
{
    size_t n;
    char *text autofree = yyjson_val_write(bundle, YYJSON_WRITE_ALLOW_INVALID_UNICODE, &n);
    return text ? policy_bundle_new((str){text, n}, &r->bundle, r->c->err)
                : err_no_memory(r->c->err);
}

/* Where the last page ended: "TAG@sha256:...". */
static bool read_after(struct dry_run *r)
{
    ptrdiff_t at = str_rindex(r->q->after, '@');
    r->after_tag = r->after_digest = STR("");
    if (!r->q->after.n)
        return true;
    if (at <= 0)
        return false;
    r->after_tag = str_sub(r->q->after, 0, (size_t)at);
    r->after_digest = str_from(r->q->after, (size_t)at + 1);
    return true;
}

int policy_dry_run(struct call *c, struct policy_checks *p, struct vuln_reports *reports,
                   const struct dry_run_question *q, yyjson_val *bundle)
{
    struct dry_run r = {.c = c, .q = q, .question = {.account = q->account, .policy = q->policy}};
    r.asked = (struct asked){.c = c, .p = p, .reports = reports, .q = &r.question};
    if (q->limit < 1 || q->limit > DRY_RUN_MAX)
        return call_error(c, 400, "limit is 1 to %d", DRY_RUN_MAX);
    if (!read_after(&r))
        return call_error(c, 400, "\"after\" must be what \"next\" said");
    r.pairs = arena_calloc(&c->arena, (size_t)q->limit, sizeof *r.pairs);
    int rc = r.pairs ? db_run(c->engine->db, DB_READ, asked_read, &r.asked, c->err)
                     : err_no_memory(c->err);
    if (rc < 0)
        return rc;
    if (!r.asked.policy.p)
        return q->policy.n
                   ? call_error(c, 404, "Policy bundle %.*s not found in DB", STR_ARG(q->policy))
                   : call_error(c, 404, "user has no active policy to compare with: %.*s",
                                STR_ARG(q->account));
    rc = db_run(c->engine->db, DB_READ, read_pairs, &r, c->err);
    if (rc >= 0)
        rc = compile(&r, bundle);
    if (rc >= 0)
        rc = answer(&r);
    policy_bundle_free(r.bundle);
    return rc;
}
