/* history_check.c - brute force: what each step's own data say (truth_make), expanded to images by
 * the generator, against every answer, every list of changed images, and the memory of a sample. */
#include "history.h"

#include "services/policy_engine/affected.h"
#include "services/policy_engine/history.h"

#include <inttypes.h>

enum { SAMPLE = 300 };

struct checking {
    struct bench *b;
    struct truth t;
    uint32_t *lists; /* packages of all images */
    uint8_t *flags;  /* of packages */
};

static const uint32_t *list_of(const struct checking *c, uint64_t image)
{
    return c->lists + image * c->b->w.each;
}

static bool any_flag(const struct checking *c, uint64_t image)
{
    const uint32_t *list = list_of(c, image);
    for (size_t k = 0; k < c->b->w.each; k++)
        if (c->flags[list[k]])
            return true;
    return false;
}

struct differences {
    uint64_t missing, too_many, right;
};

static void show(const struct checking *c, const char *what, const struct differences *d)
{
    printf("%s: %" PRIu64 " right, %" PRIu64 " missing, %" PRIu64 " too many\n", what, d->right,
           d->missing, d->too_many);
    c->b->wrong += d->missing + d->too_many;
}

static void check_question(struct checking *c, const struct vulndb *data, struct question *asked,
                           struct differences *d)
{
    const struct world *w = &c->b->w;
    struct question q = *asked;
    struct differences mine = {0};
    posting_ids ids = {0};
    double took;
    ask(c->b, data, &q, &took);
    int64_t last = (int64_t)w->steps.n - 1, step = q.now ? last : world_step(w, q.at);
    truth_ids(&c->t, q.name, q.now ? last : -1, &ids);
    for (size_t p = 0; p < w->packages.n; p++)
        c->flags[p] = truth_has(&c->t, (size_t)step, (uint32_t)p, &ids);
    for (uint64_t i = 0; i < w->images; i++) {
        bool wanted = world_since(w, i) <= q.at && any_flag(c, i);
        mine.missing += wanted && !q.images[i];
        mine.too_many += wanted ? q.images[i] > 1 : q.images[i];
        mine.right += wanted && q.images[i] == 1;
    }
    if (mine.missing + mine.too_many)
        printf("%.*s at step %" PRId64 ", known %s: %" PRIu64 " missing, %" PRIu64 " too many\n",
               STR_ARG(q.name), step, q.now ? "now" : "then", mine.missing, mine.too_many);
    d->missing += mine.missing;
    d->too_many += mine.too_many;
    d->right += mine.right;
    vec_done(&ids);
}

/* The last step that gives a vulnerability this name. */
static size_t last_named(const struct checking *c, const struct truth_name *name)
{
    size_t step = c->b->w.steps.n;
    while (step-- > 0)
        for (size_t i = 0; i < c->t.steps[step].names.n; i++)
            if (memcmp(&c->t.steps[step].names.p[i], name, sizeof *name) == 0)
                return step;
    return 0;
}

/* By each name that was taken from a vulnerability since. */
static void check_renamed(struct checking *c, const struct vulndb *data)
{
    const struct truth_step *ever = &c->t.ever;
    struct differences d = {0};
    uint64_t n = 0;
    for (size_t i = 0; i < ever->names.n; i++) {
        size_t step = last_named(c, &ever->names.p[i]);
        for (int back = 0; step + 1 < c->b->w.steps.n && back < 2; back++, n++) {
            struct question q = {
                .name = c->t.texts.p[back ? ever->names.p[i].id : ever->names.p[i].name],
                .at = c->b->w.steps.p[step] + 1,
                .images = calloc(c->b->w.images, 1)};
            if (!q.images)
                exit(1);
            arena_init(&q.arena, 16 << 20);
            check_question(c, data, &q, &d);
            drop_question(&q);
        }
    }
    printf("%" PRIu64 " more questions, by names that vulnerabilities have no longer:\n", n);
    show(c, "  images in the answers", &d);
}

static void check_questions(struct checking *c)
{
    struct vulndb *data;
    struct differences d = {0};
    world_data(&c->b->w, c->b->w.steps.n - 1, &data);
    for (uint64_t i = 0; i < 2 * QUESTIONS; i++) {
        struct question q;
        make_question(c->b, i, &q);
        check_question(c, data, &q, &d);
        drop_question(&q);
        progress("questions verified", i + 1, 2 * QUESTIONS);
    }
    show(c, "images in the answers", &d);
    check_renamed(c, data);
    vulndb_close(data);
}

/* ---- the lists of changed images */

struct listing {
    struct checking *c;
    size_t step;
    uint8_t *images;
};

static int mark(void *ctx, const struct posting_image *i, struct err *e)
{
    struct listing *l = ctx;
    l->images[fleet_number(i->digest)] = 1;
    return 0;
}

static int read_list(struct db_tx *tx, void *ctx, struct err *e)
{
    struct listing *l = ctx;
    char generation[40];
    int64_t batch;
    snprintf(generation, sizeof generation, "sha256:step-%zu", l->step);
    int rc = db_query_int(tx, "SELECT id FROM finding_batch WHERE generation = $1",
                          DB(DBZ(generation)), &batch, e);
    return rc < 0 ? rc : affected_images(tx, STR(""), batch, 0, 0, mark, l, e);
}

static void check_lists(struct checking *c)
{
    const struct world *w = &c->b->w;
    struct err e = {0};
    struct differences d = {0};
    for (size_t step = 1; step < w->steps.n; step++) {
        struct listing l = {c, step, calloc(w->images, 1)};
        if (!l.images)
            exit(1);
        must(db_run(c->b->s.db, DB_READ, read_list, &l, &e), &e);
        for (size_t p = 0; p < w->packages.n; p++)
            c->flags[p] = c->t.steps[step].prints[p] != c->t.steps[step - 1].prints[p];
        for (uint64_t i = 0; i < w->images; i++) {
            bool wanted = c->b->came[i] < (int64_t)step && any_flag(c, i);
            d.missing += wanted && !l.images[i];
            d.too_many += !wanted && l.images[i];
            d.right += wanted && l.images[i];
        }
        free(l.images);
    }
    show(c, "images in the steps' complete lists", &d);
}

/* ---- what single images had when */

struct looking {
    struct checking *c;
    uint64_t image;
    struct arena arena;
    struct history_row *rows;
    size_t n;
    struct differences *spans, *first;
};

static int read_image(struct db_tx *tx, void *ctx, struct err *e)
{
    struct looking *l = ctx;
    struct fleet_name n = fleet_name(l->image);
    int rc = history_image(tx, &l->arena, str_z(n.account), str_z(n.digest), &l->rows, &l->n, e);
    return rc == 0 ? err_set(e, ERR_NOT_FOUND, "image %s is not there", n.digest) : rc;
}

/* Number of the package of that name and version in the list, or -1. */
static int64_t package_in(const struct checking *c, const uint32_t *list, str name, str version)
{
    for (size_t k = 0; k < c->b->w.each; k++) {
        const struct package *p = &c->b->w.packages.p[list[k]];
        if (str_eq(p->name, name) && str_eq(p->version, version))
            return list[k];
    }
    return -1;
}

/* Each row is true at every step in its time, and first seen when brute force saw it first. */
static uint64_t check_row(struct looking *l, const struct history_row *row)
{
    const struct checking *c = l->c;
    const struct world *w = &c->b->w;
    uint64_t n = 0;
    int64_t since = world_since(w, l->image), first = -1;
    uintptr_t id = (uintptr_t)map_get(&c->t.numbers, row->vulnerability);
    int64_t package = package_in(c, list_of(c, l->image), row->package, row->version);
    int64_t came = c->b->came[l->image] < 0 ? 0 : c->b->came[l->image];
    if (!id || package < 0) {
        l->spans->too_many++;
        return 0;
    }
    const struct truth_pair wanted = {(uint32_t)id - 1, (uint32_t)package};
    const posting_ids one = {.p = (int64_t[]){wanted.id}, .n = 1};
    for (size_t k = (size_t)came; k < w->steps.n; k++) {
        int64_t at = w->steps.p[k] > since ? w->steps.p[k] : since;
        bool has = truth_has(&c->t, k, (uint32_t)package, &one);
        first = first < 0 && has ? at : first;
        if (at < row->from || (row->to && at >= row->to))
            continue;
        n++;
        l->spans->right += has;
        l->spans->too_many += !has;
    }
    l->first->right += first == row->first_seen;
    l->first->missing += first != row->first_seen;
    return n;
}

static void check_image(struct looking *l)
{
    struct err e = {0};
    const struct checking *c = l->c;
    uint64_t told = 0, wanted = 0;
    const uint32_t *list = list_of(c, l->image);
    int64_t came = c->b->came[l->image] < 0 ? 0 : c->b->came[l->image];
    arena_init(&l->arena, 64 << 20);
    must(db_run(c->b->s.db, DB_READ, read_image, l, &e), &e);
    for (size_t i = 0; i < l->n; i++)
        told += check_row(l, &l->rows[i]);
    for (size_t k = 0; k < c->b->w.each; k++) {
        bool again = false;
        for (size_t i = 0; i < k && !again; i++)
            again = list[i] == list[k];
        for (size_t s = (size_t)came; s < c->b->w.steps.n && !again; s++)
            wanted += c->t.steps[s].counts[list[k]];
    }
    l->spans->missing += wanted > told ? wanted - told : 0;
    l->spans->too_many += told > wanted ? told - wanted : 0;
    arena_done(&l->arena);
}

static void check_images(struct checking *c)
{
    uint64_t seed = 4711, n = c->b->w.images < SAMPLE ? c->b->w.images : SAMPLE;
    struct differences spans = {0}, first = {0};
    for (uint64_t i = 0; i < n; i++) {
        struct looking l = {
            .c = c, .image = draw(&seed) % c->b->w.images, .spans = &spans, .first = &first};
        check_image(&l);
    }
    printf("%" PRIu64 " images' memory at all steps of their time:\n", n);
    show(c, "  findings", &spans);
    show(c, "  first-seen dates", &first);
}

/* ---- days */

struct reading_days {
    struct arena arena;
    struct history_day *days;
    size_t n;
    const char *account;
};

static int read_days(struct db_tx *tx, void *ctx, struct err *e)
{
    struct reading_days *r = ctx;
    return history_days(tx, &r->arena, str_z(r->account), 4000, &r->days, &r->n, e);
}

static void check_days(struct checking *c)
{
    const struct world *w = &c->b->w;
    struct err e = {0};
    struct differences d = {0};
    struct reading_days r = {.account = "account-0"};
    arena_init(&r.arena, 16 << 20);
    must(db_run(c->b->s.db, DB_READ, read_days, &r, &e), &e);
    for (size_t s = 0; s < w->steps.n; s++) {
        int64_t images = 0, findings = 0, told = 0;
        const struct history_day *today = NULL;
        for (uint64_t i = 0; i < w->images; i += FLEET_ACCOUNTS) {
            uint32_t seen[EACH_MOST];
            size_t n = 0;
            for (size_t k = 0; c->b->came[i] < (int64_t)s && k < c->b->w.each; k++) {
                uint32_t p = list_of(c, i)[k];
                size_t at = 0;
                while (at < n && seen[at] != p)
                    at++;
                if (at == n)
                    findings += c->t.steps[s].counts[seen[n++] = p];
            }
            images += c->b->came[i] < (int64_t)s;
        }
        for (size_t k = 0; k < r.n; k++)
            if (r.days[k].day == w->steps.p[s] / day)
                today = &r.days[k];
        for (int k = 0; today && k <= SEV_CRITICAL; k++)
            told += today->findings[k];
        bool right = (today ? today->images : 0) == images && told == findings;
        d.right += right;
        d.missing += !right;
        if (s % (w->steps.n / 8 + 1) == 0)
            printf("  account-0, step %zu: %" PRId64 " images, %" PRId64 " findings\n", s, images,
                   told);
    }
    arena_done(&r.arena);
    show(c, "days of the trend", &d);
}

void history_verify(struct bench *b)
{
    struct checking c = {.b = b};
    double from = wall_seconds();
    c.lists = calloc(b->w.images * b->w.each, sizeof *c.lists);
    c.flags = calloc(b->w.packages.n, 1);
    if (!c.lists || !c.flags)
        exit(1);
    for (uint64_t i = 0; i < b->w.images; i++)
        world_packages(&b->w, i, c.lists + i * b->w.each);
    truth_make(&b->w, &c.t);
    check_questions(&c);
    check_lists(&c);
    check_images(&c);
    check_days(&c);
    printf("brute force: %.0f s\n", wall_seconds() - from);
}
