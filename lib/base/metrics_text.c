#include "base/metrics_text.h"

#include "base/metrics.h"
#include "base/utf8.h"

#include <inttypes.h>
#include <stdbool.h>
#include <string.h>

enum { THOUSANDTHS = 1000, MICROSECONDS = 1000000 };

/* The bytes of the character that the text begins with; 0 where that is no UTF-8. */
static size_t character_bytes(const char *text, size_t len_bytes)
{
    for (size_t bytes = 1; bytes <= 4 && bytes <= len_bytes; bytes++) {
        if (utf8_valid(text, bytes))
            return bytes;
    }
    return 0;
}

static void append_escaped(struct buffer *out, const char *text)
{
    size_t len = strlen(text);
    for (size_t at = 0; at < len;) {
        size_t bytes = character_bytes(text + at, len - at);
        if (bytes == 0)
            buffer_append_char(out, '?');
        else if (text[at] == '\n')
            buffer_append_text(out, "\\n");
        else if (text[at] == '\\' || text[at] == '"')
            buffer_append_format(out, "\\%c", text[at]);
        else
            buffer_append(out, text + at, bytes);
        at += bytes == 0 ? 1 : bytes;
    }
}

void metrics_text_family(struct buffer *out, enum metric metric)
{
    static const char *const kinds[] = {"counter", "gauge", "histogram"};
    const struct metric_family *family = metric_family(metric);
    buffer_append_format(out, "# HELP %s %s\n# TYPE %s %s\n", family->name, family->help, family->name,
                         kinds[family->kind]);
}

/* "{name="value",..."; the caller closes it. False: there was no label. */
static bool append_labels(struct buffer *out, const struct metric_family *family, const char *const *values)
{
    bool is_open = false;
    for (unsigned i = 0; i < METRIC_LABELS_MAX && family->labels[i].name; i++) {
        buffer_append_format(out, "%c%s=\"", is_open ? ',' : '{', family->labels[i].name);
        append_escaped(out, values[i]);
        buffer_append_char(out, '"');
        is_open = true;
    }
    return is_open;
}

void metrics_text_sample(struct buffer *out, enum metric metric, const char *const *values,
                         int64_t thousandths)
{
    const struct metric_family *family = metric_family(metric);
    uint64_t size = thousandths < 0 ? 0 - (uint64_t)thousandths : (uint64_t)thousandths;
    buffer_append_text(out, family->name);
    if (append_labels(out, family, values))
        buffer_append_char(out, '}');
    buffer_append_format(out, " %s%" PRIu64, thousandths < 0 ? "-" : "", size / THOUSANDTHS);
    if (size % THOUSANDTHS != 0)
        buffer_append_format(out, ".%03" PRIu64, size % THOUSANDTHS);
    buffer_append_char(out, '\n');
}

static void append_bucket(struct buffer *out, const struct metric_family *family, const char *const *values,
                          unsigned bucket, uint64_t count)
{
    buffer_append_format(out, "%s_bucket", family->name);
    buffer_append_text(out, append_labels(out, family, values) ? ",le=\"" : "{le=\"");
    if (bucket == METRIC_BUCKETS)
        buffer_append_text(out, "+Inf");
    else
        buffer_append_format(out, "%g", metric_buckets_us[bucket] / (double)MICROSECONDS);
    buffer_append_format(out, "\"} %" PRIu64 "\n", count);
}

static void append_histogram(struct buffer *out, enum metric metric, const struct metrics_sum *sum,
                             unsigned series, const char *const *values)
{
    const struct metric_family *family = metric_family(metric);
    uint64_t count = 0;
    uint64_t total_us = metrics_total_us(sum, metric, series);
    for (unsigned bucket = 0; bucket <= METRIC_BUCKETS; bucket++)
        count += metrics_bucket(sum, metric, series, bucket);
    if (family->is_sparse && count == 0)
        return;
    count = 0;
    for (unsigned bucket = 0; bucket <= METRIC_BUCKETS; bucket++) {
        count += metrics_bucket(sum, metric, series, bucket);
        append_bucket(out, family, values, bucket, count);
    }
    buffer_append_format(out, "%s_sum", family->name);
    if (append_labels(out, family, values))
        buffer_append_char(out, '}');
    buffer_append_format(out, " %" PRIu64 ".%06" PRIu64 "\n%s_count", total_us / MICROSECONDS,
                         total_us % MICROSECONDS, family->name);
    if (append_labels(out, family, values))
        buffer_append_char(out, '}');
    buffer_append_format(out, " %" PRIu64 "\n", count);
}

static void append_family(struct buffer *out, enum metric metric, const struct metrics_sum *sum)
{
    const struct metric_family *family = metric_family(metric);
    metrics_text_family(out, metric);
    for (unsigned series = 0; series < metric_series_count(family); series++) {
        const char *values[METRIC_LABELS_MAX] = {"", "", ""};
        for (unsigned i = 0; i < METRIC_LABELS_MAX && family->labels[i].name; i++)
            values[i] = metric_label_value(family, series, i);
        if (family->kind == METRIC_HISTOGRAM)
            append_histogram(out, metric, sum, series, values);
        else if (!family->is_sparse || metrics_value(sum, metric, series) > 0)
            metrics_text_sample(out, metric, values,
                                (int64_t)metrics_value(sum, metric, series) * THOUSANDTHS);
    }
}

void metrics_text_counted(struct buffer *out)
{
    struct metrics_sum sum;
    metrics_add_up(&sum);
    for (unsigned metric = 0; metric < METRICS; metric++)
        append_family(out, (enum metric)metric, &sum);
}
