/* nvd_scores.c - CVSS scores in parts: as the NVD's record gives them, else by the vector. */
#include "services/policy_engine/vuln_rows.h"

#include "vulndb/cvss.h"

#include <math.h>

static const struct cvss_parts unknown = {-1, -1, -1};

static double round1(double x)
{
    return round(x * 10) / 10;
}

struct cvss_parts cvss_parts_v2(str vector)
{
    static const struct cvss_metric metrics[] = {
        {"AV", "L A N", true},        {"AC", "H M L", true},         {"Au", "M S N", true},
        {"C", "N P C", true},         {"I", "N P C", true},          {"A", "N P C", true},
        {"E", "U POC F H ND", false}, {"RL", "OF TF W U ND", false}, {"RC", "UC UR C ND", false},
    };
    static const double av[] = {0.395, 0.646, 1.0}, ac[] = {0.35, 0.61, 0.71},
                        au[] = {0.45, 0.56, 0.704}, cia[] = {0, 0.275, 0.66};
    int8_t v[CVSS_MAX_METRICS];
    int base = cvss_score10(vector);
    if (base < 0 || !cvss_read(vector, metrics, KE_ARRAY_LEN(metrics), v))
        return unknown;
    double impact = 10.41 * (1 - (1 - cia[v[3]]) * (1 - cia[v[4]]) * (1 - cia[v[5]]));
    return (struct cvss_parts){base / 10.0, round1(20 * av[v[0]] * ac[v[1]] * au[v[2]]),
                               round1(impact)};
}

struct cvss_parts cvss_parts_v3(str vector)
{
    static const struct cvss_metric metrics[] = {
        {"AV", "P L A N", true}, {"AC", "H L", true},  {"PR", "H L N", true}, {"UI", "R N", true},
        {"S", "U C", true},      {"C", "N L H", true}, {"I", "N L H", true},  {"A", "N L H", true},
    };
    static const double av[] = {0.2, 0.55, 0.62, 0.85}, ac[] = {0.44, 0.77},
                        pr[2][3] = {{0.27, 0.62, 0.85}, {0.5, 0.68, 0.85}}, ui[] = {0.62, 0.85},
                        cia[] = {0, 0.22, 0.56};
    int8_t v[CVSS_MAX_METRICS];
    int base = cvss_score10(vector);
    ptrdiff_t slash = str_index(vector, '/');
    if (base < 0 || slash < 0 || !str_starts(vector, STR("CVSS:3.")) ||
        !cvss_read(str_from(vector, (size_t)slash + 1), metrics, KE_ARRAY_LEN(metrics), v))
        return unknown;
    double isc = 1 - (1 - cia[v[5]]) * (1 - cia[v[6]]) * (1 - cia[v[7]]);
    double impact = v[4] ? 7.52 * (isc - 0.029) - 3.25 * pow(isc - 0.02, 15) : 6.42 * isc;
    return (struct cvss_parts){base / 10.0,
                               round1(8.22 * av[v[0]] * ac[v[1]] * pr[v[4]][v[2]] * ui[v[3]]),
                               impact > 0 ? round1(impact) : 0};
}

static double number(yyjson_val *metrics, const char *name)
{
    yyjson_val *v = json_get(metrics, name);
    return yyjson_is_num(v) ? yyjson_get_num(v) : -1;
}

static struct cvss_parts recorded(yyjson_val *cvss)
{
    yyjson_val *m = json_get(cvss, "base_metrics");
    return (struct cvss_parts){number(m, "base_score"), number(m, "exploitability_score"),
                               number(m, "impact_score")};
}

static void from_vuln(const struct vuln *v, struct nvd_scores *out)
{
    if (str_starts(v->cvss_vector, STR("CVSS:3.")))
        out->v3 = cvss_parts_v3(v->cvss_vector);
    else if (!str_starts(v->cvss_vector, STR("CVSS:")))
        out->v2 = cvss_parts_v2(v->cvss_vector);
    else
        out->v3.base = v->cvss_score10 / 10.0;
}

int nvd_scores_of(const struct vulndb *db, str cve, struct arena *scratch, struct nvd_scores *out,
                  struct err *e)
{
    struct db_vuln *vulns;
    size_t n;
    *out = (struct nvd_scores){unknown, unknown, false};
    int r = vulndb_vuln(db, cve, scratch, &vulns, &n, e);
    for (size_t i = 0; r >= 0 && i < n; i++) {
        str text = STR("");
        auto_json *doc = NULL;
        if (!str_eq(vulns[i].source, STR("nvd")))
            continue;
        if (vulndb_covers(db, STR(""), STR("CPE"))) /* details are records */
            r = vulndb_text(db, STR("nvd"), cve, scratch, &text, e);
        if (r >= 0 && str_starts(text, STR("{")) && json_parse(text, "a record", &doc, NULL) == 0) {
            out->v2 = recorded(json_get(yyjson_doc_get_root(doc), "cvss_v2"));
            out->v3 = recorded(json_get(yyjson_doc_get_root(doc), "cvss_v3"));
        } else if (vulns[i].vuln.cvss_vector.n) {
            from_vuln(&vulns[i].vuln, out);
        }
        break;
    }
    out->any = out->v2.base >= 0 || out->v3.base >= 0;
    return r < 0 ? r : 0;
}
