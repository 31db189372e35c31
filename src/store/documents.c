#include "store/documents.h"

#include "base/cursor.h"
#include "base/fs.h"
#include "store/document_cache.h"
#include "store/documents_internal.h"

/* Up to this size a document is kept whole, in its content's row. */
enum {
    INLINE_MAX = 4 << 10,
    INLINE_S3_MAX = 16 << 10,
    PREFIX_MAX = 512,
    CACHE_DEFAULT = 64 << 20,
};

static int bucket_open(struct documents *d, const struct documents_options *o, struct err *e)
{
    const char *prefix = o->s3_prefix ? o->s3_prefix : "";
    if (strlen(prefix) > PREFIX_MAX)
        return err_set(e, ERR_LIMIT, "the prefix of keys has at most %d bytes", PREFIX_MAX);
    if (!(d->s3_prefix = strdup(prefix)))
        return err_no_memory(e);
    int rc = s3_new(o->s3, &d->s3, e);
    return rc < 0 || !o->s3_check ? rc : s3_check(d->s3, prefix, o->s3_create, e);
}

int documents_open(struct db *db, const struct documents_options *o, struct documents **out,
                   struct err *e)
{
    str name = o->driver ? str_z(o->driver) : STR("db");
    bool fs = str_eq(name, STR("fs")), s3 = str_eq(name, STR("s3"));
    if (!fs && !s3 && !str_eq(name, STR("db")))
        return err_set(e, ERR_UNSUPPORTED, "documents: there is no driver '%.*s' (db, fs, s3)",
                       STR_ARG(name));
    if ((fs && !o->directory) || (s3 && !o->s3))
        return err_set(e, ERR_USAGE, "documents: driver %.*s needs a %s", STR_ARG(name),
                       fs ? "directory" : "bucket");
    int rc = fs ? fs_mkdirs(o->directory, e) : 0;
    if (rc < 0)
        return rc;
    struct documents *d = calloc(1, sizeof *d);
    if (!d)
        return err_no_memory(e);
    d->db = db;
    d->driver = s3 ? CHUNK_S3 : fs ? CHUNK_FS : CHUNK_DB;
    d->keep_us = o->keep_us ? o->keep_us : INT64_C(3600000000);
    d->directory = o->directory ? strdup(o->directory) : NULL;
    chunk_cutter_init(&d->cutter);
    rc = document_cache_new(o->cache_bytes ? o->cache_bytes : CACHE_DEFAULT, &d->cache, e);
    if (rc == 0 && o->s3)
        rc = bucket_open(d, o, e);
    if (rc < 0) {
        documents_close(d);
        return err_wrap(e, "documents");
    }
    *out = d;
    return 0;
}

void documents_close(struct documents *d)
{
    if (!d)
        return;
    document_cache_free(d->cache);
    free(d->directory);
    s3_free(d->s3);
    free(d->s3_prefix);
    free(d);
}

/* ---- contents */

int chunk_vec_cut(const struct documents *d, str bytes, struct chunk_vec *out, struct err *e)
{
    bool large = bytes.n > CHUNK_SMALL_DOCUMENT;
    for (str rest = bytes; rest.n;) {
        size_t n = chunk_piece(d, rest, large);
        struct chunk *c = vec_push(out);
        if (!c)
            return err_no_memory(e);
        c->raw = str_sub(rest, 0, n);
        rest = str_from(rest, n);
    }
    return 0;
}

int content_find(struct db_tx *tx, str digest, int64_t *id, struct err *e)
{
    return db_query_int(tx, "SELECT id FROM content WHERE digest = $1 {for_share}", DB(DBB(digest)),
                        id, e);
}

size_t content_inline_max(const struct documents *d, size_t usual)
{
    return d->driver == CHUNK_S3 && usual < INLINE_S3_MAX ? INLINE_S3_MAX : usual;
}

static int put_chunks(struct documents *d, struct db_tx *tx, str bytes, struct buf *ids,
                      struct err *e)
{
    struct chunk_vec chunks = {0};
    int rc = chunk_vec_cut(d, bytes, &chunks, e);
    if (rc == 0)
        rc = chunks_put(d, tx, chunks.p, chunks.n, e);
    for (size_t i = 0; rc == 0 && i < chunks.n; i++)
        buf_add_varint(ids, (uint64_t)chunks.p[i].id);
    vec_done(&chunks);
    return rc < 0 ? rc : buf_check(ids, "list of chunks", e);
}

static int insert_content(struct documents *d, struct db_tx *tx, str digest, str bytes, int64_t *id,
                          struct err *e)
{
    bool whole = bytes.n <= content_inline_max(d, INLINE_MAX);
    auto_buf b;
    buf_init(&b, RECIPE_MAX);
    int rc = whole ? chunk_compress(bytes, &b, e) : put_chunks(d, tx, bytes, &b, e);
    if (rc < 0)
        return rc;
    struct db_value v = DBB(buf_view(&b));
    rc = db_query_int(tx,
                      "INSERT INTO content (digest, size, chunks, data, area)"
                      " VALUES ($1, $2, $3, $4, 1) ON CONFLICT (digest) DO NOTHING RETURNING id",
                      DB(DBB(digest), DBI(bytes.n), whole ? DBNULL : v, whole ? v : DBNULL), id, e);
    return rc < 0 || whole ? rc : content_chunks_named(tx, *id, buf_view(&b), false, e);
}

/* The row must not go away before tx ends: a sweep waits for whoever names it now. */
static int content_put(struct documents *d, struct db_tx *tx, str bytes, int64_t *id, struct err *e)
{
    struct sha256 sum = sha256_of(bytes.p ? bytes.p : "", bytes.n);
    str digest = {(const char *)sum.b, sizeof sum.b};
    for (int attempt = 0; attempt < 3; attempt++) {
        int rc = content_find(tx, digest, id, e);
        if (rc == ERR_NOT_FOUND)
            rc = insert_content(d, tx, digest, bytes, id, e);
        if (rc != ERR_NOT_FOUND)
            return rc;
    }
    return err_set(e, ERR_CONFLICT, "the content of a document comes and goes");
}

/* A document names it no longer: documents_sweep() looks whether another does. A mark that stands
 * is set again: a sweep that looks at the row now waits for us, or we for it. */
static int content_left(struct db_tx *tx, int64_t id, struct err *e)
{
    int64_t n =
        db_exec(tx, "UPDATE content SET unnamed_since = now_us() WHERE id = $1", DB(DBI(id)), e);
    return n < 0 ? (int)n : 0;
}

/* ---- documents */

int document_name_content(struct db_tx *tx, str account, str bucket, str key, int64_t content,
                          struct err *e)
{
    int64_t old = 0;
    int rc = db_query_int(tx,
                          "SELECT content_id FROM document"
                          " WHERE account = $1 AND bucket = $2 AND key = $3 {for_update}",
                          DB(DBS(account), DBS(bucket), DBS(key)), &old, e);
    bool is_new = rc == ERR_NOT_FOUND;
    if (rc < 0 && !is_new)
        return rc;
    int64_t n = db_exec(tx,
                        "INSERT INTO document (account, bucket, key, content_id, last_updated)"
                        " VALUES ($1, $2, $3, $4, now_us()) ON CONFLICT (account, bucket, key)"
                        " DO UPDATE SET content_id = excluded.content_id,"
                        " last_updated = excluded.last_updated",
                        DB(DBS(account), DBS(bucket), DBS(key), DBI(content)), e);
    if (n < 0)
        return (int)n;
    return is_new || old == content ? 0 : content_left(tx, old, e);
}

int document_put(struct documents *d, struct db_tx *tx, str account, str bucket, str key, str bytes,
                 struct err *e)
{
    int64_t content = 0;
    int rc = content_put(d, tx, bytes, &content, e);
    if (rc == 0)
        rc = document_name_content(tx, account, bucket, key, content, e);
    return rc < 0 ? err_wrap(e, "document %.*s/%.*s", STR_ARG(bucket), STR_ARG(key)) : 0;
}

int content_chunks_get(struct documents *d, struct db_tx *tx, str recipe, uint64_t size,
                       struct buf *out, struct err *e)
{
    struct cursor c = cursor_over(recipe.p, recipe.n);
    VEC(int64_t) ids = {0};
    size_t before = out->n;
    int rc = buf_reserve(out, size + 1)
                 ? 0
                 : err_set(e, ERR_LIMIT, "it is larger than %zu bytes", out->max);
    while (rc == 0 && cursor_left(&c)) {
        int64_t *id = vec_push(&ids);
        if (id)
            *id = (int64_t)cursor_varint(&c);
        else
            rc = err_no_memory(e);
    }
    if (rc == 0)
        rc = chunks_get(d, tx, ids.p, ids.n, out, e);
    vec_done(&ids);
    if (rc == 0 && (!cursor_ok(&c) || out->n - before != size))
        rc = err_set(e, ERR_MISMATCH, "a stored document is damaged (chunks)");
    return rc;
}

static int get_whole(struct documents *d, struct db_tx *tx, const struct content_row *c,
                     struct buf *out, struct err *e)
{
    int rc = content_fits(c->size, out, e);
    if (rc < 0)
        return rc;
    return c->in_chunks ? content_chunks_get(d, tx, buf_view(&c->chunks), c->size, out, e)
                        : chunk_expand(buf_view(&c->data), c->size, &c->digest, out, e);
}

/* ---- reading rows */

int content_fits(uint64_t size, const struct buf *out, struct err *e)
{
    if (size < out->max && out->n <= out->max - size)
        return 0;
    return err_set(e, ERR_LIMIT, "it has %llu bytes, more than %zu", (unsigned long long)size,
                   out->max);
}

void content_row_init(struct content_row *c)
{
    *c = (struct content_row){0};
    buf_init(&c->data, RECIPE_MAX);
    buf_init(&c->chunks, RECIPE_MAX);
    buf_init(&c->parts, RECIPE_MAX);
    buf_init(&c->delta, RECIPE_MAX);
}

void content_row_done(struct content_row *c)
{
    buf_done(&c->data);
    buf_done(&c->chunks);
    buf_done(&c->parts);
    buf_done(&c->delta);
}

int content_row_copy(const struct db_rows *r, str key, struct content_row *c, struct err *e)
{
    str digest = db_blob(r, 2);
    c->id = db_int(r, 0);
    c->size = (uint64_t)db_int(r, 1);
    if (digest.n != sizeof c->digest.b)
        return err_set(e, ERR_MISMATCH, "a stored document is damaged (row)");
    memcpy(c->digest.b, digest.p, digest.n);
    c->in_chunks = !db_is_null(r, 4);
    c->has_parts = !db_is_null(r, 5);
    c->base = db_int(r, 6);
    str found = db_text(r, 8);
    if (found.n < key.n)
        c->part = str_from(key, found.n + 1);
    buf_add_str(&c->data, db_blob(r, 3));
    buf_add_str(&c->chunks, db_blob(r, 4));
    buf_add_str(&c->parts, db_blob(r, 5));
    buf_add_str(&c->delta, db_blob(r, 7));
    return buf_ok(&c->data) && buf_ok(&c->chunks) && buf_ok(&c->parts)
               ? buf_check(&c->delta, "document", e)
               : err_no_memory(e);
}

int content_row_find(struct db_tx *tx, str account, str bucket, str key, struct content_row *c,
                     struct err *e)
{
    ptrdiff_t slash = str_rindex(key, '/');
    str whole = slash > 0 ? str_sub(key, 0, slash) : key;
    auto_rows *r = NULL;
    content_row_init(c);
    int rc = db_query(tx,
                      "SELECT " CONTENT_COLUMNS ", d.key"
                      " FROM document d JOIN content c ON c.id = d.content_id"
                      " WHERE d.account = $1 AND d.bucket = $2 AND d.key IN ($3, $4)"
                      " ORDER BY d.key DESC",
                      DB(DBS(account), DBS(bucket), DBS(key), DBS(whole)), &r, e);
    if (rc == 0)
        rc = db_next(r, e);
    if (rc == 1)
        rc = content_row_copy(r, key, c, e) < 0 ? ERR_MISMATCH : 1;
    return rc == 1 && (c->part.p != NULL) != c->has_parts ? 0 : rc;
}

int content_read(struct documents *d, struct db_tx *tx, const struct content_row *c,
                 struct buf *out, struct err *e)
{
    if (c->has_parts)
        return content_part_get(d, tx, c, out, e);
    int rc = get_whole(d, tx, c, out, e);
    return rc < 0 ? rc : 1;
}

int document_get(struct documents *d, struct db_tx *tx, str account, str bucket, str key,
                 struct buf *out, struct err *e)
{
    size_t before = out->n;
    struct content_row c = {0};
    int rc = content_row_find(tx, account, bucket, key, &c, e);
    if (rc == 1)
        rc = content_read(d, tx, &c, out, e);
    content_row_done(&c);
    if (rc == 0)
        return err_set(e, ERR_NOT_FOUND, "no document %.*s/%.*s", STR_ARG(bucket), STR_ARG(key));
    if (rc < 0) {
        out->n = before;
        return err_wrap(e, "document %.*s/%.*s", STR_ARG(bucket), STR_ARG(key));
    }
    return 0;
}

int document_delete(struct documents *d, struct db_tx *tx, str account, str bucket, str key,
                    struct err *e)
{
    int64_t content = 0;
    int rc = db_query_int(tx,
                          "DELETE FROM document WHERE account = $1 AND bucket = $2 AND key = $3"
                          " RETURNING content_id",
                          DB(DBS(account), DBS(bucket), DBS(key)), &content, e);
    if (rc == ERR_NOT_FOUND)
        return 0;
    if (rc == 0)
        rc = content_left(tx, content, e);
    return rc < 0 ? rc : 1;
}

int64_t document_delete_prefix(struct documents *d, struct db_tx *tx, str account, str bucket,
                               str prefix, struct err *e)
{
    /* The last character there is ends the range of keys. */
    auto_rows *r = NULL;
    int rc = db_query(tx,
                      "DELETE FROM document WHERE account = $1 AND bucket = $2 AND key >= $3"
                      " AND key < $3 || $4 RETURNING content_id",
                      DB(DBS(account), DBS(bucket), DBS(prefix.p ? prefix : STR("")),
                         DBS(STR("\xf4\x8f\xbf\xbf"))),
                      &r, e);
    int64_t n = 0;
    while (rc >= 0 && (rc = db_next(r, e)) == 1) {
        n++;
        rc = content_left(tx, db_int(r, 0), e);
    }
    return rc < 0 ? rc : n;
}

int document_stat(struct documents *d, struct db_tx *tx, str account, str bucket, str key,
                  uint64_t *size, char digest[72], struct err *e)
{
    auto_rows *r = NULL;
    int rc = db_query(tx,
                      "SELECT c.size, c.digest FROM document d JOIN content c"
                      " ON c.id = d.content_id"
                      " WHERE d.account = $1 AND d.bucket = $2 AND d.key = $3",
                      DB(DBS(account), DBS(bucket), DBS(key)), &r, e);
    if (rc == 0)
        rc = db_next(r, e);
    if (rc <= 0)
        return rc;
    struct sha256 sum;
    if (size)
        *size = (uint64_t)db_int(r, 0);
    if (db_blob(r, 1).n != sizeof sum.b)
        return err_set(e, ERR_MISMATCH, "a stored document is damaged (row)");
    memcpy(sum.b, db_blob(r, 1).p, sizeof sum.b);
    if (digest)
        sha256_format(&sum, digest);
    return 1;
}

int document_copy(struct documents *d, struct db_tx *tx, str account, str bucket, str key,
                  str to_account, str to_bucket, str to_key, struct err *e)
{
    int64_t content = 0;
    int rc = db_query_int(tx,
                          "SELECT c.id FROM content c WHERE c.id = (SELECT content_id FROM document"
                          " WHERE account = $1 AND bucket = $2 AND key = $3) {for_share}",
                          DB(DBS(account), DBS(bucket), DBS(key)), &content, e);
    if (rc == ERR_NOT_FOUND)
        return err_set(e, ERR_NOT_FOUND, "no document %.*s/%.*s", STR_ARG(bucket), STR_ARG(key));
    return rc < 0 ? rc : document_name_content(tx, to_account, to_bucket, to_key, content, e);
}
