#include "services/policy_engine/policy_load.h"

#include "base/auto.h"
#include "codec/json.h"
#include "services/analyzer/analysis.h"
#include "services/inventory_document.h"
#include "services/policy_record.h"

enum {
    LOAD_MAX = 256 << 20,
    KEY_MAX = 1200,
    ANCESTORS_MAX = 64,
};

struct policy_loads {
    struct keeper *images, *findings, *bundles, *vex;
};

int policy_loads_new(size_t max_bytes, struct policy_loads **out, struct err *e)
{
    struct policy_loads *l = calloc(1, sizeof *l);
    size_t part = max_bytes / 7;
    int rc = l ? keeper_new(3 * part, &l->images, e) : err_no_memory(e);
    if (rc == 0)
        rc = keeper_new(2 * part, &l->findings, e);
    if (rc == 0)
        rc = keeper_new(part, &l->bundles, e);
    if (rc == 0)
        rc = keeper_new(part, &l->vex, e);
    if (rc < 0)
        policy_loads_free(l);
    else
        *out = l;
    return rc;
}

void policy_loads_free(struct policy_loads *l)
{
    if (!l)
        return;
    keeper_free(l->images);
    keeper_free(l->findings);
    keeper_free(l->bundles);
    keeper_free(l->vex);
    free(l);
}

/* ---- bundles -----------------------------------------------------------------------------------
 */

static void bundle_end(struct kept *k)
{
    struct kept_bundle *b = (struct kept_bundle *)k;
    policy_bundle_free(b->bundle);
    free(b);
}

struct bundle_read {
    struct engine *en;
    str account, id;
    struct buf *out;
};

static int read_bundle(struct db_tx *tx, void *ctx, struct err *e)
{
    struct bundle_read *b = ctx;
    buf_clear(b->out);
    return policy_bundle(b->en, tx, b->account, b->id, b->out, e);
}

int policy_load_bundle(struct engine *en, struct policy_loads *l, str account, str id,
                       int64_t updated, struct kept_bundle **out, struct err *e)
{
    char key[KEY_MAX];
    snprintf(key, sizeof key, "%.*s/%.*s/%lld", STR_ARG(account), STR_ARG(id), (long long)updated);
    if ((*out = (struct kept_bundle *)keeper_take(l->bundles, str_z(key))))
        return 0;
    auto_buf text;
    buf_init(&text, BUNDLE_BYTES_MAX);
    struct bundle_read read = {en, account, id, &text};
    int rc = db_run(en->db, DB_READ, read_bundle, &read, e);
    if (rc < 0)
        return rc;
    struct kept_bundle *b = calloc(1, sizeof *b);
    if (!b)
        return err_no_memory(e);
    b->kept = (struct kept){.free = bundle_end, .uses = 1, .bytes = text.n * 8 + 65536};
    rc = policy_bundle_new(buf_view(&text), &b->bundle, e);
    if (rc < 0) {
        kept_drop(&b->kept);
        return rc;
    }
    keeper_put(l->bundles, str_z(key), &b->kept);
    *out = b;
    return 0;
}

/* ---- images ------------------------------------------------------------------------------------
 */

struct kept_image {
    struct kept kept;
    struct policy_image_facts *facts;
    struct inventory *inv;
};

static void image_end(struct kept *k)
{
    struct kept_image *i = (struct kept_image *)k;
    policy_image_facts_free(i->facts);
    inventory_free(i->inv);
    free(i);
}

struct image_read {
    struct engine *en;
    struct db_tx *tx;
    const struct image_record *record;
    unsigned parts;
    struct kept_image *out;
};

static int get_document(struct image_read *r, struct db_tx *tx, const char *bucket,
                        const char *suffix, struct buf *out, struct err *e)
{
    char key[KEY_MAX];
    snprintf(key, sizeof key, "%.*s%s%s", STR_ARG(r->record->digest), *suffix ? "/" : "", suffix);
    return document_get(r->en->documents, tx, r->record->account, str_z(bucket), str_z(key), out,
                        e);
}

static int read_document(void *ctx, const char *type, struct buf *out, struct err *e)
{
    struct image_read *r = ctx;
    struct err why = {0};
    int rc = get_document(r, r->tx, CONTENT_BUCKET, type, out, &why);
    if (rc == ERR_NOT_FOUND)
        return 0;
    return rc < 0 ? err_set(e, why.code, "%s", why.text) : 1;
}

static int read_image(struct db_tx *tx, void *ctx, struct err *e)
{
    struct image_read *r = ctx;
    const struct image_record *record = r->record;
    auto_buf bytes;
    buf_init(&bytes, INVENTORY_DOCUMENT_MAX);
    policy_image_facts_free(TAKE(r->out->facts));
    inventory_free(TAKE(r->out->inv));
    r->tx = tx;
    int rc =
        inventory_document_get(r->en->documents, tx, record->account, record->digest, &bytes, e);
    if (rc == ERR_NOT_FOUND)
        return err_set(e, ERR_FORMAT, "the image's list of packages is not stored");
    if (rc >= 0)
        rc = inventory_document_read(buf_view(&bytes), &r->out->inv, e);
    if (rc < 0)
        return rc;
    const struct policy_origin o = {
        .id = record->id,
        .digest = record->digest,
        .architecture = record->arch,
        .distro = record->distro,
        .distro_version = record->distro_version,
        .dockerfile = record->dockerfile,
        .dockerfile_mode = record->dockerfile_mode,
        .size = record->size,
        .layers = record->layers,
    };
    return policy_image_facts_new(&o, r->out->inv, (struct policy_documents){read_document, r},
                                  r->parts, &r->out->facts, e);
}

/* The facts of an image with at least `parts` of its large parts. */
static int load_image(struct engine *en, struct policy_loads *l, const struct image_record *record,
                      unsigned parts, struct kept_image **out, struct err *e)
{
    char key[KEY_MAX];
    snprintf(key, sizeof key, "%.*s/%.*s/%lld/%lld", STR_ARG(record->account),
             STR_ARG(record->digest), (long long)record->analyzed, (long long)record->updated);
    struct kept_image *found = (struct kept_image *)keeper_take(l->images, str_z(key));
    if (found && (found->facts->image.have & parts) == parts) {
        *out = found;
        return 0;
    }
    if (found)
        parts |= found->facts->image.have & POLICY_LARGE_PARTS;
    kept_drop((struct kept *)found);
    struct kept_image *made = calloc(1, sizeof *made);
    if (!made)
        return err_no_memory(e);
    made->kept = (struct kept){.free = image_end, .uses = 1};
    struct image_read r = {.en = en, .record = record, .parts = parts, .out = made};
    int rc = db_run(en->db, DB_READ, read_image, &r, e);
    if (rc < 0) {
        kept_drop(&made->kept);
        return rc;
    }
    made->kept.bytes = made->facts->arena.used + made->inv->arena.used;
    keeper_put(l->images, str_z(key), &made->kept);
    *out = made;
    return 0;
}

/* ---- findings ----------------------------------------------------------------------------------
 */

struct kept_findings {
    struct kept kept;
    struct finding_facts *facts;
    struct kept *image; /* findings name its packages */
};

static void findings_end(struct kept *k)
{
    struct kept_findings *f = (struct kept_findings *)k;
    finding_facts_free(f->facts);
    kept_drop(f->image);
    free(f);
}

static int load_findings(struct engine *en, struct policy_loads *l, struct vuln_reports *reports,
                         const struct image_record *record, struct kept_image *image,
                         const struct vulndata_view *data, struct kept_findings **out,
                         struct err *e)
{
    char key[KEY_MAX];
    snprintf(key, sizeof key, "%s/%s", image->kept.key ? image->kept.key : "", data->generation);
    if (image->kept.key && (*out = (struct kept_findings *)keeper_take(l->findings, str_z(key))))
        return 0;
    auto_report *report = NULL;
    int rc = vuln_report_take(en, reports, record->account, record->digest, false, &report, e);
    if (rc < 0)
        return rc;
    struct kept_findings *made = calloc(1, sizeof *made);
    if (!made)
        return err_no_memory(e);
    made->kept = (struct kept){.free = findings_end, .uses = 1};
    made->image = &image->kept;
    image->kept.uses++;
    rc = finding_facts_new(vuln_report_rows(report), image->facts, image->inv, data->db,
                           &made->facts, e);
    if (rc < 0) {
        kept_drop(&made->kept);
        return rc;
    }
    made->kept.bytes = made->facts->arena.used;
    if (image->kept.key)
        keeper_put(l->findings, str_z(key), &made->kept);
    *out = made;
    return 0;
}

/* ---- feeds and lineage -------------------------------------------------------------------------
 */

struct more_read {
    struct policy_load *p;
    const struct image_record *record;
    str tag, platform;
    unsigned needs;
    str before; /* digest of the image that the tag named before; p NULL: none */
    struct image_record before_record;
};

static int read_synced(struct db_tx *tx, struct more_read *m, struct err *e)
{
    auto_rows *rows = NULL;
    int rc = db_query(tx,
                      "SELECT COALESCE(MAX(CASE WHEN group_name = $1 THEN last_sync END), 0),"
                      " COALESCE(MAX(last_sync), 0) FROM feed_group",
                      DB(DBS(m->platform)), &rows, e);
    if (rc < 0 || (rc = db_next(rows, e)) != 1)
        return rc;
    if (m->p->feeds.covers_distro)
        m->p->feeds.synced_us = db_int(rows, 0) ? db_int(rows, 0) : db_int(rows, 1);
    return 0;
}

static int read_before(struct db_tx *tx, struct more_read *m, struct err *e)
{
    auto_rows *rows = NULL;
    struct arena *a = &m->p->arena;
    m->before = (str){0};
    int rc = db_query(tx,
                      "SELECT image_digest FROM catalog_image_tag WHERE account = $1 AND"
                      " fulltag = $2 AND image_digest <> $3 AND tag_detected_at <= (SELECT"
                      " MAX(tag_detected_at) FROM catalog_image_tag WHERE account = $1 AND"
                      " fulltag = $2 AND image_digest = $3) ORDER BY tag_detected_at DESC,"
                      " image_digest LIMIT 1",
                      DB(DBS(m->record->account), DBS(m->tag), DBS(m->record->digest)), &rows, e);
    if (rc < 0 || (rc = db_next(rows, e)) != 1)
        return rc;
    str digest = arena_dup(a, db_text(rows, 0));
    db_rows_close(TAKE(rows));
    rc = image_get(tx, a, m->record->account, digest, &m->before_record, e);
    if (rc == 1 && str_eq(m->before_record.analysis_status, STR("analyzed")))
        m->before = digest;
    return rc;
}

/* A row of an ancestor's digest and one of its tags, or none. */
static int add_ancestor(struct arena *a, struct policy_ancestor *list, size_t *n,
                        struct db_rows *row, struct err *e)
{
    str digest = db_text(row, 0), tag = db_text(row, 1);
    struct policy_ancestor *x = *n ? &list[*n - 1] : NULL;
    if (!x || !str_eq(x->digest, digest)) {
        if (*n == ANCESTORS_MAX)
            return 0;
        x = &list[(*n)++];
        x->digest = arena_dup(a, digest);
    }
    if (!tag.n)
        return 0;
    if (!(x->n_tags & (x->n_tags - 1))) { /* the list doubles when it is full */
        str *more = arena_calloc(a, x->n_tags ? 2 * x->n_tags : 1, sizeof *more);
        if (!more)
            return err_no_memory(e);
        if (x->n_tags)
            memcpy(more, x->tags, x->n_tags * sizeof *more);
        x->tags = more;
    }
    ((str *)(uintptr_t)x->tags)[x->n_tags++] = arena_dup(a, tag);
    return 0;
}

static int read_ancestors(struct db_tx *tx, struct more_read *m, struct err *e)
{
    struct arena *a = &m->p->arena;
    const struct policy_image *im = m->p->subject.image;
    struct policy_ancestor *list = arena_calloc(a, ANCESTORS_MAX, sizeof *list);
    size_t n = 0;
    char chain[IMAGE_CHAIN];
    int rc = 0;
    if (!list)
        return err_no_memory(e);
    for (size_t k = im->n_diff_ids; rc >= 0 && k-- > 1 && n < ANCESTORS_MAX;) {
        auto_rows *rows = NULL;
        image_chain(im->layers, k, chain);
        rc = db_query(tx,
                      "SELECT i.image_digest, COALESCE(t.fulltag, '') FROM catalog_image i LEFT"
                      " JOIN catalog_image_tag t ON t.account = i.account AND t.image_digest ="
                      " i.image_digest WHERE i.account = $1 AND i.layer_chain = $2 ORDER BY"
                      " i.image_digest, t.fulltag",
                      DB(DBS(m->record->account), DBZ(chain)), &rows, e);
        while (rc >= 0 && (rc = db_next(rows, e)) == 1)
            rc = add_ancestor(a, list, &n, rows, e);
    }
    m->p->lineage.ancestors = list;
    m->p->lineage.n_ancestors = n;
    return rc < 0 ? rc : 0;
}

static int read_more(struct db_tx *tx, void *ctx, struct err *e)
{
    struct more_read *m = ctx;
    int rc = m->needs & PART_FEEDS ? read_synced(tx, m, e) : 0;
    if (rc >= 0 && m->needs & PART_HISTORY)
        rc = read_ancestors(tx, m, e);
    if (rc >= 0 && m->needs & PART_HISTORY && m->tag.n)
        rc = read_before(tx, m, e);
    return rc < 0 ? rc : 0;
}

static void fill_feeds(struct policy_load *p, const struct kept_image *image, struct buf *platform)
{
    size_t n = 0;
    int64_t newest = 0;
    const struct vulndb_source *list = p->data->db ? vulndb_sources(p->data->db, &n) : NULL;
    for (size_t i = 0; i < n; i++)
        if (list[i].loaded > newest)
            newest = list[i].loaded;
    p->feeds.built_us = newest * 1000000;
    p->feeds.covers_distro = policy_covers_distro(p->data->db, &image->inv->release, platform);
    p->subject.feeds = &p->feeds;
}

static void fill_upstream(struct policy_load *p)
{
    p->npm_source = (struct upstream_source){p->data->db, "packages:npm", &p->arena};
    p->gem_source = (struct upstream_source){p->data->db, "packages:gem", &p->arena};
    if (upstream_source_open(&p->npm_source, &p->npm))
        p->subject.npm = &p->npm;
    if (upstream_source_open(&p->gem_source, &p->gem))
        p->subject.gem = &p->gem;
}

static int fill_annotations(struct policy_load *p, str json, struct err *e)
{
    auto_json *doc = NULL;
    size_t i, n, count = 0;
    yyjson_val *key, *v;
    if (!json.n || json_parse(json, "annotations", &doc, NULL) < 0)
        return 0;
    yyjson_val *root = yyjson_doc_get_root(doc);
    struct policy_annotation *list =
        arena_calloc(&p->arena, yyjson_obj_size(root) + 1, sizeof *list);
    if (!list)
        return err_no_memory(e);
    yyjson_obj_foreach(root, i, n, key, v)
    {
        list[count].name = arena_dup(&p->arena, json_text(key));
        list[count++].value = arena_dup(&p->arena, json_text(v));
    }
    p->subject.annotations = list;
    p->subject.n_annotations = count;
    return 0;
}

static int load_before(struct engine *en, struct policy_loads *l, struct more_read *m,
                       struct policy_load *p, struct err *e)
{
    struct kept_image *before;
    p->subject.lineage = &p->lineage;
    if (!m->before.p)
        return 0;
    int rc = load_image(en, l, &m->before_record, 0, &before, e);
    if (rc < 0)
        return rc;
    p->before = &before->kept;
    p->lineage.before = before->facts->image.packages;
    p->lineage.n_before = before->facts->image.n_packages;
    p->lineage.has_before = true;
    return 0;
}

/* What was found just now, while the question was under way, was found by then. */
static int64_t not_before(int64_t now, const struct policy_findings *f)
{
    for (size_t i = 0; i < f->n; i++) {
        if (f->items[i].detected_us > now)
            now = f->items[i].detected_us;
        if (f->items[i].fix_observed_us > now)
            now = f->items[i].fix_observed_us;
    }
    return now;
}

/* Findings are shared: what documents say of them is put to a copy. */
static int mark_findings(struct engine *en, struct policy_loads *l, struct policy_load *p,
                         struct err *e)
{
    const struct policy_findings *all = p->subject.findings;
    struct kept_vex *vex = NULL;
    int rc = vex_store_get(en, l->vex, p->subject.account, &vex, e);
    if (rc < 0 || !vex)
        return rc;
    struct policy_finding *items = arena_calloc(&p->arena, all->n + 1, sizeof *items);
    if (items) {
        memcpy(items, all->items, all->n * sizeof *items);
        vex_mark(vex->vex, p->subject.image, p->subject.tag, items, all->n);
        p->marked = *all;
        p->marked.items = items;
        p->subject.findings = &p->marked;
    }
    kept_drop(&vex->kept);
    return items ? 0 : err_no_memory(e);
}

int policy_load_subject(struct engine *en, struct policy_loads *l, struct vuln_reports *reports,
                        const struct image_record *record, str tag, unsigned needs, int64_t now_us,
                        struct policy_load *p, struct err *e)
{
    struct kept_image *image;
    struct kept_findings *findings = NULL;
    auto_buf platform;
    memset(p, 0, sizeof *p);
    arena_init(&p->arena, LOAD_MAX);
    buf_init(&platform, 4096);
    p->data = vulndata_take(en->vulndata);
    int rc = load_image(en, l, record, needs & POLICY_LARGE_PARTS, &image, e);
    if (rc < 0)
        return rc;
    p->image = &image->kept;
    p->subject = (struct policy_subject){
        .account = arena_dup(&p->arena, record->account),
        .tag = arena_dup(&p->arena, tag),
        .image = &image->facts->image,
        .now_us = now_us,
    };
    if (needs & PART_FINDINGS)
        rc = load_findings(en, l, reports, record, image, p->data, &findings, e);
    if (findings) {
        p->findings = &findings->kept;
        p->subject.findings = &findings->facts->findings;
        p->subject.now_us = not_before(now_us, &findings->facts->findings);
        rc = mark_findings(en, l, p, e);
    }
    if (rc >= 0)
        rc = fill_annotations(p, record->annotations, e);
    if (needs & PART_FEEDS)
        fill_feeds(p, image, &platform);
    if (needs & PART_UPSTREAM)
        fill_upstream(p);
    struct more_read m = {
        .p = p, .record = record, .tag = tag, .platform = buf_view(&platform), .needs = needs};
    if (!m.platform.p)
        m.platform = STR("");
    if (rc >= 0 && needs & (PART_FEEDS | PART_HISTORY))
        rc = db_run(en->db, DB_READ, read_more, &m, e);
    if (rc >= 0 && needs & PART_HISTORY)
        rc = load_before(en, l, &m, p, e);
    return rc < 0 ? rc : p->arena.full ? err_no_memory(e) : 0;
}

void policy_load_done(struct policy_load *p)
{
    kept_drop(p->findings);
    kept_drop(p->image);
    kept_drop(p->before);
    vulndata_drop(p->data);
    arena_done(&p->arena);
}
