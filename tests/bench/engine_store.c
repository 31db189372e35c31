/* engine_store - stores a fleet of images as the engine's analyzer does, for `script/bench store`.
 *
 *     bench-engine-store URL IMAGES SEED FIRST LAYOUT...
 *
 * Each LAYOUT (an OCI layout on disk) is scanned once, for packages and files; it stands for a base
 * image that is rebuilt twelve times (each time one package and file in 33 is another one). A
 * repository is a base and what its team puts on top; it has 50 versions. The base moves on every
 * tenth version. On top are 20 to 119 packages of npm out of a pool of 2,000 (three in a hundred
 * get another version each time; each has five files) and 40 to 399 files of its own, of which one
 * in ten changes with each version. Three layers are the team's: packages (a new one whenever a
 * package changes, so that the layer that an SBOM names for all of them is another one), settings
 * (every fifth version) and the application (each version). Everything follows from SEED. Each
 * image goes through image_put, the queue, analysis_make and analyzer_store, as in the engine.
 *
 * What is true of it: the bases are real layers with real package databases and files; versions of
 * a repository differ little, repositories share bases and packages, everything that changes has a
 * digest of its own. What is not: no image is a stranger to all others (one costs some 30 KB), none
 * is deleted, and no findings are stored: vulnerability data are not loaded. */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/auto.h"
#include "base/hash.h"
#include "services/analyzer/analyzer.h"
#include "store/schema.h"

enum { REBUILDS = 12, VERSIONS = 50, POOL = 2000, FILES_EACH = 5, BASES_MAX = 16 };

struct fleet {
    struct engine en;
    struct config config;
    struct analyzer_settings *settings;
    struct inventory *bases[BASES_MAX][REBUILDS];
    size_t n_bases;
    uint64_t seed;
};

static void must(int rc, const struct err *e)
{
    if (rc >= 0)
        return;
    fprintf(stderr, "bench-engine-store: %s\n", e->text);
    exit(1);
}

static uint64_t mix(uint64_t a, uint64_t b, uint64_t c)
{
    uint64_t v[3] = {a, b, c};
    return hash64(v, sizeof v);
}

static struct sha256 digest_of(uint64_t a, uint64_t b, uint64_t c)
{
    uint64_t v[3] = {a, b, c};
    return sha256_of(v, sizeof v);
}

static str digest_text(struct arena *a, uint64_t x, uint64_t y, uint64_t z)
{
    char text[SHA256_TEXT];
    struct sha256 d = digest_of(x, y, z);
    return arena_dup(a, str_z(sha256_format(&d, text)));
}

/* ---- bases */

static void rebuild(struct inventory *inv, uint64_t seed, unsigned k)
{
    for (size_t i = 0; i < inv->n_packages; i++) {
        struct package *p = &inv->packages[i].p;
        uint64_t h = hash64(p->name.p, p->name.n);
        if (mix(seed, h, 0) % 33 == k)
            p->version = arena_printf(&inv->arena, "%.*s+r%u", STR_ARG(p->version), k);
    }
    for (size_t i = 0; i < inv->n_files; i++) {
        struct image_file *f = &inv->files[i];
        uint64_t h = hash64(f->path.p, f->path.n);
        if (f->has_digest && mix(seed, h, 1) % 33 == k) {
            f->digest = digest_of(h, k, 0);
            f->size += mix(h, k, 2) % 4096;
        }
    }
    struct layer_ref *layers = (struct layer_ref *)inv->layers;
    for (size_t i = 0; i < inv->n_layers; i++) {
        layers[i].diff_id = digest_text(&inv->arena, hash64(inv->source.p, inv->source.n), i, k);
        layers[i].digest =
            digest_text(&inv->arena, hash64(inv->source.p, inv->source.n), i, k + 99);
    }
}

static void scan_base(struct fleet *f, const char *layout)
{
    struct err e = {0};
    if (f->n_bases == BASES_MAX)
        return;
    for (unsigned k = 0; k < REBUILDS; k++) {
        char source[4096];
        snprintf(source, sizeof source, "oci-dir:%s", layout);
        struct scan_options o = {
            .source = source, .data_dir = "/tmp/kellet-bench-data", .facts = &f->settings->facts};
        struct inventory **inv = &f->bases[f->n_bases][k];
        must(inventory_scan(&o, inv, &e), &e);
        rebuild(*inv, f->seed, k);
    }
    struct inventory *inv = f->bases[f->n_bases++][0];
    printf("base %s: %zu packages, %zu files\n", layout, inv->n_packages, inv->n_files);
}

/* ---- what a team puts on top */

struct image {
    struct fleet *f;
    struct arena *a;
    uint64_t repo, version;
    size_t own_files, own_packages;
    const struct inventory *base;
    struct inventory inv;
};

static void add_file(struct image *im, str path, struct sha256 digest, uint64_t size,
                     unsigned layer)
{
    im->inv.files[im->inv.n_files++] = (struct image_file){
        .path = path,
        .type = FACT_FILE,
        .has_digest = true,
        .digest = digest,
        .size = size,
        .mode = 0644,
        .layer = (uint32_t)im->base->n_layers + layer,
    };
}

/* The version at which something last changed, when it does so once in `every`. */
static uint64_t last_change(const struct image *im, uint64_t thing, uint64_t every)
{
    for (uint64_t v = im->version; v > 0; v--)
        if (mix(im->repo * 1000003 + thing, v, im->f->seed) % every == 0)
            return v;
    return 0;
}

static int by_name(const void *a, const void *b)
{
    return str_cmp(((const struct inv_package *)a)->p.name,
                   ((const struct inv_package *)b)->p.name);
}

static void add_packages(struct image *im)
{
    struct arena *a = im->a;
    const struct package_type *npm = package_type_find(STR("npm"));
    size_t first = im->inv.n_packages;
    for (size_t i = 0; i < im->own_packages; i++) {
        /* Some are in nearly every image, most in few. */
        uint64_t x = mix(im->repo, i, im->f->seed) % POOL;
        uint64_t n = x * x / POOL, v = mix(n, 0, 0) % 20 + last_change(im, i, 33) % 5;
        struct inv_package *p = &im->inv.packages[im->inv.n_packages++];
        struct evidence *ev = arena_calloc(a, 1, sizeof *ev);
        *p = (struct inv_package){.evidence = ev, .n_evidence = 1};
        p->p.type = npm;
        p->p.name = arena_printf(a, "%c%c-library-%llu", (char)('a' + n % 26),
                                 (char)('a' + n / 26 % 26), (unsigned long long)n);
        p->p.version = arena_printf(a, "%llu.%llu.%llu", (unsigned long long)(v / 7),
                                    (unsigned long long)(v % 7), (unsigned long long)(n % 5));
        p->p.licence = STR("MIT");
        p->p.path = arena_printf(a, "app/node_modules/%.*s/package.json", STR_ARG(p->p.name));
        p->purl = arena_printf(a, "pkg:npm/%.*s@%.*s", STR_ARG(p->p.name), STR_ARG(p->p.version));
        *ev = (struct evidence){p->p.path, (uint32_t)im->base->n_layers};
    }
    qsort(im->inv.packages + first, im->inv.n_packages - first, sizeof *im->inv.packages, by_name);
    for (size_t i = first; i < im->inv.n_packages; i++) {
        const struct package *p = &im->inv.packages[i].p;
        uint64_t h = hash64(p->name.p, p->name.n), v = hash64(p->version.p, p->version.n);
        for (unsigned k = 0; k < FILES_EACH; k++) {
            static const char *const names[] = {"LICENSE", "README.md", "index.js", "lib/main.js",
                                                "package.json"};
            add_file(im, arena_printf(a, "app/node_modules/%.*s/%s", STR_ARG(p->name), names[k]),
                     digest_of(h, k < 1 ? 0 : v, k), mix(h, v, k) % 20000, 0);
        }
    }
}

static void add_own_files(struct image *im)
{
    for (size_t i = 0; i < im->own_files; i++) {
        uint64_t changed = last_change(im, 1000 + i, 10);
        add_file(im, arena_printf(im->a, "app/src/module%zu/part-%zu.js", i / 12, i),
                 digest_of(im->repo, i, changed), mix(im->repo, i, changed) % 30000, 2);
    }
}

static void add_layers(struct image *im)
{
    size_t n = im->base->n_layers;
    struct layer_ref *l = arena_calloc(im->a, n + 3, sizeof *l);
    memcpy(l, im->base->layers, n * sizeof *l);
    uint64_t packages = 0; /* when they changed last */
    for (size_t i = 0; i < im->own_packages; i++) {
        uint64_t v = last_change(im, i, 33);
        packages = v > packages ? v : packages;
    }
    uint64_t keys[3] = {im->repo ^ packages << 32, im->repo ^ im->version / 5 << 32,
                        im->repo ^ im->version << 32};
    for (size_t i = 0; i < 3; i++)
        l[n + i] = (struct layer_ref){
            .diff_id = digest_text(im->a, keys[i], i, 7),
            .digest = digest_text(im->a, keys[i], i, 8),
            .media_type = STR("application/vnd.oci.image.layer.v1.tar+gzip"),
            .size = mix(keys[i], i, 9) % 50000000,
        };
    im->inv.layers = l;
    im->inv.n_layers = n + 3;
}

static void add_documents(struct image *im)
{
    auto_buf c, m;
    buf_init(&c, 1 << 20);
    buf_init(&m, 1 << 20);
    const struct inventory *inv = &im->inv;
    buf_addf(&c,
             "{\"architecture\":\"amd64\",\"config\":{\"Env\":[\"PATH=/usr/local/sbin:/usr/local/"
             "bin:/usr/sbin:/usr/bin:/sbin:/bin\",\"NODE_VERSION=18.%llu.0\",\"APP=team%llu\"],"
             "\"Cmd\":[\"node\",\"/app/src/main.js\"],\"WorkingDir\":\"/app\"},\"created\":\"2026"
             "-%02llu-%02lluT10:11:12Z\",\"history\":[",
             (unsigned long long)(im->version / 10), (unsigned long long)im->repo,
             (unsigned long long)(im->version % 12 + 1), (unsigned long long)(im->repo % 28 + 1));
    for (size_t i = 0; i < inv->n_layers + 4; i++)
        buf_addf(&c,
                 "%s{\"created\":\"2026-01-%02zuT00:00:00Z\",\"created_by\":\"/bin/sh -c step %zu "
                 "of team %llu \\u0026\\u0026 rm -rf /var/lib/apt/lists/*\"%s}",
                 i ? "," : "", i + 1, i, (unsigned long long)(i < 4 ? 0 : im->repo),
                 i >= inv->n_layers ? ",\"empty_layer\":true" : "");
    buf_addf(&c, "],\"os\":\"linux\",\"rootfs\":{\"type\":\"layers\",\"diff_ids\":[");
    for (size_t i = 0; i < inv->n_layers; i++)
        buf_addf(&c, "%s\"%.*s\"", i ? "," : "", STR_ARG(inv->layers[i].diff_id));
    buf_addf(&c, "]}}");
    im->inv.config_json = arena_dup(im->a, buf_view(&c));
    struct sha256 d = sha256_of(c.p, c.n);
    char text[SHA256_TEXT];
    im->inv.config_digest = arena_dup(im->a, str_z(sha256_format(&d, text)));
    buf_addf(&m,
             "{\"schemaVersion\":2,\"mediaType\":\"application/vnd.docker.distribution.manifest."
             "v2+json\",\"config\":{\"mediaType\":\"application/vnd.docker.container.image.v1+"
             "json\",\"size\":%zu,\"digest\":\"%s\"},\"layers\":[",
             c.n, text);
    for (size_t i = 0; i < inv->n_layers; i++)
        buf_addf(&m,
                 "%s{\"mediaType\":\"application/vnd.docker.image.rootfs.diff.tar.gzip\",\"size\":"
                 "%llu,\"digest\":\"%.*s\"}",
                 i ? "," : "", (unsigned long long)inv->layers[i].size,
                 STR_ARG(inv->layers[i].digest));
    buf_addf(&m, "]}");
    im->inv.manifest_json = arena_dup(im->a, buf_view(&m));
    d = sha256_of(m.p, m.n);
    im->inv.manifest_digest = arena_dup(im->a, str_z(sha256_format(&d, text)));
}

static void make_image(struct fleet *f, struct arena *a, uint64_t number, struct image *im)
{
    *im = (struct image){.f = f, .a = a, .repo = number / VERSIONS, .version = number % VERSIONS};
    uint64_t h = mix(f->seed, im->repo, 17);
    const struct inventory *base = f->bases[h % f->n_bases][(h / 16 + im->version / 10) % REBUILDS];
    im->base = base;
    im->own_files = 40 + h / 1024 % 360;
    im->own_packages = 20 + h / 1048576 % 100;
    im->inv = *base;
    im->inv.source = im->inv.reference =
        arena_printf(a, "registry.invalid:5000/team%llu/app@v%llu", (unsigned long long)im->repo,
                     (unsigned long long)im->version);
    im->inv.source_kind = STR("registry");
    im->inv.files = arena_calloc(a, base->n_files + im->own_files + FILES_EACH * im->own_packages,
                                 sizeof *im->inv.files);
    im->inv.packages =
        arena_calloc(a, base->n_packages + im->own_packages, sizeof *im->inv.packages);
    memcpy(im->inv.files, base->files, base->n_files * sizeof *base->files);
    memcpy(im->inv.packages, base->packages, base->n_packages * sizeof *base->packages);
    add_layers(im);
    add_packages(im);
    add_own_files(im);
    add_documents(im);
}

/* ---- as the engine stores it */

struct adding {
    struct image *im;
    struct documents *d;
};

static int add(struct db_tx *tx, void *ctx, struct err *e)
{
    struct adding *ad = ctx;
    const struct image *im = ad->im;
    struct image_add put = {.account = STR("admin"),
                            .digest = im->inv.manifest_digest,
                            .id = str_from(im->inv.config_digest, 7),
                            .annotations = STR("{}"),
                            .manifest = im->inv.manifest_json,
                            .parent_manifest = im->inv.manifest_json,
                            .why = STR("added by admin")};
    str tag = arena_printf(im->a, "registry.invalid:5000/team%llu/app:v%llu",
                           (unsigned long long)im->repo, (unsigned long long)im->version);
    int rc = fulltag_parse(tag, im->a, &put.name, e);
    return rc < 0 ? rc : image_put(tx, ad->d, &put, e);
}

static int begin(struct db_tx *tx, void *ctx, struct err *e)
{
    struct analyzer_job *job = ctx;
    int rc = image_get(tx, &job->arena, job->account, job->digest, &job->image, e);
    if (rc >= 0)
        rc = image_set_status(tx, job->account, job->digest, 0, IMAGE_ANALYZING,
                              str_z(job->en->host_id), STR("taken by a worker, try 1 of 5"), e);
    return rc;
}

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* One thread makes images and their documents while the other one stores those that are made, in
 * the same order. */
enum { AHEAD = 8 };

struct work {
    struct image im;
    struct slot slot;
    struct queue_item item;
    struct analyzer_job job;
    double making; /* seconds */
};

struct line {
    struct fleet *f;
    uint64_t first, images;
    pthread_mutex_t lock;
    pthread_cond_t moved;
    uint64_t made, stored;
    struct work work[AHEAD];
};

static double storing, making, adding;

static void make_one(struct fleet *f, uint64_t number, struct work *w)
{
    struct err e = {0};
    *w = (struct work){.job = {.en = &f->en, .account = STR("admin")}};
    w->job.slot = &w->slot;
    w->job.item = &w->item;
    w->job.inv = &w->im.inv;
    arena_init(&w->job.arena, 512 << 20);
    make_image(f, &w->job.arena, number, &w->im);
    w->job.digest = w->im.inv.manifest_digest;
    double t = now();
    struct analysis_input in = {
        .digest = w->job.digest, .inv = &w->im.inv, .settings = f->settings};
    must(analysis_make(&in, &w->job.analysis, &e), &e);
    w->making = now() - t;
}

static void store_one(struct fleet *f, struct work *w)
{
    struct err e = {0};
    struct adding ad = {&w->im, f->en.documents};
    double t = now();
    must(db_run(f->en.db, DB_WRITE, add, &ad, &e), &e);
    must(queue_take(f->en.db, &w->job.arena, STR(ANALYZER_QUEUE), STR("bench"), 60000000, &w->item,
                    1, &e),
         &e);
    must(db_run(f->en.db, DB_WRITE, begin, &w->job, &e), &e);
    adding += now() - t;
    making += w->making;
    t = now();
    must(analyzer_store(&w->job, &e), &e);
    storing += now() - t;
    analysis_free(w->job.analysis);
    buf_done(&w->job.inventory);
    arena_done(&w->job.arena);
}

static void *make_all(void *ctx)
{
    struct line *l = ctx;
    for (uint64_t i = 0; i < l->images; i++) {
        pthread_mutex_lock(&l->lock);
        while (l->made - l->stored == AHEAD)
            pthread_cond_wait(&l->moved, &l->lock);
        pthread_mutex_unlock(&l->lock);
        make_one(l->f, l->first + i, &l->work[i % AHEAD]);
        pthread_mutex_lock(&l->lock);
        l->made++;
        pthread_cond_broadcast(&l->moved);
        pthread_mutex_unlock(&l->lock);
    }
    return NULL;
}

static void store_all(struct line *l)
{
    double begun = now();
    for (uint64_t i = 0; i < l->images; i++) {
        pthread_mutex_lock(&l->lock);
        while (l->made == l->stored)
            pthread_cond_wait(&l->moved, &l->lock);
        pthread_mutex_unlock(&l->lock);
        store_one(l->f, &l->work[i % AHEAD]);
        pthread_mutex_lock(&l->lock);
        l->stored++;
        pthread_cond_broadcast(&l->moved);
        pthread_mutex_unlock(&l->lock);
        if ((i + 1) % 5000 == 0 || i + 1 == l->images)
            printf("%llu images in %.1f s; an image: added %.2f ms, documents made %.2f ms, "
                   "stored %.2f ms\n",
                   (unsigned long long)(i + 1), now() - begun, adding / (double)(i + 1) * 1e3,
                   making / (double)(i + 1) * 1e3, storing / (double)(i + 1) * 1e3);
    }
}

int main(int argc, char **argv)
{
    struct err e = {0};
    static struct fleet f;
    uint64_t images = 0, first = 0;
    if (argc < 6 || !str_to_u64(str_z(argv[2]), &images) || !str_to_u64(str_z(argv[3]), &f.seed) ||
        !str_to_u64(str_z(argv[4]), &first)) {
        fprintf(stderr, "usage: bench-engine-store URL IMAGES SEED FIRST LAYOUT...\n");
        return 2;
    }
    setvbuf(stdout, NULL, _IOLBF, 0);
    f.en.config = &f.config;
    f.en.host_id = "bench-host-8228";
    must(analyzer_settings_load(&f.config, &f.settings, &e), &e);
    for (int i = 5; i < argc; i++)
        scan_base(&f, argv[i]);
    struct db_options o = {.url = argv[1]};
    must(db_open(&o, &f.en.db, &e), &e);
    must(schema_upgrade(f.en.db, NULL, NULL, &e), &e);
    struct documents_options d = {0};
    must(documents_open(f.en.db, &d, &f.en.documents, &e), &e);
    static struct line l = {.lock = PTHREAD_MUTEX_INITIALIZER, .moved = PTHREAD_COND_INITIALIZER};
    l.f = &f;
    l.first = first;
    l.images = images;
    pthread_t maker;
    if (pthread_create(&maker, NULL, make_all, &l) != 0) {
        fprintf(stderr, "bench-engine-store: no thread\n");
        return 1;
    }
    store_all(&l);
    pthread_join(maker, NULL);
    documents_close(f.en.documents);
    db_close(f.en.db);
    return 0;
}
