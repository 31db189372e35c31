#include "services/policy_engine/vuln_update.h"

#include "base/map.h"
#include "base/vec.h"
#include "services/event.h"
#include "services/log.h"
#include "services/notification.h"
#include "services/policy_engine/changes.h"
#include "services/policy_engine/vuln_diff.h"
#include "services/policy_engine/vulndata.h"

#include <inttypes.h>

enum { AT_ONCE = 5000, FINDINGS_MAX = 256 << 20, ROUND_MAX = 1 << 30, EVENT_MAX = 512 << 10 };
static const char log_name[] = "policy_engine";
#define CONSUMER STR("vuln_update")
#define BUCKET   STR("vulnerability_scan")

/* A tag that someone wants to hear about, and the image that it points at. */
struct target {
    str account, fulltag, digest, annotations;
    bool due;
    struct target *next; /* another tag of the same image */
};

struct round {
    struct engine *en;
    struct vuln_reports *reports;
    struct arena a;
    VEC(struct target *) targets;
    struct map by_image; /* "account digest" -> struct target */
    int64_t from, to;    /* places among the changes */
    bool more;
};

/* ---- what is to be done ------------------------------------------------------------------------
 */

static int add_target(struct round *r, const struct db_rows *rows, struct err *e)
{
    struct target *last = r->targets.n ? r->targets.p[r->targets.n - 1] : NULL;
    str account = db_text(rows, 0), fulltag = db_text(rows, 1);
    if (last && str_eq(last->account, account) && str_eq(last->fulltag, fulltag))
        return 0; /* two digests found at the same moment: the first, as everywhere */
    struct target *t = arena_new(&r->a, struct target);
    if (!t)
        return err_no_memory(e);
    *t = (struct target){.account = arena_dup(&r->a, account),
                         .fulltag = arena_dup(&r->a, fulltag),
                         .digest = arena_dup(&r->a, db_text(rows, 2)),
                         .annotations = arena_dup(&r->a, db_text(rows, 3)),
                         .due = !str_eq(db_text(rows, 4), db_text(rows, 2))};
    str key = arena_printf(&r->a, "%.*s %.*s", STR_ARG(t->account), STR_ARG(t->digest));
    void **slot = key.p ? map_slot(&r->by_image, key) : NULL;
    struct target **place = vec_push(&r->targets);
    if (!slot || !place)
        return err_no_memory(e);
    t->next = *slot;
    *slot = *place = t;
    return 0;
}

/* Subscribed tags whose newest image is analysed, with the image that was compared last. */
static int read_targets(struct db_tx *tx, struct round *r, struct err *e)
{
    auto_rows *rows = NULL;
    int rc = db_query(tx,
                      "SELECT s.account, s.subscription_key, t.image_digest, i.annotations,"
                      " v.image_digest FROM subscriptions s JOIN catalog_image_tag t ON"
                      " t.account = s.account AND t.fulltag = s.subscription_key JOIN"
                      " catalog_image i ON i.account = t.account AND"
                      " i.image_digest = t.image_digest LEFT JOIN vuln_scan v ON"
                      " v.account = s.account AND v.fulltag = s.subscription_key WHERE"
                      " s.subscription_type = 'vuln_update' AND s.active = 1 AND"
                      " i.analysis_status = 'analyzed' AND i.image_status = 'active' AND"
                      " NOT EXISTS (SELECT 1 FROM catalog_image_tag n WHERE n.account = t.account"
                      " AND n.fulltag = t.fulltag AND n.tag_detected_at > t.tag_detected_at)"
                      " ORDER BY s.account, s.subscription_key, t.image_digest",
                      DB0, &rows, e);
    while (rc >= 0 && (rc = db_next(rows, e)) == 1)
        if ((rc = add_target(r, rows, e)) < 0)
            return rc;
    return rc;
}

static int mark_image(void *ctx, str account, str digest, const struct finding_change *const *mine,
                      size_t n, struct err *e)
{
    struct round *r = ctx;
    char key[600];
    (void)mine;
    (void)n;
    int len = snprintf(key, sizeof key, "%.*s %.*s", STR_ARG(account), STR_ARG(digest));
    if (len < 0 || (size_t)len >= sizeof key)
        return err_set(e, ERR_LIMIT, "an account's name is too long");
    for (struct target *t = map_get(&r->by_image, str_z(key)); t; t = t->next)
        t->due = true;
    return 0;
}

static int read_round(struct db_tx *tx, void *ctx, struct err *e)
{
    struct round *r = ctx;
    struct finding_change *changes;
    size_t n = 0;
    arena_done(&r->a);
    map_done(&r->by_image);
    map_init(&r->by_image);
    r->targets.n = 0;
    int rc = read_targets(tx, r, e);
    if (rc >= 0)
        rc = changes_read(tx, &r->a, r->from, AT_ONCE, &changes, &n, e);
    if (rc >= 0 && n && r->targets.n)
        rc = changes_by_image(tx, STR(""), changes, n, mark_image, r, e);
    r->to = n ? changes[n - 1].seq : r->from;
    r->more = n == AT_ONCE;
    return rc < 0 ? rc : 0;
}

static int read_place(struct db_tx *tx, void *ctx, struct err *e)
{
    struct round *r = ctx;
    return changes_place(tx, CONSUMER, &r->from, e);
}

static int move_place(struct db_tx *tx, void *ctx, struct err *e)
{
    struct round *r = ctx;
    return changes_move(tx, CONSUMER, r->from, r->to, e);
}

/* ---- one tag -----------------------------------------------------------------------------------
 */

struct scan {
    struct round *r;
    const struct target *t;
    int64_t revision; /* 0: its findings were never written down */
    str digest;       /* that these are of */
    struct buf before, now, diff;
    struct vuln_diff counts;
};

static int read_scan(struct db_tx *tx, void *ctx, struct err *e)
{
    struct scan *s = ctx;
    const struct target *t = s->t;
    auto_rows *rows = NULL;
    s->revision = 0;
    buf_clear(&s->before);
    int rc = db_query(
        tx, "SELECT revision, image_digest FROM vuln_scan WHERE account = $1 AND fulltag = $2",
        DB(DBS(t->account), DBS(t->fulltag)), &rows, e);
    if (rc < 0 || (rc = db_next(rows, e)) <= 0)
        return rc;
    s->revision = db_int(rows, 0);
    s->digest = arena_dup(&s->r->a, db_text(rows, 1));
    db_rows_close(TAKE(rows));
    return document_get(s->r->en->documents, tx, t->account, BUCKET, t->fulltag, &s->before, e);
}

static int put_row(struct db_tx *tx, const struct scan *s, struct err *e)
{
    const struct target *t = s->t;
    int64_t n =
        s->revision
            ? db_exec(tx,
                      "UPDATE vuln_scan SET image_digest = $3, revision = revision + 1"
                      " WHERE account = $1 AND fulltag = $2 AND revision = $4",
                      DB(DBS(t->account), DBS(t->fulltag), DBS(t->digest), DBI(s->revision)), e)
            : db_exec(tx,
                      "INSERT INTO vuln_scan (account, fulltag, image_digest, revision)"
                      " VALUES ($1, $2, $3, 1) ON CONFLICT (account, fulltag) DO NOTHING",
                      DB(DBS(t->account), DBS(t->fulltag), DBS(t->digest)), e);
    if (n == 0)
        return err_set(e, ERR_CONFLICT, "another process has done this");
    return n < 0 ? (int)n : 0;
}

static int put_event(struct db_tx *tx, const struct scan *s, struct err *e)
{
    auto_buf b;
    buf_init(&b, 2 * EVENT_MAX);
    buf_add_str(&b, STR("{\"subscription_type\": \"vuln_update\", \"imageDigest\": "));
    json_put_string(&b, s->t->digest);
    if (s->diff.n <= EVENT_MAX)
        buf_addf(&b, ", \"diff_vulnerability_result\": %.*s", STR_ARG(buf_view(&s->diff)));
    buf_addf(&b, ", \"added\": %zu, \"removed\": %zu, \"updated\": %zu}", s->counts.added,
             s->counts.removed, s->counts.updated);
    const struct event ev = {.engine = s->r->en,
                             .service = SERVICE_POLICY_ENGINE,
                             .type = "user.checks.tag.vulnerabilities.update",
                             .account = s->t->account,
                             .resource_id = s->t->fulltag,
                             .details = buf_view(&b)};
    int rc = buf_check(&b, "an event", e);
    return rc < 0 ? rc : event_add(tx, &ev, e);
}

static int put_notice(struct db_tx *tx, const struct scan *s, struct err *e)
{
    auto_buf b;
    buf_init(&b, NOTIFICATION_MAX);
    buf_addf(&b,
             "\"diff_vulnerability_result\": %.*s, \"imageDigest\": ", STR_ARG(buf_view(&s->diff)));
    json_put_string(&b, s->t->digest);
    buf_add_str(&b, STR(", \"annotations\": "));
    buf_add_str(&b, s->t->annotations.n ? s->t->annotations : STR("{}"));
    const struct notification n = {.account = s->t->account,
                                   .type = STR("vuln_update"),
                                   .key = s->t->fulltag,
                                   .members = buf_view(&b)};
    int rc = buf_check(&b, "a notification", e);
    return rc < 0 ? rc : notification_put(tx, &n, e);
}

static bool differs(const struct scan *s)
{
    return s->revision && s->counts.added + s->counts.removed + s->counts.updated > 0;
}

static int write_scan(struct db_tx *tx, void *ctx, struct err *e)
{
    const struct scan *s = ctx;
    int rc = put_row(tx, s, e);
    if (rc == 0)
        rc = document_put(s->r->en->documents, tx, s->t->account, BUCKET, s->t->fulltag,
                          buf_view(&s->now), e);
    if (rc >= 0 && differs(s))
        rc = put_event(tx, s, e);
    if (rc >= 0 && differs(s))
        rc = put_notice(tx, s, e);
    return rc < 0 ? rc : 0;
}

static int compare(struct scan *s, struct err *e)
{
    auto_report *report = NULL;
    auto_json *before = NULL, *now = NULL;
    int rc =
        vuln_report_take(s->r->en, s->r->reports, s->t->account, s->t->digest, false, &report, e);
    if (rc == 0)
        rc = vuln_diff_keep(vuln_report_rows(report), &s->now, e);
    if (rc == 0)
        rc = json_parse(buf_view(&s->now), "findings", &now, e);
    if (rc == 0 && s->revision)
        rc = json_parse(buf_view(&s->before), "the findings before", &before, e);
    return rc < 0 ? rc
                  : vuln_diff(yyjson_doc_get_root(before), yyjson_doc_get_root(now), &s->diff,
                              &s->counts, e);
}

static int do_target(struct round *r, const struct target *t, struct err *e)
{
    struct scan s = {.r = r, .t = t};
    buf_init(&s.before, FINDINGS_MAX);
    buf_init(&s.now, FINDINGS_MAX);
    buf_init(&s.diff, FINDINGS_MAX);
    int rc = db_run(r->en->db, DB_READ, read_scan, &s, e);
    if (rc >= 0)
        rc = compare(&s, e);
    if (rc >= 0 && (differs(&s) || !s.revision || !str_eq(s.digest, t->digest)))
        rc = db_run(r->en->db, DB_WRITE, write_scan, &s, e);
    buf_done(&s.before);
    buf_done(&s.now);
    buf_done(&s.diff);
    return rc;
}

/* Whatever a later attempt would not change must not hold up the others. */
static bool is_final(int rc)
{
    return rc == ERR_NOT_FOUND || rc == ERR_FORMAT || rc == ERR_LIMIT || rc == ERR_MISMATCH;
}

static int do_targets(struct round *r, struct err *e)
{
    int rc = 0;
    for (size_t i = 0; i < r->targets.n; i++) {
        const struct target *t = r->targets.p[i];
        struct err why = {0};
        int one = t->due ? do_target(r, t, &why) : 0;
        if (engine_stopping(r->en))
            return err_set(e, ERR_CONFLICT, "the engine is stopping");
        if (one < 0)
            log_warn(log_name, "findings of %.*s of %.*s: %s", STR_ARG(t->fulltag),
                     STR_ARG(t->account), why.text);
        if (one < 0 && !is_final(one))
            rc = err_set(e, one, "%s", why.text);
    }
    return rc;
}

/* ---- the whole ---------------------------------------------------------------------------------
 */

/* Subscriptions that ended: one that is taken up again begins anew. Returns how many. */
static int forget(struct db_tx *tx, void *ctx, struct err *e)
{
    struct round *r = ctx;
    auto_rows *rows = NULL;
    int rc = db_query(tx,
                      "SELECT v.account, v.fulltag FROM vuln_scan v LEFT JOIN subscriptions s ON"
                      " s.account = v.account AND s.subscription_type = 'vuln_update' AND"
                      " s.subscription_key = v.fulltag AND s.active = 1 WHERE s.account IS NULL"
                      " LIMIT 1",
                      DB0, &rows, e);
    if (rc < 0 || (rc = db_next(rows, e)) <= 0)
        return rc;
    str account = arena_dup(&r->a, db_text(rows, 0)), fulltag = arena_dup(&r->a, db_text(rows, 1));
    db_rows_close(TAKE(rows));
    int64_t n = db_exec(tx, "DELETE FROM vuln_scan WHERE account = $1 AND fulltag = $2",
                        DB(DBS(account), DBS(fulltag)), e);
    if (n >= 0)
        n = document_delete(r->en->documents, tx, account, BUCKET, fulltag, e);
    return n < 0 && n != ERR_NOT_FOUND ? (int)n : 1;
}

/* Are the newest data of the store here? 1, 0. */
static int have_newest(struct engine *en, struct err *e)
{
    auto_vulndata *view = vulndata_take(en->vulndata);
    int rc = vulndata_is_published(en, view, e);
    if (rc != 0)
        return rc;
    rc = vulndata_fetch(en, e);
    if (rc != 1)
        return rc;
    vulndata_refresh(en->vulndata);
    vulndata_drop(TAKE(view));
    view = vulndata_take(en->vulndata);
    return vulndata_is_published(en, view, e);
}

int vuln_update_run(struct engine *en, struct vuln_reports *reports, struct err *e)
{
    struct round r = {.en = en, .reports = reports};
    int rc = have_newest(en, e);
    if (rc != 1)
        return rc;
    arena_init(&r.a, ROUND_MAX);
    map_init(&r.by_image);
    do {
        rc = db_run(en->db, DB_WRITE, read_place, &r, e);
        if (rc >= 0)
            rc = db_run(en->db, DB_READ, read_round, &r, e);
        if (rc >= 0)
            rc = do_targets(&r, e);
        if (rc >= 0 && r.to != r.from)
            rc = db_run(en->db, DB_WRITE, move_place, &r, e);
    } while (rc >= 0 && r.more);
    while (rc >= 0 && (rc = db_run(en->db, DB_WRITE, forget, &r, e)) == 1)
        ;
    vec_done(&r.targets);
    map_done(&r.by_image);
    arena_done(&r.a);
    return rc < 0 ? rc : 0;
}
