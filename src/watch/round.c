#include "watch/round.h"

#include "base/auto.h"
#include "base/cond.h"
#include "base/fs.h"
#include "services/policy_engine/policy_scan.h"

#include <limits.h>

enum {
    LANE_THREADS = 4,
    THREADS_MAX = 64,
    LANES_MAX = 4096,
    TAGS_MAX = 10000,
    REPOSITORIES_MAX = 10000,
    DOWN_AFTER = 3, /* answers in a row that did not come */
    TICK_US = 200000,
};

/* ---- a watch -----------------------------------------------------------------------------------
 */

int watch_new(const struct watch_options *o, const char *name, struct watch **out, struct err *e)
{
    struct watch *w = calloc(1, sizeof *w);
    if (!w)
        return err_no_memory(e);
    w->o = o;
    pthread_mutex_init(&w->lock, NULL);
    for (size_t i = 0; i < KE_ARRAY_LEN(w->scans); i++)
        pthread_mutex_init(&w->scans[i], NULL);
    int rc = o->policy ? policy_bundle_new(str_z(o->policy), &w->bundle, e) : 0;
    if (rc >= 0 && o->policy) {
        struct sha256 digest = sha256_of(o->policy, strlen(o->policy));
        sha256_format(&digest, w->policy_digest);
        rc = policy_scan_settings(NULL, false, &w->settings, e);
    }
    if (rc >= 0)
        rc = watch_state_open(o->data_dir, name, &w->state, e);
    if (rc >= 0)
        rc = db_run(watch_state_db(w->state), DB_WRITE, watch_sweep, NULL, e);
    if (rc < 0) {
        watch_free(w);
        return rc;
    }
    *out = w;
    return 0;
}

void watch_free(struct watch *w)
{
    if (!w)
        return;
    watch_state_close(w->state);
    policy_bundle_free(w->bundle);
    analyzer_settings_free(w->settings);
    if (w->db)
        vulndb_close(w->db);
    pthread_mutex_destroy(&w->lock);
    for (size_t i = 0; i < KE_ARRAY_LEN(w->scans); i++)
        pthread_mutex_destroy(&w->scans[i]);
    free(w);
}

/* The generation names what the sources say, but for EPSS, which changes no finding. */
static void name_generation(const struct vulndb *db, char out[SHA256_TEXT])
{
    size_t n;
    auto_buf all;
    buf_init(&all, 1 << 20);
    const struct vulndb_source *list = vulndb_sources(db, &n);
    for (size_t i = 0; i < n; i++)
        if (!str_eq(list[i].name, STR("epss")))
            buf_addf(&all, "%.*s %.*s\n", STR_ARG(list[i].name), STR_ARG(list[i].digest));
    struct sha256 digest = sha256_of(all.p ? all.p : "", all.n);
    sha256_format(&digest, out);
}

int watch_data(struct watch *w, struct err *e)
{
    struct vulndb *db = NULL;
    int rc = vulndb_open(w->o->data_dir, &db, e);
    if (rc == ERR_NOT_FOUND)
        return 0;
    if (rc < 0)
        return err_wrap(e, "cannot open the vulnerability data in %s", w->o->data_dir);
    if (w->db && vulndb_epoch(db) == vulndb_epoch(w->db)) {
        vulndb_close(db);
        return 0;
    }
    if (w->db)
        vulndb_close(w->db);
    w->db = db;
    name_generation(db, w->generation);
    return 1;
}

/* ---- lanes -------------------------------------------------------------------------------------
 */

struct job {
    enum want_kind kind;
    struct reference ref;
    const char *repositories, *tags;
    bool listed_before;
};

struct lane {
    struct round *round;
    const char *registry;
    VEC(struct job) jobs;
    size_t next;
    unsigned busy, silent; /* silent: how many answers in a row did not come */
    struct err last;
    struct map seen; /* references that have a job */
};

struct round {
    struct watch *w;
    pthread_mutex_t lock;
    pthread_cond_t more; /* a lane has new jobs, or is done */
    struct arena arena;  /* under the lock */
    struct lane *lanes;
    size_t n_lanes, next_lane;
    unsigned running;
    size_t planned;
    struct err failed; /* the first that ends the round */
};

/* With the round's lock. Each reference once. */
static int add_job(struct lane *l, const struct job *j, struct err *e)
{
    char name[1024];
    struct round *r = l->round;
    reference_format(&j->ref, name, sizeof name);
    str key = arena_printf(&r->arena, "%d %s %s %s", j->kind, name,
                           j->repositories ? j->repositories : "", j->tags ? j->tags : "");
    void **slot = key.p ? map_slot(&l->seen, key) : NULL;
    if (!slot)
        return err_no_memory(e);
    if (*slot)
        return 0;
    *slot = l;
    struct job *to = vec_push(&l->jobs);
    if (!to)
        return err_no_memory(e);
    *to = *j;
    r->planned += j->kind == WANT_IMAGE;
    pthread_cond_broadcast(&r->more);
    return 0;
}

static struct lane *lane_of(struct round *r, const char *registry, struct err *e)
{
    for (size_t i = 0; i < r->n_lanes; i++)
        if (strcmp(r->lanes[i].registry, registry) == 0)
            return &r->lanes[i];
    if (r->n_lanes == LANES_MAX) {
        err_set(e, ERR_LIMIT, "more than %d registries", LANES_MAX);
        return NULL;
    }
    struct lane *l = &r->lanes[r->n_lanes++];
    *l = (struct lane){.round = r, .registry = registry};
    map_init(&l->seen);
    return l;
}

/* What one thread of a lane keeps between jobs: a client of the last repository. */
struct client {
    struct registry *registry;
    char repository[256];
};

static int client_for(struct client *c, struct watch *w, const struct reference *ref, struct err *e)
{
    if (c->registry && strcmp(c->repository, ref->repository) == 0)
        return 0;
    registry_close(TAKE(c->registry));
    snprintf(c->repository, sizeof c->repository, "%s", ref->repository);
    return registry_open(ref, &w->o->registry, &c->registry, e);
}

static int list_seen(struct db_tx *tx, void *ctx, struct err *e)
{
    str *name = ctx;
    return repository_seen(tx, *name, e);
}

static int put_listed(struct db_tx *tx, void *ctx, struct err *e)
{
    return repository_put(tx, *(str *)ctx, e);
}

struct listing {
    struct watch *w;
    struct arena *a;
    str prefix;
    str *known;
    size_t n;
};

static int read_known(struct db_tx *tx, void *ctx, struct err *e)
{
    struct listing *l = ctx;
    return remembered_list(tx, l->a, l->prefix, watch_platform(l->w), &l->known, &l->n, e);
}

/* Remembered tags that match and are not in the list any more. */
static int tell_gone(struct watch *w, struct arena *a, const struct job *j, str repository,
                     const str *tags, size_t n, struct err *e)
{
    struct map there;
    map_init(&there);
    struct listing k = {.w = w, .a = a, .prefix = arena_printf(a, "%.*s:", STR_ARG(repository))};
    int rc = db_run(watch_state_db(w->state), DB_READ, read_known, &k, e);
    for (size_t i = 0; rc >= 0 && i < n; i++)
        if (!map_put(&there, tags[i], w))
            rc = err_no_memory(e);
    for (size_t i = 0; rc >= 0 && i < k.n; i++) {
        str tag = str_from(k.known[i], k.prefix.n);
        if (str_index(tag, '@') < 0 && want_matches(j->tags, tag.p) && !map_get(&there, tag))
            rc = look_gone(w, k.known[i], e);
    }
    map_done(&there);
    return rc;
}

static int add_tags(struct lane *l, const struct job *j, const str *tags, size_t n, bool before,
                    struct err *e)
{
    int rc = 0;
    pthread_mutex_lock(&l->round->lock);
    for (size_t i = 0; rc >= 0 && i < n; i++) {
        struct job one = {.kind = WANT_IMAGE, .ref = j->ref, .listed_before = before};
        if (tags[i].n >= sizeof one.ref.tag || !want_matches(j->tags, tags[i].p))
            continue;
        snprintf(one.ref.tag, sizeof one.ref.tag, "%.*s", STR_ARG(tags[i]));
        rc = add_job(l, &one, e);
    }
    pthread_mutex_unlock(&l->round->lock);
    return rc;
}

/* A repository's tags become jobs. *answer: the registry's error. */
static int list_tags(struct lane *l, struct client *c, const struct job *j, struct err *answer,
                     struct err *e)
{
    struct watch *w = l->round->w;
    struct arena a;
    str *tags = NULL;
    size_t n = 0;
    arena_init(&a, 64 << 20);
    str name = arena_printf(&a, "%s/%s", j->ref.registry, j->ref.repository);
    int rc = registry_tags(c->registry, &a, TAGS_MAX, &tags, &n, answer);
    int before = rc < 0 ? 0 : db_run(watch_state_db(w->state), DB_READ, list_seen, &name, e);
    if (rc >= 0)
        rc = before < 0 ? before : add_tags(l, j, tags, n, before > 0, e);
    if (rc >= 0)
        rc = tell_gone(w, &a, j, name, tags, n, e);
    if (rc >= 0)
        rc = db_run(watch_state_db(w->state), DB_WRITE, put_listed, &name, e);
    arena_done(&a);
    return answer->code ? 0 : rc;
}

static int list_repositories(struct lane *l, struct client *c, const struct job *j,
                             struct err *answer, struct err *e)
{
    struct arena a;
    str *names = NULL;
    size_t n = 0;
    arena_init(&a, 64 << 20);
    int rc = registry_repositories(c->registry, &a, REPOSITORIES_MAX, &names, &n, answer);
    pthread_mutex_lock(&l->round->lock);
    for (size_t i = 0; rc >= 0 && i < n; i++) {
        struct job one = {.kind = WANT_TAGS, .ref = j->ref, .tags = j->tags};
        if (names[i].n >= sizeof one.ref.repository || !want_matches(j->repositories, names[i].p))
            continue;
        snprintf(one.ref.repository, sizeof one.ref.repository, "%.*s", STR_ARG(names[i]));
        rc = add_job(l, &one, e);
    }
    pthread_mutex_unlock(&l->round->lock);
    arena_done(&a);
    return answer->code ? 0 : rc;
}

/* A list that could not be had: its images are looked at as far as they are known. */
static int not_listed(struct lane *l, const struct job *j, const struct err *why, struct err *e)
{
    struct watch *w = l->round->w;
    atomic_fetch_add(&w->failed, 1);
    watch_note(w, "%s/%s%s%s could not be listed: %s", j->ref.registry,
               j->repositories ? j->repositories : j->ref.repository, ":", j->tags, why->text);
    return 0;
}

/* down: why the registry is not asked any more; NULL: it is. */
static int run_job(struct lane *l, struct client *c, const struct job *j, const struct err *down,
                   bool *unreachable, struct err *e)
{
    struct watch *w = l->round->w;
    struct err answer = {0};
    if (down && j->kind == WANT_IMAGE)
        return look_unreachable(w, &j->ref, str_z(down->text), e);
    if (down)
        return not_listed(l, j, down, e);
    int rc = client_for(c, w, &j->ref, &answer);
    if (rc < 0 && j->kind == WANT_IMAGE)
        return look_unreachable(w, &j->ref, str_z(answer.text), e);
    if (rc >= 0 && j->kind == WANT_IMAGE)
        return look_at(w, c->registry, &j->ref, j->listed_before, unreachable, e);
    if (rc >= 0)
        rc = j->kind == WANT_TAGS ? list_tags(l, c, j, &answer, e)
                                  : list_repositories(l, c, j, &answer, e);
    if (!answer.code)
        return rc;
    *unreachable = answer.code == ERR_NET;
    if (*unreachable) {
        pthread_mutex_lock(&l->round->lock);
        l->last = answer;
        pthread_mutex_unlock(&l->round->lock);
    }
    return not_listed(l, j, &answer, e);
}

/* With the lock. False: the lane has nothing more to do. */
static bool take_job(struct lane *l, struct job *out)
{
    struct round *r = l->round;
    while (l->next == l->jobs.n && l->busy && !atomic_load(&r->w->stop) && !r->failed.code)
        pthread_cond_wait(&r->more, &r->lock);
    if (l->next == l->jobs.n || atomic_load(&r->w->stop) || r->failed.code)
        return false;
    *out = l->jobs.p[l->next++];
    l->busy++;
    return true;
}

static void lane_run(struct lane *l)
{
    struct round *r = l->round;
    struct client c = {0};
    struct job j;
    pthread_mutex_lock(&r->lock);
    while (take_job(l, &j)) {
        bool down = l->silent >= DOWN_AFTER, unreachable = false;
        struct err e = {0}, last = l->last;
        pthread_mutex_unlock(&r->lock);
        int rc = run_job(l, &c, &j, down ? &last : NULL, &unreachable, &e);
        pthread_mutex_lock(&r->lock);
        l->silent = unreachable || down ? l->silent + 1 : 0;
        if (unreachable && !l->last.code)
            err_set(&l->last, ERR_NET, "registry %s does not answer", l->registry);
        l->busy--;
        if (rc < 0 && !r->failed.code)
            r->failed = e;
        pthread_cond_broadcast(&r->more);
    }
    pthread_mutex_unlock(&r->lock);
    registry_close(c.registry);
}

/* Lanes one after the other, each lane's threads beginning at another one. */
static void *lane_thread(void *ctx)
{
    struct round *r = ctx;
    for (;;) {
        pthread_mutex_lock(&r->lock);
        size_t i = r->next_lane++;
        pthread_mutex_unlock(&r->lock);
        if (i >= r->n_lanes * LANE_THREADS)
            break;
        lane_run(&r->lanes[i % r->n_lanes]);
    }
    pthread_mutex_lock(&r->lock);
    r->running--;
    pthread_cond_broadcast(&r->more);
    pthread_mutex_unlock(&r->lock);
    return NULL;
}

/* ---- rounds ------------------------------------------------------------------------------------
 */

static int plan(struct round *r, const struct wants *wants, struct err *e)
{
    int rc = 0;
    r->lanes = calloc(LANES_MAX, sizeof *r->lanes);
    if (!r->lanes)
        return err_no_memory(e);
    for (size_t i = 0; rc >= 0 && i < wants->list.n; i++) {
        const struct want *want = &wants->list.p[i];
        struct lane *l = lane_of(r, want->ref.registry, e);
        const struct job j = {want->kind, want->ref, want->repositories, want->tags, false};
        rc = l ? add_job(l, &j, e) : ERR_LIMIT;
    }
    return rc;
}

static void wait_for_all(struct round *r, struct watch_round *out)
{
    pthread_mutex_lock(&r->lock);
    while (r->running) {
        cond_wait_until(&r->more, &r->lock, clock_us() + TICK_US);
        out->planned = r->planned;
        if (atomic_load(&r->w->stop))
            pthread_cond_broadcast(&r->more);
        pthread_mutex_unlock(&r->lock);
        if (out->tick)
            out->tick(out->ctx, out);
        pthread_mutex_lock(&r->lock);
    }
    pthread_mutex_unlock(&r->lock);
}

static int start(struct round *r, pthread_t *threads, size_t *n, struct err *e)
{
    size_t most = r->n_lanes * LANE_THREADS;
    for (*n = 0; *n < most && *n < THREADS_MAX; ++*n) {
        pthread_mutex_lock(&r->lock);
        r->running++;
        pthread_mutex_unlock(&r->lock);
        if (pthread_create(&threads[*n], NULL, lane_thread, r) == 0)
            continue;
        pthread_mutex_lock(&r->lock);
        r->running--;
        pthread_mutex_unlock(&r->lock);
        return *n ? 0 : err_set(e, ERR_IO, "cannot start a thread");
    }
    return 0;
}

static void reset_counts(struct watch *w)
{
    atomic_store(&w->looked, 0);
    atomic_store(&w->scanned, 0);
    atomic_store(&w->again, 0);
    atomic_store(&w->failed, 0);
    atomic_store(&w->gaps, 0);
}

int watch_look(struct watch *w, const struct wants *wants, struct watch_round *out, struct err *e)
{
    struct round r = {.w = w};
    pthread_t threads[THREADS_MAX];
    size_t n = 0;
    arena_init(&r.arena, 1 << 30);
    pthread_mutex_init(&r.lock, NULL);
    cond_init(&r.more);
    reset_counts(w);
    int rc = plan(&r, wants, e);
    if (rc >= 0)
        rc = start(&r, threads, &n, e);
    wait_for_all(&r, out);
    for (size_t i = 0; i < n; i++)
        pthread_join(threads[i], NULL);
    if (rc >= 0 && r.failed.code)
        rc = err_set(e, r.failed.code, "%s", r.failed.text);
    for (size_t i = 0; i < r.n_lanes; i++) {
        vec_done(&r.lanes[i].jobs);
        map_done(&r.lanes[i].seen);
    }
    free(r.lanes);
    pthread_cond_destroy(&r.more);
    pthread_mutex_destroy(&r.lock);
    arena_done(&r.arena);
    return rc;
}

/* ---- what is remembered ------------------------------------------------------------------------
 */

/* "host/repo:tag": does a pattern of repositories want it? */
static bool wants_known(struct arena *a, const struct want *want, str name)
{
    str rest = name;
    str host = str_split(&rest, '/');
    ptrdiff_t colon = str_rindex(rest, ':');
    if (str_index(rest, '@') >= 0 || colon < 0)
        return false;
    str repository = arena_dup(a, str_sub(rest, 0, (size_t)colon));
    str tag = str_from(rest, (size_t)colon + 1);
    if (!repository.p || !str_eq(host, str_z(want->ref.registry)))
        return false;
    if (want->kind == WANT_TAGS)
        return str_eq(repository, str_z(want->ref.repository)) && want_matches(want->tags, tag.p);
    return want_matches(want->repositories, repository.p) && want_matches(want->tags, tag.p);
}

static int known_of(struct watch *w, struct arena *a, const struct want *want, struct listing *k,
                    struct err *e)
{
    char name[1024];
    *k = (struct listing){.w = w, .a = a};
    if (want->kind == WANT_IMAGE) {
        reference_format(&want->ref, name, sizeof name);
        k->known = arena_calloc(a, 1, sizeof *k->known);
        if (!k->known)
            return err_no_memory(e);
        k->known[k->n++] = arena_dup(a, str_z(name));
        return 0;
    }
    k->prefix = want->kind == WANT_TAGS
                    ? arena_printf(a, "%s/%s:", want->ref.registry, want->ref.repository)
                    : arena_printf(a, "%s/", want->ref.registry);
    return db_run(watch_state_db(w->state), DB_READ, read_known, k, e);
}

int watch_again(struct watch *w, const struct wants *wants, struct watch_round *r, struct err *e)
{
    int rc = 0, n = 0;
    for (size_t i = 0; rc >= 0 && i < wants->list.n; i++) {
        const struct want *want = &wants->list.p[i];
        struct listing k;
        struct arena a;
        arena_init(&a, 256 << 20);
        rc = known_of(w, &a, want, &k, e);
        for (size_t j = 0; rc >= 0 && j < k.n && !atomic_load(&w->stop); j++) {
            if (want->kind != WANT_IMAGE && !wants_known(&a, want, k.known[j]))
                continue;
            rc = look_again(w, k.known[j], e);
            n += rc > 0;
            if (rc > 0 && r->tick)
                r->tick(r->ctx, r);
        }
        arena_done(&a);
    }
    return rc < 0 ? rc : n;
}
