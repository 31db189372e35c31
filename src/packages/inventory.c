/* inventory.c - the parent of a scan: starts the confined analyst, serves it, merges what it found.
 */
#include "packages/inventory.h"

#include "base/aside.h"
#include "base/auto.h"
#include "base/fs.h"
#include "base/map.h"
#include "image/broker.h"
#include "image/malware.h"
#include "packages/description.h"
#include "packages/facts_codec.h"
#include "packages/file_list.h"
#include "packages/launch.h"
#include "packages/layer_cache.h"
#include "packages/package_files.h"
#include "packages/squash.h"

#include <fcntl.h>
#include <sys/mman.h>

enum { ANSWER_SEALS = F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE };

enum {
    INVENTORY_ARENA = 1 << 30,
    DESCRIPTION_MAX = 64 << 20,
    RECORDS_MAX = 2 * MANIFEST_LAYERS_MAX, /* archives may hold several images */
    RECORD_BYTES_MAX = 512 << 20,
    FACTS_MAX = 512 << 20, /* all layers' together, as stored; the same layer twice counts twice */
};

/* What no honest analyst reaches. The longest it is silent is while one package database is taken
 * apart: seconds. */
static const struct broker_limits analyst_limits = {
    .questions = 1000000, .fetches = 2 * MANIFEST_LAYERS_MAX + 100, .quiet_s = 15 * 60};

struct scan {
    const struct scan_options *options;
    struct source *source;
    struct inventory *inv;
    struct analyst_progress *progress; /* shared with the analyst */
    int progress_fd;                   /* its memory */
    struct map records;                /* diff_id (in inv->arena) -> struct layer_record */
    uint64_t record_bytes;
    uint64_t cached_bytes;       /* written into the cache */
    uint64_t variant;            /* of the cached records */
    struct malware_guard *guard; /* of this round; NULL: not searched for */
    struct alias_list aliases;
    struct description description;
    bool described;
    struct { /* the record that is being written into the cache; NULL: none */
        const struct layer_record *record;
        char diff_id[SHA256_TEXT];
        struct aside aside;
    } caching;
};

/* ---- what the broker asks
 * ---------------------------------------------------------------------------------- */

static void cache_record(void *ctx)
{
    struct scan *s = ctx;
    layer_cache_put(s->options->data_dir, str_z(s->caching.diff_id), s->variant, s->caching.record);
}

static void scan_cached(struct scan *s)
{
    if (s->caching.record)
        aside_end(&s->caching.aside);
    s->caching.record = NULL;
}

/* Written while the scan goes on, one at a time. */
static void scan_cache(struct scan *s, str diff_id, const struct layer_record *record)
{
    scan_cached(s);
    if (diff_id.n >= sizeof s->caching.diff_id)
        return;
    s->caching.record = record;
    snprintf(s->caching.diff_id, sizeof s->caching.diff_id, "%.*s", STR_ARG(diff_id));
    s->cached_bytes += layer_record_bytes(record).n;
    aside_begin(&s->caching.aside, cache_record, s);
}

static void scan_drop_record(struct scan *s, struct layer_record *record)
{
    if (record && s->caching.record == record)
        scan_cached(s);
    if (record)
        s->record_bytes -= layer_record_bytes(record).n;
    layer_record_close(record);
}

/* Takes the record. */
static int scan_keep_record(struct scan *s, str diff_id, struct layer_record *record, struct err *e)
{
    str key = arena_dup(&s->inv->arena, diff_id);
    void **slot = key.p && s->records.n < RECORDS_MAX ? map_slot(&s->records, key) : NULL;
    s->record_bytes += layer_record_bytes(record).n;
    if (slot && s->record_bytes <= RECORD_BYTES_MAX) {
        scan_drop_record(s, *slot);
        *slot = record;
        return 0;
    }
    scan_drop_record(s, record);
    return key.p ? err_set(e, ERR_LIMIT,
                           "the facts of all layers together pass the limit of %u MiB or of %d "
                           "layers",
                           RECORD_BYTES_MAX >> 20, RECORDS_MAX)
                 : err_no_memory(e);
}

static bool scan_have(void *ctx, str diff_id)
{
    struct scan *s = ctx;
    if (s->aliases.n) /* a second look is for what the records lack */
        return false;
    if (map_get(&s->records, diff_id))
        return true;
    struct layer_record *record = layer_cache_get(s->options->data_dir, diff_id, s->variant);
    if (!record || scan_keep_record(s, diff_id, record, NULL) < 0)
        return false;
    s->inv->layers_cached++;
    return true;
}

/* Only memory that nobody can change any more: no pipe, no device, no growing file. */
static int scan_sealed(int fd, struct err *e)
{
    int seals = fcntl(fd, F_GET_SEALS);
    if (seals < 0 || (seals & ANSWER_SEALS) != ANSWER_SEALS)
        return err_set(e, ERR_FORMAT, "the analyser sent what may still change");
    return 0;
}

static int scan_record(void *ctx, str diff_id, bool keep, int fd, struct err *e)
{
    struct scan *s = ctx;
    struct layer_record *record;
    int r = scan_sealed(fd, e);
    if (r == 0)
        r = layer_record_open(fd, &record, e);
    if (r < 0)
        return r;
    r = scan_keep_record(s, diff_id, record, e);
    if (r == 0 && keep) /* after the limits, which are then the cache's too */
        scan_cache(s, diff_id, record);
    return r;
}

static int scan_image(void *ctx, int fd, struct err *e)
{
    struct scan *s = ctx;
    auto_buf text;
    buf_init(&text, DESCRIPTION_MAX);
    int r = scan_sealed(fd, e);
    if (r < 0)
        return r;
    if (lseek(fd, 0, SEEK_SET) < 0)
        return err_errno(e, "cannot read the description of the image");
    r = fs_read_fd(fd, "the description of the image", &text, e);
    description_done(&s->description);
    s->description = (struct description){.arena = &s->inv->arena};
    if (r == 0)
        r = description_decode(buf_view(&text), &s->description, e);
    s->described = r == 0;
    return r;
}

static int scan_malware(void *ctx, int *fd, struct err *e)
{
    struct scan *s = ctx;
    if (!s->guard)
        return err_set(e, ERR_FORMAT, "nobody searches for malware");
    return malware_guard_open(s->guard, fd, e);
}

static uint64_t scan_tick(void *ctx)
{
    const struct scan *s = ctx;
    const struct scan_progress *p = &s->options->progress;
    uint64_t bytes = __atomic_load_n(&s->progress->bytes, __ATOMIC_RELAXED);
    uint64_t entries = __atomic_load_n(&s->progress->entries, __ATOMIC_RELAXED);
    uint32_t layers = __atomic_load_n(&s->progress->layers_done, __ATOMIC_RELAXED);
    if (p->update)
        p->update(p->ctx, "scanning", bytes,
                  __atomic_load_n(&s->progress->total_bytes, __ATOMIC_RELAXED), layers,
                  __atomic_load_n(&s->progress->layers_total, __ATOMIC_RELAXED));
    return bytes + entries + layers;
}

static bool scan_unwanted(void *ctx)
{
    const struct scan_progress *p = &((const struct scan *)ctx)->options->progress;
    return p->unwanted && p->unwanted(p->ctx);
}

/* ---- the child
 * -----------------------------------------------------------------------------------------------
 */

static unsigned scan_threads(const struct scan_options *o)
{
    long n = o->threads ? (long)o->threads : sysconf(_SC_NPROCESSORS_ONLN);
    return n < 1 ? 1 : n > 64 ? 64 : (unsigned)n;
}

static int scan_run(struct scan *s, struct err *e)
{
    const struct analyst_options o = {.threads = scan_threads(s->options),
                                      .no_confine = s->options->no_confine,
                                      .progress = s->progress,
                                      .facts = s->options->facts,
                                      .aliases = s->aliases.p,
                                      .n_aliases = s->aliases.n};
    struct launch analyst;
    int r = 0;
    if (o.facts && o.facts->malware.n)
        r = malware_guard_new(s->options->clamd, &s->guard, e);
    if (r == 0)
        r = launch_begin(s->options->zygote, s->source, &o, s->progress_fd, &analyst, e);
    if (r < 0) {
        malware_guard_free(TAKE(s->guard));
        return r;
    }
    struct broker_events events = {.ctx = s,
                                   .have = scan_have,
                                   .record = scan_record,
                                   .image = scan_image,
                                   .malware = scan_malware,
                                   .tick = scan_tick,
                                   .unwanted = scan_unwanted};
    struct broker_limits limits = analyst_limits;
    if (s->source->shape == SHAPE_ARCHIVE && !s->source->seekable && s->source->fd >= 0)
        limits.quiet_s = 0; /* whoever writes into the pipe may take all the time */
    s->described = false;
    r = broker_serve(s->source, analyst.sock, &limits, &events, e);
    if (r == 0 && !s->described)
        r = err_set(e, ERR_FORMAT, "the analyser says that it is done, but described no image");
    close(analyst.sock);
    struct err died = {0};
    if (launch_end(&analyst, &died) < 0 && r == ERR_IO)
        *e = died;
    malware_guard_free(TAKE(s->guard));
    return r;
}

/* ---- merging
 * ----------------------------------------------------------------------------------------------------
 */

static void scan_identity(struct scan *s)
{
    struct inventory *inv = s->inv;
    const struct description *d = &s->description;
    inv->source_kind = str_z(s->source->kind);
    inv->source = arena_dup(&inv->arena, str_z(s->options->source));
    inv->asked = arena_dup(&inv->arena, str_z(s->source->asked));
    inv->reference = arena_dup(&inv->arena, str_z(s->source->canonical));
    inv->manifest_digest = d->manifest_digest;
    inv->config_digest = d->config_digest;
    inv->os = d->os;
    inv->architecture = d->architecture;
    inv->variant = d->variant;
    inv->created = d->created;
    inv->manifest_json = d->manifest_json;
    inv->config_json = d->config_json;
    inv->repo_tags = d->tags.p;
    inv->n_repo_tags = d->tags.n;
    inv->layers = d->layers.p;
    inv->n_layers = d->layers.n;
    inv->problems = d->problems.p;
    inv->n_problems = d->problems.n;
    inv->confined = s->progress->confined;
}

static bool scan_problem(struct scan *s, int32_t layer, str path, const char *what, str detail)
{
    struct inv_problem *p = vec_push(&s->description.problems);
    if (p)
        *p = (struct inv_problem){path, str_z(what), detail, layer};
    return p != NULL;
}

/* A layer without a record: a foreign one that was not to be had is in the problems already. */
static bool scan_lack(struct scan *s, int32_t layer)
{
    for (size_t i = 0; i < s->description.problems.n; i++)
        if (s->description.problems.p[i].layer == layer)
            return true;
    return scan_problem(s, layer, STR(""), "unreadable", STR("nothing is known of this layer"));
}

static int scan_facts(struct scan *s, struct squash_layer *layers, size_t n, struct err *e)
{
    uint64_t total = 0;
    for (size_t i = 0; i < n; i++) {
        str diff_id = s->description.layers.p[i].diff_id;
        facts_init(&layers[i].facts, 0);
        layers[i].record = map_get(&s->records, diff_id);
        if (!layers[i].record) {
            if (!scan_lack(s, (int32_t)i))
                return err_no_memory(e);
            continue;
        }
        total += layer_record_body(layers[i].record).n;
        if (total > FACTS_MAX)
            return err_set(e, ERR_LIMIT, "the layers' facts are larger than the limit");
        struct layer_body body;
        if (!layer_body_parts(layer_record_body(layers[i].record), &body))
            return err_set(e, ERR_FORMAT, "layer %zu: damaged layer facts", i + 1);
        int r = facts_decode(body.facts, &layers[i].facts, e);
        if (r < 0)
            return err_wrap(e, "layer %zu", i + 1);
    }
    return 0;
}

/* What links lead to and was not read. */
static bool scan_link_problems(struct scan *s, bool unread)
{
    const struct alias_list *list = &s->aliases;
    bool ok = true;
    for (size_t i = 0; i < list->n_loops; i++)
        ok &= scan_problem(s, -1, list->loops[i], "parse", STR("symbolic links go in circles"));
    for (size_t i = 0; unread && i < list->n; i++)
        ok &= scan_problem(s, -1, list->p[i].as, "unreadable",
                           arena_printf(&s->inv->arena,
                                        "it is a link to %.*s, which cannot be read from a stream: "
                                        "scan the archive as a file",
                                        STR_ARG(list->p[i].real)));
    return ok;
}

/* The list of files points into the records. */
static int scan_hand_over(struct scan *s, struct err *e)
{
    int r = 0;
    for (size_t i = 0; i < s->records.cap && r == 0; i++) {
        struct map_slot *slot = &s->records.slots[i];
        if (slot->used && slot->value)
            r = merged_files_hold(s->inv->merged, slot->value, e);
        if (r == 0)
            slot->value = NULL;
    }
    return r;
}

/* Merges; 1 when the image must be read again with more aliases. */
static int scan_merge(struct scan *s, bool last, struct err *e)
{
    size_t n = s->description.layers.n;
    struct squash_layer *layers = calloc(n + 1, sizeof *layers);
    if (!layers)
        return err_no_memory(e);
    int r = scan_facts(s, layers, n, e);
    if (r == 0)
        r = squash_aliases(layers, n, &s->inv->arena, &s->aliases, e);
    bool stream = s->source->shape == SHAPE_ARCHIVE && !s->source->seekable;
    bool unread = r == 1 && stream;
    if (r == 1 && (stream || last))
        r = 0;
    if (r == 0 && !scan_link_problems(s, unread))
        r = err_no_memory(e);
    if (r == 0) {
        scan_identity(s);
        r = squash_layers(layers, n, &s->aliases, s->inv, e);
        if (r == 0 && s->options->facts)
            r = listing_merge(layers, n, s->options->facts, s->inv, e);
        if (r == 0 && s->options->facts)
            r = package_files_merge(layers, n, s->inv, e);
        if (s->inv->merged)
            merged_files_settle(s->inv->merged);
    }
    for (size_t i = 0; i < n; i++)
        facts_done(&layers[i].facts);
    free(layers);
    return r == 0 && s->inv->merged ? scan_hand_over(s, e) : r;
}

static int scan_inventory(struct scan *s, struct err *e)
{
    int r = 1;
    for (int round = 1; r == 1; round++) {
        scan_cached(s); /* no thread while a process forks */
        r = scan_run(s, e);
        if (r == 0)
            r = scan_merge(s, round == LINK_ROUNDS_MAX, e);
    }
    return r;
}

static void scan_done(struct scan *s)
{
    for (size_t i = 0; i < s->records.cap; i++)
        if (s->records.slots[i].used)
            layer_record_close(s->records.slots[i].value);
    map_done(&s->records);
    vec_done(&s->description.problems);
    source_close(s->source);
    if (s->progress)
        munmap(s->progress, sizeof *s->progress);
    if (s->progress_fd >= 0)
        close(s->progress_fd);
}

/* Of a size that nobody can change: who reads it must not be hurt. */
static int scan_share(struct scan *s, struct err *e)
{
    s->progress_fd = memfd_create("progress", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    if (s->progress_fd < 0 || ftruncate(s->progress_fd, sizeof *s->progress) < 0 ||
        fcntl(s->progress_fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) < 0)
        return err_errno(e, "cannot share memory with the analyser");
    void *p =
        mmap(NULL, sizeof *s->progress, PROT_READ | PROT_WRITE, MAP_SHARED, s->progress_fd, 0);
    if (p == MAP_FAILED)
        return err_errno(e, "cannot share memory with the analyser");
    s->progress = p;
    return 0;
}

int inventory_scan(const struct scan_options *o, struct inventory **out, struct err *e)
{
    struct source_options so = {.platform = o->platform, .registry = o->registry};
    struct scan s = {
        .options = o, .variant = o->facts ? listing_fingerprint(o->facts) : 0, .progress_fd = -1};
    map_init(&s.records);
    s.inv = calloc(1, sizeof *s.inv);
    if (!s.inv)
        return err_no_memory(e);
    arena_init(&s.inv->arena, INVENTORY_ARENA);
    int r = scan_share(&s, e);
    if (r == 0)
        r = source_open(o->source, &so, &s.source, e);
    if (r == 0)
        r = scan_inventory(&s, e);
    scan_cached(&s);
    if (r < 0) {
        vec_done(&s.description.tags);
        vec_done(&s.description.layers);
        scan_done(&s);
        merged_files_free(s.inv->merged);
        arena_done(&s.inv->arena);
        free(s.inv);
        return r;
    }
    layer_cache_trim(o->data_dir, s.cached_bytes, o->cache_max ? o->cache_max : LAYER_CACHE_MAX);
    scan_done(&s);
    *out = s.inv;
    return 0;
}

void inventory_free(struct inventory *inv)
{
    if (!inv)
        return;
    free((void *)(uintptr_t)inv->repo_tags);
    free((void *)(uintptr_t)inv->layers);
    merged_files_free(inv->merged);
    arena_done(&inv->arena);
    free(inv);
}

int inventory_add_problem(struct inventory *inv, const char *what, str detail, struct err *e)
{
    struct inv_problem *all = arena_calloc(&inv->arena, inv->n_problems + 1, sizeof *all);
    if (!all)
        return err_no_memory(e);
    if (inv->n_problems)
        memcpy(all, inv->problems, inv->n_problems * sizeof *all);
    all[inv->n_problems++] = (struct inv_problem){STR(""), str_z(what), detail, -1};
    inv->problems = all;
    return 0;
}

int inv_package_cmp(const void *x, const void *y)
{
    const struct package *a = &((const struct inv_package *)x)->p;
    const struct package *b = &((const struct inv_package *)y)->p;
    int c = str_cmp(str_z(a->type->name), str_z(b->type->name));
    if (!c)
        c = str_cmp(a->name, b->name);
    if (!c)
        c = str_cmp(a->version, b->version);
    return c ? c : str_cmp(a->path, b->path);
}
