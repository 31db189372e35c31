#include "services/policy_engine/image_query.h"

#include "base/buf.h"
#include "base/map.h"
#include "base/vec.h"
#include "services/call.h"
#include "services/policy_engine/vuln_query.h"
#include "services/policy_engine/vuln_rows.h"
#include "services/policy_engine/vulndata.h"

enum { SCRATCH_MAX = 256 << 20 };

/* ---- by package --------------------------------------------------------------------------------
 */

struct by_package {
    const struct package_query *q;
    yyjson_mut_doc *doc;
    yyjson_mut_val *out;
};

static const char *shown(str type)
{
    const struct package_type *t = package_type_find(type);
    return t ? package_type_shown(t) : NULL;
}

static void put_package(yyjson_mut_doc *d, yyjson_mut_val *list, const struct db_rows *rows)
{
    yyjson_mut_val *p = yyjson_mut_arr_add_obj(d, list);
    const char *type = shown(db_text(rows, 3));
    put_str(d, p, "name", db_text(rows, 1));
    put_str(d, p, "version", db_text(rows, 2));
    put_str(d, p, "type", type ? str_z(type) : db_text(rows, 3));
}

static bool type_wanted(str want, str type)
{
    const char *other = shown(type);
    return !want.n || str_eq(want, other ? str_z(other) : type);
}

static int read_by_package(struct db_tx *tx, void *ctx, struct err *e)
{
    struct by_package *b = ctx;
    const struct package_query *q = b->q;
    yyjson_mut_val *image = NULL, *list = NULL;
    auto_rows *rows = NULL;
    yyjson_mut_arr_clear(b->out);
    int r = db_query(tx,
                     "SELECT DISTINCT c.image_digest, p.name, p.version, p.type FROM package p"
                     " JOIN image_package i ON i.package_id = p.id"
                     " JOIN catalog_image c ON c.account = i.account AND c.image_digest ="
                     " i.image_digest"
                     " WHERE p.name = $1 AND i.account = $2 AND ($3 = '' OR p.version = $4)"
                     " AND c.analysis_status = 'analyzed' AND c.image_status = 'active'"
                     " ORDER BY c.image_digest, p.version, p.type",
                     DB(DBS(q->name), DBS(q->account), DBS(q->version), DBS(q->version)), &rows, e);
    while (r >= 0 && (r = db_next(rows, e)) == 1) {
        str digest = db_text(rows, 0);
        if (!type_wanted(q->type, db_text(rows, 3)))
            continue;
        if (!image ||
            !str_eq(str_z(yyjson_mut_get_str(yyjson_mut_obj_get(image, "imageDigest"))), digest)) {
            image = yyjson_mut_arr_add_obj(b->doc, b->out);
            put_str(b->doc, image, "imageDigest", digest);
            list = yyjson_mut_obj_add_arr(b->doc, image, "packages");
        }
        put_package(b->doc, list, rows);
    }
    return r;
}

int image_query_by_package(struct engine *en, const struct package_query *q, yyjson_mut_doc *doc,
                           yyjson_mut_val *out, struct err *e)
{
    struct by_package b = {q, doc, out};
    int r = db_run(en->db, DB_READ, read_by_package, &b, e);
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
    VEC(str) images;
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

static int read_packages(struct db_tx *tx, void *ctx, struct err *e)
{
    struct by_vulnerability *b = ctx;
    auto_rows *rows = NULL;
    struct arena a;
    b->packages.n = 0;
    int r = db_query(tx, "SELECT id, name, source FROM package", DB0, &rows, e);
    while (r >= 0 && (r = db_next(rows, e)) == 1) {
        arena_init(&a, 1 << 20);
        bool named = map_get(&b->names, common_form(&a, db_text(rows, 1))) ||
                     map_get(&b->names, common_form(&a, db_text(rows, 2)));
        arena_done(&a);
        int64_t *slot = named ? vec_push(&b->packages) : NULL;
        if (named && !slot)
            return err_no_memory(e);
        if (slot)
            *slot = db_int(rows, 0);
    }
    return r;
}

static int read_images(struct db_tx *tx, void *ctx, struct err *e)
{
    struct by_vulnerability *b = ctx;
    struct map seen;
    int r = 0;
    b->images.n = 0;
    map_init(&seen);
    for (size_t i = 0; r >= 0 && i < b->packages.n; i++) {
        auto_rows *rows = NULL;
        r = db_query(tx,
                     "SELECT DISTINCT c.image_digest FROM image_package i JOIN catalog_image c ON"
                     " c.account = i.account AND c.image_digest = i.image_digest WHERE"
                     " i.package_id = $1 AND i.account = $2 AND c.analysis_status = 'analyzed'"
                     " AND c.image_status = 'active'",
                     DB(DBI(b->packages.p[i]), DBS(b->q->account)), &rows, e);
        while (r >= 0 && (r = db_next(rows, e)) == 1) {
            if (map_get(&seen, db_text(rows, 0)))
                continue;
            str digest = arena_dup(&b->scratch, db_text(rows, 0));
            str *slot = vec_push(&b->images);
            if (!slot || !digest.p || !map_put(&seen, digest, b)) {
                r = err_no_memory(e);
                break;
            }
            *slot = digest;
        }
    }
    map_done(&seen);
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
        r = db_run(en->db, DB_READ, read_packages, &b, e);
    if (r >= 0 && b.packages.n)
        r = db_run(en->db, DB_READ, read_images, &b, e);
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
