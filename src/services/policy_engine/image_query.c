#include "services/policy_engine/image_query.h"

#include "base/auto.h"
#include "base/buf.h"
#include "base/map.h"
#include "base/vec.h"
#include "services/call.h"
#include "services/package_identity.h"
#include "services/policy_engine/vuln_query.h"
#include "services/policy_engine/vuln_rows.h"
#include "services/policy_engine/vulndata.h"
#include "store/posting.h"

enum { SCRATCH_MAX = 256 << 20 };

/* ---- images of packages ------------------------------------------------------------------------
 */

typedef VEC(str) digest_list;

struct having {
    str account;
    struct arena *a;
    struct map others; /* images that are not to be told of */
    struct posting_reader *reader;
    digest_list *out;
};

static int read_others(struct db_tx *tx, struct having *h, struct err *e)
{
    auto_rows *rows = NULL;
    int r = db_query(tx,
                     "SELECT image_digest FROM catalog_image WHERE account = $1"
                     " AND analysis_status <> 'analyzed' UNION SELECT image_digest FROM"
                     " catalog_image WHERE account = $2 AND image_status <> 'active'",
                     DB(DBS(h->account), DBS(h->account)), &rows, e);
    while (r >= 0 && (r = db_next(rows, e)) == 1) {
        str digest = arena_dup(h->a, db_text(rows, 0));
        if (!digest.p || !map_put(&h->others, digest, h))
            return err_no_memory(e);
    }
    return r;
}

static int add_having(void *ctx, const struct posting_image *i, struct err *e)
{
    struct having *h = ctx;
    if (map_get(&h->others, i->digest))
        return 0;
    str digest = arena_dup(h->a, i->digest), *slot = digest.p ? vec_push(h->out) : NULL;
    if (!slot)
        return err_no_memory(e);
    *slot = digest;
    return 0;
}

/* For questions about these packages, which it sorts and borrows. */
static int having_open(struct db_tx *tx, struct having *h, int64_t *packages, size_t n,
                       struct err *e)
{
    map_init(&h->others);
    if (n)
        qsort(packages, n, sizeof *packages, posting_id_order);
    int r = read_others(tx, h, e);
    return r < 0 ? r : posting_open_for(tx, packages, n, &h->reader, e);
}

static void having_close(struct having *h)
{
    posting_close(h->reader);
    map_done(&h->others);
}

/* The account's images that have one of the packages; each once. */
static int images_having(struct db_tx *tx, struct having *h, const int64_t *packages, size_t n,
                         digest_list *out, struct err *e)
{
    struct posting_set set;
    posting_set_init(&set);
    h->out = out;
    int r = posting_read_all(h->reader, packages, n, &set, e);
    if (r >= 0)
        r = posting_images(tx, &set, h->account, add_having, h, e);
    posting_set_done(&set);
    return r;
}

/* ---- by package --------------------------------------------------------------------------------
 */

struct found_package {
    int64_t id;
    str version;
    const char *type;
};

struct has_package {
    str digest;
    size_t kind; /* the first of those with this version and type */
};

struct by_package {
    const struct package_query *q;
    yyjson_mut_doc *doc;
    yyjson_mut_val *out;
    struct arena scratch;
    VEC(struct found_package) packages;
    VEC(struct has_package) images;
};

static int add_found(void *ctx, const struct posting_row *row, struct err *e)
{
    struct by_package *b = ctx;
    const struct package_query *q = b->q;
    struct package_identity id;
    struct err ignored = {0};
    if (package_identity_read(row->identity, &id, &ignored) < 0 || !str_eq(id.p.name, q->name) ||
        (q->version.n && !str_eq(id.p.version, q->version)))
        return 0;
    const char *type = package_type_shown(id.p.type);
    if (q->type.n && !str_eq(q->type, str_z(type)))
        return 0;
    str version = arena_dup(&b->scratch, id.p.version);
    struct found_package *slot = version.p ? vec_push(&b->packages) : NULL;
    if (!slot)
        return err_no_memory(e);
    *slot = (struct found_package){row->id, version, type};
    return 0;
}

static int found_order(const void *a, const void *b)
{
    const struct found_package *x = a, *y = b;
    int d = str_cmp(x->version, y->version);
    return d ? d : strcmp(x->type, y->type);
}

static int has_order(const void *a, const void *b)
{
    const struct has_package *x = a, *y = b;
    int d = str_cmp(x->digest, y->digest);
    return d ? d : (x->kind > y->kind) - (x->kind < y->kind);
}

/* Of the packages from..to, which look the same. */
static int read_kind(struct db_tx *tx, struct by_package *b, struct having *h, int64_t *ids,
                     size_t from, size_t to, struct err *e)
{
    digest_list digests = {0};
    qsort(ids + from, to - from, sizeof *ids, posting_id_order);
    int r = images_having(tx, h, ids + from, to - from, &digests, e);
    for (size_t i = 0; r >= 0 && i < digests.n; i++) {
        struct has_package *slot = vec_push(&b->images);
        if (!slot)
            r = err_no_memory(e);
        else
            *slot = (struct has_package){digests.p[i], from};
    }
    vec_done(&digests);
    return r;
}

static int read_kinds(struct db_tx *tx, struct by_package *b, struct err *e)
{
    size_t n = b->packages.n;
    struct having h = {.account = b->q->account, .a = &b->scratch};
    int64_t *ids autofree = calloc(2 * n, sizeof *ids);
    if (!ids)
        return err_no_memory(e);
    qsort(b->packages.p, n, sizeof *b->packages.p, found_order);
    for (size_t i = 0; i < n; i++)
        ids[i] = ids[n + i] = b->packages.p[i].id;
    int r = having_open(tx, &h, ids + n, n, e);
    for (size_t i = 0, to; r >= 0 && i < n; i = to) {
        for (to = i + 1; to < n; to++)
            if (found_order(&b->packages.p[i], &b->packages.p[to]) != 0)
                break;
        r = read_kind(tx, b, &h, ids, i, to, e);
    }
    having_close(&h);
    return r;
}

static int read_by_package(struct db_tx *tx, void *ctx, struct err *e)
{
    struct by_package *b = ctx;
    b->packages.n = b->images.n = 0;
    int r = b->q->name.n ? posting_named(tx, b->q->name, add_found, b, e) : 0;
    return r < 0 || !b->packages.n ? r : read_kinds(tx, b, e);
}

static void show_by_package(struct by_package *b)
{
    yyjson_mut_val *list = NULL;
    if (b->images.n)
        qsort(b->images.p, b->images.n, sizeof *b->images.p, has_order);
    for (size_t i = 0; i < b->images.n; i++) {
        const struct has_package *h = &b->images.p[i];
        const struct found_package *f = &b->packages.p[h->kind];
        if (!i || !str_eq(h[-1].digest, h->digest)) {
            yyjson_mut_val *image = yyjson_mut_arr_add_obj(b->doc, b->out);
            put_str(b->doc, image, "imageDigest", h->digest);
            list = yyjson_mut_obj_add_arr(b->doc, image, "packages");
        }
        yyjson_mut_val *p = yyjson_mut_arr_add_obj(b->doc, list);
        put_str(b->doc, p, "name", b->q->name);
        put_str(b->doc, p, "version", f->version);
        put_str(b->doc, p, "type", str_z(f->type));
    }
}

int image_query_by_package(struct engine *en, const struct package_query *q, yyjson_mut_doc *doc,
                           yyjson_mut_val *out, struct err *e)
{
    struct by_package b = {.q = q, .doc = doc, .out = out};
    arena_init(&b.scratch, SCRATCH_MAX);
    int r = db_run(en->db, DB_READ, read_by_package, &b, e);
    if (r >= 0)
        show_by_package(&b);
    vec_done(&b.packages);
    vec_done(&b.images);
    arena_done(&b.scratch);
    return r < 0 ? r : 0;
}

/* ---- by vulnerability --------------------------------------------------------------------------
 */

struct by_vulnerability {
    struct engine *engine;
    const struct vulnerability_query *q;
    yyjson_mut_doc *doc;
    struct arena scratch;
    struct map names; /* of packages that the data name, in a common form */
    VEC(int64_t) packages;
    digest_list images;
    struct err *e;
};

/* Lower case, runs of "-", "_" and "." as one "-"; of "group:artifact" the artifact. */
static str common_form(struct arena *a, str name)
{
    ptrdiff_t colon = str_rindex(name, ':');
    if (colon >= 0)
        name = str_from(name, (size_t)colon + 1);
    str copy = arena_dup(a, name);
    char *p = (char *)(uintptr_t)copy.p;
    size_t n = 0;
    for (size_t i = 0; i < copy.n; i++) {
        bool dash = copy.p[i] == '-' || copy.p[i] == '_' || copy.p[i] == '.';
        if (!dash || !n || p[n - 1] != '-')
            p[n++] = dash ? '-' : ke_tolower(copy.p[i]);
    }
    copy.n = n;
    return copy;
}

static int add_name(struct by_vulnerability *b, str name)
{
    str form = common_form(&b->scratch, name);
    return form.p && map_put(&b->names, form, b) ? 0 : err_no_memory(b->e);
}

/* The names in the data's own records about the id, and about the CVEs' advisories. */
static int names_of(struct by_vulnerability *b, const struct vulndb *db)
{
    str *ids;
    size_t n, i, k, max, most;
    yyjson_mut_val *record, *package;
    int r = vulndb_aliases(db, b->q->id, &b->scratch, &ids, &n, b->e);
    yyjson_mut_doc *doc = r < 0 ? NULL : yyjson_mut_doc_new(NULL);
    if (!doc)
        return r < 0 ? r : err_no_memory(b->e);
    yyjson_mut_val *list = yyjson_mut_arr(doc);
    struct vuln_query query = {.ids = b->q->id};
    r = vuln_query_run(db, &query, doc, list, b->e);
    for (i = 0; r >= 0 && i < n; i++) {
        query.ids = ids[i];
        if (!str_eq(ids[i], b->q->id))
            r = vuln_query_run(db, &query, doc, list, b->e);
    }
    yyjson_mut_arr_foreach(list, i, max, record)
    {
        yyjson_mut_arr_foreach(yyjson_mut_obj_get(record, "affected_packages"), k, most, package)
        {
            if (r >= 0)
                r = add_name(b, str_z(yyjson_mut_get_str(yyjson_mut_obj_get(package, "name"))));
        }
    }
    yyjson_mut_doc_free(doc);
    return r < 0 ? r : 0;
}

static int add_named(void *ctx, const struct posting_row *row, struct err *e)
{
    struct by_vulnerability *b = ctx;
    struct package_identity id;
    struct err ignored = {0};
    struct arena a;
    if (package_identity_read(row->identity, &id, &ignored) < 0)
        return 0;
    arena_init(&a, 1 << 20);
    bool named = map_get(&b->names, common_form(&a, id.p.name)) ||
                 map_get(&b->names, common_form(&a, id.p.source_name));
    arena_done(&a);
    int64_t *slot = named ? vec_push(&b->packages) : NULL;
    if (named && !slot)
        return err_no_memory(e);
    if (slot)
        *slot = row->id;
    return 0;
}

static int read_vulnerable(struct db_tx *tx, void *ctx, struct err *e)
{
    struct by_vulnerability *b = ctx;
    b->packages.n = b->images.n = 0;
    int r = posting_named(tx, STR(""), add_named, b, e);
    if (r < 0 || !b->packages.n)
        return r;
    struct having h = {.account = b->q->account, .a = &b->scratch};
    r = having_open(tx, &h, b->packages.p, b->packages.n, e);
    if (r >= 0)
        r = images_having(tx, &h, b->packages.p, b->packages.n, &b->images, e);
    having_close(&h);
    return r;
}

static bool has_alias(yyjson_val *row, str id)
{
    size_t i, n;
    yyjson_val *alias;
    yyjson_arr_foreach(json_get(row, "aliases"), i, n, alias)
    {
        if (str_eq(json_text(alias), id))
            return true;
    }
    return false;
}

/* Is some row of the report, about the same package, called by the id itself? */
static bool called_so(yyjson_val *rows, yyjson_val *row, str id)
{
    size_t i, n;
    yyjson_val *other;
    yyjson_arr_foreach(rows, i, n, other)
    {
        if (str_eq(json_str(other, "vuln"), id) &&
            str_eq(json_str(other, "package"), json_str(row, "package")))
            return true;
    }
    return false;
}

static bool row_wanted(const struct vulnerability_query *q, yyjson_val *rows, yyjson_val *row)
{
    bool own = str_eq(json_str(row, "vuln"), q->id);
    if (!own && !(has_alias(row, q->id) && !called_so(rows, row, q->id)))
        return false;
    if (q->vendor_only && yyjson_is_true(json_get(row, "will_not_fix")))
        return false;
    return (!q->namespace.n || str_eq(q->namespace, json_str(row, "feed_group"))) &&
           (!q->package.n || str_eq(q->package, json_str(row, "package_name"))) &&
           (!q->severity.n || str_eq(q->severity, json_str(row, "severity")));
}

/* Some distros' packages are named without their release here, as the old engine did. */
static str version_shown(str type, str version)
{
    ptrdiff_t dash = str_rindex(version, '-');
    bool cut = str_eq(type, STR("APKG")) || str_eq(type, STR("rpm"));
    return cut && dash > 0 ? str_sub(version, 0, (size_t)dash) : version;
}

static void add_image(struct by_vulnerability *b, yyjson_mut_val *out, str digest, yyjson_val *rows)
{
    yyjson_mut_val *list = NULL;
    size_t i, n;
    yyjson_val *row;
    yyjson_arr_foreach(rows, i, n, row)
    {
        if (!row_wanted(b->q, rows, row))
            continue;
        if (!list) {
            yyjson_mut_val *image = yyjson_mut_arr_add_obj(b->doc, out);
            put_str(b->doc, image, "imageDigest", digest);
            list = yyjson_mut_obj_add_arr(b->doc, image, "vulnerable_packages");
        }
        yyjson_mut_val *p = yyjson_mut_arr_add_obj(b->doc, list);
        str type = json_str(row, "package_type");
        put_str(b->doc, p, "name", json_str(row, "package_name"));
        put_str(b->doc, p, "namespace", json_str(row, "feed_group"));
        put_str(b->doc, p, "severity", json_str(row, "severity"));
        put_str(b->doc, p, "type", type);
        put_str(b->doc, p, "version", version_shown(type, json_str(row, "package_version")));
    }
}

static int all_images(struct by_vulnerability *b, struct vuln_reports *rs, yyjson_mut_val *out)
{
    int r = 0;
    for (size_t i = 0; r >= 0 && i < b->images.n; i++) {
        auto_report *report = NULL;
        struct err why = {0};
        r = vuln_report_take(b->engine, rs, b->q->account, b->images.p[i], false, &report, &why);
        if (r >= 0)
            add_image(b, out, b->images.p[i], vuln_report_rows(report));
        else if (r != ERR_NOT_FOUND)
            return err_set(b->e, why.code, "%s", why.text);
        r = 0;
    }
    return r;
}

static int by_digest(const void *a, const void *b)
{
    return str_cmp(*(const str *)a, *(const str *)b);
}

int image_query_by_vulnerability(struct engine *en, struct vuln_reports *rs,
                                 const struct vulnerability_query *q, yyjson_mut_doc *doc,
                                 yyjson_mut_val *out, struct err *e)
{
    auto_vulndata *view = vulndata_take(en->vulndata);
    struct by_vulnerability b = {.engine = en, .q = q, .doc = doc, .e = e};
    if (!view->db)
        return 0;
    arena_init(&b.scratch, SCRATCH_MAX);
    map_init(&b.names);
    int r = names_of(&b, view->db);
    if (r >= 0 && b.names.n)
        r = db_run(en->db, DB_READ, read_vulnerable, &b, e);
    if (r >= 0 && b.images.n) {
        qsort(b.images.p, b.images.n, sizeof *b.images.p, by_digest);
        r = all_images(&b, rs, out);
    }
    vec_done(&b.packages);
    vec_done(&b.images);
    map_done(&b.names);
    arena_done(&b.scratch);
    return r < 0 ? r : 0;
}
