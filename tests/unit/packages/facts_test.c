/* Facts: their encoding, and that nothing broken decodes. */
#include "unit.h"

#include "packages/catalogue.h"
#include "packages/facts_codec.h"

static void add_package(struct facts *f, const char *type, const char *name, const char *path)
{
    struct package *p = vec_push(&f->packages);
    assert_non_null(p);
    *p = (struct package){.type = package_type_find(str_z(type)),
                          .name = str_z(name),
                          .version = STR("1:2.3-4"),
                          .source_name = str_z(name),
                          .path = str_z(path)};
}

static void fill(struct facts *f)
{
    facts_init(f, 0);
    add_package(f, "deb", "bash", "var/lib/dpkg/status");
    add_package(f, "deb", "libc6", "var/lib/dpkg/status");
    add_package(f, "npm", "@a/b", "app/package.json");
    *(struct evidence_file *)vec_push(&f->files) =
        (struct evidence_file){STR("var/lib/dpkg/status"), "dpkg", 0, 2};
    *(struct evidence_file *)vec_push(&f->files) =
        (struct evidence_file){STR("app/empty.json"), "npm", 2, 0};
    *(struct evidence_file *)vec_push(&f->files) =
        (struct evidence_file){STR("app/package.json"), "npm", 2, 1};
    *(struct release_info *)vec_push(&f->releases) =
        (struct release_info){.path = STR("etc/os-release"), .id = STR("debian")};
    *(struct owned_path *)vec_push(&f->owned) =
        (struct owned_path){STR("app/package.json"), STR("bash")};
    *(struct stated_licence *)vec_push(&f->licences) =
        (struct stated_licence){STR("usr/share/doc/bash/copyright"), STR("GPL-3+")};
    *(struct problem *)vec_push(&f->problems) = (struct problem){STR(""), STR("limit"), STR("x")};
    *(str *)vec_push(&f->unsupported) = STR("cargo-lock");
}

static void test_round_trip(void **state)
{
    struct err e = {0};
    struct facts f, g;
    fill(&f);
    auto_buf first, second;
    buf_init(&first, 1 << 20);
    buf_init(&second, 1 << 20);
    facts_encode(&f, &first);
    facts_init(&g, 0);
    assert_ok(facts_decode(buf_view(&first), &g, &e));
    facts_encode(&g, &second);
    assert_str(buf_view(&second), buf_view(&first));

    assert_int_equal(g.packages.n, 3);
    assert_str(g.packages.p[2].name, STR("@a/b"));
    assert_ptr_equal(g.packages.p[2].type, package_type_find(STR("npm")));
    assert_str(g.packages.p[0].version, STR("1:2.3-4"));
    assert_str(g.packages.p[0].arch, STR(""));
    assert_int_equal(g.files.n, 3);
    assert_int_equal(g.files.p[2].first_package, 2);
    assert_string_equal(g.files.p[0].cataloguer, "dpkg");
    assert_str(g.releases.p[0].id, STR("debian"));
    assert_str(g.owned.p[0].owner, STR("bash"));
    assert_str(g.licences.p[0].licence, STR("GPL-3+"));
    assert_str(g.problems.p[0].what, STR("limit"));
    assert_str(g.unsupported.p[0], STR("cargo-lock"));
    facts_done(&f);
    facts_done(&g);
}

/* Every prefix is refused, and no changed byte does more harm than to be refused. */
static void test_damage(void **state)
{
    struct facts f;
    fill(&f);
    auto_buf whole;
    buf_init(&whole, 1 << 20);
    facts_encode(&f, &whole);
    facts_done(&f);
    for (size_t n = 0; n < whole.n; n++) {
        autofree char *part = malloc(n + 1);
        memcpy(part, whole.p, n);
        facts_init(&f, 0);
        assert_true(facts_decode((str){part, n}, &f, NULL) < 0);
        facts_done(&f);
    }
    for (size_t i = 0; i < whole.n; i++)
        for (int bit = 0; bit < 8; bit++) {
            whole.p[i] ^= (char)(1 << bit);
            facts_init(&f, 0);
            int r = facts_decode(buf_view(&whole), &f, NULL);
            assert_true(r <= 0);
            facts_done(&f);
            whole.p[i] ^= (char)(1 << bit);
        }
    buf_add_char(&whole, 0); /* something after the end */
    facts_init(&f, 0);
    assert_int_equal(facts_decode(buf_view(&whole), &f, NULL), ERR_FORMAT);
    facts_done(&f);
}

static void test_decode_limits(void **state)
{
    struct err e = {0};
    struct facts f;
    fill(&f);
    auto_buf whole;
    buf_init(&whole, 1 << 20);
    facts_encode(&f, &whole);
    facts_done(&f);
    facts_init(&f, 64);
    assert_int_equal(facts_decode(buf_view(&whole), &f, &e), ERR_LIMIT);
    facts_done(&f);
    /* more strings than any file holds, behind the right head */
    auto_buf huge;
    buf_init(&huge, 100);
    buf_add(&huge, whole.p, 4);
    buf_add_str(&huge, STR("\xff\xff\xff\xff\xff\xff\xff\xff\x7f"));
    facts_init(&f, 0);
    assert_int_equal(facts_decode(buf_view(&huge), &f, &e), ERR_FORMAT);
    facts_done(&f);
    whole.p[3]++;
    facts_init(&f, 0);
    assert_int_equal(facts_decode(buf_view(&whole), &f, &e), ERR_UNSUPPORTED);
    facts_done(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_round_trip),
        cmocka_unit_test(test_damage),
        cmocka_unit_test(test_decode_limits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
