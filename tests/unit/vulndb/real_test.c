/* Real feeds: what a look-up by version gives (keys, hashes) is what comparing the texts of every
 * claim gives. */
#include "db_test.h"

#include "base/vec.h"
#include "feeds/feeds.h"

enum { VERSIONS = 6 };

struct sample {
    str platform, ecosystem, package, versions[VERSIONS];
    size_t n;
};
struct samples {
    VEC(struct sample) list;
    struct arena arena;
};

static void add_version(struct samples *s, struct sample *at, str version)
{
    if (version.n && at->n < VERSIONS)
        at->versions[at->n++] = arena_dup(&s->arena, version);
}

static int collect(void *ctx, const struct db_claim *d, struct err *e)
{
    struct samples *s = ctx;
    const struct claim *c = &d->claim;
    struct sample *at = s->list.n ? &s->list.p[s->list.n - 1] : NULL;
    if (!at || !str_eq(at->package, c->package) || !str_eq(at->platform, c->platform)) {
        at = vec_push(&s->list);
        *at = (struct sample){.platform = arena_dup(&s->arena, c->platform),
                              .ecosystem = arena_dup(&s->arena, c->ecosystem),
                              .package = arena_dup(&s->arena, c->package)};
    }
    add_version(s, at, c->fixed);
    for (size_t i = 0; i < c->n_ranges; i++)
        add_version(s, at, i % 2 ? c->ranges[i].hi : c->ranges[i].lo);
    if (c->n_exact)
        add_version(s, at, c->exact[c->n_exact / 2]);
    return 0;
}

/* Compares both ways of answering for one version; returns how many claims cover it. */
static size_t check(const struct vulndb *db, const struct sample *s, str version, struct arena *a)
{
    struct err e;
    struct db_claim *all, *some;
    size_t n_all, n_some, at = 0;
    arena_done(a);
    assert_ok(
        vulndb_lookup(db, s->platform, s->ecosystem, s->package, STR(""), a, &all, &n_all, &e));
    assert_ok(
        vulndb_lookup(db, s->platform, s->ecosystem, s->package, version, a, &some, &n_some, &e));
    for (size_t i = 0; i < n_all; i++) {
        if (!claim_covers_version(&all[i].claim, version))
            continue;
        if (at == n_some || !str_eq(all[i].claim.vuln_id, some[at].claim.vuln_id))
            fail_msg("%.*s %.*s: %.*s covers it and is not found", STR_ARG(s->package),
                     STR_ARG(version), STR_ARG(all[i].claim.vuln_id));
        at++;
    }
    if (at != n_some)
        fail_msg("%.*s %.*s: more is found than covers it", STR_ARG(s->package), STR_ARG(version));
    return n_some;
}

static void load(const char *dir, const char *driver, const char *source, const char *path)
{
    struct err e;
    struct vulndb_builder *b;
    assert_ok(vulndb_builder_new(dir, str_z(source), &b, &e));
    assert_ok(feeds_load(feed_find(str_z(driver)), &path, 1, vulndb_builder_sink(b), NULL, &e));
    assert_ok(vulndb_builder_install(b, NULL, &e));
    vulndb_builder_free(b);
}

static void keys_answer_as_texts_do(void **state)
{
    static const struct {
        const char *driver, *source, *path;
    } sets[] = {
        {"alpine", "alpine", "data/feeds/alpine/secdb-2020.tar.zst"},
        {"osv", "go", "data/feeds/go/vulndb-osv.tar.zst"},
        {"osv", "pypa", "data/feeds/pypa/advisory-database.tar.zst"},
        {"debian", "debian", "data/feeds/debian/security-tracker-DSA-DLA-2023.tar.zst"},
    };
    struct err e;
    char dir[512];
    struct vulndb *db;
    struct samples s = {0};
    struct arena a;
    size_t covered = 0, asked = 0;
    scratch_make(dir, sizeof dir);
    arena_init(&s.arena, 1 << 30);
    arena_init(&a, 1 << 30);
    for (size_t i = 0; i < KE_ARRAY_LEN(sets); i++) {
        const char *path = shared_path(sets[i].path);
        if (!path) {
            scratch_clear(dir);
            skip_without_shared(sets[i].path);
        }
        load(dir, sets[i].driver, sets[i].source, path);
    }
    assert_ok(vulndb_open(dir, &db, &e));
    assert_ok(vulndb_each(db, STR(""), collect, &s, &e));
    for (size_t i = 0; i < s.list.n; i += 3) /* a third of them, for time */
        for (size_t k = 0; k < s.list.p[i].n; k++, asked++)
            covered += check(db, &s.list.p[i], s.list.p[i].versions[k], &a);
    assert_true(asked > 5000 && covered > 1000);
    vulndb_close(db);
    vec_done(&s.list);
    arena_done(&s.arena);
    arena_done(&a);
    scratch_clear(dir);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(keys_answer_as_texts_do)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
