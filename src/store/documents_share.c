#include "store/db_driver.h"
#include "store/document_cache.h"
#include "store/documents_internal.h"

struct sharing {
    struct documents *d;
    struct db_tx *tx;
    const struct content_row *row;
    struct document_key key;
    size_t max;
    bool keep;
};

static int no_memory(struct document_ref *r, struct err *e)
{
    return r ? 1 : err_no_memory(e);
}

/* 1: *out is the document as it was written; 0: there is no such part. */
static int share_plain(struct sharing *s, struct document_ref **out, struct err *e)
{
    struct document_key key = s->key;
    key.form = 0;
    *out = s->keep ? document_cache_find(s->d->cache, &key) : NULL;
    if (*out)
        return 1;
    struct buf b;
    buf_init(&b, s->max);
    int rc = content_read(s->d, s->tx, s->row, &b, e);
    if (rc == 1) {
        *out = document_cache_add(s->d->cache, &key, &b, s->keep);
        rc = no_memory(*out, e);
    }
    buf_done(&b);
    return rc;
}

static int share_form(struct sharing *s, const struct document_form *form,
                      struct document_ref **out, struct err *e)
{
    struct document_ref *plain = NULL;
    struct buf b;
    *out = s->keep ? document_cache_find(s->d->cache, &s->key) : NULL;
    if (*out)
        return 1;
    int rc = share_plain(s, &plain, e);
    if (rc <= 0)
        return rc;
    buf_init(&b, s->max);
    rc = form->make(document_ref_bytes(plain), &b, e);
    document_ref_drop(plain);
    if (rc == 0) {
        *out = document_cache_add(s->d->cache, &s->key, &b, s->keep);
        rc = no_memory(*out, e);
    }
    buf_done(&b);
    return rc;
}

int document_share(struct documents *d, struct db_tx *tx, str account, str bucket, str key,
                   size_t max, const struct document_form *form, struct document_ref **out,
                   struct err *e)
{
    struct content_row row = {0};
    struct sharing s = {.d = d, .tx = tx, .row = &row, .max = max};
    *out = NULL;
    int rc = content_row_find(tx, account, bucket, key, &row, e);
    if (rc == 1) {
        s.key.content = row.digest;
        s.key.form = form ? form->id : 0;
        /* What is not committed yet may still become something else. */
        s.keep = tx->mode == DB_READ && row.part.n <= DOCUMENT_PART_MAX;
        if (row.part.n && s.keep)
            memcpy(s.key.part, row.part.p, row.part.n);
        rc = form ? share_form(&s, form, out, e) : share_plain(&s, out, e);
    }
    content_row_done(&row);
    if (rc == 0)
        return err_set(e, ERR_NOT_FOUND, "no document %.*s/%.*s", STR_ARG(bucket), STR_ARG(key));
    return rc < 0 ? err_wrap(e, "document %.*s/%.*s", STR_ARG(bucket), STR_ARG(key)) : 0;
}
