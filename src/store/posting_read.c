/* posting_read.c - the lists, with what is not merged yet. */
#include "base/auto.h"
#include "store/posting_internal.h"

enum { WAITING_MAX = 65536, DENSE = 64 };

struct waiting {
    int64_t package, image;
};
struct posting_reader {
    struct db_tx *tx;
    VEC(struct waiting) fresh; /* by package */
    VEC(int64_t) dead;
    int64_t image;       /* of the list at hand */
    const int64_t *only; /* MAY: these packages and no others */
    size_t n_only;
};

static int add_waiting(void *ctx, int64_t package)
{
    struct posting_reader *r = ctx;
    if (r->only && !bsearch(&package, r->only, r->n_only, sizeof package, posting_id_order))
        return 0;
    struct waiting *slot = vec_push(&r->fresh);
    if (slot)
        *slot = (struct waiting){package, r->image};
    return slot ? 0 : -1;
}

static int by_package(const void *a, const void *b)
{
    const struct waiting *x = a, *y = b;
    if (x->package != y->package)
        return x->package > y->package ? 1 : -1;
    return (x->image > y->image) - (x->image < y->image);
}

static int read_fresh(struct posting_reader *r, struct err *e)
{
    auto_rows *rows = NULL;
    size_t images = 0;
    int rc = db_query(r->tx,
                      /* CROSS JOIN: SQLite would walk the list of all images instead. */
                      "SELECT f.image, l.packages FROM posting_fresh f CROSS JOIN posting_list l"
                      " WHERE l.image = f.image",
                      DB0, &rows, e);
    while (rc >= 0 && (rc = db_next(rows, e)) == 1) {
        if (!r->only && images++ == WAITING_MAX)
            return err_set(e, ERR_LIMIT, "more than %d images wait for the index", WAITING_MAX);
        r->image = db_int(rows, 0);
        rc = posting_unpack(db_blob(rows, 1), add_waiting, r, e);
    }
    if (rc >= 0 && r->fresh.n)
        qsort(r->fresh.p, r->fresh.n, sizeof *r->fresh.p, by_package);
    return rc;
}

static int read_dead(struct posting_reader *r, struct err *e)
{
    auto_rows *rows = NULL;
    int rc = db_query(r->tx, "SELECT image FROM posting_dead", DB0, &rows, e);
    while (rc >= 0 && (rc = db_next(rows, e)) == 1) {
        int64_t *slot = vec_push(&r->dead);
        if (!slot)
            return err_no_memory(e);
        *slot = db_int(rows, 0);
    }
    return rc;
}

/* What waits is read before the lists: merged in between, an image is in both, never in neither. */
int posting_open_for(struct db_tx *tx, const int64_t *packages, size_t n,
                     struct posting_reader **out, struct err *e)
{
    struct posting_reader *r = calloc(1, sizeof *r);
    if (!r)
        return err_no_memory(e);
    *r = (struct posting_reader){.tx = tx, .only = packages, .n_only = n};
    int rc = read_fresh(r, e);
    if (rc >= 0)
        rc = read_dead(r, e);
    if (rc < 0)
        posting_close(r);
    else
        *out = r;
    return rc < 0 ? rc : 0;
}

int posting_open(struct db_tx *tx, struct posting_reader **out, struct err *e)
{
    return posting_open_for(tx, NULL, 0, out, e);
}

void posting_close(struct posting_reader *r)
{
    if (!r)
        return;
    vec_done(&r->fresh);
    vec_done(&r->dead);
    free(r);
}

static size_t first_waiting(const struct posting_reader *r, int64_t package)
{
    size_t lo = 0, hi = r->fresh.n;
    while (lo < hi) {
        size_t mid = lo + (hi - lo) / 2;
        if (r->fresh.p[mid].package < package)
            lo = mid + 1;
        else
            hi = mid;
    }
    return lo;
}

static int add_merged(struct posting_reader *r, const int64_t *packages, size_t n,
                      struct posting_set *out, struct err *e)
{
    int rc = 0;
    for (size_t used = 0; rc >= 0 && n; packages += used, n -= used) {
        auto_rows *rows = NULL;
        rc = n == 1 ? db_query(r->tx, "SELECT block, images FROM posting WHERE package = $1",
                               DB(DBI(*packages)), &rows, e)
                    : posting_query(r->tx, "SELECT block, images FROM posting WHERE package IN", "",
                                    packages, n, &used, &rows, e);
        used = n == 1 ? 1 : used;
        while (rc >= 0 && (rc = db_next(rows, e)) == 1) {
            uint64_t *words = posting_set_block(out, (uint64_t)db_int(rows, 0));
            rc = words ? posting_decode(db_blob(rows, 1), words, e) : err_no_memory(e);
        }
    }
    return rc;
}

int posting_read_all(struct posting_reader *r, const int64_t *packages, size_t n,
                     struct posting_set *out, struct err *e)
{
    int rc = add_merged(r, packages, n, out, e);
    for (size_t k = 0; rc >= 0 && r->fresh.n && k < n; k++)
        for (size_t i = first_waiting(r, packages[k]);
             rc >= 0 && i < r->fresh.n && r->fresh.p[i].package == packages[k]; i++)
            if (!posting_set_add(out, r->fresh.p[i].image))
                rc = err_no_memory(e);
    for (size_t i = 0; rc >= 0 && i < r->dead.n; i++) {
        uint64_t at = (uint64_t)r->dead.p[i];
        if (posting_set_has(out, r->dead.p[i]))
            out->blocks[at / POSTING_BLOCK][at % POSTING_BLOCK / 64] &= ~((uint64_t)1 << at % 64);
    }
    return rc < 0 ? rc : 0;
}

int posting_read(struct posting_reader *r, int64_t package, struct posting_set *out, struct err *e)
{
    return posting_read_all(r, &package, 1, out, e);
}

/* ---- images */

struct listing {
    struct db_tx *tx;
    str account;
    int (*fn)(void *ctx, const struct posting_image *i, struct err *e);
    void *ctx;
};

static int tell(const struct listing *l, const struct db_rows *rows, struct err *e)
{
    const struct posting_image i = {.id = db_int(rows, 0),
                                    .since = db_int(rows, 1),
                                    .account = db_text(rows, 2),
                                    .digest = db_text(rows, 3)};
    if (l->account.n && !str_eq(l->account, i.account))
        return 0;
    return l->fn(l->ctx, &i, e);
}

/* Members from..to: by their numbers when they are few (at most DENSE), else all rows between are
 * walked. */
static int list_range(const struct listing *l, const struct posting_set *set, int64_t from,
                      int64_t to, bool all, struct err *e)
{
    int rc = 0;
    if (all) {
        auto_rows *rows = NULL;
        rc = db_query(l->tx,
                      "SELECT id, since, account, image_digest FROM posting_image WHERE"
                      " id BETWEEN $1 AND $2 ORDER BY id",
                      DB(DBI(from), DBI(to)), &rows, e);
        while (rc >= 0 && (rc = db_next(rows, e)) == 1)
            if (posting_set_has(set, db_int(rows, 0)) && (rc = tell(l, rows, e)) < 0)
                return rc;
        return rc;
    }
    int64_t list[DENSE];
    size_t n = 0, used = 0;
    for (int64_t i = from; n < DENSE && i >= 0 && i <= to; i = posting_set_next(set, i + 1))
        list[n++] = i;
    auto_rows *rows = NULL;
    rc = posting_query(l->tx,
                       "SELECT id, since, account, image_digest FROM posting_image WHERE id IN",
                       " ORDER BY id", list, n, &used, &rows, e);
    while (rc >= 0 && (rc = db_next(rows, e)) == 1)
        rc = tell(l, rows, e);
    return rc;
}

int posting_images(struct db_tx *tx, const struct posting_set *set, str account,
                   int (*fn)(void *ctx, const struct posting_image *i, struct err *e), void *ctx,
                   struct err *e)
{
    const struct listing l = {tx, account, fn, ctx};
    int rc = 0;
    int64_t from = posting_set_next(set, 0);
    while (rc >= 0 && from >= 0) {
        int64_t last = from, next = from, end = from - from % 4096 + 4095, n = 0;
        for (; next >= 0 && next <= end; next = posting_set_next(set, next + 1), n++)
            last = next;
        rc = list_range(&l, set, from, last, n > DENSE, e);
        from = next;
    }
    return rc < 0 ? rc : 0;
}
