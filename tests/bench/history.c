/* history.c - "which images were affected by X on date D", asked of a fleet that went through two
 * years of real feeds' history, a step each week: `script/bench history`.
 *
 *     bench-history DIR IMAGES prepare|ask|verify [PACKAGES_EACH]
 *
 * prepare: the steps, names and versions that history.py wrote into DIR become a fleet; ask: the
 * figure; verify: answers, lists of changed images and first-seen dates against brute force.
 *
 * Each step does what the engine does when newer data come (reindex.h), then the images of the time
 * until the next step come; the times that were written are set to the step's. Questions come from
 * seeds: vulnerabilities out of the changes (days around them) and out of the findings, under the
 * names that they had then. */
#include "history.h"

#include "base/auto.h"
#include "services/policy_engine/finding_names.h"
#include "services/policy_engine/history.h"

#include <inttypes.h>

/* ---- going through it */

static int put_images(struct db_tx *tx, void *ctx, struct err *e)
{
    struct bench *b = ctx;
    uint32_t list[EACH_MOST];
    int64_t ids[EACH_MOST];
    struct inventory inv = {.os = STR("linux")};
    int r = 0;
    for (uint64_t i = 0; r >= 0 && i < b->w.images; i++) {
        if (b->came[i] != b->step)
            continue;
        struct fleet_name n = fleet_name(i);
        world_packages(&b->w, i, list);
        for (size_t k = 0; r >= 0 && k < b->w.each; k++) {
            struct inv_package p = {.p = b->w.packages.p[list[k]]};
            if (!b->ids[list[k]])
                r = fleet_package(tx, &inv, &p, &b->ids[list[k]], e);
            ids[k] = b->ids[list[k]];
        }
        if (r >= 0)
            r = posting_put(tx, str_z(n.account), str_z(n.digest), world_since(&b->w, i), ids,
                            b->w.each, e);
    }
    return r;
}

/* What was written in this step has the clock's time: later than any step's. */
static int set_times(struct db_tx *tx, void *ctx, struct err *e)
{
    static const char *const steps[] = {
        "UPDATE finding_span SET opened_at = $1 WHERE opened_at >= $2",
        "UPDATE finding_span SET closed_at = $1 WHERE closed_at >= $2 AND closed_at <"
        " 9000000000000000000",
        "UPDATE finding_change SET at = $1 WHERE at >= $2",
        "UPDATE finding_batch SET started_at = $1 WHERE started_at >= $2",
        "UPDATE finding_batch SET listed_at = $1 WHERE listed_at >= $2",
        "UPDATE finding_batch SET ended_at = $1 WHERE ended_at >= $2",
        "DELETE FROM finding_trend WHERE day = $1 / 86400000000 AND $2 > 0",
        "UPDATE finding_trend SET day = $1 / 86400000000 WHERE day >= $2 / 86400000000",
    };
    const struct bench *b = ctx;
    int64_t n = 0;
    for (size_t i = 0; n >= 0 && i < KE_ARRAY_LEN(steps); i++)
        n = db_exec(tx, steps[i], DB(DBI(b->w.steps.p[b->step]), DBI(b->real)), e);
    return n < 0 ? (int)n : 0;
}

static int read_now(struct db_tx *tx, void *ctx, struct err *e)
{
    return db_query_int(tx, "SELECT now_us()", DB0, ctx, e);
}

static void images_come(struct bench *b, const struct reindex_options *o)
{
    struct err e = {0};
    must(db_run(b->s.db, DB_WRITE, put_images, b, &e), &e);
    if (!o)
        return;
    must(reindex_packages(o, &e), &e);
    fleet_sum_up(&b->s, o);
}

struct sums {
    double listed, worst, all;
    uint64_t changes, most, images, most_images;
};

static void one_step(struct bench *b, struct sums *sum)
{
    struct err e = {0};
    struct vulndb *data;
    struct reindex_result r;
    char generation[40];
    world_data(&b->w, (size_t)b->step, &data);
    snprintf(generation, sizeof generation, "sha256:step-%" PRId64, b->step);
    const struct reindex_options o = {.db = b->s.db,
                                      .documents = b->s.documents,
                                      .data = data,
                                      .generation = generation,
                                      .holder = "bench"};
    double from = wall_seconds();
    must(reindex_data(&o, &r, &e), &e);
    sum->all += wall_seconds() - from;
    double listed = r.diff_seconds + r.match_seconds + r.image_seconds;
    sum->listed += listed;
    sum->worst = listed > sum->worst ? listed : sum->worst;
    sum->changes += r.changes;
    sum->most = r.changes > sum->most ? r.changes : sum->most;
    sum->images += r.images;
    sum->most_images = r.images > sum->most_images ? r.images : sum->most_images;
    if (b->step == 0) { /* those that were there before the first data */
        must(reindex_packages(&o, &e), &e);
        fleet_sum_up(&b->s, &o);
    }
    must(history_trends(b->s.db, true, &e), &e);
    images_come(b, &o);
    must(db_run(b->s.db, DB_WRITE, set_times, b, &e), &e);
    vulndb_close(data);
    progress("steps gone through", (uint64_t)b->step + 1, b->w.steps.n);
}

static void prepare(struct bench *b)
{
    struct err e = {0};
    struct sums sum = {0};
    double from = wall_seconds(), used = cpu_seconds();
    b->ids = calloc(b->w.packages.n, sizeof *b->ids);
    if (!b->ids)
        exit(1);
    must(db_run(b->s.db, DB_READ, read_now, &b->real, &e), &e);
    b->step = -1;
    images_come(b, NULL);
    for (b->step = 0; (size_t)b->step < b->w.steps.n; b->step++)
        one_step(b, &sum);
    double n = (double)b->w.steps.n - 1;
    printf("%zu steps over %.0f days, %" PRIu64 " images x %" PRIu64
           " of %zu names and versions: %.0f s,"
           " %.0f s of CPU\n",
           b->w.steps.n, (double)(b->w.steps.p[b->w.steps.n - 1] - b->w.steps.p[0]) / (double)day,
           b->w.images, b->w.each, b->w.packages.n, wall_seconds() - from, cpu_seconds() - used);
    printf("a step: %.0f changes of packages' findings (most %" PRIu64
           "), %.0f changed images (most"
           " %" PRIu64 ")\n",
           (double)sum.changes / n, sum.most, (double)sum.images / n, sum.most_images);
    printf("complete list of changed images: mean %.2f s, longest %.2f s; all of a step %.2f s\n",
           sum.listed / n, sum.worst, sum.all / n);
    printf("%.2f GB stored\n", fleet_gb(&b->s));
}

/* ---- questions */

static int find_text(struct db_tx *tx, const char *sql, int64_t place, struct arena *a, str *id,
                     int64_t *at, struct err *e)
{
    auto_rows *r = NULL;
    int rc = db_query(tx, sql, DB(DBI(place)), &r, e);
    if (rc < 0 || (rc = db_next(r, e)) <= 0)
        return rc < 0 ? rc : err_set(e, ERR_NOT_FOUND, "nothing to ask for");
    *id = arena_dup(a, db_text(r, 0));
    *at = db_int(r, 1);
    return 0;
}

struct picking {
    struct bench *b;
    struct question *q;
    uint64_t seed;
};

/* Every other question is about a change, in the days around it; the others about any finding on
 * any day. */
static int pick(struct db_tx *tx, void *ctx, struct err *e)
{
    struct picking *p = ctx;
    const struct world *w = &p->b->w;
    int64_t most = 0, at = 0;
    bool change = p->seed % 2;
    uint64_t seed = p->seed;
    int rc = db_query_int(tx,
                          change ? "SELECT MAX(seq) FROM finding_change"
                                 : "SELECT MAX(package) FROM finding_span",
                          DB0, &most, e);
    int64_t place = 1 + (int64_t)(draw(&seed) % (uint64_t)(most ? most : 1));
    if (rc >= 0)
        rc = find_text(tx,
                       change ? "SELECT vulnerability, at FROM finding_change WHERE seq >= $1"
                                " ORDER BY seq LIMIT 1"
                              : "SELECT vulnerability, opened_at FROM finding_span WHERE"
                                " package >= $1 ORDER BY package, opened_at DESC LIMIT 1",
                       place, &p->q->arena, &p->q->name, &at, e);
    int64_t span = w->steps.p[w->steps.n - 1] + 7 * day - w->steps.p[0];
    p->q->at = change ? at + (int64_t)(draw(&seed) % 21) * day - 10 * day
                      : w->steps.p[0] + (int64_t)(draw(&seed) % (uint64_t)span);
    if (p->q->at < w->steps.p[0])
        p->q->at = w->steps.p[0];
    return rc;
}

/* One of the names that it had then. */
static void rename_question(struct bench *b, struct question *q, uint64_t seed)
{
    struct err e = {0};
    struct vulndb *data;
    str *ids;
    size_t n;
    world_data(&b->w, (size_t)world_step(&b->w, q->at), &data);
    must(vulndb_aliases(data, q->name, &q->arena, &ids, &n, &e), &e);
    if (n)
        q->name = arena_dup(&q->arena, ids[draw(&seed) % n]);
    vulndb_close(data);
}

void make_question(struct bench *b, uint64_t number, struct question *q)
{
    struct err e = {0};
    struct picking p = {b, q, number / 2};
    *q = (struct question){.now = number % 2, .images = calloc(b->w.images, 1)};
    if (!q->images)
        exit(1);
    arena_init(&q->arena, 16 << 20);
    must(db_run(b->s.db, DB_READ, pick, &p, &e), &e);
    if (number % 3)
        rename_question(b, q, number);
}

void drop_question(struct question *q)
{
    arena_done(&q->arena);
    free(q->images);
}

/* ---- asking */

static int collect(void *ctx, const struct posting_image *i, struct err *e)
{
    struct question *q = ctx;
    q->images[fleet_number(i->digest)]++;
    q->n++;
    return 0;
}

struct asking {
    struct question *q;
    const struct vulndb *data;
};

/* What GET /history/vulnerabilities does: the names by the newest data, then the memory. */
static int ask_one(struct db_tx *tx, void *ctx, struct err *e)
{
    struct asking *a = ctx;
    str *ids;
    size_t n;
    int rc = finding_names_now(a->data, &a->q->arena, a->q->name, &ids, &n, e);
    if (rc >= 0 && !a->q->now)
        rc = finding_names_ever(tx, &a->q->arena, &ids, &n, e);
    return rc < 0 ? rc
                  : history_affected(tx, STR(""), ids, n, a->q->at, a->q->now, collect, a->q, e);
}

void ask(struct bench *b, const struct vulndb *data, struct question *q, double *took)
{
    struct err e = {0};
    struct asking a = {q, data};
    double from = wall_seconds();
    must(db_run(b->s.db, DB_READ, ask_one, &a, &e), &e);
    *took = wall_seconds() - from;
}

static void ask_all(struct bench *b)
{
    struct vulndb *data;
    double sum[2] = {0}, worst[2] = {0}, took, used = cpu_seconds(), load[3] = {0};
    uint64_t images[2] = {0}, most[2] = {0}, some[2] = {0};
    world_data(&b->w, b->w.steps.n - 1, &data);
    peak_mib(true);
    for (uint64_t i = 0; i < 2 * QUESTIONS; i++) {
        struct question q;
        make_question(b, i, &q);
        ask(b, data, &q, &took);
        sum[q.now] += took;
        worst[q.now] = took > worst[q.now] ? took : worst[q.now];
        images[q.now] += q.n;
        some[q.now] += q.n > 0;
        most[q.now] = q.n > most[q.now] ? q.n : most[q.now];
        drop_question(&q);
    }
    for (int now = 0; now < 2; now++)
        printf(
            "FIGURE affected on date D by what %s, %" PRIu64 " images, %d questions: mean %.3f s,"
            " longest %.3f s (wanted <= 1 for 100,000 images); images: mean %" PRIu64
            ", most %" PRIu64 ", none for %" PRIu64 "\n",
            now ? "is known now" : "was known then", b->w.images, QUESTIONS, sum[now] / QUESTIONS,
            worst[now], images[now] / QUESTIONS, most[now], QUESTIONS - some[now]);
    getloadavg(load, 3);
    printf("%.2f s of CPU with the choice of questions, peak %.0f MiB, load average %.1f %.1f"
           " %.1f\n",
           cpu_seconds() - used, peak_mib(false), load[0], load[1], load[2]);
    vulndb_close(data);
}

/* ---- */

int main(int argc, char **argv)
{
    static struct bench b;
    uint64_t images = 0, each = EACH_MOST;
    bool ok = argc == 4 || (argc == 5 && str_to_u64(str_z(argv[4]), &each));
    if (!ok || !str_to_u64(str_z(argv[2]), &images) || !images || !each || each > EACH_MOST) {
        fprintf(stderr, "usage: bench-history DIR IMAGES prepare|ask|verify [PACKAGES_EACH]\n");
        return 2;
    }
    setvbuf(stdout, NULL, _IOLBF, 0);
    world_open(&b.w, argv[1], images, each);
    fleet_open(&b.s, argv[1]);
    b.came = calloc(images, sizeof *b.came);
    if (!b.came)
        return 1;
    for (uint64_t i = 0; i < images; i++)
        b.came[i] = world_step(&b.w, world_since(&b.w, i));
    if (strcmp(argv[3], "prepare") == 0)
        prepare(&b);
    else if (strcmp(argv[3], "ask") == 0)
        ask_all(&b);
    else
        history_verify(&b);
    fleet_close(&b.s);
    world_close(&b.w);
    return b.wrong ? 1 : 0;
}
