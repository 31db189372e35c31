/* anchore_record.c - the records of the old feed service. */
#include "feeds/anchore.h"

#include "base/auto.h"
#include "feeds/common.h"
#include "version/ecosystem.h"

enum { RANGES_MAX = 64, ALIASES_MAX = 64 };

struct record {
    str feed, group;
    struct claim_sink *sink;
    struct err *e;
};

static int bad(const struct record *r, str id, const char *what)
{
    return err_set(r->e, ERR_FORMAT, "%.*s: record %.*s %s", STR_ARG(r->group), STR_ARG(id), what);
}

/* Sends the vuln with `val` as its details. */
static int send_vuln(const struct record *r, struct vuln *v, yyjson_val *val)
{
    size_t n;
    char *text autofree = yyjson_val_write(val, 0, &n);
    if (!text)
        return err_no_memory(r->e);
    v->details = (str){text, n};
    r->sink->record(r->sink, 1);
    return r->sink->vuln(r->sink, v, r->e);
}

/* ---- distros -----------------------------------------------------------------------------------
 */

static const char *scheme_of(str format, str platform)
{
    if (str_eq(format, STR("apk")))
        return "apk";
    if (str_eq(format, STR("dpkg")) || str_eq(format, STR("deb")))
        return "deb";
    if (str_eq(format, STR("semver")))
        return "semver";
    if (!format.n && (str_starts(platform, STR("debian:")) || str_starts(platform, STR("ubuntu:"))))
        return "deb";
    return !format.n && str_starts(platform, STR("alpine:")) ? "apk" : "rpm-evr";
}

static int distro_fix(const struct record *r, str id, enum severity severity, str word,
                      yyjson_val *fix)
{
    str version = json_str(fix, "Version");
    bool none = !version.n || str_eq(version, STR("None"));
    bool wont = yyjson_is_true(json_at(fix, "VendorAdvisory", "NoAdvisory", NULL));
    yyjson_val *advisories = json_at(fix, "VendorAdvisory", "AdvisorySummary", NULL);
    struct version_range range = {.hi = version};
    struct claim c = {
        .vuln_id = id,
        .platform = r->group,
        .package = json_str(fix, "Name"),
        .kind = CLAIM_AFFECTED,
        .state = wont   ? FIX_WONT_FIX
                 : none ? FIX_NOT_FIXED
                        : FIX_FIXED,
        .scheme = scheme_of(json_str(fix, "VersionFormat"), r->group),
        .ranges = &range,
        .n_ranges = !none,
        .fixed = none ? STR("") : version,
        .severity = severity,
        .severity_raw = word,
        .advisory = json_str(yyjson_arr_get_first(advisories), "ID"),
        .module = json_str(fix, "Module"),
    };
    if (!c.package.n)
        return bad(r, id, "fixes a package without a name");
    if (str_eq(version, STR("0"))) { /* the vendor says that no version is affected */
        c.kind = CLAIM_UNAFFECTED;
        c.state = FIX_NOT_AFFECTED;
        c.n_ranges = 0;
        c.fixed = STR("");
    }
    c.package_kind = PACKAGE_SOURCE;
    int rc = r->sink->claim(r->sink, &c, r->e);
    c.package_kind = PACKAGE_BINARY;
    return rc < 0 ? rc : r->sink->claim(r->sink, &c, r->e);
}

static int distro_record(const struct record *r, yyjson_val *root)
{
    yyjson_val *val = json_get(root, "Vulnerability"), *fix;
    size_t i, n;
    struct vuln v = vuln_empty();
    v.id = json_str(val, "Name");
    if (!v.id.n)
        return bad(r, STR(""), "has no name");
    str word = json_str(val, "Severity");
    v.severity = severity_from_word(word);
    v.url = json_str(val, "Link");
    int rc = send_vuln(r, &v, val);
    yyjson_arr_foreach(json_get(val, "FixedIn"), i, n, fix)
    {
        if (rc == 0)
            rc = distro_fix(r, v.id, v.severity, word, fix);
    }
    return rc;
}

/* ---- advisories of ecosystems ------------------------------------------------------------------
 */

static const struct {
    const char *group, *ecosystem;
} github_groups[] = {
    {"github:composer", "Packagist"}, {"github:gem", "RubyGems"},   {"github:go", "Go"},
    {"github:java", "Maven"},         {"github:npm", "npm"},        {"github:nuget", "NuGet"},
    {"github:python", "PyPI"},        {"github:rust", "crates.io"},
};

static const struct ecosystem *github_ecosystem(str group)
{
    for (size_t i = 0; i < KE_ARRAY_LEN(github_groups); i++)
        if (str_eq(str_z(github_groups[i].group), group))
            return ecosystem_find(str_z(github_groups[i].ecosystem));
    return NULL;
}

static bool is_operator(char c)
{
    return c == '<' || c == '>' || c == '=';
}

/* Takes "op version" off the text into r; false: it is none. */
static bool take_bound(str *text, struct version_range *r)
{
    size_t ops = 0, end;
    while (ops < text->n && is_operator(text->p[ops]))
        ops++;
    str op = str_sub(*text, 0, ops), rest = str_trim(str_from(*text, ops));
    for (end = 0; end < rest.n && !ke_isspace(rest.p[end]) && rest.p[end] != ',' &&
                  !is_operator(rest.p[end]);)
        end++;
    str version = str_sub(rest, 0, end);
    *text = str_from(rest, end);
    if (!version.n || !ke_isalnum(version.p[0]))
        return false;
    if (str_eq(op, STR(">=")) || str_eq(op, STR(">"))) {
        r->lo = version;
        r->lo_excluded = op.n == 1;
    } else if (str_eq(op, STR("<=")) || str_eq(op, STR("<"))) {
        r->hi = version;
        r->hi_included = op.n == 2;
    } else if (op.n == 0 || str_eq(op, STR("=")) || str_eq(op, STR("=="))) {
        *r = (struct version_range){.lo = version, .hi = version, .hi_included = true};
    } else {
        return false;
    }
    return true;
}

int anchore_ranges(str text, struct version_range *out, size_t max)
{
    size_t n = 0;
    while (text.n) {
        ptrdiff_t bar = str_find(text, STR("||"));
        str part = bar < 0 ? text : str_sub(text, 0, (size_t)bar);
        text = bar < 0 ? STR("") : str_from(text, (size_t)bar + 2);
        if (n == max)
            return -1;
        struct version_range r = {0};
        for (part = str_trim(part); part.n;) {
            if (!take_bound(&part, &r))
                return -1;
            while (part.n && (ke_isspace(part.p[0]) || part.p[0] == ','))
                part = str_from(part, 1);
        }
        out[n++] = r;
    }
    return (int)n;
}

static int github_fix(const struct record *r, str id, enum severity severity,
                      const struct ecosystem *eco, yyjson_val *fix)
{
    struct version_range ranges[RANGES_MAX];
    str fixed = json_str(fix, "identifier"), name = json_str(fix, "name");
    bool none = !fixed.n || str_eq(fixed, STR("None"));
    int n = anchore_ranges(json_str(fix, "range"), ranges, KE_ARRAY_LEN(ranges));
    if (n < 0 || !name.n) {
        r->sink->drop(r->sink, "a range that is none", 1);
        return 0;
    }
    auto_buf normal;
    buf_init(&normal, 1 << 20);
    ecosystem_normalise(eco, name, &normal);
    struct claim c = {
        .vuln_id = id,
        .ecosystem = str_z(eco->name),
        .package = buf_view(&normal),
        .package_kind = PACKAGE_LANGUAGE,
        .kind = CLAIM_AFFECTED,
        .state = none ? FIX_NOT_FIXED : FIX_FIXED,
        .scheme = eco->scheme,
        .ranges = ranges,
        .n_ranges = (size_t)n,
        .fixed = none ? STR("") : fixed,
        .severity = severity,
    };
    int rc = buf_check(&normal, "a package's name", r->e);
    return rc < 0 ? rc : r->sink->claim(r->sink, &c, r->e);
}

static int github_record(const struct record *r, yyjson_val *root)
{
    yyjson_val *val = json_get(root, "Advisory"), *item;
    const struct ecosystem *eco = github_ecosystem(r->group);
    struct vuln_alias aliases[ALIASES_MAX];
    size_t i, n, n_aliases = 0;
    struct vuln v = vuln_empty();
    v.id = json_str(val, "ghsaId");
    if (!v.id.n)
        return bad(r, STR(""), "has no ghsaId");
    yyjson_arr_foreach(json_get(val, "CVE"), i, n, item)
    {
        if (n_aliases < ALIASES_MAX && json_text(item).n)
            aliases[n_aliases++] = (struct vuln_alias){json_text(item), ALIAS_SAME};
    }
    v.aliases = aliases;
    v.n_aliases = n_aliases;
    v.severity = severity_from_word(json_str(val, "Severity"));
    v.summary = json_str(val, "Summary");
    v.url = json_str(val, "url");
    v.withdrawn = feed_date(json_str(val, "withdrawn"));
    v.status = json_str(val, "withdrawn").n ? VULN_WITHDRAWN : VULN_ACTIVE;
    int rc = send_vuln(r, &v, val);
    if (!eco) {
        r->sink->drop(r->sink, "an ecosystem that is not known", 1);
        return rc;
    }
    yyjson_arr_foreach(json_get(val, "FixedIn"), i, n, item)
    {
        if (rc == 0)
            rc = github_fix(r, v.id, v.severity, eco, item);
    }
    return rc;
}

/* ---- the NVD ------------------------------------------------------------------------------------
 */

/* Part `k` of "cpe:2.3:a:vendor:product:version:..." (from 0); colons may be escaped. */
static str cpe_part(str cpe, int k)
{
    size_t start = 0;
    for (size_t i = 0; i <= cpe.n; i++) {
        if (i < cpe.n && cpe.p[i] == '\\')
            i++;
        else if (i == cpe.n || cpe.p[i] == ':') {
            if (k-- == 0)
                return str_sub(cpe, start, i);
            start = i + 1;
        }
    }
    return STR("");
}

static int nvd_cpe(const struct record *r, str id, enum severity severity, str cpe)
{
    enum { PRODUCT = 4, VERSION };
    str version = cpe_part(cpe, VERSION);
    if (!str_starts(cpe, STR("cpe:2.3:a:")) || !version.n || str_eq(version, STR("*")) ||
        str_eq(version, STR("-"))) {
        r->sink->drop(r->sink, "a CPE that is no application's version", 1);
        return 0;
    }
    struct claim c = {
        .vuln_id = id,
        .ecosystem = STR("CPE"),
        .package = cpe_part(cpe, PRODUCT),
        .package_kind = PACKAGE_LANGUAGE,
        .kind = CLAIM_AFFECTED,
        .scheme = "semver",
        .exact = &version,
        .n_exact = 1,
        .severity = severity,
    };
    return r->sink->claim(r->sink, &c, r->e);
}

static void nvd_scores(yyjson_val *val, struct vuln *v)
{
    static const char *const members[] = {"cvss_v3", "cvss_v2"};
    v->severity = severity_from_word(json_str(val, "severity"));
    for (size_t i = 0; i < KE_ARRAY_LEN(members); i++) {
        yyjson_val *cvss = json_get(val, members[i]);
        yyjson_val *score = json_at(cvss, "base_metrics", "base_score", NULL);
        double base = yyjson_is_num(score) ? yyjson_get_num(score) : -1;
        if (base < 0 || base > 10)
            continue;
        v->cvss_score10 = (int16_t)(base * 10 + 0.5);
        v->cvss_vector = json_str(cvss, "vector_string");
        return;
    }
}

static int nvd_record(const struct record *r, yyjson_val *val)
{
    size_t i, n;
    yyjson_val *cpe;
    char url[128];
    struct vuln v = vuln_empty();
    v.id = json_str(json_at(val, "cve", "CVE_data_meta", NULL), "ID");
    if (!v.id.n)
        v.id = json_str(val, "@id");
    if (!v.id.n || v.id.n > 64)
        return bad(r, STR(""), "has no usable id");
    snprintf(url, sizeof url, "https://nvd.nist.gov/vuln/detail/%.*s", STR_ARG(v.id));
    v.url = str_z(url);
    nvd_scores(val, &v);
    int rc = send_vuln(r, &v, val);
    yyjson_arr_foreach(json_get(val, "vulnerable_cpes"), i, n, cpe)
    {
        if (rc == 0)
            rc = nvd_cpe(r, v.id, v.severity, json_text(cpe));
    }
    return rc;
}

/* {"name": {...}}: one package, or several. */
static int package_record(const struct record *r, yyjson_val *root)
{
    size_t i, n;
    yyjson_val *key, *val;
    int rc = 0;
    yyjson_obj_foreach(root, i, n, key, val)
    {
        struct vuln v = vuln_empty();
        v.id = json_text(key);
        if (rc == 0 && v.id.n)
            rc = send_vuln(r, &v, val);
    }
    return rc;
}

int anchore_record(str feed, str group, str json, struct claim_sink *sink, struct err *e)
{
    struct record r = {feed, group, sink, e};
    auto_json *doc = NULL;
    int rc = json_parse(json, "a record", &doc, e);
    if (rc < 0)
        return err_wrap(e, "%.*s", STR_ARG(group));
    yyjson_val *root = yyjson_doc_get_root(doc);
    if (str_eq(feed, STR("nvdv2")))
        return nvd_record(&r, root);
    if (str_eq(feed, STR("github")))
        return github_record(&r, root);
    return str_eq(feed, STR("packages")) ? package_record(&r, root) : distro_record(&r, root);
}
