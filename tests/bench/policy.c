/* bench-policy: the default rules over 500 packages, without and with 10,000 allowlist items.
 *
 * The floor is what no evaluation can do without: printing each row's message. */
#include "policy/evaluate.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum { PACKAGES = 500, FINDINGS = 500, ITEMS = 10000, ROUNDS = 200 };

static double now_us(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1e6 + (double)t.tv_nsec / 1e3;
}

static void make_bundle(struct buf *b, int items)
{
    buf_add_str(b,
                STR("{\"id\":\"b\",\"version\":\"1_0\",\"mappings\":[{\"name\":\"m\",\"registry\""
                    ":\"*\",\"repository\":\"*\",\"image\":{\"type\":\"tag\",\"value\":\"*\"},"
                    "\"policy_ids\":[\"p\"],\"whitelist_ids\":[\"w\"]}],\"policies\":[{\"id\":"
                    "\"p\",\"version\":\"1_0\",\"rules\":["));
#define RULE(action, gate, trigger, params)                                                        \
    "{\"action\":\"" action "\",\"gate\":\"" gate "\",\"trigger\":\"" trigger                      \
    "\",\"params\":[" params "]}"
#define PARAM(name, value) "{\"name\":\"" name "\",\"value\":\"" value "\"}"
    buf_add_str(
        b,
        STR(RULE("STOP", "dockerfile", "exposed_ports", PARAM("ports", "22") "," PARAM("type", "blacklist")) "," RULE(
            "WARN", "dockerfile", "instruction",
            PARAM("instruction", "HEALTHCHECK") "," PARAM(
                "check",
                "not_exists")) "," RULE("WARN", "vulnerabilities", "stale_feed_data",
                                        PARAM(
                                            "max_days_since_sync",
                                            "2")) "," RULE("WARN", "vulnerabilities",
                                                           "vulnerability_data_unavailable",
                                                           "") "," RULE("WARN", "vulnerabilities",
                                                                        "package",
                                                                        PARAM("package_type", "all") "," PARAM("severity_comparison", "=") "," PARAM(
                                                                            "severity",
                                                                            "medium")) "," RULE("ST"
                                                                                                "O"
                                                                                                "P",
                                                                                                "vu"
                                                                                                "ln"
                                                                                                "er"
                                                                                                "ab"
                                                                                                "il"
                                                                                                "it"
                                                                                                "ie"
                                                                                                "s",
                                                                                                "pa"
                                                                                                "ck"
                                                                                                "ag"
                                                                                                "e",
                                                                                                PARAM("package_type", "all") "," PARAM(
                                                                                                    "severity_comparison",
                                                                                                    ">") "," PARAM("severity",
                                                                                                                   "medium"))));
    buf_add_str(b, STR("]}],\"whitelists\":[{\"id\":\"w\",\"version\":\"1_0\",\"items\":["));
    for (int i = 0; i < items; i++) {
        buf_addf(b, "%s{\"id\":\"%d\",\"gate\":\"vulnerabilities\",\"trigger_id\":\"", i ? "," : "",
                 i);
        switch (i % 3) {
        case 0:
            buf_addf(b, "CVE-2020-%d+libp%d", 10 * i, i);
            break;
        case 1:
            buf_addf(b, "CVE-2019-%d+*", i);
            break;
        default:
            buf_addf(b, "*+zz%d", i);
        }
        buf_add_str(b, STR("\"}"));
    }
    buf_add_str(b, STR("]}]}"));
}

static double measure(const struct policy_bundle *b, const struct policy_subject *s, size_t *rows)
{
    double best = 1e12;
    for (int i = 0; i < ROUNDS; i++) {
        struct policy_verdict *v;
        struct err e = {0};
        double from = now_us();
        if (policy_evaluate(b, s, &v, &e) < 0) {
            fprintf(stderr, "%s\n", e.text);
            exit(1);
        }
        double took = now_us() - from;
        *rows = v->n_rows;
        policy_verdict_free(v);
        best = took < best ? took : best;
    }
    return best;
}

static double measure_floor(size_t rows)
{
    double best = 1e12;
    for (int k = 0; k < ROUNDS; k++) {
        char text[200];
        size_t bytes = 0;
        double from = now_us();
        for (size_t i = 0; i < rows; i++)
            bytes += (size_t)snprintf(text, sizeof text,
                                      "%s Vulnerability found in os package type (%s) - %s "
                                      "(CVE-2020-%zu - http://x)",
                                      "HIGH", "dpkg", "libp", i);
        double took = now_us() - from;
        best = took < best && bytes ? took : best;
    }
    return best;
}

int main(void)
{
    static struct policy_package packages[PACKAGES];
    static struct policy_finding findings[FINDINGS];
    static const char *const severities[] = {"Low", "Medium", "High", "Critical"};
    struct arena a;
    struct err e = {0};
    arena_init(&a, 64 << 20);
    for (int i = 0; i < PACKAGES; i++)
        packages[i] = (struct policy_package){.name = arena_printf(&a, "libp%d", i),
                                              .version = STR("1.0"),
                                              .full_version = STR("1.0-1"),
                                              .type = STR("dpkg"),
                                              .location = STR("pkgdb"),
                                              .scheme = STR("deb")};
    for (int i = 0; i < FINDINGS; i++)
        findings[i] = (struct policy_finding){.id = arena_printf(&a, "CVE-2020-%d", i),
                                              .package = (uint32_t)i,
                                              .name = packages[i].name,
                                              .version = STR("1.0-1"),
                                              .type = STR("dpkg"),
                                              .location = STR("pkgdb"),
                                              .severity = str_z(severities[i % 4]),
                                              .url = STR("http://x"),
                                              .nvd = {-1, -1, -1},
                                              .vendor = {-1, -1, -1},
                                              .epss = -1,
                                              .epss_percentile = -1};
    struct policy_image image = {.have = ~0u,
                                 .id = STR("ff"),
                                 .digest = STR("sha256:aa"),
                                 .distro = STR("debian"),
                                 .distro_version = STR("12"),
                                 .dockerfile = STR("FROM x\nEXPOSE 80\n"),
                                 .dockerfile_mode = STR("Actual"),
                                 .packages = packages,
                                 .n_packages = PACKAGES};
    struct policy_findings all = {.items = findings, .n = FINDINGS};
    struct policy_feeds feeds = {true, 1700000000000000, 1700000000000000};
    struct policy_subject s = {.account = STR("admin"),
                               .tag = STR("docker.io/a:1"),
                               .image = &image,
                               .findings = &all,
                               .feeds = &feeds,
                               .now_us = 1700000000000000};
    for (int items = 0; items <= ITEMS; items += ITEMS) {
        struct policy_bundle *b;
        auto_buf text;
        size_t rows = 0;
        buf_init(&text, 64 << 20);
        make_bundle(&text, items);
        double from = now_us();
        if (policy_bundle_new(buf_view(&text), &b, &e) < 0) {
            fprintf(stderr, "%s\n", e.text);
            return 1;
        }
        double compiled = now_us() - from, took = measure(b, &s, &rows);
        double least = measure_floor(rows);
        printf("%d packages, %d findings, %d allowlist items: %zu rows in %.0f us (%.1f times the "
               "floor), compiled in %.0f us\n",
               PACKAGES, FINDINGS, items, rows, took, took / least, compiled);
        policy_bundle_free(b);
    }
    arena_done(&a);
    return 0;
}
