/* reindex_write.c - what is remembered of distinct packages: read, and written where it differs. */
#include "services/policy_engine/reindex_internal.h"

#include "base/auto.h"

int reindex_fence(struct db_tx *tx, const struct reindex_options *o, struct err *e)
{
    int64_t n =
        db_exec(tx, "UPDATE finding_state SET holder = $1 WHERE name = 'index' AND holder = $1",
                DB(DBZ(o->holder)), e);
    if (n == 0)
        return err_set(e, ERR_CONFLICT, "another process keeps the index of findings now");
    return n < 0 ? (int)n : 0;
}

/* ---- reading -----------------------------------------------------------------------------------
 */

static int read_package(struct db_tx *tx, struct candidate *c, struct arena *a, struct err *e)
{
    auto_rows *r = NULL;
    int rc = db_query(tx, "SELECT identity, matched, counts FROM posting_package WHERE id = $1",
                      DB(DBI(c->id)), &r, e);
    if (rc < 0 || (rc = db_next(r, e)) <= 0)
        return rc;
    struct package_sum sum;
    c->identity = arena_dup(a, db_blob(r, 0));
    c->first = db_int(r, 1) == 0;
    c->printed = package_sum_read(db_blob(r, 2), &sum) && sum.printed;
    return c->identity.p ? 1 : err_no_memory(e);
}

int reindex_read_spans(struct db_tx *tx, struct candidate *c, struct arena *a, struct err *e)
{
    auto_rows *r = NULL;
    size_t room = 0;
    int rc = db_query(tx,
                      "SELECT vulnerability, severity, fix_state, source, fix FROM finding_span"
                      " WHERE package = $1 AND closed_at = $2 ORDER BY vulnerability",
                      DB(DBI(c->id), DBI(SPAN_OPEN)), &r, e);
    while (rc >= 0 && (rc = db_next(r, e)) == 1) {
        if (c->n_before == room) {
            struct remembered *grown = arena_calloc(a, room = 2 * room + 8, sizeof *grown);
            if (!grown)
                return err_no_memory(e);
            if (c->n_before)
                memcpy(grown, c->before, c->n_before * sizeof *grown);
            c->before = grown;
        }
        c->before[c->n_before++] = (struct remembered){.id = arena_dup(a, db_text(r, 0)),
                                                       .severity = (enum severity)db_int(r, 1),
                                                       .fix_state = (enum fix_state)db_int(r, 2),
                                                       .source = arena_dup(a, db_text(r, 3)),
                                                       .fix = arena_dup(a, db_text(r, 4))};
    }
    return rc < 0 ? rc : a->full ? err_no_memory(e) : 0;
}

int reindex_read(struct db_tx *tx, struct candidate *c, size_t *n, struct arena *a, struct err *e)
{
    size_t kept = 0;
    int rc = 0;
    for (size_t i = 0; rc >= 0 && i < *n; i++) {
        struct candidate one = {.id = c[i].id};
        rc = read_package(tx, &one, a, e);
        if (rc == 1 && !one.first)
            rc = reindex_read_spans(tx, &one, a, e) < 0 ? (e ? e->code : ERR_IO) : 1;
        if (rc == 1)
            c[kept++] = one;
    }
    *n = kept;
    return rc < 0 ? rc : 0;
}

/* ---- writing -----------------------------------------------------------------------------------
 */

struct writing {
    const struct reindex_options *o;
    int64_t batch, now, changes;
    const struct candidate *c;
    size_t n;
};

static unsigned kinds_of(const struct remembered *was, const struct remembered *is)
{
    if (!was || !is)
        return was ? CHANGE_REMOVED : CHANGE_ADDED;
    unsigned kinds = was->severity != is->severity ? CHANGE_SEVERITY : 0;
    if (!was->fix.n && is->fix.n)
        kinds |= CHANGE_FIX_AVAILABLE;
    else if (was->fix_state != is->fix_state || !str_eq(was->fix, is->fix))
        kinds |= CHANGE_FIX;
    return kinds;
}

static bool differ(const struct remembered *was, const struct remembered *is)
{
    return kinds_of(was, is) || !str_eq(was->source, is->source);
}

static int64_t close_span(struct db_tx *tx, const struct writing *w, int64_t package, str id,
                          struct err *e)
{
    return db_exec(tx,
                   "UPDATE finding_span SET closed_at = $3 WHERE package = $1 AND"
                   " vulnerability = $2 AND closed_at = $4",
                   DB(DBI(package), DBS(id), DBI(w->now), DBI(SPAN_OPEN)), e);
}

static int64_t open_span(struct db_tx *tx, const struct writing *w, int64_t package,
                         const struct remembered *f, struct err *e)
{
    return db_exec(tx,
                   "INSERT INTO finding_span (package, vulnerability, opened_at, closed_at,"
                   " severity, fix_state, source, fix, generation) VALUES ($1, $2, $3, $4, $5, $6,"
                   " $7, $8, $9)",
                   DB(DBI(package), DBS(f->id), DBI(w->now), DBI(SPAN_OPEN), DBI(f->severity),
                      DBI(f->fix_state), DBS(f->source), DBS(f->fix), DBZ(w->o->generation)),
                   e);
}

static int64_t add_change(struct db_tx *tx, const struct writing *w, int64_t package,
                          const struct remembered *was, const struct remembered *is, struct err *e)
{
    static const struct remembered none = {.fix = STR_INIT("")};
    unsigned kinds = kinds_of(was, is);
    str id = is ? is->id : was->id;
    was = was ? was : &none;
    is = is ? is : &none;
    if (!kinds)
        return 0;
    return db_exec(tx,
                   "INSERT INTO finding_change (batch, package, vulnerability, kinds, at,"
                   " severity_before, severity, fix_state_before, fix_state, fix_before, fix,"
                   " generation) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)",
                   DB(DBI(w->batch), DBI(package), DBS(id), DBI(kinds), DBI(w->now),
                      DBI(was->severity), DBI(is->severity), DBI(was->fix_state),
                      DBI(is->fix_state), DBS(was->fix), DBS(is->fix), DBZ(w->o->generation)),
                   e);
}

static int write_one(struct db_tx *tx, struct writing *w, const struct candidate *c,
                     const struct remembered *was, const struct remembered *is, struct err *e)
{
    int64_t n = 0;
    if (was && is && !differ(was, is))
        return 0;
    if (was)
        n = close_span(tx, w, c->id, was->id, e);
    if (n >= 0 && is)
        n = open_span(tx, w, c->id, is, e);
    if (n >= 0 && w->batch && !c->first)
        n = add_change(tx, w, c->id, was, is, e);
    w->changes += n > 0 && w->batch && !c->first;
    return n < 0 ? (int)n : 1;
}

static int write_counts(struct db_tx *tx, const struct candidate *c, struct err *e)
{
    const struct package_sum sum = package_sum_of(c->now, c->n_now);
    auto_buf text;
    buf_init(&text, 100);
    package_sum_write(&sum, &text);
    int64_t n = db_exec(tx, "UPDATE posting_package SET matched = 1, counts = $2 WHERE id = $1",
                        DB(DBI(c->id), DBB(buf_view(&text))), e);
    return n < 0 ? (int)n : 0;
}

static int write_package(struct db_tx *tx, struct writing *w, const struct candidate *c,
                         struct err *e)
{
    size_t i = 0, k = 0;
    int rc = 0;
    bool changed = c->first || !c->printed;
    while (rc >= 0 && (i < c->n_before || k < c->n_now)) {
        int order = i == c->n_before ? 1
                    : k == c->n_now  ? -1
                                     : str_cmp(c->before[i].id, c->now[k].id);
        rc = write_one(tx, w, c, order <= 0 ? &c->before[i] : NULL, order >= 0 ? &c->now[k] : NULL,
                       e);
        changed |= rc > 0;
        i += order <= 0;
        k += order >= 0;
    }
    return rc < 0 ? rc : changed ? write_counts(tx, c, e) : 0;
}

static int write_all(struct db_tx *tx, void *ctx, struct err *e)
{
    struct writing *w = ctx;
    w->changes = 0;
    int rc = reindex_fence(tx, w->o, e);
    if (rc == 0)
        rc = db_query_int(tx, "SELECT now_us()", DB0, &w->now, e);
    for (size_t i = 0; rc >= 0 && i < w->n; i++)
        rc = write_package(tx, w, &w->c[i], e);
    return rc;
}

static bool unchanged(const struct candidate *c)
{
    if (c->first || !c->printed || c->n_before != c->n_now)
        return false;
    for (size_t i = 0; i < c->n_now; i++)
        if (!str_eq(c->before[i].id, c->now[i].id) || differ(&c->before[i], &c->now[i]))
            return false;
    return true;
}

int64_t reindex_write(const struct reindex_options *o, int64_t batch, const struct candidate *c,
                      size_t n, struct err *e)
{
    struct writing w = {.o = o, .batch = batch, .c = c, .n = n};
    size_t same = 0;
    while (same < n && unchanged(&c[same]))
        same++;
    if (same == n)
        return 0;
    int rc = db_run(o->db, DB_WRITE, write_all, &w, e);
    return rc < 0 ? rc : w.changes;
}
