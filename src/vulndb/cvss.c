/* cvss.c - base scores of CVSS v2 and v3, and the vector reader; v4.0 is in cvss4.c. */
#include "vulndb/cvss.h"

#include "base/compiler.h"
#include "vulndb/claim.h"

#include <math.h>

static int value_index(const char *values, str value)
{
    str rest = str_z(values);
    for (int i = 0; rest.n; i++)
        if (str_eq(str_split(&rest, ' '), value))
            return i;
    return -1;
}

bool cvss_read(str vector, const struct cvss_metric *metrics, size_t n, int8_t *out)
{
    memset(out, -1, n);
    while (vector.n) {
        str value = str_split(&vector, '/');
        str name = str_split(&value, ':');
        size_t i = 0;
        while (i < n && !str_eq(str_z(metrics[i].name), name))
            i++;
        if (i == n || out[i] >= 0)
            return false;
        out[i] = (int8_t)value_index(metrics[i].values, value);
        if (out[i] < 0)
            return false;
    }
    for (size_t i = 0; i < n; i++)
        if (metrics[i].must && out[i] < 0)
            return false;
    return true;
}

enum { V2_AV, V2_AC, V2_AU, V2_C, V2_I, V2_A };

static const struct cvss_metric v2_metrics[] = {
    {"AV", "L A N", true}, {"AC", "H M L", true},     {"Au", "M S N", true}, {"C", "N P C", true},
    {"I", "N P C", true},  {"A", "N P C", true},      {"E", "U POC F H ND"}, {"RL", "OF TF W U ND"},
    {"RC", "UC UR C ND"},  {"CDP", "N L LM MH H ND"}, {"TD", "N L M H ND"},  {"CR", "L M H ND"},
    {"IR", "L M H ND"},    {"AR", "L M H ND"},
};

static int v2_score10(str vector)
{
    static const double av[] = {0.395, 0.646, 1.0}, ac[] = {0.35, 0.61, 0.71},
                        au[] = {0.45, 0.56, 0.704}, cia[] = {0.0, 0.275, 0.660};
    int8_t m[KE_ARRAY_LEN(v2_metrics)];
    if (!cvss_read(vector, v2_metrics, KE_ARRAY_LEN(v2_metrics), m))
        return -1;
    double impact = 10.41 * (1 - (1 - cia[m[V2_C]]) * (1 - cia[m[V2_I]]) * (1 - cia[m[V2_A]]));
    double exploitability = 20 * av[m[V2_AV]] * ac[m[V2_AC]] * au[m[V2_AU]];
    double f = impact == 0 ? 0 : 1.176;
    return (int)lround((0.6 * impact + 0.4 * exploitability - 1.5) * f * 10);
}

enum { V3_AV, V3_AC, V3_PR, V3_UI, V3_S, V3_C, V3_I, V3_A };

static const struct cvss_metric v3_metrics[] = {
    {"AV", "N A L P", true}, {"AC", "L H", true},  {"PR", "N L H", true}, {"UI", "N R", true},
    {"S", "U C", true},      {"C", "H L N", true}, {"I", "H L N", true},  {"A", "H L N", true},
    {"E", "X U P F H"},      {"RL", "X O T W U"},  {"RC", "X U R C"},     {"CR", "X L M H"},
    {"IR", "X L M H"},       {"AR", "X L M H"},    {"MAV", "X N A L P"},  {"MAC", "X L H"},
    {"MPR", "X N L H"},      {"MUI", "X N R"},     {"MS", "X U C"},       {"MC", "X H L N"},
    {"MI", "X H L N"},       {"MA", "X H L N"},
};

/* Roundup of the v3.1 specification, appendix A, times ten. */
static int roundup10(double x)
{
    long n = lround(x * 100000);
    return n % 10000 == 0 ? (int)(n / 10000) : (int)(n / 10000) + 1;
}

static int v3_score10(str vector)
{
    static const double av[] = {0.85, 0.62, 0.55, 0.2}, ac[] = {0.77, 0.44}, ui[] = {0.85, 0.62},
                        cia[] = {0.56, 0.22, 0.0};
    static const double pr[2][3] = {{0.85, 0.62, 0.27}, {0.85, 0.68, 0.5}};
    int8_t m[KE_ARRAY_LEN(v3_metrics)];
    if (!cvss_read(vector, v3_metrics, KE_ARRAY_LEN(v3_metrics), m))
        return -1;
    bool changed = m[V3_S] == 1;
    double iss = 1 - (1 - cia[m[V3_C]]) * (1 - cia[m[V3_I]]) * (1 - cia[m[V3_A]]);
    double impact = changed ? 7.52 * (iss - 0.029) - 3.25 * pow(iss - 0.02, 15) : 6.42 * iss;
    if (impact <= 0)
        return 0;
    double total =
        impact + 8.22 * av[m[V3_AV]] * ac[m[V3_AC]] * pr[changed][m[V3_PR]] * ui[m[V3_UI]];
    if (changed)
        total *= 1.08;
    return roundup10(total < 10 ? total : 10);
}

str cvss_first(str vectors)
{
    return str_split(&vectors, ' ');
}

str cvss_of_version3(str vectors)
{
    while (vectors.n) {
        str one = str_split(&vectors, ' ');
        if (str_starts(one, STR("CVSS:3.")))
            return one;
    }
    return STR("");
}

int cvss_score10(str vector)
{
    vector = str_trim(vector);
    if (str_starts(vector, STR("CVSS:3.1/")) || str_starts(vector, STR("CVSS:3.0/")))
        return v3_score10(str_from(vector, 9));
    if (str_starts(vector, STR("CVSS:4.0/")))
        return cvss4_score10(str_from(vector, 9));
    if (str_starts(vector, STR("(")) && str_ends(vector, STR(")")))
        vector = str_sub(vector, 1, vector.n - 1);
    if (str_starts(vector, STR("CVSS:2.0/")))
        vector = str_from(vector, 9);
    return v2_score10(vector);
}
