/* Chisel's manifest: compressed lines of JSON. */
#include "listing.h"

#include <zstd.h>

static const char manifest[] =
    "{\"jsonwall\":\"1.0\",\"schema\":\"1.0\",\"count\":6}\n"
    "{\"kind\":\"content\",\"slice\":\"python3-six_all\",\"path\":\"/usr/lib/six.egg-info/"
    "PKG-INFO\"}\n"
    "{\"kind\":\"package\",\"name\":\"libc6\",\"version\":\"2.39-0ubuntu8\",\"sha256\":\"00\","
    "\"arch\":\"amd64\"}\n"
    "{\"kind\":\"package\",\"name\":\"openssl\",\"version\":\"3.0.13-0ubuntu3\",\"sha256\":\"00\","
    "\"arch\":\"amd64\"}\n"
    "{\"kind\":\"path\",\"path\":\"/etc/ssl/\",\"mode\":\"0755\",\"slices\":[\"openssl_config\"]}\n"
    "{\"kind\":\"slice\",\"name\":\"openssl_config\"}\n";

static void compressed(str text, struct buf *out)
{
    buf_init(out, 1 << 20);
    size_t room = ZSTD_compressBound(text.n);
    char *to = buf_reserve(out, room);
    out->n = ZSTD_compress(to, room, text.p, text.n, 3);
    assert_false(ZSTD_isError(out->n));
}

static void test_manifest(void **state)
{
    auto_buf wall;
    compressed(str_z(manifest), &wall);
    struct facts f;
    listing_facts("var/lib/chisel/manifest.wall", buf_view(&wall), &f);
    assert_int_equal(f.packages.n, 2);
    assert_string_equal(f.packages.p[0].type->name, "deb");
    assert_str(f.packages.p[0].name, STR("libc6"));
    assert_str(f.packages.p[1].version, STR("3.0.13-0ubuntu3"));
    assert_str(f.packages.p[1].arch, STR("amd64"));
    assert_int_equal(f.owned.n, 1);
    assert_str(f.owned.p[0].owner, STR("python3-six"));
    assert_int_equal(f.problems.n, 0);
    facts_done(&f);
}

/* Lines gone or broken are told, and the rest is listed. */
static void test_broken(void **state)
{
    static const struct {
        const char *text;
        size_t packages;
    } rows[] = {
        {"{\"jsonwall\":\"1.0\",\"count\":3}\n{\"kind\":\"package\",\"name\":\"a\",\"version\":"
         "\"1\"}\n",
         1},
        {"{\"jsonwall\":\"1.0\",\"count\":3}\n{\"kind\":\"package\",\"name\":\"a\"}\n"
         "{\"kind\":\"package\",\"name\":\"b\",\"version\":\"1\"}\n",
         1},
        {"{\"jsonwall\":\"1.0\",\"count\":3}\nnonsense\n"
         "{\"kind\":\"package\",\"name\":\"b\",\"version\":\"1\"}\n",
         1},
        {"{\"kind\":\"package\",\"name\":\"b\",\"version\":\"1\"}\n", 1},
        {"[1]\n", 0},
    };
    for (size_t i = 0; i < KE_ARRAY_LEN(rows); i++) {
        auto_buf wall;
        compressed(str_z(rows[i].text), &wall);
        struct facts f;
        listing_facts("opt/manifest.wall", buf_view(&wall), &f);
        assert_int_equal(f.packages.n, rows[i].packages);
        assert_int_equal(f.problems.n, 1);
        facts_done(&f);
    }
    struct facts f;
    listing_facts("manifest.wall", STR("plain text"), &f);
    assert_int_equal(f.problems.n, 1);
    facts_done(&f);
}

static void test_cut_anywhere(void **state)
{
    auto_buf wall;
    compressed(str_z(manifest), &wall);
    for (size_t n = 0; n < wall.n; n++) {
        autofree char *part = malloc(n + 1);
        memcpy(part, wall.p, n);
        struct facts f;
        listing_facts("var/lib/chisel/manifest.wall", (str){part, n}, &f);
        assert_int_equal(f.problems.n, 1);
        facts_done(&f);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_manifest),
        cmocka_unit_test(test_broken),
        cmocka_unit_test(test_cut_anywhere),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
