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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
