#include "judge.h"
#include "sample.h"

#include "policy/end_of_life.h"
#include "policy/spdx.h"

static void completeness(void **state)
{
    static const struct gate_case cases[] = {
        {"completeness", "unread", "",
         "The analysis could not read all: java: /app/broken.jar: truncated"},
        {"completeness", "unread", "path_exclude=/app/.*", ""},
        {"completeness", "unread", "path_exclude=broken",
         "The analysis could not read all: java: /app/broken.jar: truncated"},
        {"completeness", "unread", "path_exclude=(", "!("},
        {"completeness", "unsupported_ecosystem", "",
         "The image has packages of conan, which nothing reads"},
        {"completeness", "unsupported_ecosystem", "except=x, Conan", ""},
        {"completeness", "uncovered_data", "",
         "The image has packages of CRAN, for which there are no vulnerability data"},
        {"completeness", "uncovered_data", "except=cran", ""},
        {"completeness", "no_packages", "", ""},
    };
    RUN(&sample_subject, cases);
    static const struct gate_case none[] = {
        {"completeness", "unread", "", ""},
        {"completeness", "no_packages", "", "The analysis found no packages in the image"},
    };
    RUN(&sample_scratch_subject, none);
}

static int64_t until(const char *gate, const char *trigger, const char *params)
{
    struct judged j;
    judge(&sample_subject, rule_text(gate, trigger, params), &j);
    int64_t us = j.verdict->valid_until_us;
    judged_done(&j);
    return us;
}

static void data_age(void **state)
{
    static const struct gate_case cases[] = {
        {"data_age", "database", "max_days=1", "The vulnerability data are older than 1 days"},
        {"data_age", "database", "max_days=2", ""},
        {"data_age", "database", "max_days=9000000000000000000", ""},
        {"data_age", "distribution", "max_days=2",
         "The vulnerability data of the image's distribution are older than 2 days"},
        {"data_age", "distribution", "max_days=3", ""},
    };
    RUN(&sample_subject, cases);
    assert_true(until("data_age", "database", "max_days=3") == SAMPLE_NOW + 86400000001);
    assert_true(until("data_age", "database", "max_days=1") == INT64_MAX);
    static const struct gate_case none[] = {
        {"data_age", "database", "max_days=2", "There are no vulnerability data"},
        {"data_age", "distribution", "max_days=2",
         "There are no vulnerability data of the image's distribution"},
    };
    RUN(&sample_scratch_subject, none);
}

static void ancestry(void **state)
{
    static const struct gate_case cases[] = {
        {"ancestry", "allowed_base_image_digest", "base_digest=sha256:b0, sha256:b1", ""},
        {"ancestry", "allowed_base_image_digest", "base_digest=sha256:b0",
         "The base image sha256:b1 is none of the allowed ones"},
        {"ancestry", "allowed_base_image_tag", "base_tag=docker.io/library/debian:*", ""},
        {"ancestry", "allowed_base_image_tag", "base_tag=docker.io/library/debian",
         "The base image docker.io/library/debian:12, docker.io/library/debian:latest is none of "
         "the allowed ones"},
        {"ancestry", "allowed_base_image_tag", "base_tag=docker.io/library/debian:12", ""},
        {"ancestry", "denylist_ancestor_image_digest", "ancestor_digest=sha256:b0,sha256:b",
         "The image is built on sha256:b0, which is denied"},
        {"ancestry", "denylist_ancestor_image_tag", "ancestor_tag=*:1*",
         "The image is built on docker.io/library/debian:12, which is denied\n"
         "The image is built on docker.io/library/scratchy:1, which is denied"},
        {"ancestry", "denylist_ancestor_image_tag", "ancestor_tag=*:11", ""},
        {"ancestry", "no_ancestors_analyzed", "", ""},
    };
    RUN(&sample_subject, cases);
    static const struct gate_case none[] = {
        {"ancestry", "allowed_base_image_digest", "base_digest=sha256:b0",
         "The image is built on no image that was analyzed, so its base image is none of the "
         "allowed ones"},
        {"ancestry", "denylist_ancestor_image_tag", "ancestor_tag=*", ""},
        {"ancestry", "no_ancestors_analyzed", "",
         "The image is built on no image that was analyzed"},
    };
    RUN(&sample_scratch_subject, none);
}

static void tag_drift(void **state)
{
    static const struct gate_case cases[] = {
        {"tag_drift", "packages_removed", "",
         "Package nano (dpkg) is removed against the tag's image before: 7.2-1"},
        {"tag_drift", "packages_modified", "",
         "Package curl (dpkg) is modified against the tag's image before: 7.88.1-10+deb12u5, was "
         "7.88.1-10+deb12u4"},
        {"tag_drift", "packages_added", "package_type=NPM",
         "Package left-pad (npm) is added against the tag's image before: 1.0.0\n"
         "Package lodash (npm) is added against the tag's image before: 4.17.4"},
        {"tag_drift", "packages_added", "package_type=dpkg",
         "Package login (dpkg) is added against the tag's image before: 1:4.13-2"},
        {"tag_drift", "packages_modified", "package_type=npm", ""},
    };
    RUN(&sample_subject, cases);
    static const struct gate_case none[] = {
        {"tag_drift", "packages_removed", "", ""},
        {"tag_drift", "packages_added", "", ""},
    };
    RUN(&sample_scratch_subject, none);
}

static void distro(void **state)
{
    static const struct gate_case cases[] = {
        {"distro", "deny", "distro=alpine", ""},
        {"distro", "deny", "distro=alpine, Deb*", "The image's distribution debian is denied"},
        {"distro", "deny", "distro=debian|version=12",
         "The image's distribution debian 12 is denied: = 12"},
        {"distro", "deny", "distro=debian|version=9|check=<", ""}, /* numbers */
        {"distro", "deny", "distro=debian|version=13|check=<",
         "The image's distribution debian 12 is denied: < 13"},
        {"distro", "deny", "distro=debian|version=12|check=<=",
         "The image's distribution debian 12 is denied: <= 12"},
        {"distro", "deny", "distro=debian|version=12|check=!=", ""},
        {"distro", "deny", "distro=debian|version=11.5|check=>",
         "The image's distribution debian 12 is denied: > 11.5"},
        {"distro", "deny", "distro=debian|version=12.1|check=>=", ""},
        {"distro", "not_allowed", "distros=debian", ""},
        {"distro", "not_allowed", "distros=debian:11, debian:12", ""},
        {"distro", "not_allowed", "distros=debian:11, alpine",
         "The image's distribution debian:12 is none of the allowed ones"},
        {"distro", "eol", "", ""},
        {"distro", "eol", "days_before=900",
         "The image's distribution debian 12 has no support after 2028-06-30"},
    };
    RUN(&sample_subject, cases);
    assert_true(until("distro", "eol", "days_before=0") == 1846022400000000); /* 2028-07-01 */
    static const struct gate_case none[] = {
        {"distro", "deny", "distro=*", ""},
        {"distro", "not_allowed", "distros=*",
         "The image's distribution is not known, so none of the allowed ones"},
        {"distro", "eol", "", ""},
        {"distro", "eol", "unknown=true",
         "Until when the image's distribution (unknown ) is supported is not known"},
    };
    RUN(&sample_scratch_subject, none);
}

static void ends_of_life(void **state)
{
    static const struct {
        const char *id, *version;
        enum support support;
        int64_t days; /* since 1970, the first without */
    } cases[] = {
        {"debian", "10", SUPPORT_UNTIL, 19905},     {"debian", "10.13", SUPPORT_UNTIL, 19905},
        {"alpine", "3.18.4", SUPPORT_UNTIL, 20218}, {"ubuntu", "22.04", SUPPORT_UNTIL, 20971},
        {"redhat", "8.6", SUPPORT_UNTIL, 21701},    {"debian", "99", SUPPORT_UNKNOWN, 0},
        {"arch", "", SUPPORT_ROLLING, 0},           {"", "", SUPPORT_UNKNOWN, 0},
        {"nosuch", "1", SUPPORT_UNKNOWN, 0},        {"alpine", "3.23.3", SUPPORT_UNTIL, 21124},
        {"centos", "8", SUPPORT_UNTIL, 19875},      {"mariner", "2.0", SUPPORT_UNKNOWN, 0},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        int64_t us = 0;
        assert_int_equal(end_of_life(str_z(cases[i].id), str_z(cases[i].version), &us),
                         cases[i].support);
        assert_true(us == cases[i].days * 86400000000);
    }
}

static void signatures(void **state)
{
    static const struct gate_case nobody[] = {
        {"signatures", "unsigned", "", "!nobody verified"},
    };
    RUN(&sample_subject, nobody);
    static const struct policy_signature one[] = {{STR_INIT("https://ci.example.org/main")}};
    struct policy_signatures found = {0};
    struct policy_subject s = sample_subject;
    s.signatures = &found;
    static const struct gate_case none[] = {
        {"signatures", "unsigned", "", "The image has no verified signature"},
        {"signatures", "unsigned", "identities=*", "The image has no verified signature"},
    };
    RUN(&s, none);
    found = (struct policy_signatures){one, 1};
    static const struct gate_case signed_cases[] = {
        {"signatures", "unsigned", "", ""},
        {"signatures", "unsigned", "identities=a, https://ci.example.org/*", ""},
        {"signatures", "unsigned", "identities=a, b", "The image is signed by none of: a, b"},
    };
    RUN(&s, signed_cases);
}

static void licences_as_expressions(void **state)
{
    static const struct gate_case cases[] = {
        {"licenses", "allowed_expressions",
         "licenses=MIT,curl,ISC,bsd-3-clause,GPL-2-or-later,Zlib,Example,Proprietary", ""},
        {"licenses", "allowed_expressions", "licenses=Apache-2.0,curl,ISC,BSD-*,GPL-*,Zlib",
         "Package lodash (npm) has a licence that is not allowed: MIT\n"
         "Package app (binary) has a licence that is not allowed: Example Proprietary"},
        {"licenses", "denied_expressions", "licenses=MIT",
         "Package lodash (npm) has a licence that is denied: MIT"},
        {"licenses", "denied_expressions", "licenses=MIT,apache-*",
         "Package lodash (npm) has a licence that is denied: MIT\n"
         "Package rack (gem) has a licence that is denied: (MIT OR Apache-2.0)"},
        {"licenses", "denied_expressions", "licenses=GPL-2", ""}, /* GPL-2+ is another */
        {"licenses", "denied_expressions", "licenses=GPL-2-or-*",
         "Package login (dpkg) has a licence that is denied: BSD-3-Clause GPL-2+"}, /* its name now
                                                                                     */
        {"licenses", "missing", "", "No licence is known of package left-pad (npm)"},
        {"licenses", "missing", "package_types=gem,python", ""},
        {"licenses", "missing", "package_types=NPM",
         "No licence is known of package left-pad (npm)"},
    };
    RUN(&sample_subject, cases);
}

static void packages_by_range(void **state)
{
#define NAMED(name, version, type, path)                                                           \
    "Package " name " " version " (" type ") at " path " is one that the rule names"
#define LODASH NAMED("lodash", "4.17.4", "npm", "/app/node_modules/lodash/package.json")
    static const struct gate_case cases[] = {
        {"packages", "match", "", "!is needed"},
        {"packages", "match", "versions=>1", "!is needed"},
        {"packages", "match", "name=x|versions=>=", "!no range"},
        {"packages", "match", "name=lo*sh", LODASH},
        {"packages", "match", "name=lodash|versions=<4.17.21", LODASH},
        {"packages", "match", "name=lodash|versions=>=4.17.4,<4.17.21", LODASH},
        {"packages", "match", "name=lodash|versions=>4.17.4 || =4.17.5", ""},
        {"packages", "match", "name=lodash|versions=>4.17.4 || =4.17.4", LODASH},
        {"packages", "match", "name=lodash|versions=>=4.17.10", ""}, /* not as texts */
        {"packages", "match", "name=curl|versions=<=7.88.1",
         NAMED("curl", "7.88.1-10+deb12u5", "dpkg", "pkgdb")},
        {"packages", "match", "name=curl|versions=<7.88.1-10+deb12u5", ""},
        {"packages", "match", "name=app|versions=<2", "!not known"},
        {"packages", "match", "purl=pkg:deb/debian/curl@*?arch=amd64",
         NAMED("curl", "7.88.1-10+deb12u5", "dpkg", "pkgdb")},
        {"packages", "match", "purl=pkg:npm/lodash@4.17.4", LODASH},
        {"packages", "match", "purl=pkg:deb/debian/curl@7.88.1-10%2Bdeb12u5",
         NAMED("curl", "7.88.1-10+deb12u5", "dpkg", "pkgdb")},
        {"packages", "match", "package_type=GEM",
         NAMED("rack", "2.0.1", "gem", "/gems/rack.gemspec")},
        {"packages", "match", "path=/gems/*|package_type=npm", ""},
        {"packages", "match", "path=*lodash*", LODASH},
    };
    RUN(&sample_subject, cases);
}

static void put(const struct spdx *x, struct buf *b)
{
    if (x->kind == SPDX_LICENCE) {
        buf_addf(b, "%.*s%s%.*s", STR_ARG(x->licence), x->exception.n ? "/" : "",
                 STR_ARG(x->exception));
        return;
    }
    buf_add_char(b, '(');
    for (size_t i = 0; i < x->n_parts; i++) {
        if (i)
            buf_add_char(b, x->kind == SPDX_AND ? '&' : '|');
        put(x->parts[i], b);
    }
    buf_add_char(b, ')');
}

static void expressions_are_read(void **state)
{
    static const struct {
        const char *text, *want; /* NULL: none */
    } cases[] = {
        {"MIT", "MIT"},
        {" ( MIT ) ", "MIT"},
        {"MIT or Apache-2.0 AND BSD", "(MIT|(Apache-2.0&BSD))"},
        {"(A OR B) AND C", "((A|B)&C)"},
        {"A AND B AND C", "(A&B&C)"},
        {"GPL-2.0+ WITH x-exception AND DocumentRef-a:LicenseRef-b",
         "(GPL-2.0+/x-exception&DocumentRef-a:LicenseRef-b)"},
        {"", NULL},
        {"A B", NULL},
        {"A AND", NULL},
        {"AND A", NULL},
        {"A WITH", NULL},
        {"A WITH AND", NULL},
        {"(A", NULL},
        {"A)", NULL},
        {"A/B", NULL},
        {"()", NULL},
    };
    struct err e = {0};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct arena a;
        auto_buf b;
        const struct spdx *x;
        arena_init(&a, 1 << 20);
        buf_init(&b, 4096);
        int rc = spdx_parse(str_z(cases[i].text), &a, &x, &e);
        if (cases[i].want) {
            assert_ok(rc);
            put(x, &b);
            assert_str(buf_view(&b), str_z(cases[i].want));
        } else {
            assert_int_equal(rc, ERR_FORMAT);
        }
        arena_done(&a);
    }
}

static int parse_many(const char *before, const char *middle, const char *after, int n)
{
    struct arena a;
    const struct spdx *x;
    auto_buf b;
    arena_init(&a, 16 << 20);
    buf_init(&b, 1 << 20);
    for (int i = 0; i < n; i++)
        buf_addf(&b, "%s", before);
    buf_addf(&b, "%s", middle);
    for (int i = 0; i < n; i++)
        buf_addf(&b, "%s", after);
    int rc = spdx_parse(buf_view(&b), &a, &x, NULL);
    arena_done(&a);
    return rc;
}

static void expressions_are_bounded(void **state)
{
    assert_int_equal(parse_many("(", "A", ")", SPDX_DEPTH_MAX), 0);
    assert_int_equal(parse_many("(", "A", ")", SPDX_DEPTH_MAX + 1), ERR_LIMIT);
    assert_int_equal(parse_many("A OR ", "A", "", SPDX_TERMS_MAX - 1), 0);
    assert_int_equal(parse_many("A OR ", "A", "", SPDX_TERMS_MAX), ERR_LIMIT);
    assert_int_equal(parse_many("AAAAAAAAAA", "A", "", SPDX_BYTES_MAX / 10 + 1), ERR_LIMIT);
}

static void licences_have_old_names(void **state)
{
    static const struct {
        const char *a, *b;
        bool same;
    } cases[] = {
        {"MIT", "mit", true},
        {"GPL-2.0", "GPL-2.0-only", true},
        {"GPL-2.0+", "gpl-2.0-or-later", true},
        {"GPL-2.0", "GPL-2.0-or-later", false},
        {"LGPL-2.1-only", "LGPL-2.1", true},
        {"X-only", "X", false},
        {"MIT", "MIT-0", false},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        assert_int_equal(spdx_same_licence(str_z(cases[i].a), str_z(cases[i].b)), cases[i].same);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(completeness),
        cmocka_unit_test(data_age),
        cmocka_unit_test(ancestry),
        cmocka_unit_test(tag_drift),
        cmocka_unit_test(distro),
        cmocka_unit_test(ends_of_life),
        cmocka_unit_test(signatures),
        cmocka_unit_test(licences_as_expressions),
        cmocka_unit_test(packages_by_range),
        cmocka_unit_test(expressions_are_read),
        cmocka_unit_test(expressions_are_bounded),
        cmocka_unit_test(licences_have_old_names),
    };
    return cmocka_run_group_tests_name("own gates", tests, NULL, NULL);
}
