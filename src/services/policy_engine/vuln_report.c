#include "services/policy_engine/vuln_report.h"

#include "base/auto.h"
#include "base/clock.h"
#include "base/map.h"
#include "services/call.h"
#include "services/inventory_document.h"
#include "services/log.h"
#include "services/metrics.h"
#include "services/policy_engine/vuln_rows.h"
#include "services/policy_engine/vuln_seen.h"
#include "services/policy_engine/vulndata.h"

#include <pthread.h>
#include <time.h>

enum { REPORT_MAX = 512 << 20, NAME_LONGEST = 400 };
enum { REPORT_FORMAT = 3 }; /* one more whenever rows have new members */

const char *const vuln_kind_names[VULN_KINDS] = {"os", "non-os", "all"};

int vuln_kind_by_name(str name)
{
    for (int i = 0; i < VULN_KINDS; i++)
        if (str_eq(str_z(vuln_kind_names[i]), name))
            return i;
    return -1;
}

struct vuln_report {
    char *key;               /* account/digest */
    char name[NAME_LONGEST]; /* of analysis and generation */
    char *digest;
    yyjson_doc *doc;
    size_t bytes; /* text's and document's, about */
    struct buf texts[VULN_KINDS][2];
    _Atomic unsigned uses;
    struct vuln_report *newer, *older;
};

struct vuln_reports {
    pthread_mutex_t lock; /* of the list, the map and the reports' texts */
    struct map by_key;
    struct vuln_report ends; /* ends.older: the newest; ends.newer: the oldest */
    size_t bytes, max_bytes;
};

int vuln_reports_new(size_t max_bytes, struct vuln_reports **out, struct err *e)
{
    struct vuln_reports *rs = calloc(1, sizeof *rs);
    if (!rs)
        return err_no_memory(e);
    pthread_mutex_init(&rs->lock, NULL);
    rs->max_bytes = max_bytes;
    map_init(&rs->by_key);
    rs->ends.newer = rs->ends.older = &rs->ends;
    *out = rs;
    return 0;
}

void vuln_report_drop(struct vuln_report *r)
{
    if (!r || --r->uses)
        return;
    for (int k = 0; k < VULN_KINDS; k++)
        for (int v = 0; v < 2; v++)
            buf_done(&r->texts[k][v]);
    yyjson_doc_free(r->doc);
    free(r->key);
    free(r->digest);
    free(r);
}

/* ---- the list, under its lock ------------------------------------------------------------------
 */

static void unlink_report(struct vuln_report *r)
{
    r->newer->older = r->older;
    r->older->newer = r->newer;
}

static void link_newest(struct vuln_reports *rs, struct vuln_report *r)
{
    r->newer = &rs->ends;
    r->older = rs->ends.older;
    r->older->newer = r;
    rs->ends.older = r;
}

/* The map has no removal, so it is made anew. */
static void forget(struct vuln_reports *rs, struct vuln_report *r)
{
    unlink_report(r);
    rs->bytes -= r->bytes;
    map_done(&rs->by_key);
    map_init(&rs->by_key);
    for (struct vuln_report *x = rs->ends.older; x != &rs->ends; x = x->older)
        map_put(&rs->by_key, str_z(x->key), x);
    vuln_report_drop(r);
}

static void trim(struct vuln_reports *rs)
{
    while (rs->bytes > rs->max_bytes && rs->ends.newer != &rs->ends)
        forget(rs, rs->ends.newer);
}

void vuln_reports_free(struct vuln_reports *rs)
{
    if (!rs)
        return;
    while (rs->ends.newer != &rs->ends)
        forget(rs, rs->ends.newer);
    map_done(&rs->by_key);
    pthread_mutex_destroy(&rs->lock);
    free(rs);
}

static struct vuln_report *find(struct vuln_reports *rs, const char *key, const char *name)
{
    pthread_mutex_lock(&rs->lock);
    struct vuln_report *r = map_get(&rs->by_key, str_z(key));
    if (r && strcmp(r->name, name) == 0) {
        unlink_report(r);
        link_newest(rs, r);
        r->uses++;
    } else {
        r = NULL;
    }
    pthread_mutex_unlock(&rs->lock);
    return r;
}

/* The list has a use of its own. */
static void keep(struct vuln_reports *rs, struct vuln_report *r)
{
    pthread_mutex_lock(&rs->lock);
    struct vuln_report *old = map_get(&rs->by_key, str_z(r->key));
    if (old)
        forget(rs, old);
    r->bytes = yyjson_doc_get_read_size(r->doc) * 3;
    if (map_put(&rs->by_key, str_z(r->key), r)) {
        link_newest(rs, r);
        rs->bytes += r->bytes;
        r->uses++;
    }
    trim(rs);
    pthread_mutex_unlock(&rs->lock);
}

/* ---- computing ---------------------------------------------------------------------------------
 */

struct job {
    struct engine *engine;
    str account, digest;
    char state[32];
    int64_t analyzed;
    struct buf *text;
    const char *type;
    str bytes;
    str old; /* the report that was stored before, with its name; empty: none */
    size_t old_head;
    int64_t now; /* microseconds */
    struct err *e;
};

static int read_image(struct db_tx *tx, void *ctx, struct err *e)
{
    struct job *j = ctx;
    struct db_rows *rows;
    int r = db_query(tx,
                     "SELECT analysis_status, analyzed_at, now_us() FROM catalog_image WHERE"
                     " account = $1 AND image_digest = $2",
                     DB(DBS(j->account), DBS(j->digest)), &rows, e);
    if (r < 0)
        return r;
    r = db_next(rows, e);
    j->state[0] = '\0';
    if (r == 1) {
        snprintf(j->state, sizeof j->state, "%.*s", STR_ARG(db_text(rows, 0)));
        j->analyzed = db_int(rows, 1);
        j->now = db_int(rows, 2);
    }
    db_rows_close(rows);
    return r < 0 ? r : 0;
}

static int read_document(struct job *j, struct db_tx *tx, const char *bucket, const char *suffix,
                         struct err *e)
{
    char key[NAME_LONGEST];
    snprintf(key, sizeof key, "%.*s%s", STR_ARG(j->digest), suffix);
    buf_clear(j->text);
    return document_get(j->engine->documents, tx, j->account, str_z(bucket), str_z(key), j->text,
                        e);
}

static int read_inventory(struct db_tx *tx, void *ctx, struct err *e)
{
    struct job *j = ctx;
    buf_clear(j->text);
    return inventory_document_get(j->engine->documents, tx, j->account, j->digest, j->text, e);
}

static int read_report(struct db_tx *tx, void *ctx, struct err *e)
{
    return read_document(ctx, tx, VULN_REPORT_BUCKET, "", e);
}

static int read_content(struct db_tx *tx, void *ctx, struct err *e)
{
    struct job *j = ctx;
    char suffix[64];
    snprintf(suffix, sizeof suffix, "/%s", j->type);
    return read_document(j, tx, "image_content_data", suffix, e);
}

static int content_document(void *ctx, const char *type, struct buf *out, struct err *e)
{
    struct job j = *(struct job *)ctx;
    j.type = type;
    j.text = out;
    int r = db_run(j.engine->db, DB_READ, read_content, &j, e);
    return r < 0 ? 0 : 1;
}

static int write_report(struct db_tx *tx, void *ctx, struct err *e)
{
    struct job *j = ctx;
    return document_put(j->engine->documents, tx, j->account, STR(VULN_REPORT_BUCKET), j->digest,
                        j->bytes, e);
}

/* Takes the rows' text: a document of its own. */
static int parse_rows(str text, yyjson_doc **out, struct err *e)
{
    yyjson_read_err why;
    *out = yyjson_read_opts((char *)(uintptr_t)text.p, text.n, YYJSON_READ_ALLOW_INVALID_UNICODE,
                            NULL, &why);
    return *out ? 0 : err_set(e, ERR_FORMAT, "damaged vulnerability report: %s", why.msg);
}

/* "name\n" and the rows; stored so. */
static int compute(struct job *j, const struct vulndata_view *view, struct buf *out)
{
    struct inventory *inv = NULL;
    auto_buf bytes;
    buf_init(&bytes, INVENTORY_DOCUMENT_MAX);
    j->text = &bytes;
    int r = db_run(j->engine->db, DB_READ, read_inventory, j, j->e);
    if (r == ERR_NOT_FOUND)
        return err_set(j->e, ERR_FORMAT, "the image's list of packages is not stored");
    if (r >= 0)
        r = inventory_document_read(buf_view(&bytes), &inv, j->e);
    if (r < 0)
        return r;
    yyjson_mut_doc *doc = yyjson_mut_doc_new(NULL);
    yyjson_mut_val *rows;
    struct content_reader content = {content_document, j};
    r = doc ? vuln_rows(view->db, inv, content, doc, &rows, j->e) : err_no_memory(j->e);
    if (r == 0)
        r = vuln_seen_note(str_from(j->old, j->old_head), j->now, doc, rows, j->e);
    if (r == 0) {
        size_t n;
        char *text autofree = yyjson_mut_val_write(rows, YYJSON_WRITE_ALLOW_INVALID_UNICODE, &n);
        if (text)
            buf_add(out, text, n);
        r = text ? buf_check(out, "a vulnerability report", j->e) : err_no_memory(j->e);
    }
    yyjson_mut_doc_free(doc);
    inventory_free(inv);
    return r;
}

/* The stored report of this name, if there is one: 1. */
static int stored(struct job *j, const char *name, struct buf *out)
{
    struct err ignored;
    j->text = out;
    int r = db_run(j->engine->db, DB_READ, read_report, j, &ignored);
    str rest = buf_view(out), line;
    return r >= 0 && str_line(&rest, &line) && str_eq(line, str_z(name));
}

/* Where the rows of an older report begin. */
static void set_old(struct job *j, str old)
{
    ptrdiff_t end = str_index(old, '\n');
    j->old = end < 0 ? STR("") : old;
    j->old_head = end < 0 ? 0 : (size_t)end + 1;
}

static int make(struct job *j, const struct vulndata_view *view, const char *key, const char *name,
                bool force, struct vuln_report **out)
{
    auto_buf text, old;
    buf_init(&text, REPORT_MAX);
    buf_init(&old, REPORT_MAX);
    int r = 0;
    bool there = stored(j, name, &old);
    if (there && !force) {
        buf_add_str(&text, buf_view(&old));
        r = buf_check(&text, "a vulnerability report", j->e);
    } else {
        set_old(j, buf_view(&old));
        buf_addf(&text, "%s\n", name);
        r = compute(j, view, &text);
        struct err why = {0};
        j->bytes = buf_view(&text);
        if (r == 0 && db_run(j->engine->db, DB_WRITE, write_report, j, &why) < 0)
            log_warn("policy_engine", "a vulnerability report cannot be stored: %s", why.text);
    }
    if (r < 0)
        return r;
    struct vuln_report *report = calloc(1, sizeof *report);
    if (!report)
        return err_no_memory(j->e);
    report->uses = 1;
    snprintf(report->name, sizeof report->name, "%s", name);
    report->key = strdup(key);
    report->digest = strndup(j->digest.p, j->digest.n);
    r = report->key && report->digest
            ? parse_rows(str_from(buf_view(&text), strlen(name) + 1), &report->doc, j->e)
            : err_no_memory(j->e);
    if (r < 0)
        vuln_report_drop(report);
    else
        *out = report;
    return r;
}

static struct vuln_report *find_counted(struct engine *en, struct vuln_reports *rs, const char *key,
                                        const char *name)
{
    double began = clock_seconds();
    struct vuln_report *found = find(rs, key, name);
    metric_add(en->metrics,
               found ? METRIC_VULNERABILITIES_CACHE_HITS : METRIC_VULNERABILITIES_CACHE_MISSES, 1,
               METRIC_NO_LABELS);
    metric_observe(en->metrics, METRIC_VULNERABILITIES_CACHE_SECONDS, clock_seconds() - began,
                   METRIC_LABELS(found ? "hit" : "miss"));
    return found;
}

int vuln_report_take(struct engine *en, struct vuln_reports *rs, str account, str digest,
                     bool force, struct vuln_report **out, struct err *e)
{
    char key[NAME_LONGEST], name[NAME_LONGEST];
    struct job j = {.engine = en, .account = account, .digest = digest, .e = e};
    int r = db_run(en->db, DB_READ, read_image, &j, e);
    if (r < 0)
        return r;
    int n = snprintf(key, sizeof key, "%.*s/%.*s", STR_ARG(account), STR_ARG(digest));
    if (!j.state[0] || n < 0 || (size_t)n >= sizeof key)
        return err_set(e, ERR_NOT_FOUND, "image not found in DB");
    if (strcmp(j.state, "analyzed") != 0)
        return err_set(e, ERR_NOT_FOUND, "image is not analyzed - analysis_status: %s", j.state);
    auto_vulndata *view = vulndata_take(en->vulndata);
    snprintf(name, sizeof name, "%d %lld %s", REPORT_FORMAT, (long long)j.analyzed,
             view->generation);
    if (!force && (*out = find_counted(en, rs, key, name)))
        return 0;
    r = make(&j, view, key, name, force, out);
    if (r == 0)
        keep(rs, *out);
    return r;
}

int vuln_report_last(struct engine *en, str account, str digest, yyjson_doc **out, struct err *e)
{
    char name[64];
    auto_buf text;
    struct err why = {0};
    struct job j = {.engine = en, .account = account, .digest = digest, .text = &text};
    buf_init(&text, REPORT_MAX);
    int r = db_run(en->db, DB_READ, read_image, &j, e);
    if (r < 0)
        return r;
    snprintf(name, sizeof name, "%d %lld ", REPORT_FORMAT, (long long)j.analyzed);
    r = db_run(en->db, DB_READ, read_report, &j, &why);
    if (r < 0 && r != ERR_NOT_FOUND)
        return err_set(e, r, "%s", why.text);
    if (r < 0 || !str_starts(buf_view(&text), str_z(name)))
        return 0;
    set_old(&j, buf_view(&text));
    r = parse_rows(str_from(j.old, j.old_head), out, e);
    return r < 0 ? r : 1;
}

/* ---- answers -----------------------------------------------------------------------------------
 */

yyjson_val *vuln_report_rows(const struct vuln_report *r)
{
    return yyjson_doc_get_root(r->doc);
}

static bool row_wanted(yyjson_val *row, enum vuln_kind kind, bool vendor_only)
{
    if ((vendor_only && yyjson_is_true(json_get(row, "will_not_fix"))) ||
        yyjson_is_true(json_get(row, "shadowed")))
        return false;
    return kind == VULN_ALL ||
           package_type_is_os(json_str(row, "package_type")) == (kind == VULN_OS);
}

static int render(const struct vuln_report *r, enum vuln_kind kind, bool vendor_only,
                  struct buf *out, struct err *e)
{
    yyjson_mut_doc *doc = yyjson_mut_doc_new(NULL);
    if (!doc)
        return err_no_memory(e);
    yyjson_mut_val *root = yyjson_mut_obj(doc), *list = yyjson_mut_arr(doc);
    size_t i, n;
    yyjson_val *row;
    yyjson_mut_obj_add_str(doc, root, "imageDigest", r->digest);
    yyjson_mut_obj_add_val(doc, root, "vulnerabilities", list);
    yyjson_mut_obj_add_str(doc, root, "vulnerability_type", vuln_kind_names[kind]);
    yyjson_arr_foreach(vuln_report_rows(r), i, n, row)
    {
        if (!row_wanted(row, kind, vendor_only))
            continue;
        yyjson_mut_val *copy = yyjson_val_mut_copy(doc, row);
        for (size_t k = 0; vuln_row_hidden[k]; k++)
            yyjson_mut_obj_remove_key(copy, vuln_row_hidden[k]);
        yyjson_mut_arr_append(list, copy);
    }
    int rc = json_pretty(root, out, e);
    yyjson_mut_doc_free(doc);
    return rc;
}

int vuln_report_text(struct vuln_reports *rs, struct vuln_report *r, enum vuln_kind kind,
                     bool vendor_only, str *out, struct err *e)
{
    int rc = 0;
    pthread_mutex_lock(&rs->lock);
    struct buf *text = &r->texts[kind][vendor_only];
    if (!text->max) {
        buf_init(text, REPORT_MAX);
        rc = render(r, kind, vendor_only, text, e);
        if (rc < 0) {
            buf_done(text);
            *text = (struct buf){0};
        } else if (map_get(&rs->by_key, str_z(r->key)) == r) {
            r->bytes += text->n;
            rs->bytes += text->n;
        }
    }
    *out = buf_view(text);
    pthread_mutex_unlock(&rs->lock);
    return rc;
}
