/* How each scheme orders: the traps that other implementations fall into, and whole chains. */
#include "unit.h"

#include "base/buf.h"
#include "version/version.h"

struct pair {
    const char *scheme, *a, *op, *b; /* op: < = > or "!" (not comparable) */
};

static const struct pair pairs[] = {
    {"deb", "1.0", "=", "1.0-0"},
    {"deb", "0:1.0", "=", "1.0"},
    {"deb", "1:0.1", ">", "9.9"},
    {"deb", "1.0~rc1", "<", "1.0"},
    {"deb", "1.0~rc1~x", "<", "1.0~rc1"},
    {"deb", "1.0", "=", "1.00"},
    {"deb", "1.0a", "<", "1.0+"},
    {"deb", "1.0-1", "<", "1.0-1+b1"},
    {"deb", "1.0-1", ">", "1.0-1~deb12u1"},
    {"deb", "a1", "!", "1"},
    {"deb", "1.99999999999999999999999", "<", "1.100000000000000000000000"},
    {"deb", "2147483647:1", ">", "1"},
    {"deb", "2147483648:1", "!", "1"},
    {"deb", "1-2-3", "<", "1-2-4"},
    {"deb", "1-2-3", "<", "1-3-1"},
    {"deb", "1.0-", "!", "1.0"},
    {"deb", "1:", "!", "1.0"},
    {"deb", "1:1:1", ">", "1:1"},
    {"deb", "1 0", "!", "1"},
    {"deb", "1.0_2", ">", "1.0"},
    {"rpmvercmp", "1.0", "=", "1_0"},
    {"rpmvercmp", "1.0", "=", "1.0."},
    {"rpmvercmp", "1.0", "<", "1.0a"},
    {"rpmvercmp", "1.0", ">", "1.0~rc1"},
    {"rpmvercmp", "1.0", "<", "1.0^git1"},
    {"rpmvercmp", "1.0^git1", "<", "1.0.1"},
    {"rpmvercmp", "1.0^git1~pre", "<", "1.0^git1"},
    {"rpmvercmp", "1.a", "<", "1.1"},
    {"rpmvercmp", "1.0010", "=", "1.10"},
    {"rpmvercmp", "18446744073709551616", ">", "18446744073709551615"},
    {"rpmvercmp", "2.el8", "<", "2.el8_1"},
    {"rpmvercmp", "fc4", "<", "fc14"},
    {"rpmvercmp", "", "<", "1"},
    {"rpmvercmp", "~", "<", ""},
    {"rpm-evr", "0:1.0-1", "=", "1.0-1"},
    {"rpm-evr", "1:1.0-1", ">", "2.0-1"},
    {"rpm-evr", "1.0", "<", "1.0-1"},
    {"rpm-evr", "1.0-1-2", ">", "1.0-1-1"},
    {"rpm-evr", "1.0-1-1", "<", "1.0-2-1"},
    {"rpm-evr", ":1.0-1", "=", "1.0-1"},
    {"rpm-evr", "1.0~rc1-1", "<", "1.0-1"},
    {"apk", "1.0", "<", "1.0-r0"},
    {"apk", "1.2.3-r9", "<", "1.2.3-r10"},
    {"apk", "1.0_alpha2", "<", "1.0_beta1"},
    {"apk", "1.0_rc1", "<", "1.0"},
    {"apk", "1.0", "<", "1.0_git20240101"},
    {"apk", "1.0_hg1", "<", "1.0_p1"},
    {"apk", "1.0_p", "<", "1.0_p0"},
    {"apk", "1.0a", ">", "1.0"},
    {"apk", "1.0a", "<", "1.0b"},
    {"apk", "1.0a", "<", "1.0.0"},
    {"apk", "1.01", "<", "1.1"},
    {"apk", "1.010", "<", "1.02"},
    {"apk", "01.1", "=", "1.1"},
    {"apk", "1.0~abc", ">", "1.0"},
    {"apk", "1.0~abc-r1", "<", "1.0~abd-r0"},
    {"apk", "6.0.2p1-r3", "<", "6.0.2p1-r4"},
    {"apk", "6.0.2p1-r3", "<", "6.0.2p2-r0"},
    {"apk", "6.0.2p1-r3", ">", "6.0.2p1-r03"},
    {"apk", "1.2", ">", "1.2_blah"},
    {"apk", "1.2_blah2", "<", "1.2_blah10"},
    {"apk", "1-r0-x", "=", "1-r0-y"},
    {"apk", "1.0bc", "!", "1.0"},
    {"apk", "word", "=", "word"},
    {"apk", "word", "!", "other"},
    {"apk", "1.9999999999999999999999", "<", "1.10000000000000000000000"},
    {"semver", "1.0.0-alpha", "<", "1.0.0-alpha.1"},
    {"semver", "1.0.0-alpha.1", "<", "1.0.0-alpha.beta"},
    {"semver", "1.0.0-beta.2", "<", "1.0.0-beta.11"},
    {"semver", "1.0.0-rc.1", "<", "1.0.0"},
    {"semver", "1.0.0+a", "=", "1.0.0+b"},
    {"semver", "1.0.0-2", "<", "1.0.0-1a"},
    {"semver", "1.2", "=", "v1.2.0"},
    {"semver", "1.2.0.1", ">", "1.2"},
    {"semver", "1.0.99999999999999999999", "<", "1.0.100000000000000000000"},
    {"semver", "1.0.0.Beta2", "=", "V1.0.0-Beta2"},
    {"semver", "3.12.0rc1", "<", "3.12.0"},
    {"semver", "1.0.1k", ">", "1.0.1"},
    {"semver", "1.0.0-a..b", "!", "1.0.0"},
    {"semver", "main", "!", "1.0.0"},
    {"npm", "=v1.2.3", "=", " 1.2.3"},
    {"npm", "1.2.3beta", "=", "1.2.3-beta"},
    {"npm", "1.2.3--", "<", "1.2.3-a"},
    {"npm", "1.2.3-x.7.z.92", ">", "1.2.3-x.7.z.11"},
    {"npm", "01.02.03", "=", "1.2.3"},
    {"npm", "1.2", "!", "1.2.0"},
    {"npm", "1.2.3.4", "!", "1.2.0"},
    {"npm", "1.2.34.5", "=", "1.2.3-4.5"},
    {"npm", "1.2.9007199254740992", "!", "1.2.3"},
    {"npm", "1.2.3-99999999999999999999", "<", "1.2.3-100000000000000000000"},
    {"golang", "v1.2.3+incompatible", "=", "1.2.3"},
    {"golang", "v1.2", "=", "1.2.0"},
    {"golang", "v0.0.0-20200101000000-abcdefabcdef", "<", "v0.0.0-20200102000000-000000000000"},
    {"golang", "go1.22.3", "=", "1.22.3"},
    {"golang", "go1.22rc2", "<", "go1.22.0"},
    {"golang", "go1.22rc2", "<", "go1.22rc10"},
    {"golang", "go1.22rc2", "=", "1.22.0-rc.2"},
    {"golang", "(devel)", "!", "1.22.0"},
    {"golang", "1.02.3", "!", "1.2.3"},
    {"golang", "1.2-pre", "!", "1.2.0"},
    {"pep440", "1.0", "=", "v1.0.0"},
    {"pep440", "1.0.dev1", "<", "1.0a1"},
    {"pep440", "1.0a1.dev1", "<", "1.0a1"},
    {"pep440", "1.0-1", "=", "1.0.post1"},
    {"pep440", "1.0ALPHA_1", "=", "1.0a1"},
    {"pep440", "1.0c1", "=", "1.0rc1"},
    {"pep440", "1.0preview", "=", "1.0rc0"},
    {"pep440", "1!0.1", ">", "2024.1"},
    {"pep440", "1.0+a", ">", "1.0"},
    {"pep440", "1.0+a.1", "<", "1.0+1"},
    {"pep440", "1.0+A_1", "=", "1.0+a.1"},
    {"pep440", "1.0+abc", "<", "1.0.post0.dev0"},
    {"pep440", "1.0rev2", "=", "1.0.post2"},
    {"pep440",
     "\xe2\x80\xaf"
     "1.0\t\xe2\x80\xa9",
     "=", "1.0"},
    {"pep440", "1.0+", "!", "1.0"},
    {"pep440", "1.0.x", "!", "1.0"},
    {"pep440", "\xd9\xa1.0", "!", "1.0"},
    {"gem", "1.0", "=", "1"},
    {"gem", "1.0.a", "=", "1.a"},
    {"gem", "1.0.0.b1", "<", "1"},
    {"gem", "1.a.0.1", ">", "1.a"},
    {"gem", "1.a.0.b", "<", "1.a"},
    {"gem", "1.0.beta4", ">", "1.0.b6"},
    {"gem", "1-2", "<", "1"},
    {"gem", "1-2", "=", "1.pre.2"},
    {"gem", "1.A", "<", "1.a"},
    {"gem", "", "=", "0"},
    {"gem", "1.", "!", "1"},
    {"gem", "1.999999999999999999999999999999", "<", "1.1000000000000000000000000000000"},
    {"composer", "1.0", "=", "v1.0.0.0-stable"},
    {"composer", "1.0-dev", "<", "1.0-alpha"},
    {"composer", "1.0b2", "<", "1.0-beta.10"},
    {"composer", "1.0RC1", "<", "1.0"},
    {"composer", "1.0", "<", "1.0-p1"},
    {"composer", "1.0-p1", "=", "1.0.0-patch1"},
    {"composer", "1.0-STABLE", "<", "1.0-dev"},
    {"composer", "1.x-dev", ">", "1.99"},
    {"composer", "1.x-dev", "<", "2.0-dev"},
    {"composer", "2010-01-02", "<", "2010.01.02.0+b@dev"},
    {"composer", "20100102", ">", "99999.0"},
    {"composer", "dev-main", "<", "0.1"},
    {"composer", "dev-main", "!", "dev-other"},
    {"composer", "1.0.", "=", "1.0"},
    {"composer", "1.0-1", "!", "1.0"},
    {"composer", "1.0-beta-99999999999999999999", "<", "1.0-beta-100000000000000000000"},
    {"alpm", "1.0-1", "=", "1.0"},
    {"alpm", "1.0-1", "<", "1.0-2"},
    {"alpm", "1:1.0", ">", "2.0"},
    {"alpm", "1.0a", "<", "1.0"},
    {"alpm", "1.0.a", ">", "1.0"},
    {"alpm", "1.0.1", ">", "1.0"},
    {"alpm", "1..0", ">", "1.0"},
    {"alpm", "1.0~rc1", "<", "1.0.1"},
    {"portage", "1.02", "<", "1.1"},
    {"portage", "1.010", "=", "1.01"},
    {"portage", "1.0", "<", "1.0.0"},
    {"portage", "1.0b", "<", "1.0.0"},
    {"portage", "1.0-r0", "=", "1.0"},
    {"portage", "1.0_rc", "<", "1.0"},
    {"portage", "1.0_p", ">", "1.0"},
    {"portage", "1.0_p", "=", "1.0_p0"},
    {"portage", "1.0_p1_alpha", "<", "1.0_p1"},
    {"portage", "1.0-1", "!", "1.0"},
    {"portage", "x", "=", "x"},
    {"maven-jre", "9.4.1.jre8", "=", "9.4.1.jre11"},
    {"maven-jre", "9.4.1.JDK8", "<", "9.4.2.jre11"},
    {"maven-jre", "31.1-jre", ">", "31.1"},
    {"maven", "9.4.1.jre8", "<", "9.4.1.jre11"},
    {"bitnami", "1.2.3-5", "=", "1.2.3"},
    {"bitnami", "1.2.3-rc.1-5", "<", "1.2.3-0"},
    {"pep440-public", "2.0.0+cu118", "=", "2.0"},
    {"pep440-public", "2.0.0rc1+cu118", "<", "2.0"},
    {"nuget", "1.0.0-Beta.2", "=", "1.0-beta.2"},
    {"nuget", "1.0.0.1", ">", "1.0.0"},
    {"nuget", "1.0.0-rc.10", ">", "1.0.0-RC.9"},
    {"pub", "1.0.0+2", "<", "1.0.0+10"},
    {"pub", "1.0.0", "<", "1.0.0+0"},
    {"pub", "1.0.0-a+2", "<", "1.0.0"},
    {"cran", "1.8", "<", "1.8.0"},
    {"cran", "1.8-2", "=", "1.08.2"},
    {"cran", "1.8_2", "!", "1.8"},
    {"hackage", "1.0", "<", "1.0.0"},
    {"hackage", "0.10", ">", "0.9.9"},
    {"maven", "1", "=", "1.0.0-ga"},
    {"maven", "1.0.Final", "=", "1.RELEASE"},
    {"maven", "1-alpha", "<", "1-beta"},
    {"maven", "1-m1", "=", "1-milestone-1"},
    {"maven", "1-m", ">", "1-sp"},
    {"maven", "1-cr1", "=", "1-RC1"},
    {"maven", "1-SNAPSHOT", "<", "1"},
    {"maven", "1-sp", ">", "1"},
    {"maven", "1-xyz", ">", "1-sp"},
    {"maven", "1-xyz", "<", "1-1"},
    {"maven", "1-1", "<", "1.1"},
    {"maven", "6.0.0.Alpha7", "<", "6.0-RC1"},
    {"maven", "1.0.RC2", "<", "1.0-RC3"},
    {"maven", "1..1", "=", "1.0.1"},
    {"maven", "1.0-alpha-9.0", "=", "1.0-alpha-9"},
    {"maven", "1-0.alpha", "<", "1"},
    {"maven", "1.sp.1", "<", "1-alpha"},
    {"maven", "31.1-jre", ">", "31.1-android"},
    {"maven", "1.99999999999999999999", "<", "1.100000000000000000000"},
    {"maven", "1.0.00000000000", "=", "1"},
};

static int sign(int order)
{
    return (order > 0) - (order < 0);
}

static int key_order(const struct version_ops *ops, str a, str b)
{
    auto_buf x, y;
    buf_init(&x, 1 << 20);
    buf_init(&y, 1 << 20);
    assert_true(ops->key(a, &x));
    assert_true(ops->key(b, &y));
    return sign(str_cmp(buf_view(&x), buf_view(&y)));
}

static void pairs_are_ordered(void **state)
{
    for (size_t i = 0; i < KE_ARRAY_LEN(pairs); i++) {
        const struct pair *p = &pairs[i];
        const struct version_ops *ops = version_scheme(str_z(p->scheme));
        assert_non_null(ops);
        str a = str_z(p->a), b = str_z(p->b);
        int order = sign(ops->compare(a, b));
        const char *got = !version_comparable(ops, a, b) ? "!"
                          : order < 0                    ? "<"
                          : order > 0                    ? ">"
                                                         : "=";
        if (strcmp(got, p->op) != 0 || sign(ops->compare(b, a)) != -order)
            fail_msg("%s: \"%s\" %s \"%s\", want %s", p->scheme, p->a, got, p->b, p->op);
        if (ops->key && key_order(ops, a, b) != order)
            fail_msg("%s: the keys of \"%s\" and \"%s\" have another order", p->scheme, p->a, p->b);
    }
}

/* Each row ascends; all pairs of it are compared. */
static const struct {
    const char *scheme;
    const char *versions[16];
} chains[] = {
    {"deb", {"0~~", "0~", "0", "0a", "0+", "0.1", "1~1-1", "1-0~", "1", "1-0+b1", "1-1", "1:0"}},
    {"rpmvercmp", {"~~", "~", "", "^", "^1", "a", "b", "0", "1~", "1", "1^", "1a", "1.0", "2"}},
    {"apk",
     {"word", "0", "0.0", "0.1_alpha", "0.1_alpha1", "0.1_beta", "0.1_what", "0.1", "0.1-r0",
      "0.1~1a", "0.1_cvs", "0.1_p", "0.1a", "0.1.00", "0.1.1", "1"}},
    {"semver",
     {"0", "0.0.1-0", "0.0.1-1", "0.0.1--", "0.0.1-a", "0.0.1-a.0", "0.0.1", "0.0.1 x", "0.1",
      "0.1.0.1", "1", "1.0.1", "1.0.1a", "1.0.1k", "1.0.2"}},
    {"pep440",
     {"0", "1.dev0", "1.dev1+x", "1a0.dev1", "1a0", "1a0.post1", "1b1", "1rc1", "1", "1+a", "1+0",
      "1.post0.dev1", "1.post0", "1.0.1", "1!0"}},
    {"gem",
     {"1.0.a.b", "1.a", "1.a.0.1", "1.a.1", "1.b", "1.0.0", "1.0.0.1", "1.0.1.a", "1.0.1", "1.1"}},
    {"composer",
     {"dev-a", "dev-b", "0.1", "1-STABLE", "1-dev", "1-a-dev", "1-a", "1-a1", "1-b", "1-RC", "1",
      "1-p", "1.0.0.1", "2", "2.x-dev"}},
    {"nuget", {"0.1", "1-A", "1-a.1", "1-a.B", "1-b", "1", "1.0.0.1"}},
    {"pub", {"1.0.0-a", "1.0.0-a+1", "1.0.0", "1.0.0+1", "1.0.0+1.0", "1.0.0+a"}},
    {"cran", {"0", "0.0", "0.1", "1", "1-0", "1.1", "10"}},
    {"maven",
     {"1-alpha-1", "1-alpha-2", "1-beta", "1-milestone-3", "1-rc", "1-SNAPSHOT", "1", "1-sp", "1-a",
      "1-whatever", "1-1", "1.1", "2"}},
};

static void chains_ascend(void **state)
{
    for (size_t i = 0; i < KE_ARRAY_LEN(chains); i++) {
        const struct version_ops *ops = version_scheme(str_z(chains[i].scheme));
        const char *const *v = chains[i].versions;
        for (size_t j = 0; j < 16 && v[j]; j++)
            for (size_t k = 0; k < 16 && v[k]; k++) {
                int want = (j > k) - (j < k);
                if (sign(ops->compare(str_z(v[j]), str_z(v[k]))) != want)
                    fail_msg("%s: \"%s\" against \"%s\"", ops->name, v[j], v[k]);
                if (ops->key && key_order(ops, str_z(v[j]), str_z(v[k])) != want)
                    fail_msg("%s: keys of \"%s\" and \"%s\"", ops->name, v[j], v[k]);
            }
    }
}

static void own_tools_accept(void **state)
{
    static const struct {
        const char *scheme, *version;
        bool valid;
    } rows[] = {
        {"deb", "1.0_2", false},
        {"deb", " 1.0-1 ", true},
        {"deb", "", false},
        {"apk", "1.0a_p1~ab-r1", true},
        {"apk", "6.0p1", false},
        {"apk", "1.0-r", false},
        {"semver", "1.2", false},
        {"semver", "v1.2.3", true},
        {"semver", "01.2.3", false},
        {"npm", "1.2.3 ", true},
        {"npm", "1.2.3.4", false},
        {"golang", "v1", true},
        {"golang", "v1+x", false},
        {"golang", "go1.21rc1", true},
        {"golang", " v1", false},
        {"pep440", "1.0a-", true},
        {"pep440", "1.0-1-", false},
        {"gem", "1..2", false},
        {"gem", "1.2-a.b-c", true},
        {"gem", "1.2-", false},
        {"gem", "1a", false},
        {"composer", "1.0-1", false},
        {"composer", "1.0@beta", true},
        {"nuget", "1.2.3.4.5", false},
        {"pub", "1.2", false},
        {"cran", "1.2-3", true},
        {"hackage", "1.2-3", false},
        {"maven", "", true},
        {"rpm-evr", "", true},
    };
    for (size_t i = 0; i < KE_ARRAY_LEN(rows); i++) {
        const struct version_ops *ops = version_scheme(str_z(rows[i].scheme));
        if (ops->valid(str_z(rows[i].version)) != rows[i].valid)
            fail_msg("%s \"%s\" is said to be %s", ops->name, rows[i].version,
                     rows[i].valid ? "invalid" : "valid");
    }
}

/* Lengths around the steps of a key's number, and 200,000 digits. */
static void numbers_of_any_length(void **state)
{
    enum { MAX = 200001 };
    static const size_t lengths[] = {1, 2, 253, 254, 255, 256, 508, 509, 510, 65536, MAX - 1, MAX};
    autofree char *nines = malloc(MAX + 2), *ones = malloc(MAX + 2);
    memset(nines, '9', MAX + 2);
    memset(ones, '1', MAX + 2);
    for (size_t s = 0; version_schemes[s]; s++) {
        const struct version_ops *ops = version_schemes[s];
        for (size_t i = 0; i + 1 < KE_ARRAY_LEN(lengths); i++) {
            str a = {nines, lengths[i]}, b = {ones, lengths[i] + 1};
            assert_true(ops->compare(a, b) < 0);
            assert_true(ops->compare(b, a) > 0);
            auto_buf x, y;
            buf_init(&x, 4 << 20);
            buf_init(&y, 4 << 20);
            if (ops->key && ops->key(a, &x) && ops->key(b, &y))
                assert_true(str_cmp(buf_view(&x), buf_view(&y)) < 0);
        }
    }
}

/* Time must stay in proportion to length: these took minutes if it did not. */
static void long_hostile_text(void **state)
{
    static const char *const units[] = {"0.", "1-", "-", "a1", ".0-0", "~", "^", "0-a", "_p", "+"};
    enum { MAX = 1 << 16 };
    autofree char *a = malloc(MAX), *b = malloc(MAX);
    for (size_t u = 0; u < KE_ARRAY_LEN(units); u++) {
        size_t n = strlen(units[u]);
        for (size_t i = 0; i < MAX; i++)
            a[i] = b[i] = units[u][i % n];
        b[MAX - 1] = '1';
        for (size_t s = 0; version_schemes[s]; s++) {
            str x = {a, MAX}, y = {b, MAX};
            int order = sign(version_schemes[s]->compare(x, y));
            assert_int_equal(sign(version_schemes[s]->compare(y, x)), -order);
        }
    }
}

static void a_small_buffer_gives_no_key(void **state)
{
    for (size_t s = 0; version_schemes[s]; s++) {
        auto_buf out;
        buf_init(&out, 3);
        if (version_schemes[s]->key)
            assert_false(version_schemes[s]->key(STR("1.2.3.4.5.6"), &out));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pairs_are_ordered), cmocka_unit_test(chains_ascend),
        cmocka_unit_test(own_tools_accept),  cmocka_unit_test(numbers_of_any_length),
        cmocka_unit_test(long_hostile_text), cmocka_unit_test(a_small_buffer_gives_no_key),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
