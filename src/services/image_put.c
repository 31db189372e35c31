#include "base/auto.h"
#include "codec/json.h"
#include "services/image.h"
#include "services/notification.h"

static const size_t annotations_max = (size_t)1 << 20;

/* ---- annotations -------------------------------------------------------------------------------
 */

/* The members of `more` put over those of `old`; both may be empty. */
static int merge_annotations(str old, str more, struct buf *out, struct err *e)
{
    auto_json *a = NULL, *b = NULL;
    size_t i, n, length;
    yyjson_val *key, *value;
    int rc = json_parse(old.n ? old : STR("{}"), "annotations", &a, e);
    if (rc == 0)
        rc = json_parse(more, "annotations", &b, e);
    if (rc < 0)
        return rc;
    yyjson_mut_doc *d = yyjson_doc_mut_copy(a, NULL);
    if (!d)
        return err_no_memory(e);
    yyjson_mut_val *root = yyjson_mut_doc_get_root(d);
    if (!yyjson_mut_is_obj(root)) {
        root = yyjson_mut_obj(d);
        yyjson_mut_doc_set_root(d, root);
    }
    yyjson_val *from = yyjson_doc_get_root(b);
    yyjson_obj_foreach(from, i, n, key, value)
    {
        yyjson_mut_obj_put(root, yyjson_val_mut_copy(d, key), yyjson_val_mut_copy(d, value));
    }
    char *text = yyjson_mut_write(d, 0, &length);
    yyjson_mut_doc_free(d);
    if (!text)
        return err_no_memory(e);
    buf_add(out, text, length);
    free(text);
    return buf_check(out, "annotations", e);
}

/* ---- the row -----------------------------------------------------------------------------------
 */

struct put {
    struct db_tx *tx;
    struct documents *d;
    const struct image_add *add;
    bool exists, deleting;
    int state;
    struct buf annotations; /* stored ones */
};

static int read_existing(struct put *p, struct err *e)
{
    auto_rows *rows = NULL;
    int rc = db_query(p->tx,
                      "SELECT analysis_status, image_status, annotations FROM catalog_image "
                      "WHERE account = $1 AND image_digest = $2 {for_update}",
                      DB(DBS(p->add->account), DBS(p->add->digest)), &rows, e);
    if (rc < 0 || (rc = db_next(rows, e)) <= 0)
        return rc;
    p->exists = true;
    p->state = image_state_by_name(db_text(rows, 0));
    p->deleting = !str_eq(db_text(rows, 1), STR("active"));
    buf_clear(&p->annotations);
    buf_add_str(&p->annotations, db_text(rows, 2));
    return buf_check(&p->annotations, "annotations", e);
}

static struct db_value or_now(int64_t t)
{
    return t > 0 ? DBI(t) : DBNULL;
}

uint64_t image_compressed_size(str manifest)
{
    auto_json *doc = NULL;
    size_t i, n;
    yyjson_val *layer;
    uint64_t total = 0;
    if (json_parse(manifest, "manifest", &doc, NULL) < 0)
        return 0;
    yyjson_arr_foreach(json_get(yyjson_doc_get_root(doc), "layers"), i, n, layer)
    {
        uint64_t size = yyjson_get_uint(json_get(layer, "size"));
        total = size > INT64_MAX - total ? INT64_MAX : total + size;
    }
    return total;
}

static int insert_row(struct put *p, struct err *e)
{
    const struct image_add *add = p->add;
    int64_t n = db_exec(
        p->tx,
        "INSERT INTO catalog_image (account, image_digest, parent_digest, image_id, image_type, "
        "annotations, dockerfile, dockerfile_mode, analysis_status, image_status, created_at, "
        "last_updated, compressed_size) VALUES ($1, $2, $3, $4, 'docker', $5, $6, $7, "
        "'not_analyzed', 'active', COALESCE($8, now_us()), now_us(), $9) "
        "ON CONFLICT (account, image_digest) DO NOTHING",
        DB(DBS(add->account), DBS(add->digest),
           DBSN(str_eq(add->parent_digest, add->digest) ? (str){0} : add->parent_digest),
           DBSN(add->id), DBS(add->annotations.p ? add->annotations : STR("{}")),
           DBSN(add->dockerfile), add->dockerfile.p ? DBS(STR("Actual")) : DBNULL,
           or_now(add->created),
           add->manifest.n ? DBI(image_compressed_size(add->manifest)) : DBNULL),
        e);
    return (int)n;
}

static int update_annotations(struct put *p, struct err *e)
{
    auto_buf merged;
    buf_init(&merged, annotations_max);
    int rc = merge_annotations(buf_view(&p->annotations), p->add->annotations, &merged, e);
    if (rc < 0)
        return rc;
    if (str_eq(buf_view(&merged), buf_view(&p->annotations)))
        return 0;
    int64_t n = db_exec(p->tx,
                        "UPDATE catalog_image SET annotations = $3, last_updated = now_us() "
                        "WHERE account = $1 AND image_digest = $2",
                        DB(DBS(p->add->account), DBS(p->add->digest), DBS(buf_view(&merged))), e);
    return n < 0 ? (int)n : 0;
}

static int revive(struct put *p, struct err *e)
{
    int64_t n = db_exec(p->tx,
                        "UPDATE catalog_image SET image_status = 'active', last_updated = now_us() "
                        "WHERE account = $1 AND image_digest = $2",
                        DB(DBS(p->add->account), DBS(p->add->digest)), e);
    return n < 0 ? (int)n : 0;
}

/* ---- its tag -----------------------------------------------------------------------------------
 */

/* Where it points, with the annotations of that image: appended. 1; 0: nowhere. */
static int read_tag(struct put *p, struct buf *digest, struct buf *annotations, struct err *e)
{
    auto_rows *rows = NULL;
    int rc = db_query(p->tx,
                      "SELECT t.image_digest, i.annotations FROM catalog_image_tag t LEFT JOIN"
                      " catalog_image i ON i.account = t.account AND i.image_digest ="
                      " t.image_digest WHERE t.account = $1 AND t.fulltag = $2"
                      " ORDER BY t.tag_detected_at DESC, t.image_digest LIMIT 1",
                      DB(DBS(p->add->account), DBS(p->add->name.fulltag)), &rows, e);
    if (rc < 0 || (rc = db_next(rows, e)) <= 0)
        return rc;
    buf_add_str(digest, db_text(rows, 0));
    buf_add_str(annotations, db_text(rows, 1));
    return buf_ok(digest) && buf_ok(annotations) ? 1 : err_no_memory(e);
}

static int tell_moved(struct put *p, str was, str annotations, struct err *e)
{
    auto_buf b;
    buf_init(&b, NOTIFICATION_MAX);
    buf_add_str(&b, STR("\"last_eval\": ["));
    json_put_string(&b, was);
    buf_add_str(&b, STR("], \"curr_eval\": ["));
    json_put_string(&b, p->add->digest);
    buf_add_str(&b, STR("], \"annotations\": "));
    buf_add_str(&b, annotations.n ? annotations : STR("{}"));
    const struct notification n = {.account = p->add->account,
                                   .type = STR("tag_update"),
                                   .key = p->add->name.fulltag,
                                   .members = buf_view(&b)};
    int rc = buf_check(&b, "a notification", e);
    return rc < 0 ? rc : notification_put(p->tx, &n, e);
}

static int put_tag(struct put *p, struct err *e)
{
    const struct image_add *add = p->add;
    const struct fulltag *t = &add->name;
    auto_buf was, is, annotations, ignored;

    buf_init(&was, 1 << 10);
    buf_init(&is, 1 << 10);
    buf_init(&annotations, 2 * annotations_max);
    buf_init(&ignored, 2 * annotations_max);
    int before = t->fulltag.p ? read_tag(p, &was, &annotations, e) : 0;
    if (!t->fulltag.p || before < 0 || str_eq(buf_view(&was), add->digest))
        return before < 0 ? before : 0;
    /* A tag that comes back to a digest is newer there than where it was. */
    int64_t n = db_exec(
        p->tx,
        "INSERT INTO catalog_image_tag (account, registry, repo, tag, image_digest, fulltag, "
        "tag_detected_at, created_at, last_updated) VALUES ($1, $2, $3, $4, $5, $6, "
        "COALESCE($7, now_us()), now_us(), now_us()) "
        "ON CONFLICT (account, image_digest, registry, repo, tag) DO UPDATE SET "
        "tag_detected_at = excluded.tag_detected_at, last_updated = excluded.last_updated",
        DB(DBS(add->account), DBS(t->registry), DBS(t->repo), DBS(t->tag), DBS(add->digest),
           DBS(t->fulltag), p->exists ? DBNULL : or_now(add->created)),
        e);
    int rc = n < 0 ? (int)n : before;
    if (before == 1 && rc >= 0)
        rc = read_tag(p, &is, &ignored, e);
    if (before == 1 && rc >= 0 && str_eq(buf_view(&is), add->digest))
        rc = tell_moved(p, buf_view(&was), buf_view(&annotations), e);
    return rc < 0 ? rc : 0;
}

/* ---- work --------------------------------------------------------------------------------------
 */

/* The analysis keeps the manifest with all else; until then only its size is of interest. */
static int put_manifests(struct put *p, struct err *e)
{
    const struct image_add *add = p->add;
    int64_t n = 0;

    if (add->manifest.n && p->exists)
        n = db_exec(
            p->tx,
            "UPDATE catalog_image SET compressed_size = $3"
            " WHERE account = $1 AND image_digest = $2",
            DB(DBS(add->account), DBS(add->digest), DBI(image_compressed_size(add->manifest))), e);
    if (n >= 0 && add->parent_manifest.n && !str_eq(add->parent_manifest, add->manifest))
        n = document_put(p->d, p->tx, add->account, STR("parent_manifest_data"), add->digest,
                         add->parent_manifest, e);
    return n < 0 ? (int)n : 0;
}

int image_queue(struct db_tx *tx, str account, str digest, struct err *e)
{
    auto_buf payload, dedupe;
    buf_init(&payload, 64 << 10);
    buf_init(&dedupe, 64 << 10);
    buf_add_str(&payload, STR("{\"imageDigest\": "));
    json_put_string(&payload, digest);
    buf_add_str(&payload, STR(", \"manifest\": {\"bucket\": \"manifest_data\", \"key\": "));
    json_put_string(&payload, digest);
    buf_add_str(&payload, STR("}, \"userId\": "));
    json_put_string(&payload, account);
    buf_add_char(&payload, '}');
    buf_addf(&dedupe, "%.*s %.*s", STR_ARG(account), STR_ARG(digest));
    int rc = buf_check(&payload, "queue item", e);
    if (rc == 0)
        rc = buf_check(&dedupe, "queue item", e);
    if (rc < 0)
        return rc;
    const struct queue_put put = {.queue = STR("images_to_analyze"),
                                  .account = account,
                                  .payload = buf_view(&payload),
                                  .dedupe = buf_view(&dedupe)};
    int64_t id;
    return queue_put(tx, &put, &id, e);
}

static int ask_for_analysis(struct put *p, struct err *e)
{
    const struct image_add *add = p->add;
    int rc = image_set_status(p->tx, add->account, add->digest, 0, IMAGE_NOT_ANALYZED, STR(""),
                              add->why.p ? add->why : STR("added"), e);
    if (rc == 0)
        rc = image_queue(p->tx, add->account, add->digest, e);
    return rc < 0 ? rc : 1;
}

static int change_existing(struct put *p, struct err *e)
{
    const struct image_add *add = p->add;
    int rc = 0;

    if (add->dockerfile.p && !add->force && !p->deleting)
        return err_set(e, ERR_USAGE,
                       "Cannot specify dockerfile for an image that already exists unless using "
                       "force=True for re-analysis");
    if (p->deleting)
        rc = revive(p, e);
    if (rc == 0 && add->annotations.p)
        rc = update_annotations(p, e);
    if (rc == 0 && add->dockerfile.p)
        rc = image_set_dockerfile(p->tx, add->account, add->digest, add->dockerfile, e);
    return rc;
}

int image_put(struct db_tx *tx, struct documents *d, const struct image_add *add, struct err *e)
{
    struct put p = {.tx = tx, .d = d, .add = add};

    buf_init(&p.annotations, annotations_max);
    int rc = read_existing(&p, e);
    if (rc == 0 && !p.exists && (rc = insert_row(&p, e)) == 0)
        rc = read_existing(&p, e); /* someone else was first */
    if (rc >= 0 && p.exists)
        rc = change_existing(&p, e);
    if (rc >= 0)
        rc = put_tag(&p, e);
    bool again = !p.exists || add->force || p.deleting || p.state == IMAGE_ANALYSIS_FAILED;
    if (rc >= 0 && again)
        rc = put_manifests(&p, e);
    if (rc >= 0 && again && !add->no_queue)
        rc = ask_for_analysis(&p, e);
    else if (rc > 0)
        rc = 0;
    buf_done(&p.annotations);
    return rc;
}
