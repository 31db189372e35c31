/* archive.c - images put aside and brought back; archive_rules.c decides which. */
#include "services/archive.h"

#include "base/auto.h"
#include "base/vec.h"
#include "services/image_history.h"
#include "services/image_packages.h"
#include "services/inventory_document.h"
#include "services/subscription.h"

#include <stdlib.h>

/* Where an image's documents are, each under keys that begin with its digest. */
static const str buckets[] = {
    STR_INIT("analysis_data"),        STR_INIT("image_content_data"),
    STR_INIT("image_summary_data"),   STR_INIT("manifest_data"),
    STR_INIT("parent_manifest_data"), STR_INIT("syft_sbom"),
    STR_INIT("vulnerability_scan"),   STR_INIT("inventory"),
    STR_INIT("image_artifacts"),
};
static const str archive_bucket = STR_INIT("analysis_archive");

/* ---- documents
 * ---------------------------------------------------------------------------------------------- */

struct keys {
    VEC(str) items;
    struct arena *a;
};

static int keys_of(struct db_tx *tx, struct keys *k, str account, str bucket, str prefix,
                   struct err *e)
{
    auto_rows *rows = NULL;
    str end = arena_printf(k->a, "%.*s~", STR_ARG(prefix));
    int r = db_query(tx,
                     "SELECT key FROM document WHERE account = $1 AND bucket = $2 AND key >= $3 "
                     "AND key < $4 ORDER BY key",
                     DB(DBS(account), DBS(bucket), DBS(prefix), DBS(end)), &rows, e);
    while (r == 0 && (r = db_next(rows, e)) == 1) {
        str *slot = vec_push(&k->items);
        if (!slot)
            return err_no_memory(e);
        *slot = arena_dup(k->a, db_text(rows, 0));
        r = 0;
    }
    return r < 0 ? r : k->a->full ? err_no_memory(e) : 0;
}

static int copy_bucket(struct db_tx *tx, struct documents *d, struct arena *a, str account,
                       str digest, str bucket, int64_t *size, struct err *e)
{
    struct keys k = {.a = a};
    int r = keys_of(tx, &k, account, bucket, digest, e);
    for (size_t i = 0; r == 0 && i < k.items.n; i++) {
        uint64_t bytes = 0;
        char found[72];
        str to = arena_printf(a, "%.*s/%.*s/%.*s", STR_ARG(digest), STR_ARG(bucket),
                              STR_ARG(k.items.p[i]));
        r = document_copy(d, tx, account, bucket, k.items.p[i], account, archive_bucket, to, e);
        if (r >= 0)
            r = document_stat(d, tx, account, archive_bucket, to, &bytes, found, e);
        *size += (int64_t)bytes;
        r = r < 0 ? r : 0;
    }
    vec_done(&k.items);
    return r;
}

static int copy_back(struct db_tx *tx, struct documents *d, struct arena *a, str account,
                     str digest, struct err *e)
{
    struct keys k = {.a = a};
    str prefix = arena_printf(a, "%.*s/", STR_ARG(digest));
    int r = keys_of(tx, &k, account, archive_bucket, prefix, e);
    for (size_t i = 0; r == 0 && i < k.items.n; i++) {
        str rest = str_from(k.items.p[i], prefix.n);
        str bucket = str_split(&rest, '/');
        r = document_copy(d, tx, account, archive_bucket, k.items.p[i], account, bucket, rest, e);
        r = r < 0 ? r : 0;
    }
    vec_done(&k.items);
    return r;
}

/* ---- the snapshot
 * -------------------------------------------------------------------------------------------- */

static yyjson_mut_val *snapshot_tag(yyjson_mut_doc *doc, const struct image_tag *t)
{
    yyjson_mut_val *o = yyjson_mut_obj(doc);
    put_str(doc, o, "registry", t->registry);
    put_str(doc, o, "repo", t->repo);
    put_str(doc, o, "tag", t->tag);
    put_str(doc, o, "fulltag", t->fulltag);
    put_int(doc, o, "created", t->created);
    put_int(doc, o, "updated", t->updated);
    put_int(doc, o, "detected", t->detected);
    return o;
}

static int snapshot(const struct image_record *r, struct buf *out, struct err *e)
{
    yyjson_mut_doc *doc = yyjson_mut_doc_new(NULL);
    if (!doc)
        return err_no_memory(e);
    yyjson_mut_val *o = yyjson_mut_obj(doc), *tags = yyjson_mut_arr(doc);
    put_str(doc, o, "image_id", r->id);
    put_str(doc, o, "dockerfile", r->dockerfile);
    put_str(doc, o, "dockerfile_mode", r->dockerfile_mode);
    put_str(doc, o, "arch", r->arch);
    put_str(doc, o, "distro", r->distro);
    put_str(doc, o, "distro_version", r->distro_version);
    put_int(doc, o, "size", r->size);
    put_int(doc, o, "layers", r->layers);
    put_int(doc, o, "created", r->created);
    for (size_t i = 0; i < r->n_tags; i++)
        yyjson_mut_arr_append(tags, snapshot_tag(doc, &r->tags[i]));
    yyjson_mut_obj_add_val(doc, o, "tags", tags);
    int rc = json_pretty(o, out, e);
    yyjson_mut_doc_free(doc);
    return rc;
}

/* ---- archiving
 * ------------------------------------------------------------------------------------------------
 */

/* Why the image can't be archived; p NULL: it can. */
static str refusal(struct arena *a, str account, str digest, const struct image_record *r)
{
    if (!r)
        return arena_printf(a, "Could not locate an image with digest %.*s in account %.*s",
                            STR_ARG(digest), STR_ARG(account));
    if (str_eq(r->analysis_status, STR("analyzed")) && str_eq(r->image_status, STR("active")))
        return (str){0};
    return arena_printf(a,
                        "Invalid image record state. Image must have \"analysis_status\"="
                        "\"analyzed\" and \"image_status\"=\"active\". Found %.*s and %.*s",
                        STR_ARG(r->analysis_status), STR_ARG(r->image_status));
}

static int archive_row(struct db_tx *tx, str account, const struct image_record *r, str record,
                       int64_t size, struct err *e)
{
    int64_t n = db_exec(
        tx,
        "INSERT INTO archive_image (account, image_digest, parent_digest, annotations, status, "
        "image_detail, analyzed_at, image_created_at, created_at, last_updated, "
        "archive_size_bytes) VALUES ($1, $2, $3, $4, 'archived', $5, $6, $7, now_us(), now_us(), "
        "$8)",
        DB(DBS(account), DBS(r->digest), DBSN(r->parent_digest), DBSN(r->annotations), DBS(record),
           DBI(r->analyzed), DBI(r->created), DBI(size)),
        e);
    return n < 0 ? (int)n : 0;
}

int archive_add(struct db_tx *tx, struct documents *d, struct arena *a, str account, str digest,
                str *why, struct err *e)
{
    struct archived_image there;
    struct image_record r;
    auto_buf record = {0};
    int64_t size = 0;
    int rc = archive_get(tx, a, account, digest, &there, e);
    if (rc < 0)
        return rc;
    if (rc == 1) {
        *why = STR("Existing record found, archiving aborted");
        return 2;
    }
    rc = image_get(tx, a, account, digest, &r, e);
    if (rc < 0)
        return rc;
    *why = refusal(a, account, digest, rc ? &r : NULL);
    if (why->p)
        return 0;
    rc = 0;
    for (size_t i = 0; rc == 0 && i < KE_ARRAY_LEN(buckets); i++)
        rc = copy_bucket(tx, d, a, account, digest, buckets[i], &size, e);
    buf_init(&record, 16 << 20);
    if (rc == 0)
        rc = snapshot(&r, &record, e);
    if (rc == 0)
        rc = archive_row(tx, account, &r, buf_view(&record), size, e);
    return rc < 0 ? rc : 1;
}

#define ARCHIVE_COLUMNS                                                                            \
    "image_digest, parent_digest, annotations, status, image_detail, analyzed_at, created_at, "    \
    "last_updated, archive_size_bytes"

static str column(struct arena *a, const struct db_rows *rows, int i)
{
    str s = db_text(rows, i);
    return s.p ? arena_dup(a, s) : s;
}

static void archived_read(struct arena *a, const struct db_rows *rows, struct archived_image *out)
{
    *out = (struct archived_image){
        .digest = column(a, rows, 0),
        .parent_digest = column(a, rows, 1),
        .annotations = column(a, rows, 2),
        .status = column(a, rows, 3),
        .record = column(a, rows, 4),
        .analyzed = db_int(rows, 5),
        .created = db_int(rows, 6),
        .updated = db_int(rows, 7),
        .size = db_int(rows, 8),
    };
}

int archive_list(struct db_tx *tx, struct arena *a, str account, struct archived_image **out,
                 size_t *n, struct err *e)
{
    auto_rows *rows = NULL;
    VEC(struct archived_image) all = {0};
    int r = db_query(tx,
                     "SELECT " ARCHIVE_COLUMNS " FROM archive_image WHERE account = $1 "
                     "ORDER BY created_at, image_digest",
                     DB(DBS(account)), &rows, e);
    while (r == 0 && (r = db_next(rows, e)) == 1) {
        struct archived_image *item = vec_push(&all);
        r = item ? 0 : err_no_memory(e);
        if (item)
            archived_read(a, rows, item);
    }
    *n = all.n;
    *out = arena_calloc(a, all.n + 1, sizeof **out);
    if (r == 0 && (!*out || a->full))
        r = err_no_memory(e);
    if (r == 0 && all.n)
        memcpy(*out, all.p, all.n * sizeof **out);
    vec_done(&all);
    return r;
}

int archive_get(struct db_tx *tx, struct arena *a, str account, str digest,
                struct archived_image *out, struct err *e)
{
    auto_rows *rows = NULL;
    int r = db_query(tx,
                     "SELECT " ARCHIVE_COLUMNS
                     " FROM archive_image WHERE account = $1 AND image_digest = $2",
                     DB(DBS(account), DBS(digest)), &rows, e);
    if (r == 0)
        r = db_next(rows, e);
    if (r == 1)
        archived_read(a, rows, out);
    return r == 1 && a->full ? err_no_memory(e) : r;
}

int archive_remove(struct db_tx *tx, struct documents *d, str account, str digest, struct err *e)
{
    char prefix[300];
    int64_t n = db_exec(tx, "DELETE FROM archive_image WHERE account = $1 AND image_digest = $2",
                        DB(DBS(account), DBS(digest)), e);
    if (n <= 0)
        return (int)n;
    snprintf(prefix, sizeof prefix, "%.*s/", STR_ARG(digest));
    n = document_delete_prefix(d, tx, account, archive_bucket, str_z(prefix), e);
    return n < 0 ? (int)n : 1;
}

/* ---- restoring
 * ------------------------------------------------------------------------------------------------
 */

static int restore_tags(struct db_tx *tx, str account, str digest, yyjson_val *record,
                        struct err *e)
{
    size_t i, n;
    yyjson_val *t;
    int64_t r = 0;
    yyjson_arr_foreach(json_get(record, "tags"), i, n, t)
    {
        r = db_exec(
            tx,
            "INSERT INTO catalog_image_tag (account, registry, repo, tag, image_digest, fulltag, "
            "image_id, tag_detected_at, created_at, last_updated) VALUES ($1, $2, $3, $4, $5, $6, "
            "$7, $8, $9, now_us()) ON CONFLICT DO NOTHING",
            DB(DBS(account), DBS(json_str(t, "registry")), DBS(json_str(t, "repo")),
               DBS(json_str(t, "tag")), DBS(digest), DBS(json_str(t, "fulltag")),
               DBSN(json_str(record, "image_id")), DBI(yyjson_get_sint(json_get(t, "detected"))),
               DBI(yyjson_get_sint(json_get(t, "created")))),
            e);
        if (r >= 0)
            r = subscription_add_tag(tx, account, json_str(t, "fulltag"), false, e);
        if (r < 0)
            return (int)r;
    }
    return 0;
}

static int restore_row(struct db_tx *tx, str account, const struct archived_image *im,
                       yyjson_val *record, struct err *e)
{
    int64_t n = db_exec(
        tx,
        "INSERT INTO catalog_image (account, image_digest, parent_digest, image_type, arch, "
        "distro, distro_version, dockerfile_mode, dockerfile, image_size, layer_count, "
        "annotations, analysis_status, image_status, analyzed_at, created_at, last_updated, "
        "image_id) VALUES ($1, $2, $3, 'docker', $4, $5, $6, $7, $8, $9, $10, $11, 'analyzed', "
        "'active', $12, $13, now_us(), $14)",
        DB(DBS(account), DBS(im->digest), DBSN(im->parent_digest), DBSN(json_str(record, "arch")),
           DBSN(json_str(record, "distro")), DBSN(json_str(record, "distro_version")),
           DBSN(json_str(record, "dockerfile_mode")), DBSN(json_str(record, "dockerfile")),
           DBI(yyjson_get_sint(json_get(record, "size"))),
           DBI(yyjson_get_sint(json_get(record, "layers"))), DBSN(im->annotations),
           DBI(im->analyzed), DBI(yyjson_get_sint(json_get(record, "created"))),
           DBSN(json_str(record, "image_id"))),
        e);
    if (n == ERR_EXISTS)
        return err_set(e, ERR_CONFLICT, "the image is there");
    auto_buf line;
    buf_init(&line, 1 << 10);
    if (n >= 0)
        n = image_history_line(tx, STR("archived"), STR("analyzed"), STR(""),
                               STR("restored from the archive"), &line, e);
    if (n >= 0)
        n = db_exec(tx,
                    "UPDATE catalog_image SET history = " IMAGE_HISTORY(
                        "$3") " WHERE account = $1 AND image_digest = $2",
                    DB(DBS(account), DBS(im->digest), DBS(buf_view(&line))), e);
    return n < 0 ? (int)n : 0;
}

/* Images that were imported or archived by another version may have no inventory. */
static int restore_packages(struct db_tx *tx, struct documents *d, str account, str digest,
                            struct err *e)
{
    auto_buf bytes;
    struct inventory *inv = NULL;
    buf_init(&bytes, INVENTORY_DOCUMENT_MAX);
    int r = inventory_document_get(d, tx, account, digest, &bytes, e);
    if (r == ERR_NOT_FOUND)
        return 0;
    if (r >= 0)
        r = inventory_document_read(buf_view(&bytes), &inv, e);
    if (r >= 0)
        r = image_packages_put(tx, account, digest, 0, inv, e);
    inventory_free(inv);
    return r;
}

int archive_restore(struct db_tx *tx, struct documents *d, struct arena *a, str account, str digest,
                    struct err *e)
{
    struct archived_image im;
    struct image_record there;
    auto_json *doc = NULL;
    int r = image_get(tx, a, account, digest, &there, e);
    if (r == 1)
        return err_set(e, ERR_CONFLICT, "the image is there");
    if (r == 0)
        r = archive_get(tx, a, account, digest, &im, e);
    if (r == 0)
        return err_set(e, ERR_NOT_FOUND, "there is no archived image %.*s", STR_ARG(digest));
    if (r == 1)
        r = json_parse(im.record, "the archived record", &doc, e);
    if (r == 0)
        r = restore_row(tx, account, &im, yyjson_doc_get_root(doc), e);
    if (r == 0)
        r = restore_tags(tx, account, digest, yyjson_doc_get_root(doc), e);
    if (r == 0)
        r = copy_back(tx, d, a, account, digest, e);
    if (r == 0)
        r = restore_packages(tx, d, account, digest, e);
    return r;
}
