/* vulnerabilities.c - rules about an image's findings and about the data they come from. */
#include "base/auto.h"
#include "policy/gates/gates.h"

enum { DAY_S = 86400, MESSAGE_MAX = 1 << 20 };
#define DAY_US (DAY_S * 1000000LL)

static const char *const severities[] = {"unknown", "negligible", "low", "medium",
                                         "high",    "critical",   NULL};
static const char *const types[] = {"all", "os", "non-os", NULL};
static const char *const comparisons[] = {"=", "!=", "<", ">", "<=", ">=", NULL};
static const char *const fix_states[] = {"fixed", "not-fixed", "wont-fix", NULL};
enum { TYPE_ALL, TYPE_OS, TYPE_NON_OS };
enum { CMP_EQ, CMP_NE, CMP_LT, CMP_GT, CMP_LE, CMP_GE };
enum { FIX_IS_KNOWN, FIX_IS_NOT_KNOWN, FIX_IS_REFUSED };
enum { SEVERITY_UNKNOWN };

static bool compare(double found, int how, double wanted)
{
    switch (how) {
    case CMP_EQ:
        return found == wanted;
    case CMP_NE:
        return found != wanted;
    case CMP_LT:
        return found < wanted;
    case CMP_GT:
        return found > wanted;
    case CMP_LE:
        return found <= wanted;
    default:
        return found >= wanted;
    }
}

static int severity_of(const struct policy_finding *v)
{
    for (int i = 0; severities[i]; i++)
        if (str_eq_nocase(v->severity, str_z(severities[i])))
            return i;
    return SEVERITY_UNKNOWN;
}

static bool is_os(const struct policy_finding *v)
{
    static const char *const languages[] = {"java", "python",   "npm",   "gem",    "maven",
                                            "js",   "composer", "nuget", "binary", "go"};
    for (size_t i = 0; i < KE_ARRAY_LEN(languages); i++)
        if (str_eq_nocase(v->type, str_z(languages[i])))
            return false;
    return true;
}

static bool has_fix(const struct policy_finding *v)
{
    for (size_t i = 0; i < v->n_fix_versions; i++)
        if (v->fix_versions[i].n)
            return true;
    return false;
}

static int choice_or(const struct rule_value *v, int fallback)
{
    return v->set ? v->choice : fallback;
}

static bool flag_or(const struct rule_value *v, bool fallback)
{
    return v->set ? v->flag : fallback;
}

/* ---- package -----------------------------------------------------------------------------------
 */

enum {
    P_TYPE,
    P_SEVERITY_CMP,
    P_SEVERITY,
    P_NVD, /* three pairs: comparison, score */
    P_FIX = P_NVD + 6,
    P_VENDOR_ONLY,
    P_DAYS_CREATED,
    P_DAYS_FIX,
    P_VENDOR, /* three pairs */
    P_EXCLUDE = P_VENDOR + 6,
    P_INCLUDE,
    P_EPSS_CMP,
    P_EPSS,
    P_PERCENTILE_CMP,
    P_PERCENTILE,
    P_KEV,
    P_FIX_STATE,
    P_VEX,
};

#define COMPARISON(of, what)                                                                       \
    {                                                                                              \
        .name = of "_comparison", .type = PARAM_ENUM, .choices = comparisons, .example = ">",      \
        .description = "How " what " is compared; >= when not given.",                             \
    }
#define SCORE(of, what)                                                                            \
    COMPARISON(of, what),                                                                          \
    {                                                                                              \
        .name = of, .type = PARAM_FLOAT,                                                           \
        .description = "With what " what " is compared; -1.0 stands for one that is not known.",   \
    }

static const struct gate_param package_params[] = {
    {.name = "package_type",
     .type = PARAM_ENUM,
     .required = true,
     .choices = types,
     .example = "all",
     .description = "Packages of the distribution (os), of languages (non-os), or all."},
    {.name = "severity_comparison",
     .type = PARAM_ENUM,
     .choices = comparisons,
     .example = ">",
     .description = "How the severity is compared; > when not given."},
    {.name = "severity",
     .type = PARAM_ENUM,
     .choices = severities,
     .example = "high",
     .description = "With what the severity is compared; unknown when not given."},
    SCORE("cvss_v3_base_score", "the NVD's CVSS v3 base score"),
    SCORE("cvss_v3_exploitability_score", "the NVD's CVSS v3 exploitability score"),
    SCORE("cvss_v3_impact_score", "the NVD's CVSS v3 impact score"),
    {.name = "fix_available",
     .type = PARAM_BOOL,
     .example = "true",
     .description = "Only findings with (true) or without (false) a version that mends them."},
    {.name = "vendor_only",
     .type = PARAM_BOOL,
     .example = "true",
     .description = "true, which is the default, leaves out what the vendor said not to mend."},
    {.name = "max_days_since_creation",
     .type = PARAM_INT,
     .example = "7",
     .description = "Only findings that the image has been known to have for as many days."},
    {.name = "max_days_since_fix",
     .type = PARAM_INT,
     .example = "30",
     .description = "Only findings whose fix is as many days old; with fix_available true."},
    SCORE("vendor_cvss_v3_base_score", "the vendor's CVSS v3 base score"),
    SCORE("vendor_cvss_v3_exploitability_score", "the vendor's CVSS v3 exploitability score"),
    SCORE("vendor_cvss_v3_impact_score", "the vendor's CVSS v3 impact score"),
    {.name = "package_path_exclude",
     .type = PARAM_STRING,
     .example = ".*test\\.jar*",
     .description = "An expression: language packages whose path it matches are left out."},
    {.name = "package_path_include",
     .type = PARAM_STRING,
     .example = "/opt/.*",
     .description = "An expression: only language packages whose path it matches.",
     .own = true},
    {.name = "epss_score_comparison",
     .type = PARAM_ENUM,
     .choices = comparisons,
     .example = ">=",
     .description = "How the EPSS score is compared; >= when not given.",
     .own = true},
    {.name = "epss_score",
     .type = PARAM_FLOAT,
     .example = "0.1",
     .description = "With what the EPSS score (0 to 1, -1.0 when not known) is compared.",
     .own = true},
    {.name = "epss_percentile_comparison",
     .type = PARAM_ENUM,
     .choices = comparisons,
     .example = ">=",
     .description = "How the EPSS percentile is compared; >= when not given.",
     .own = true},
    {.name = "epss_percentile",
     .type = PARAM_FLOAT,
     .example = "0.95",
     .description = "With what the EPSS percentile (0 to 1, -1.0 when not known) is compared.",
     .own = true},
    {.name = "kev",
     .type = PARAM_BOOL,
     .example = "true",
     .description = "Only what is known (true) or not known (false) to be exploited.",
     .own = true},
    {.name = "fix_state",
     .type = PARAM_ENUM,
     .choices = fix_states,
     .example = "fixed",
     .description = "Only findings whose fix is in this state; wont-fix needs vendor_only false.",
     .own = true},
    {.name = "vex_status",
     .type = PARAM_LIST,
     .example = "affected,under_investigation",
     .description = "Only findings with one of these VEX statuses; none stands for no statement.",
     .own = true},
    {NULL},
};

struct package_state {
    struct regex *exclude, *include;
};

static void package_release(void *state)
{
    struct package_state *s = state;
    if (!s)
        return;
    regex_free(s->exclude);
    regex_free(s->include);
    free(s);
}

static int prepare_one(const struct rule_value *v, struct regex **out, struct err *e)
{
    return v->set ? regex_compile(v->text, REGEX_UTF | REGEX_ANCHORED, out, e) : 0;
}

static int package_prepare(const struct rule_params *p, struct arena *a, void **state,
                           struct err *e)
{
    struct package_state *s = calloc(1, sizeof *s);
    (void)a;
    if (!s)
        return err_no_memory(e);
    int rc = prepare_one(&p->values[P_EXCLUDE], &s->exclude, e);
    if (rc >= 0)
        rc = prepare_one(&p->values[P_INCLUDE], &s->include, e);
    if (rc < 0)
        package_release(s);
    else
        *state = s;
    return rc < 0 ? rc : 0;
}

/* 1: the finding is old enough; 0 not yet. */
static int old_enough(struct firing *f, int64_t since, int64_t days)
{
    int64_t at;
    if (!since)
        return 1;
    if (__builtin_mul_overflow(days, DAY_US, &at) || __builtin_add_overflow(at, since, &at))
        return 0;
    if (gate_subject(f)->now_us >= at)
        return 1;
    gate_until(f, at);
    return 0;
}

static bool scores_fit(const struct rule_value *pairs, const struct policy_cvss *c)
{
    const double found[3] = {c->base, c->exploitability, c->impact};
    for (int i = 0; i < 3; i++)
        if (pairs[2 * i + 1].set &&
            !compare(found[i], choice_or(&pairs[2 * i], CMP_GE), pairs[2 * i + 1].real))
            return false;
    return true;
}

/* What only our own parameters ask. */
static bool own_fit(const struct rule_value *p, const struct policy_finding *v)
{
    if (p[P_EPSS].set && !compare(v->epss, choice_or(&p[P_EPSS_CMP], CMP_GE), p[P_EPSS].real))
        return false;
    if (p[P_PERCENTILE].set &&
        !compare(v->epss_percentile, choice_or(&p[P_PERCENTILE_CMP], CMP_GE), p[P_PERCENTILE].real))
        return false;
    if (p[P_KEV].set && p[P_KEV].flag != v->kev)
        return false;
    int state = v->will_not_fix ? FIX_IS_REFUSED : has_fix(v) ? FIX_IS_KNOWN : FIX_IS_NOT_KNOWN;
    if (p[P_FIX_STATE].set && p[P_FIX_STATE].choice != state)
        return false;
    if (!p[P_VEX].set)
        return true;
    str said = v->vex_status.n ? v->vex_status : STR("none");
    for (size_t i = 0; i < p[P_VEX].n; i++)
        if (str_eq_nocase(p[P_VEX].list[i], said))
            return true;
    return false;
}

static int paths_fit(struct firing *f, const struct package_state *s,
                     const struct policy_finding *v, struct err *e)
{
    int rc = s->exclude ? gate_match(f, s->exclude, v->location, e) : 0;
    if (rc != 0)
        return rc < 0 ? rc : 0;
    return s->include ? gate_match(f, s->include, v->location, e) : 1;
}

static bool type_fits(int wanted, bool os)
{
    return wanted == TYPE_ALL || (wanted == TYPE_OS) == os;
}

/* 1: the rule fires for it, 0 not. */
static int package_fits(struct firing *f, const struct package_state *s,
                        const struct policy_finding *v, bool os, struct err *e)
{
    const struct rule_value *p = gate_params(f)->values;
    if (!type_fits(p[P_TYPE].choice, os))
        return 0;
    if (!compare(severity_of(v), choice_or(&p[P_SEVERITY_CMP], CMP_GT),
                 choice_or(&p[P_SEVERITY], SEVERITY_UNKNOWN)))
        return 0;
    if (v->will_not_fix && flag_or(&p[P_VENDOR_ONLY], true))
        return 0;
    if (p[P_FIX].set && p[P_FIX].flag != has_fix(v))
        return 0;
    if (!scores_fit(p + P_NVD, &v->nvd) || !scores_fit(p + P_VENDOR, &v->vendor) || !own_fit(p, v))
        return 0;
    int rc = os ? 1 : paths_fit(f, s, v, e);
    if (rc != 1)
        return rc;
    if (p[P_DAYS_CREATED].set && !old_enough(f, v->detected_us, p[P_DAYS_CREATED].number))
        return 0;
    if (p[P_FIX].set && p[P_FIX].flag && p[P_DAYS_FIX].set)
        return old_enough(f, v->fix_observed_us, p[P_DAYS_FIX].number);
    return 1;
}

/* " name=value" into a group of brackets that opens with its first member. */
struct group {
    struct buf *out;
    bool open;
};

static void group_add(struct group *g, const char *name, str value)
{
    buf_add_char(g->out, g->open ? ' ' : '(');
    buf_addf(g->out, "%s=%.*s", name, STR_ARG(value));
    g->open = true;
}

static void group_end(struct group *g)
{
    if (g->open)
        buf_add_char(g->out, ')');
}

static void put_scores(struct buf *b, struct arena *a, const struct gate_param *names,
                       const struct rule_value *pairs, const struct policy_cvss *c)
{
    const double found[3] = {c->base, c->exploitability, c->impact};
    struct group g = {b, false};
    for (int i = 0; i < 3; i++)
        if (pairs[2 * i + 1].set && found[i] != 0.0)
            group_add(&g, names[2 * i + 1].name, gate_real(a, found[i]));
    group_end(&g);
}

static void put_dates(struct buf *b, struct arena *a, const struct rule_value *p,
                      const struct policy_finding *v)
{
    struct group g = {b, false};
    if (p[P_DAYS_CREATED].set && v->detected_us)
        group_add(&g, "max_days_since_creation", gate_date(a, v->detected_us));
    if (p[P_FIX].set && p[P_FIX].flag && p[P_DAYS_FIX].set && v->fix_observed_us)
        group_add(&g, "max_days_since_fix", gate_date(a, v->fix_observed_us));
    group_end(&g);
}

static void put_own(struct buf *b, struct arena *a, const struct rule_value *p,
                    const struct policy_finding *v)
{
    struct group g = {b, false};
    if (p[P_EPSS].set)
        group_add(&g, "epss_score", gate_real(a, v->epss));
    if (p[P_PERCENTILE].set)
        group_add(&g, "epss_percentile", gate_real(a, v->epss_percentile));
    if (p[P_KEV].set)
        group_add(&g, "kev", v->kev ? STR("true") : STR("false"));
    if (p[P_VEX].set && v->vex_status.n)
        group_add(&g, "vex_status", v->vex_status);
    group_end(&g);
}

static str package_message(struct firing *f, const struct policy_finding *v, bool os)
{
    const struct rule_value *p = gate_params(f)->values;
    struct arena *a = gate_arena(f);
    str what = os ? v->name : v->location;
    auto_buf b;
    buf_init(&b, MESSAGE_MAX);
    for (size_t i = 0; i < v->severity.n; i++) {
        char c = v->severity.p[i];
        buf_add_char(&b, c >= 'a' && c <= 'z' ? (char)(c - 32) : c);
    }
    buf_addf(&b, " Vulnerability found in %s package type (%.*s) - %.*s ", os ? "os" : "non-os",
             STR_ARG(v->type), STR_ARG(what));
    if (has_fix(v)) {
        bool first = true;
        buf_add_str(&b, STR("(fixed in: "));
        for (size_t i = 0; i < v->n_fix_versions; i++) {
            if (!v->fix_versions[i].n)
                continue;
            buf_addf(&b, first ? "%.*s" : ", %.*s", STR_ARG(v->fix_versions[i]));
            first = false;
        }
        buf_add_char(&b, ')');
    }
    put_scores(&b, a, package_params + P_NVD, p + P_NVD, &v->nvd);
    put_dates(&b, a, p, v);
    put_scores(&b, a, package_params + P_VENDOR, p + P_VENDOR, &v->vendor);
    put_own(&b, a, p, v);
    buf_addf(&b, "(%.*s - %.*s)", STR_ARG(v->id), STR_ARG(v->url));
    return buf_ok(&b) ? arena_dup(a, buf_view(&b)) : (str){0};
}

/* What stands behind the "+" of a row's id. */
static str package_word(struct firing *f, const struct policy_finding *v, bool os)
{
    if (os)
        return v->name;
    if (str_eq_nocase(v->type, STR("java")) || str_eq_nocase(v->type, STR("gem"))) {
        str file = str_basename(v->location);
        if (file.n)
            return file;
    } else if (str_eq_nocase(v->type, STR("npm"))) {
        str module = str_basename(str_dirname(v->location));
        if (module.n)
            return module;
    }
    return arena_printf(gate_arena(f), "%.*s-%.*s", STR_ARG(v->name), STR_ARG(v->version));
}

static int package_fire(struct firing *f, void *state, struct err *e)
{
    const struct policy_image *image = gate_subject(f)->image;
    const struct policy_findings *found = gate_subject(f)->findings;
    for (size_t i = 0; i < found->n; i++) {
        const struct policy_finding *v = &found->items[i];
        bool os = is_os(v);
        int rc = package_fits(f, state, v, os, e);
        if (rc < 0)
            return err_wrap(e, "the path %.*s", STR_ARG(v->location));
        if (!rc)
            continue;
        str word = package_word(f, v, os), message = package_message(f, v, os);
        str id = arena_printf(gate_arena(f), "%.*s+%.*s", STR_ARG(v->id), STR_ARG(word));
        if (!message.p || !id.p)
            return err_no_memory(e);
        gate_about(f, v, v->package < image->n_packages ? &image->packages[v->package] : NULL,
                   v->location);
        gate_fire_str(f, id, message);
    }
    return 0;
}

/* ---- the data ----------------------------------------------------------------------------------
 */

static const struct gate_param stale_params[] = {
    {.name = "max_days_since_sync",
     .type = PARAM_INT,
     .required = true,
     .example = "10",
     .description = "Fires when the data were last synchronised more than as many days ago."},
    {NULL},
};

static int stale_fire(struct firing *f, void *state, struct err *e)
{
    const struct policy_subject *s = gate_subject(f);
    int64_t days = gate_params(f)->values[0].number, at;
    (void)state, (void)e;
    if (__builtin_mul_overflow(days, DAY_US, &at) ||
        __builtin_add_overflow(at, s->feeds->synced_us, &at))
        at = INT64_MAX;
    if (s->feeds->synced_us && s->feeds->covers_distro && s->now_us <= at) {
        if (at < INT64_MAX)
            gate_until(f, at + 1);
        return 0;
    }
    gate_fire(f, (str){0},
              "The vulnerability feed for this image distro is older than MAXAGE (%lld) days",
              (long long)days);
    return 0;
}

static int unavailable_fire(struct firing *f, void *state, struct err *e)
{
    const struct policy_subject *s = gate_subject(f);
    (void)state, (void)e;
    if (!s->feeds->covers_distro)
        gate_fire(f, (str){0},
                  "Distro-specific feed data not found for distro namespace: %.*s:%.*s. Cannot"
                  " perform CVE scan OS/distro packages",
                  STR_ARG(s->image->distro), STR_ARG(s->image->distro_version));
    return 0;
}

/* ---- lists and counts --------------------------------------------------------------------------
 */

enum { B_IDS, B_VENDOR_ONLY, B_ALIASES };
static const struct gate_param blacklist_params[] = {
    {.name = "vulnerability_ids",
     .type = PARAM_LIST,
     .required = true,
     .example = "CVE-2019-1234",
     .description = "Ids of vulnerabilities that must not be found, separated by commas."},
    {.name = "vendor_only",
     .type = PARAM_BOOL,
     .example = "true",
     .description = "true, which is the default, leaves out what the vendor said not to mend."},
    {.name = "match_aliases",
     .type = PARAM_BOOL,
     .example = "true",
     .description = "Ids name a vulnerability by all of its names: a CVE also as GHSA, and back.",
     .own = true},
    {NULL},
};

static bool names(const struct policy_finding *v, str id, bool aliases)
{
    if (str_eq(v->id, id))
        return true;
    for (size_t i = 0; aliases && i < v->n_aliases; i++)
        if (str_eq(v->aliases[i], id))
            return true;
    return false;
}

static int blacklist_fire(struct firing *f, void *state, struct err *e)
{
    const struct policy_findings *found = gate_subject(f)->findings;
    const struct rule_value *p = gate_params(f)->values;
    bool vendor_only = flag_or(&p[B_VENDOR_ONLY], true), aliases = flag_or(&p[B_ALIASES], false);
    str *hits = arena_calloc(gate_arena(f), p[B_IDS].n + 1, sizeof *hits);
    size_t n = 0;
    (void)state;
    if (!hits)
        return err_no_memory(e);
    for (size_t k = 0; k < p[B_IDS].n; k++)
        for (size_t i = 0; i < found->n; i++) {
            if ((found->items[i].will_not_fix && vendor_only) ||
                !names(&found->items[i], p[B_IDS].list[k], aliases))
                continue;
            hits[n++] = p[B_IDS].list[k];
            break;
        }
    if (n) {
        str list = gate_list_repr(gate_arena(f), hits, n);
        gate_fire(f, (str){0}, "Blacklisted vulnerabilities detected: %.*s", STR_ARG(list));
    }
    return 0;
}

enum { C_MAX, C_SEVERITY_CMP, C_SEVERITY, C_TYPE, C_FIX, C_VENDOR_ONLY };
static const struct gate_param count_params[] = {
    {.name = "max_count",
     .type = PARAM_INT,
     .required = true,
     .example = "10",
     .description = "Fires when there are more findings than this.",
     .own = true},
    {.name = "severity_comparison",
     .type = PARAM_ENUM,
     .choices = comparisons,
     .example = ">=",
     .description = "How the severity of those that count is compared; >= when not given.",
     .own = true},
    {.name = "severity",
     .type = PARAM_ENUM,
     .choices = severities,
     .example = "high",
     .description = "With what it is compared; unknown when not given, so that all count.",
     .own = true},
    {.name = "package_type",
     .type = PARAM_ENUM,
     .choices = types,
     .example = "all",
     .description = "Whose findings count; all when not given.",
     .own = true},
    {.name = "fix_available",
     .type = PARAM_BOOL,
     .example = "true",
     .description = "Only findings with (true) or without (false) a version that mends them.",
     .own = true},
    {.name = "vendor_only",
     .type = PARAM_BOOL,
     .example = "true",
     .description = "true, which is the default, leaves out what the vendor said not to mend.",
     .own = true},
    {NULL},
};

static int count_fire(struct firing *f, void *state, struct err *e)
{
    const struct policy_findings *found = gate_subject(f)->findings;
    const struct rule_value *p = gate_params(f)->values;
    int how = choice_or(&p[C_SEVERITY_CMP], CMP_GE), severity = choice_or(&p[C_SEVERITY], 0);
    int64_t n = 0;
    (void)state, (void)e;
    for (size_t i = 0; i < found->n; i++) {
        const struct policy_finding *v = &found->items[i];
        n += !v->repeated && compare(severity_of(v), how, severity) &&
             type_fits(choice_or(&p[C_TYPE], TYPE_ALL), is_os(v)) &&
             !(v->will_not_fix && flag_or(&p[C_VENDOR_ONLY], true)) &&
             !(p[C_FIX].set && p[C_FIX].flag != has_fix(v));
    }
    if (n > p[C_MAX].number) {
        str id = arena_printf(gate_arena(f), "count+%s%s", comparisons[how], severities[severity]);
        gate_fire(f, id, "%lld findings of severity %s %s, where at most %lld are allowed",
                  (long long)n, comparisons[how], severities[severity], (long long)p[C_MAX].number);
    }
    return 0;
}

static const struct gate_trigger triggers[] = {
    {
        .name = "package",
        .description = "Fires for each finding that fits all parameters.",
        .params = package_params,
        .needs = PART_FINDINGS,
        .flags = TRIGGER_TIMED,
        .prepare = package_prepare,
        .release = package_release,
        .fire = package_fire,
    },
    {
        .name = "stale_feed_data",
        .description = "Fires when the vulnerability data for the image's distribution are old.",
        .params = stale_params,
        .needs = PART_FEEDS,
        .flags = TRIGGER_TIMED,
        .fire = stale_fire,
    },
    {
        .name = "vulnerability_data_unavailable",
        .description = "Fires when there are no vulnerability data for the image's distribution.",
        .needs = PART_FEEDS,
        .fire = unavailable_fire,
    },
    {
        .name = "blacklist",
        .description = "Fires when one of the listed vulnerabilities is found.",
        .params = blacklist_params,
        .needs = PART_FINDINGS,
        .fire = blacklist_fire,
    },
    {
        .name = "count",
        .description = "Fires when there are more findings than allowed.",
        .params = count_params,
        .needs = PART_FINDINGS,
        .flags = TRIGGER_OWN,
        .fire = count_fire,
    },
    {NULL},
};

const struct gate gate_vulnerabilities = {
    .name = "vulnerabilities",
    .description = "Judges the vulnerabilities that an image's packages have.",
    .triggers = triggers,
};
