/* Facts of several layers as one inventory: licences and owners that come from another layer. */
#include "listing.h"

#include "packages/squash.h"

enum { FILES_MAX = 5 };

static const struct cat_test_file layers[][FILES_MAX] = {
    {
        {STR_INIT("etc/os-release"), STR_INIT("ID=debian\n")},
        {STR_INIT("usr/share/doc/six/copyright"), STR_INIT("Format: x\nLicense: MIT\n")},
        {STR_INIT("usr/lib/python3/dist-packages/six.dist-info/METADATA"),
         STR_INIT("Metadata-Version: 2.1\nName: six\nVersion: 1.16\nLicense: BSD\n")},
        /* once as the distribution's and once beside it */
        {STR_INIT("usr/lib/python3/dist-packages/wheel.dist-info/METADATA"),
         STR_INIT("Metadata-Version: 2.1\nName: wheel\nVersion: 1\n")},
        {STR_INIT("usr/local/lib/python3/site-packages/wheel.dist-info/METADATA"),
         STR_INIT("Metadata-Version: 2.1\nName: wheel\nVersion: 1\n")},
    },
    {
        {STR_INIT("var/lib/dpkg/status"),
         STR_INIT("Package: six\nStatus: install ok installed\nVersion: 1.16-4\n\n"
                  "Package: tar\nStatus: install ok installed\nVersion: 1\n\n")},
        {STR_INIT("var/lib/dpkg/info/six.list"),
         STR_INIT("/usr/lib/python3/dist-packages/six.dist-info/METADATA\n"
                  "/usr/lib/python3/dist-packages/wheel.dist-info/METADATA\n")},
        {STR_INIT("var/lib/dpkg/info/removed.list"),
         STR_INIT("/usr/lib/python3/dist-packages/six.dist-info/METADATA\n")},
        {STR_INIT("etc/debian_version"), STR_INIT("13.1\n")},
    },
};

static void test_layers(void **state)
{
    struct err e = {0};
    struct squash_layer squashed[KE_ARRAY_LEN(layers)] = {0};
    for (size_t l = 0; l < KE_ARRAY_LEN(layers); l++) {
        size_t n = 0;
        while (n < FILES_MAX && layers[l][n].path.n)
            n++;
        assert_ok(catalogue_files(layers[l], n, &squashed[l].facts, &e));
    }
    struct alias_list no_aliases = {0};
    struct inventory inv = {0};
    arena_init(&inv.arena, 1 << 20);
    assert_ok(squash_layers(squashed, KE_ARRAY_LEN(layers), &no_aliases, &inv, &e));
    for (size_t l = 0; l < KE_ARRAY_LEN(layers); l++)
        facts_done(&squashed[l].facts);

    assert_int_equal(inv.n_packages, 4);
    assert_str(inv.packages[0].p.name, STR("six"));
    assert_str(inv.packages[0].p.licence, STR("MIT"));
    assert_str(inv.packages[0].owner, STR(""));
    assert_str(inv.packages[1].p.name, STR("tar"));
    assert_str(inv.packages[1].p.licence, STR(""));
    assert_string_equal(inv.packages[2].p.type->name, "python");
    assert_str(inv.packages[2].p.licence, STR("BSD"));
    assert_str(inv.packages[2].owner, STR("six"));
    assert_str(inv.packages[3].p.name, STR("wheel"));
    assert_int_equal(inv.packages[3].n_evidence, 2);
    assert_str(inv.packages[3].owner, STR(""));
    assert_str(inv.release.id, STR("debian"));
    assert_str(inv.release.version_id, STR("13.1"));
    assert_str(inv.packages[1].purl, STR("pkg:deb/debian/tar@1?distro=debian-13.1"));
    arena_done(&inv.arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_layers)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
