#include "services/policy_engine/reindex.h"

#include "base/auto.h"
#include "base/clock.h"
#include "services/image_packages.h"
#include "services/inventory_document.h"
#include "services/log.h"
#include "services/policy_engine/affected.h"
#include "services/policy_engine/finding_names.h"
#include "services/policy_engine/history.h"
#include "services/policy_engine/reindex_internal.h"
#include "services/policy_engine/subscribed.h"
#include "services/policy_engine/vulndata.h"
#include "vulndb/diff.h"

#include <time.h>
#include <unistd.h>

enum { CHUNK_ARENA = 512 << 20, PRINTS_MAX = 1 << 30, BACKFILL = 200 };
static const char prints_key[] = "prints";

static int stopped(const struct reindex_options *o, struct err *e)
{
    return o->stop && o->stop(o->ctx) ? err_set(e, ERR_CONFLICT, "the engine is stopping") : 0;
}

/* ---- packages ----------------------------------------------------------------------------------
 */

struct chunk {
    struct arena a;
    struct candidate list[REINDEX_CHUNK];
    size_t n;
};

static int read_chunk(struct db_tx *tx, void *ctx, struct err *e)
{
    struct chunk *c = ctx;
    return reindex_read(tx, c->list, &c->n, &c->a, e);
}

/* Matches these packages and writes what differs; the number of changes. */
static int64_t go_through(const struct reindex_options *o, int64_t batch, const int64_t *ids,
                          size_t n, struct err *e)
{
    int64_t changes = 0, r = 0;
    struct chunk *c autofree = calloc(1, sizeof *c);
    if (!c)
        return err_no_memory(e);
    arena_init(&c->a, CHUNK_ARENA);
    for (size_t i = 0; r >= 0 && i < n; i += REINDEX_CHUNK) {
        c->n = n - i < REINDEX_CHUNK ? n - i : REINDEX_CHUNK;
        for (size_t k = 0; k < c->n; k++)
            c->list[k] = (struct candidate){.id = ids[i + k]};
        r = stopped(o, e);
        if (r >= 0)
            r = db_run(o->db, DB_READ, read_chunk, c, e);
        if (r >= 0)
            r = reindex_match(o->data, c->list, c->n, &c->a, e);
        if (r >= 0 && !batch) /* else reindex_data() does */
            r = finding_names_add(o, c->list, c->n, e);
        if (r >= 0)
            r = reindex_write(o, batch, c->list, c->n, e);
        changes += r > 0 ? r : 0;
        arena_done(&c->a);
    }
    return r < 0 ? r : changes;
}

static int push_ids(posting_ids *out, struct db_rows *r, struct err *e)
{
    int rc;
    while ((rc = db_next(r, e)) == 1) {
        int64_t *slot = vec_push(out);
        if (!slot)
            return err_no_memory(e);
        *slot = db_int(r, 0);
    }
    return rc;
}

static int read_unmatched(struct db_tx *tx, void *ctx, struct err *e)
{
    posting_ids *ids = ctx;
    auto_rows *r = NULL;
    ids->n = 0;
    int rc = db_query(tx, "SELECT id FROM posting_package WHERE matched = 0 ORDER BY id LIMIT $1",
                      DB(DBI(32 * REINDEX_CHUNK)), &r, e);
    return rc < 0 ? rc : push_ids(ids, r, e);
}

int64_t reindex_packages(const struct reindex_options *o, struct err *e)
{
    posting_ids ids = {0};
    int64_t n = 0, r;
    do {
        r = db_run(o->db, DB_READ, read_unmatched, &ids, e);
        if (r >= 0 && ids.n)
            r = go_through(o, 0, ids.p, ids.n, e);
        n += (int64_t)ids.n;
    } while (r >= 0 && ids.n);
    vec_done(&ids);
    return r < 0 ? r : n;
}

/* ---- newer data --------------------------------------------------------------------------------
 */

struct pass {
    const struct reindex_options *o;
    struct reindex_result *out;
    char generation[72]; /* that was gone through last; "" none */
    int64_t rules, batch;
    struct buf before, now;
    posting_ids keys, packages;
    struct reindex_judgement judged;
    struct posting_set images;
    bool all;  /* every package has to be looked at */
    bool cpes; /* what CPEs say became another */
};

static int read_state(struct db_tx *tx, void *ctx, struct err *e)
{
    struct pass *p = ctx;
    auto_rows *r = NULL;
    int rc = db_query(
        tx, "SELECT generation, rules, holder FROM finding_state WHERE name = 'index'", DB0, &r, e);
    if (rc < 0 || (rc = db_next(r, e)) <= 0)
        return rc;
    snprintf(p->generation, sizeof p->generation, "%.*s", STR_ARG(db_text(r, 0)));
    p->rules = db_int(r, 1);
    return str_eq(db_text(r, 2), str_z(p->o->holder));
}

static int take_state(struct db_tx *tx, void *ctx, struct err *e)
{
    const struct reindex_options *o = ctx;
    int64_t n = db_exec(tx,
                        "INSERT INTO finding_state (name, generation, rules, holder) VALUES"
                        " ('index', '', 0, $1) ON CONFLICT (name) DO UPDATE SET"
                        " holder = excluded.holder",
                        DB(DBZ(o->holder)), e);
    return n < 0 ? (int)n : 0;
}

static int read_prints(struct db_tx *tx, void *ctx, struct err *e)
{
    struct pass *p = ctx;
    buf_clear(&p->before);
    int rc = document_get(p->o->documents, tx, STR(VULNDATA_ACCOUNT), STR(VULNDATA_BUCKET),
                          STR(prints_key), &p->before, e);
    return rc == ERR_NOT_FOUND ? 0 : rc;
}

static int begin_batch(struct db_tx *tx, void *ctx, struct err *e)
{
    struct pass *p = ctx;
    int rc = reindex_fence(tx, p->o, e);
    if (rc == 0) /* what a process that was killed had begun */
        rc = db_query_int(tx, "SELECT id FROM finding_batch WHERE ended_at IS NULL", DB0, &p->batch,
                          e);
    if (rc == ERR_NOT_FOUND)
        return db_query_int(tx,
                            "INSERT INTO finding_batch (generation_before, generation, started_at)"
                            " VALUES ($1, $2, now_us()) RETURNING id",
                            DB(DBZ(p->generation), DBZ(p->o->generation)), &p->batch, e);
    return rc;
}

/* From here on whoever reads changes gets them: the summaries may take their time. */
static int tell_changes(struct db_tx *tx, void *ctx, struct err *e)
{
    struct pass *p = ctx;
    int64_t n = reindex_fence(tx, p->o, e);
    if (n == 0)
        n = db_exec(tx,
                    "UPDATE finding_batch SET names = $2, packages = $3,"
                    " changes = (SELECT COUNT(*) FROM finding_change WHERE batch = $1),"
                    " last_seq = (SELECT COALESCE(MAX(seq), 0) FROM finding_change"
                    " WHERE batch = $1) WHERE id = $1",
                    DB(DBI(p->batch), DBI(p->out->names), DBI(p->out->packages)), e);
    if (n >= 0 && p->cpes)
        n = subscribed_all(tx, e);
    return n < 0 ? (int)n : db_notify(tx, CHANGES_CHANNEL, STR(""), e);
}

static int end_batch(struct db_tx *tx, void *ctx, struct err *e)
{
    struct pass *p = ctx;
    int64_t n = reindex_fence(tx, p->o, e);
    if (n == 0)
        n = db_exec(tx,
                    "UPDATE finding_batch SET ended_at = now_us(), generation = $2 WHERE id = $1",
                    DB(DBI(p->batch), DBZ(p->o->generation)), e);
    if (n >= 0)
        n = db_exec(tx, "UPDATE finding_state SET generation = $1, rules = $2 WHERE name = 'index'",
                    DB(DBZ(p->o->generation), DBI(REINDEX_RULES)), e);
    if (n >= 0)
        n = document_put(p->o->documents, tx, STR(VULNDATA_ACCOUNT), STR(VULNDATA_BUCKET),
                         STR(prints_key), buf_view(&p->now), e);
    return n < 0 ? (int)n : 0;
}

static int add_key(void *ctx, const struct vulndb_change *c, struct err *e)
{
    struct pass *p = ctx;
    p->cpes |= str_eq(c->ecosystem, STR("CPE"));
    int64_t *slot = vec_push(&p->keys);
    if (!slot)
        return err_no_memory(e);
    *slot = (int64_t)c->key;
    return 0;
}

static void sort_unique(posting_ids *v)
{
    size_t kept = 0;
    if (v->n)
        qsort(v->p, v->n, sizeof *v->p, posting_id_order);
    for (size_t i = 0; i < v->n; i++)
        if (!kept || v->p[kept - 1] != v->p[i])
            v->p[kept++] = v->p[i];
    v->n = kept;
}

/* The packages that changed names lead to; all, where the data before are not known well enough.
 * And those that a process that was killed had written changes of: newer data may take those back,
 * and say what was said before. Those that were never matched are no part of it. */
static int find_packages(struct db_tx *tx, void *ctx, struct err *e)
{
    struct pass *p = ctx;
    auto_rows *all = NULL, *begun = NULL;
    int rc = 0;
    p->packages.n = 0;
    if (!p->all)
        rc = posting_by_names(tx, p->keys.p, p->keys.n, &p->packages, e);
    else
        rc = db_query(tx, "SELECT id FROM posting_package WHERE matched = 1 ORDER BY id", DB0, &all,
                      e);
    if (rc >= 0 && all)
        rc = push_ids(&p->packages, all, e);
    if (rc >= 0)
        rc = db_query(tx, "SELECT DISTINCT package FROM finding_change WHERE batch = $1",
                      DB(DBI(p->batch)), &begun, e);
    if (rc >= 0)
        rc = push_ids(&p->packages, begun, e);
    sort_unique(&p->packages);
    return rc;
}

static int diff(struct pass *p, struct err *e)
{
    double from = clock_seconds();
    int r = db_run(p->o->db, DB_READ, read_prints, p, e);
    if (r >= 0)
        r = vulndb_prints(p->o->data, &p->now, e);
    if (r >= 0)
        r = vulndb_prints_diff(buf_view(&p->before), buf_view(&p->now), add_key, p, e);
    if (r == ERR_FORMAT) { /* another version's: as if there were none */
        p->all = p->cpes = true;
        r = 0;
    }
    p->all |= r == 1 || !p->before.n || p->rules != REINDEX_RULES;
    sort_unique(&p->keys);
    p->out->names = p->keys.n;
    p->out->diff_seconds = clock_seconds() - from;
    return r < 0 ? r : 0;
}

/* What is found again is nothing new: those of a process that was killed are among these. */
static int list_images(struct pass *p, struct err *e)
{
    double from = clock_seconds();
    int r = db_run(p->o->db, DB_WRITE, begin_batch, p, e);
    if (r >= 0)
        r = db_run(p->o->db, DB_READ, find_packages, p, e);
    if (r >= 0)
        r = reindex_judge(p->o, p->packages.p, p->packages.n, &p->judged, e);
    p->out->packages = p->packages.n;
    p->out->match_seconds = clock_seconds() - from;
    from = clock_seconds();
    if (r >= 0)
        r = reindex_images_of(p->o, p->judged.told.p, p->judged.told.n, &p->images, e);
    if (r >= 0)
        r = reindex_publish(p->o, p->batch, &p->images, e);
    p->out->images = r < 0 ? 0 : posting_set_count(&p->images);
    p->out->image_seconds = clock_seconds() - from;
    return r;
}

static int apply(struct pass *p, struct err *e)
{
    double from = clock_seconds();
    int64_t r = go_through(p->o, p->batch, p->judged.written.p, p->judged.written.n, e);
    if (r < 0)
        return (int)r;
    p->out->changes = (uint64_t)r;
    r = db_run(p->o->db, DB_WRITE, tell_changes, p, e);
    p->out->write_seconds = clock_seconds() - from;
    if (r >= 0)
        r = reindex_summaries(p->o, &p->images, p->batch, e);
    return r < 0 ? (int)r : db_run(p->o->db, DB_WRITE, end_batch, p, e);
}

int reindex_data(const struct reindex_options *o, struct reindex_result *out, struct err *e)
{
    struct pass p = {.o = o, .out = out};
    *out = (struct reindex_result){0};
    buf_init(&p.before, PRINTS_MAX);
    buf_init(&p.now, PRINTS_MAX);
    int r = db_run(o->db, DB_READ, read_state, &p, e);
    if (r == 0)
        r = db_run(o->db, DB_WRITE, take_state, (void *)(uintptr_t)o, e);
    if (r >= 0 && (strcmp(p.generation, o->generation) != 0 || p.rules != REINDEX_RULES)) {
        r = diff(&p, e);
        if (r >= 0)
            r = list_images(&p, e);
        if (r >= 0 && o->listed)
            o->listed(o->ctx, out);
        if (r >= 0)
            r = apply(&p, e);
    }
    double from = clock_seconds();
    if (r >= 0)
        r = finding_names_keep(o, p.all ? NULL : &p.packages, p.generation, e);
    out->names_seconds = clock_seconds() - from;
    buf_done(&p.before);
    buf_done(&p.now);
    vec_done(&p.keys);
    vec_done(&p.packages);
    vec_done(&p.judged.told);
    vec_done(&p.judged.written);
    posting_set_done(&p.images);
    return r < 0 ? r : 0;
}

/* ---- images that the index lacks ---------------------------------------------------------------
 */

struct missing {
    struct engine *en;
    struct arena a;
    struct {
        str account, digest;
        int64_t since;
    } list[BACKFILL];
    size_t n, at, done;
};

static int find_missing(struct db_tx *tx, void *ctx, struct err *e)
{
    struct missing *m = ctx;
    auto_rows *r = NULL;
    m->n = 0;
    int rc = db_query(tx,
                      "SELECT c.account, c.image_digest, c.analyzed_at FROM catalog_image c LEFT"
                      " JOIN posting_image i ON i.account = c.account AND i.image_digest ="
                      " c.image_digest WHERE c.analysis_status = 'analyzed' AND i.id IS NULL AND"
                      " EXISTS (SELECT 1 FROM document d WHERE d.account = c.account AND"
                      " d.bucket = 'inventory' AND d.key = c.image_digest) LIMIT $1",
                      DB(DBI(BACKFILL)), &r, e);
    while (rc >= 0 && (rc = db_next(r, e)) == 1) {
        m->list[m->n].account = arena_dup(&m->a, db_text(r, 0));
        m->list[m->n].digest = arena_dup(&m->a, db_text(r, 1));
        m->list[m->n++].since = db_int(r, 2);
    }
    return rc;
}

/* Under the image's lock, so that an analysis that ends at this moment is not overwritten. */
static int add_missing(struct db_tx *tx, void *ctx, struct err *e)
{
    struct missing *m = ctx;
    str account = m->list[m->at].account, digest = m->list[m->at].digest;
    struct inventory *inv = NULL;
    auto_buf bytes = {0};
    int64_t n = 0;
    int r = db_query_int(tx,
                         "SELECT 1 FROM catalog_image WHERE account = $1 AND image_digest = $2"
                         " AND analysis_status = 'analyzed' {for_update}",
                         DB(DBS(account), DBS(digest)), &n, e);
    if (r < 0)
        return r == ERR_NOT_FOUND ? 0 : r;
    buf_init(&bytes, INVENTORY_DOCUMENT_MAX);
    r = inventory_document_get(m->en->documents, tx, account, digest, &bytes, e);
    if (r >= 0)
        r = inventory_document_read(buf_view(&bytes), &inv, e);
    if (r >= 0)
        r = image_packages_put(tx, account, digest, m->list[m->at].since, inv, e);
    inventory_free(inv);
    return r;
}

/* Those that cannot be read are left out and told of. Returns how many were added. */
static int add_all_missing(struct engine *en, struct err *e)
{
    struct missing *m autofree = calloc(1, sizeof *m);
    if (!m)
        return err_no_memory(e);
    m->en = en;
    arena_init(&m->a, 1 << 20);
    int r = db_run(en->db, DB_READ, find_missing, m, e);
    for (m->at = 0; r >= 0 && m->at < m->n && !engine_stopping(en); m->at++) {
        struct err why = {0};
        int one = db_run(en->db, DB_WRITE, add_missing, m, &why);
        if (one < 0)
            log_warn("policy_engine", "%.*s cannot be put into the index: %s",
                     STR_ARG(m->list[m->at].digest), why.text);
        m->done += one >= 0;
    }
    arena_done(&m->a);
    return r < 0 ? r : (int)m->done;
}

/* ---- a round -----------------------------------------------------------------------------------
 */

static bool is_stopping(void *ctx)
{
    return engine_stopping(ctx);
}

static void tell_listed(void *ctx, const struct reindex_result *r)
{
    (void)ctx;
    if (r->packages)
        log_info(
            "policy_engine",
            "newer vulnerability data: %llu names differ, %llu packages were matched again; the"
            " list of %llu images was complete after %.2f s",
            (unsigned long long)r->names, (unsigned long long)r->packages,
            (unsigned long long)r->images, r->diff_seconds + r->match_seconds + r->image_seconds);
}

static void tell(const struct vulndata_view *view, const struct reindex_result *r)
{
    if (r->packages)
        log_info("policy_engine",
                 "vulnerability data %.19s: %llu names differ, %llu packages were matched again,"
                 " %llu findings changed, in %llu images",
                 view->generation, (unsigned long long)r->names, (unsigned long long)r->packages,
                 (unsigned long long)r->changes, (unsigned long long)r->images);
}

/* The newest data, here and in the store: 1, or 0 when that is a later round's business. */
static int newest(struct engine *en, struct vulndata_view **view, struct err *e)
{
    *view = vulndata_take(en->vulndata);
    if (!(*view)->db)
        return 0;
    int r = vulndata_is_published(en, *view, e);
    if (r != 0)
        return r;
    r = vulndata_publish(en, e);
    if (r >= 0)
        r = vulndata_fetch(en, e);
    if (r < 0)
        return r;
    vulndata_refresh(en->vulndata);
    vulndata_drop(*view);
    *view = vulndata_take(en->vulndata);
    return vulndata_is_published(en, *view, e);
}

static int keep_up(struct engine *en, const struct vulndata_view *view, struct err *e)
{
    char holder[160];
    snprintf(holder, sizeof holder, "%.100s/%ld", en->host_id, (long)getpid());
    const struct reindex_options o = {.db = en->db,
                                      .documents = en->documents,
                                      .data = view->db,
                                      .generation = view->generation,
                                      .holder = holder,
                                      .stop = is_stopping,
                                      .listed = tell_listed,
                                      .ctx = en};
    struct reindex_result result = {0};
    int64_t r = reindex_data(&o, &result, e);
    /* More images wait for the index than can be looked through: they go into it first. */
    bool crowded = r == ERR_LIMIT;
    if (r >= 0)
        tell(view, &result);
    if (r >= 0 || crowded)
        r = reindex_packages(&o, e);
    if (r >= 0)
        r = reindex_images(&o, e);
    if (r >= 0)
        r = history_trends(en->db, r > 0 || result.changes, e);
    return r < 0 ? (int)r : 0;
}

int reindex_run(struct engine *en, struct err *e)
{
    auto_vulndata *view = NULL;
    int r = add_all_missing(en, e);
    if (r >= 0)
        r = newest(en, &view, e);
    return r == 1 ? keep_up(en, view, e) : r < 0 ? r : 0;
}
