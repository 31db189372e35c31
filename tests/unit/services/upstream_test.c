/* What the old feed "packages" says of npm packages and gems, from its records to the rows of the
 * gates npms and ruby_gems. */
#include "unit.h"

#include "feeds/anchore.h"
#include "policy/evaluate.h"
#include "services/policy_engine/policy_facts.h"

#include <ftw.h>

static char directory[64];

static int remove_one(const char *path, const struct stat *st, int flag, struct FTW *w)
{
    return remove(path);
}

static void load(str group, str record)
{
    struct err e = {0};
    struct arena a;
    struct vulndb_builder *b;
    struct vulndb_stats stats;
    arena_init(&a, 1 << 16);
    str feed = STR("packages");
    assert_ok(vulndb_builder_new(directory, anchore_source(&a, feed, group), &b, &e));
    assert_ok(anchore_record(feed, group, record, vulndb_builder_sink(b), &e));
    assert_ok(vulndb_builder_install(b, &stats, &e));
    vulndb_builder_free(b);
    arena_done(&a);
}

static void assert_message(const struct policy_subject *s, const char *gate, const char *trigger,
                           const char *want)
{
    struct err e = {0};
    struct policy_bundle *b;
    struct policy_verdict *v;
    char text[1024];
    int n = snprintf(text, sizeof text,
                     "{\"id\": \"b\", \"version\": \"1_0\", \"whitelists\": [], \"policies\": "
                     "[{\"id\": \"p\", \"version\": \"1_0\", \"rules\": [{\"id\": \"r\", "
                     "\"action\": \"STOP\", \"gate\": \"%s\", \"trigger\": \"%s\", \"params\": "
                     "[]}]}], \"mappings\": [{\"name\": \"all\", \"registry\": \"*\", "
                     "\"repository\": \"*\", \"image\": {\"type\": \"tag\", \"value\": \"*\"}, "
                     "\"policy_ids\": [\"p\"], \"whitelist_ids\": []}]}",
                     gate, trigger);
    assert_ok(policy_bundle_new((str){text, (size_t)n}, &b, &e));
    assert_ok(policy_evaluate(b, s, &v, &e));
    assert_int_equal(v->problems.n, 0);
    assert_int_equal(v->n_rows, *want != 0);
    if (*want)
        assert_str(v->rows[0].message, str_z(want));
    policy_verdict_free(v);
    policy_bundle_free(b);
}

/* The latest version is named once, where the registry has it in its list. */
static void test_lists_as_the_feed_has_them(void **state)
{
    struct err e = {0};
    struct vulndb *db;
    struct arena a;
    snprintf(directory, sizeof directory, "/tmp/kellet-upstream-XXXXXX");
    assert_non_null(mkdtemp(directory));
    load(STR("npm"), STR("{\"tar\": {\"latest\": \"6.0.0\", \"versions\": [\"2.0.0\", \"6.0.0\", "
                         "\"1.0.0\"]}}"));
    load(STR("gem"), STR("{\"rack\": {\"latest\": \"2.2.3\", \"versions\": [\"2.2.3\", "
                         "\"2.0.1\"]}}"));
    assert_ok(vulndb_open(directory, &db, &e));
    arena_init(&a, 1 << 20);
    struct upstream_source npm_source = {db, "packages:npm", &a};
    struct upstream_source gem_source = {db, "packages:gem", &a};
    struct policy_upstream npm, gem;
    assert_true(upstream_source_open(&npm_source, &npm));
    assert_true(upstream_source_open(&gem_source, &gem));
    struct policy_package packages[] = {
        {.name = STR("tar"),
         .type = STR("npm"),
         .version = STR("3.0.0"),
         .full_version = STR("3.0.0")},
        {.name = STR("rack"),
         .type = STR("gem"),
         .version = STR("1.0"),
         .full_version = STR("1.0")},
    };
    const struct policy_image image = {
        .have = ~0u, .packages = packages, .n_packages = 2, .size = -1, .n_layers = -1};
    const struct policy_subject s = {.account = STR("admin"),
                                     .tag = STR("docker.io/app:1"),
                                     .image = &image,
                                     .npm = &npm,
                                     .gem = &gem};
    assert_message(&s, "npms", "version_not_in_feeds",
                   "NPMBADVERSION Package (tar) version (3.0.0) installed but version is not in "
                   "the official feed for this package (['2.0.0', '6.0.0', '1.0.0'])");
    assert_message(&s, "npms", "newer_version_in_feed",
                   "NPMNOTLATEST Package (tar) version (3.0.0) installed but is not the latest "
                   "version (6.0.0)");
    assert_message(&s, "ruby_gems", "version_not_found_in_feed",
                   "GEMBADVERSION Package (rack) version (1.0) installed but version is not in "
                   "the official feed for this package (['2.2.3', '2.0.1'])");
    assert_message(&s, "ruby_gems", "newer_version_found_in_feed",
                   "Package (rack) version (1.0) installed but is not the latest version (2.2.3)");
    packages[0].full_version = STR("6.0.0");
    assert_message(&s, "npms", "version_not_in_feeds", "");
    assert_message(&s, "npms", "newer_version_in_feed", "");
    arena_done(&a);
    vulndb_close(db);
    nftw(directory, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_lists_as_the_feed_has_them),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
