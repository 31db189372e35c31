#include "base/auto.h"
#include "services/analyzer/analyzer.h"
#include "services/import_sbom.h"
#include "services/imports.h"

struct upload {
    struct analyzer_job *job;
    struct buf packages, manifest, config;
};

static int read_uploads(struct db_tx *tx, void *ctx, struct err *e)
{
    struct upload *u = ctx;
    struct analyzer_job *job = u->job;
    auto_rows *rows = NULL;
    auto_json *doc = NULL;
    int rc = db_query(tx, "SELECT contents FROM image_import WHERE uuid = $1 AND account = $2",
                      DB(DBS(job->import_uuid), DBS(job->account)), &rows, e);
    if (rc < 0 || (rc = db_next(rows, e)) < 0)
        return rc;
    if (rc == 0)
        return err_set(e, ERR_FORMAT, "the import %.*s is gone", STR_ARG(job->import_uuid));
    rc = json_parse(db_text(rows, 0), "contents of the import", &doc, e);
    if (rc < 0)
        return rc;
    yyjson_val *contents = yyjson_doc_get_root(doc);
    const struct {
        const char *type;
        struct buf *out;
    } parts[] = {
        {"packages", &u->packages}, {"manifest", &u->manifest}, {"image_config", &u->config}};
    for (size_t i = 0; rc >= 0 && i < KE_ARRAY_LEN(parts); i++) {
        buf_clear(parts[i].out);
        rc = import_content(tx, job->en->documents, job->account, job->import_uuid, parts[i].type,
                            json_str(contents, parts[i].type), parts[i].out, e);
    }
    return rc;
}

int analyzer_fetch_import(struct analyzer_job *job, struct err *e)
{
    struct upload u = {.job = job};
    buf_init(&u.packages, IMPORT_CONTENT_MAX);
    buf_init(&u.manifest, IMPORT_CONTENT_MAX);
    buf_init(&u.config, IMPORT_CONTENT_MAX);
    int rc = db_run(job->en->db, DB_READ, read_uploads, &u, e);
    const struct import_sbom in = {
        .packages = buf_view(&u.packages),
        .manifest = buf_view(&u.manifest),
        .config = buf_view(&u.config),
        .digest = job->digest,
    };
    if (rc >= 0)
        rc = import_sbom_read(&in, &job->inv, e);
    buf_done(&u.packages);
    buf_done(&u.manifest);
    buf_done(&u.config);
    return rc;
}
