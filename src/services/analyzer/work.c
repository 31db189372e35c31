#include "base/auto.h"
#include "base/clock.h"
#include "services/analyzer/analyzer.h"
#include "services/log.h"
#include "services/metrics.h"

#include <time.h>

enum { JOB_ARENA_MAX = 128 << 20 };
static const char service[] = "analyzer";
static const int64_t retry_us = 5000000;

static int read_payload(struct analyzer_job *job, struct err *e)
{
    auto_json *doc = NULL;
    int rc = json_parse(job->item->payload, "queue item", &doc, e);
    if (rc < 0)
        return rc;
    yyjson_val *root = yyjson_doc_get_root(doc);
    str uuid = json_str(root, "importUuid");
    job->account = job->item->account;
    job->digest = arena_dup(&job->arena, json_str(root, "imageDigest"));
    if (uuid.n)
        job->import_uuid = arena_dup(&job->arena, uuid);
    return job->digest.n ? 0 : err_set(e, ERR_FORMAT, "the queue's item names no image");
}

/* 1: the image is ours to analyse; 0: there is nothing to do, and the item is gone. */
static int begin_tx(struct db_tx *tx, void *ctx, struct err *e)
{
    struct analyzer_job *job = ctx;
    char why[200];
    int rc = image_get(tx, &job->arena, job->account, job->digest, &job->image, e);
    if (rc < 0)
        return rc;
    const struct image_record *r = &job->image;
    bool wanted = rc == 1 && str_eq(r->image_status, STR("active")) &&
                  (str_eq(r->analysis_status, STR("not_analyzed")) ||
                   str_eq(r->analysis_status, STR("analyzing")));
    if (!wanted) {
        rc = queue_done(tx, STR(ANALYZER_QUEUE), job->item->receipt, e);
        return rc < 0 ? rc : 0;
    }
    snprintf(why, sizeof why, "taken by a worker, try %lld of %lld", (long long)job->item->tries,
             (long long)job->item->max_tries);
    rc = image_set_status(tx, job->account, job->digest, 0, IMAGE_ANALYZING,
                          str_z(job->en->host_id), str_z(why), e);
    return rc < 0 ? rc : 1;
}

/* ---- failures ----------------------------------------------------------------------------------
 */

struct failure {
    struct analyzer_job *job;
    str reason;
    bool final, release, dead;
};

/* Another try would find the same. Not so ERR_LIMIT: an analyser that got no further in time may do
 * so afresh. */
static bool is_final(int code)
{
    return code == ERR_FORMAT || code == ERR_UNSUPPORTED || code == ERR_USAGE ||
           code == ERR_MISMATCH;
}

static int fail_tx(struct db_tx *tx, void *ctx, struct err *e)
{
    struct failure *f = ctx;
    struct analyzer_job *job = f->job;
    str queue = STR(ANALYZER_QUEUE);
    int rc = f->release ? queue_release(tx, queue, job->item->receipt, e)
                        : queue_fail(tx, queue, job->item->receipt, f->reason,
                                     retry_us * job->item->tries, f->final, e);
    if (rc < 0)
        return rc;
    f->dead = !f->release && rc == 1;
    if (f->dead)
        return analyzer_give_up(tx, job->en, job->account, job->digest, f->reason, e);
    char why[700];
    snprintf(why, sizeof why, f->release ? "handed back: %.*s" : "to be tried again: %.*s",
             STR_ARG(f->reason));
    return image_set_status(tx, job->account, job->digest, 1 << IMAGE_ANALYZING, IMAGE_NOT_ANALYZED,
                            str_z(job->en->host_id), str_z(why), e);
}

static void fail(struct analyzer_job *job, int code, const struct err *why)
{
    struct analyzer *an = job->slot->an;
    struct err err = {0};
    if (__atomic_load_n(&job->slot->lost, __ATOMIC_ACQUIRE)) {
        log_warn(service, "%.*s: the lease was lost, the work is given up", STR_ARG(job->digest));
        return;
    }
    struct failure f = {.job = job, .reason = str_z(why->text), .final = is_final(code)};
    bool broken = !analyzer_can_scan(an);
    f.release = broken || __atomic_load_n(&an->stopping, __ATOMIC_ACQUIRE);
    if (f.release)
        f.reason = STR("the worker is shutting down");
    int rc = db_run(job->en->db, DB_WRITE, fail_tx, &f, &err);
    if (rc < 0)
        log_error(service, "%.*s: cannot record a failure: %s", STR_ARG(job->digest), err.text);
    else if (f.dead)
        log_error(service, "%.*s: analysis failed: %s", STR_ARG(job->digest), why->text);
    else if (!f.release)
        log_warn(service, "%.*s: %s; it will be tried again", STR_ARG(job->digest), why->text);
    if (!f.release)
        metric_add(job->en->metrics, f.dead ? METRIC_ANALYSIS_ERROR : METRIC_ANALYSIS_RETRIES, 1,
                   METRIC_NO_LABELS);
}

/* ---- the work ----------------------------------------------------------------------------------
 */

/* Ends a step that began at *since; the next one begins. */
static void step_done(struct analyzer_job *job, const char *step, double *since)
{
    double now = clock_seconds();
    metric_observe(job->en->metrics, METRIC_ANALYSIS_STEP_SECONDS, now - *since,
                   METRIC_LABELS(step));
    *since = now;
}

static int analyse(struct analyzer_job *job, struct err *e)
{
    double since = clock_seconds();
    int rc = job->import_uuid.p ? analyzer_fetch_import(job, e) : analyzer_fetch(job, e);
    step_done(job, "read", &since);
    if (rc < 0)
        return rc;
    struct analysis_input in = {
        .digest = job->digest,
        .inv = job->inv,
        .settings = job->slot->an->settings,
        .imported = job->import_uuid.p != NULL,
        .clamd = job->facts.malware,
        .clamd_problem = job->clamd_problem,
    };
    if (str_eq(job->image.dockerfile_mode, STR("Actual")))
        in.dockerfile = job->image.dockerfile;
    rc = analysis_make(&in, &job->analysis, e);
    step_done(job, "documents", &since);
    if (rc < 0)
        return rc;
    rc = analyzer_store(job, e);
    step_done(job, "store", &since);
    return rc;
}

static void count(struct analyzer_job *job, bool good, double seconds)
{
    struct metrics *m = job->en->metrics;
    const struct metric_labels how = METRIC_LABELS(good ? "success" : "fail");
    metric_observe(m, METRIC_ANALYSIS_SECONDS, seconds, how);
    if (good)
        metric_add(m, METRIC_ANALYSIS_SUCCESS, 1, METRIC_NO_LABELS);
    if (!job->import_uuid.p)
        return;
    metric_observe(m, METRIC_IMPORT_SECONDS, seconds, how);
    if (good)
        metric_add(m, METRIC_IMPORT_SUCCESS, 1, METRIC_NO_LABELS);
}

static int run(struct analyzer_job *job, struct err *e)
{
    int rc = read_payload(job, e);
    if (rc >= 0)
        rc = db_run(job->en->db, DB_WRITE, begin_tx, job, e);
    if (rc <= 0)
        return rc;
    slot_names(job->slot, job->account, job->digest);
    log_info(service, "%.*s: analysis begins", STR_ARG(job->digest));
    double began = clock_seconds();
    rc = analyse(job, e);
    count(job, rc >= 0, clock_seconds() - began);
    if (rc >= 0)
        log_info(service, "%.*s: analysis completed", STR_ARG(job->digest));
    return rc;
}

void analyzer_work(struct slot *slot, const struct queue_item *item)
{
    struct analyzer_job job = {.slot = slot, .item = item, .en = slot->an->en};
    struct err err = {0};
    arena_init(&job.arena, JOB_ARENA_MAX);
    buf_init(&job.inventory, 0);
    int rc = run(&job, &err);
    if (rc < 0)
        fail(&job, rc, &err);
    analysis_free(job.analysis);
    inventory_free(job.inv);
    buf_done(&job.inventory);
    arena_done(&job.arena);
}
