#include <time.h>

#include "base/cursor.h"
#include "store/chunk_store_s3.h"
#include "store/documents_internal.h"

enum { LIMIT_MAX = 100000, NOTE_BATCH = 500, NOTE_BATCHES = 40 };
enum { LOOKS = 50, PAUSE_MS = 20 }; /* at who is still writing */
/* No transaction takes so long. */
#define LONG_AGO_US INT64_C(3600000000)

struct candidate {
    int64_t id, since;
    struct sha256 digest;
    enum chunk_driver driver;
    bool named, gone;
};

struct sweep {
    struct documents *d;
    size_t limit, n;
    int64_t contents, found_at; /* found_at: the database's time when the candidates were known */
    struct candidate *items;
};

/* fn for each chunk of a content's list, in either form. */
int content_each_chunk(str list, bool runs, int (*fn)(void *ctx, int64_t id), void *ctx,
                       struct err *e)
{
    if (runs)
        return chunk_runs_read(list, fn, ctx, e);
    struct cursor c = cursor_over(list.p, list.n);
    int rc = 0;
    while (rc >= 0 && cursor_left(&c))
        rc = fn(ctx, (int64_t)cursor_varint(&c));
    return rc < 0 ? rc : 0;
}

/* ---- who may name a chunk */

/* Ids; part of the stored format. BLOCK: of builds before, which note in chunk_use what they do not
 * find noted there (column named); their rows are taken away here, but not read. */
enum { AREA = 256, BLOCK = 16 };

struct naming {
    struct db_tx *tx;
    int64_t content, block; /* block: the last one; -1: none */
    int64_t first, last;    /* a run of ids that is to be marked; last < first: none */
    const char *sql;
    int64_t ids; /* of a block */
    bool mark;
    struct err *e;
};

static int mark_run(struct naming *m)
{
    if (m->last < m->first)
        return 0;
    int64_t n = db_exec(m->tx,
                        "UPDATE chunk SET unnamed_since = now_us()"
                        " WHERE id BETWEEN $1 AND $2",
                        DB(DBI(m->first), DBI(m->last)), m->e);
    return n < 0 ? (int)n : 0;
}

static int note_block(void *ctx, int64_t id)
{
    struct naming *m = ctx;
    if (id / m->ids != m->block) {
        m->block = id / m->ids;
        int64_t n = db_exec(m->tx, m->sql, DB(DBI(m->block), DBI(m->content)), m->e);
        if (n < 0)
            return (int)n;
    }
    if (id == m->last + 1) {
        m->last = id;
        return 0;
    }
    int rc = m->mark ? mark_run(m) : 0;
    m->first = m->last = id;
    return rc;
}

int content_chunks_named(struct db_tx *tx, int64_t content, str list, bool runs, struct err *e)
{
    const char *sql = "INSERT INTO chunk_area (area, content) VALUES ($1, $2)"
                      " ON CONFLICT (area, content) DO NOTHING";
    struct naming m = {tx, content, -1, 0, -1, sql, AREA, false, e};
    return content_each_chunk(list, runs, note_block, &m, e);
}

int content_chunks_left(struct db_tx *tx, int64_t content, str list, bool runs, struct err *e)
{
    const char *sql = "DELETE FROM chunk_area WHERE area = $1 AND content = $2",
               *before = "DELETE FROM chunk_use WHERE block = $1 AND content = $2";
    struct naming m = {tx, content, -1, 0, -1, sql, AREA, true, e};
    struct naming b = {tx, content, -1, 0, -1, before, BLOCK, false, e};
    int rc = content_each_chunk(list, runs, note_block, &m, e);
    if (rc >= 0)
        rc = content_each_chunk(list, runs, note_block, &b, e);
    return rc < 0 ? rc : mark_run(&m);
}

/* ---- contents that no document names and none differs from */

/* What a content that went was made from, and its place as the last of its family. */
static int leave_base(struct db_tx *tx, int64_t id, int64_t base, struct err *e)
{
    int64_t n = db_exec(tx, "DELETE FROM document_family WHERE last = $1", DB(DBI(id)), e);
    if (n >= 0 && base)
        n = db_exec(tx, "UPDATE content SET unnamed_since = now_us() WHERE id = $1", DB(DBI(base)),
                    e);
    return n < 0 ? (int)n : 0;
}

/* 1: it is gone; 0: it is needed. The row is locked already; this statement sees what was committed
 * before the lock was had. */
static int drop_content(struct db_tx *tx, int64_t id, struct err *e)
{
    auto_rows *r = NULL;
    int rc = db_query(tx,
                      "DELETE FROM content WHERE id = $1 AND NOT EXISTS"
                      " (SELECT 1 FROM document WHERE content_id = $1) AND NOT EXISTS"
                      " (SELECT 1 FROM content k WHERE k.base = $1)"
                      " RETURNING chunks, parts IS NOT NULL, base",
                      DB(DBI(id)), &r, e);
    if (rc == 0)
        rc = db_next(r, e);
    if (rc == 1) {
        rc = content_chunks_left(tx, id, db_blob(r, 0), db_int(r, 1), e);
        if (rc >= 0)
            rc = leave_base(tx, id, db_int(r, 2), e);
        return rc < 0 ? rc : 1;
    }
    if (rc < 0)
        return rc;
    int64_t n =
        db_exec(tx, "UPDATE content SET unnamed_since = NULL WHERE id = $1", DB(DBI(id)), e);
    return n < 0 ? (int)n : 0;
}

static int sweep_contents(struct db_tx *tx, void *ctx, struct err *e)
{
    struct sweep *s = ctx;
    s->contents = 0;
    auto_rows *r = NULL;
    int rc = db_query(tx,
                      "SELECT id FROM content WHERE unnamed_since IS NOT NULL"
                      " AND unnamed_since <= now_us() - $1 LIMIT $2 {skip_locked}",
                      DB(DBI(s->d->keep_us), DBI(s->limit)), &r, e);
    while (rc >= 0 && (rc = db_next(r, e)) == 1) {
        rc = drop_content(tx, db_int(r, 0), e);
        s->contents += rc == 1;
    }
    return rc;
}

/* ---- contents that builds before wrote */

struct unnoted {
    size_t limit;
    bool more;
};

static int note_contents(struct db_tx *tx, void *ctx, struct err *e)
{
    struct unnoted *u = ctx;
    auto_rows *r = NULL;
    size_t n = 0;
    int rc = db_query(tx,
                      "SELECT id, chunks, parts IS NOT NULL FROM content"
                      " WHERE area IS NULL AND chunks IS NOT NULL LIMIT $1 {for_update}",
                      DB(DBI(u->limit)), &r, e);
    while (rc >= 0 && (rc = db_next(r, e)) == 1) {
        n++;
        rc = content_chunks_named(tx, db_int(r, 0), db_blob(r, 1), db_int(r, 2), e);
        if (rc >= 0)
            rc = (int)db_exec(tx, "UPDATE content SET area = 1 WHERE id = $1",
                              DB(DBI(db_int(r, 0))), e);
    }
    u->more = n == u->limit;
    return rc;
}

/* ---- chunks that no content names */

static int compare(const void *a, const void *b)
{
    const struct candidate *x = a, *y = b;
    return x->id < y->id ? -1 : x->id > y->id;
}

static int find_candidates(struct db_tx *tx, void *ctx, struct err *e)
{
    struct sweep *s = ctx;
    int64_t unnoted = 0;
    auto_rows *r = NULL;
    s->n = 0;
    int rc = db_query_int(tx,
                          "SELECT COUNT(*) FROM (SELECT 1 FROM content WHERE area IS NULL"
                          " AND chunks IS NOT NULL LIMIT 1) AS few",
                          DB0, &unnoted, e);
    if (rc < 0 || unnoted)
        return rc;
    rc = db_query(
        tx,
        "SELECT id, digest, driver, unnamed_since FROM chunk WHERE unnamed_since IS NOT NULL"
        " AND unnamed_since <= now_us() - $1 LIMIT $2",
        DB(DBI(s->d->keep_us), DBI(s->limit)), &r, e);
    while (rc >= 0 && s->n < s->limit && (rc = db_next(r, e)) == 1) {
        struct candidate *c = &s->items[s->n++];
        *c = (struct candidate){
            .id = db_int(r, 0), .since = db_int(r, 3), .driver = (enum chunk_driver)db_int(r, 2)};
        if (db_blob(r, 1).n == sizeof c->digest.b)
            memcpy(c->digest.b, db_blob(r, 1).p, sizeof c->digest.b);
    }
    qsort(s->items, s->n, sizeof *s->items, compare);
    return rc < 0 ? rc : db_query_int(tx, "SELECT now_us()", DB0, &s->found_at, e);
}

/* How many of our transactions are older than what was found? SQLite: one writes at a time, and
 * what is marked was marked before it began. */
static int count_older(struct db_tx *tx, void *ctx, struct err *e)
{
    struct sweep *s = ctx;
    int64_t n = 0;
    if (db_tx_kind(tx) == DB_SQLITE)
        return 0;
    int rc = db_query_int(tx,
                          "SELECT COUNT(*) FROM pg_stat_activity WHERE pid <> pg_backend_pid()"
                          " AND datname = current_database() AND backend_type = 'client backend'"
                          " AND xact_start <= to_timestamp($1 / 1000000.0)",
                          DB(DBI(s->found_at)), &n, e);
    return rc < 0 ? rc : n > 0;
}

/* Whoever saw a candidate before it was marked may name it without a sign: such transactions must
 * be over before it is looked who names it. 0: one does not end, and nothing is dropped now. */
static int wait_for_older(struct sweep *s, struct err *e)
{
    if (s->d->keep_us >= LONG_AGO_US)
        return 1;
    for (int i = 0; i < LOOKS; i++) {
        int rc = db_run(s->d->db, DB_READ, count_older, s, e);
        if (rc <= 0)
            return rc < 0 ? rc : 1;
        nanosleep(&(struct timespec){.tv_nsec = PAUSE_MS * 1000000L}, NULL);
    }
    return 0;
}

static int mark_named(void *ctx, int64_t id)
{
    struct sweep *s = ctx;
    struct candidate key = {.id = id};
    struct candidate *found = bsearch(&key, s->items, s->n, sizeof *s->items, compare);
    if (found)
        found->named = true;
    return 0;
}

static bool all_named(const struct sweep *s, size_t from, size_t to)
{
    while (from < to && s->items[from].named)
        from++;
    return from == to;
}

/* The candidates [from, to) of one area: looks at contents that may name them until all are. */
static int look_at_area(struct db_tx *tx, struct sweep *s, size_t from, size_t to, struct err *e)
{
    auto_rows *r = NULL;
    int rc = db_query(tx,
                      "SELECT c.chunks, c.parts IS NOT NULL FROM chunk_area u"
                      " JOIN content c ON c.id = u.content WHERE u.area = $1",
                      DB(DBI(s->items[from].id / AREA)), &r, e);
    while (rc >= 0 && !all_named(s, from, to) && (rc = db_next(r, e)) == 1)
        rc = content_each_chunk(db_blob(r, 0), db_int(r, 1), mark_named, s, e);
    return rc;
}

static int look(struct db_tx *tx, void *ctx, struct err *e)
{
    struct sweep *s = ctx;
    int rc = 0;
    for (size_t from = 0, to; rc >= 0 && from < s->n; from = to) {
        for (to = from + 1; to < s->n && s->items[to].id / AREA == s->items[from].id / AREA;)
            to++;
        rc = look_at_area(tx, s, from, to, e);
    }
    return rc;
}

/* A mark that was set once more meanwhile stays: who did so may have been the last that named it.
 * Whoever names a candidate meanwhile has cleared its mark. */
static int drop(struct db_tx *tx, void *ctx, struct err *e)
{
    struct sweep *s = ctx;
    for (size_t i = 0; i < s->n; i++) {
        struct candidate *c = &s->items[i];
        const char *sql =
            c->named ? "UPDATE chunk SET unnamed_since = NULL WHERE id = $1 AND unnamed_since = $2"
                     : "DELETE FROM chunk WHERE id = $1 AND unnamed_since = $2";
        int64_t n = db_exec(tx, sql, DB(DBI(c->id), DBI(c->since)), e);
        if (n < 0)
            return (int)n;
        c->gone = !c->named && n;
    }
    return 0;
}

int64_t documents_sweep(struct documents *d, size_t limit, struct err *e)
{
    struct sweep s = {.d = d, .limit = limit < LIMIT_MAX ? limit : LIMIT_MAX};
    s.items = calloc(s.limit + 1, sizeof *s.items);
    if (!s.items)
        return err_no_memory(e);
    struct unnoted u = {.limit = NOTE_BATCH, .more = true};
    int64_t rc = db_run(d->db, DB_WRITE, sweep_contents, &s, e);
    for (int i = 0; rc >= 0 && u.more && i < NOTE_BATCHES; i++)
        rc = db_run(d->db, DB_WRITE, note_contents, &u, e);
    if (rc >= 0)
        rc = db_run(d->db, DB_READ, find_candidates, &s, e);
    if (rc >= 0 && s.n && (rc = wait_for_older(&s, e)) == 0)
        s.n = 0;
    if (rc >= 0 && s.n)
        rc = db_run(d->db, DB_READ, look, &s, e);
    if (rc >= 0 && s.n)
        rc = db_run(d->db, DB_WRITE, drop, &s, e);
    int64_t total = s.contents;
    for (size_t i = 0; rc >= 0 && i < s.n; i++) {
        total += s.items[i].gone;
        if (s.items[i].gone)
            chunk_unlink(d, s.items[i].driver, &s.items[i].digest, s.items[i].id);
    }
    free(s.items);
    if (rc >= 0 && d->driver != CHUNK_DB) {
        rc = d->driver == CHUNK_S3 ? chunk_s3_sweep(d, limit, e) : chunk_sweep_files(d, limit, e);
        total += rc > 0 ? rc : 0;
    }
    return rc < 0 ? rc : total;
}
