/* What only adds to vulnerabilities: NVD, KEV, EPSS. */
#include "feeds/sink.h"

static const struct feed_ops *feed(const char *name)
{
    return feed_find(str_z(name));
}

/* ---- NVD ----------------------------------------------------------------------------------------
 */

#define V31 "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H"
#define V40 "CVSS:4.0/AV:N/AC:L/AT:N/PR:N/UI:N/VC:H/VI:H/VA:H/SC:N/SI:N/SA:N"
#define METRIC(kind, type, vector, score, severity)                                                \
    "\"cvssMetric" kind "\":[{\"source\":\"s\",\"type\":\"" type                                   \
    "\",\"cvssData\":{\"vectorString\":\"" vector "\",\"baseScore\":" score                        \
    ",\"baseSeverity\":\"" severity "\"}}]"
#define METRIC2(type, vector, score, severity)                                                     \
    "\"cvssMetricV2\":[{\"type\":\"" type "\",\"baseSeverity\":\"" severity                        \
    "\",\"cvssData\":{\"vectorString\":\"" vector "\",\"baseScore\":" score "}}]"

static void nvd_one(const char *members, const char *line)
{
    char text[4096];
    snprintf(text, sizeof text,
             "{\"resultsPerPage\":1,\"format\":\"NVD_CVE\",\"version\":\"2.0\",\"timestamp\":"
             "\"2025-01-02T03:04:05\",\"vulnerabilities\":[{\"cve\":{\"id\":\"CVE-2024-1\",%s}}]}",
             members);
    expect_lines(feed("nvd"), "nvdcve-2.0-2024.json", text, line);
}

static void nvd_chooses_the_best_score(void **state)
{
    static const struct {
        const char *members, *line;
    } rows[] = {
        {"\"metrics\":{}", "vuln CVE-2024-1\n"},
        {"\"metrics\":{" METRIC("V31", "Primary", V31, "9.8", "CRITICAL") "}",
         "vuln CVE-2024-1 severity=Critical cvss=" V31 " score=98\n"},
        {"\"metrics\":{" METRIC("V31", "Secondary", V31, "9.8", "CRITICAL") "," METRIC(
             "V30", "Primary", "CVSS:3.0/x", "5.3", "MEDIUM") "}",
         "vuln CVE-2024-1 severity=Medium cvss=CVSS:3.0/x score=53\n"},
        {"\"metrics\":{" METRIC("V31", "Primary", V31, "9.8", "CRITICAL") "," METRIC(
             "V40", "Primary", V40, "9.3", "CRITICAL") "}",
         "vuln CVE-2024-1 severity=Critical cvss=" V40 " score=93\n"},
        {"\"metrics\":{" METRIC("V31", "Secondary", V31, "9.8", "CRITICAL") "," METRIC2(
             "Primary", "AV:N/AC:M/Au:N/C:N/I:P/A:N", "4.3", "MEDIUM") "}",
         "vuln CVE-2024-1 severity=Critical cvss=" V31 " score=98\n"},
        {"\"metrics\":{" METRIC2("Primary", "AV:N/AC:M/Au:N/C:N/I:P/A:N", "4.3", "MEDIUM") "}",
         "vuln CVE-2024-1 severity=Medium cvss=AV:N/AC:M/Au:N/C:N/I:P/A:N score=43\n"},
        {"\"metrics\":{\"cvssMetricV31\":[{\"type\":\"Primary\",\"cvssData\":{\"vectorString\":"
         "\"" V31 "\"}}]}",
         "vuln CVE-2024-1 severity=Critical cvss=" V31 " score=98\n"},
    };
    for (size_t i = 0; i < KE_ARRAY_LEN(rows); i++)
        nvd_one(rows[i].members, rows[i].line);
}

static void nvd_status_and_text(void **state)
{
    static const struct {
        const char *members, *line;
    } rows[] = {
        {"\"vulnStatus\":\"Rejected\"", "vuln CVE-2024-1 rejected\n"},
        {"\"vulnStatus\":\"Analyzed\",\"cveTags\":[{\"tags\":[\"disputed\"]}]",
         "vuln CVE-2024-1 disputed\n"},
        {"\"vulnStatus\":\"Modified\",\"descriptions\":[{\"lang\":\"es\",\"value\":\"no\"},"
         "{\"lang\":\"en\",\"value\":\"yes\"}]",
         "vuln CVE-2024-1 details=yes\n"},
        {"\"descriptions\":[{\"lang\":\"en\",\"value\":\"** DISPUTED ** x\"}]",
         "vuln CVE-2024-1 disputed details=** DISPUTED ** x\n"},
    };
    for (size_t i = 0; i < KE_ARRAY_LEN(rows); i++)
        nvd_one(rows[i].members, rows[i].line);
}

static void nvd_single_records(void **state)
{
    struct err e = {0};
    auto_sink t;
    sink_init(&t);
    struct test_input input = {
        "CVE-2026-1.json",
        STR_INIT(
            "{\"_annotation\":{\"cve_id\":\"CVE-2026-1\",\"description\":\"d\"},\"cve\":{"
            "\"configurations\":[{\"nodes\":[{\"cpeMatch\":[{},{}]},{\"cpeMatch\":[{}]}]}]}}")};
    assert_ok(read_inputs(feed("nvd"), &input, 1, &t, &e));
    assert_str(buf_view(&t.lines), STR("vuln CVE-2026-1 details=d\n"));
    assert_int_equal(t.records, 1);
    assert_int_equal(sink_dropped(&t, "CPE match (not used for matching)"), 3);
}

static void nvd_refuses(void **state)
{
    static const struct {
        const char *text, *message;
        int code;
    } rows[] = {
        {"{\"CVE_data_type\":\"CVE\",\"CVE_Items\":[]}", "retired 1.1 form", ERR_UNSUPPORTED},
        {"{\"vulnerabilities\":[{\"cve\":{\"id\":\"CVE-1\"}}", "ends in the middle", ERR_FORMAT},
        {"{\"vulnerabilities\":[{}]}", "has no member \"cve\"", ERR_FORMAT},
        {"{\"vulnerabilities\":[{\"cve\":{}}]}", "has no CVE id", ERR_FORMAT},
        {"{\"vulnerabilities\":1}", "array or object", ERR_FORMAT},
        {"<html>", "f.json:1:", ERR_FORMAT},
        {"", "f.json: is empty", ERR_FORMAT},
    };
    for (size_t i = 0; i < KE_ARRAY_LEN(rows); i++)
        expect_error(feed("nvd"), "f.json", rows[i].text, rows[i].code, rows[i].message);
}

/* ---- KEV ----------------------------------------------------------------------------------------
 */

static void kev_catalogue(void **state)
{
    struct err e = {0};
    auto_sink t;
    sink_init(&t);
    struct test_input input = {
        "kev.json",
        STR_INIT("{\"vulnerabilities\":[{\"cveID\":\"CVE-2025-1\",\"vulnerabilityName\":\"n\","
                 "\"shortDescription\":\"d\",\"dateAdded\":\"2025-08-25\",\"dueDate\":"
                 "\"2025-09-15\",\"knownRansomwareCampaignUse\":\"Known\"},"
                 "{\"cveID\":\"CVE-2025-2\",\"dateAdded\":\"2025-08-25\","
                 "\"knownRansomwareCampaignUse\":\"Unknown\"}],"
                 "\"catalogVersion\":\"2025.08.25\",\"dateReleased\":\"2025-08-25T17:04:19.9796Z\","
                 "\"count\":2}")};
    assert_ok(read_inputs(feed("kev"), &input, 1, &t, &e));
    assert_str(buf_view(&t.lines),
               STR("vuln CVE-2025-1 summary=n details=d kev=1756080000,1757894400,ransomware\n"
                   "vuln CVE-2025-2 kev=1756080000,0\n"));
    assert_int_equal(t.date, 1756141459);
    assert_string_equal(t.version, "2025.08.25");
}

static void kev_refuses(void **state)
{
    static const struct {
        const char *text, *message;
    } rows[] = {
        {"{\"count\":2,\"vulnerabilities\":[{\"cveID\":\"CVE-1\",\"dateAdded\":\"2025-08-25\"}]}",
         "promises 2 entries and has 1"},
        {"{\"vulnerabilities\":[{\"dateAdded\":\"2025-08-25\"}]}", "has no cveID"},
        {"{\"vulnerabilities\":[{\"cveID\":\"CVE-1\",\"dateAdded\":\"soon\"}]}", "dateAdded"},
        {"{\"vulnerabilities\":[1]}", "has no cveID"},
        {"{\"count\":0}", "no member \"vulnerabilities\""},
        {"[]", "expected a JSON object"},
        {"{\"vulnerabilities\":[]", "ends in the middle"},
    };
    for (size_t i = 0; i < KE_ARRAY_LEN(rows); i++)
        expect_error(feed("kev"), "k.json", rows[i].text, ERR_FORMAT, rows[i].message);
}

/* ---- EPSS ---------------------------------------------------------------------------------------
 */

static void epss_forms(void **state)
{
    expect_lines(feed("epss"), "epss_scores-current.csv",
                 "#model_version:v2025.03.14,score_date:2025-03-20T00:00:00+0000\r\n"
                 "cve,epss,percentile\r\n"
                 "CVE-1999-0001,0.00383,0.73075\r\nCVE-1999-0002,1.0,1\r\n"
                 "CVE-1999-0003,0,5e-05\r\n",
                 "vuln CVE-1999-0001 epss=3830,730750\n"
                 "vuln CVE-1999-0002 epss=1000000,1000000\n"
                 "vuln CVE-1999-0003 epss=0,50\n");
    expect_lines(feed("epss"), "epss_scores-2021-04-14.csv",
                 "cve,epss\nCVE-2020-5902,0.6511749\nCVE-2018-19571,0.04773",
                 "vuln CVE-2020-5902 epss=651175,-1\nvuln CVE-2018-19571 epss=47730,-1\n");
}

static void epss_dates(void **state)
{
    static const struct {
        const char *path, *text, *version;
        int64_t date;
    } rows[] = {
        {"epss_scores-current.csv",
         "#model_version:v1,score_date:2025-03-20T00:00:00+0000\ncve,epss\n", "v1", 1742428800},
        {"epss_scores-2021-04-14.csv", "cve,epss\n", "", 1618358400},
        {"e.csv", "cve,epss\n", "", 0},
    };
    for (size_t i = 0; i < KE_ARRAY_LEN(rows); i++) {
        struct err e = {0};
        auto_sink t;
        sink_init(&t);
        struct test_input input = {rows[i].path, str_z(rows[i].text)};
        assert_ok(read_inputs(feed("epss"), &input, 1, &t, &e));
        assert_int_equal(t.date, rows[i].date);
        assert_string_equal(t.version, rows[i].version);
    }
}

static void epss_refuses(void **state)
{
    static const struct {
        const char *text, *message;
    } rows[] = {
        {"", "is empty"},
        {"#only:comment\n", "is empty"},
        {"invalid,header,format\n", ":1: the header"},
        {"cve,epss\nCVE-2020-1\n", ":2: the score"},
        {"cve,epss\nCVE-2020-1,1.5\n", ":2: the score"},
        {"cve,epss\nCVE-2020-1,-0.1\n", ":2: the score"},
        {"cve,epss\nCVE-2020-1,1e10\n", ":2: the score"},
        {"cve,epss\nCVE-2020-1,nan\n", ":2: the score"},
        {"cve,epss,percentile\nCVE-2020-1,0.1\n", ":2: the percentile"},
        {"cve,epss\nGHSA-1,0.1\n", ":2: the line does not begin"},
        {"cve,epss\nCVE-2020-1,0.1\n<html>\n", ":3: the line does not begin"},
    };
    for (size_t i = 0; i < KE_ARRAY_LEN(rows); i++)
        expect_error(feed("epss"), "e.csv", rows[i].text, ERR_FORMAT, rows[i].message);
    auto_buf line;
    buf_init(&line, 10000);
    buf_add_str(&line, STR("cve,epss\n"));
    for (int i = 0; i < 4097; i++)
        buf_add_char(&line, 'x');
    expect_error(feed("epss"), "e.csv", buf_z(&line), ERR_LIMIT, "e.csv:2: the line is longer");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nvd_chooses_the_best_score),
        cmocka_unit_test(nvd_status_and_text),
        cmocka_unit_test(nvd_single_records),
        cmocka_unit_test(nvd_refuses),
        cmocka_unit_test(kev_catalogue),
        cmocka_unit_test(kev_refuses),
        cmocka_unit_test(epss_forms),
        cmocka_unit_test(epss_dates),
        cmocka_unit_test(epss_refuses),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
