#include "unit.h"

#include "codec/regex.h"
#include "codec/regex_needle.h"

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

static const struct {
    const char *pattern, *needle;
} needles[] = {
    {"(?i).*aws_access_key_id( *=+ *).*(?<![A-Z0-9])[A-Z0-9]{20}(?![A-Z0-9]).*",
     "aws_access_key_id"},
    {"(?i)-+BEGIN(.*)PRIVATE KEY-+", "PRIVATE KEY-"},
    {"(?i).*\"auth\": *\".+\"", "\"auth\":"},
    {"abcd?ef", "abc"},
    {"abcd*?ef", "abc"},
    {"abcd+efg", "abcd"},
    {"ab{2}cde", "cde"},
    {"ab{2,}+cde", "cde"},
    {"abc{,3}", ""},
    {"a{b}cd", "a{b}cd"},
    {"a{,}bcd", "bcd"},
    {"abc|def", ""},
    {"(abc|def)xyz", "xyz"},
    {"x(abc(d)[)]e)yz1", "yz1"},
    {"[]abc]def", "def"},
    {"[^]abc]def", "def"},
    {"[\\]abc]def", "def"},
    {"ab\\.cd", "ab.cd"},
    {"ab\\dcde", "cde"},
    {"abc\\x41de", ""},
    {"abc\\p{Lu}", ""},
    {"(?x) a b c", ""},
    {"abc(?x: d )", ""},
    {"abc(?#()d", ""},
    {"abc(d", ""},
    {"abc[d", ""},
    {"abc\\", ""},
    {"ab\xc3\xa9*cd", ""},
    {"abc\xc3\xa9?de", "abc"},
    {"a?b?c?", ""},
    {"", ""},
};

static void what_every_match_has(void **state)
{
    auto_buf out;
    buf_init(&out, 1024);
    for (size_t i = 0; i < KE_ARRAY_LEN(needles); i++) {
        bool known = regex_needle(str_z(needles[i].pattern), &out);
        if (!str_eq(buf_view(&out), str_z(needles[i].needle)) || known != (*needles[i].needle != 0))
            fail_msg("%s: %.*s", needles[i].pattern, STR_ARG(buf_view(&out)));
    }
}

static bool note_line(void *ctx, uint32_t line)
{
    struct buf *b = ctx;
    buf_addf(b, "%u ", line);
    return b->n < 12;
}

/* With and without a needle: the same lines. */
static void lines_are_found(void **state)
{
    static const struct {
        const char *pattern, *text, *lines;
    } rows[] = {
        {".*abc", "abc\nx\n\nxABC\nxabc", "0 4 "},
        {"(?i).*abc", "abc\nx\n\nxABC\nxabc\n", "0 3 4 "},
        {"abc", "xabc\nabc\nab\nc\n", "1 "},
        {"(?i).*a.*bcd$", "abcd e\nAxBCD\n", "1 "},
        {".*\\.js\\b", "a.js\nbxjs\n.jsx\n.js", "0 3 "},
        {"a*", "\n\nb", "0 1 2 "},
        {"a*", "", ""},
        {"abc", "abc\nabc\nabc\nabc\nabc\nabc\nabc\nabc", "0 1 2 3 4 5 "},
        {"x*yz-", "\n\nxxyz-\xff\nyz-", "2 3 "},
        {"\\Aabc\\Z", "abc\nabcd\nabc", "0 2 "},
    };
    struct err e = {0};
    auto_buf out;
    buf_init(&out, 1024);
    for (size_t i = 0; i < 2 * KE_ARRAY_LEN(rows); i++) {
        struct regex *r = NULL;
        assert_ok(regex_compile(str_z(rows[i / 2].pattern),
                                REGEX_ANCHORED | (i % 2 ? REGEX_LINES : 0), &r, &e));
        buf_clear(&out);
        regex_lines(r, str_z(rows[i / 2].text), note_line, &out);
        if (!str_eq(buf_view(&out), str_z(rows[i / 2].lines)))
            fail_msg("%s: %.*s", rows[i / 2].pattern, STR_ARG(buf_view(&out)));
        regex_free(r);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(as_python_matches),       cmocka_unit_test(what_is_no_expression),
        cmocka_unit_test(an_explosion_is_bounded), cmocka_unit_test(what_every_match_has),
        cmocka_unit_test(lines_are_found),
    };
    return cmocka_run_group_tests_name("regex", tests, NULL, NULL);
}
