/* What is kept of an analysed image, compared with what the original kept of the same images. */
#include "unit.h"

#include "services/analyzer/analysis.h"
#include "services/analyzer/cpes.h"

static void load_settings(struct analyzer_settings **out)
{
    struct err e = {0};
    struct config c = {.hints_enabled = true};
    assert_ok(analyzer_settings_load(&c, out, &e));
}

static char *words(const char *text)
{
    return strdup(text);
}

static void test_default_settings(void **state)
{
    struct analyzer_settings *s = NULL;
    load_settings(&s);
    assert_int_equal(s->n_secrets, 5);
    assert_int_equal(s->facts.n_rules, 5);
    assert_int_equal(s->n_retrieve, 1);
    assert_str(s->facts.retrieve[0], STR("/etc/passwd"));
    assert_str(s->facts.retrieve[1], STR(HINTS_FILE));
    analyzer_settings_free(s);
}

static void settings_of(const char *yaml, int want)
{
    struct analyzer_settings *s = NULL;
    struct err e = {0};
    char path[] = "/tmp/kellet-settings-XXXXXX";
    int fd = mkstemp(path);
    assert_int_equal(write(fd, yaml, strlen(yaml)), (ssize_t)strlen(yaml));
    close(fd);
    struct config c = {.analyzer_config = path};
    int rc = analyzer_settings_load(&c, &s, &e);
    unlink(path);
    if (rc != want)
        fail_msg("%s: %d: %s", yaml, rc, e.text);
    if (rc == 0)
        analyzer_settings_free(s);
}

static void test_settings(void **state)
{
    settings_of("retrieve_files: {file_list: ['/a', '/b'], max_file_size_kb: 1}\n", 0);
    settings_of("content_search: {regexp_match: ['A=.*b'], match_params: ['MAXFILESIZE=5']}\n", 0);
    settings_of("content_search: {regexp_match: ['nothing']}\n", ERR_USAGE);
    settings_of("content_search: {regexp_match: ['A=(']}\n", ERR_USAGE);
    settings_of("retrieve_files: {file_list: ['relative']}\n", ERR_USAGE);
}

/* ---- against the original ----------------------------------------------------------------------
 */

static const char *golden;

static yyjson_doc *golden_document(const char *image, const char *file)
{
    char path[300];
    struct err e = {0};
    yyjson_doc *doc = NULL;
    auto_buf text;
    buf_init(&text, 64 << 20);
    snprintf(path, sizeof path, "data/api/golden/%s/%s", image, file);
    const char *full = shared_path(path);
    assert_non_null(full);
    assert_ok(fs_read(full, &text, &e));
    assert_ok(json_parse(buf_view(&text), file, &doc, &e));
    return doc;
}

static void show(const char *what, const char *type, yyjson_val *v)
{
    char *text = v ? yyjson_val_write(v, 0, NULL) : words("nothing");
    printf("%s %s %s: %.600s\n", golden, type, what, text);
    free(text);
}

/* Differences of two lists, element by element. */
static size_t compare_lists(const char *type, yyjson_val *want, yyjson_val *got)
{
    size_t n = yyjson_arr_size(want), m = yyjson_arr_size(got), different = 0;
    for (size_t i = 0; i < n || i < m; i++) {
        yyjson_val *a = yyjson_arr_get(want, i), *b = yyjson_arr_get(got, i);
        if (a && b && yyjson_equals(a, b))
            continue;
        if (different++ < 3) {
            show("want", type, a);
            show("got ", type, b);
        }
    }
    return different;
}

static size_t compare(const struct analysis *s, const char *image, const char *file,
                      const char *type, const char *member)
{
    struct err e = {0};
    auto_json *want = golden_document(image, file), *got = NULL;
    assert_ok(json_parse(analysis_document(s, type), type, &got, &e));
    yyjson_val *a = yyjson_doc_get_root(want), *b = yyjson_doc_get_root(got);
    if (!member)
        return compare_lists(type, a, b);
    if (!yyjson_is_arr(json_get(a, member))) {
        bool same = yyjson_equals(json_get(a, member), json_get(b, member));
        if (!same) {
            show("want", type, a);
            show("got ", type, b);
        }
        return !same;
    }
    return compare_lists(type, json_get(a, member), json_get(b, member));
}

static struct analysis *analyse(const char *source, const char *digest, struct inventory **inv)
{
    struct err e = {0};
    struct analyzer_settings *settings = NULL;
    struct analysis *s = NULL;
    load_settings(&settings);
    struct scan_options o = {.source = source, .facts = &settings->facts, .no_confine = true};
    assert_ok(inventory_scan(&o, inv, &e));
    struct analysis_input in = {.digest = str_z(digest), .inv = *inv, .settings = settings};
    assert_ok(analysis_make(&in, &s, &e));
    analyzer_settings_free(settings);
    return s;
}

static void against_original(const char *image, int64_t size)
{
    char source[5000], path[100], digest[100];
    snprintf(path, sizeof path, "data/images/oci/%s", image);
    const char *full = shared_path(path);
    if (!full) {
        skip_without_shared(path);
        return;
    }
    struct inventory *inv = NULL;
    snprintf(source, sizeof source, "oci-dir:%s", full);
    auto_json *doc = golden_document(image, "content_os.json");
    str d = json_str(yyjson_doc_get_root(doc), "imageDigest");
    snprintf(digest, sizeof digest, "%.*s", STR_ARG(d));
    golden = image;
    struct analysis *s = analyse(source, digest, &inv);
    assert_int_equal(compare(s, image, "content_os.json", "os", "content"), 0);
    assert_int_equal(compare(s, image, "content_files.json", "files", "content"), 0);
    assert_int_equal(compare(s, image, "content_npm.json", "npm", "content"), 0);
    assert_int_equal(
        compare(s, image, "metadata_docker_history.json", "docker_history", "metadata"), 0);
    assert_int_equal(compare(s, image, "metadata_dockerfile.json", "dockerfile", "metadata"), 0);
    assert_int_equal(compare(s, image, "artifacts_secret_search.json", "secret_search", NULL), 0);
    assert_str(s->dockerfile_mode, STR("Guessed"));
    assert_int_equal(s->size, size);
    analysis_free(s);
    inventory_free(inv);
}

static void test_alpine_310(void **state)
{
    against_original("alpine-3.10", 6338560);
}

static void test_alpine_318(void **state)
{
    against_original("alpine-3.18", 8192000);
}

/* A Python package that the distro's package manager installed is listed only when asked for. */
static void test_owned(void **state)
{
    for (int left_out = 0; left_out < 2; left_out++) {
        struct err e = {0};
        struct analyzer_settings settings = {.owned_left_out = left_out};
        struct inv_package packages[3] = {
            {.p = {.type = package_type_find(STR("python")),
                   .name = STR("theirs"),
                   .version = STR("1"),
                   .path = STR("a")},
             .owner = STR("python3-theirs")},
            {.p = {.type = package_type_find(STR("python")),
                   .name = STR("ours"),
                   .version = STR("2"),
                   .path = STR("b")}},
        };
        struct inventory inv = {.packages = packages, .n_packages = 2};
        struct analysis_input in = {.digest = STR("sha256:1"), .inv = &inv, .settings = &settings};
        struct analysis *s = NULL;
        arena_init(&inv.arena, 1 << 20);
        assert_ok(analysis_make(&in, &s, &e));
        str list = analysis_document(s, "python");
        assert_true(str_contains(list, STR("\"ours\"")));
        assert_int_equal(str_contains(list, STR("\"theirs\"")), !left_out);
        analysis_free(s);
        arena_done(&inv.arena);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_default_settings),
        cmocka_unit_test(test_settings),
        cmocka_unit_test(test_alpine_310),
        cmocka_unit_test(test_alpine_318),
        cmocka_unit_test(test_owned),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
