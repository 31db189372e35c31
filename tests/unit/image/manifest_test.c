/* Manifests, indexes, configurations and docker's list, well formed and not. */
#include "image/manifest.h"
#include "unit.h"

#define DIGEST  "sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
#define D(rest) "{\"digest\": \"" DIGEST "\"" rest "}"
#define CONFIG  "\"config\": " D("")

static struct arena arena;

static int setup(void **state)
{
    arena_init(&arena, 8 << 20);
    return 0;
}
static int teardown(void **state)
{
    arena_done(&arena);
    return 0;
}

static void test_manifests(void **state)
{
    static const struct {
        const char *json;
        int result;
        size_t items;
        const char *word; /* in the message */
    } cases[] = {
        {"{\"schemaVersion\": 2, " CONFIG ", \"layers\": []}", 0, 0, NULL},
        {"{" CONFIG ", \"layers\": [" D("") "," D(", \"size\": 5") "]}", 0, 2, NULL},
        {"{\"manifests\": [" D("") "]}", 0, 1, NULL},
        {"{\"manifests\": []}", 0, 0, NULL},
        {"{\"schemaVersion\": 1, \"fsLayers\": []}", ERR_UNSUPPORTED, 0, "schema 1"},
        {"{\"fsLayers\": [], \"layers\": []}", ERR_UNSUPPORTED, 0, "schema 1"},
        {"{\"config\": " D(
             ", \"mediaType\": \"application/vnd.cncf.helm.config.v1+json\"") ", \"layers\": []}",
         ERR_UNSUPPORTED, 0, "helm"},
        {"{\"layers\": []}", ERR_FORMAT, 0, "config"},
        {"{\"layers\": {}}", ERR_FORMAT, 0, "neither"},
        {"{\"manifests\": {}}", ERR_FORMAT, 0, "neither"},
        {"{\"config\": 5, \"layers\": []}", ERR_FORMAT, 0, "config"},
        {"{\"config\": {}, \"layers\": []}", ERR_FORMAT, 0, "config"},
        {"{" CONFIG ", \"layers\": [5]}", ERR_FORMAT, 0, "layer"},
        {"{" CONFIG ", \"layers\": [{\"digest\": 5}]}", ERR_FORMAT, 0, "layer"},
        {"{" CONFIG ", \"layers\": [{\"digest\": \"sha256:../../etc/passwd\"}]}", ERR_FORMAT, 0,
         "layer"},
        {"{\"manifests\": [{\"digest\": \"md5:00\"}]}", ERR_FORMAT, 0, "manifest"},
        {"[]", ERR_FORMAT, 0, "neither"},
        {"null", ERR_FORMAT, 0, "neither"},
        {"", ERR_FORMAT, 0, NULL},
        {"{", ERR_FORMAT, 0, NULL},
    };
    for (size_t i = 0; i < KE_ARRAY_LEN(cases); i++) {
        struct err e = {0};
        struct manifest m;
        int r = image_manifest_parse(str_z(cases[i].json), STR(""), "the manifest", &arena, &m, &e);
        bool refused = cases[i].result == ERR_FORMAT ? r == ERR_FORMAT || r == ERR_UNSUPPORTED
                                                     : r == cases[i].result;
        if (!refused || (r == 0 && m.n_items != cases[i].items) ||
            (cases[i].word && !strstr(e.text, cases[i].word)))
            fail_msg("%s: %d, %s", cases[i].json, r, e.text);
    }
}

static void test_descriptor(void **state)
{
    struct err e = {0};
    struct manifest m;
    assert_ok(image_manifest_parse(
        STR("{" CONFIG ", \"layers\": [" D(
            ", \"size\": 7, \"mediaType\": \"m\", \"urls\": [\"a\", 5, \"b\"],"
            "\"annotations\": {\"org.opencontainers.image.ref.name\": \"app:1\", "
            "\"io.containerd.image.name\": \"h.example/app:1\"},"
            "\"platform\": {\"os\": \"linux\", \"architecture\": \"arm\", \"variant\": "
            "\"v7\"}") "," D(", \"size\": -1, \"mediaType\": [], \"platform\": 3, "
                             "\"annotations\": []") "]}"),
        STR(""), "m", &arena, &m, &e));
    const struct descriptor *d = &m.items[0];
    assert_int_equal(d->size, 7);
    assert_str(d->digest, STR(DIGEST));
    assert_str(d->media_type, STR("m"));
    assert_str(d->ref_name, STR("app:1"));
    assert_str(d->image_name, STR("h.example/app:1"));
    assert_str(d->platform.os, STR("linux"));
    assert_str(d->platform.variant, STR("v7"));
    assert_true(str_starts(d->urls, STR("a\n")) && str_ends(d->urls, STR("\nb")));
    assert_int_equal(d[1].size, 0);
    assert_str(d[1].media_type, STR(""));
    assert_str(d[1].platform.os, STR(""));
}

static void test_counts(void **state)
{
    static const size_t counts[] = {MANIFEST_LAYERS_MAX, MANIFEST_LAYERS_MAX + 1};
    for (size_t i = 0; i < KE_ARRAY_LEN(counts); i++) {
        struct err e = {0};
        struct manifest m;
        auto_buf json;
        arena_done(&arena);
        buf_init(&json, 8 << 20);
        buf_add_str(&json, STR("{" CONFIG ", \"layers\": ["));
        for (size_t n = 0; n < counts[i]; n++)
            buf_addf(&json, "%s%s", n ? "," : "", D(""));
        buf_add_str(&json, STR("]}"));
        int r = image_manifest_parse(buf_view(&json), STR(""), "m", &arena, &m, &e);
        assert_int_equal(r, i ? ERR_LIMIT : 0);
    }
}

static void test_arena_full(void **state)
{
    struct err e = {0};
    struct arena small;
    struct manifest m;
    auto_buf json;
    buf_init(&json, 8 << 20);
    buf_add_str(&json, STR("{" CONFIG ", \"layers\": ["));
    for (size_t n = 0; n < 1000; n++)
        buf_addf(&json, "%s%s", n ? "," : "", D(""));
    buf_add_str(&json, STR("]}"));
    arena_init(&small, 100 << 10);
    assert_true(image_manifest_parse(buf_view(&json), STR(""), "m", &small, &m, &e) < 0);
    arena_done(&small);
}

#define P(os, arch, variant)                                                                       \
    D(", \"platform\": {\"os\": \"" os "\", \"architecture\": \"" arch                             \
      "\", \"variant\": \"" variant "\"}")

static void test_choice(void **state)
{
#define MIXED                                                                                      \
    P("linux", "amd64", "")                                                                        \
    "," P("linux", "arm", "v6") "," P("linux", "arm", "v7") "," P("unknown", "unknown", "") "," P( \
        "windows", "amd64", "")
    static const struct {
        const char *items, *want;
        bool asked;
        int index; /* chosen, or -1 */
    } cases[] = {
        {MIXED, "linux/amd64", true, 0},
        {MIXED, "linux/arm", true, 1},
        {MIXED, "linux/arm/v7", true, 2},
        {MIXED, "linux/arm/v5", true, -1},
        {MIXED, "linux/arm/v5", false, 1},
        {MIXED, "windows/amd64", true, 4},
        {MIXED, "linux/s390x", false, -1},
        {MIXED, "unknown/unknown", true, -1},
        {P("linux", "arm64", "v8"), "linux/amd64", false, 0},
        {P("linux", "arm64", "v8"), "linux/amd64", true, -1},
        {P("linux", "arm64", "v8"), "linux/arm64", true, 0},
        {D(""), "linux/amd64", true, 0},
        {D("") "," D(""), "linux/amd64", false, -1},
        {D(", \"annotations\": {\"vnd.docker.reference.type\": \"attestation-manifest\"}") "," D(
             ""),
         "linux/amd64", false, 1},
        {P("unknown", "unknown", ""), "linux/amd64", false, -1},
    };
    for (size_t i = 0; i < KE_ARRAY_LEN(cases); i++) {
        struct err e = {0};
        struct manifest m;
        struct platform want;
        const struct descriptor *chosen;
        auto_buf json;
        buf_init(&json, 1 << 20);
        buf_addf(&json, "{\"manifests\": [%s]}", cases[i].items);
        assert_ok(image_manifest_parse(buf_view(&json), STR(""), "m", &arena, &m, &e));
        assert_ok(platform_parse(str_z(cases[i].want), &want, &e));
        int r = manifest_choose(&m, &want, cases[i].asked, &chosen, &e);
        int got = r == 0 ? (int)(chosen - m.items) : -1;
        if (got != cases[i].index || (r < 0 && r != ERR_NOT_FOUND))
            fail_msg("case %zu: %d (%d, %s)", i, got, r, e.text);
    }
}

static void test_platforms(void **state)
{
    static const struct {
        const char *text, *os, *architecture, *variant; /* os NULL: refused */
    } cases[] = {
        {"linux/amd64", "linux", "amd64", ""},
        {"linux/arm/v7", "linux", "arm", "v7"},
        {"arm64", "linux", "arm64", ""},
        {"linux/x86_64", "linux", "amd64", ""},
        {"aarch64", "linux", "arm64", ""},
        {"", NULL, NULL, NULL},
        {"/", NULL, NULL, NULL},
        {"a/b/c/d", NULL, NULL, NULL},
        {"/amd64", NULL, NULL, NULL},
    };
    for (size_t i = 0; i < KE_ARRAY_LEN(cases); i++) {
        struct platform p;
        struct err e = {0};
        int r = platform_parse(str_z(cases[i].text), &p, &e);
        if (!cases[i].os) {
            assert_int_equal(r, ERR_USAGE);
            continue;
        }
        assert_ok(r);
        assert_str(p.os, str_z(cases[i].os));
        assert_str(p.architecture, str_z(cases[i].architecture));
        assert_str(p.variant, str_z(cases[i].variant));
    }
}

static void test_configs(void **state)
{
    static const struct {
        const char *json;
        int layers; /* -1: refused */
    } cases[] = {
        {"{\"rootfs\": {\"diff_ids\": []}}", 0},
        {"{\"rootfs\": {\"diff_ids\": [\"" DIGEST "\"]}}", 1},
        {"{\"os\": 5, \"architecture\": [], \"created\": {}, \"rootfs\": {\"diff_ids\": []}}", 0},
        {"{\"rootfs\": {\"diff_ids\": [\"sha256:1\"]}}", -1},
        {"{\"rootfs\": {\"diff_ids\": [null]}}", -1},
        {"{\"rootfs\": {\"diff_ids\": {}}}", -1},
        {"{\"rootfs\": []}", -1},
        {"{}", -1},
        {"7", -1},
        {"", -1},
    };
    for (size_t i = 0; i < KE_ARRAY_LEN(cases); i++) {
        struct err e = {0};
        struct image_config config;
        int r = image_config_parse(str_z(cases[i].json), &arena, &config, &e);
        if (cases[i].layers < 0 ? r >= 0 || !e.text[0]
                                : r != 0 || config.n_diff_ids != (size_t)cases[i].layers)
            fail_msg("%s: %d, %s", cases[i].json, r, e.text);
    }
}

static void test_saved(void **state)
{
    static const struct {
        const char *json;
        int images; /* -1: refused */
    } cases[] = {
        {"[{\"Config\": \"c\", \"RepoTags\": [\"a:1\"], \"Layers\": [\"l\"]}]", 1},
        {"[{\"Config\": \"c\", \"RepoTags\": null, \"Layers\": null}]", 1},
        {"[{\"Config\": \"c\"}, {\"Config\": \"d\"}]", 2},
        {"[{\"Config\": \"\"}]", -1},
        {"[{}]", -1},
        {"[7]", -1},
        {"[]", -1},
        {"{}", -1},
        {"[{\"Config\": \"c\", \"Layers\": [7]}]", -1},
        {"[{\"Config\": \"c\", \"RepoTags\": [{}]}]", -1},
        {"", -1},
    };
    for (size_t i = 0; i < KE_ARRAY_LEN(cases); i++) {
        struct err e = {0};
        struct saved_image *images;
        size_t n = 0;
        int r = saved_manifest_parse(str_z(cases[i].json), &arena, &images, &n, &e);
        if (cases[i].images < 0 ? r >= 0 || !strstr(e.text, "manifest.json")
                                : r != 0 || n != (size_t)cases[i].images)
            fail_msg("%s: %d, %s", cases[i].json, r, e.text);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_manifests, setup, teardown),
        cmocka_unit_test_setup_teardown(test_descriptor, setup, teardown),
        cmocka_unit_test_setup_teardown(test_counts, setup, teardown),
        cmocka_unit_test_setup_teardown(test_arena_full, setup, teardown),
        cmocka_unit_test_setup_teardown(test_choice, setup, teardown),
        cmocka_unit_test(test_platforms),
        cmocka_unit_test_setup_teardown(test_configs, setup, teardown),
        cmocka_unit_test_setup_teardown(test_saved, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
