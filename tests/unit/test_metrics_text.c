#include "unit.h"

#include "base/metrics.h"
#include "base/metrics_text.h"

static void test_samples(void **state)
{
    (void)state;
    static const struct {
        const char *label;
        int64_t thousandths;
        const char *text;
    } cases[] = {
        {"a.example", 0, "upbeat_site_visitors{host=\"a.example\"} 0\n"},
        {"", 1000, "upbeat_site_visitors{host=\"\"} 1\n"},
        {"a\"b", 1001, "upbeat_site_visitors{host=\"a\\\"b\"} 1.001\n"},
        {"a\\b\\", 20, "upbeat_site_visitors{host=\"a\\\\b\\\\\"} 0.020\n"},
        {"a\nb", -1500, "upbeat_site_visitors{host=\"a\\nb\"} -1.500\n"},
        {"\n\"} 1\nupbeat_up 1", 1, "upbeat_site_visitors{host=\"\\n\\\"} 1\\nupbeat_up 1\"} 0.001\n"},
        {"\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80", 0,
         "upbeat_site_visitors{host=\"\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80\"} 0\n"},
        {"\xff\xc3 \xe2\x82", 0, "upbeat_site_visitors{host=\"?? ??\"} 0\n"},
        {"\r\t", INT64_MAX, "upbeat_site_visitors{host=\"\r\t\"} 9223372036854775.807\n"},
        {"x", INT64_MIN, "upbeat_site_visitors{host=\"x\"} -9223372036854775.808\n"},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct buffer out;
        const char *const labels[METRIC_LABELS_MAX] = {cases[i].label};
        buffer_init(&out, 1000);
        metrics_text_sample(&out, METRIC_SITE_VISITORS, labels, cases[i].thousandths);
        assert_case_text(cases[i].label, out.data, cases[i].text);
        buffer_release(&out);
    }
}

static void test_families(void **state)
{
    (void)state;
    struct buffer out;
    const char *const labels[METRIC_LABELS_MAX] = {"rise", "open"};
    buffer_init(&out, 1000);
    metrics_text_family(&out, METRIC_EVENTS);
    metrics_text_sample(&out, METRIC_EVENTS, labels, 3000);
    assert_non_null(
        strstr(out.data, "\n# TYPE upbeat_events gauge\nupbeat_events{kind=\"rise\",state=\"open\"} 3\n"));
    buffer_release(&out);
}

static void test_what_was_counted(void **state)
{
    (void)state;
    struct buffer out;
    buffer_init(&out, 1 << 20);
    metrics_count(METRIC_REQUESTS, metric_request_series(ENDPOINT_TRENDS, 200, FRESHNESS_KEPT), 3);
    metrics_observe(METRIC_LOOKUP_DURATION, 0, 700);
    metrics_observe(METRIC_LOOKUP_DURATION, 0, 6000000);
    metrics_text_counted(&out);
    static const char *const lines[] = {
        "\nupbeat_requests_total{endpoint=\"trends\",status=\"200\",freshness=\"kept\"} 3\n",
        "\nupbeat_lookup_duration_seconds_bucket{le=\"0.0005\"} 0\n",
        "\nupbeat_lookup_duration_seconds_bucket{le=\"0.001\"} 1\n",
        "\nupbeat_lookup_duration_seconds_bucket{le=\"5\"} 1\n",
        "\nupbeat_lookup_duration_seconds_bucket{le=\"+Inf\"} 2\n",
        "\nupbeat_lookup_duration_seconds_sum 6.000700\nupbeat_lookup_duration_seconds_count 2\n",
        "\nupbeat_waiting_requests 0\n",
        "\nupbeat_refreshes_total{outcome=\"held\"} 0\n",
    };
    for (size_t i = 0; i < COUNT(lines); i++)
        assert_case(lines[i], strstr(out.data, lines[i]) != NULL);
    assert_null(strstr(out.data, "endpoint=\"history\""));
    buffer_release(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_samples),
        cmocka_unit_test(test_families),
        cmocka_unit_test(test_what_was_counted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
