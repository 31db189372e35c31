/* posting_many.c - questions about many packages at a time. */
#include "base/auto.h"
#include "store/db_many.h"
#include "store/posting_internal.h"

int posting_query(struct db_tx *tx, const char *head, const char *tail, const int64_t *list,
                  size_t n, size_t *used, struct db_rows **out, struct err *e)
{
    struct db_value values[POSTING_MANY];
    auto_buf sql;
    /* One text for all full questions, and one for what is left, filled up. */
    size_t places = n < 8 ? 8 : POSTING_MANY;
    *used = n < places ? n : places;
    for (size_t i = 0; i < places; i++)
        values[i] = DBI(list[i < *used ? i : *used - 1]);
    buf_init(&sql, 4000);
    buf_add_str(&sql, str_z(head));
    buf_add_char(&sql, ' ');
    db_places(&sql, 1, places);
    buf_add_str(&sql, str_z(tail));
    int rc = buf_check(&sql, "a question about packages", e);
    return rc < 0 ? rc : db_query(tx, buf_z(&sql), values, places, out, e);
}

int posting_by_names(struct db_tx *tx, const int64_t *names, size_t n, posting_ids *out,
                     struct err *e)
{
    int rc = 0;
    for (size_t used = 0; rc >= 0 && n; names += used, n -= used) {
        auto_rows *r = NULL;
        rc = posting_query(tx, "SELECT package FROM posting_name WHERE name IN", "", names, n,
                           &used, &r, e);
        while (rc >= 0 && (rc = db_next(r, e)) == 1) {
            int64_t *slot = vec_push(out);
            if (!slot)
                return err_no_memory(e);
            *slot = db_int(r, 0);
        }
    }
    return rc < 0 ? rc : 0;
}

static int tell_rows(struct db_rows *r, posting_row_fn *fn, void *ctx, struct err *e)
{
    int rc;
    while ((rc = db_next(r, e)) == 1) {
        const struct posting_row row = {.id = db_int(r, 0),
                                        .matched = db_int(r, 1) != 0,
                                        .identity = db_blob(r, 2),
                                        .counts = db_blob(r, 3)};
        if ((rc = fn(ctx, &row, e)) < 0)
            return rc;
    }
    return rc;
}

int posting_rows(struct db_tx *tx, const int64_t *packages, size_t n, posting_row_fn *fn, void *ctx,
                 struct err *e)
{
    int rc = 0;
    for (size_t used = 0; rc >= 0 && n; packages += used, n -= used) {
        auto_rows *r = NULL;
        rc = posting_query(tx,
                           "SELECT id, matched, identity, counts FROM posting_package WHERE id IN",
                           " ORDER BY id", packages, n, &used, &r, e);
        if (rc >= 0)
            rc = tell_rows(r, fn, ctx, e);
    }
    return rc < 0 ? rc : 0;
}

int posting_named(struct db_tx *tx, str name, posting_row_fn *fn, void *ctx, struct err *e)
{
    auto_rows *r = NULL;
    int rc = name.n ? db_query(tx,
                               "SELECT id, matched, identity, counts FROM posting_package WHERE"
                               " name = $1 OR name IS NULL",
                               DB(DBB(name)), &r, e)
                    : db_query(tx, "SELECT id, matched, identity, counts FROM posting_package", DB0,
                               &r, e);
    if (rc >= 0)
        rc = tell_rows(r, fn, ctx, e);
    return rc < 0 ? rc : 0;
}
