/* herd.c - many small images of many owners, stored as the engine's analyzer does, for
 * `script/bench digest`, `script/bench latency` and tests/e2e/test_digest.py.
 *
 *     bench-herd URL IMAGES OWNERS SUBSCRIBED [PACKAGES]
 *
 * Image i belongs to account "owner-<i mod OWNERS>" (made when it is not there) as
 * "registry.invalid:5000/app<i>:1". Each is Debian 12 with libc6 (source glibc 2.36-9), one package
 * "rare-<i mod 5000>" and PACKAGES (60) others out of a pool of 3,000 names, some of which are in
 * nearly every image and most in few. The first SUBSCRIBED have an active subscription vuln_update.
 * Images that are there already are passed over. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/auto.h"
#include "base/hash.h"
#include "services/account.h"
#include "services/analyzer/analyzer.h"
#include "services/subscription.h"
#include "store/schema.h"

enum { POOL = 3000, RARE = 5000, LAYERS = 3 };

struct herd {
    struct engine en;
    struct config config;
    struct analyzer_settings *settings;
    uint64_t images, owners, subscribed, packages;
};

static void must(int64_t rc, const struct err *e)
{
    if (rc >= 0)
        return;
    fprintf(stderr, "bench-herd: %s\n", e->text);
    exit(1);
}

static uint64_t mix(uint64_t a, uint64_t b)
{
    uint64_t v[2] = {a, b};
    return hash64(v, sizeof v);
}

static str digest_text(struct arena *a, uint64_t x, uint64_t y)
{
    uint64_t v[2] = {x, y};
    char text[SHA256_TEXT];
    struct sha256 d = sha256_of(v, sizeof v);
    return arena_dup(a, str_z(sha256_format(&d, text)));
}

/* ---- an image */

struct image {
    struct herd *h;
    struct arena *a;
    uint64_t number;
    str account, tag;
    struct inventory inv;
};

static void add_package(struct image *im, str name, str version, str source)
{
    struct inv_package *p = &im->inv.packages[im->inv.n_packages++];
    struct evidence *ev = arena_calloc(im->a, 1, sizeof *ev);
    *p = (struct inv_package){.evidence = ev, .n_evidence = 1};
    p->p.type = package_type_find(STR("deb"));
    p->p.name = name;
    p->p.version = version;
    p->p.source_name = source;
    p->p.arch = STR("amd64");
    p->p.path = STR("var/lib/dpkg/status");
    p->purl = arena_printf(im->a, "pkg:deb/debian/%.*s@%.*s?arch=amd64&distro=debian-12",
                           STR_ARG(name), STR_ARG(version));
    *ev = (struct evidence){p->p.path, 0};
}

static void add_packages(struct image *im)
{
    struct arena *a = im->a;
    char seen[POOL] = {0};
    im->inv.packages = arena_calloc(a, im->h->packages + 2, sizeof *im->inv.packages);
    add_package(im, STR("libc6"), STR("2.36-9"), STR("glibc"));
    add_package(im, arena_printf(a, "rare-%llu", (unsigned long long)(im->number % RARE)),
                STR("1.0-1"), STR(""));
    for (uint64_t i = 0; i < im->h->packages; i++) {
        uint64_t x = mix(im->number / 7, i) % POOL, n = x * x / POOL;
        if (seen[n]++)
            continue;
        add_package(im, arena_printf(a, "common-%llu", (unsigned long long)n),
                    arena_printf(a, "1.%llu-1", (unsigned long long)(mix(im->number / 50, n) % 6)),
                    STR(""));
    }
    qsort(im->inv.packages, im->inv.n_packages, sizeof *im->inv.packages, inv_package_cmp);
}

static void add_documents(struct image *im)
{
    struct arena *a = im->a;
    struct inventory *inv = &im->inv;
    inv->config_json = arena_printf(
        a, "{\"architecture\":\"amd64\",\"os\":\"linux\",\"config\":{\"Env\":[\"APP=%llu\"]}}",
        (unsigned long long)im->number);
    struct sha256 d = sha256_of(inv->config_json.p, inv->config_json.n);
    char text[SHA256_TEXT];
    inv->config_digest = arena_dup(a, str_z(sha256_format(&d, text)));
    inv->manifest_json = arena_printf(
        a,
        "{\"schemaVersion\":2,\"mediaType\":\"application/vnd.oci.image.manifest.v1+json\","
        "\"config\":{\"mediaType\":\"application/vnd.oci.image.config.v1+json\",\"size\":%zu,"
        "\"digest\":\"%s\"},\"layers\":[]}",
        inv->config_json.n, text);
    d = sha256_of(inv->manifest_json.p, inv->manifest_json.n);
    inv->manifest_digest = arena_dup(a, str_z(sha256_format(&d, text)));
}

static void make_image(struct herd *h, struct arena *a, uint64_t number, struct image *im)
{
    *im = (struct image){.h = h, .a = a, .number = number};
    im->account = arena_printf(a, "owner-%llu", (unsigned long long)(number % h->owners));
    im->tag = arena_printf(a, "registry.invalid:5000/app%llu:1", (unsigned long long)number);
    struct inventory *inv = &im->inv;
    inv->source_kind = STR("registry");
    inv->source = inv->reference = im->tag;
    inv->os = STR("linux");
    inv->architecture = STR("amd64");
    inv->release = (struct release_info){.path = STR("etc/os-release"),
                                         .id = STR("debian"),
                                         .version_id = STR("12"),
                                         .codename = STR("bookworm")};
    struct layer_ref *layers = arena_calloc(a, LAYERS, sizeof *layers);
    for (uint64_t i = 0; i < LAYERS; i++)
        layers[i] = (struct layer_ref){
            .diff_id = digest_text(a, i < 2 ? number / 50 : number, i),
            .digest = digest_text(a, i < 2 ? number / 50 : number, i + 10),
            .media_type = STR("application/vnd.oci.image.layer.v1.tar+gzip"),
            .size = 1000000,
        };
    inv->layers = layers;
    inv->n_layers = LAYERS;
    add_packages(im);
    add_documents(im);
}

/* ---- as the engine stores it */

static int add(struct db_tx *tx, void *ctx, struct err *e)
{
    const struct image *im = ctx;
    struct image_record old;
    struct image_add put = {.account = im->account,
                            .digest = im->inv.manifest_digest,
                            .id = str_from(im->inv.config_digest, 7),
                            .annotations = STR("{}"),
                            .manifest = im->inv.manifest_json,
                            .why = STR("added by the bench")};
    int rc = image_get(tx, im->a, im->account, im->inv.manifest_digest, &old, e);
    if (rc != 0)
        return rc < 0 ? rc : 1;
    rc = fulltag_parse(im->tag, im->a, &put.name, e);
    return rc < 0 ? rc : image_put(tx, im->h->en.documents, &put, e) < 0 ? e->code : 0;
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

static int subscribe(struct db_tx *tx, void *ctx, struct err *e)
{
    const struct image *im = ctx;
    int rc = subscription_add_tag(tx, im->account, im->tag, false, e);
    if (rc < 0)
        return rc;
    int64_t n = db_exec(tx,
                        "UPDATE subscriptions SET active = 1 WHERE account = $1 AND"
                        " subscription_key = $2 AND subscription_type = 'vuln_update'",
                        DB(DBS(im->account), DBS(im->tag)), e);
    return n == 1 ? 0 : n < 0 ? (int)n : err_set(e, ERR_NOT_FOUND, "no subscription to activate");
}

static void store_one(struct herd *h, uint64_t number)
{
    struct err e = {0};
    struct queue_item item;
    struct image im;
    struct slot slot = {0};
    struct analyzer_job job = {.slot = &slot, .en = &h->en, .item = &item, .inv = &im.inv};
    arena_init(&job.arena, 64 << 20);
    make_image(h, &job.arena, number, &im);
    job.account = im.account;
    job.digest = im.inv.manifest_digest;
    int there = db_run(h->en.db, DB_WRITE, add, &im, &e);
    must(there, &e);
    if (!there) {
        must(queue_take(h->en.db, &job.arena, STR(ANALYZER_QUEUE), STR("bench"), 60000000, &item, 1,
                        &e),
             &e);
        must(db_run(h->en.db, DB_WRITE, begin, &job, &e), &e);
        struct analysis_input in = {.digest = job.digest, .inv = &im.inv, .settings = h->settings};
        must(analysis_make(&in, &job.analysis, &e), &e);
        must(analyzer_store(&job, &e), &e);
        analysis_free(job.analysis);
        buf_done(&job.inventory);
        if (number < h->subscribed)
            must(db_run(h->en.db, DB_WRITE, subscribe, &im, &e), &e);
    }
    arena_done(&job.arena);
}

static int add_owners(struct db_tx *tx, void *ctx, struct err *e)
{
    const struct herd *h = ctx;
    struct arena a;
    int rc = 0;
    arena_init(&a, 16 << 20);
    for (uint64_t i = 0; rc >= 0 && i < h->owners; i++) {
        struct account old, x = {.name = arena_printf(&a, "owner-%llu", (unsigned long long)i),
                                 .type = STR("user"),
                                 .state = STR("enabled")};
        rc = account_get(tx, &a, x.name, &old, e);
        if (rc == 0)
            rc = account_add(tx, &x, e);
    }
    arena_done(&a);
    return rc;
}

int main(int argc, char **argv)
{
    struct err e = {0};
    static struct herd h = {.packages = 60};
    bool ok = argc == 5 || argc == 6;
    uint64_t *const numbers[] = {&h.images, &h.owners, &h.subscribed, &h.packages};
    for (int i = 2; ok && i < argc; i++)
        ok = str_to_u64(str_z(argv[i]), numbers[i - 2]);
    if (!ok || !h.owners) {
        fprintf(stderr, "usage: bench-herd URL IMAGES OWNERS SUBSCRIBED [PACKAGES]\n");
        return 2;
    }
    setvbuf(stdout, NULL, _IOLBF, 0);
    h.en.config = &h.config;
    h.en.host_id = "bench-host-8228";
    must(analyzer_settings_load(&h.config, &h.settings, &e), &e);
    struct db_options o = {.url = argv[1]};
    must(db_open(&o, &h.en.db, &e), &e);
    must(schema_upgrade(h.en.db, NULL, NULL, &e), &e);
    struct documents_options d = {0};
    must(documents_open(h.en.db, &d, &h.en.documents, &e), &e);
    must(db_run(h.en.db, DB_WRITE, add_owners, &h, &e), &e);
    time_t begun = time(NULL);
    for (uint64_t i = 0; i < h.images; i++) {
        store_one(&h, i);
        if ((i + 1) % 10000 == 0)
            printf("%llu images in %lld s\n", (unsigned long long)(i + 1),
                   (long long)(time(NULL) - begun));
    }
    documents_close(h.en.documents);
    db_close(h.en.db);
    analyzer_settings_free(h.settings);
    return 0;
}
