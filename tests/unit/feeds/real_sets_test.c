/* Conservation over the real sets in ../shared: what goes in comes out as claims, or is counted by
 * reason. The numbers were counted independently of this code, from the files. */
#include "feeds/sink.h"

static void load(const char *feed, const char *relative, struct test_sink *t)
{
    struct err e = {0};
    const char *path = shared_path(relative);
    if (!path)
        skip_without_shared(relative);
    sink_init(t);
    t->count_only = true;
    if (feeds_load(feed_find(str_z(feed)), &path, 1, &t->sink, NULL, &e) < 0)
        fail_msg("%s: %s", relative, e.text);
}

struct set {
    const char *feed, *path;
    uint64_t records, claims;
    const char *reason; /* why things are left out; NULL: nothing is */
    uint64_t dropped;
    const char *other_reason;
    uint64_t other_dropped;
};

static const struct set sets[] = {
    /* 12,028 id strings, three of which name two CVEs; one version without ids. */
    {"alpine", "alpine/secdb-2020.tar.zst", 12028, 12031, "fixed version without ids", 1},
    /* 71,329 rows = 9,261 of bug fixes + 2,169 of 37 records that lie in two directories + 59,899,
     * of which some may be of either of two modules. */
    {"osv", "alma/osv-database.tar.zst", 5680, 63455,
     "affected entry of a bug fix or enhancement advisory", 9261,
     "affected entry of a record that came before", 2169},
    /* 6,125 rows, 20 of which are fixed in one part and open in another. */
    {"osv", "go/vulndb-osv.tar.zst", 4291, 6145, NULL, 0},
    {"osv", "pypa/advisory-database.tar.zst", 2661, 2661, "range of commits", 1391},
    {"osv", "bitnami/vulndb.tar.zst", 7444, 7488, NULL, 0},
    {"osv", "drupal/drupal-advisory-database.tar.zst", 591, 597, NULL, 0},
    {"kev", "kev/known_exploited_vulnerabilities.json", 1404, 0, NULL, 0},
    /* 5,406 DSA and 3,534 DLA heads; 35,759 rows of release, package and CVE, 34,301 distinct. */
    {"debian", "debian/security-tracker-DSA-DLA-2023.tar.zst", 8940, 34301,
     "advisory row replaced by another advisory's", 1458},
    {"nvd", "nvd/anchore-nvd-data-overrides.tar.zst", 32184, 0, "CPE match (not used for matching)",
     97775},
};

static void nothing_is_lost(void **state)
{
    for (size_t i = 0; i < KE_ARRAY_LEN(sets); i++) {
        const struct set *s = &sets[i];
        char relative[256];
        snprintf(relative, sizeof relative, "data/feeds/%s", s->path);
        auto_sink t = {0};
        load(s->feed, relative, &t);
        if (t.records != s->records || t.claims != s->claims ||
            t.dropped != s->dropped + s->other_dropped ||
            (s->reason && sink_dropped(&t, s->reason) != s->dropped)) {
            sink_print(&t);
            fail_msg("%s: the counts differ", s->path);
        }
    }
}

static void count_step(void *ctx, str path, uint64_t inputs, uint64_t bytes)
{
    *(uint64_t *)ctx = inputs;
}

static void progress_is_told(void **state)
{
    struct err e = {0};
    const char *path = shared_path("data/feeds/alma/osv-database.tar.zst");
    if (!path)
        skip_without_shared("data/feeds/alma");
    auto_sink t;
    sink_init(&t);
    t.count_only = true;
    uint64_t seen = 0;
    struct feed_progress progress = {count_step, &seen};
    assert_ok(feeds_load(feed_find(STR("osv")), &path, 1, &t.sink, &progress, &e));
    assert_int_equal(seen, 5680);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_is_lost),
        cmocka_unit_test(progress_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
