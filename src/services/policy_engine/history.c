#include "services/policy_engine/history.h"

#include "base/auto.h"
#include "base/cursor.h"
#include "base/map.h"
#include "services/package_identity.h"
#include "services/policy_engine/reindex_internal.h"

static const int64_t day_us = (int64_t)86400 * 1000000, pause_us = (int64_t)900 * 1000000;

/* ---- one image ---------------------------------------------------------------------------------
 */

struct telling {
    struct arena *a;
    int64_t since;
    VEC(struct history_row) rows;
};

static int add_row(struct telling *t, const struct db_rows *r, const struct package *p,
                   int64_t *first, struct err *e)
{
    const struct history_row *last = t->rows.n ? &t->rows.p[t->rows.n - 1] : NULL;
    str id = db_text(r, 0);
    int64_t from = db_int(r, 1), to = db_int(r, 2);
    if (to <= t->since) /* over before the image came */
        return 0;
    from = from > t->since ? from : t->since;
    bool same = *first && last && str_eq(last->vulnerability, id);
    *first = same ? *first : from;
    struct history_row row = {
        .vulnerability = same ? last->vulnerability : arena_dup(t->a, id),
        .package = p->name,
        .version = p->version,
        .type = str_z(p->type ? p->type->name : ""),
        .source = arena_dup(t->a, db_text(r, 5)),
        .fix = arena_dup(t->a, db_text(r, 6)),
        .generation = arena_dup(t->a, db_text(r, 7)),
        .severity = (enum severity)db_int(r, 3),
        .fix_state = (enum fix_state)db_int(r, 4),
        .first_seen = *first,
        .from = from,
        .to = to == SPAN_OPEN ? 0 : to,
    };
    struct history_row *slot = vec_push(&t->rows);
    if (slot)
        *slot = row;
    return slot && !t->a->full ? 0 : err_no_memory(e);
}

static int tell_package(struct db_tx *tx, struct telling *t, int64_t package, struct err *e)
{
    struct package_identity id;
    auto_rows *r = NULL, *spans = NULL;
    int64_t first = 0;
    int rc = db_query(tx,
                      "SELECT vulnerability, opened_at, closed_at, severity, fix_state, source,"
                      " fix, generation FROM finding_span WHERE package = $1"
                      " ORDER BY vulnerability, opened_at",
                      DB(DBI(package)), &spans, e);
    if (rc < 0 || (rc = db_next(spans, e)) <= 0)
        return rc;
    rc =
        db_query(tx, "SELECT identity FROM posting_package WHERE id = $1", DB(DBI(package)), &r, e);
    if (rc < 0 || (rc = db_next(r, e)) <= 0)
        return rc;
    str bytes = arena_dup(t->a, db_blob(r, 0));
    if (!bytes.p)
        return err_no_memory(e);
    rc = package_identity_read(bytes, &id, e);
    if (rc < 0 && rc != ERR_UNSUPPORTED)
        return rc;
    do {
        rc = add_row(t, spans, &id.p, &first, e);
    } while (rc >= 0 && (rc = db_next(spans, e)) == 1);
    return rc;
}

static int by_vulnerability(const void *pa, const void *pb)
{
    const struct history_row *a = pa, *b = pb;
    int d = str_cmp(a->vulnerability, b->vulnerability);
    if (d == 0)
        d = str_cmp(a->package, b->package);
    if (d == 0)
        d = str_cmp(a->version, b->version);
    return d ? d : (a->from > b->from) - (a->from < b->from);
}

int history_image(struct db_tx *tx, struct arena *a, str account, str digest,
                  struct history_row **out, size_t *n, struct err *e)
{
    struct telling t = {.a = a};
    posting_ids list = {0};
    int64_t image;
    *n = 0;
    int rc = posting_image_packages(tx, account, digest, &image, &t.since, &list, e);
    bool found = rc == 1;
    for (size_t i = 0; rc >= 0 && i < list.n; i++)
        rc = tell_package(tx, &t, list.p[i], e);
    if (rc >= 0) {
        *out = arena_calloc(a, t.rows.n + 1, sizeof **out);
        if (!*out)
            rc = err_no_memory(e);
    }
    if (rc >= 0 && t.rows.n) {
        qsort(t.rows.p, t.rows.n, sizeof *t.rows.p, by_vulnerability);
        memcpy(*out, t.rows.p, t.rows.n * sizeof **out);
        *n = t.rows.n;
    }
    vec_done(&t.rows);
    vec_done(&list);
    return rc < 0 ? rc : found;
}

/* ---- one vulnerability -------------------------------------------------------------------------
 */

struct affected {
    int64_t at;
    int (*fn)(void *ctx, const struct posting_image *i, struct err *e);
    void *ctx;
};

static int tell_affected(void *ctx, const struct posting_image *i, struct err *e)
{
    struct affected *f = ctx;
    return i->since <= f->at ? f->fn(f->ctx, i, e) : 0;
}

static int add_packages(struct db_tx *tx, str vulnerability, const struct affected *f,
                        bool known_now, posting_ids *out, struct err *e)
{
    auto_rows *r = NULL;
    int64_t from = known_now ? SPAN_OPEN : f->at, to = known_now ? SPAN_OPEN - 1 : f->at;
    int rc = db_query(tx,
                      "SELECT DISTINCT package FROM finding_span WHERE vulnerability = $1 AND"
                      " opened_at <= $2 AND closed_at > $3",
                      DB(DBS(vulnerability), DBI(from), DBI(to)), &r, e);
    while (rc >= 0 && (rc = db_next(r, e)) == 1) {
        int64_t *slot = vec_push(out);
        if (!slot)
            return err_no_memory(e);
        *slot = db_int(r, 0);
    }
    return rc;
}

int history_affected(struct db_tx *tx, str account, const str *ids, size_t n_ids, int64_t at,
                     bool known_now,
                     int (*fn)(void *ctx, const struct posting_image *i, struct err *e), void *ctx,
                     struct err *e)
{
    struct affected f = {at, fn, ctx};
    struct posting_set set;
    posting_ids packages = {0};
    auto_posting *reader = NULL;
    posting_set_init(&set);
    int rc = posting_open(tx, &reader, e);
    for (size_t i = 0; rc >= 0 && i < n_ids; i++)
        rc = add_packages(tx, ids[i], &f, known_now, &packages, e);
    if (rc >= 0)
        rc = posting_read_all(reader, packages.p, packages.n, &set, e);
    if (rc >= 0)
        rc = posting_images(tx, &set, account, tell_affected, &f, e);
    vec_done(&packages);
    posting_set_done(&set);
    return rc < 0 ? rc : 0;
}

/* ---- days --------------------------------------------------------------------------------------
 */

struct account_day {
    str account;
    struct history_day day;
};
struct counting {
    struct arena a;
    struct map accounts;
    VEC(struct account_day *) list;
    int64_t now, last;
};

static struct account_day *day_of(struct counting *c, str account)
{
    struct account_day *d = map_get(&c->accounts, account);
    if (d)
        return d;
    struct account_day **slot = vec_push(&c->list);
    d = arena_new(&c->a, struct account_day);
    if (!slot || !d)
        return NULL;
    *slot = d;
    d->account = arena_dup(&c->a, account);
    d->day.day = c->now / day_us;
    return d->account.p && map_put(&c->accounts, d->account, d) ? d : NULL;
}

static int count(struct db_tx *tx, struct counting *c, struct err *e)
{
    auto_rows *r = NULL;
    int rc = db_query(tx,
                      "SELECT i.account, s.counts FROM finding_summary s JOIN posting_image i"
                      " ON i.id = s.image",
                      DB0, &r, e);
    while (rc >= 0 && (rc = db_next(r, e)) == 1) {
        struct account_day *d = day_of(c, db_text(r, 0));
        struct cursor at = cursor_over(db_blob(r, 1).p, db_blob(r, 1).n);
        if (!d)
            return err_no_memory(e);
        d->day.images++;
        for (size_t i = 0; i < SEVERITIES && cursor_left(&at); i++)
            d->day.findings[i] += (int64_t)cursor_varint(&at);
    }
    return rc;
}

static int write_day(struct db_tx *tx, const struct account_day *d, struct err *e)
{
    int64_t n = 0;
    for (int i = 0; n >= 0 && i < SEVERITIES; i++)
        n = db_exec(tx,
                    "INSERT INTO finding_trend (account, day, severity, findings, images) VALUES"
                    " ($1, $2, $3, $4, $5) ON CONFLICT (account, day, severity) DO UPDATE SET"
                    " findings = excluded.findings, images = excluded.images",
                    DB(DBS(d->account), DBI(d->day.day), DBI(i), DBI(d->day.findings[i]),
                       DBI(d->day.images)),
                    e);
    return n < 0 ? (int)n : 0;
}

static int read_clock(struct db_tx *tx, void *ctx, struct err *e)
{
    struct counting *c = ctx;
    int rc = db_query_int(tx, "SELECT now_us()", DB0, &c->now, e);
    if (rc == 0)
        rc = db_query_int(tx,
                          "SELECT COALESCE(MAX(rules), 0) FROM finding_state WHERE name = 'trends'",
                          DB0, &c->last, e);
    return rc;
}

static int write_days(struct db_tx *tx, void *ctx, struct err *e)
{
    struct counting *c = ctx;
    map_done(&c->accounts);
    map_init(&c->accounts);
    c->list.n = 0;
    int rc = count(tx, c, e);
    for (size_t i = 0; rc >= 0 && i < c->list.n; i++)
        rc = write_day(tx, c->list.p[i], e);
    int64_t n = rc < 0 ? rc
                       : db_exec(tx,
                                 "INSERT INTO finding_state (name, generation, rules, holder)"
                                 " VALUES ('trends', '', $1, '') ON CONFLICT (name) DO UPDATE SET"
                                 " rules = excluded.rules",
                                 DB(DBI(c->now)), e);
    return n < 0 ? (int)n : 0;
}

int history_trends(struct db *db, bool now, struct err *e)
{
    struct counting c = {0};
    arena_init(&c.a, 64 << 20);
    map_init(&c.accounts);
    int rc = db_run(db, DB_READ, read_clock, &c, e);
    if (rc >= 0 && (now || c.now - c.last > pause_us))
        rc = db_run(db, DB_WRITE, write_days, &c, e);
    map_done(&c.accounts);
    vec_done(&c.list);
    arena_done(&c.a);
    return rc < 0 ? rc : 0;
}

int history_days(struct db_tx *tx, struct arena *a, str account, int64_t days,
                 struct history_day **out, size_t *n, struct err *e)
{
    auto_rows *r = NULL;
    *n = 0;
    *out = arena_calloc(a, (size_t)days + 2, sizeof **out);
    if (!*out)
        return err_no_memory(e);
    int rc = db_query(tx,
                      "SELECT day, severity, findings, images FROM finding_trend WHERE"
                      " account = $1 AND day > now_us() / $2 - $3 ORDER BY day, severity",
                      DB(DBS(account), DBI(day_us), DBI(days)), &r, e);
    while (rc >= 0 && (rc = db_next(r, e)) == 1) {
        int64_t day = db_int(r, 0), severity = db_int(r, 1);
        if (!*n || (*out)[*n - 1].day != day) {
            if (*n > (size_t)days)
                break;
            (*out)[(*n)++].day = day;
        }
        struct history_day *d = &(*out)[*n - 1];
        d->images = db_int(r, 3);
        if (severity >= 0 && severity < SEVERITIES)
            d->findings[severity] = db_int(r, 2);
    }
    return rc < 0 ? rc : 0;
}
