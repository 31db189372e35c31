#include "base/auto.h"
#include "base/clock.h"
#include "services/analyzer/analyzer.h"
#include "services/log.h"
#include "net/clamd.h"
#include "services/registry_record.h"

#include <time.h>

struct manifest {
    struct analyzer_job *job;
    struct buf text;
    int64_t size;
};

static int read_size(struct db_tx *tx, void *ctx, struct err *e)
{
    struct manifest *m = ctx;
    struct analyzer_job *job = m->job;
    int rc = db_query_int(tx,
                          "SELECT COALESCE(compressed_size, -1) FROM catalog_image"
                          " WHERE account = $1 AND image_digest = $2",
                          DB(DBS(job->account), DBS(job->digest)), &m->size, e);
    if (rc < 0 || m->size >= 0)
        return rc;
    buf_clear(&m->text); /* it was added by an earlier version */
    rc = document_get(job->en->documents, tx, job->account, STR("manifest_data"), job->digest,
                      &m->text, e);
    m->size = rc < 0 ? 0 : (int64_t)image_compressed_size(buf_view(&m->text));
    return rc;
}

static int check_size(struct analyzer_job *job, struct err *e)
{
    int64_t max = job->en->config->max_compressed_image_size_mb;
    struct manifest m = {.job = job};
    if (max < 0)
        return 0;
    buf_init(&m.text, 16 << 20);
    int rc = db_run(job->en->db, DB_READ, read_size, &m, e);
    uint64_t size = rc < 0 ? 0 : (uint64_t)m.size;
    buf_done(&m.text);
    if (rc < 0 && rc != ERR_NOT_FOUND)
        return rc;
    if (size <= (uint64_t)max << 20)
        return 0;
    return err_set(e, ERR_UNSUPPORTED,
                   "the image has %llu MiB (compressed), which is more than "
                   "max_compressed_image_size_mb: %lld",
                   (unsigned long long)(size >> 20), (long long)max);
}

/* A scan that shows no sign of life in its first minute is begun afresh. */
struct watch {
    struct slot *slot;
    time_t begun;
    bool alive;
};

static void note_progress(void *ctx, const char *phase, uint64_t bytes, uint64_t total_bytes,
                          uint32_t layers_done, uint32_t layers_total)
{
    struct watch *w = ctx;
    w->alive |= bytes || total_bytes || layers_done || layers_total;
}

static bool unwanted(void *ctx)
{
    const struct watch *w = ctx;
    return slot_unwanted(w->slot) || (!w->alive && clock_s() - w->begun > 60);
}

static int fetch_as(struct analyzer_job *job, str registry, str repo, struct err *e)
{
    struct registry_options login;
    int rc = registry_login(job->en, &job->arena, job->account, registry, repo, &login, e);
    if (rc < 0)
        return rc;
    str name = arena_printf(&job->arena, "%.*s/%.*s@%.*s", STR_ARG(registry), STR_ARG(repo),
                            STR_ARG(job->digest));
    if (!name.p)
        return err_no_memory(e);
    struct watch watch = {.slot = job->slot, .begun = clock_s()};
    struct scan_options o = {
        .source = name.p,
        .data_dir = job->en->config->data_dir,
        .cache_max = job->en->config->layer_cache_max,
        .registry = &login,
        .facts = &job->facts,
        .clamd = job->slot->an->settings->clamd,
        .zygote = job->en->zygote,
        .progress = {.update = note_progress, .ctx = &watch, .unwanted = unwanted},
    };
    return inventory_scan(&o, &job->inv, e);
}

/* The first tag of each repository. */
static bool seen_before(const struct analyzer_job *job, size_t n)
{
    const struct image_tag *t = job->image.tags;
    for (size_t i = 0; i < n; i++)
        if (str_eq(t[i].registry, t[n].registry) && str_eq(t[i].repo, t[n].repo))
            return true;
    return false;
}

/* A clamd that does not answer is a problem of the image, which is analysed without. */
static void ask_clamd(struct analyzer_job *job)
{
    const struct analyzer_settings *s = job->slot->an->settings;
    char version[CLAMD_TEXT];
    struct err err = {0};
    job->facts = s->facts;
    job->clamd_problem = (str){0};
    if (!s->clamd)
        return;
    if (clamd_version(s->clamd, version, &err) < 0)
        job->clamd_problem = arena_printf(&job->arena, "not searched for malware: %s", err.text);
    else
        job->facts.malware = arena_dup(&job->arena, str_z(version));
}

int analyzer_fetch(struct analyzer_job *job, struct err *e)
{
    int rc = check_size(job, e);
    if (rc < 0)
        return rc;
    ask_clamd(job);
    rc = err_set(e, ERR_NOT_FOUND, "the image has no tag that says where it can be fetched");
    for (size_t i = 0; i < job->image.n_tags && !slot_unwanted(job->slot); i++) {
        const struct image_tag *t = &job->image.tags[i];
        if (seen_before(job, i))
            continue;
        rc = fetch_as(job, t->registry, t->repo, e);
        if (rc >= 0)
            return 0;
        log_info("analyzer", "%.*s: %s", STR_ARG(job->digest), e->text);
    }
    return rc;
}
