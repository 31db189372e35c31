#include "unit.h"

#include "codec/regex.h"

/* What Python 3's re.match() says (recorded from it; flags in the middle as up to 3.10). */
static const struct {
    const char *pattern, *subject;
    int matches;
} cases[] = {
    {"a", "ba", 0},
    {"a$", "a\n", 1},
    {"a\\Z", "a\n", 0},
    {"a\\Z", "a", 1},
    {"a{,2}b", "aab", 1},
    {"a{,2}b", "aaab", 0},
    {"a{,2}b", "b", 1},
    {"a{,x}", "a{,x}", 1},
    {"[[:alpha:]]", "a", 0},
    {"[[:alpha:]]", ":]", 1},
    {"[]a]+b", "]ab", 1},
    {"[^]]", "]", 0},
    {"[[]", "[", 1},
    {"(?i)AbC", "aBc", 1},
    {"(?P<x>a)(?P=x)", "aa", 1},
    {"(?P<x>a)(?P=x)", "ab", 0},
    {"\\d+",
     "\xd9\xa3"
     "",
     1},
    {"(?a)\\d+",
     "\xd9\xa3"
     "",
     0},
    {"\\w",
     "\xc3\xa9"
     "",
     1},
    {"(?u)\\w",
     "\xc3\xa9"
     "",
     1},
    {"\\s",
     "\xc2\xa0"
     "",
     1},
    {"\\u00e9",
     "\xc3\xa9"
     "",
     1},
    {"[\\u00e9]",
     "\xc3\xa9"
     "",
     1},
    {"\\U0001F600",
     "\xf0\x9f\x98\x80"
     "",
     1},
    {".", "\n", 0},
    {"(?s).", "\n", 1},
    {"(?m)^b", "a\nb", 0},
    {"(?<=a)b", "ab", 0},
    {"a(?=b)", "ab", 1},
    {"a|b", "b", 1},
    {"a*?b", "aab", 1},
    {"(?x) a b # c", "ab", 1},
    {"[\\]a]", "]", 1},
    {"\\.\\[", ".", 0},
    {"\\.\\[", ".[", 1},
    {"a{2}", "aa", 1},
    {"a{2,}", "a", 0},
    {"(a)(?:b)\\1", "aba", 1},
    {"^a", "a", 1},
    {"x(?i:Y)", "xy", 1},
    {"x(?i)Y", "Xy", 1},
    {"(?i)\xc3\x89"
     "",
     "\xc3\xa9"
     "",
     1},
    {"\\bfoo\\b", "foo bar", 1},
    {"(?im)a", "A", 1},
};

static void as_python_matches(void **state)
{
    struct err e = {0};
    for (size_t i = 0; i < KE_ARRAY_LEN(cases); i++) {
        struct regex *r = NULL;
        if (regex_compile(str_z(cases[i].pattern), REGEX_UTF | REGEX_ANCHORED, &r, &e) < 0)
            fail_msg("%s: %s", cases[i].pattern, e.text);
        int got = regex_match(r, str_z(cases[i].subject), &e);
        if (got != cases[i].matches)
            fail_msg("%s on %s: %d", cases[i].pattern, cases[i].subject, got);
        regex_free(r);
    }
}

static void what_is_no_expression(void **state)
{
    static const char *const bad[] = {"(",      "[",  "a**",      "\\",  "(?P<x",
                                      "(?P=y)", "[a", "(?<=a*)b", "\xff"};
    for (size_t i = 0; i < KE_ARRAY_LEN(bad); i++) {
        struct regex *r = NULL;
        struct err e = {0};
        if (regex_compile(str_z(bad[i]), REGEX_UTF | REGEX_ANCHORED, &r, &e) != ERR_USAGE)
            fail_msg("%s is taken", bad[i]);
        assert_true(str_contains(str_z(e.text), STR("is no regular expression")));
    }
}

static void an_explosion_is_bounded(void **state)
{
    struct regex *r = NULL;
    struct err e = {0};
    char subject[64];
    memset(subject, 'a', sizeof subject);
    subject[sizeof subject - 1] = 'b';
    assert_ok(regex_compile(STR("(a+)+$"), REGEX_UTF | REGEX_ANCHORED, &r, &e));
    assert_int_equal(regex_match(r, (str){subject, sizeof subject}, &e), ERR_LIMIT);
    regex_free(r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(as_python_matches),
        cmocka_unit_test(what_is_no_expression),
        cmocka_unit_test(an_explosion_is_bounded),
    };
    return cmocka_run_group_tests_name("regex", tests, NULL, NULL);
}
