/* content.c - what analyses found: documents are sent as they were stored. */
#include "services/analyzer/analysis.h"
#include "services/api/operations.h"
#include "services/image.h"

static const str content_types[] = {
    STR_INIT("os"),   STR_INIT("files"),  STR_INIT("npm"), STR_INIT("gem"),     STR_INIT("python"),
    STR_INIT("java"), STR_INIT("binary"), STR_INIT("go"),  STR_INIT("malware"),
};
static const str metadata_types[] = {
    STR_INIT("manifest"),
    STR_INIT("docker_history"),
    STR_INIT("dockerfile"),
};

static int send_types(struct call *c, const str *types, size_t n)
{
    yyjson_mut_doc *d = call_doc(c);
    yyjson_mut_val *list = yyjson_mut_arr(d);
    for (size_t i = 0; i < n; i++)
        yyjson_mut_arr_add_strn(d, list, types[i].p, types[i].n);
    return call_send(c, 200, d, list);
}

static int list_content(struct call *c)
{
    return send_types(c, content_types, KE_ARRAY_LEN(content_types));
}

static int list_metadata(struct call *c)
{
    return send_types(c, metadata_types, KE_ARRAY_LEN(metadata_types));
}

static bool is_one_of(str type, const str *types, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (str_eq(type, types[i]))
            return true;
    return false;
}

struct wanted {
    struct call *c;
    str digest, type;
    bool by_id;
    const struct document_form *form; /* NULL: as it is kept */
    struct document_ref *ref;         /* the answer */
    int known;                        /* there is such an image, in this state */
    enum image_state state;
};

enum { PACK_FROM = 1024 };
static const str gzip_magic = STR_INIT("\x1f\x8b");

static int pack(str bytes, struct buf *out, struct err *e)
{
    if (bytes.n >= PACK_FROM)
        return httpd_gzip(bytes, out, e);
    buf_add_str(out, bytes);
    return buf_check(out, "the answer", e);
}

/* Kept as text; earlier versions kept it compressed. */
static int pack_sbom(str bytes, struct buf *out, struct err *e)
{
    if (!str_starts(bytes, gzip_magic))
        return analysis_gzip(bytes, out, e);
    buf_add_str(out, bytes);
    return buf_check(out, "the answer", e);
}

static const struct document_form packed_form = {.id = 1, .make = pack};
static const struct document_form sbom_form = {.id = 2, .make = pack_sbom};

/* 1: the answer holds the document; 0: there is none. */
static int read_document(struct db_tx *tx, void *ctx, struct err *e)
{
    struct wanted *w = ctx;
    struct call *c = w->c;
    if (w->by_id) {
        struct image_record r;
        int rc = image_get_by_id(tx, &c->arena, c->account, w->digest, &r, e);
        if (rc <= 0)
            return rc;
        w->digest = r.digest;
        w->by_id = false;
    }
    int rc = w->known = image_status(tx, c->account, w->digest, &w->state, e);
    if (rc <= 0 || w->state != IMAGE_ANALYZED)
        return rc < 0 ? rc : 0;
    char key[300];
    snprintf(key, sizeof key, "%.*s/%.*s", STR_ARG(str_sub(w->digest, 0, 200)),
             STR_ARG(str_sub(w->type, 0, 50)));
    document_ref_drop(TAKE(w->ref));
    rc = document_share(c->engine->documents, tx, c->account, STR(CONTENT_BUCKET), str_z(key),
                        ANALYSIS_DOCUMENT_MAX, w->form, &w->ref, e);
    return rc == ERR_NOT_FOUND ? 0 : rc < 0 ? rc : 1;
}

static void release(void *ref)
{
    document_ref_drop(ref);
}

/* The document goes out as it is kept in memory, to many clients at once. */
static int send_found(struct wanted *w, const char *content_type)
{
    struct call *c = w->c;
    str bytes = document_ref_bytes(w->ref);
    bool packed = w->form == &packed_form && str_starts(bytes, gzip_magic);
    if (!c->rq || (bytes.n < PACK_FROM && !packed)) {
        int rc = call_send_text(c, 200, content_type, bytes);
        document_ref_drop(TAKE(w->ref));
        return rc;
    }
    c->status = 200;
    c->answer_type = content_type;
    c->shared.bytes = bytes;
    c->shared.varies = w->form != &sbom_form;
    c->shared.gzipped = packed;
    c->shared.release = release;
    c->shared.owner = TAKE(w->ref);
    return 0;
}

static int find(struct wanted *w)
{
    struct httpd_request *rq = w->c->rq;
    if (rq && !w->form && httpd_accepts_gzip(rq))
        w->form = &packed_form;
    int rc = db_run(w->c->engine->db, DB_READ, read_document, w, w->c->err);
    if (rc <= 0)
        document_ref_drop(TAKE(w->ref));
    return rc;
}

static int send_missing(struct wanted *w)
{
    struct call *c = w->c;
    buf_clear(call_text(c));
    if (w->by_id || !w->known)
        return call_error(c, 404, "image not found in DB");
    if (w->state != IMAGE_ANALYZED)
        return call_error(c, 404, "image is not analyzed - analysis_status: %s",
                          image_state_names[w->state]);
    return call_error(c, 404, "nothing is stored of this image's %.*s", STR_ARG(w->type));
}

static int send_document(struct call *c, str type, const str *types, size_t n)
{
    struct wanted w = {.c = c, .digest = call_param(c, "imageDigest"), .type = type};
    if (!is_one_of(type, types, n))
        return call_error(c, 404, "content type (%.*s) not available",
                          STR_ARG(str_sub(type, 0, 200)));
    if (!w.digest.p) {
        w.digest = call_param(c, "imageId");
        w.by_id = true;
    }
    int rc = find(&w);
    if (rc <= 0)
        return rc < 0 ? rc : send_missing(&w);
    return send_found(&w, "application/json");
}

static int get_content(struct call *c)
{
    return send_document(c, call_param(c, "ctype"), content_types, KE_ARRAY_LEN(content_types));
}

static int get_files(struct call *c)
{
    return send_document(c, STR("files"), content_types, KE_ARRAY_LEN(content_types));
}

static int get_java(struct call *c)
{
    return send_document(c, STR("java"), content_types, KE_ARRAY_LEN(content_types));
}

static int get_malware(struct call *c)
{
    return send_document(c, STR("malware"), content_types, KE_ARRAY_LEN(content_types));
}

static int get_metadata(struct call *c)
{
    return send_document(c, call_param(c, "mtype"), metadata_types, KE_ARRAY_LEN(metadata_types));
}

/* ---- artifacts ---------------------------------------------------------------------------------
 */

static int send_artifact(struct call *c, str type, const char *content_type)
{
    struct wanted w = {.c = c, .digest = call_param(c, "imageDigest"), .type = type};
    int rc = find(&w);
    if (rc <= 0)
        return rc < 0 ? rc : send_missing(&w);
    return send_found(&w, content_type);
}

static int get_retrieved(struct call *c)
{
    return send_artifact(c, STR("retrieved_files"), "application/json");
}

static int get_searched(struct call *c)
{
    return send_artifact(c, STR("file_content_search"), "application/json");
}

static int get_secrets(struct call *c)
{
    return send_artifact(c, STR("secret_search"), "application/json");
}

static int get_sbom(struct call *c)
{
    struct wanted w = {
        .c = c, .digest = call_param(c, "imageDigest"), .type = STR("sbom"), .form = &sbom_form};
    int rc = find(&w);
    if (rc <= 0)
        return rc < 0 ? rc : send_missing(&w);
    return send_found(&w, "application/gzip");
}

const struct operation content_operations[] = {
    {"list_image_content", list_content, 0},
    {"list_image_content_by_imageid", list_content, 0},
    {"get_image_content_by_type", get_content, 0},
    {"get_image_content_by_type_files", get_files, ROUTE_SLOW},
    {"get_image_content_by_type_javapackage", get_java, 0},
    {"get_image_content_by_type_malware", get_malware, 0},
    {"get_image_content_by_type_imageId", get_content, 0},
    {"get_image_content_by_type_imageId_files", get_files, ROUTE_SLOW},
    {"get_image_content_by_type_imageId_javapackage", get_java, 0},
    {"list_retrieved_files", get_retrieved, 0},
    {"list_file_content_search_results", get_searched, 0},
    {"list_secret_search_results", get_secrets, 0},
    {"list_image_metadata", list_metadata, 0},
    {"get_image_sbom_native", get_sbom, ROUTE_SLOW},
    {"get_image_metadata_by_type", get_metadata, 0},
    {0},
};
