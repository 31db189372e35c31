#include "services/policy_engine/changes.h"

#include "base/auto.h"
#include "services/package_identity.h"
#include "store/posting.h"

enum { EXPIRE_AT_ONCE = 5000 };

static const struct {
    enum change_kind kind;
    const char *name;
} names[] = {
    {CHANGE_ADDED, "added"},       {CHANGE_REMOVED, "removed"},
    {CHANGE_SEVERITY, "severity"}, {CHANGE_FIX_AVAILABLE, "fix_available"},
    {CHANGE_FIX, "fix"},
};

const char *change_kind_name(enum change_kind k)
{
    for (size_t i = 0; i < KE_ARRAY_LEN(names); i++)
        if (names[i].kind == k)
            return names[i].name;
    return "";
}

/* ---- reading -----------------------------------------------------------------------------------
 */

static int read_row(const struct db_rows *r, struct arena *a, struct finding_change *c,
                    struct err *e)
{
    struct package_identity id;
    *c = (struct finding_change){
        .seq = db_int(r, 0),
        .batch = db_int(r, 1),
        .package = db_int(r, 2),
        .vulnerability = arena_dup(a, db_text(r, 3)),
        .kinds = (unsigned)db_int(r, 4),
        .at = db_int(r, 5),
        .severity_before = (enum severity)db_int(r, 6),
        .severity = (enum severity)db_int(r, 7),
        .fix_state_before = (enum fix_state)db_int(r, 8),
        .fix_state = (enum fix_state)db_int(r, 9),
        .fix_before = arena_dup(a, db_text(r, 10)),
        .fix = arena_dup(a, db_text(r, 11)),
        .generation = arena_dup(a, db_text(r, 12)),
    };
    if (package_identity_read(db_blob(r, 13), &id, NULL) == 0) {
        c->name = arena_dup(a, id.p.name);
        c->version = arena_dup(a, id.p.version);
        c->type = str_z(id.p.type->name);
    }
    return a->full ? err_no_memory(e) : 0;
}

int changes_read(struct db_tx *tx, struct arena *a, int64_t after, size_t limit,
                 struct finding_change **out, size_t *n, struct err *e)
{
    auto_rows *r = NULL;
    *n = 0;
    *out = arena_calloc(a, limit + 1, sizeof **out);
    if (!*out)
        return err_no_memory(e);
    int rc = db_query(tx,
                      "SELECT c.seq, c.batch, c.package, c.vulnerability, c.kinds, c.at,"
                      " c.severity_before, c.severity, c.fix_state_before, c.fix_state,"
                      " c.fix_before, c.fix, c.generation, p.identity FROM finding_change c"
                      " JOIN posting_package p ON p.id = c.package WHERE c.seq > $1 AND c.seq <="
                      " (SELECT COALESCE(MAX(last_seq), 0) FROM finding_batch)"
                      " ORDER BY c.seq LIMIT $2",
                      DB(DBI(after), DBI(limit)), &r, e);
    while (rc >= 0 && (rc = db_next(r, e)) == 1)
        if ((rc = read_row(r, a, &(*out)[(*n)++], e)) < 0)
            return rc;
    return rc;
}

/* ---- to images ---------------------------------------------------------------------------------
 */

/* An image's number within its block, and a change's in the list. */
struct pair {
    uint32_t place, change;
};
struct expansion {
    const struct finding_change *list;
    size_t n;
    struct posting_set *sets; /* of each package named, in order of package */
    const struct finding_change **by_package;
    VEC(struct pair) pairs; /* of the block at hand, by place */
    size_t at;
    int64_t block;
    int (*fn)(void *ctx, str account, str digest, const struct finding_change *const *mine,
              size_t n_mine, struct err *e);
    void *ctx;
    const struct finding_change **mine;
};

static int by_package(const void *pa, const void *pb)
{
    const struct finding_change *a = *(const struct finding_change *const *)pa,
                                *b = *(const struct finding_change *const *)pb;
    if (a->package != b->package)
        return a->package > b->package ? 1 : -1;
    return (a->seq > b->seq) - (a->seq < b->seq);
}

static int by_place(const void *pa, const void *pb)
{
    const struct pair *a = pa, *b = pb;
    if (a->place != b->place)
        return a->place > b->place ? 1 : -1;
    return (a->change > b->change) - (a->change < b->change);
}

static int tell_image(void *ctx, const struct posting_image *i, struct err *e)
{
    struct expansion *x = ctx;
    uint32_t place = (uint32_t)(i->id % POSTING_BLOCK);
    size_t n = 0;
    while (x->at < x->pairs.n && x->pairs.p[x->at].place < place)
        x->at++;
    for (; x->at < x->pairs.n && x->pairs.p[x->at].place == place; x->at++) {
        const struct finding_change *c = &x->list[x->pairs.p[x->at].change];
        if (i->since <= c->at)
            x->mine[n++] = c;
    }
    return n ? x->fn(x->ctx, i->account, i->digest, x->mine, n, e) : 0;
}

/* Every (image, change) of a block. */
static int gather_block(struct expansion *x, size_t block, struct posting_set *all, struct err *e)
{
    x->pairs.n = x->at = 0;
    for (size_t i = 0, set = 0; i < x->n; i++) {
        set += i && x->by_package[i]->package != x->by_package[i - 1]->package;
        const struct posting_set *s = &x->sets[set];
        uint64_t *words = block < s->n && s->blocks[block] ? posting_set_block(all, block) : NULL;
        if (!words)
            continue;
        for (uint32_t w = 0; w < POSTING_WORDS; w++)
            for (uint64_t bits = s->blocks[block][w]; bits; bits &= bits - 1) {
                struct pair *p = vec_push(&x->pairs);
                if (!p)
                    return err_no_memory(e);
                *p = (struct pair){w * 64 + (uint32_t)__builtin_ctzll(bits),
                                   (uint32_t)(x->by_package[i] - x->list)};
                words[w] |= bits & -bits;
            }
    }
    if (x->pairs.n)
        qsort(x->pairs.p, x->pairs.n, sizeof *x->pairs.p, by_place);
    return 0;
}

static int expand(struct db_tx *tx, str account, struct expansion *x, size_t n_sets, struct err *e)
{
    size_t blocks = 0;
    int r = 0;
    for (size_t i = 0; i < n_sets; i++)
        blocks = x->sets[i].n > blocks ? x->sets[i].n : blocks;
    for (size_t block = 0; r >= 0 && block < blocks; block++) {
        struct posting_set all;
        posting_set_init(&all);
        r = gather_block(x, block, &all, e);
        if (r >= 0 && x->pairs.n)
            r = posting_images(tx, &all, account, tell_image, x, e);
        posting_set_done(&all);
    }
    return r < 0 ? r : 0;
}

int changes_by_image(struct db_tx *tx, str account, const struct finding_change *list, size_t n,
                     int (*fn)(void *ctx, str account, str digest,
                               const struct finding_change *const *mine, size_t n_mine,
                               struct err *e),
                     void *ctx, struct err *e)
{
    struct expansion x = {.list = list, .n = n, .fn = fn, .ctx = ctx};
    auto_posting *reader = NULL;
    size_t sets = 0;
    x.sets = calloc(n + 1, sizeof *x.sets);
    x.by_package = calloc(n + 1, sizeof(struct finding_change *));
    x.mine = calloc(n + 1, sizeof(struct finding_change *));
    int r = x.sets && x.by_package && x.mine ? posting_open(tx, &reader, e) : err_no_memory(e);
    for (size_t i = 0; r >= 0 && i < n; i++)
        x.by_package[i] = &list[i];
    if (r >= 0 && n)
        qsort(x.by_package, n, sizeof *x.by_package, by_package);
    for (size_t i = 0; r >= 0 && i < n; i++)
        if (!i || x.by_package[i]->package != x.by_package[i - 1]->package)
            r = posting_read(reader, x.by_package[i]->package, &x.sets[sets++], e);
    if (r >= 0)
        r = expand(tx, account, &x, sets, e);
    for (size_t i = 0; i < sets; i++)
        posting_set_done(&x.sets[i]);
    vec_done(&x.pairs);
    free(x.sets);
    free(x.by_package);
    free(x.mine);
    return r < 0 ? r : 0;
}

/* ---- consumers ---------------------------------------------------------------------------------
 */

int changes_known(struct db_tx *tx, str consumer, int64_t *seq, struct err *e)
{
    auto_rows *rows = NULL;
    int rc = db_query(tx, "SELECT seq FROM finding_consumer WHERE name = $1", DB(DBS(consumer)),
                      &rows, e);
    if (rc >= 0 && (rc = db_next(rows, e)) == 1)
        *seq = db_int(rows, 0);
    return rc;
}

int changes_place(struct db_tx *tx, str consumer, int64_t *seq, struct err *e)
{
    int rc = changes_known(tx, consumer, seq, e);
    if (rc)
        return rc < 0 ? rc : 0;
    int64_t n = db_exec(tx,
                        "INSERT INTO finding_consumer (name, seq) SELECT CAST($1 AS TEXT),"
                        " COALESCE(MAX(last_seq), 0) FROM finding_batch WHERE 1 = 1"
                        " ON CONFLICT (name) DO NOTHING",
                        DB(DBS(consumer)), e);
    rc = n < 0 ? (int)n : changes_known(tx, consumer, seq, e);
    return rc < 0 ? rc : 0;
}

int changes_move(struct db_tx *tx, str consumer, int64_t from, int64_t to, struct err *e)
{
    int64_t n = db_exec(tx, "UPDATE finding_consumer SET seq = $3 WHERE name = $1 AND seq = $2",
                        DB(DBS(consumer), DBI(from), DBI(to)), e);
    if (n == 0)
        return err_set(e, ERR_CONFLICT, "another process has done this");
    return n < 0 ? (int)n : 0;
}

int changes_open_since(struct db_tx *tx, str consumer, int64_t *at, struct err *e)
{
    return db_query_int(tx,
                        "SELECT COALESCE(MIN(b.started_at), 9223372036854775807) FROM finding_batch"
                        " b JOIN finding_consumer c ON c.name = $1 WHERE b.ended_at IS NULL"
                        " OR b.last_seq > c.seq",
                        DB(DBS(consumer)), at, e);
}

/* ---- forgetting
 */

struct expiring {
    int64_t age, n;
};

static int expire_some(struct db_tx *tx, void *ctx, struct err *e)
{
    struct expiring *x = ctx;
    x->n = db_exec(tx,
                   "DELETE FROM finding_change WHERE seq IN (SELECT seq FROM finding_change WHERE"
                   " at < now_us() - $1 AND seq <= (SELECT COALESCE(MIN(seq),"
                   " 9000000000000000000) FROM finding_consumer) ORDER BY seq LIMIT $2)",
                   DB(DBI(x->age), DBI(EXPIRE_AT_ONCE)), e);
    return x->n < 0 ? (int)x->n : 0;
}

/* The newest stays, and the one that says how far the changes go. */
static int expire_batches(struct db_tx *tx, void *ctx, struct err *e)
{
    const struct expiring *x = ctx;
    int64_t n = db_exec(tx,
                        "DELETE FROM finding_batch WHERE ended_at < now_us() - $1 AND id <>"
                        " (SELECT MAX(id) FROM finding_batch) AND last_seq <>"
                        " (SELECT MAX(last_seq) FROM finding_batch) AND NOT EXISTS (SELECT 1 FROM"
                        " finding_change c WHERE c.batch = finding_batch.id)",
                        DB(DBI(x->age)), e);
    if (n >= 0)
        n = db_exec(tx,
                    "DELETE FROM finding_affected WHERE batch NOT IN (SELECT id FROM"
                    " finding_batch)",
                    DB0, e);
    return n < 0 ? (int)n : 0;
}

int64_t changes_expire(struct db *db, int64_t days, struct err *e)
{
    struct expiring x = {.age = days * 86400 * 1000000};
    int64_t all = 0;
    int rc;
    do {
        rc = db_run(db, DB_WRITE, expire_some, &x, e);
        all += rc >= 0 ? x.n : 0;
    } while (rc >= 0 && x.n == EXPIRE_AT_ONCE);
    if (rc >= 0)
        rc = db_run(db, DB_WRITE, expire_batches, &x, e);
    return rc < 0 ? rc : all;
}
