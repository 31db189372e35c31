/* nvd.c - the NVD's 2.0 JSON: yearly feed files and API answers; also single {"cve": ...} records.
 *
 * Decorates: severity, CVSS, status, texts. CPE configurations are counted and left out. */
#include "feeds/common.h"
#include "feeds/drivers.h"
#include "feeds/sync.h"

#include <stdlib.h>

static bool nvd_wants(str path)
{
    str name = str_basename(path);
    return str_ends(name, STR(".json")) && !feed_path_hidden(path) &&
           (str_starts(name, STR("nvdcve")) || str_starts(name, STR("CVE-")));
}

struct metric_kind {
    const char *member;
    bool v2;
};
/* Newest first. */
static const struct metric_kind metric_kinds[] = {
    {"cvssMetricV40", false},
    {"cvssMetricV31", false},
    {"cvssMetricV30", false},
    {"cvssMetricV2", true},
};

static yyjson_val *metric_of(yyjson_val *metrics, const struct metric_kind *k, bool primary)
{
    size_t i, n;
    yyjson_val *m;
    yyjson_arr_foreach(json_get(metrics, k->member), i, n, m)
    {
        if (str_eq(json_str(m, "type"), STR("Primary")) == primary &&
            json_str(json_get(m, "cvssData"), "vectorString").n)
            return m;
    }
    return NULL;
}

/* v4 and v3 of the primary source, then of others, then v2 alike. */
static yyjson_val *metric_best(yyjson_val *metrics, bool *v2)
{
    for (int pass = 0; pass < 4; pass++)
        for (size_t i = 0; i < KE_ARRAY_LEN(metric_kinds); i++) {
            *v2 = metric_kinds[i].v2;
            if (*v2 != (pass >= 2))
                continue;
            yyjson_val *m = metric_of(metrics, &metric_kinds[i], pass % 2 == 0);
            if (m)
                return m;
        }
    return NULL;
}

static void nvd_severity(yyjson_val *cve, struct vuln *v)
{
    bool v2;
    yyjson_val *metric = metric_best(json_get(cve, "metrics"), &v2);
    if (!metric)
        return;
    yyjson_val *data = json_get(metric, "cvssData");
    v->cvss_vector = json_str(data, "vectorString");
    yyjson_val *score = json_get(data, "baseScore");
    double base = yyjson_is_num(score) ? yyjson_get_num(score) : -1;
    v->cvss_score10 = base >= 0 && base <= 10 ? (int16_t)(base * 10 + 0.5)
                                              : (int16_t)cvss_score10(v->cvss_vector);
    str word = json_str(v2 ? metric : data, "baseSeverity");
    v->severity = severity_from_word(word);
    if (v->severity == SEV_UNKNOWN && v->cvss_score10 >= 0)
        v->severity = severity_from_score(v->cvss_score10, v2);
}

static str nvd_description(yyjson_val *cve)
{
    size_t i, n;
    yyjson_val *d;
    yyjson_arr_foreach(json_get(cve, "descriptions"), i, n, d)
    {
        if (str_eq(json_str(d, "lang"), STR("en")))
            return json_str(d, "value");
    }
    return STR("");
}

static enum vuln_status nvd_status(yyjson_val *cve, str description)
{
    str status = json_str(cve, "vulnStatus");
    if (str_eq_nocase(status, STR("Rejected")) || str_starts(description, STR("** REJECT **")))
        return VULN_REJECTED;
    if (str_eq_nocase(status, STR("Disputed")) || str_starts(description, STR("** DISPUTED **")))
        return VULN_DISPUTED;
    size_t i, n, k, m;
    yyjson_val *tag, *word;
    yyjson_arr_foreach(json_get(cve, "cveTags"), i, n, tag)
    {
        yyjson_arr_foreach(json_get(tag, "tags"), k, m, word)
        {
            if (str_eq_nocase(json_text(word), STR("disputed")))
                return VULN_DISPUTED;
        }
    }
    return VULN_ACTIVE;
}

static uint64_t nvd_cpe_matches(yyjson_val *cve)
{
    uint64_t count = 0;
    size_t i, n, k, m;
    yyjson_val *configuration, *node;
    yyjson_arr_foreach(json_get(cve, "configurations"), i, n, configuration)
    {
        yyjson_arr_foreach(json_get(configuration, "nodes"), k, m, node)
        {
            count += yyjson_arr_size(json_get(node, "cpeMatch"));
        }
    }
    return count;
}

/* `record`: {"cve": {...}}, with "_annotation" where others complete the NVD. */
static int nvd_record(const struct feed_input *in, yyjson_val *record, struct claim_sink *sink,
                      struct err *e)
{
    yyjson_val *cve = json_get(record, "cve"), *annotation = json_get(record, "_annotation");
    if (!yyjson_is_obj(cve))
        return feed_bad(in, STR("a record"), "has no member \"cve\"; is this the NVD's 2.0 form?",
                        e);
    struct vuln v = vuln_empty();
    v.id = json_str(cve, "id");
    if (!v.id.n)
        v.id = json_str(annotation, "cve_id");
    if (!v.id.n)
        return feed_bad(in, STR("a record"), "has no CVE id", e);
    v.details = nvd_description(cve);
    v.status = nvd_status(cve, v.details);
    if (!v.details.n)
        v.details = json_str(annotation, "description");
    v.published = feed_date(json_str(cve, "published"));
    v.modified = feed_date(json_str(cve, "lastModified"));
    if (annotation) {
        v.published = feed_date(json_str(annotation, "published"));
        v.modified = feed_date(json_str(annotation, "modified"));
    }
    nvd_severity(cve, &v);
    char url[128];
    snprintf(url, sizeof url, "https://nvd.nist.gov/vuln/detail/%.*s",
             (int)(v.id.n > 64 ? 64 : v.id.n), v.id.p);
    v.url = str_z(url);
    uint64_t matches = nvd_cpe_matches(cve);
    if (matches)
        sink->drop(sink, "CPE match (not used for matching)", matches);
    sink->record(sink, 1);
    return sink->vuln(sink, &v, e);
}

static int nvd_feed(const struct feed_input *in, struct claim_sink *sink, struct err *e)
{
    struct json_pull *j;
    str key, text;
    int r = json_pull_open(in->in, "vulnerabilities", feed_name(in), NULL, &j, e);
    if (r < 0)
        return r;
    while ((r = json_pull_next(j, &key, &text, e)) == 1) {
        auto_json *doc = NULL;
        r = json_parse(text, feed_name(in), &doc, e);
        if (r == 0)
            r = nvd_record(in, yyjson_doc_get_root(doc), sink, e);
        if (r < 0)
            break;
    }
    if (r == 0)
        sink->dated(sink, feed_date(json_pull_seen(j, "timestamp")),
                    json_pull_seen(j, "timestamp"));
    json_pull_close(j);
    return r;
}

static int nvd_read(void **state, const struct feed_input *in, struct claim_sink *sink,
                    struct err *e)
{
    const uint8_t *p;
    int64_t n = stream_view(in->in, &p, e);
    if (n < 0)
        return (int)n;
    str head = {(const char *)p, n > 4096 ? 4096 : (size_t)n};
    if (str_contains(head, STR("\"CVE_data_")))
        return err_set(e, ERR_UNSUPPORTED, "%s: is the NVD's retired 1.1 form; 2.0 is needed",
                       feed_name(in));
    if (str_contains(head, STR("\"resultsPerPage\"")) || str_contains(head, STR("\"NVD_CVE\"")) ||
        str_contains(head, STR("\"vulnerabilities\"")))
        return nvd_feed(in, sink, e);
    auto_json *doc = NULL;
    int r = feed_read_document(in, false, &doc, e);
    return r < 0 ? r : nvd_record(in, yyjson_doc_get_root(doc), sink, e);
}

const struct feed_ops feed_nvd = {
    .name = "nvd",
    .summary = "The US National Vulnerability Database: severities, CVSS, texts",
    .licence = "public domain",
    .wants = nvd_wants,
    .read = nvd_read,
    .sync = &feed_sync_nvd,
};
