#include "services/policy_engine/vuln_update.h"

#include "base/clock.h"
#include "services/event.h"
#include "services/log.h"
#include "services/notification.h"
#include "services/policy_engine/subscribed.h"
#include "services/policy_engine/vuln_diff.h"
#include "services/policy_engine/vulndata.h"

enum { FINDINGS_MAX = 256 << 20, EVENT_MAX = 512 << 10, BEGINNING_US = 600 * 1000000 };
static const char log_name[] = "policy_engine";
#define BUCKET STR("vulnerability_scan")

struct round {
    struct engine *en;
    struct vuln_reports *reports;
    struct subscribed s;
    bool gave_up; /* on some tag, for now */
};

/* ---- one tag -----------------------------------------------------------------------------------
 */

struct scan {
    struct round *r;
    const struct subscribed_tag *t;
    int64_t revision; /* of the row; 0: there is none */
    bool known;       /* `before` is what the owner knows of */
    str digest;       /* that these are of; empty: of what it was when the subscription began */
    struct buf before, now, diff;
    struct vuln_diff counts;
};

static int read_scan(struct db_tx *tx, void *ctx, struct err *e)
{
    struct scan *s = ctx;
    const struct subscribed_tag *t = s->t;
    auto_rows *rows = NULL;
    s->revision = 0;
    s->known = false;
    buf_clear(&s->before);
    int rc = db_query(
        tx, "SELECT revision, image_digest FROM vuln_scan WHERE account = $1 AND fulltag = $2",
        DB(DBS(t->account), DBS(t->scan_key)), &rows, e);
    if (rc < 0 || (rc = db_next(rows, e)) <= 0)
        return rc;
    s->revision = db_int(rows, 0);
    s->digest = arena_dup(&s->r->s.a, db_text(rows, 1));
    db_rows_close(TAKE(rows));
    struct err why = {0};
    rc = document_get(s->r->en->documents, tx, t->account, BUCKET, t->scan_key, &s->before, &why);
    s->known = rc >= 0;
    return rc < 0 && rc != ERR_NOT_FOUND ? err_set(e, rc, "%s", why.text) : 0;
}

/* Nothing was written down, but somebody may have seen a report. */
static int read_report(struct scan *s, struct err *e)
{
    auto_json *rows = NULL;
    const struct subscribed_tag *t = s->t;
    int rc = vuln_report_last(s->r->en, t->account, t->digest, &rows, e);
    if (rc == 1) {
        rc = vuln_diff_keep(yyjson_doc_get_root(rows), &s->before, e);
        s->known = rc == 0;
    }
    return rc;
}

static int put_row(struct db_tx *tx, const struct scan *s, struct err *e)
{
    const struct subscribed_tag *t = s->t;
    int64_t n =
        s->revision
            ? db_exec(tx,
                      "UPDATE vuln_scan SET image_digest = $3, revision = revision + 1"
                      " WHERE account = $1 AND fulltag = $2 AND revision = $4",
                      DB(DBS(t->account), DBS(t->scan_key), DBS(t->digest), DBI(s->revision)), e)
            : db_exec(tx,
                      "INSERT INTO vuln_scan (account, fulltag, image_digest, revision)"
                      " VALUES ($1, $2, $3, 1) ON CONFLICT (account, fulltag) DO NOTHING",
                      DB(DBS(t->account), DBS(t->scan_key), DBS(t->digest)), e);
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
    return s->known && s->counts.added + s->counts.removed + s->counts.updated > 0;
}

static int write_scan(struct db_tx *tx, void *ctx, struct err *e)
{
    const struct scan *s = ctx;
    int rc = put_row(tx, s, e);
    if (rc == 0)
        rc = document_put(s->r->en->documents, tx, s->t->account, BUCKET, s->t->scan_key,
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
    if (rc == 0 && s->known)
        rc = json_parse(buf_view(&s->before), "the findings before", &before, e);
    return rc < 0 ? rc
                  : vuln_diff(yyjson_doc_get_root(before), yyjson_doc_get_root(now), &s->diff,
                              &s->counts, e);
}

static int do_target(struct round *r, const struct subscribed_tag *t, struct err *e)
{
    struct scan s = {.r = r, .t = t};
    buf_init(&s.before, FINDINGS_MAX);
    buf_init(&s.now, FINDINGS_MAX);
    buf_init(&s.diff, FINDINGS_MAX);
    int rc = db_run(r->en->db, DB_READ, read_scan, &s, e);
    if (rc >= 0 && !s.known && t->fresh)
        rc = read_report(&s, e);
    if (rc >= 0)
        rc = compare(&s, e);
    if (rc >= 0 && (differs(&s) || !s.known || !s.revision || !str_eq(s.digest, t->digest)))
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
    for (size_t i = 0; i < r->s.tags.n; i++) {
        const struct subscribed_tag *t = r->s.tags.p[i];
        struct err why = {0};
        int one = t->due || !str_eq(t->told, t->digest) ? do_target(r, t, &why) : 0;
        if (engine_stopping(r->en))
            return err_set(e, ERR_CONFLICT, "the engine is stopping");
        if (one < 0)
            log_warn(log_name, "findings of %.*s of %.*s: %s", STR_ARG(t->fulltag),
                     STR_ARG(t->account), why.text);
        r->gave_up |= is_final(one) && one != ERR_NOT_FOUND;
        if (one < 0 && !is_final(one))
            rc = err_set(e, one, "%s", why.text);
    }
    return rc;
}

/* ---- the beginning -----------------------------------------------------------------------------
 */

struct beginning {
    struct engine *en;
    str account, scan_key;
    bool anew;
    struct buf findings;
};

/* Revisions are times here: one that was read before is never met again. */
static int write_beginning(struct db_tx *tx, void *ctx, struct err *e)
{
    const struct beginning *b = ctx;
    char sql[300];
    snprintf(sql, sizeof sql,
             "INSERT INTO vuln_scan (account, fulltag, image_digest, revision)"
             " VALUES ($1, $2, '', now_us()) ON CONFLICT (account, fulltag) DO %s",
             b->anew ? "UPDATE SET image_digest = '', revision = excluded.revision" : "NOTHING");
    int64_t n = db_exec(tx, sql, DB(DBS(b->account), DBS(b->scan_key)), e);
    if (n > 0)
        n = document_put(b->en->documents, tx, b->account, BUCKET, b->scan_key,
                         buf_view(&b->findings), e);
    return n < 0 ? (int)n : 0;
}

int vuln_update_begin(struct engine *en, struct vuln_reports *reports, str account, str scan_key,
                      str digest, bool anew, struct err *e)
{
    struct beginning b = {.en = en, .account = account, .scan_key = scan_key, .anew = anew};
    auto_report *report = NULL;
    struct err why = {0};
    buf_init(&b.findings, FINDINGS_MAX);
    int rc = vuln_report_take(en, reports, account, digest, false, &report, &why);
    if (rc == 0)
        rc = vuln_diff_keep(vuln_report_rows(report), &b.findings, &why);
    if (rc == 0)
        rc = db_run(en->db, DB_WRITE, write_beginning, &b, &why);
    buf_done(&b.findings);
    if (rc < 0)
        log_warn(log_name, "findings of %.*s of %.*s: %s", STR_ARG(digest), STR_ARG(account),
                 why.text);
    return rc >= 0 || is_final(rc) ? 0 : err_set(e, rc, "%s", why.text);
}

/* ---- the whole ---------------------------------------------------------------------------------
 */

/* Subscriptions that ended; those that are about to begin have a row before they are active.
 * Returns how many. */
static int forget(struct db_tx *tx, void *ctx, struct err *e)
{
    struct round *r = ctx;
    auto_rows *rows = NULL;
    int rc = db_query(
        tx,
        "SELECT v.account, v.fulltag, v.revision FROM vuln_scan v LEFT JOIN subscriptions s ON"
        " s.account = v.account AND s.subscription_type = 'vuln_update' AND"
        " s.subscription_key = CASE WHEN v.fulltag LIKE 'sha256:%' ESCAPE '!' AND"
        " SUBSTR(v.fulltag, 72, 1) = '/' THEN SUBSTR(v.fulltag, 73)"
        " ELSE v.fulltag END AND s.active = 1 WHERE s.account IS NULL AND"
        " (v.image_digest <> '' OR v.revision < now_us() - $1) LIMIT 1",
        DB(DBI(BEGINNING_US)), &rows, e);
    if (rc < 0 || (rc = db_next(rows, e)) <= 0)
        return rc;
    str account = arena_dup(&r->s.a, db_text(rows, 0)),
        fulltag = arena_dup(&r->s.a, db_text(rows, 1));
    int64_t revision = db_int(rows, 2);
    db_rows_close(TAKE(rows));
    int64_t n = db_exec(tx,
                        "DELETE FROM vuln_scan WHERE account = $1 AND fulltag = $2 AND"
                        " revision = $3",
                        DB(DBS(account), DBS(fulltag), DBI(revision)), e);
    if (n > 0)
        n = document_delete(r->en->documents, tx, account, BUCKET, fulltag, e);
    return n < 0 && n != ERR_NOT_FOUND ? (int)n : 1;
}

/* Tags that nothing is known of yet, and subscriptions that ended, are looked for each round; with
 * more than FEW tags, or when some cannot be done, as often as costs a thirtieth of the time. */
enum { PACE = 30, FEW = 1000, PAUSE_US = 60000000 };

static int64_t later(int64_t began)
{
    int64_t now = clock_us(), pause = PACE * (now - began);
    return now + (pause < PAUSE_US ? pause : PAUSE_US);
}

int vuln_update_run(struct engine *en, struct vuln_reports *reports, int64_t *next_us,
                    struct err *e)
{
    struct round r = {.en = en, .reports = reports};
    int64_t began = clock_us();
    bool all = began >= *next_us;
    int rc = vulndata_newest(en, e);
    if (rc != 1)
        return rc;
    subscribed_init(&r.s, "vuln_update");
    rc = subscribed_read(en, &r.s, all, e);
    if (all)
        *next_us = r.s.tags.n > FEW ? began + PACE * (clock_us() - began) : 0;
    for (; rc >= 0; rc = subscribed_read(en, &r.s, false, e)) {
        rc = do_targets(&r, e);
        if (all && r.gave_up)
            *next_us = later(began);
        if (rc >= 0)
            rc = subscribed_move(en, &r.s, e);
        if (rc < 0 || !r.s.more)
            break;
    }
    while (all && rc >= 0 && (rc = db_run(en->db, DB_WRITE, forget, &r, e)) == 1)
        ;
    subscribed_done(&r.s);
    return rc < 0 ? rc : 0;
}
