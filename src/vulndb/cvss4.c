/* cvss4.c - CVSS v4.0: macro vectors, and the distance to the next lower one (section 8.2 of the
 * specification). All arithmetic is exact: levels are tenths, and fractions are taken over 840, the
 * least common multiple of every depth. */
#include "vulndb/cvss.h"

#include "base/compiler.h"

enum v4_metric {
    AV,
    AC,
    AT,
    PR,
    UI,
    VC,
    VI,
    VA,
    SC,
    SI,
    SA,
    E,
    CR,
    IR,
    AR,
    MAV,
    MAC,
    MAT,
    MPR,
    MUI,
    MVC,
    MVI,
    MVA,
    MSC,
    MSI,
    MSA,
    S,
    AU,
    R,
    V,
    RE,
    U,
    N_METRICS
};
enum { EQ_LEVELS = 3, DEPTH_UNIT = 840 };

static const struct cvss_metric metrics[N_METRICS] = {
    [AV] = {"AV", "N A L P", true}, [AC] = {"AC", "L H", true},
    [AT] = {"AT", "N P", true},     [PR] = {"PR", "N L H", true},
    [UI] = {"UI", "N P A", true},   [VC] = {"VC", "H L N", true},
    [VI] = {"VI", "H L N", true},   [VA] = {"VA", "H L N", true},
    [SC] = {"SC", "S H L N", true}, [SI] = {"SI", "S H L N", true},
    [SA] = {"SA", "S H L N", true}, [E] = {"E", "A P U X"},
    [CR] = {"CR", "H M L X"},       [IR] = {"IR", "H M L X"},
    [AR] = {"AR", "H M L X"},       [MAV] = {"MAV", "N A L P X"},
    [MAC] = {"MAC", "L H X"},       [MAT] = {"MAT", "N P X"},
    [MPR] = {"MPR", "N L H X"},     [MUI] = {"MUI", "N P A X"},
    [MVC] = {"MVC", "H L N X"},     [MVI] = {"MVI", "H L N X"},
    [MVA] = {"MVA", "H L N X"},     [MSC] = {"MSC", "S H L N X"},
    [MSI] = {"MSI", "S H L N X"},   [MSA] = {"MSA", "S H L N X"},
    [S] = {"S", "N P X"},           [AU] = {"AU", "N Y X"},
    [R] = {"R", "A U I X"},         [V] = {"V", "D C X"},
    [RE] = {"RE", "L M H X"},       [U] = {"U", "Clear Green Amber Red X"},
};

/* Scores times ten by [eq1][eq2][eq3][eq4][eq5][eq6]; -1: there is no such macro vector. */
static const int8_t scores[3][2][3][3 * 3 * 2] = {
    {
        {
            {100, 99, 98, 95, 95, 92, 100, 96, 93, 87, 91, 81, 93, 90, 89, 80, 81, 68},
            {98, 95, 95, 92, 90, 84, 93, 92, 89, 81, 81, 65, 88, 80, 78, 70, 69, 48},
            {-1, 92, -1, 82, -1, 72, -1, 79, -1, 69, -1, 50, -1, 69, -1, 55, -1, 27},
        },
        {
            {99, 97, 95, 92, 92, 85, 95, 91, 90, 83, 84, 71, 92, 81, 82, 71, 72, 53},
            {95, 93, 92, 85, 85, 73, 92, 82, 80, 72, 70, 59, 84, 70, 71, 52, 50, 30},
            {-1, 86, -1, 75, -1, 52, -1, 71, -1, 52, -1, 29, -1, 63, -1, 29, -1, 17},
        },
    },
    {
        {
            {98, 95, 94, 87, 91, 81, 94, 89, 86, 74, 77, 64, 87, 75, 74, 63, 63, 49},
            {94, 89, 88, 77, 76, 67, 86, 76, 74, 58, 59, 50, 72, 57, 57, 52, 52, 25},
            {-1, 83, -1, 70, -1, 54, -1, 65, -1, 58, -1, 26, -1, 53, -1, 21, -1, 13},
        },
        {
            {95, 90, 88, 76, 76, 70, 90, 77, 75, 62, 61, 53, 77, 66, 68, 59, 52, 30},
            {89, 78, 76, 67, 62, 58, 74, 59, 57, 57, 47, 23, 61, 52, 57, 29, 24, 16},
            {-1, 71, -1, 59, -1, 30, -1, 58, -1, 26, -1, 15, -1, 23, -1, 13, -1, 6},
        },
    },
    {
        {
            {93, 87, 86, 72, 75, 58, 86, 74, 74, 61, 56, 34, 70, 54, 52, 40, 40, 22},
            {85, 75, 74, 55, 62, 51, 72, 57, 55, 41, 46, 19, 53, 36, 34, 19, 19, 8},
            {-1, 64, -1, 51, -1, 20, -1, 47, -1, 21, -1, 11, -1, 24, -1, 9, -1, 4},
        },
        {
            {88, 75, 73, 53, 60, 50, 73, 55, 59, 40, 41, 20, 54, 43, 45, 22, 20, 11},
            {75, 55, 58, 45, 40, 21, 61, 51, 48, 18, 20, 9, 46, 18, 17, 7, 8, 2},
            {-1, 53, -1, 24, -1, 14, -1, 24, -1, 12, -1, 5, -1, 10, -1, 3, -1, 1},
        },
    },
};

/* The highest severity vectors of each level: per metric the index of its value. */
static const int8_t max_eq1[EQ_LEVELS][3][3] = {
    /* AV PR UI */
    {{0, 0, 0}, {-1}, {-1}},
    {{1, 0, 0}, {0, 1, 0}, {0, 0, 1}},
    {{3, 0, 0}, {1, 1, 1}, {-1}},
};
static const int8_t max_eq2[2][2][2] = {{{0, 0}, {-1}}, {{1, 0}, {0, 1}}};     /* AC AT */
static const int8_t max_eq4[EQ_LEVELS][3] = {{1, 0, 0}, {1, 1, 1}, {2, 2, 2}}; /* SC SI SA */
static const int8_t max_eq36[EQ_LEVELS][2][5][6] = {
    /* VC VI VA CR IR AR */
    {
        {{0, 0, 0, 0, 0, 0}, {-1}, {-1}, {-1}, {-1}},
        {{0, 0, 1, 1, 1, 0}, {0, 0, 0, 1, 1, 1}, {-1}, {-1}, {-1}},
    },
    {
        {{1, 0, 0, 0, 0, 0}, {0, 1, 0, 0, 0, 0}, {-1}, {-1}, {-1}},
        {{1, 0, 1, 0, 1, 0},
         {1, 0, 0, 0, 1, 1},
         {0, 1, 0, 1, 0, 1},
         {0, 1, 1, 1, 0, 0},
         {1, 1, 0, 0, 0, 1}},
    },
    {
        {{-1}, {-1}, {-1}, {-1}, {-1}},
        {{1, 1, 1, 0, 0, 0}, {-1}, {-1}, {-1}, {-1}},
    },
};
/* How deep each level is, in steps. */
static const int depth_eq1[] = {1, 4, 5}, depth_eq2[] = {1, 2}, depth_eq4[] = {6, 5, 4},
                 depth_eq36[3][2] = {{7, 6}, {8, 8}, {10, 10}};

struct macro {
    int eq[6];
};

static int score_of(struct macro q)
{
    static const int limit[6] = {3, 2, 3, 3, 3, 2};
    for (int i = 0; i < 6; i++)
        if (q.eq[i] >= limit[i])
            return -1;
    return scores[q.eq[0]][q.eq[1]][q.eq[2]][(q.eq[3] * 3 + q.eq[4]) * 2 + q.eq[5]];
}

/* Modified metrics over base metrics, and the defaults of what is not defined. */
static void effective(int8_t *m)
{
    for (int i = 0; i <= SA - AV; i++) {
        int not_defined = (int)strlen(metrics[MAV + i].values) / 2; /* X, the last letter */
        if (m[MAV + i] >= 0 && m[MAV + i] != not_defined)
            m[AV + i] = m[MAV + i];
    }
    for (int i = E; i <= AR; i++)
        if (m[i] < 0 || m[i] == 3)
            m[i] = 0;
}

static struct macro macro_of(const int8_t *m)
{
    struct macro q;
    bool all = !m[AV] && !m[PR] && !m[UI], any = !m[AV] || !m[PR] || !m[UI];
    q.eq[0] = all ? 0 : any && m[AV] != 3 ? 1 : 2;
    q.eq[1] = m[AC] || m[AT];
    q.eq[2] = !m[VC] && !m[VI] ? 0 : !m[VC] || !m[VI] || !m[VA] ? 1 : 2;
    q.eq[3] = !m[SI] || !m[SA] ? 0 : m[SC] == 1 || m[SI] == 1 || m[SA] == 1 ? 1 : 2;
    q.eq[4] = m[E];
    q.eq[5] = !((!m[CR] && !m[VC]) || (!m[IR] && !m[VI]) || (!m[AR] && !m[VA]));
    return q;
}

/* Steps from the first of `n_max` vectors that is at least as severe in each metric; -1: none. */
static int distance(const int8_t *m, const uint8_t *which, int n, const int8_t *maxes, int n_max)
{
    for (int k = 0; k < n_max && maxes[k * n] >= 0; k++) {
        int sum = 0;
        bool fits = true;
        for (int i = 0; i < n; i++) {
            int d = m[which[i]] - maxes[k * n + i];
            fits = fits && d >= 0;
            sum += d;
        }
        if (fits)
            return sum;
    }
    return -1;
}

struct slope {
    int lower;    /* score of the next lower macro vector, or -1 */
    int distance; /* steps below the highest vector of the level */
    int depth;    /* steps of the level */
};

static int lower_eq36(struct macro q)
{
    struct macro a = q, b = q;
    a.eq[2]++;
    b.eq[5]++;
    if (q.eq[5] == 1)
        return score_of(a);
    if (q.eq[2] == 1)
        return score_of(b);
    int x = score_of(a), y = score_of(b);
    return x > y ? x : y;
}

static int lower(struct macro q, int which)
{
    q.eq[which]++;
    return score_of(q);
}

int cvss4_score10(str text)
{
    int8_t m[N_METRICS];
    if (!cvss_read(text, metrics, N_METRICS, m))
        return -1;
    if (!m[SC] || !m[SI] || !m[SA] || !m[MSC]) /* Safety: only in MSI and MSA */
        return -1;
    effective(m);
    if (m[VC] == 2 && m[VI] == 2 && m[VA] == 2 && m[SC] == 3 && m[SI] == 3 && m[SA] == 3)
        return 0;
    struct macro q = macro_of(m);
    int value = score_of(q);
    if (value < 0)
        return -1;
    struct slope slopes[] = {
        {lower(q, 0), distance(m, (uint8_t[]){AV, PR, UI}, 3, max_eq1[q.eq[0]][0], 3),
         depth_eq1[q.eq[0]]},
        {lower(q, 1), distance(m, (uint8_t[]){AC, AT}, 2, max_eq2[q.eq[1]][0], 2),
         depth_eq2[q.eq[1]]},
        {lower_eq36(q),
         distance(m, (uint8_t[]){VC, VI, VA, CR, IR, AR}, 6, max_eq36[q.eq[2]][q.eq[5]][0], 5),
         depth_eq36[q.eq[2]][q.eq[5]]},
        {lower(q, 3), distance(m, (uint8_t[]){SC, SI, SA}, 3, max_eq4[q.eq[3]], 1),
         depth_eq4[q.eq[3]]},
        {lower(q, 4), 0, 1},
    };
    int n = 0, sum = 0;
    for (size_t i = 0; i < KE_ARRAY_LEN(slopes); i++) {
        if (slopes[i].lower < 0)
            continue;
        n++;
        if (slopes[i].distance > 0)
            sum += (value - slopes[i].lower) * slopes[i].distance * (DEPTH_UNIT / slopes[i].depth);
    }
    if (n == 0)
        return value;
    int unit = DEPTH_UNIT * n, exact = value * unit - sum;
    int rounded = exact <= 0 ? 0 : (2 * exact + unit) / (2 * unit);
    return rounded > 100 ? 100 : rounded;
}
