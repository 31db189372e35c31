#include "base/auto.h"
#include "services/analyzer/analyzer.h"
#include "services/event.h"
#include "services/notification.h"
#include "services/image_packages.h"
#include "services/inventory_document.h"

/* What is of this image alone is kept with it; the rest is shared with others. */
static bool is_own(const char *type)
{
    static const char *const own[] = {"manifest", "docker_history", "dockerfile", "config"};
    for (size_t i = 0; i < KE_ARRAY_LEN(own); i++)
        if (strcmp(type, own[i]) == 0)
            return true;
    return false;
}

int analysis_put(struct db_tx *tx, struct documents *d, str account, str digest, str repository,
                 const struct inventory *inv, str document, const struct analysis *s, struct err *e)
{
    struct document_part parts[ANALYSIS_DOCUMENTS + 2];
    size_t n = 0;
    auto_buf family;
    buf_init(&family, 64 << 10);
    if (repository.n)
        buf_addf(&family, "%.*s %.*s %.*s", STR_ARG(account), STR_ARG(repository),
                 STR_ARG(inv->architecture));
    for (; n < s->n_documents; n++) {
        const char *type = s->documents[n].type;
        parts[n] =
            (struct document_part){str_z(type), buf_view(&s->documents[n].text), is_own(type)};
    }
    /* The configuration, for policies; the manifest is there since the image was added. */
    if (inv->config_json.n)
        parts[n++] = (struct document_part){STR("config"), inv->config_json, true};
    parts[n++] = (struct document_part){STR(INVENTORY_PART), document, false};
    int rc = document_put_parts(d, tx, account, STR(CONTENT_BUCKET), digest, buf_view(&family),
                                parts, n, e);
    if (rc >= 0) /* of an earlier version */
        rc = document_delete(d, tx, account, STR(INVENTORY_BUCKET), digest, e);
    return rc < 0 ? rc : image_packages_put(tx, account, digest, 0, inv, e);
}

static str or_null(str s)
{
    return s.n ? s : (str){0};
}

static int put_facts(struct db_tx *tx, struct analyzer_job *job, struct err *e)
{
    const struct inventory *inv = job->inv;
    str id = inv->config_digest, prefix = STR("sha256:");
    struct image_facts f = {
        .arch = or_null(inv->architecture),
        .distro = or_null(inv->release.id),
        .distro_version = or_null(inv->release.version_id),
        .dockerfile = job->analysis->dockerfile,
        .dockerfile_mode = job->analysis->dockerfile_mode,
        .id = job->import_uuid.p ? (str){0}
                                 : or_null(str_starts(id, prefix) ? str_from(id, prefix.n) : id),
        .size = job->analysis->size,
        .layers = (int64_t)inv->n_layers,
    };
    int rc = image_set_facts(tx, job->account, job->digest, &f, e);
    if (rc < 0)
        return rc;
    int64_t n = db_exec(tx,
                        "UPDATE catalog_image SET problems = $3, layer_chain = $4"
                        " WHERE account = $1 AND image_digest = $2",
                        DB(DBS(job->account), DBS(job->digest), DBSN(job->analysis->problems),
                           DBZ(inv->n_layers ? job->chain : NULL)),
                        e);
    return n < 0 ? (int)n : 0;
}

static str resource_of(const struct image_record *r, str digest)
{
    const struct image_tag *t = r->n_tags ? image_newest_tag(r) : NULL;
    return t ? t->fulltag : digest;
}

static int tell(struct db_tx *tx, struct engine *en, const struct image_record *r, str account,
                str digest, const char *type, str reason, struct err *e)
{
    struct arena a;
    arena_init(&a, 1 << 20);
    static const char *const names[] = {"image_digest", "error"};
    str values[] = {digest, reason};
    struct event ev = {
        .engine = en,
        .service = SERVICE_ANALYZER,
        .type = type,
        .account = account,
        .resource_id = resource_of(r, digest),
        .details = event_details(&a, names, values, reason.n ? 2 : 1),
    };
    int rc = event_add(tx, &ev, e);
    arena_done(&a);
    return rc;
}

/* To each of the image's tags that asked for it. */
static int notify_tags(struct db_tx *tx, const struct image_record *r, const char *from,
                       const char *to, struct err *e)
{
    int rc = 0;
    auto_buf b;
    buf_init(&b, NOTIFICATION_MAX);
    for (int i = 0; i < 2; i++) {
        buf_addf(&b, "%s{\"analysis_status\": \"%s\", \"annotations\": ",
                 i ? ", \"curr_eval\": " : "\"last_eval\": ", i ? to : from);
        buf_add_str(&b, r->annotations.n ? r->annotations : STR("{}"));
        buf_add_str(&b, STR(", \"imageDigest\": "));
        json_put_string(&b, r->digest);
        buf_add_char(&b, '}');
    }
    buf_add_str(&b, STR(", \"annotations\": "));
    buf_add_str(&b, r->annotations.n ? r->annotations : STR("{}"));
    if ((rc = buf_check(&b, "a notification", e)) < 0)
        return rc;
    for (size_t i = 0; rc >= 0 && i < r->n_tags; i++) {
        const struct notification n = {.account = r->account,
                                       .type = STR("analysis_update"),
                                       .key = r->tags[i].fulltag,
                                       .members = buf_view(&b)};
        rc = notification_put(tx, &n, e);
    }
    return rc < 0 ? rc : 0;
}

static int end_import(struct db_tx *tx, struct analyzer_job *job, struct err *e)
{
    if (!job->import_uuid.p)
        return 0;
    int64_t n = db_exec(tx,
                        "UPDATE image_import SET status = 'complete', last_updated = now_us() "
                        "WHERE uuid = $1 AND account = $2",
                        DB(DBS(job->import_uuid), DBS(job->account)), e);
    return n < 0 ? (int)n : 0;
}

/* Versions of one image are much alike. */
static str repository_of(struct analyzer_job *job)
{
    if (!job->image.n_tags)
        return (str){0};
    const struct image_tag *t = image_newest_tag(&job->image);
    return arena_printf(&job->arena, "%.*s/%.*s", STR_ARG(t->registry), STR_ARG(t->repo));
}

static int store_tx(struct db_tx *tx, void *ctx, struct err *e)
{
    struct analyzer_job *job = ctx;
    str repository = repository_of(job);
    /* First: whoever lost the lease must not write. */
    int rc = queue_done(tx, STR(ANALYZER_QUEUE), job->item->receipt, e);
    if (rc >= 0)
        rc = image_set_status(tx, job->account, job->digest, 1 << IMAGE_ANALYZING, IMAGE_ANALYZED,
                              str_z(job->en->host_id), STR("analysis completed"), e);
    if (rc >= 0)
        rc = put_facts(tx, job, e);
    if (rc >= 0)
        rc = analysis_put(tx, job->en->documents, job->account, job->digest, repository, job->inv,
                          buf_view(&job->inventory), job->analysis, e);
    if (rc >= 0)
        rc = end_import(tx, job, e);
    if (rc >= 0)
        rc = tell(tx, job->en, &job->image, job->account, job->digest,
                  "user.image.analysis.completed", (str){0}, e);
    if (rc >= 0)
        rc = notify_tags(tx, &job->image, "analyzing", "analyzed", e);
    return rc;
}

static void chain_of(struct analyzer_job *job)
{
    const struct inventory *inv = job->inv;
    str *layers = arena_calloc(&job->arena, inv->n_layers + 1, sizeof *layers);
    for (size_t i = 0; layers && i < inv->n_layers; i++)
        layers[i] = inv->layers[i].diff_id;
    image_chain(layers, layers ? inv->n_layers : 0, job->chain);
}

int analyzer_store(struct analyzer_job *job, struct err *e)
{
    buf_init(&job->inventory, INVENTORY_DOCUMENT_MAX);
    int rc = inventory_document_write(job->inv, &job->inventory, e);
    chain_of(job);
    return rc < 0 ? rc : db_run(job->en->db, DB_WRITE, store_tx, job, e);
}

/* ---- failures ----------------------------------------------------------------------------------
 */

static int put_reason(struct db_tx *tx, str account, str digest, str reason, struct err *e)
{
    auto_buf text;
    buf_init(&text, 1 << 20);
    buf_add_str(&text, STR("[\n  {\n    \"detail\": "));
    json_put_ascii(&text, reason);
    buf_add_str(&text, STR(",\n    \"path\": \"\",\n    \"what\": \"analysis\"\n  }\n]\n"));
    int64_t n = db_exec(tx,
                        "UPDATE catalog_image SET problems = $3 WHERE account = $1 AND "
                        "image_digest = $2",
                        DB(DBS(account), DBS(digest), DBS(buf_view(&text))), e);
    if (n >= 0)
        n = db_exec(tx,
                    "UPDATE image_import SET status = 'failed', last_updated = now_us() WHERE "
                    "account = $1 AND status = 'processing' AND image_digest = $2",
                    DB(DBS(account), DBS(digest)), e);
    return n < 0 ? (int)n : 0;
}

int analyzer_give_up(struct db_tx *tx, struct engine *en, str account, str digest, str reason,
                     struct err *e)
{
    struct arena a;
    struct image_record r;
    arena_init(&a, 64 << 20);
    int rc = image_get(tx, &a, account, digest, &r, e);
    if (rc == 1) {
        rc = image_set_status(tx, account, digest, 1 << IMAGE_ANALYZING | 1 << IMAGE_NOT_ANALYZED,
                              IMAGE_ANALYSIS_FAILED, str_z(en->host_id), reason, e);
        if (rc >= 0)
            rc = put_reason(tx, account, digest, reason, e);
        if (rc >= 0)
            rc = tell(tx, en, &r, account, digest, "user.image.analysis.failed", reason, e);
        if (rc >= 0)
            rc = notify_tags(tx, &r, "analyzing", "analysis_failed", e);
    }
    arena_done(&a);
    return rc < 0 ? rc : 0;
}

int analyzer_item_dead(struct db_tx *tx, const struct queue_item *q, void *ctx, struct err *e)
{
    if (!str_eq(q->queue, STR(ANALYZER_QUEUE)))
        return 0;
    auto_json *doc = NULL;
    struct err ignored = {0};
    if (json_parse(q->payload, "queue item", &doc, &ignored) < 0)
        return 0;
    str digest = json_str(yyjson_doc_get_root(doc), "imageDigest");
    str reason = q->reason.n ? q->reason : STR("every worker that took the image died");
    int rc = analyzer_give_up(tx, ctx, q->account, digest, reason, e);
    return rc == ERR_CONFLICT || rc == ERR_NOT_FOUND ? 0 : rc;
}
