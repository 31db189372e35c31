/* An image that an SBOM describes, as an inventory. */
#include "unit.h"

#include "services/import_sbom.h"

#define DIGEST "sha256:1111111111111111111111111111111111111111111111111111111111111111"

static struct inventory *with(const char *packages)
{
    struct inventory *inv = NULL;
    struct err e = {0};
    const struct import_sbom in = {.packages = str_z(packages),
                                   .manifest = STR("{}"),
                                   .config = STR("{}"),
                                   .digest = STR(DIGEST)};
    assert_ok(import_sbom_read(&in, &inv, &e));
    return inv;
}

/* "source" -> the names, and what was asked for */
static const struct {
    const char *source, *asked, *names[3];
} sources[] = {
    {"{}", "", {0}},
    {"{\"target\": 5, \"metadata\": null}", "", {0}},
    {"{\"target\": {\"userInput\": \"a:1\", \"tags\": [\"a:1\", 7, \"\", \"b:2\"]}}",
     "a:1",
     {"a:1", "b:2"}},
    {"{\"metadata\": {\"userInput\": \"registry:a:1\", \"tags\": [\"a:1\"], \"repoDigests\": "
     "[\"a@" DIGEST "\"]}}",
     "a:1",
     {"a:1"}},
    {"{\"metadata\": {\"tags\": [], \"repoDigests\": [\"a@" DIGEST "\"]}}", "", {"a@" DIGEST}},
    {"{\"metadata\": {\"tags\": \"a:1\", \"repoDigests\": {}}}", "", {0}},
};

static void test_names(void **state)
{
    for (size_t i = 0; i < KE_ARRAY_LEN(sources); i++) {
        char text[1000];
        snprintf(text, sizeof text, "{\"artifacts\": [], \"source\": %s}", sources[i].source);
        struct inventory *inv = with(text);
        size_t n = 0;
        while (n < 3 && sources[i].names[n])
            n++;
        assert_int_equal(inv->n_repo_tags, n);
        for (size_t j = 0; j < n; j++)
            assert_str(inv->repo_tags[j], str_z(sources[i].names[j]));
        assert_str(inv->asked, str_z(sources[i].asked));
        inventory_free(inv);
    }
}

#define PACKAGE(type, name, purl, path)                                                            \
    "{\"type\": \"" type "\", \"name\": \"" name "\", \"version\": \"1\", \"purl\": \"" purl       \
    "\", \"locations\": [{\"path\": \"" path "\"}]}"

/* Packages that are listed more than once; type, name and number of places of what they are. */
static const struct {
    const char *packages;
    struct {
        const char *type, *name;
        size_t places;
    } are[3];
} lists[] = {
    {PACKAGE("apk", "a", "", "/lib/apk/db/installed") "," PACKAGE(
         "apk", "b", "", "/lib/apk/db/installed") "," PACKAGE("apk", "a", "",
                                                              "/lib/apk/db/installed"),
     {{"apk", "a", 1}, {"apk", "b", 1}}},
    {PACKAGE("npm", "a", "pkg:npm/a@1", "/y/package.json") "," PACKAGE(
         "npm", "a", "pkg:npm/a@1", "/x/package.json") "," PACKAGE("npm", "a", "pkg:npm/a@1",
                                                                   "/y/package.json"),
     {{"npm", "a", 2}}},
    {PACKAGE("java-archive", "a", "pkg:maven/g/a@1",
             "/x.jar") "," PACKAGE("java-archive", "a", "pkg:maven/h/a@1", "/x.jar"),
     {{"java-archive", "a", 1}, {"java-archive", "a", 1}}},
    {PACKAGE("npm", "a", "", "/x") "," PACKAGE("gem", "a", "", "/x"),
     {{"gem", "a", 1}, {"npm", "a", 1}}},
};

static void test_listed_twice(void **state)
{
    for (size_t i = 0; i < KE_ARRAY_LEN(lists); i++) {
        char text[2000];
        size_t n = 0;
        snprintf(text, sizeof text, "{\"artifacts\": [%s]}", lists[i].packages);
        struct inventory *inv = with(text);
        for (; n < 3 && lists[i].are[n].type; n++) {
            assert_true(n < inv->n_packages);
            assert_string_equal(inv->packages[n].p.type->name, lists[i].are[n].type);
            assert_str(inv->packages[n].p.name, str_z(lists[i].are[n].name));
            assert_int_equal(inv->packages[n].n_evidence, lists[i].are[n].places);
            assert_str(inv->packages[n].p.path, inv->packages[n].evidence[0].path);
        }
        assert_int_equal(inv->n_packages, n);
        inventory_free(inv);
    }
}

/* type, licenses -> kept */
static const struct {
    const char *type, *licences, *kept;
} licences[] = {
    {"npm", "[\"MIT\", \"ISC\"]", "MIT\nISC"},
    {"gem", "[{\"value\": \"MIT OR ISC\", \"spdxExpression\": \"x\"}, {\"value\": \"Apache 2.0\"}]",
     "MIT OR ISC\nApache 2.0"},
    {"gem", "[{\"value\": \"\", \"spdxExpression\": \"ISC\"}, 7, {}]", "ISC"},
    {"deb", "[\"GPL-2\", {\"value\": \"MIT\"}]", "GPL-2 MIT"},
    {"deb", "\"MIT\"", ""},
};

static void test_licences(void **state)
{
    for (size_t i = 0; i < KE_ARRAY_LEN(licences); i++) {
        char text[1000];
        snprintf(text, sizeof text,
                 "{\"artifacts\": [{\"type\": \"%s\", \"name\": \"a\", \"version\": \"1\", "
                 "\"licenses\": %s}]}",
                 licences[i].type, licences[i].licences);
        struct inventory *inv = with(text);
        assert_int_equal(inv->n_packages, 1);
        assert_str(inv->packages[0].p.licence, str_z(licences[i].kept));
        inventory_free(inv);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_names),
        cmocka_unit_test(test_listed_twice),
        cmocka_unit_test(test_licences),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
