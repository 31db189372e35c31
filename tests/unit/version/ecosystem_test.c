/* Ecosystems: look-ups, and names as the ecosystems compare them. */
#include "unit.h"

#include "version/ecosystem.h"
#include "version/version.h"

static void every_scheme_exists(void **state)
{
    for (const struct ecosystem *e = ecosystems; e->name; e++) {
        if (!version_scheme(str_z(e->scheme)))
            fail_msg("%s: no scheme %s", e->name, e->scheme);
        assert_ptr_equal(ecosystem_find(str_z(e->name)), e);
        if (*e->purl_type)
            assert_ptr_equal(ecosystem_by_purl_type(str_z(e->purl_type)), e);
    }
}

static void found_by_name(void **state)
{
    assert_string_equal(ecosystem_find(STR("pypi"))->name, "PyPI");
    assert_string_equal(ecosystem_find(STR("Packagist:https://example.org/8"))->name, "Packagist");
    assert_null(ecosystem_find(STR("Debian:12")));
    assert_null(ecosystem_find(STR("")));
    assert_null(ecosystem_by_purl_type(STR("")));
    assert_string_equal(ecosystem_by_purl_type(STR("cargo"))->name, "crates.io");
}

static void names_are_normalised(void **state)
{
    static const struct {
        const char *ecosystem, *name, *want;
    } rows[] = {
        {"PyPI", "Zope.Interface", "zope-interface"},
        {"PyPI", "a__-.b", "a-b"},
        {"npm", "JSONStream", "JSONStream"},
        {"NuGet", "Newtonsoft.Json", "newtonsoft.json"},
        {"Packagist", "Symfony/HTTP-Kernel", "symfony/http-kernel"},
        {"Maven", "org.Example:Thing", "org.Example:Thing"},
        {"Go", "github.com/Masterminds/semver", "github.com/Masterminds/semver"},
        {"SwiftURL", "https://github.com/Apple/swift-nio.git", "github.com/apple/swift-nio"},
        {"GitHub Actions", "Actions/Checkout", "actions/checkout"},
    };
    for (size_t i = 0; i < KE_ARRAY_LEN(rows); i++) {
        auto_buf out;
        buf_init(&out, 1000);
        ecosystem_normalise(ecosystem_find(str_z(rows[i].ecosystem)), str_z(rows[i].name), &out);
        assert_str(buf_view(&out), str_z(rows[i].want));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_scheme_exists),
        cmocka_unit_test(found_by_name),
        cmocka_unit_test(names_are_normalised),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
