/* import_archive.c - POST /import/images: an image whose analysis was made elsewhere. All of it is
 * stored in one transaction, or nothing. */
#include "services/import_archive.h"

#include "base/auto.h"
#include "services/analyzer/analysis.h"
#include "services/api/operations.h"
#include "services/event.h"
#include "services/image.h"
#include "services/image_json.h"
#include "services/import_analysis.h"
#include "services/inventory_document.h"
#include "services/subscription.h"

struct importing {
    struct call *c;
    struct import_archive *archive;
    struct import_analysis found;
    struct analysis *analysis;
    struct buf inventory;
    struct image_record record;
};

static int put_tags(struct db_tx *tx, struct importing *im, struct err *e)
{
    const struct import_archive *a = im->archive;
    for (size_t i = 0; i < a->n_tags; i++) {
        struct image_add add = {
            .account = im->c->account,
            .digest = a->digest,
            .parent_digest = a->parent_digest.n ? a->parent_digest : (str){0},
            .id = a->id.n ? a->id : (str){0},
            .name = a->tags[i].name,
            .annotations = a->annotations.n ? a->annotations : (str){0},
            .dockerfile = im->found.dockerfile,
            .manifest = a->manifest,
            .created = a->tags[i].detected ? a->tags[i].detected : a->created,
            .force = true,
            .no_queue = true,
        };
        int rc = image_put(tx, im->c->engine->documents, &add, e);
        if (rc >= 0)
            rc = subscription_add_tag(tx, im->c->account, add.name.fulltag, false, e);
        if (rc < 0)
            return rc;
    }
    return 0;
}

static str or_null(str s)
{
    return s.n ? s : (str){0};
}

static int put_facts(struct db_tx *tx, struct importing *im, struct err *e)
{
    const struct import_archive *a = im->archive;
    const struct inventory *inv = im->found.inv;
    str account = im->c->account;
    struct image_facts f = {
        .arch = or_null(inv->architecture),
        .distro = or_null(inv->release.id),
        .distro_version = or_null(inv->release.version_id),
        .dockerfile = im->analysis->dockerfile,
        .dockerfile_mode = im->analysis->dockerfile_mode,
        .size = a->size >= 0 ? a->size : im->analysis->size,
        .layers = (int64_t)inv->n_layers,
    };
    int rc = image_set_facts(tx, account, a->digest, &f, e);
    if (rc >= 0)
        rc = image_set_status(tx, account, a->digest, 0, IMAGE_ANALYZED,
                              str_z(im->c->engine->host_id), STR("imported from an archive"), e);
    if (rc < 0)
        return rc;
    int64_t n = db_exec(tx,
                        "UPDATE catalog_image SET problems = $3, analyzed_at = COALESCE($4, "
                        "analyzed_at) WHERE account = $1 AND image_digest = $2",
                        DB(DBS(account), DBS(a->digest), DBSN(im->analysis->problems),
                           a->analyzed ? DBI(a->analyzed) : DBNULL),
                        e);
    return n < 0 ? (int)n : 0;
}

/* {"content": [finding...]}, over the analysis's own, which knows of no scanner. */
static int put_malware(struct db_tx *tx, struct importing *im, struct err *e)
{
    struct call *c = im->c;
    auto_json *doc = NULL;
    auto_buf text = {0};
    char key[300];
    if (!im->found.malware.p)
        return 0;
    buf_init(&text, ANALYSIS_DOCUMENT_MAX);
    int rc = json_parse(im->found.malware, "malware", &doc, e);
    if (rc < 0)
        return rc;
    yyjson_mut_doc *d = call_doc(c);
    yyjson_mut_val *o = yyjson_mut_obj(d);
    yyjson_mut_obj_add_val(d, o, "content", yyjson_val_mut_copy(d, yyjson_doc_get_root(doc)));
    put_str(d, o, "content_type", STR("malware"));
    put_str(d, o, "imageDigest", im->archive->digest);
    rc = o ? json_pretty(o, &text, e) : err_no_memory(e);
    snprintf(key, sizeof key, "%s/malware", im->archive->digest.p);
    return rc < 0 ? rc
                  : document_put(c->engine->documents, tx, c->account, STR(CONTENT_BUCKET),
                                 str_z(key), buf_view(&text), e);
}

static int tell(struct db_tx *tx, struct importing *im, struct err *e)
{
    static const char *const names[] = {"image_digest"};
    struct event ev = {
        .engine = im->c->engine,
        .service = SERVICE_CATALOG,
        .type = "system.image_analysis.restored_from_archive",
        .account = im->c->account,
        .resource_id = im->archive->digest,
        .request_id = im->c->request_id,
        .details = event_details(&im->c->arena, names, &im->archive->digest, 1),
    };
    return event_add(tx, &ev, e);
}

static int store(struct db_tx *tx, void *ctx, struct err *e)
{
    struct importing *im = ctx;
    struct call *c = im->c;
    str digest = im->archive->digest;
    int rc = image_get(tx, &c->arena, c->account, digest, &im->record, e);
    if (rc != 0)
        return rc < 0 ? rc : err_set(e, ERR_CONFLICT, "the image is there");
    rc = put_tags(tx, im, e);
    if (rc >= 0)
        rc = put_facts(tx, im, e);
    if (rc >= 0)
        rc = analysis_put(tx, c->engine->documents, c->account, digest, STR(""), im->found.inv,
                          buf_view(&im->inventory), im->analysis, e);
    if (rc >= 0)
        rc = put_malware(tx, im, e);
    if (rc >= 0)
        rc = tell(tx, im, e);
    return rc < 0 ? rc : image_get(tx, &c->arena, c->account, digest, &im->record, e);
}

/* The SBOM that came with the image takes the place of the one that is made of the inventory. */
static int take_sbom(struct importing *im, struct err *e)
{
    yyjson_doc *doc = im->archive->sbom;
    yyjson_val *root = doc ? yyjson_doc_get_root(doc) : NULL;
    yyjson_val *sbom = json_get(root, "document") ? json_get(root, "document") : root;
    if (!yyjson_is_obj(sbom))
        return 0;
    size_t n;
    autofree char *text = yyjson_val_write(sbom, 0, &n);
    for (size_t i = 0; text && i < im->analysis->n_documents; i++) {
        if (strcmp(im->analysis->documents[i].type, "sbom") != 0)
            continue;
        struct buf *to = &im->analysis->documents[i].text;
        buf_clear(to);
        buf_add(to, text, n);
        return buf_check(to, "the SBOM", e);
    }
    return text ? 0 : err_no_memory(e);
}

static int read_archive(struct importing *im, struct err *e)
{
    int rc = import_archive_read(call_param(im->c, "archive_file"), &im->archive, e);
    if (rc < 0)
        return rc;
    const struct import_archive *a = im->archive;
    rc = import_analysis_read(yyjson_doc_get_root(a->analysis), a->manifest, a->digest, a->id,
                              &im->found, e);
    if (rc < 0)
        return rc;
    struct analysis_input in = {
        .digest = a->digest,
        .inv = im->found.inv,
        .settings = &im->found.settings,
        .dockerfile = im->found.dockerfile,
        .imported = true,
    };
    rc = analysis_make(&in, &im->analysis, e);
    if (rc >= 0)
        rc = take_sbom(im, e);
    return rc < 0 ? rc : inventory_document_write(im->found.inv, &im->inventory, e);
}

static int send_refusal(struct call *c, int code)
{
    if (code == ERR_CONFLICT)
        return call_error(c, 409, "Conflict: Image already exists in system. No import possible");
    if (code == ERR_FORMAT || code == ERR_LIMIT || code == ERR_UNSUPPORTED)
        return call_error(c, 400, "cannot import the archive: %s", c->err->text);
    return code;
}

static int import_archive(struct call *c)
{
    struct importing im = {.c = c};
    buf_init(&im.inventory, INVENTORY_DOCUMENT_MAX);
    int rc = read_archive(&im, c->err);
    if (rc < 0)
        rc = send_refusal(c, rc);
    else if ((rc = db_run(c->engine->db, DB_WRITE, store, &im, c->err)) < 0)
        rc = rc == ERR_CONFLICT ? send_refusal(c, rc) : rc;
    else
        rc = image_json_send(c, &im.record);
    buf_done(&im.inventory);
    analysis_free(im.analysis);
    import_analysis_done(&im.found);
    import_archive_free(im.archive);
    return rc;
}

const struct operation import_archive_operations[] = {
    {"import_image_archive", import_archive, ROUTE_HUGE | ROUTE_SLOW | ROUTE_RAW},
    {0},
};
