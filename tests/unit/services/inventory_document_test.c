/* An image's inventory as a document: all of it comes back, and nothing broken is read. */
#include "unit.h"

#include "services/inventory_document.h"

static const struct evidence bash_evidence[] = {
    {STR_INIT("var/lib/dpkg/status"), 0},
    {STR_INIT("var/lib/dpkg/status.d/bash"), 2},
};

static void fill(struct inventory *inv)
{
    static struct inv_package packages[2];
    static struct inv_problem problems[1];
    static const str tags[] = {STR_INIT("a:1")}, unsupported[] = {STR_INIT("cargo-lock")};
    static const struct layer_ref layers[] = {
        {STR_INIT("sha256:1"), STR_INIT(""), STR_INIT("t"), 7},
        {STR_INIT("sha256:2"), STR_INIT("sha256:3"), STR_INIT("t"), (uint64_t)1 << 40},
    };
    packages[0] = (struct inv_package){
        .p = {.type = package_type_find(STR("deb")),
              .name = STR("bash"),
              .version = STR("1:5.2-1"),
              .arch = STR("amd64"),
              .source_name = STR("bash"),
              .path = STR("var/lib/dpkg/status")},
        .purl = STR("pkg:deb/debian/bash@5.2-1"),
        .evidence = bash_evidence,
        .n_evidence = 2,
    };
    packages[1] = (struct inv_package){
        .p = {.type = package_type_find(STR("npm")), .name = STR("x"), .licence = STR("MIT")},
        .owner = STR("bash"),
    };
    problems[0] = (struct inv_problem){STR("p"), STR("parse"), STR("why"), -1};
    *inv = (struct inventory){
        .source_kind = STR("registry"),
        .source = STR("a:1"),
        .manifest_digest = STR("sha256:aa"),
        .os = STR("linux"),
        .repo_tags = tags,
        .n_repo_tags = 1,
        .layers = layers,
        .n_layers = 2,
        .release = {.id = STR("debian"), .version_id = STR("12"), .codename = STR("bookworm")},
        .packages = packages,
        .n_packages = 2,
        .problems = problems,
        .n_problems = 1,
        .unsupported = unsupported,
        .n_unsupported = 1,
    };
}

static void test_round_trip(void **state)
{
    struct err e = {0};
    struct inventory inv, *back = NULL;
    fill(&inv);
    auto_buf first, second;
    buf_init(&first, 1 << 20);
    buf_init(&second, 1 << 20);
    assert_ok(inventory_document_write(&inv, &first, &e));
    assert_ok(inventory_document_read(buf_view(&first), &back, &e));
    assert_ok(inventory_document_write(back, &second, &e));
    assert_str(buf_view(&second), buf_view(&first));

    assert_str(back->source_kind, STR("registry"));
    assert_str(back->release.codename, STR("bookworm"));
    assert_int_equal(back->n_layers, 2);
    assert_int_equal(back->layers[1].size, (uint64_t)1 << 40);
    assert_str(back->repo_tags[0], STR("a:1"));
    assert_int_equal(back->n_packages, 2);
    assert_ptr_equal(back->packages[0].p.type, package_type_find(STR("deb")));
    assert_str(back->packages[0].p.version, STR("1:5.2-1"));
    assert_int_equal(back->packages[0].n_evidence, 2);
    assert_int_equal(back->packages[0].evidence[1].layer, 2);
    assert_str(back->packages[1].owner, STR("bash"));
    assert_int_equal(back->problems[0].layer, -1);
    assert_str(back->unsupported[0], STR("cargo-lock"));
    inventory_free(back);
}

static void test_broken(void **state)
{
    struct err e = {0};
    struct inventory inv, *back = NULL;
    fill(&inv);
    auto_buf bytes;
    buf_init(&bytes, 1 << 20);
    assert_ok(inventory_document_write(&inv, &bytes, &e));
    for (size_t n = 0; n < bytes.n; n++)
        assert_true(inventory_document_read((str){bytes.p, n}, &back, &e) < 0);
    for (size_t i = 0; i < bytes.n; i++)
        for (int flip = 1; flip < 256; flip <<= 1) {
            bytes.p[i] = (char)(bytes.p[i] ^ flip);
            if (inventory_document_read(buf_view(&bytes), &back, &e) == 0)
                inventory_free(back);
            bytes.p[i] = (char)(bytes.p[i] ^ flip);
        }
    bytes.p[3]++;
    assert_int_equal(inventory_document_read(buf_view(&bytes), &back, &e), ERR_UNSUPPORTED);
    struct buf small;
    buf_init(&small, 20);
    assert_int_equal(inventory_document_write(&inv, &small, &e), ERR_LIMIT);
    buf_done(&small);
}

/* As earlier builds wrote it. */
static void test_table_of_strings(void **state)
{
    static const char bytes[] = "KLI\x02\x02\x06\x03"
                                "debianpkg"
                                "\0\0\0\0\0\0\0\0\0\0\x01\0\0\0\0\0\0\0"
                                "\x01\x02\0\0\0\0";
    struct err e = {0};
    struct inventory *back = NULL;
    assert_ok(inventory_document_read((str){bytes, sizeof bytes - 1}, &back, &e));
    assert_str(back->release.id, STR("debian"));
    assert_int_equal(back->n_repo_tags, 1);
    assert_str(back->repo_tags[0], STR("pkg"));
    inventory_free(back);
    for (size_t n = 0; n + 1 < sizeof bytes; n++)
        assert_true(inventory_document_read((str){bytes, n}, &back, &e) < 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_round_trip),
        cmocka_unit_test(test_broken),
        cmocka_unit_test(test_table_of_strings),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
