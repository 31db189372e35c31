/* Words of severity and state, and CVSS scores of all versions. */
#include "unit.h"

#include "vulndb/claim.h"

static void words(void **state)
{
    static const struct {
        const char *word;
        enum severity severity;
    } rows[] = {
        {"Critical", SEV_CRITICAL},
        {"URGENT", SEV_CRITICAL},
        {"important", SEV_HIGH},
        {"moderate", SEV_MEDIUM},
        {" Low ", SEV_LOW},
        {"low**", SEV_LOW},
        {"medium**", SEV_MEDIUM},
        {"unimportant", SEV_NEGLIGIBLE},
        {"n/a", SEV_NEGLIGIBLE},
        {"informational", SEV_NEGLIGIBLE},
        {"not yet assigned", SEV_UNKNOWN},
        {"end-of-life", SEV_UNKNOWN},
        {"untriaged", SEV_UNKNOWN},
        {"", SEV_UNKNOWN},
        {"***", SEV_UNKNOWN},
    };
    for (size_t i = 0; i < KE_ARRAY_LEN(rows); i++)
        if (severity_from_word(str_z(rows[i].word)) != rows[i].severity)
            fail_msg("\"%s\": %s", rows[i].word,
                     severity_name(severity_from_word(str_z(rows[i].word))));
    assert_string_equal(severity_name(SEV_CRITICAL), "Critical");
    assert_string_equal(severity_name((enum severity)77), "Unknown");
    assert_string_equal(fix_state_name(FIX_UNDER_INVESTIGATION), "under-investigation");
    assert_string_equal(fix_state_name((enum fix_state)77), "unknown");
}

static void words_of_scores(void **state)
{
    static const struct {
        int score10;
        enum severity v3, v2;
    } rows[] = {
        {-1, SEV_UNKNOWN, SEV_UNKNOWN}, {0, SEV_NEGLIGIBLE, SEV_NEGLIGIBLE},
        {1, SEV_LOW, SEV_LOW},          {39, SEV_LOW, SEV_LOW},
        {40, SEV_MEDIUM, SEV_MEDIUM},   {69, SEV_MEDIUM, SEV_MEDIUM},
        {70, SEV_HIGH, SEV_HIGH},       {89, SEV_HIGH, SEV_HIGH},
        {90, SEV_CRITICAL, SEV_HIGH},   {100, SEV_CRITICAL, SEV_HIGH},
    };
    for (size_t i = 0; i < KE_ARRAY_LEN(rows); i++) {
        assert_int_equal(severity_from_score(rows[i].score10, false), rows[i].v3);
        assert_int_equal(severity_from_score(rows[i].score10, true), rows[i].v2);
    }
}

static void cvss(void **state)
{
    static const struct {
        const char *vector;
        int score10;
    } rows[] = {
        {"AV:N/AC:L/Au:N/C:C/I:C/A:C", 100},
        {"(AV:N/AC:M/Au:N/C:N/I:P/A:N)", 43},
        {"AV:L/AC:H/Au:M/C:N/I:N/A:N", 0},
        {"AV:N/AC:L/Au:N/C:P/I:P/A:P/E:POC/RL:OF/RC:C", 75},
        {"CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H", 98},
        {"CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:C/C:H/I:H/A:H", 100},
        {"CVSS:3.0/AV:N/AC:L/PR:N/UI:R/S:C/C:L/I:L/A:N", 61},
        {"CVSS:3.1/AV:P/AC:H/PR:H/UI:R/S:U/C:N/I:N/A:N", 0},
        {"CVSS:3.1/AV:L/AC:L/PR:L/UI:N/S:U/C:H/I:H/A:H/E:P/RL:O/RC:C", 78},
        {"CVSS:3.1/S:U/C:H/I:H/A:H/AV:N/AC:L/PR:N/UI:N", 98},
        {"CVSS:4.0/AV:N/AC:L/AT:N/PR:N/UI:N/VC:H/VI:H/VA:H/SC:H/SI:H/SA:H", 100},
        {"CVSS:4.0/AV:N/AC:L/AT:N/PR:N/UI:N/VC:H/VI:H/VA:H/SC:N/SI:N/SA:N", 93},
        {"CVSS:4.0/AV:N/AC:L/AT:N/PR:N/UI:N/VC:N/VI:N/VA:N/SC:N/SI:N/SA:N", 0},
        {"CVSS:4.0/AV:N/AC:L/AT:N/PR:N/UI:N/VC:N/VI:N/VA:H/SC:N/SI:N/SA:N", 87},
        {"", -1},
        {"nonsense", -1},
        {"CVSS:3.1/", -1},
        {"CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H", -1},
        {"CVSS:3.1/AV:N/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H", -1},
        {"CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:Q", -1},
        {"CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H/ZZ:Q", -1},
        {"CVSS:4.0/AV:N/AC:L/AT:N/PR:N/UI:N/VC:H/VI:H/VA:H/SC:N/SI:S/SA:N", -1},
        {"CVSS:4.0/AV:N/AC:L/AT:N/PR:N/UI:N/VC:H/VI:H/VA:H/SC:N/SI:N", -1},
        {"CVSS:5.0/AV:N/AC:L/AT:N/PR:N/UI:N/VC:H/VI:H/VA:H/SC:N/SI:N/SA:N", -1},
    };
    for (size_t i = 0; i < KE_ARRAY_LEN(rows); i++) {
        int got = cvss_score10(str_z(rows[i].vector));
        if (got != rows[i].score10)
            fail_msg("%s: %d, want %d", rows[i].vector, got, rows[i].score10);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(words),
        cmocka_unit_test(words_of_scores),
        cmocka_unit_test(cvss),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
