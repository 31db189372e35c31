/* posting.c - what is written when images come and go. */
#include "store/posting.h"

#include "base/auto.h"
#include "store/posting_internal.h"

enum { PACKAGES_MAX = 1000000, LIST_MAX = 10 * PACKAGES_MAX };

/* ---- lists of packages */

static int pack_list(const int64_t *packages, size_t n, struct buf *out, struct err *e)
{
    if (n > PACKAGES_MAX)
        return err_set(e, ERR_LIMIT, "an image with %zu packages", n);
    int64_t *sorted autofree = malloc((n + 1) * sizeof *sorted);
    if (!sorted)
        return err_no_memory(e);
    if (n)
        memcpy(sorted, packages, n * sizeof *sorted);
    qsort(sorted, n, sizeof *sorted, posting_id_order);
    int64_t next = 0;
    for (size_t i = 0; i < n; i++) {
        if (i && sorted[i] == sorted[i - 1])
            continue;
        buf_add_varint(out, (uint64_t)(sorted[i] - next));
        next = sorted[i] + 1;
    }
    return buf_check(out, "the packages of an image", e);
}

int posting_unpack(str bytes, int (*fn)(void *ctx, int64_t package), void *ctx, struct err *e)
{
    struct cursor c = cursor_over(bytes.p, bytes.n);
    uint64_t at = 0;
    while (cursor_left(&c)) {
        at += cursor_varint(&c);
        if (!cursor_ok(&c) || at >= (uint64_t)1 << 46)
            return err_set(e, ERR_FORMAT, "a stored list of packages is damaged");
        if (fn(ctx, (int64_t)at++) < 0)
            return err_no_memory(e);
    }
    return cursor_ok(&c) ? 0 : err_set(e, ERR_FORMAT, "a stored list of packages is damaged");
}

static int push_id(void *ctx, int64_t package)
{
    int64_t *slot = vec_push((posting_ids *)ctx);
    if (slot)
        *slot = package;
    return slot ? 0 : -1;
}

int posting_list(struct db_tx *tx, int64_t image, posting_ids *out, struct err *e)
{
    auto_rows *r = NULL;
    int rc =
        db_query(tx, "SELECT packages FROM posting_list WHERE image = $1", DB(DBI(image)), &r, e);
    if (rc < 0 || (rc = db_next(r, e)) <= 0)
        return rc;
    rc = posting_unpack(db_blob(r, 0), push_id, out, e);
    return rc < 0 ? rc : 1;
}

/* ---- images */

struct known {
    int64_t image, since;
    bool same;
};

static int find_image(struct db_tx *tx, str account, str digest, str list, struct known *out,
                      struct err *e)
{
    auto_rows *r = NULL;
    int rc = db_query(tx,
                      "SELECT i.id, i.since, l.packages FROM posting_image i JOIN posting_list l ON"
                      " l.image = i.id WHERE i.account = $1 AND i.image_digest = $2 {for_update}",
                      DB(DBS(account), DBS(digest)), &r, e);
    if (rc < 0 || (rc = db_next(r, e)) <= 0)
        return rc;
    *out = (struct known){db_int(r, 0), db_int(r, 1), str_eq(db_blob(r, 2), list)};
    return 1;
}

/* The number is never used again. What was merged has to be taken out of the lists. */
static int end_image(struct db_tx *tx, int64_t image, struct err *e)
{
    int64_t n = db_exec(tx, "DELETE FROM posting_fresh WHERE image = $1", DB(DBI(image)), e);
    if (n == 0)
        n = db_exec(tx,
                    "INSERT INTO posting_dead (image, packages) SELECT image, packages FROM"
                    " posting_list WHERE image = $1",
                    DB(DBI(image)), e);
    if (n >= 0)
        n = db_exec(tx, "DELETE FROM posting_list WHERE image = $1", DB(DBI(image)), e);
    if (n >= 0)
        n = db_exec(tx, "DELETE FROM finding_summary WHERE image = $1", DB(DBI(image)), e);
    if (n >= 0)
        n = db_exec(tx, "DELETE FROM posting_image WHERE id = $1", DB(DBI(image)), e);
    return n < 0 ? (int)n : 0;
}

static int add_image(struct db_tx *tx, str account, str digest, int64_t since, str list,
                     struct err *e)
{
    int64_t image = 0, n;
    int rc = db_query_int(tx,
                          "INSERT INTO posting_image (account, image_digest, since) VALUES"
                          " ($1, $2, CASE WHEN $3 > 0 THEN $3 ELSE now_us() END) RETURNING id",
                          DB(DBS(account), DBS(digest), DBI(since)), &image, e);
    if (rc < 0)
        return rc;
    n = db_exec(tx, "INSERT INTO posting_list (image, packages) VALUES ($1, $2)",
                DB(DBI(image), DBB(list)), e);
    if (n >= 0)
        n = db_exec(tx, "INSERT INTO posting_fresh (image) VALUES ($1)", DB(DBI(image)), e);
    return n < 0 ? (int)n : 0;
}

int posting_put(struct db_tx *tx, str account, str digest, int64_t since, const int64_t *packages,
                size_t n, struct err *e)
{
    auto_buf list;
    struct known known = {0};
    buf_init(&list, LIST_MAX);
    int rc = pack_list(packages, n, &list, e);
    str bytes = list.n ? buf_view(&list) : STR("");
    if (rc == 0)
        rc = find_image(tx, account, digest, bytes, &known, e);
    if (rc < 0 || known.same)
        return rc < 0 ? rc : 0;
    if (rc == 1) {
        since = known.since;
        rc = end_image(tx, known.image, e);
    }
    return rc < 0 ? rc : add_image(tx, account, digest, since, bytes, e);
}

int posting_delete(struct db_tx *tx, str account, str digest, struct err *e)
{
    struct known known = {0};
    int rc = find_image(tx, account, digest, STR(""), &known, e);
    if (rc == 1)
        rc = end_image(tx, known.image, e);
    return rc < 0 ? rc : known.image != 0;
}

int posting_image_packages(struct db_tx *tx, str account, str digest, int64_t *image,
                           int64_t *since, posting_ids *out, struct err *e)
{
    auto_rows *r = NULL;
    int rc = db_query(tx,
                      "SELECT i.id, i.since, l.packages FROM posting_image i JOIN posting_list l ON"
                      " l.image = i.id WHERE i.account = $1 AND i.image_digest = $2",
                      DB(DBS(account), DBS(digest)), &r, e);
    if (rc < 0 || (rc = db_next(r, e)) <= 0)
        return rc;
    *image = db_int(r, 0);
    if (since)
        *since = db_int(r, 1);
    rc = posting_unpack(db_blob(r, 2), push_id, out, e);
    return rc < 0 ? rc : 1;
}
