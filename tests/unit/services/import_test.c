/* Archives and reports of the original's analyzer; whole images are in tests/e2e. */
#include "unit.h"

#include "services/analyzer/analysis.h"
#include "services/import_analysis.h"
#include "services/import_archive.h"

#define DIGEST "sha256:1111111111111111111111111111111111111111111111111111111111111111"

static const char *const wrong_documents[] = {
    "null",
    "[]",
    "{}",
    "[{}]",
    "[1]",
    "[{\"image\": {}}]",
    "{\"document\": [{\"image\": []}]}",
    "[{\"image\": {\"imagedata\": {\"analysis_report\": []}}}]",
};

static int read_text(const char *text, const char *manifest, struct import_analysis *out,
                     struct err *e)
{
    auto_json *doc = NULL;
    assert_int_equal(json_parse(str_z(text), "test", &doc, e), 0);
    return import_analysis_read(yyjson_doc_get_root(doc), str_z(manifest), STR(DIGEST), STR("id"),
                                out, e);
}

static void test_no_analysis(void **state)
{
    for (size_t i = 0; i < KE_ARRAY_LEN(wrong_documents); i++) {
        struct import_analysis a;
        struct err e = {0};
        if (read_text(wrong_documents[i], "", &a, &e) != ERR_FORMAT)
            fail_msg("%s", wrong_documents[i]);
        import_analysis_done(&a);
    }
}

static void with_report(const char *report, struct import_analysis *out)
{
    char text[4000];
    struct err e = {0};
    snprintf(text, sizeof text,
             "[{\"image\": {\"imagedata\": {\"analysis_report\": {%s}, \"image_report\": {}}}}]",
             report);
    assert_ok(read_text(text, "", out, &e));
}

/* report of package_list -> the one package */
static const struct {
    const char *list, *entry, *type, *name, *version, *source, *source_version, *group, *size,
        *path;
} packages[] = {
    {"pkgs.allinfo",
     "\"a\": {\"type\": \"dpkg\", \"version\": \"1:2-3\", \"release\": \"N/A\", "
     "\"size\": \"4000\", \"sourcepkg\": \"a\"}",
     "deb", "a", "1:2-3", "a", "", "", "4", ""},
    {"pkgs.allinfo",
     "\"a\": \"{\\\"type\\\": \\\"APKG\\\", \\\"version\\\": \\\"1\\\", "
     "\\\"release\\\": \\\"r2\\\", \\\"sourcepkg\\\": \\\"N/A\\\", \\\"size\\\": 7}\"",
     "apk", "a", "1-r2", "", "", "", "7", ""},
    {"pkgs.allinfo",
     "\"a\": {\"type\": \"rpm\", \"version\": \"1:2\", \"release\": \"3\", "
     "\"sourcepkg\": \"x-y-2-3.src.rpm\"}",
     "rpm", "a", "1:2-3", "x-y", "2-3", "", "", ""},
    {"pkgs.allinfo", "\"a\": {\"type\": \"rpm\", \"version\": \"2\", \"sourcepkg\": \"x.src.rpm\"}",
     "rpm", "a", "2", "", "", "", "", ""},
    {"pkgs.npms", "\"/x/package.json\": {\"name\": \"n\", \"versions\": [\"1\", \"2\"]}", "npm",
     "n", "1", "", "", "", "", "x/package.json"},
    {"pkgs.java",
     "\"/a.war:b.jar\": {\"name\": \"n\", \"maven-version\": \"N/A\", "
     "\"implementation-version\": \"3\", \"location\": \"/a.war:b.jar\", \"metadata\": "
     "{\"pom.properties\": \"groupId=g.h\\nversion=3\"}}",
     "java-archive", "n", "3", "", "", "g.h", "", "a.war:b.jar"},
    {"pkgs.java",
     "\"/a.hpi\": {\"name\": \"n\", \"type\": \"java-hpi\", "
     "\"specification-version\": \"4\"}",
     "jenkins-plugin", "n", "4", "", "", "", "", "a.hpi"},
};

static void test_packages(void **state)
{
    for (size_t i = 0; i < KE_ARRAY_LEN(packages); i++) {
        char report[2000];
        struct import_analysis a;
        snprintf(report, sizeof report, "\"package_list\": {\"%s\": {\"base\": {%s}}}",
                 packages[i].list, packages[i].entry);
        with_report(report, &a);
        assert_int_equal(a.inv->n_packages, 1);
        const struct package *p = &a.inv->packages[0].p;
        assert_str(str_z(p->type->name), str_z(packages[i].type));
        assert_str(p->name, str_z(packages[i].name));
        assert_str(p->version, str_z(packages[i].version));
        assert_str(p->source_name, str_z(packages[i].source));
        assert_str(p->source_version, str_z(packages[i].source_version));
        assert_str(p->group, str_z(packages[i].group));
        assert_str(p->size, str_z(packages[i].size));
        assert_str(p->path, str_z(packages[i].path));
        assert_int_equal(a.inv->n_problems, 0);
        import_analysis_done(&a);
    }
}

static void test_at_two_places(void **state)
{
    struct import_analysis a;
    with_report("\"package_list\": {\"pkgs.npms\": {\"base\": {"
                "\"/y/package.json\": {\"name\": \"n\", \"versions\": [\"1\"]}, "
                "\"/x/package.json\": {\"name\": \"n\", \"versions\": [\"1\"]}, "
                "\"/z/package.json\": {\"name\": \"n\", \"versions\": [\"2\"]}}}}",
                &a);
    assert_int_equal(a.inv->n_packages, 2);
    assert_int_equal(a.inv->packages[0].n_evidence, 2);
    assert_str(a.inv->packages[0].p.path, STR("x/package.json"));
    assert_str(a.inv->packages[0].evidence[1].path, STR("y/package.json"));
    import_analysis_done(&a);
}

/* What can't be read is one problem of the image, with its number. */
static void test_odd_entries(void **state)
{
    struct import_analysis a;
    with_report(
        "\"package_list\": {\"pkgs.allinfo\": {\"base\": {\"a\": \"\", \"b\": 5, \"c\": {}}}, "
        "\"pkgs.gems\": {\"base\": {\"/g\": {\"name\": \"N/A\"}}}}, "
        "\"file_list\": {\"files.allinfo\": {\"base\": {\"/x\": \"[]\"}}}, "
        "\"retrieve_files\": {\"file_content.all\": {\"base\": {\"/y\": \"AA==\"}}}, "
        "\"malware\": {\"malware\": {\"base\": {\"clamav\": \"none\"}}}",
        &a);
    assert_int_equal(a.inv->n_packages, 0);
    assert_int_equal(a.inv->n_problems, 1);
    assert_true(str_starts(a.inv->problems[0].detail, STR("7 entries")));
    assert_null(a.malware.p);
    import_analysis_done(&a);
}

static void test_files(void **state)
{
    struct import_analysis a;
    with_report(
        "\"file_list\": {\"files.allinfo\": {\"base\": {\"/a\": {\"type\": \"file\", \"mode\": "
        "35309, \"size\": 3, \"uid\": 1, \"gid\": 2}, \"/.\": {\"type\": \"dir\"}}}}, "
        "\"file_checksums\": {\"files.sha256sums\": {\"base\": {\"/a\": \"11\", \"/.\": "
        "\"DIRECTORY_OR_OTHER\"}}}, "
        /* A=x; B=y */
        "\"secret_search\": {\"regexp_matches.all\": {\"base\": {\"/a\": {\"QT14\": [3, 1]}}}}, "
        "\"content_search\": {\"regexp_matches.all\": {\"base\": {\"/a\": {\"Qj15\": [2, -1, "
        "\"x\"], \"*\": [9]}}}}",
        &a);
    assert_int_equal(a.inv->n_files, 2);
    const struct image_file *f = &a.inv->files[0];
    assert_str(f->path, STR("a"));
    assert_int_equal(f->mode, 04755);
    assert_false(f->has_digest);
    assert_str(a.inv->files[1].path, STR(""));
    assert_int_equal(a.settings.facts.n_rules, 2);
    assert_int_equal(a.settings.n_secrets, 1);
    assert_str(a.settings.facts.rules[1].name, STR("B"));
    assert_str(a.settings.facts.rules[1].pattern, STR("y"));
    assert_int_equal(f->n_matches, 3);
    assert_int_equal(f->matches[0].line, 1);
    assert_int_equal(f->matches[1].line, 3);
    assert_int_equal(f->matches[2].rule, 1);
    import_analysis_done(&a);
}

static void test_layers(void **state)
{
    struct import_analysis a;
    struct err e = {0};
    const char *text = "[{\"image\": {\"imagedata\": {\"analysis_report\": {}, \"image_report\": "
                       "{\"layers\": [\"sha256:aa\"], \"docker_history\": 5}}}}]";
    assert_ok(read_text(text, "{\"layers\": [{\"size\": 9, \"digest\": \"z\"}, {}]}", &a, &e));
    assert_int_equal(a.inv->n_layers, 1);
    assert_str(a.inv->layers[0].digest, STR("sha256:aa"));
    assert_int_equal(a.inv->layers[0].size, 9);
    import_analysis_done(&a);
    assert_int_equal(read_text(text, "{", &a, &e), ERR_FORMAT);
    import_analysis_done(&a);
}

static void test_no_archive(void **state)
{
    static const char *const texts[] = {"", "x", "\x1f\x8b", "\x1f\x8b\x08\x00\x00\x00"};
    for (size_t i = 0; i < KE_ARRAY_LEN(texts); i++) {
        struct import_archive *a = NULL;
        struct err e = {0};
        assert_int_equal(import_archive_read(str_z(texts[i]), &a, &e), ERR_FORMAT);
        assert_null(a);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_no_analysis), cmocka_unit_test(test_packages),
        cmocka_unit_test(test_odd_entries), cmocka_unit_test(test_at_two_places),
        cmocka_unit_test(test_files),       cmocka_unit_test(test_layers),
        cmocka_unit_test(test_no_archive),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
