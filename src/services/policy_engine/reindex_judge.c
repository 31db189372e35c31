/* reindex_judge.c - which packages the newer data say something else of, and so which images: known
 * before anything is written about any of them. */
#include "services/policy_engine/affected.h"
#include "services/policy_engine/reindex_internal.h"

#include "base/auto.h"

#include <pthread.h>

enum { CHUNK_ARENA = 512 << 20, LISTS_AT_ONCE = 1024 };

/* ---- packages */

struct judged {
    struct arena a;
    const int64_t *ids;
    size_t n_ids, n;
    struct candidate list[REINDEX_CHUNK];
    struct package_sum before[REINDEX_CHUNK];
};
struct judging {
    const struct reindex_options *o;
    const int64_t *ids;
    struct reindex_judgement *out;
    pthread_mutex_t lock;
};

static int take_row(void *ctx, const struct posting_row *row, struct err *e)
{
    struct judged *j = ctx;
    struct package_sum *before = &j->before[j->n];
    if (!row->matched || j->n == REINDEX_CHUNK)
        return 0; /* its first findings are no change */
    if (!package_sum_read(row->counts, before))
        *before = (struct package_sum){0};
    j->list[j->n] = (struct candidate){
        .id = row->id, .printed = before->printed, .identity = arena_dup(&j->a, row->identity)};
    return j->list[j->n++].identity.p ? 0 : err_no_memory(e);
}

static int read_chunk(struct db_tx *tx, void *ctx, struct err *e)
{
    struct judged *j = ctx;
    arena_done(&j->a);
    arena_init(&j->a, CHUNK_ARENA);
    j->n = 0;
    int rc = posting_rows(tx, j->ids, j->n_ids, take_row, j, e);
    for (size_t i = 0; rc >= 0 && i < j->n; i++)
        if (!j->list[i].printed) { /* an older build's: its findings themselves */
            rc = reindex_read_spans(tx, &j->list[i], &j->a, e);
            j->before[i] = package_sum_of(j->list[i].before, j->list[i].n_before);
        }
    return rc;
}

static int push(posting_ids *list, int64_t id, struct err *e)
{
    int64_t *slot = vec_push(list);
    if (slot)
        *slot = id;
    return slot ? 0 : err_no_memory(e);
}

static int deal(struct judging *s, const struct judged *j, struct err *e)
{
    int rc = 0;
    pthread_mutex_lock(&s->lock);
    for (size_t i = 0; rc == 0 && i < j->n; i++) {
        struct package_sum now = package_sum_of(j->list[i].now, j->list[i].n_now);
        if (now.told != j->before[i].told)
            rc = push(&s->out->told, j->list[i].id, e);
        if (rc == 0 && (now.all != j->before[i].all || !j->list[i].printed))
            rc = push(&s->out->written, j->list[i].id, e);
    }
    pthread_mutex_unlock(&s->lock);
    return rc;
}

static int judge_chunk(void *ctx, unsigned thread, size_t from, size_t to, struct err *e)
{
    struct judging *s = ctx;
    (void)thread;
    struct judged *j = calloc(1, sizeof *j);
    if (!j)
        return err_no_memory(e);
    j->ids = s->ids + from;
    j->n_ids = to - from;
    arena_init(&j->a, CHUNK_ARENA);
    int rc = db_run(s->o->db, DB_READ, read_chunk, j, e);
    if (rc >= 0)
        rc = reindex_match(s->o->data, j->list, j->n, &j->a, e);
    if (rc >= 0)
        rc = deal(s, j, e);
    arena_done(&j->a);
    free(j);
    return rc;
}

int reindex_judge(const struct reindex_options *o, const int64_t *ids, size_t n,
                  struct reindex_judgement *out, struct err *e)
{
    struct judging s = {.o = o, .ids = ids, .out = out};
    pthread_mutex_init(&s.lock, NULL);
    out->told.n = out->written.n = 0;
    int rc = reindex_share(o, n, REINDEX_CHUNK, judge_chunk, &s, e);
    pthread_mutex_destroy(&s.lock);
    if (out->told.n)
        qsort(out->told.p, out->told.n, sizeof *out->told.p, posting_id_order);
    if (out->written.n)
        qsort(out->written.p, out->written.n, sizeof *out->written.p, posting_id_order);
    return rc;
}

/* ---- images */

struct uniting {
    const struct reindex_options *o;
    const int64_t *ids;
    struct posting_set of[REINDEX_THREADS];
};
struct union_part {
    const int64_t *ids;
    size_t n;
    struct posting_set *out;
};

static int unite(struct db_tx *tx, void *ctx, struct err *e)
{
    struct union_part *p = ctx;
    auto_posting *reader = NULL;
    int rc = posting_open(tx, &reader, e);
    return rc < 0 ? rc : posting_read_all(reader, p->ids, p->n, p->out, e);
}

static int unite_part(void *ctx, unsigned thread, size_t from, size_t to, struct err *e)
{
    struct uniting *u = ctx;
    struct union_part p = {u->ids + from, to - from, &u->of[thread]};
    return db_run(u->o->db, DB_READ, unite, &p, e);
}

int reindex_images_of(const struct reindex_options *o, const int64_t *packages, size_t n,
                      struct posting_set *out, struct err *e)
{
    struct uniting u = {.o = o, .ids = packages};
    int rc = reindex_share(o, n, LISTS_AT_ONCE, unite_part, &u, e);
    for (size_t i = 0; i < REINDEX_THREADS; i++) {
        if (rc >= 0 && !posting_set_join(out, &u.of[i]))
            rc = err_no_memory(e);
        posting_set_done(&u.of[i]);
    }
    return rc;
}

struct publishing {
    const struct reindex_options *o;
    int64_t batch;
    struct posting_set *set;
};

static int publish(struct db_tx *tx, void *ctx, struct err *e)
{
    struct publishing *p = ctx;
    int rc = reindex_fence(tx, p->o, e);
    if (rc >= 0) /* with what a process that was killed had found */
        rc = affected_read(tx, p->batch, p->set, e);
    return rc < 0 ? rc : affected_publish(tx, p->batch, p->o->generation, p->set, e);
}

int reindex_publish(const struct reindex_options *o, int64_t batch, struct posting_set *set,
                    struct err *e)
{
    struct publishing p = {o, batch, set};
    return db_run(o->db, DB_WRITE, publish, &p, e);
}
