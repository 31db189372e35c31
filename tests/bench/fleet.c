/* fleet.c - a fleet of images, and newer data that change 5,000 claims: how long until the complete
 * list of changed images is known, how much is stored, and is it what brute force says?
 *
 *     bench-fleet DIR [IMAGES [PACKAGES_EACH [CHANGED [fill]]]]
 *
 * The list is the one that the engine stores and serves (policy_engine/affected.h); the figure is
 * the time from the newer data until it is stored and every image's account and digest has been
 * read. One image in ten has packages only that no changed claim speaks of, or just one other, so
 * that the sample of brute force shows images that are missing and images that are too many.
 * `fill` ends when the fleet is stored; a DIR that holds one of that size is not filled again.
 * Everything is made from seeds. Package names are those that the data in DIR/data (KELLET_DATA;
 * `script/bench fleet` loads what ../shared has) speak of, else made up: 300,000 distinct versions
 * of them on one distribution, in images that share one of 200 bases and differ in the rest. The
 * store is SQLite in DIR, or $FLEET_DB. Afterwards findings and images are spread over two years,
 * and "which images were affected by CVE X on date D" is asked. */
#include "fleet_store.h"

#include "base/auto.h"
#include "match/finding.h"
#include "services/policy_engine/affected.h"
#include "services/policy_engine/history.h"
#include "services/policy_engine/reindex.h"
#include "services/policy_engine/reindex_internal.h"
#include "vulndb/vulndb.h"

#include <pthread.h>

enum {
    NAMES_MOST = 20000,
    PACKAGES = 300000,
    BASES = 200,
    BATCH = 8192,
    MERGE = 65536,
    QUIET = 4,        /* one name in so many has no changed claims */
    QUIET_IMAGE = 10, /* one image in so many has such names only, or all but one */
    SAMPLE = 300,
    QUESTIONS = 50
};

struct fleet {
    const char *dir;
    uint64_t images, each, changed;
    struct arena names_arena;
    VEC(str) names;
    size_t versions; /* of each name */
    int64_t *ids;    /* of packages, by name and version */
    struct fleet_store s;
    char path[4096];
};

static const char *in_dir(struct fleet *f, const char *name)
{
    snprintf(f->path, sizeof f->path, "%s/%s", f->dir, name);
    return f->path;
}

/* ---- names */

static int take_name(void *ctx, const struct db_claim *c, struct err *e)
{
    struct fleet *f = ctx;
    str last = f->names.n ? f->names.p[f->names.n - 1] : STR("");
    if (str_eq(c->claim.package, last) || f->names.n == NAMES_MOST)
        return 0;
    str *slot = vec_push(&f->names);
    if (slot)
        *slot = arena_dup(&f->names_arena, c->claim.package);
    return slot ? 0 : err_no_memory(e);
}

static int by_text(const void *a, const void *b)
{
    return str_cmp(*(const str *)a, *(const str *)b);
}

static void take_names(struct fleet *f)
{
    struct err e = {0};
    struct vulndb *db = NULL;
    arena_init(&f->names_arena, 256 << 20);
    if (vulndb_open(in_dir(f, "data"), &db, &e) == 0)
        must(vulndb_each(db, STR(""), take_name, f, &e), &e);
    vulndb_close(db);
    size_t kept = 0;
    if (f->names.n)
        qsort(f->names.p, f->names.n, sizeof *f->names.p, by_text);
    for (size_t i = 0; i < f->names.n; i++)
        if (!kept || !str_eq(f->names.p[kept - 1], f->names.p[i]))
            f->names.p[kept++] = f->names.p[i];
    f->names.n = kept;
    printf("package names: %zu of real data, %zu made up\n", kept, NAMES_MOST - kept);
    for (; f->names.n < NAMES_MOST; kept++) {
        str *slot = vec_push(&f->names);
        if (!slot)
            exit(1);
        *slot = arena_printf(&f->names_arena, "made-up-%zu", kept);
    }
    f->versions = (PACKAGES + f->names.n - 1) / f->names.n;
}

/* ---- data: each name has one to six CVEs, fixed in some version */

struct claim_seed {
    size_t name;
    unsigned number;
    uint64_t fixed;
    enum severity severity;
};

static struct claim_seed claim_of(const struct fleet *f, size_t name, unsigned number, bool later,
                                  uint64_t changed_below)
{
    uint64_t seed = name * 64 + number;
    struct claim_seed c = {.name = name, .number = number};
    c.fixed = draw(&seed) % (f->versions + 1);
    c.severity = (enum severity)(1 + draw(&seed) % SEV_CRITICAL);
    uint64_t drawn = draw(&seed);
    if (later && name % QUIET && drawn < changed_below) { /* moves, or is judged otherwise */
        c.fixed = drawn & 1 ? (c.fixed + 1 + drawn / 2 % f->versions) % (f->versions + 1) : c.fixed;
        c.severity =
            drawn & 1 ? c.severity : (enum severity)(1 + (unsigned)c.severity % SEV_CRITICAL);
    }
    return c;
}

static unsigned claims_of(size_t name)
{
    uint64_t seed = name ^ 0xc1a1;
    return 1 + (unsigned)(draw(&seed) % 6);
}

/* The data of before, the newer ones, and those of the next day, in which a few vulnerabilities get
 * one name more. */
enum step { BEFORE, AFTER, NEXT_DAY, NAMED = 400 };

static void send_names(struct claim_sink *sink, size_t name, unsigned number, str id, enum step s)
{
    struct err e = {0};
    char first[40], second[40];
    struct vuln v = vuln_empty();
    snprintf(first, sizeof first, "ADV-%zu", name * 8 + number);
    snprintf(second, sizeof second, "GHSA-%zu", name * 8 + number);
    const struct vuln_alias aliases[] = {{str_z(first), ALIAS_SAME}, {str_z(second), ALIAS_SAME}};
    v.id = id;
    v.aliases = aliases;
    v.n_aliases = s == NEXT_DAY && name % NAMED == 0 ? 2 : 1;
    must(sink->vuln(sink, &v, &e), &e);
}

static uint64_t send_claims(const struct fleet *f, struct claim_sink *sink, enum step step)
{
    bool later = step != BEFORE;
    uint64_t total = 0, changed = 0;
    for (size_t i = 0; i < f->names.n; i++)
        total += i % QUIET ? claims_of(i) : 0;
    uint64_t below = f->changed >= total ? UINT64_MAX : UINT64_MAX / total * f->changed;
    for (size_t i = 0; i < f->names.n; i++)
        for (unsigned k = 0; k < claims_of(i); k++) {
            struct err e = {0};
            char id[40], fixed[40];
            struct claim_seed c = claim_of(f, i, k, later, below),
                              was = claim_of(f, i, k, false, 0);
            changed += c.fixed != was.fixed || c.severity != was.severity;
            snprintf(id, sizeof id, "CVE-2026-%zu", i * 8 + k);
            snprintf(fixed, sizeof fixed, "1.%llu-1", (unsigned long long)c.fixed);
            struct version_range range = {.hi = str_z(fixed)};
            const struct claim claim = {.vuln_id = str_z(id),
                                        .platform = STR("debian:12"),
                                        .package = f->names.p[i],
                                        .package_kind = PACKAGE_SOURCE,
                                        .kind = CLAIM_AFFECTED,
                                        .state = FIX_FIXED,
                                        .scheme = "deb",
                                        .ranges = &range,
                                        .n_ranges = 1,
                                        .fixed = str_z(fixed),
                                        .severity = c.severity};
            must(sink->claim(sink, &claim, &e), &e);
            send_names(sink, i, k, claim.vuln_id, step);
        }
    return changed;
}

static uint64_t make_data(struct fleet *f, const char *name, enum step step, struct vulndb **out)
{
    struct err e = {0};
    struct vulndb_builder *b;
    struct vulndb_stats stats;
    char dir[4096];
    snprintf(dir, sizeof dir, "%s", in_dir(f, name));
    must(vulndb_builder_new(dir, STR("debian"), &b, &e), &e);
    uint64_t changed = send_claims(f, vulndb_builder_sink(b), step);
    must(vulndb_builder_install(b, &stats, &e), &e);
    vulndb_builder_free(b);
    must(vulndb_open(dir, out, &e), &e);
    printf("%s: %llu claims\n", name, (unsigned long long)stats.claims_stored);
    return changed;
}

/* ---- packages and images */

static void package_of(const struct fleet *f, size_t number, struct inventory *inv,
                       struct inv_package *p, char version[40])
{
    snprintf(version, 40, "1.%zu-1", number % f->versions);
    *inv = (struct inventory){.release = {.id = STR("debian"), .version_id = STR("12")}};
    *p = (struct inv_package){.p = {.type = package_type_find(STR("deb")),
                                    .name = f->names.p[number / f->versions],
                                    .version = str_z(version),
                                    .arch = STR("amd64")}};
}

struct span_of_work {
    struct fleet *f;
    uint64_t from, to;
};

static int put_packages(struct db_tx *tx, void *ctx, struct err *e)
{
    struct span_of_work *w = ctx;
    int r = 0;
    for (uint64_t i = w->from; r >= 0 && i < w->to; i++) {
        struct inventory inv;
        struct inv_package p;
        char version[40];
        package_of(w->f, i, &inv, &p, version);
        r = fleet_package(tx, &inv, &p, &w->f->ids[i], e);
    }
    return r;
}

static void packages_of(const struct fleet *f, uint64_t image, int64_t *list)
{
    uint64_t seed = image * 977 + 13, base = draw(&seed) % BASES * 31337;
    uint64_t shared = f->each * 6 / 10,
             odd = image / QUIET_IMAGE % 2 ? f->each : draw(&seed) % f->each;
    bool quiet = image % QUIET_IMAGE == 0;
    for (uint64_t k = 0; k < f->each; k++) {
        uint64_t drawn = draw(k < shared ? &base : &seed);
        /* Few names are in most images: the square of a fraction. */
        double x = (double)(drawn >> 11) / (double)(1ull << 53);
        size_t name = (size_t)(x * x * (double)f->names.n);
        if (quiet && k != odd)
            name -= name % QUIET;
        list[k] = f->ids[name * f->versions + draw(k < shared ? &base : &seed) % f->versions];
    }
}

static int put_images(struct db_tx *tx, void *ctx, struct err *e)
{
    struct span_of_work *w = ctx;
    struct fleet *f = w->f;
    int64_t *list autofree = calloc(f->each, sizeof *list);
    int r = list ? 0 : err_no_memory(e);
    for (uint64_t i = w->from; r >= 0 && i < w->to; i++) {
        struct fleet_name n = fleet_name(i);
        packages_of(f, i, list);
        r = posting_put(tx, str_z(n.account), str_z(n.digest), 0, list, f->each, e);
    }
    return r;
}

static int count_images(struct db_tx *tx, void *ctx, struct err *e)
{
    return db_query_int(tx, "SELECT COUNT(*) FROM posting_image", DB0, ctx, e);
}

static void fill(struct fleet *f, const struct reindex_options *o)
{
    struct err e = {0};
    struct reindex_result result;
    double from = wall_seconds(), used = cpu_seconds();
    int64_t known = 0;
    must(db_run(f->s.db, DB_READ, count_images, &known, &e), &e);
    if ((uint64_t)known == f->images) {
        printf("the fleet is there already\n");
        return;
    }
    f->ids = calloc(f->names.n * f->versions, sizeof *f->ids);
    if (!f->ids)
        exit(1);
    struct span_of_work w = {f, 0, f->names.n * f->versions};
    must(db_run(f->s.db, DB_WRITE, put_packages, &w, &e), &e);
    must(reindex_data(o, &result, &e), &e);
    must(reindex_packages(o, &e), &e);
    printf("%llu distinct packages stored and matched in %.1f s, %.1f s of CPU\n",
           (unsigned long long)w.to, wall_seconds() - from, cpu_seconds() - used);
    from = wall_seconds();
    used = cpu_seconds();
    for (uint64_t i = 0; i < f->images; i += BATCH) {
        w = (struct span_of_work){f, i, i + BATCH < f->images ? i + BATCH : f->images};
        must(db_run(f->s.db, DB_WRITE, put_images, &w, &e), &e);
        if (w.to % MERGE == 0 || w.to == f->images)
            fleet_sum_up(&f->s, o);
        progress("images stored", w.to, f->images);
    }
    printf("%llu images x %llu packages stored, indexed and summed up in %.1f s (%.0f a second),"
           " %.1f s of CPU\n",
           (unsigned long long)f->images, (unsigned long long)f->each, wall_seconds() - from,
           (double)f->images / (wall_seconds() - from), cpu_seconds() - used);
}

/* ---- the question */

struct listing {
    struct db *db;
    int64_t batch;
    struct posting_set set;
    uint64_t n, bytes;
};

static int read_list(struct db_tx *tx, void *ctx, struct err *e)
{
    struct listing *l = ctx;
    posting_set_done(&l->set);
    int r = db_query_int(tx, "SELECT MAX(id) FROM finding_batch", DB0, &l->batch, e);
    return r < 0 ? r : affected_read(tx, l->batch, &l->set, e);
}

static int list_one(void *ctx, const struct posting_image *i, struct err *e)
{
    struct listing *l = ctx;
    l->n++;
    l->bytes += i->account.n + i->digest.n;
    return 0;
}

static int name_all(struct db_tx *tx, void *ctx, struct err *e)
{
    struct listing *l = ctx;
    l->n = l->bytes = 0;
    return posting_images(tx, &l->set, STR(""), list_one, l, e);
}

static void *name_half(void *ctx)
{
    struct listing *l = ctx;
    struct err e = {0};
    must(db_run(l->db, DB_READ, name_all, l, &e), &e);
    return NULL;
}

/* Account and digest of every image of the stored list, by two threads. */
static void list_all(struct listing *l)
{
    struct err e = {0};
    pthread_t other;
    must(db_run(l->db, DB_READ, read_list, l, &e), &e);
    size_t half = l->set.n / 2;
    struct listing upper = *l, lower = {.db = l->db, .set = {l->set.blocks, half}};
    uint64_t **blocks = calloc(l->set.n + 1, sizeof *blocks);
    if (!blocks)
        exit(1);
    for (size_t i = half; i < l->set.n; i++)
        blocks[i] = l->set.blocks[i];
    upper.set.blocks = blocks;
    if (pthread_create(&other, NULL, name_half, &lower) != 0)
        exit(1);
    name_half(&upper);
    pthread_join(other, NULL);
    free(blocks);
    l->n = lower.n + upper.n;
    l->bytes = lower.bytes + upper.bytes;
}

struct comparing {
    struct fleet *f;
    const struct vulndb *before, *after;
    const struct posting_set *set;
    uint64_t missing, too_many, affected;
};

/* Findings of an image's packages as text, matched from nothing. */
static int findings_text(struct db_tx *tx, const struct vulndb *db, const posting_ids *list,
                         struct buf *out, struct err *e)
{
    struct arena a;
    struct candidate *c autofree = calloc(list->n + 1, sizeof *c);
    size_t n = list->n;
    arena_init(&a, 1 << 30);
    for (size_t i = 0; i < n; i++)
        c[i].id = list->p[i];
    int r = reindex_read(tx, c, &n, &a, e);
    if (r >= 0)
        r = reindex_match(db, c, n, &a, e);
    for (size_t i = 0; r >= 0 && i < n; i++)
        for (size_t k = 0; k < c[i].n_now; k++)
            buf_addf(out, "%lld %.*s %d %.*s\n", (long long)c[i].id, STR_ARG(c[i].now[k].id),
                     (int)c[i].now[k].severity, STR_ARG(c[i].now[k].fix));
    arena_done(&a);
    return r;
}

static int compare_sample(struct db_tx *tx, void *ctx, struct err *e)
{
    struct comparing *c = ctx;
    uint64_t seed = 4711;
    int r = 0;
    c->missing = c->too_many = c->affected = 0;
    for (int i = 0; r >= 0 && i < SAMPLE; i++) {
        posting_ids list = {0};
        auto_buf before, after;
        int64_t image = 1 + (int64_t)(draw(&seed) % c->f->images);
        buf_init(&before, 100 << 20);
        buf_init(&after, 100 << 20);
        r = posting_list(tx, image, &list, e);
        if (r >= 0)
            r = findings_text(tx, c->before, &list, &before, e);
        if (r >= 0)
            r = findings_text(tx, c->after, &list, &after, e);
        bool differs = !str_eq(buf_view(&before), buf_view(&after));
        c->affected += differs;
        c->missing += differs && !posting_set_has(c->set, image);
        c->too_many += !differs && posting_set_has(c->set, image);
        vec_done(&list);
    }
    return r;
}

struct asking {
    struct fleet *f;
    const struct vulndb *before, *after;
    double from, used; /* clock and CPU when the newer data came */
    double looking;    /* seconds of the list and brute force, which are none of the engine's */
    uint64_t changed, wrong;
};

/* The list is stored: whoever asks for it now gets this. */
static void ask_list(void *ctx, const struct reindex_result *r)
{
    struct asking *a = ctx;
    struct err e = {0};
    struct listing l = {.db = a->f->s.db};
    double stored = wall_seconds() - a->from, stored_cpu = cpu_seconds() - a->used,
           from = wall_seconds();
    posting_set_init(&l.set);
    list_all(&l);
    double listed = wall_seconds() - from, listed_cpu = cpu_seconds() - a->used - stored_cpu;
    double peak = peak_mib(false);
    printf("newer data: %llu changed claims about %llu names; %llu packages matched again\n",
           (unsigned long long)a->changed, (unsigned long long)r->names,
           (unsigned long long)r->packages);
    printf("  what differs %.2f s, packages matched %.2f s, list of images stored %.2f s:"
           " %.2f s, %.2f s of CPU\n",
           r->diff_seconds, r->match_seconds, r->image_seconds, stored, stored_cpu);
    printf("  accounts and digests of %llu images read by two threads: %.2f s, %.2f s of CPU\n",
           (unsigned long long)l.n, listed, listed_cpu);
    struct comparing c = {.f = a->f, .before = a->before, .after = a->after, .set = &l.set};
    must(db_run(a->f->s.db, DB_READ, compare_sample, &c, &e), &e);
    printf("brute force on %d images: %llu changed, %llu did not; %llu are missing in the list,"
           " %llu are too many\n",
           SAMPLE, (unsigned long long)c.affected, (unsigned long long)(SAMPLE - c.affected),
           (unsigned long long)c.missing, (unsigned long long)c.too_many);
    printf("FIGURE complete list of %llu changed images of %llu: %.2f s (wanted <= 2; %.2f s of CPU"
           " for two cores), peak %.0f MiB (wanted <= 1536)\n",
           (unsigned long long)l.n, (unsigned long long)a->f->images, stored + listed,
           stored_cpu + listed_cpu, peak);
    a->wrong = c.missing + c.too_many;
    a->looking = wall_seconds() - from;
    posting_set_done(&l.set);
}

static void ask(struct fleet *f, struct reindex_options *o, const struct vulndb *before,
                uint64_t changed)
{
    struct err e = {0};
    struct reindex_result r;
    peak_mib(true);
    struct asking a = {.f = f,
                       .before = before,
                       .after = o->data,
                       .from = wall_seconds(),
                       .used = cpu_seconds(),
                       .changed = changed};
    o->listed = ask_list;
    o->ctx = &a;
    must(reindex_data(o, &r, &e), &e);
    printf("after that, in the background: %llu changes of findings written in %.2f s, with every"
           " image's summary %.1f s\n",
           (unsigned long long)r.changes, r.write_seconds,
           wall_seconds() - a.from - a.looking - r.diff_seconds - r.match_seconds -
               r.image_seconds);
    if (a.wrong)
        exit(1);
}

static int count_names(struct db_tx *tx, void *ctx, struct err *e)
{
    return db_query_int(tx, "SELECT COUNT(*) FROM finding_name WHERE name LIKE 'GHSA-%' ESCAPE '!'",
                        DB0, ctx, e);
}

/* What comes every day: little. */
static void next_day(struct fleet *f, struct reindex_options *o)
{
    struct err e = {0};
    struct reindex_result r;
    int64_t names = 0;
    double from = wall_seconds(), used = cpu_seconds();
    o->listed = NULL;
    must(reindex_data(o, &r, &e), &e);
    used = cpu_seconds() - used;
    from = wall_seconds() - from;
    must(db_run(f->s.db, DB_READ, count_names, &names, &e), &e);
    printf("FIGURE the next day: %llu names differ, %llu packages matched again, %llu changes, %lld"
           " more names of findings: %.2f s, %.2f s of CPU; what differs %.2f s, names kept %.2f"
           " s\n",
           (unsigned long long)r.names, (unsigned long long)r.packages,
           (unsigned long long)r.changes, (long long)names, from, used, r.diff_seconds,
           r.names_seconds);
}

/* ---- memory */

static const int64_t day = (int64_t)86400 * 1000000;

static int spread(struct db_tx *tx, void *ctx, struct err *e)
{
    /* Two years, by the numbers of packages and images; each finding was once judged otherwise. */
    static const char *const steps[] = {
        "UPDATE finding_span SET opened_at = now_us() - ((package * 7919 + opened_at) % 700) *"
        " 86400000000 WHERE closed_at > 8000000000000000000",
        "INSERT INTO finding_span (package, vulnerability, opened_at, closed_at, severity,"
        " fix_state, source, fix, generation) SELECT package, vulnerability, opened_at -"
        " 20 * 86400000000, opened_at, 1, fix_state, source, '', generation FROM finding_span"
        " WHERE closed_at > 8000000000000000000",
        "UPDATE posting_image SET since = since - ((id * 104729) % 730) * 86400000000",
    };
    int64_t n = 0;
    for (size_t i = 0; n >= 0 && i < KE_ARRAY_LEN(steps); i++)
        n = db_exec(tx, steps[i], DB0, e);
    return n < 0 ? (int)n : 0;
}

struct question {
    struct fleet *f;
    char id[40];
    int64_t at;
    bool now;
    struct listing l;
};

static int collect(void *ctx, const struct posting_image *i, struct err *e)
{
    struct listing *l = ctx;
    l->n++;
    return posting_set_add(&l->set, i->id) ? 0 : err_no_memory(e);
}

static int ask_memory(struct db_tx *tx, void *ctx, struct err *e)
{
    struct question *q = ctx;
    q->l.n = 0;
    posting_set_done(&q->l.set);
    str id = str_z(q->id);
    return history_affected(tx, STR(""), &id, 1, q->at, q->now, collect, &q->l, e);
}

/* By walking the images' own lists and each package's spans. */
static int check_memory(struct db_tx *tx, void *ctx, struct err *e)
{
    struct question *q = ctx;
    uint64_t seed = 99;
    int r = 0;
    for (int i = 0; r >= 0 && i < SAMPLE; i++) {
        posting_ids list = {0};
        int64_t image = 1 + (int64_t)(draw(&seed) % q->f->images), since = 0, n, hits = 0;
        r = posting_list(tx, image, &list, e);
        if (r >= 0)
            r = db_query_int(tx, "SELECT since FROM posting_image WHERE id = $1", DB(DBI(image)),
                             &since, e);
        for (size_t k = 0; r >= 0 && k < list.n; k++) {
            r = db_query_int(tx,
                             "SELECT COUNT(*) FROM finding_span WHERE package = $1 AND"
                             " vulnerability = $2 AND opened_at <= $3 AND closed_at > $3",
                             DB(DBI(list.p[k]), DBZ(q->id), DBI(q->at)), &n, e);
            hits += n;
        }
        if (r >= 0 && (hits && since <= q->at) != posting_set_has(&q->l.set, image))
            r = err_set(e, ERR_MISMATCH, "brute force gives another answer for image %lld",
                        (long long)image);
        vec_done(&list);
    }
    return r;
}

static int read_now(struct db_tx *tx, void *ctx, struct err *e)
{
    return db_query_int(tx, "SELECT now_us()", DB0, ctx, e);
}

static void remember(struct fleet *f)
{
    struct err e = {0};
    double worst = 0, sum = 0;
    uint64_t most = 0, seed = 2026;
    int64_t today;
    must(db_run(f->s.db, DB_WRITE, spread, f, &e), &e);
    must(db_run(f->s.db, DB_READ, read_now, &today, &e), &e);
    for (int i = 0; i < QUESTIONS; i++) {
        struct question q = {.f = f, .now = i % 2};
        snprintf(q.id, sizeof q.id, "CVE-2026-%llu",
                 (unsigned long long)(draw(&seed) % (f->names.n / 20) * 8));
        q.at = today - (int64_t)(draw(&seed) % 700) * day;
        double from = wall_seconds();
        must(db_run(f->s.db, DB_READ, ask_memory, &q, &e), &e);
        double took = wall_seconds() - from;
        if (i < 6 && !q.now)
            must(db_run(f->s.db, DB_READ, check_memory, &q, &e), &e);
        worst = took > worst ? took : worst;
        sum += took;
        most = q.l.n > most ? q.l.n : most;
        posting_set_done(&q.l.set);
    }
    printf("FIGURE affected on date D, two years, %d questions: mean %.3f s, longest %.3f s (wanted"
           " <= 1 for 100,000 images), up to %llu images; equal to brute force\n",
           QUESTIONS, sum / QUESTIONS, worst, (unsigned long long)most);
}

/* ---- */

static uint64_t number(int argc, char **argv, int i, uint64_t fallback)
{
    return argc > i ? strtoull(argv[i], NULL, 10) : fallback;
}

int main(int argc, char **argv)
{
    struct fleet f = {.dir = argc > 1 ? argv[1] : ".",
                      .images = number(argc, argv, 2, 10000),
                      .each = number(argc, argv, 3, 300),
                      .changed = number(argc, argv, 4, 5000)};
    struct vulndb *before, *after, *next;
    double load[3] = {0};
    setvbuf(stdout, NULL, _IOLBF, 0);
    fleet_open(&f.s, f.dir);
    take_names(&f);
    make_data(&f, "before", BEFORE, &before);
    struct reindex_options o = {.db = f.s.db,
                                .documents = f.s.documents,
                                .data = before,
                                .generation = "sha256:before",
                                .holder = "bench"};
    fill(&f, &o);
    double stored = fleet_gb(&f.s);
    if (argc > 5) {
        printf("%.2f GB stored\n", stored);
        return 0;
    }
    uint64_t changed = make_data(&f, "after", AFTER, &after);
    o.data = after;
    o.generation = "sha256:after";
    ask(&f, &o, before, changed);
    make_data(&f, "next", NEXT_DAY, &next);
    o.data = next;
    o.generation = "sha256:next";
    next_day(&f, &o);
    remember(&f);
    getloadavg(load, 3);
    printf("FIGURE %llu images x %llu packages (%zu distinct): %.2f GB stored (wanted <= 10)\n",
           (unsigned long long)f.images, (unsigned long long)f.each, f.names.n * f.versions,
           stored);
    printf("load average %.1f %.1f %.1f\n", load[0], load[1], load[2]);
    vulndb_close(before);
    vulndb_close(after);
    vulndb_close(next);
    fleet_close(&f.s);
    return 0;
}
