#include "watch/state.h"

#include "base/auto.h"
#include "base/fs.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sodium.h>
#include <sys/file.h>
#include <zstd.h>

enum { LEVEL = 3, NAME_MAX_LENGTH = 64, STATE_FORMAT = 1 };
static const int64_t day_us = 86400LL * 1000000;

struct watch_state {
    struct db *db;
    int lock;
};

static const char *const tables[] = {
    "CREATE TABLE IF NOT EXISTS format (version BIGINT PRIMARY KEY)",
    "CREATE TABLE IF NOT EXISTS remembered (reference TEXT NOT NULL, platform TEXT NOT NULL,"
    " digest TEXT NOT NULL, image TEXT NOT NULL, findings BLOB, generation TEXT NOT NULL,"
    " uncovered TEXT NOT NULL, policy TEXT NOT NULL, verdict TEXT NOT NULL,"
    " valid_until BIGINT NOT NULL, trouble TEXT NOT NULL, why TEXT NOT NULL, gaps TEXT NOT NULL,"
    " first_at BIGINT NOT NULL, wanted_at BIGINT NOT NULL,"
    " PRIMARY KEY (reference, platform)) WITHOUT ROWID",
    "CREATE INDEX IF NOT EXISTS remembered_digest ON remembered (digest, platform)",
    "CREATE TABLE IF NOT EXISTS repository (name TEXT PRIMARY KEY, seen_at BIGINT NOT NULL)",
    "CREATE TABLE IF NOT EXISTS document (digest TEXT NOT NULL, platform TEXT NOT NULL,"
    " type TEXT NOT NULL, body BLOB NOT NULL, size BIGINT NOT NULL,"
    " PRIMARY KEY (digest, platform, type)) WITHOUT ROWID",
    "CREATE TABLE IF NOT EXISTS change (id INTEGER PRIMARY KEY AUTOINCREMENT, at BIGINT NOT NULL,"
    " key TEXT NOT NULL UNIQUE, reference TEXT NOT NULL, image TEXT NOT NULL, type TEXT NOT NULL,"
    " payload TEXT NOT NULL)",
    "CREATE TABLE IF NOT EXISTS told (who TEXT PRIMARY KEY, upto BIGINT NOT NULL,"
    " tries BIGINT NOT NULL, next_try BIGINT NOT NULL, problem TEXT, seen_at BIGINT NOT NULL)",
};

static int make_tables(struct db_tx *tx, void *ctx, struct err *e)
{
    int64_t rc = 0, newer = 0;
    for (size_t i = 0; rc >= 0 && i < KE_ARRAY_LEN(tables); i++)
        rc = db_exec(tx, tables[i], DB0, e);
    if (rc >= 0)
        rc =
            db_exec(tx, "INSERT INTO format (version) VALUES ($1) ON CONFLICT (version) DO NOTHING",
                    DB(DBI(STATE_FORMAT)), e);
    if (rc >= 0)
        rc = db_query_int(tx, "SELECT MAX(version) FROM format", DB0, &newer, e);
    if (rc >= 0 && newer > STATE_FORMAT)
        rc = err_set(e, ERR_UNSUPPORTED, "it was written by a newer version of kellet");
    return rc < 0 ? (int)rc : 0;
}

static bool name_ok(const char *name)
{
    size_t n = strlen(name);
    for (size_t i = 0; i < n; i++)
        if (!ke_isdigit(name[i]) && !(name[i] >= 'a' && name[i] <= 'z') && !strchr("._-", name[i]))
            return false;
    return n > 0 && n <= NAME_MAX_LENGTH && name[0] != '.';
}

static int take_lock(const char *path, int *out, struct err *e)
{
    autoclose int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0644);
    if (fd < 0)
        return err_errno(e, "cannot open %s", path);
    if (flock(fd, LOCK_EX | LOCK_NB) < 0)
        return errno == EWOULDBLOCK
                   ? err_set(e, ERR_CONFLICT,
                             "another `kellet watch` is running with this state (%s): --name gives "
                             "another one",
                             path)
                   : err_errno(e, "cannot lock %s", path);
    *out = TAKE_FD(fd);
    return 0;
}

int watch_state_open(const char *data_dir, const char *name, struct watch_state **out,
                     struct err *e)
{
    char path[PATH_MAX], url[PATH_MAX + 8];
    if (!name_ok(name))
        return err_set(e, ERR_USAGE, "--name takes at most %d of a-z, 0-9, \"-\", \"_\" and \".\"",
                       NAME_MAX_LENGTH);
    if (snprintf(path, sizeof path - 80, "%s/watch", data_dir) >= (int)sizeof path - 80)
        return err_set(e, ERR_USAGE, "the data directory's name is too long");
    size_t n = strlen(path);
    int rc = fs_mkdirs(path, e);
    if (rc < 0)
        return rc;
    struct watch_state *s = calloc(1, sizeof *s);
    if (!s)
        return err_no_memory(e);
    s->lock = -1;
    snprintf(path + n, sizeof path - n, "/%s.lock", name);
    rc = take_lock(path, &s->lock, e);
    snprintf(path + n, sizeof path - n, "/%s.db", name);
    snprintf(url, sizeof url, "sqlite:%s", path);
    const struct db_options o = {.url = url, .max_connections = 8};
    if (rc == 0)
        rc = db_open(&o, &s->db, e);
    if (rc == 0 && (rc = db_run(s->db, DB_WRITE, make_tables, NULL, e)) < 0)
        err_wrap(e, "%s", path);
    if (rc < 0) {
        watch_state_close(s);
        return rc;
    }
    *out = s;
    return 0;
}

void watch_state_close(struct watch_state *s)
{
    if (!s)
        return;
    db_close(s->db);
    if (s->lock >= 0)
        close(s->lock);
    free(s);
}

struct db *watch_state_db(struct watch_state *s)
{
    return s->db;
}

/* ---- compressed text ---------------------------------------------------------------------------
 */

static int pack(str text, struct buf *out, struct err *e)
{
    size_t bound = ZSTD_compressBound(text.n);
    char *to = buf_reserve(out, bound);
    if (!to)
        return buf_check(out, "a document", e);
    size_t n = ZSTD_compress(to, bound, text.p ? text.p : "", text.n, LEVEL);
    if (ZSTD_isError(n))
        return err_set(e, ERR_NO_MEMORY, "cannot compress: %s", ZSTD_getErrorName(n));
    out->n += n;
    return 0;
}

static int unpack(str body, struct buf *out, struct err *e)
{
    unsigned long long size = body.n ? ZSTD_getFrameContentSize(body.p, body.n) : 0;
    if (size > WATCH_DOCUMENT_MAX) /* and the codes for "unknown" and "error" */
        return err_set(e, ERR_FORMAT, "the state is damaged: a document has no sound size");
    char *to = buf_reserve(out, (size_t)size + 1);
    if (!to)
        return buf_check(out, "a document", e);
    size_t n = body.n ? ZSTD_decompress(to, (size_t)size, body.p, body.n) : 0;
    if (ZSTD_isError(n) || n != size)
        return err_set(e, ERR_FORMAT, "the state is damaged: a document cannot be decompressed");
    out->n += n;
    return 0;
}

/* ---- references --------------------------------------------------------------------------------
 */

int remembered_get(struct db_tx *tx, struct arena *a, str reference, str platform,
                   struct remembered *out, struct err *e)
{
    auto_rows *rows = NULL;
    auto_buf findings;
    buf_init(&findings, WATCH_DOCUMENT_MAX);
    *out = (struct remembered){.reference = reference, .platform = platform};
    int rc = db_query(tx,
                      "SELECT digest, image, findings, generation, uncovered, policy, verdict,"
                      " valid_until, trouble, why, gaps FROM remembered WHERE reference = $1"
                      " AND platform = $2",
                      DB(DBS(reference), DBS(platform)), &rows, e);
    if (rc < 0 || (rc = db_next(rows, e)) <= 0)
        return rc;
    out->digest = arena_dup(a, db_text(rows, 0));
    out->image = arena_dup(a, db_text(rows, 1));
    out->generation = arena_dup(a, db_text(rows, 3));
    out->uncovered = arena_dup(a, db_text(rows, 4));
    out->policy = arena_dup(a, db_text(rows, 5));
    out->verdict = arena_dup(a, db_text(rows, 6));
    out->valid_until_us = db_int(rows, 7);
    out->trouble = arena_dup(a, db_text(rows, 8));
    out->why = arena_dup(a, db_text(rows, 9));
    out->gaps = arena_dup(a, db_text(rows, 10));
    if (!db_is_null(rows, 2))
        rc = unpack(db_blob(rows, 2), &findings, e);
    if (rc < 0)
        return rc;
    out->findings = arena_dup(a, findings.n ? buf_view(&findings) : STR("[]"));
    return a->full ? err_no_memory(e) : 1;
}

int remembered_put(struct db_tx *tx, const struct remembered *r, struct err *e)
{
    auto_buf findings;
    buf_init(&findings, WATCH_DOCUMENT_MAX);
    int rc = r->findings.n ? pack(r->findings, &findings, e) : 0;
    if (rc < 0)
        return rc;
    int64_t n = db_exec(
        tx,
        "INSERT INTO remembered (reference, platform, digest, image, findings, generation,"
        " uncovered, policy, verdict, valid_until, trouble, why, gaps, first_at, wanted_at)"
        " VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, now_us(), now_us())"
        " ON CONFLICT (reference, platform) DO UPDATE SET digest = $3, image = $4, findings = $5,"
        " generation = $6, uncovered = $7, policy = $8, verdict = $9, valid_until = $10,"
        " trouble = $11, why = $12, gaps = $13, wanted_at = now_us()",
        DB(DBS(r->reference), DBS(r->platform), DBS(r->digest), DBS(r->image),
           findings.n ? DBB(buf_view(&findings)) : DBNULL, DBS(r->generation), DBS(r->uncovered),
           DBS(r->policy), DBS(r->verdict), DBI(r->valid_until_us), DBS(r->trouble), DBS(r->why),
           DBS(r->gaps)),
        e);
    return n < 0 ? (int)n : 0;
}

int remembered_list(struct db_tx *tx, struct arena *a, str prefix, str platform, str **out,
                    size_t *n, struct err *e)
{
    auto_rows *rows = NULL;
    int64_t count = 0;
    str like = db_like(a, prefix, false);
    like = arena_printf(a, "%.*s%%", STR_ARG(like));
    int rc = db_query_int(tx,
                          "SELECT COUNT(*) FROM remembered WHERE reference LIKE $1 ESCAPE '!'"
                          " AND platform = $2",
                          DB(DBS(like), DBS(platform)), &count, e);
    *n = 0;
    *out = rc < 0 ? NULL : arena_calloc(a, (size_t)count + 1, sizeof **out);
    if (rc < 0 || !*out)
        return rc < 0 ? rc : err_no_memory(e);
    rc = db_query(tx,
                  "SELECT reference FROM remembered WHERE reference LIKE $1 ESCAPE '!'"
                  " AND platform = $2 ORDER BY reference LIMIT $3",
                  DB(DBS(like), DBS(platform), DBI(count)), &rows, e);
    while (rc >= 0 && (rc = db_next(rows, e)) == 1)
        (*out)[(*n)++] = arena_dup(a, db_text(rows, 0));
    return rc < 0 ? rc : a->full ? err_no_memory(e) : 0;
}

int remembered_wanted(struct db_tx *tx, str reference, str platform, struct err *e)
{
    int64_t n = db_exec(tx,
                        "UPDATE remembered SET wanted_at = now_us() WHERE reference = $1"
                        " AND platform = $2 AND wanted_at < now_us() - $3",
                        DB(DBS(reference), DBS(platform), DBI(day_us)), e);
    return n < 0 ? (int)n : 0;
}

int repository_seen(struct db_tx *tx, str name, struct err *e)
{
    int64_t n = 0;
    int rc =
        db_query_int(tx, "SELECT COUNT(*) FROM repository WHERE name = $1", DB(DBS(name)), &n, e);
    return rc < 0 ? rc : n > 0;
}

int repository_put(struct db_tx *tx, str name, struct err *e)
{
    int64_t n = db_exec(tx,
                        "INSERT INTO repository (name, seen_at) VALUES ($1, now_us())"
                        " ON CONFLICT (name) DO UPDATE SET seen_at = now_us()",
                        DB(DBS(name)), e);
    return n < 0 ? (int)n : 0;
}

/* ---- images ------------------------------------------------------------------------------------
 */

int image_document_put(struct db_tx *tx, str digest, str platform, const char *type, str text,
                       struct err *e)
{
    auto_buf body;
    buf_init(&body, WATCH_DOCUMENT_MAX);
    int rc = pack(text, &body, e);
    if (rc < 0)
        return rc;
    int64_t n =
        db_exec(tx,
                "INSERT INTO document (digest, platform, type, body, size)"
                " VALUES ($1, $2, $3, $4, $5) ON CONFLICT (digest, platform, type)"
                " DO UPDATE SET body = $4, size = $5",
                DB(DBS(digest), DBS(platform), DBZ(type), DBB(buf_view(&body)), DBI(text.n)), e);
    return n < 0 ? (int)n : 0;
}

int image_document_get(struct db_tx *tx, str digest, str platform, const char *type,
                       struct buf *out, struct err *e)
{
    auto_rows *rows = NULL;
    int rc =
        db_query(tx, "SELECT body FROM document WHERE digest = $1 AND platform = $2 AND type = $3",
                 DB(DBS(digest), DBS(platform), DBZ(type)), &rows, e);
    if (rc < 0 || (rc = db_next(rows, e)) <= 0)
        return rc;
    rc = out ? unpack(db_blob(rows, 0), out, e) : 0;
    return rc < 0 ? rc : 1;
}

/* ---- changes -----------------------------------------------------------------------------------
 */

int change_add(struct db_tx *tx, const struct change *c, struct err *e)
{
    unsigned char random[16];
    char key[33];
    randombytes_buf(random, sizeof random);
    sodium_bin2hex(key, sizeof key, random, sizeof random);
    int64_t n =
        db_exec(tx,
                "INSERT INTO change (at, key, reference, image, type, payload)"
                " VALUES (now_us(), $1, $2, $3, $4, $5)",
                DB(DBZ(key), DBS(c->reference), DBS(c->image), DBS(c->type), DBS(c->payload)), e);
    return n < 0 ? (int)n : 0;
}

int change_after(struct db_tx *tx, struct arena *a, int64_t id, struct change *out, struct err *e)
{
    auto_rows *rows = NULL;
    int rc = db_query(tx,
                      "SELECT id, at, key, reference, image, type, payload FROM change"
                      " WHERE id > $1 ORDER BY id LIMIT 1",
                      DB(DBI(id)), &rows, e);
    if (rc < 0 || (rc = db_next(rows, e)) <= 0)
        return rc;
    *out = (struct change){
        .id = db_int(rows, 0),
        .at_us = db_int(rows, 1),
        .key = arena_dup(a, db_text(rows, 2)),
        .reference = arena_dup(a, db_text(rows, 3)),
        .image = arena_dup(a, db_text(rows, 4)),
        .type = arena_dup(a, db_text(rows, 5)),
        .payload = arena_dup(a, db_text(rows, 6)),
    };
    return a->full ? err_no_memory(e) : 1;
}

int told_get(struct db_tx *tx, str who, struct told *out, struct err *e)
{
    auto_rows *rows = NULL;
    int64_t n = db_exec(tx,
                        "INSERT INTO told (who, upto, tries, next_try, seen_at) VALUES ($1,"
                        " (SELECT COALESCE(MAX(id), 0) FROM change), 0, 0, now_us())"
                        " ON CONFLICT (who) DO UPDATE SET seen_at = now_us()",
                        DB(DBS(who)), e);
    if (n < 0)
        return (int)n;
    int rc = db_query(tx, "SELECT upto, tries, next_try FROM told WHERE who = $1", DB(DBS(who)),
                      &rows, e);
    if (rc < 0 || (rc = db_next(rows, e)) < 0)
        return rc;
    *out = (struct told){db_int(rows, 0), db_int(rows, 1), db_int(rows, 2)};
    return 0;
}

int told_put(struct db_tx *tx, str who, const struct told *t, const char *problem, struct err *e)
{
    int64_t n =
        db_exec(tx,
                "UPDATE told SET upto = $2, tries = $3, next_try = $4, problem = $5,"
                " seen_at = now_us() WHERE who = $1",
                DB(DBS(who), DBI(t->upto), DBI(t->tries), DBI(t->next_try_us), DBZ(problem)), e);
    return n < 0 ? (int)n : 0;
}

int watch_sweep(struct db_tx *tx, void *ctx, struct err *e)
{
    const struct db_value *forget = &DBI(WATCH_FORGET_DAYS * day_us);
    static const char *const old[] = {
        "DELETE FROM remembered WHERE wanted_at < now_us() - $1",
        "DELETE FROM told WHERE seen_at < now_us() - $1",
        "DELETE FROM repository WHERE seen_at < now_us() - $1",
    };
    int64_t rc = 0;
    for (size_t i = 0; rc >= 0 && i < KE_ARRAY_LEN(old); i++)
        rc = db_exec(tx, old[i], forget, 1, e);
    if (rc >= 0)
        rc = db_exec(tx, "DELETE FROM change WHERE at < now_us() - $1",
                     DB(DBI(WATCH_CHANGE_DAYS * day_us)), e);
    if (rc >= 0)
        rc = db_exec(tx,
                     "DELETE FROM document WHERE NOT EXISTS (SELECT 1 FROM remembered r"
                     " WHERE r.digest = document.digest AND r.platform = document.platform)",
                     DB0, e);
    return rc < 0 ? (int)rc : 0;
}
