/* severity.c - the words of severities and fix states, as vendors write them. */
#include "vulndb/claim.h"

#include "base/compiler.h"

static const char *const severity_names[] = {
    [SEV_UNKNOWN] = "Unknown", [SEV_NEGLIGIBLE] = "Negligible",
    [SEV_LOW] = "Low",         [SEV_MEDIUM] = "Medium",
    [SEV_HIGH] = "High",       [SEV_CRITICAL] = "Critical",
};

const char *severity_name(enum severity s)
{
    return (unsigned)s < KE_ARRAY_LEN(severity_names) ? severity_names[s] : "Unknown";
}

static const struct {
    const char *word;
    enum severity severity;
} words[] = {
    {"critical", SEV_CRITICAL},
    {"urgent", SEV_CRITICAL},
    {"high", SEV_HIGH},
    {"important", SEV_HIGH},
    {"medium", SEV_MEDIUM},
    {"moderate", SEV_MEDIUM},
    {"low", SEV_LOW},
    {"minor", SEV_LOW},
    {"negligible", SEV_NEGLIGIBLE},
    {"unimportant", SEV_NEGLIGIBLE},
    {"minimal", SEV_NEGLIGIBLE},
    {"informational", SEV_NEGLIGIBLE},
    {"info", SEV_NEGLIGIBLE},
    {"none", SEV_NEGLIGIBLE},
    {"n/a", SEV_NEGLIGIBLE},
};

enum severity severity_from_word(str word)
{
    word = str_trim(word);
    while (str_ends(word, STR("*"))) /* Debian's "low**" */
        word.n--;
    for (size_t i = 0; i < KE_ARRAY_LEN(words); i++)
        if (str_eq_nocase(word, str_z(words[i].word)))
            return words[i].severity;
    return SEV_UNKNOWN;
}

enum severity severity_from_score(int score10, bool cvss_v2)
{
    if (score10 < 0)
        return SEV_UNKNOWN;
    if (score10 == 0)
        return SEV_NEGLIGIBLE;
    if (score10 < 40)
        return SEV_LOW;
    if (score10 < 70)
        return SEV_MEDIUM;
    return score10 < 90 || cvss_v2 ? SEV_HIGH : SEV_CRITICAL;
}

static const char *const state_names[] = {
    [FIX_UNKNOWN] = "unknown",           [FIX_FIXED] = "fixed",
    [FIX_NOT_FIXED] = "not-fixed",       [FIX_DEFERRED] = "deferred",
    [FIX_WONT_FIX] = "wont-fix",         [FIX_END_OF_LIFE] = "end-of-life",
    [FIX_NOT_AFFECTED] = "not-affected", [FIX_UNDER_INVESTIGATION] = "under-investigation",
    [FIX_WITHDRAWN] = "withdrawn",
};

const char *fix_state_name(enum fix_state s)
{
    return (unsigned)s < KE_ARRAY_LEN(state_names) ? state_names[s] : "unknown";
}

struct vuln vuln_empty(void)
{
    return (struct vuln){.cvss_score10 = -1, .epss_score = -1, .epss_percentile = -1};
}
