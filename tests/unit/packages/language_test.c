/* Text metadata of npm, Python and Ruby packages: one file, what is found in it. */
#include "unit.h"

#include "facts_text.h"
#include "zip_build.h"

struct row {
    const char *path, *content, *want;
};

static void check(const struct row *rows, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        auto_buf got;
        buf_init(&got, 1 << 16);
        facts_text_of(rows[i].path, str_z(rows[i].content), 0, &got);
        if (!str_eq(buf_view(&got), str_z(rows[i].want)))
            fail_msg("row %zu, %s: got \"%s\", want \"%s\"", i, rows[i].path, buf_z(&got),
                     rows[i].want);
    }
}

static void npm(void **state)
{
    static const struct row rows[] = {
        {"app/node_modules/left/package.json",
         "{\"name\": \"left\", \"version\": \"1.3.0\", \"license\": \"MIT\"}", "left 1.3.0 [MIT]"},
        {"n/node_modules/@s/p/package.json", "{\"name\":\"@s/p\",\"version\":\"1.0.0-rc.1+b\"}",
         "@s/p 1.0.0-rc.1+b"},
        {"package.json", "\xEF\xBB\xBF{\"version\":\" 2.0.0\\n\",\"name\":\"bom\"}", "bom 2.0.0"},
        {"package.json",
         "{\"name\":\"o\",\"version\":\"1\",\"license\":{\"type\":\"ISC\",\"url\":1}}",
         "o 1 [ISC]"},
        {"package.json",
         "{\"name\":\"a\",\"version\":\"1\",\"licenses\":[{\"type\":\"MIT\"},\"Apache-2.0\",7,null]"
         "}",
         "a 1 [MIT\nApache-2.0]"},
        {"package.json", "{\"name\":\"a\",\"version\":\"1\",\"license\":[]}", "a 1"},
        {"package.json", "{\"name\":\"a\",\"version\":\"1\",\"license\":true}", "a 1"},
        {"package.json", "{\"name\":\"only-name\"}", ""},
        {"package.json", "{\"type\":\"module\"}", ""},
        {"package.json", "{\"name\":7,\"version\":[]}", ""},
        {"package.json", "[]", ""},
        {"a/node_modules/b/package.json", "{\"name\" \"b\"}", "!parse"},
        {"a/node_modules/@b/c/package.json", "", "!parse"},
        {"a/node_modules/b/test/fixture/package.json", "{oops", ""},
        {"package.json", "{\"name\":\"latin\",\"version\":\"1\",\"author\":\"Ren\xe9\"}",
         "latin 1"},
        {"a/node_modules/b/test/c/package.json", "{\"name\":\"c\",\"version\":\"1\"}", ""},
        {"a/node_modules/@b/b/examples/package.json", "{\"name\":\"c\",\"version\":\"1\"}", ""},
        {"a/node_modules/test/package.json", "{\"name\":\"test\",\"version\":\"1\"}", "test 1"},
        {"a/node_modules/b/test/node_modules/c/package.json", "{\"name\":\"c\",\"version\":\"1\"}",
         "c 1"},
        {"a/node_modules/b/dist/compiled/c/package.json", "{\"name\":\"c\",\"version\":\"1\"}",
         "c 1"},
        {"usr/share/nodejs/b/bin/package.json",
         "{\"name\":\"c\",\"version\":\"1\",\"private\":true}", ""},
        {"usr/share/nodejs/@b/c/package.json",
         "{\"name\":\"@b/c\",\"version\":\"1\",\"private\":true}", "@b/c 1"},
        {"test/package.json", "{\"name\":\"own\",\"version\":\"1\",\"private\":true}", "own 1"},
        {"xpackage.json", "{\"name\":\"a\",\"version\":\"1\"}", ""},
        {"package-lock.json", "{\"name\":\"a\",\"version\":\"1\"}", ""},
    };
    check(rows, KE_ARRAY_LEN(rows));
}

static void python(void **state)
{
    static const struct row rows[] = {
        {"l/a-1.0.dist-info/METADATA",
         "Metadata-Version: 2.1\nName: a.B_c\nVersion: 1.0\nLicense: MIT\n\nName: no\n",
         "a.B_c 1.0 [MIT]"},
        {"l/a.egg-info/PKG-INFO", "Metadata-Version: 1.1\r\nName: a\r\nVersion: 1.0.post1\r\n\r\nx",
         "a 1.0.post1"},
        {"l/a-1.egg-info",
         "Metadata-Version: 1.0\nDescription: first\n        Version: 9\n        \n        more\n"
         "Name: a\nVersion: 1\nLicense: UNKNOWN\n",
         "a 1"},
        {"a-1.dist-info/METADATA",
         "Name: a\nVersion: 1\nLicense: long text\n  more\nClassifier: License :: OSI Approved :: "
         "BSD License\nLicense-Expression: BSD-3-Clause\n",
         "a 1 [BSD-3-Clause]"},
        {"a-1.dist-info/METADATA",
         "name: a\nVERSION: 1\nLicense: GPL\nClassifier: License :: OSI Approved :: MIT License\n",
         "a 1 [MIT License]"},
        {"x/EGG-INFO/PKG-INFO", "Name: first\nName: second\nVersion: 1\n", "first 1"},
        {"a-1.dist-info/METADATA", "Name: a\n\nVersion: 1\n", "!parse"},
        {"a-1.dist-info/METADATA", "", "!parse"},
        {"a-1.dist-info/METADATA", "\xff\xfe\0\0", "!parse"},
        {"a-1.dist-info/RECORD", "Name: a\nVersion: 1\n", ""},
        {"a-1.egg", "this is no archive", "!parse"},
    };
    check(rows, KE_ARRAY_LEN(rows));
}

/* A description of many megabytes is not read; headers without an end are bounded. */
static void python_bounds(void **state)
{
    auto_buf text, got;
    buf_init(&text, 8 << 20);
    buf_init(&got, 1000);
    buf_add_str(&text, STR("Name: a\nVersion: 1\nDescription: x\n"));
    while (text.n < 4 << 20)
        buf_add_str(&text, STR("        all of this is one header\n"));
    buf_add_str(&text, STR("License: too far\n"));
    facts_text_of("a.egg-info/PKG-INFO", buf_view(&text), 0, &got);
    assert_str(buf_view(&got), STR("a 1"));
}

/* One package with a name of megabytes must not use up what the layer's others need. */
static void long_name(void **state)
{
    auto_buf text, got;
    buf_init(&text, 4 << 20);
    buf_init(&got, 1000);
    buf_add_str(&text, STR("{\"version\":\"1\",\"name\":\""));
    while (text.n < 3 << 20)
        buf_add_char(&text, 'n');
    buf_add_str(&text, STR("\"}"));
    facts_text_of("package.json", buf_view(&text), 0, &got);
    assert_str(buf_view(&got), STR("!limit"));
}

static void python_egg(void **state)
{
    static const struct zb_member m[] = {
        {.name = STR_INIT("EGG-INFO/PKG-INFO"),
         .content = STR_INIT("Name: in-egg\nVersion: 3.1\n\n"),
         .deflate = true},
        {.name = STR_INIT("pkg/__init__.py"), .content = STR_INIT("")},
    };
    auto_buf archive, got;
    buf_init(&archive, 1 << 16);
    buf_init(&got, 1000);
    zb_build(&archive, m, 2, NULL);
    facts_text_of("lib/in_egg-3.1-py3.9.egg", buf_view(&archive), 0, &got);
    assert_str(buf_view(&got), STR("in-egg 3.1 @lib/in_egg-3.1-py3.9.egg:EGG-INFO/PKG-INFO"));
}

#define SPEC "Gem::Specification.new do |s|\n"

static void ruby(void **state)
{
    static const struct row rows[] = {
        {"g/specifications/rake-13.0.3.gemspec",
         "# stub: rake 13.0.3 ruby lib\n" SPEC "  s.name = \"rake\".freeze\n"
         "  s.version = \"13.0.3\"\n  s.licenses = [\"MIT\".freeze]\nend\n",
         "rake 13.0.3 [MIT]"},
        {"specifications/default/a-1.gemspec",
         SPEC "s.name='a'\ns.version = Gem::Version.new(\"1.2.3.pre\") # version\n"
              "s.licenses = [%q<Ruby>.freeze,\n  'BSD-2-Clause'] if s.respond_to? :x\nend",
         "a 1.2.3.pre [Ruby\nBSD-2-Clause]"},
        {"specifications/a-1.gemspec",
         SPEC "s.description = \"s.name = \\\"no\\\"\ns.version = '9'\n\"\n# s.name = 'never'\n"
              "other.s.name = 'no'\ns.name == 'no'\ns.name = %q{yes}\ns.version = '1'\nend",
         "yes 1"},
        {"specifications/nokogiri-1.10.0-java.gemspec",
         "# stub: nokogiri 1.10.0 java lib\n" SPEC
         "s.name = \"nokogiri\"\ns.version = Nokogiri::VERSION\ns.platform = \"java\"\nend",
         "nokogiri 1.10.0"},
        {"specifications/net-http-persistent-4.0.1-x86_64-linux.gemspec",
         SPEC "s.name = NAME\ns.version = \"#{V}\"\nend", "net-http-persistent 4.0.1"},
        {"specifications/a.gemspec", SPEC "s.name = 'a'\nend", "!parse"},
        {"specifications/a.gemspec", SPEC "s.name = 'a\n", "!parse"},
        {"specifications/a.gemspec", "", "!parse"},
        {"gems/a-1/a.gemspec", SPEC "s.name = 'a'\ns.version = '1'\nend", ""},
    };
    check(rows, KE_ARRAY_LEN(rows));
}

/* Real metadata, kept outside the project; what is expected is what other scanners find in it. */
static void shared(void **state)
{
#define PY  "data/fixtures/python/trivy-"
#define GEM "data/fixtures/trivy-parser/ruby-gemspec/"
#define NPM "data/fixtures/trivy-parser/nodejs-packagejson/"
    static const struct {
        const char *file, *as, *want;
    } rows[] = {
        {PY "happy-dist/root/distlib-0.3.1.dist-info/METADATA", "distlib-0.3.1.dist-info/METADATA",
         "distlib 0.3.1 [Python license]"},
        {PY "happy-egg/root/distlib-0.3.1.egg-info/PKG-INFO", "distlib-0.3.1.egg-info/PKG-INFO",
         "distlib 0.3.1 [Python license]"},
        {PY "classifier-license-dist/root/setuptools-51.3.3.dist-info/METADATA",
         "setuptools-51.3.3.dist-info/METADATA", "setuptools 51.3.3 [MIT License]"},
        {PY "classifier-license-egg/root/setuptools-51.3.3.egg-info/PKG-INFO",
         "setuptools-51.3.3.egg-info/PKG-INFO", "setuptools 51.3.3 [MIT License]"},
        {PY "license-file-dist/root/typing_extensions-4.4.0.dist-info/METADATA",
         "typing_extensions-4.4.0.dist-info/METADATA", "typing_extensions 4.4.0"},
        {GEM "license.gemspec/root/x.gemspec", "specifications/x.gemspec", "async 1.25.0 [MIT]"},
        {GEM "malformed00.gemspec/root/x.gemspec", "specifications/x.gemspec", "async 1.25.0"},
        {GEM "malformed01.gemspec/root/x.gemspec", "specifications/x.gemspec", "!parse"},
        {GEM "multiple_licenses.gemspec/root/x.gemspec", "specifications/x.gemspec",
         "test-unit 3.3.7 [Ruby\nBSDL\nPSFL]"},
        {GEM "normal00.gemspec/root/x.gemspec", "specifications/x.gemspec", "rake 13.0.3 [MIT]"},
        {GEM "normal01.gemspec/root/x.gemspec", "specifications/x.gemspec", "async 1.25.0 [MIT]"},
        {NPM "package.json/root/package.json", "package.json", "bootstrap 5.0.2 [MIT]"},
        {NPM "legacy_package.json/root/package.json", "package.json", "angular 4.1.2 [ISC]"},
        {NPM "legacy_array_package.json/root/package.json", "package.json",
         "tv4 1.3.0 [Public Domain\nMIT]"},
        {NPM "mixed_array_license_package.json/root/package.json", "package.json",
         "mixed-array-license 1.0.0"},
        {NPM "without_version_package.json/root/package.json", "package.json", ""},
        {NPM "without_name_and_version_package.json/root/package.json", "package.json", ""},
        {NPM "invalid_package.json/root/package.json", "package.json", "!parse"},
    };
    for (size_t i = 0; i < KE_ARRAY_LEN(rows); i++) {
        struct err e = {0};
        const char *path = shared_path(rows[i].file);
        if (!path) {
            skip_without_shared(rows[i].file);
            return;
        }
        auto_buf text, got;
        buf_init(&text, 1 << 20);
        buf_init(&got, 1 << 16);
        assert_ok(fs_read(path, &text, &e));
        facts_text_of(rows[i].as, buf_view(&text), 0, &got);
        if (!str_starts(buf_view(&got), str_z(rows[i].want)) || (got.n && !rows[i].want[0]))
            fail_msg("%s: got \"%s\", want \"%s\"", rows[i].file, buf_z(&got), rows[i].want);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(npm),        cmocka_unit_test(python),    cmocka_unit_test(python_bounds),
        cmocka_unit_test(python_egg), cmocka_unit_test(long_name), cmocka_unit_test(ruby),
        cmocka_unit_test(shared),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
