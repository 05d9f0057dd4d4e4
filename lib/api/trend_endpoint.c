#include "api/trend_endpoint.h"

#include "base/duration.h"
#include "base/escape.h"
#include "base/writer.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    NUMBER_MAX_BYTES = 12,
    VARIANT_BYTES = 160,
    SECTION_MAX_BYTES = 100,
    SCORE_MAX = 1000,
    RATIO_MAX = 10,
    VISITORS_MAX = 1000000
};

/* --- Parameters --------------------------------------------------------------------------------------------
 */

static enum status read_window(const struct query *query, struct arena *arena, struct trends_request *trends,
                               struct problem *problem)
{
    const struct query_parameter *parameter = query_find(query, "window");
    trends->window_ms = TREND_WINDOW_S * INT64_C(1000);
    if (!parameter)
        return STATUS_OK;
    int64_t span_ms = 0;
    if (duration_parse(parameter->value, &span_ms) != STATUS_OK ||
        span_ms < TREND_WINDOW_MIN_S * INT64_C(1000) || span_ms > TREND_WINDOW_MAX_S * INT64_C(1000))
        return params_refuse(parameter, "is not such a span of time", "5m to 24h, as in 90s, 30m, 2h", arena,
                             problem);
    trends->window_ms = span_ms;
    return STATUS_OK;
}

/* One of the names; *place_r is where. */
static enum status read_name(const struct query *query, const char *name, const char *const *names,
                             size_t count, const char *bound, struct arena *arena, size_t *place_r,
                             struct problem *problem)
{
    const struct query_parameter *parameter = query_find(query, name);
    *place_r = 0;
    if (!parameter)
        return STATUS_OK;
    for (size_t i = 0; i < count; i++) {
        if (strcmp(parameter->value, names[i]) == 0) {
            *place_r = i;
            return STATUS_OK;
        }
    }
    return params_refuse(parameter, "is none of these", bound, arena, problem);
}

/* Digits, and a point with more: nothing that only strtod() would take for a number. */
static bool is_decimal(const char *text, size_t len_bytes)
{
    size_t whole = strspn(text, "0123456789");
    size_t rest = text[whole] == '.' ? strspn(text + whole + 1, "0123456789") : 0;
    return whole > 0 && len_bytes <= NUMBER_MAX_BYTES &&
           (whole == len_bytes || (rest > 0 && whole + 1 + rest == len_bytes));
}

static enum status read_decimal(const struct query *query, const char *name, double least, double most,
                                const char *bound, struct arena *arena, double *number,
                                struct problem *problem)
{
    const struct query_parameter *parameter = query_find(query, name);
    if (!parameter)
        return STATUS_OK;
    double value = strtod(parameter->value, NULL);
    if (!is_decimal(parameter->value, parameter->value_bytes) || value < least || value > most)
        return params_refuse(parameter, "is not such a number", bound, arena, problem);
    *number = value;
    return STATUS_OK;
}

static enum status read_section(const struct query *query, struct arena *arena, struct trends_request *trends,
                                struct problem *problem)
{
    const struct query_parameter *parameter = query_find(query, "section");
    trends->section = parameter ? parameter->value : "";
    if (parameter && parameter->value_bytes > SECTION_MAX_BYTES)
        return params_refuse(parameter, "is too long", "at most 100 bytes", arena, problem);
    return STATUS_OK;
}

static enum status name_variant(struct request_params *params, const struct trends_request *trends,
                                struct arena *arena)
{
    char *text = arena_alloc(arena, VARIANT_BYTES + SECTION_MAX_BYTES);
    if (!text)
        return STATUS_NO_MEMORY;
    snprintf(text, VARIANT_BYTES + SECTION_MAX_BYTES, "trends %" PRId64 " %d %.12g %.12g %.12g %d %d %s",
             trends->window_ms, trends->is_all ? -1 : (int)trends->bounds.direction, trends->bounds.min_score,
             trends->bounds.min_visitors, trends->bounds.min_ratio, (int)trends->sort, trends->has_sparklines,
             trends->section);
    params->cache_key_suffix = text;
    return STATUS_OK;
}

enum status trends_read(struct request_params *params, struct arena *arena, struct trends_request *trends_r,
                        struct problem *problem_r)
{
    enum { ALL = TREND_BOTH + 1 };
    static const char *const directions[] = {
        [TREND_UP] = "up", [TREND_DOWN] = "down", [TREND_BOTH] = "both", [ALL] = "all"};
    static const char *const switches[] = {"0", "1"};
    static const char *const sorts[] = {
        [TREND_BY_SCORE] = "score", [TREND_BY_CHANGE] = "change", [TREND_BY_VISITORS] = "visitors"};
    const struct query *query = &params->query;
    size_t direction = 0;
    size_t sort = 0;
    size_t spark = 0;
    *trends_r =
        (struct trends_request){.bounds = {TREND_UP, TREND_MIN_SCORE, TREND_MIN_VISITORS, TREND_MIN_RATIO}};
    enum status result = read_window(query, arena, trends_r, problem_r);
    if (result == STATUS_OK)
        result = read_name(query, "direction", directions, sizeof directions / sizeof *directions,
                           "up, down, both or all", arena, &direction, problem_r);
    if (result == STATUS_OK)
        result = read_name(query, "sort", sorts, sizeof sorts / sizeof *sorts, "score, change or visitors",
                           arena, &sort, problem_r);
    if (result == STATUS_OK)
        result = read_decimal(query, "min_score", 0, SCORE_MAX, "a number from 0 to 1000", arena,
                              &trends_r->bounds.min_score, problem_r);
    if (result == STATUS_OK)
        result = read_decimal(query, "min_visitors", 0, VISITORS_MAX, "a number from 0 to 1000000", arena,
                              &trends_r->bounds.min_visitors, problem_r);
    if (result == STATUS_OK)
        result = read_decimal(query, "min_ratio", 1, RATIO_MAX, "a number from 1 to 10", arena,
                              &trends_r->bounds.min_ratio, problem_r);
    if (result == STATUS_OK)
        result = read_name(query, "spark", switches, sizeof switches / sizeof *switches, "0 or 1", arena,
                           &spark, problem_r);
    if (result == STATUS_OK)
        result = read_section(query, arena, trends_r, problem_r);
    if (result != STATUS_OK)
        return result;
    trends_r->is_all = direction == ALL;
    trends_r->has_sparklines = spark == 1;
    trends_r->bounds.direction = trends_r->is_all ? TREND_BOTH : (enum trend_direction)direction;
    trends_r->sort = (enum trend_sort)sort;
    return name_variant(params, trends_r, arena);
}

/* --- Answer ------------------------------------------------------------------------------------------------
 */

static bool is_in_section(const struct page *page, const char *section)
{
    size_t len = strlen(section);
    const char *at = page->sections;
    const char *end = at + page->sections_bytes;
    if (len == 0)
        return true;
    while (at <= end) {
        const char *stop = memchr(at, SECTION_SEPARATOR, (size_t)(end - at));
        if (!stop)
            stop = end;
        if ((size_t)(stop - at) == len && memcmp(at, section, len) == 0)
            return true;
        at = stop + 1;
    }
    return false;
}

static void put_decimal(struct writer *writer, const char *name, bool is_known, double number, int places)
{
    if (is_known)
        writer_decimal(writer, name, number, places);
    else
        writer_null(writer, name);
}

static void put_int(struct writer *writer, const char *name, bool is_known, int64_t number)
{
    if (is_known)
        writer_int(writer, name, number);
    else
        writer_null(writer, name);
}

static void put_time(struct writer *writer, const char *name, bool is_known, time_us at)
{
    if (is_known)
        writer_time(writer, name, at);
    else
        writer_null(writer, name);
}

static void put_sections(struct writer *writer, const struct page *page)
{
    const char *at = page->sections;
    const char *end = at + page->sections_bytes;
    struct buffer *out = writer->out;
    writer_name(writer, "sections");
    buffer_append_char(out, '[');
    for (bool is_first = true; at < end; is_first = false) {
        const char *stop = memchr(at, SECTION_SEPARATOR, (size_t)(end - at));
        if (!stop)
            stop = end;
        if (!is_first)
            buffer_append_char(out, ',');
        json_escape(out, at, (size_t)(stop - at));
        at = stop + 1;
    }
    buffer_append_char(out, ']');
}

static void put_sources(struct writer *writer, const struct page_sources *sources)
{
    static const char *const names[] = {[SOURCE_SEARCH] = "search",
                                        [SOURCE_SOCIAL] = "social",
                                        [SOURCE_LINKS] = "links",
                                        [SOURCE_DIRECT] = "direct",
                                        [SOURCE_INTERNAL] = "internal"};
    if (!sources->is_known) {
        writer_null(writer, "sources");
        return;
    }
    writer_object_begin(writer, "sources");
    for (size_t i = 0; i < PAGE_SOURCES; i++) {
        writer_object_begin(writer, names[i]);
        put_decimal(writer, "now", sources->now_count > 0, sources->now[i], 4);
        writer_decimal(writer, "change", sources->change[i], 4);
        writer_object_end(writer);
    }
    writer_object_end(writer);
}

/* `since`: when the event began that is open; `spark_since`: what the line says. */
static void put_spark(struct writer *writer, const struct sparklines *lines, const struct trend_page *page,
                      time_us since)
{
    const int32_t *values = lines->values + page->page * lines->count;
    struct buffer *out = writer->out;
    writer_name(writer, "spark");
    buffer_append_char(out, '[');
    for (size_t i = 0; i < lines->count; i++) {
        if (i > 0)
            buffer_append_char(out, ',');
        if (values[i] == SPARKLINE_UNKNOWN)
            buffer_append_text(out, "null");
        else
            buffer_append_format(out, "%.10g", values[i] / 100.0);
    }
    buffer_append_char(out, ']');
    int64_t minute = sparkline_since(lines, page->page, page->expected, page->sigma,
                                     page->visitors < page->expected ? -1 : 1);
    put_time(writer, "since", since != 0, since);
    put_time(writer, "spark_since", minute >= 0, minute * INT64_C(60000000));
}

/* A row has more fields in JSON than in CSV. */
static void put_row(struct writer *writer, const struct trend_result *trend_result,
                    const struct trend_page *page, bool has_sparklines)
{
    const struct window_page *of = &trend_result->pages[page->page];
    writer_row_begin(writer);
    writer_text(writer, "i", of->page.title, of->page.title_bytes);
    writer_text(writer, "path", of->page.path, of->page.path_bytes);
    writer_decimal(writer, "visitors", page->visitors, 4);
    writer_decimal(writer, "change", page->change, 4);
    writer_decimal(writer, "expected", page->expected, 4);
    put_decimal(writer, "ratio", page->expected > 0, page->visitors / page->expected, 4);
    writer_decimal(writer, "score", page->score, 4);
    writer_decimal(writer, "sigma", page->sigma, 4);
    writer_int(writer, "baseline_minutes", trend_result->trend.baseline_minutes);
    put_int(writer, "rank", page->rank > 0, page->rank);
    put_int(writer, "rank_change", page->rank > 0 && page->old_rank > 0, page->old_rank - page->rank);
    writer_bool(writer, "new", page->is_new);
    writer_bool(writer, "lower_bound", page->is_lower_bound);
    put_time(writer, "first_seen", of->first_seen != 0, of->first_seen);
    if (writer->format == WRITE_JSON) {
        put_sections(writer, &of->page);
        put_sources(writer, &of->sources);
        if (has_sparklines)
            put_spark(writer, &trend_result->sparklines, page, of->since);
    }
    writer_row_end(writer);
}

/* How many pages there are to see: rising and falling by the default bounds, and listed now. */
static void put_counts(struct writer *writer, const struct trend *trend)
{
    static const struct trend_bounds up = {TREND_UP, TREND_MIN_SCORE, TREND_MIN_VISITORS, TREND_MIN_RATIO};
    static const struct trend_bounds down = {TREND_DOWN, TREND_MIN_SCORE, TREND_MIN_VISITORS,
                                             TREND_MIN_RATIO};
    int rising = 0;
    int falling = 0;
    int listed = 0;
    for (size_t i = 0; i < trend->page_count; i++) {
        rising += trend_is_shown(&trend->pages[i], &up);
        falling += trend_is_shown(&trend->pages[i], &down);
        listed += trend->pages[i].rank > 0;
    }
    writer_int(writer, "rising", rising);
    writer_int(writer, "falling", falling);
    writer_int(writer, "listed", listed);
}

static void put_site(struct writer *writer, const struct trend *trend, const struct site_usual *usual,
                     bool has_enough_data)
{
    writer_object_begin(writer, "site");
    put_decimal(writer, "visitors", has_enough_data, trend->site_visitors, 4);
    put_decimal(writer, "expected", has_enough_data, trend->site_expected, 4);
    put_decimal(writer, "tide", has_enough_data, trend->site_factor, 6);
    put_decimal(writer, "wobble", has_enough_data, trend->site_wobble, 6);
    put_decimal(writer, "usual", usual->is_known, usual->usual, 2);
    put_decimal(writer, "usual_low", usual->is_known, usual->low, 2);
    put_decimal(writer, "usual_high", usual->is_known, usual->high, 2);
    put_counts(writer, trend);
    writer_object_end(writer);
}

/* Minutes of the window that must be known before the measure may speak: half of the baseline, the newest
 * minutes, and the one that the window's start cuts. */
static int32_t minutes_needed(const struct trend *trend)
{
    return (trend->window_minutes + 1) / 2 + (int32_t)(trend->recent_ms / 60000) + 1;
}

static void put_head(struct writer *writer, const struct request_params *params,
                     const struct trend_result *trend_result, const struct site_usual *usual, bool is_stale,
                     bool has_enough_data)
{
    const struct trend *trend = &trend_result->trend;
    writer_text(writer, "host", params->host, strlen(params->host));
    writer_time(writer, "as_of", trend_result->as_of_ms * 1000);
    writer_bool(writer, "stale", is_stale);
    writer_bool(writer, "warming", !has_enough_data);
    writer_int(writer, "window_s", trend_result->window_ms / 1000);
    writer_int(writer, "recent_s", trend->recent_ms / 1000);
    writer_decimal(writer, "coverage", fmin(1, (double)trend->baseline_minutes / trend->window_minutes), 4);
    writer_int(writer, "samples", trend->samples);
    writer_int(writer, "minutes_known", trend_result->minutes_known);
    writer_int(writer, "minutes_needed", minutes_needed(trend));
    put_site(writer, trend, usual, has_enough_data);
}

static enum status choose(const struct request_params *params, const struct trends_request *trends,
                          const struct trend_result *trend_result, struct arena *arena,
                          struct trend_page **chosen_r, size_t *count_r)
{
    size_t count = 0;
    struct trend_page *chosen = arena_alloc(arena, (trend_result->trend.page_count + 1) * sizeof *chosen);
    if (!chosen)
        return STATUS_NO_MEMORY;
    for (size_t i = 0; i < trend_result->trend.page_count; i++) {
        const struct trend_page *page = &trend_result->trend.pages[i];
        bool is_chosen = trends->is_all ? page->rank > 0 : trend_is_shown(page, &trends->bounds);
        if (is_chosen && is_in_section(&trend_result->pages[page->page].page, trends->section))
            chosen[count++] = *page;
    }
    trend_sort(chosen, count, trends->sort, trend_result->paths);
    *chosen_r = chosen;
    *count_r = count < (size_t)params->limit ? count : (size_t)params->limit;
    return STATUS_OK;
}

enum status trends_write(struct buffer *out, const struct request_params *params,
                         const struct trends_request *trends, const struct trend_result *trend_result,
                         const struct site_usual *usual, bool is_stale, bool is_late, struct arena *arena)
{
    static const char *const columns[] = {
        "i",           "path",  "visitors",    "change",           "expected",
        "ratio",       "score", "sigma",       "baseline_minutes", "rank",
        "rank_change", "new",   "lower_bound", "first_seen"};
    const struct trend *trend = &trend_result->trend;
    struct trend_page *pages = NULL;
    size_t count = 0;
    bool has_enough_data = trend->has_enough_data && !is_late;
    enum status result =
        !has_enough_data ? STATUS_OK : choose(params, trends, trend_result, arena, &pages, &count);
    if (result != STATUS_OK)
        return result;
    struct writer writer;
    bool is_csv = params->format == FORMAT_CSV;
    writer_begin(&writer, out, is_csv ? WRITE_CSV : WRITE_JSON, params->callback);
    writer_header(&writer, columns, sizeof columns / sizeof *columns);
    writer_object_begin(&writer, NULL);
    if (!is_csv)
        put_head(&writer, params, trend_result, usual, is_stale, has_enough_data);
    writer_rows_begin(&writer, "pages");
    for (size_t i = 0; i < count; i++)
        put_row(&writer, trend_result, &pages[i], trends->has_sparklines);
    writer_rows_end(&writer);
    writer_object_end(&writer);
    writer_end(&writer);
    return STATUS_OK;
}

void trends_mark_stale(struct buffer *body)
{
    static const char is[] = "\"stale\":false";
    static const char becomes[] = "\"stale\":true ";
    char *at = body->data ? strstr(body->data, is) : NULL;
    if (at)
        memcpy(at, becomes, sizeof becomes - 1);
}
