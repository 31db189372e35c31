#include "services/imports.h"

#include "base/auto.h"
#include "codec/digest.h"
#include "net/base64.h"
#include "services/image.h"
#include "services/image_json.h"

static const char *const required_contents[] = {"packages", "manifest", "image_config"};
static const char *const optional_contents[] = {"dockerfile", "parent_manifest"};

int import_content(struct db_tx *tx, struct documents *d, str account, str uuid, const char *type,
                   str digest, struct buf *out, struct err *e)
{
    char key[400];
    snprintf(key, sizeof key, "%.*s/%s/%.*s", STR_ARG(str_sub(uuid, 0, 100)), type,
             STR_ARG(str_sub(digest, 0, 200)));
    return document_get(d, tx, account, STR(IMPORT_BUCKET), str_z(key), out, e);
}

/* ---- finalisation ------------------------------------------------------------------------------
 */

struct finalize {
    struct call *c;
    yyjson_val *manifest, *contents;
    str uuid, digest, id, annotations, dockerfile, contents_text;
    struct buf image_manifest, parent_manifest;
    struct image_record record;
    /* answers instead of the record */
    int status;
    str refused, missing, state;
};

static int refuse(struct finalize *f, int status, str message)
{
    f->status = status;
    f->refused = message;
    return 0;
}

/* 1: the operation is pending; 0: refused. */
static int check_operation(struct db_tx *tx, struct finalize *f, struct err *e)
{
    auto_rows *rows = NULL;
    struct arena *a = &f->c->arena;
    int rc = db_query(tx,
                      "SELECT status FROM image_import WHERE uuid = $1 AND account = $2 "
                      "{for_update}",
                      DB(DBS(f->uuid), DBS(f->c->account)), &rows, e);
    if (rc < 0 || (rc = db_next(rows, e)) < 0)
        return rc;
    if (rc == 0)
        return refuse(f, 404, arena_printf(a, "Resource %.*s not found", STR_ARG(f->uuid)));
    f->state = arena_dup(a, db_text(rows, 0));
    if (str_eq(f->state, STR("pending")))
        return 1;
    return refuse(f, 409, STR("Invalid operation status. Must be in pending state to finalize"));
}

static int check_content(struct db_tx *tx, struct finalize *f, const char *type, struct err *e)
{
    str digest = json_str(f->contents, type);
    int64_t n = 0;
    if (!digest.n)
        return 1;
    int rc = db_query_int(tx,
                          "SELECT COUNT(*) FROM image_import_content WHERE operation_id = $1 AND "
                          "digest = $2 AND content_type = $3",
                          DB(DBS(f->uuid), DBS(digest), DBZ(type)), &n, e);
    if (rc < 0 || n)
        return rc < 0 ? rc : 1;
    f->missing = digest;
    return refuse(f, 400,
                  STR("One or more referenced content digests not found for the operation id"));
}

static int check_contents(struct db_tx *tx, struct finalize *f, struct err *e)
{
    int rc = 1;
    for (size_t i = 0; rc == 1 && i < KE_ARRAY_LEN(required_contents); i++)
        rc = check_content(tx, f, required_contents[i], e);
    for (size_t i = 0; rc == 1 && i < KE_ARRAY_LEN(optional_contents); i++)
        rc = check_content(tx, f, optional_contents[i], e);
    return rc;
}

static int read_content(struct db_tx *tx, struct finalize *f, const char *type, struct buf *out,
                        struct err *e)
{
    str digest = json_str(f->contents, type);
    buf_clear(out);
    return digest.n ? import_content(tx, f->c->engine->documents, f->c->account, f->uuid, type,
                                     digest, out, e)
                    : 0;
}

static int read_contents(struct db_tx *tx, struct finalize *f, struct err *e)
{
    auto_buf text, encoded;
    buf_init(&text, IMPORT_CONTENT_MAX);
    buf_init(&encoded, 2 * (size_t)IMPORT_CONTENT_MAX);
    int rc = read_content(tx, f, "manifest", &f->image_manifest, e);
    if (rc >= 0)
        rc = read_content(tx, f, "parent_manifest", &f->parent_manifest, e);
    if (rc >= 0)
        rc = read_content(tx, f, "dockerfile", &text, e);
    if (rc < 0)
        return rc;
    if (text.n) {
        base64_encode(buf_view(&text), &encoded);
        f->dockerfile = arena_dup(&f->c->arena, buf_view(&encoded));
    }
    return 0;
}

static int put_image(struct db_tx *tx, struct finalize *f, struct err *e)
{
    struct call *c = f->c;
    size_t i, n;
    yyjson_val *tag;
    int rc = 0;
    yyjson_arr_foreach(json_get(f->manifest, "tags"), i, n, tag)
    {
        struct image_add add = {
            .account = c->account,
            .digest = f->digest,
            .parent_digest = json_str(f->manifest, "parent_digest"),
            .id = f->id,
            .annotations = f->annotations,
            .dockerfile = f->dockerfile,
            .manifest = buf_view(&f->image_manifest),
            .parent_manifest = buf_view(&f->parent_manifest),
            .force = true,
            .no_queue = true,
        };
        if (!add.parent_digest.n)
            add.parent_digest = (str){0};
        rc = fulltag_parse(json_text(tag), &c->arena, &add.name, e);
        if (rc >= 0)
            rc = image_put(tx, c->engine->documents, &add, e);
        if (rc < 0)
            return rc;
    }
    return image_set_status(tx, c->account, f->digest, 0, IMAGE_NOT_ANALYZED,
                            str_z(c->engine->host_id), STR("imported"), e);
}

static int put_work(struct db_tx *tx, struct finalize *f, struct err *e)
{
    struct call *c = f->c;
    struct arena *a = &c->arena;
    str payload = arena_printf(
        a, "{\"imageDigest\": \"%.*s\", \"importUuid\": \"%.*s\", \"userId\": \"%.*s\"}",
        STR_ARG(f->digest), STR_ARG(f->uuid), STR_ARG(c->account));
    struct queue_put put = {
        .queue = STR("images_to_analyze"),
        .account = c->account,
        .payload = payload,
        .dedupe = arena_printf(a, "%.*s %.*s", STR_ARG(c->account), STR_ARG(f->digest)),
    };
    int64_t id,
        n = db_exec(tx,
                    "UPDATE image_import SET status = 'processing', last_updated = "
                    "now_us(), image_digest = $3, contents = $4 WHERE uuid = $1 AND "
                    "account = $2",
                    DB(DBS(f->uuid), DBS(c->account), DBS(f->digest), DBS(f->contents_text)), e);
    return n < 0 ? (int)n : queue_put(tx, &put, &id, e);
}

static int finalize_tx(struct db_tx *tx, void *ctx, struct err *e)
{
    struct finalize *f = ctx;
    int rc = check_operation(tx, f, e);
    if (rc == 1)
        rc = check_contents(tx, f, e);
    if (rc != 1)
        return rc;
    if ((rc = read_contents(tx, f, e)) < 0 || (rc = put_image(tx, f, e)) < 0 ||
        (rc = put_work(tx, f, e)) < 0)
        return rc;
    return image_get(tx, &f->c->arena, f->c->account, f->digest, &f->record, e);
}

static int send_refusal(struct finalize *f)
{
    yyjson_mut_doc *d = call_doc(f->c);
    yyjson_mut_val *detail = yyjson_mut_obj(d);
    if (f->missing.p)
        put_str(d, detail, "digest", f->missing);
    if (f->status == 409)
        put_str(d, detail, "status", f->state);
    return call_error_detail(f->c, f->status, f->refused, d, detail);
}

static str annotations_of(struct finalize *f)
{
    struct call *c = f->c;
    yyjson_mut_doc *d = call_doc(c);
    yyjson_val *given = json_get(c->body, "annotations");
    yyjson_mut_val *o = yyjson_is_obj(given) ? yyjson_val_mut_copy(d, given) : yyjson_mut_obj(d);
    put_str(d, o, "anchore.system/import_operation_id", f->uuid);
    char *text = yyjson_mut_val_write(o, 0, NULL);
    str copy = arena_dup(&c->arena, str_z(text));
    free(text);
    return copy;
}

static int check_manifest(struct finalize *f)
{
    struct fulltag name;
    size_t i, n;
    yyjson_val *tag, *tags = json_get(f->manifest, "tags");
    struct sha256 digest;
    if (sha256_parse(f->digest, &digest, NULL) < 0)
        return refuse(f, 400, STR("digest must be sha256: and 64 hexadecimal digits"));
    if (!yyjson_arr_size(tags))
        return refuse(f, 400, STR("at least one tag is needed"));
    yyjson_arr_foreach(tags, i, n, tag)
    {
        struct err why = {0};
        if (fulltag_parse(json_text(tag), &f->c->arena, &name, &why) < 0)
            return refuse(f, 400, arena_dup(&f->c->arena, str_z(why.text)));
        if (!name.fulltag.p)
            return refuse(f, 400, STR("tags must be names with a tag, not with a digest"));
    }
    return 1;
}

int import_finalize(struct call *c, yyjson_val *manifest)
{
    struct finalize f = {
        .c = c,
        .manifest = manifest,
        .contents = json_get(manifest, "contents"),
        .uuid = json_str(manifest, "operation_uuid"),
        .digest = json_str(manifest, "digest"),
        .id = json_str(manifest, "local_image_id"),
    };
    buf_init(&f.image_manifest, IMPORT_CONTENT_MAX);
    buf_init(&f.parent_manifest, IMPORT_CONTENT_MAX);
    if (!f.id.n)
        f.id =
            arena_printf(&c->arena, "sha256:%.*s", STR_ARG(json_str(f.contents, "image_config")));
    char *text = yyjson_val_write(f.contents, 0, NULL);
    f.contents_text = arena_dup(&c->arena, str_z(text));
    free(text);
    f.annotations = annotations_of(&f);
    int rc = check_manifest(&f);
    if (rc == 1)
        rc = db_run(c->engine->db, DB_WRITE, finalize_tx, &f, c->err);
    buf_done(&f.image_manifest);
    buf_done(&f.parent_manifest);
    if (rc < 0)
        return rc;
    return f.status ? send_refusal(&f) : image_json_send(c, &f.record);
}

/* ---- the watcher -------------------------------------------------------------------------------
 */

struct over {
    str account, uuid;
};

struct sweep {
    struct engine *en;
    struct arena arena;
    struct over list[100];
    size_t n;
};

static int find_over(struct db_tx *tx, void *ctx, struct err *e)
{
    struct sweep *s = ctx;
    auto_rows *rows = NULL;
    s->n = 0;
    int rc = db_query(tx,
                      "SELECT account, uuid FROM image_import WHERE (status IN ('complete', "
                      "'invalidated', 'expired') AND last_updated < now_us() - 60000000) OR "
                      "(status IN ('pending', 'failed') AND expires_at < now_us()) LIMIT 100",
                      DB0, &rows, e);
    while (rc >= 0 && (rc = db_next(rows, e)) == 1 && s->n < KE_ARRAY_LEN(s->list))
        s->list[s->n++] = (struct over){arena_dup(&s->arena, db_text(rows, 0)),
                                        arena_dup(&s->arena, db_text(rows, 1))};
    return rc < 0 ? rc : 0;
}

static int remove_over(struct db_tx *tx, void *ctx, struct err *e)
{
    struct sweep *s = ctx;
    for (size_t i = 0; i < s->n; i++) {
        const struct over *o = &s->list[i];
        str prefix = arena_printf(&s->arena, "%.*s/", STR_ARG(o->uuid));
        int64_t n =
            document_delete_prefix(s->en->documents, tx, o->account, STR(IMPORT_BUCKET), prefix, e);
        if (n >= 0)
            n = db_exec(tx, "DELETE FROM image_import_content WHERE operation_id = $1",
                        DB(DBS(o->uuid)), e);
        if (n >= 0)
            n = db_exec(tx, "DELETE FROM image_import WHERE uuid = $1 AND account = $2",
                        DB(DBS(o->uuid), DBS(o->account)), e);
        if (n < 0)
            return (int)n;
    }
    return 0;
}

int import_gc(struct engine *en, struct err *e)
{
    struct sweep s = {.en = en};
    int rc = 0;
    do {
        arena_init(&s.arena, 1 << 20);
        rc = db_run(en->db, DB_READ, find_over, &s, e);
        if (rc >= 0 && s.n)
            rc = db_run(en->db, DB_WRITE, remove_over, &s, e);
        arena_done(&s.arena);
    } while (rc >= 0 && s.n == KE_ARRAY_LEN(s.list) && !engine_stopping(en));
    return rc;
}
