#include "unit.h"

#include "services/metrics.h"

#include <pthread.h>

static void page(struct metrics *m, const char *service, struct buf *out)
{
    buf_clear(out);
    metrics_families(m, service, out);
    assert_true(buf_ok(out));
}

static void assert_has(struct buf *b, const char *text)
{
    if (!str_contains(buf_view(b), str_z(text)))
        fail_msg("\"%s\" is not in: %.*s", text, STR_ARG(buf_view(b)));
}

static void test_kinds(void **state)
{
    struct metrics *m = metrics_new();
    auto_buf b;
    buf_init(&b, 1 << 20);
    metric_add(m, METRIC_ANALYSIS_SUCCESS, 1, METRIC_NO_LABELS);
    metric_add(m, METRIC_ANALYSIS_SUCCESS, 2, METRIC_NO_LABELS);
    metric_observe(m, METRIC_ANALYSIS_SECONDS, 4.5, METRIC_LABELS("success"));
    metric_observe(m, METRIC_ANALYSIS_SECONDS, 5, METRIC_LABELS("success"));
    metric_observe(m, METRIC_ANALYSIS_SECONDS, 5000, METRIC_LABELS("success"));
    metric_observe(m, METRIC_MONITOR_SECONDS, 0.5, METRIC_LABELS("image_watcher", "a\"\\\nb"));
    page(m, "catalog", &b);
    assert_has(&b, "# TYPE anchore_analysis_success_total counter\n"
                   "anchore_analysis_success_total 3\n");
    assert_has(&b, "# TYPE anchore_analysis_time_seconds histogram\n"
                   "anchore_analysis_time_seconds_bucket{status=\"success\",le=\"1\"} 0\n"
                   "anchore_analysis_time_seconds_bucket{status=\"success\",le=\"5\"} 2\n");
    assert_has(&b, "anchore_analysis_time_seconds_bucket{status=\"success\",le=\"3600\"} 2\n"
                   "anchore_analysis_time_seconds_bucket{status=\"success\",le=\"+Inf\"} 3\n"
                   "anchore_analysis_time_seconds_sum{status=\"success\"} 5009.5\n"
                   "anchore_analysis_time_seconds_count{status=\"success\"} 3\n");
    assert_has(&b, "anchore_monitor_runtime_seconds_sum{function=\"image_watcher\","
                   "status=\"a\\\"\\\\\\nb\"} 0.5\n");
    assert_has(&b, "anchore_analysis_error_total 0\n");
    metric_add(NULL, METRIC_ANALYSIS_SUCCESS, 1, METRIC_NO_LABELS);
    metrics_free(m);
    metrics_free(NULL);
}

static void test_pages_of_services(void **state)
{
    struct metrics *m = metrics_new();
    auto_buf b;
    buf_init(&b, 1 << 20);
    metric_observe(m, METRIC_HTTP_SECONDS, 0.0051,
                   METRIC_LABELS("catalog", "GET", "/images/{id}", "200"));
    metric_add(m, METRIC_HTTP_TOTAL, 1, METRIC_LABELS("apiext", "GET", "200"));
    page(m, "catalog", &b);
    assert_has(&b, "flask_http_request_duration_seconds_bucket{method=\"GET\","
                   "path=\"/images/{id}\",status=\"200\",le=\"0.01\"} 1\n");
    assert_false(str_contains(buf_view(&b), STR("flask_http_request_total")));
    page(m, "apiext", &b);
    assert_has(&b, "flask_http_request_total{method=\"GET\",status=\"200\"} 1\n");
    assert_false(str_contains(buf_view(&b), STR("duration")));
    metrics_free(m);
}

static void test_bounded(void **state)
{
    struct metrics *m = metrics_new();
    auto_buf b;
    buf_init(&b, 4 << 20);
    char name[600];
    for (int i = 0; i < 5000; i++) {
        snprintf(name, sizeof name, "%d-%0500d", i, 0);
        metric_observe(m, METRIC_MONITOR_SECONDS, 1, METRIC_LABELS(name, "success"));
    }
    page(m, "catalog", &b);
    assert_has(&b, "_count{function=\"other\",status=\"other\"} 4500\n");
    assert_in_range(b.n, 1, 500000);
    metrics_free(m);
}

static void *count(void *m)
{
    for (int i = 0; i < 20000; i++) {
        metric_add(m, METRIC_HTTP_TOTAL, 1, METRIC_LABELS("apiext", "GET", i % 2 ? "200" : "404"));
        metric_observe(m, METRIC_EVALUATION_SECONDS, 1, METRIC_NO_LABELS);
    }
    return NULL;
}

static void test_threads(void **state)
{
    struct metrics *m = metrics_new();
    auto_buf b;
    buf_init(&b, 1 << 20);
    pthread_t t[4];
    for (size_t i = 0; i < 4; i++)
        assert_int_equal(pthread_create(&t[i], NULL, count, m), 0);
    for (size_t i = 0; i < 20; i++)
        page(m, "apiext", &b);
    for (size_t i = 0; i < 4; i++)
        pthread_join(t[i], NULL);
    page(m, "apiext", &b);
    assert_has(&b, "flask_http_request_total{method=\"GET\",status=\"404\"} 40000\n");
    assert_has(&b, "anchore_policy_evaluation_time_seconds_count 80000\n");
    metrics_free(m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_kinds),
        cmocka_unit_test(test_pages_of_services),
        cmocka_unit_test(test_bounded),
        cmocka_unit_test(test_threads),
    };
    return cmocka_run_group_tests_name("metrics", tests, NULL, NULL);
}
