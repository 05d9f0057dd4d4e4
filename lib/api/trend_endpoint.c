#include "api/trend_endpoint.h"

#include "base/duration.h"
#include "base/escape.h"
#include "base/timestamp.h"

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

static void put_sections(struct buffer *out, const struct page *page)
{
    const char *at = page->sections;
    const char *end = at + page->sections_bytes;
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

static void put_sources(struct buffer *out, const struct window_sources *sources)
{
    static const char *const names[] = {[SOURCE_SEARCH] = "search",
                                        [SOURCE_SOCIAL] = "social",
                                        [SOURCE_LINKS] = "links",
                                        [SOURCE_DIRECT] = "direct",
                                        [SOURCE_INTERNAL] = "internal"};
    if (sources->now_count == 0) {
        buffer_append_text(out, "null");
        return;
    }
    for (size_t i = 0; i < PAGE_SOURCES; i++) {
        buffer_append_format(out, "%s\"%s\":{\"now\":%.4f,\"change\":", i == 0 ? "{" : ",", names[i],
                             sources->now[i]);
        if (sources->then_count > 0)
            buffer_append_format(out, "%.4f}", sources->now[i] - sources->then[i]);
        else
            buffer_append_text(out, "null}");
    }
    buffer_append_char(out, '}');
}

static const char *truth(bool is_true)
{
    return is_true ? "true" : "false";
}

static void put_rank(struct buffer *out, const struct trend_page *page, const char *none)
{
    if (page->rank > 0)
        buffer_append_format(out, "%d", page->rank);
    else
        buffer_append_text(out, none);
}

static void put_rank_change(struct buffer *out, const struct trend_page *page, const char *none)
{
    if (page->rank > 0 && page->old_rank > 0)
        buffer_append_format(out, "%d", page->old_rank - page->rank);
    else
        buffer_append_text(out, none);
}

/* `since`: when the event began that is open; or else what the line says. */
static void put_spark(struct buffer *out, const struct sparklines *lines, const struct trend_page *page,
                      time_us since)
{
    const int32_t *values = lines->values + page->page * lines->count;
    buffer_append_text(out, ",\"spark\":[");
    for (size_t i = 0; i < lines->count; i++) {
        if (i > 0)
            buffer_append_char(out, ',');
        if (values[i] == SPARKLINE_UNKNOWN)
            buffer_append_text(out, "null");
        else
            buffer_append_format(out, "%.10g", values[i] / 100.0);
    }
    buffer_append_text(out, "],\"since\":");
    int64_t minute = sparkline_since(lines, page->page, page->expected, page->sigma,
                                     page->visitors < page->expected ? -1 : 1);
    if (since || minute >= 0) {
        buffer_append_char(out, '"');
        timestamp_put(out, since ? since : minute * INT64_C(60000000));
        buffer_append_char(out, '"');
    } else {
        buffer_append_text(out, "null");
    }
}

static void put_json_row(struct buffer *out, const struct trend_result *trend_result,
                         const struct trend_page *page, bool has_sparklines)
{
    const struct trend *trend = &trend_result->trend;
    const struct window_page *of = &trend_result->pages[page->page];
    buffer_append_text(out, "{\"i\":");
    json_escape(out, of->page.title, of->page.title_bytes);
    buffer_append_text(out, ",\"path\":");
    json_escape(out, of->page.path, of->page.path_bytes);
    buffer_append_format(out,
                         ",\"visitors\":%.4f,\"change\":%.4f,\"expected\":%.4f,\"ratio\":", page->visitors,
                         page->change, page->expected);
    if (page->expected > 0)
        buffer_append_format(out, "%.4f", page->visitors / page->expected);
    else
        buffer_append_text(out, "null");
    buffer_append_format(out, ",\"score\":%.4f,\"sigma\":%.4f,\"baseline_minutes\":%d,\"rank\":", page->score,
                         page->sigma, trend->baseline_minutes);
    put_rank(out, page, "null");
    buffer_append_text(out, ",\"rank_change\":");
    put_rank_change(out, page, "null");
    buffer_append_format(out, ",\"new\":%s,\"lower_bound\":%s,\"first_seen\":", truth(page->is_new),
                         truth(page->is_lower_bound));
    if (of->first_seen) {
        buffer_append_char(out, '"');
        timestamp_put(out, of->first_seen);
        buffer_append_char(out, '"');
    } else {
        buffer_append_text(out, "null");
    }
    buffer_append_text(out, ",\"sections\":");
    put_sections(out, &of->page);
    buffer_append_text(out, ",\"sources\":");
    put_sources(out, &of->sources);
    if (has_sparklines)
        put_spark(out, &trend_result->sparklines, page, of->since);
    buffer_append_char(out, '}');
}

/* How many pages there are to see: rising and falling by the default bounds, and listed now. */
static void put_counts(struct buffer *out, const struct trend *trend)
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
    buffer_append_format(out, ",\"rising\":%d,\"falling\":%d,\"listed\":%d", rising, falling, listed);
}

static void put_usual(struct buffer *out, const struct site_usual *usual)
{
    if (usual->is_known)
        buffer_append_format(out, ",\"usual\":%.2f,\"usual_low\":%.2f,\"usual_high\":%.2f", usual->usual,
                             usual->low, usual->high);
    else
        buffer_append_text(out, ",\"usual\":null,\"usual_low\":null,\"usual_high\":null");
}

/* Minutes of the window that must be known before the measure may speak: half of the baseline, the newest
 * minutes, and the one that the window's start cuts. */
static int32_t minutes_needed(const struct trend *trend)
{
    return (trend->window_minutes + 1) / 2 + (int32_t)(trend->recent_ms / 60000) + 1;
}

static void put_json_head(struct buffer *out, const struct request_params *params,
                          const struct trend_result *trend_result, const struct site_usual *usual,
                          bool is_stale, bool is_warming)
{
    const struct trend *trend = &trend_result->trend;
    buffer_append_format(out, "{\"host\":\"%s\",\"as_of\":\"", params->host);
    timestamp_put(out, trend_result->as_of_ms * 1000);
    buffer_append_format(out, "\",\"stale\":%s,\"warming\":%s,\"window_s\":%" PRId64 ",\"recent_s\":%" PRId64,
                         truth(is_stale), truth(is_warming), trend_result->window_ms / 1000,
                         trend->recent_ms / 1000);
    buffer_append_format(out,
                         ",\"coverage\":%.4f,\"samples\":%" PRId64
                         ",\"minutes_known\":%d,\"minutes_needed\":%d,\"site\":",
                         fmin(1, (double)trend->baseline_minutes / trend->window_minutes), trend->samples,
                         trend_result->minutes_known, minutes_needed(trend));
    if (is_warming)
        buffer_append_text(out, "{\"visitors\":null,\"expected\":null,\"tide\":null,\"wobble\":null");
    else
        buffer_append_format(out, "{\"visitors\":%.4f,\"expected\":%.4f,\"tide\":%.6f,\"wobble\":%.6f",
                             trend->site_visitors, trend->site_expected, trend->site_factor,
                             trend->site_wobble);
    put_usual(out, usual);
    put_counts(out, trend);
    buffer_append_char(out, '}');
    buffer_append_text(out, ",\"pages\":[");
}

static void put_csv_row(struct buffer *out, const struct trend *trend, const struct trend_page *page,
                        const struct window_page *of)
{
    csv_escape(out, of->page.title, of->page.title_bytes);
    buffer_append_char(out, ',');
    csv_escape(out, of->page.path, of->page.path_bytes);
    buffer_append_format(out, ",%.4f,%.4f,%.4f,", page->visitors, page->change, page->expected);
    if (page->expected > 0)
        buffer_append_format(out, "%.4f", page->visitors / page->expected);
    buffer_append_format(out, ",%.4f,%.4f,%d,", page->score, page->sigma, trend->baseline_minutes);
    put_rank(out, page, "");
    buffer_append_char(out, ',');
    put_rank_change(out, page, "");
    buffer_append_format(out, ",%s,%s,", truth(page->is_new), truth(page->is_lower_bound));
    if (of->first_seen)
        timestamp_put(out, of->first_seen);
    buffer_append_text(out, "\r\n");
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
    const struct trend *trend = &trend_result->trend;
    struct trend_page *pages = NULL;
    size_t count = 0;
    bool is_warming = !trend->has_enough_data || is_late;
    enum status result = is_warming ? STATUS_OK : choose(params, trends, trend_result, arena, &pages, &count);
    if (result != STATUS_OK)
        return result;
    if (params->format == FORMAT_CSV) {
        buffer_append_text(
            out, "i,path,visitors,change,expected,ratio,score,sigma,baseline_minutes,rank,rank_change,"
                 "new,lower_bound,first_seen\r\n");
        for (size_t i = 0; i < count; i++)
            put_csv_row(out, trend, &pages[i], &trend_result->pages[pages[i].page]);
        return STATUS_OK;
    }
    if (params->callback)
        buffer_append_format(out, "/**/%s(", params->callback);
    put_json_head(out, params, trend_result, usual, is_stale, is_warming);
    for (size_t i = 0; i < count; i++) {
        if (i > 0)
            buffer_append_text(out, ",\n");
        put_json_row(out, trend_result, &pages[i], trends->has_sparklines);
    }
    buffer_append_text(out, params->callback ? "]});\n" : "]}\n");
    return STATUS_OK;
}
