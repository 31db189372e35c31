#include "history_world.h"

#include "base/auto.h"
#include "base/hash.h"
#include "match/finding.h"

#include <pthread.h>
#include <unistd.h>

enum { BASES = 200, CHUNK = 512, THREADS = 2, LINE = 10000 };

/* ---- the fleet */

static bool read_line(FILE *f, char *line, str fields[3])
{
    if (!fgets(line, LINE, f))
        return false;
    str rest = str_trim(str_z(line));
    for (int i = 0; i < 3; i++)
        fields[i] = str_split(&rest, '\t');
    return true;
}

static FILE *open_list(const struct world *w, const char *name)
{
    char path[4200];
    snprintf(path, sizeof path, "%s/%s", w->dir, name);
    FILE *f = fopen(path, "r");
    if (f)
        return f;
    fprintf(stderr, "bench-history: cannot read %s (tests/bench/history.py writes it)\n", path);
    exit(1);
}

static void add_package(struct world *w, const str fields[3])
{
    struct package *last = w->packages.n ? &w->packages.p[w->packages.n - 1] : NULL;
    const struct package_type *type = package_type_find(fields[0]);
    bool same = last && last->type == type && str_eq(last->name, fields[1]);
    str name = same ? last->name : arena_dup(&w->arena, fields[1]);
    struct package *p = vec_push(&w->packages);
    struct version_run *run = same ? &w->names.p[w->names.n - 1] : vec_push(&w->names);
    if (!p || !run || !type)
        exit(1);
    *p = (struct package){.type = type, .name = name, .version = arena_dup(&w->arena, fields[2])};
    run->first = same ? run->first : w->packages.n - 1;
    run->n++;
}

void world_open(struct world *w, const char *dir, uint64_t images, uint64_t each)
{
    char line[LINE];
    str fields[3];
    uint64_t at, seed = 6;
    *w = (struct world){.dir = dir, .images = images, .each = each};
    arena_init(&w->arena, 1 << 30);
    FILE *f = open_list(w, "packages.tsv");
    while (read_line(f, line, fields))
        add_package(w, fields);
    fclose(f);
    f = open_list(w, "steps.tsv");
    while (read_line(f, line, fields) && str_to_u64(fields[1], &at))
        *vec_push(&w->steps) = (int64_t)at * 1000000;
    fclose(f);
    for (size_t i = w->names.n; i > 1; i--) {
        size_t k = draw(&seed) % i;
        struct version_run swapped = w->names.p[k];
        w->names.p[k] = w->names.p[i - 1];
        w->names.p[i - 1] = swapped;
    }
    if (w->names.n && w->steps.n)
        return;
    fprintf(stderr, "bench-history: there is nothing to go through in %s\n", dir);
    exit(1);
}

void world_close(struct world *w)
{
    vec_done(&w->packages);
    vec_done(&w->names);
    vec_done(&w->steps);
    arena_done(&w->arena);
}

void world_packages(const struct world *w, uint64_t image, uint32_t *out)
{
    uint64_t seed = image * 977 + 13, base = draw(&seed) % BASES * 31337;
    uint64_t shared = w->each * 6 / 10;
    for (uint64_t k = 0; k < w->each; k++) {
        uint64_t *of = k < shared ? &base : &seed, drawn = draw(of);
        /* Few names are in most images: the square of a fraction. */
        double x = (double)(drawn >> 11) / (double)(1ull << 53);
        const struct version_run *run = &w->names.p[(size_t)(x * x * (double)w->names.n)];
        out[k] = (uint32_t)(run->first + draw(of) % run->n);
    }
}

int64_t world_since(const struct world *w, uint64_t image)
{
    static const int64_t day = (int64_t)86400 * 1000000;
    uint64_t seed = image ^ 0x51ce;
    int64_t from = w->steps.p[0] - 180 * day, to = w->steps.p[w->steps.n - 1] + 7 * day;
    return from + (int64_t)(draw(&seed) % (uint64_t)(to - from));
}

int64_t world_step(const struct world *w, int64_t at)
{
    int64_t i = (int64_t)w->steps.n - 1;
    while (i >= 0 && w->steps.p[i] > at)
        i--;
    return i;
}

void world_data(const struct world *w, size_t step, struct vulndb **out)
{
    struct err e = {0};
    char dir[4200];
    snprintf(dir, sizeof dir, "%s/step/%zu", w->dir, step);
    must(vulndb_open(dir, out, &e), &e);
}

/* ---- truth */

struct working {
    const struct world *w;
    struct truth *t;
    pthread_mutex_t lock;
    size_t next;
};

static uint32_t number_of(struct working *k, str text)
{
    pthread_mutex_lock(&k->lock);
    uintptr_t n = (uintptr_t)map_get(&k->t->numbers, text);
    if (!n) {
        str kept = arena_dup(&k->t->arena, text), *slot = vec_push(&k->t->texts);
        n = k->t->texts.n;
        if (!kept.p || !slot || !map_put(&k->t->numbers, kept, (void *)n))
            exit(1);
        *slot = kept;
    }
    pthread_mutex_unlock(&k->lock);
    return (uint32_t)n - 1;
}

static int by_id(const void *pa, const void *pb)
{
    const struct truth_pair *a = pa, *b = pb;
    int d = (a->id > b->id) - (a->id < b->id);
    return d ? d : (a->package > b->package) - (a->package < b->package);
}

static int by_name(const void *pa, const void *pb)
{
    const struct truth_name *a = pa, *b = pb;
    int d = (a->name > b->name) - (a->name < b->name);
    return d ? d : (a->id > b->id) - (a->id < b->id);
}

static void take(struct working *k, struct truth_step *s, const struct finding *f, uint32_t package)
{
    uint32_t id = number_of(k, f->id);
    uint64_t print = hash64(f->id.p, f->id.n) + 31 * f->severity + 7 * f->fix_state;
    for (size_t i = 0; i < f->n_fix_versions; i++)
        print = hash64_seeded(f->fix_versions[i].p, f->fix_versions[i].n, print);
    s->prints[package] += hash64(&print, sizeof print);
    s->counts[package]++;
    struct truth_pair *pair = vec_push(&s->pairs);
    if (!pair)
        exit(1);
    *pair = (struct truth_pair){id, package};
    for (size_t i = 0; i < f->n_aliases; i++) {
        struct truth_name *name = vec_push(&s->names);
        if (!name)
            exit(1);
        *name = (struct truth_name){number_of(k, f->aliases[i]), id};
    }
}

static void match_chunk(struct working *k, const struct vulndb *db, struct truth_step *s,
                        size_t from, size_t n)
{
    struct err e = {0};
    struct inv_package list[CHUNK] = {0};
    struct inventory inv = {.packages = list, .n_packages = n};
    struct findings *f;
    for (size_t i = 0; i < n; i++)
        list[i].p = k->w->packages.p[from + i];
    must(match_inventory(db, &inv, &f, &e), &e);
    for (size_t i = 0; i < f->n; i++)
        take(k, s, &f->items[i], (uint32_t)from + f->items[i].package);
    findings_free(f);
}

static void sort_step(struct truth_step *s)
{
    size_t kept = 0;
    if (s->pairs.n)
        qsort(s->pairs.p, s->pairs.n, sizeof *s->pairs.p, by_id);
    if (s->names.n)
        qsort(s->names.p, s->names.n, sizeof *s->names.p, by_name);
    for (size_t i = 0; i < s->names.n; i++)
        if (!kept || by_name(&s->names.p[kept - 1], &s->names.p[i]) != 0)
            s->names.p[kept++] = s->names.p[i];
    s->names.n = kept;
}

static void *work(void *ctx)
{
    struct working *k = ctx;
    for (;;) {
        pthread_mutex_lock(&k->lock);
        size_t step = k->next++, n = k->w->packages.n;
        pthread_mutex_unlock(&k->lock);
        if (step >= k->w->steps.n)
            return NULL;
        struct truth_step *s = &k->t->steps[step];
        struct vulndb *db;
        s->prints = calloc(n, sizeof *s->prints);
        s->counts = calloc(n, sizeof *s->counts);
        if (!s->prints || !s->counts)
            exit(1);
        world_data(k->w, step, &db);
        for (size_t i = 0; i < n; i += CHUNK)
            match_chunk(k, db, s, i, n - i < CHUNK ? n - i : CHUNK);
        vulndb_close(db);
        sort_step(s);
        progress("brute force: steps", step + 1, k->w->steps.n);
    }
}

void truth_make(const struct world *w, struct truth *out)
{
    struct working k = {.w = w, .t = out};
    pthread_t threads[THREADS];
    *out = (struct truth){.steps = calloc(w->steps.n, sizeof *out->steps)};
    arena_init(&out->arena, 1 << 30);
    map_init(&out->numbers);
    pthread_mutex_init(&k.lock, NULL);
    if (!out->steps)
        exit(1);
    for (size_t i = 0; i < THREADS; i++)
        if (pthread_create(&threads[i], NULL, work, &k) != 0)
            exit(1);
    for (size_t i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    pthread_mutex_destroy(&k.lock);
    for (size_t i = 0; i < w->steps.n; i++)
        for (size_t n = 0; n < out->steps[i].names.n; n++) {
            struct truth_name *name = vec_push(&out->ever.names);
            if (!name)
                exit(1);
            *name = out->steps[i].names.p[n];
        }
    sort_step(&out->ever);
}

static void add_id(posting_ids *list, uint32_t id)
{
    for (size_t i = 0; i < list->n; i++)
        if (list->p[i] == id)
            return;
    int64_t *slot = vec_push(list);
    if (!slot)
        exit(1);
    *slot = id;
}

/* Ids of findings under a name, or (back) the names of an id. A CVE is never another's name. */
static void add_names(const struct truth_step *s, uint32_t of, bool back, posting_ids *out)
{
    for (size_t i = 0; i < s->names.n; i++) {
        if (!back && s->names.p[i].name == of)
            add_id(out, s->names.p[i].id);
        if (back && s->names.p[i].id == of)
            add_id(out, s->names.p[i].name);
    }
}

void truth_ids(const struct truth *t, str name, int64_t step, posting_ids *out)
{
    uintptr_t n = (uintptr_t)map_get(&t->numbers, name);
    out->n = 0;
    if (!n)
        return;
    add_id(out, (uint32_t)n - 1);
    const struct truth_step *s = step < 0 ? &t->ever : &t->steps[step];
    add_names(s, (uint32_t)n - 1, false, out);
    size_t ids = out->n;
    for (size_t k = 0; step < 0 && k < ids; k++)
        add_names(s, (uint32_t)out->p[k], true, out);
    if (out->n)
        qsort(out->p, out->n, sizeof *out->p, posting_id_order);
}

bool truth_has(const struct truth *t, size_t step, uint32_t package, const posting_ids *ids)
{
    const struct truth_step *s = &t->steps[step];
    for (size_t i = 0; i < ids->n; i++) {
        const struct truth_pair wanted = {(uint32_t)ids->p[i], package};
        if (s->pairs.n && bsearch(&wanted, s->pairs.p, s->pairs.n, sizeof wanted, by_id))
            return true;
    }
    return false;
}
