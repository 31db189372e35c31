#include "services/policy_engine/policy_scan.h"

#include "base/auto.h"
#include "net/base64.h"
#include "services/analyzer/analysis.h"
#include "services/policy_engine/policy_facts.h"
#include "services/policy_engine/vuln_rows.h"
#include "services/policy_engine/vuln_seen.h"

enum { SCAN_MAX = 256 << 20, PARTS_ALL = PART_FILES | PART_MANIFESTS };

struct policy_scan {
    struct arena arena;
    struct policy_subject subject;
    struct policy_name name;
    struct analysis *analysis;
    struct policy_image_facts *image;
    struct finding_facts *findings;
    yyjson_doc *rows;
    struct policy_feeds feeds;
    struct policy_lineage lineage;
    struct policy_upstream npm, gem;
    struct upstream_source npm_source, gem_source;
    const struct inventory *inv;
    struct policy_documents kept;
    struct buf record; /* document "record": what is known of the image beside its documents */
};

int policy_scan_settings(const char *file, bool hints, struct analyzer_settings **out,
                         struct err *e)
{
    autofree struct config *c = calloc(1, sizeof *c);
    if (!c)
        return err_no_memory(e);
    c->analyzer_config = file;
    c->owned_package_filtering = true;
    c->hints_enabled = hints;
    return analyzer_settings_load(c, out, e);
}

static int read_document(void *ctx, const char *type, struct buf *out, struct err *e)
{
    struct policy_scan *s = ctx;
    if (s->kept.read)
        return s->kept.read(s->kept.ctx, type, out, e);
    str text =
        strcmp(type, "config") == 0 ? s->inv->config_json : analysis_document(s->analysis, type);
    buf_add_str(out, text);
    int rc = buf_check(out, type, e);
    return rc < 0 ? rc : text.n > 0;
}

static str bare(str digest)
{
    str prefix = STR("sha256:");
    return str_starts(digest, prefix) ? str_from(digest, prefix.n) : digest;
}

static int facts_of(struct policy_scan *s, const struct policy_scan_options *o,
                    const struct policy_origin *more, struct err *e)
{
    const struct inventory *inv = o->inv;
    const struct policy_origin origin = {
        .id = bare(inv->config_digest),
        .digest = inv->manifest_digest.n ? inv->manifest_digest : inv->config_digest,
        .architecture = inv->architecture,
        .distro = inv->release.id,
        .distro_version = inv->release.version_id,
        .dockerfile = more->dockerfile,
        .dockerfile_mode = more->dockerfile_mode,
        .size = more->size,
        .layers = (int64_t)inv->n_layers,
    };
    return policy_image_facts_new(&origin, inv, (struct policy_documents){read_document, s},
                                  PARTS_ALL, &s->image, e);
}

static int write_record(struct policy_scan *s, const struct policy_origin *more, struct err *e)
{
    buf_addf(&s->record, "{\"size\": %lld, \"dockerfile_mode\": ", (long long)more->size);
    json_put_string(&s->record, more->dockerfile_mode);
    if (more->dockerfile.p) {
        buf_add_str(&s->record, STR(", \"dockerfile\": "));
        json_put_string(&s->record, more->dockerfile);
    }
    buf_add_char(&s->record, '}');
    return buf_check(&s->record, "an image's record", e);
}

static int remember(struct policy_scan *s, const struct policy_scan_options *o, struct err *e)
{
    auto_json *doc = NULL;
    int rc = o->kept.read(o->kept.ctx, "record", &s->record, e);
    if (rc == 0)
        rc = err_set(e, ERR_NOT_FOUND, "nothing was kept of this image's analysis");
    if (rc > 0)
        rc = json_parse(buf_view(&s->record), "an image's record", &doc, e);
    if (rc < 0)
        return rc;
    yyjson_val *v = yyjson_doc_get_root(doc);
    const struct policy_origin more = {
        .dockerfile = json_str(v, "dockerfile"),
        .dockerfile_mode = json_str(v, "dockerfile_mode"),
        .size = yyjson_get_sint(json_get(v, "size")),
    };
    return facts_of(s, o, &more, e);
}

static int analyse(struct policy_scan *s, const struct policy_scan_options *o, struct err *e)
{
    auto_buf encoded;
    buf_init(&encoded, 32 << 20);
    str digest = o->inv->manifest_digest.n ? o->inv->manifest_digest : o->inv->config_digest;
    struct analysis_input in = {
        .digest = digest, .inv = o->inv, .settings = o->settings, .imported = o->imported};
    if (o->dockerfile.p)
        base64_encode(o->dockerfile, &encoded);
    in.dockerfile = buf_view(&encoded);
    int rc = buf_check(&encoded, "the Dockerfile", e);
    if (rc >= 0)
        rc = analysis_make(&in, &s->analysis, e);
    if (rc < 0)
        return rc;
    const struct policy_origin more = {
        .dockerfile = o->dockerfile.p ? in.dockerfile : s->analysis->dockerfile,
        .dockerfile_mode = s->analysis->dockerfile_mode,
        .size = s->analysis->size,
    };
    rc = write_record(s, &more, e);
    return rc < 0 ? rc : facts_of(s, o, &more, e);
}

static int find(struct policy_scan *s, const struct policy_scan_options *o, struct err *e)
{
    yyjson_mut_doc *doc = yyjson_mut_doc_new(NULL);
    yyjson_mut_val *rows = NULL;
    auto_buf before; /* when findings were first seen */
    buf_init(&before, SCAN_MAX);
    int rc =
        doc ? vuln_rows(o->db, o->inv, (struct content_reader){read_document, s}, doc, &rows, e)
            : err_no_memory(e);
    if (rc >= 0 && s->kept.read)
        rc = s->kept.read(s->kept.ctx, "seen", &before, e);
    if (rc >= 0)
        rc = vuln_seen_note(buf_view(&before), o->now_us, doc, rows, e);
    if (rc >= 0)
        s->rows = yyjson_mut_val_imut_copy(rows, NULL);
    yyjson_mut_doc_free(doc);
    if (rc < 0 || !s->rows)
        return rc < 0 ? rc : err_no_memory(e);
    rc = finding_facts_new(yyjson_doc_get_root(s->rows), s->image, o->inv, o->db, &s->findings, e);
    if (rc >= 0 && o->vex) {
        const struct policy_findings *f = &s->findings->findings;
        vex_mark(o->vex, &s->image->image, s->name.text,
                 (struct policy_finding *)(uintptr_t)f->items, f->n);
    }
    return rc;
}

static void fill_data(struct policy_scan *s, const struct policy_scan_options *o)
{
    size_t n = 0;
    auto_buf platform;
    buf_init(&platform, 4096);
    const struct vulndb_source *list = o->db ? vulndb_sources(o->db, &n) : NULL;
    for (size_t i = 0; i < n; i++)
        if (list[i].loaded * 1000000 > s->feeds.built_us)
            s->feeds.built_us = list[i].loaded * 1000000;
    s->feeds.covers_distro = policy_covers_distro(o->db, &o->inv->release, &platform);
    if (s->feeds.covers_distro)
        s->feeds.synced_us = vulndb_loaded(o->db, buf_view(&platform)) * 1000000;
    s->npm_source = (struct upstream_source){o->db, "packages:npm", &s->arena};
    s->gem_source = (struct upstream_source){o->db, "packages:gem", &s->arena};
    s->subject.feeds = &s->feeds;
    if (upstream_source_open(&s->npm_source, &s->npm))
        s->subject.npm = &s->npm;
    if (upstream_source_open(&s->gem_source, &s->gem))
        s->subject.gem = &s->gem;
}

int policy_scan_new(const struct policy_scan_options *o, struct policy_scan **out, struct err *e)
{
    struct policy_scan *s = calloc(1, sizeof *s);
    if (!s)
        return err_no_memory(e);
    arena_init(&s->arena, SCAN_MAX);
    buf_init(&s->record, SCAN_MAX);
    s->inv = o->inv;
    s->kept = o->kept;
    int rc = policy_name_of(o->tag, o->inv, &s->arena, &s->name, e);
    if (rc >= 0)
        rc = s->kept.read ? remember(s, o, e) : analyse(s, o, e);
    if (rc >= 0)
        rc = find(s, o, e);
    if (rc < 0) {
        policy_scan_free(s);
        return rc;
    }
    s->subject = (struct policy_subject){
        .account = STR("admin"),
        .tag = s->name.text,
        .image = &s->image->image,
        .findings = &s->findings->findings,
        .lineage = &s->lineage, /* nothing is known of other images */
        .now_us = o->now_us,
    };
    fill_data(s, o);
    *out = s;
    return 0;
}

void policy_scan_free(struct policy_scan *s)
{
    if (!s)
        return;
    finding_facts_free(s->findings);
    policy_image_facts_free(s->image);
    analysis_free(s->analysis);
    yyjson_doc_free(s->rows);
    buf_done(&s->record);
    arena_done(&s->arena);
    free(s);
}

const struct policy_subject *policy_scan_subject(const struct policy_scan *s)
{
    return &s->subject;
}

const struct policy_name *policy_scan_name(const struct policy_scan *s)
{
    return &s->name;
}

int policy_scan_keep(const struct policy_scan *s,
                     int (*fn)(void *ctx, const char *type, str text, struct err *e), void *ctx,
                     struct err *e)
{
    size_t n = 0;
    char *seen autofree = yyjson_write(s->rows, 0, &n);
    int rc = seen ? fn(ctx, "seen", (str){seen, n}, e) : err_no_memory(e);
    if (rc >= 0 && !s->kept.read)
        rc = fn(ctx, "record", buf_view(&s->record), e);
    if (rc >= 0 && !s->kept.read)
        rc = fn(ctx, "config", s->inv->config_json, e);
    for (size_t i = 0; rc >= 0 && s->analysis && i < s->analysis->n_documents; i++)
        if (strcmp(s->analysis->documents[i].type, "sbom") != 0)
            rc = fn(ctx, s->analysis->documents[i].type, buf_view(&s->analysis->documents[i].text),
                    e);
    return rc < 0 ? rc : 0;
}
