#include "api/event_feed.h"

#include "base/escape.h"
#include "pages/page_url.h"
#include "store/reports.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Of a row of REPORT_EVENTS. */
enum field {
    LIST,
    ID,
    KIND,
    PATH,
    TITLE,
    BEGAN_AT,
    PEAK_AT,
    ENDED_AT,
    VISITORS,
    EXPECTED,
    RATIO,
    SCORE,
    PEAK,
    PEAK_EXPECTED,
    CAUSE
};

static const double CHANCE = 2; /* a score of a headline below it may be chance, as in messages of alerts */

enum { DATE_BYTES = 10 }; /* of "2026-11-24T16:00:00.000Z" */

static const char *text_of(const struct database_rows *rows, size_t row, enum field field)
{
    size_t len = 0;
    return database_bytes(rows, row, (int)field, &len);
}

static void put(struct buffer *out, const struct database_rows *rows, size_t row, enum field field)
{
    size_t len = 0;
    const char *bytes = database_bytes(rows, row, (int)field, &len);
    if (bytes)
        xml_escape(out, bytes, len);
}

static const char *updated_of(const struct database_rows *rows, size_t row)
{
    const char *ended_at = text_of(rows, row, ENDED_AT);
    return ended_at ? ended_at : text_of(rows, row, BEGAN_AT);
}

static const char *words_of(const char *kind)
{
    static const char *const words[][2] = {
        {"rise", "Rising"},           {"takeoff", "New and rising"}, {"fall", "Falling"},
        {"record", "Record"},         {"site_high", "Site high"},    {"site_low", "Site low"},
        {"headline", "New headline"}, {"outage", "Measurement out"},
    };
    for (size_t i = 0; kind && i < sizeof words / sizeof *words; i++) {
        if (strcmp(words[i][0], kind) == 0)
            return words[i][1];
    }
    return "Event";
}

static bool is_kind(const struct database_rows *rows, size_t row, const char *kind)
{
    const char *its = text_of(rows, row, KIND);
    return its && strcmp(its, kind) == 0;
}

static void put_headline_effect(struct buffer *out, const struct database_rows *rows, size_t row)
{
    buffer_append_text(out, "15 minutes later ");
    put(out, rows, row, VISITORS);
    buffer_append_text(out, " against ");
    put(out, rows, row, EXPECTED);
    buffer_append_text(out, " expected");
    const char *score = text_of(rows, row, SCORE);
    if (!score || fabs(strtod(score, NULL)) < CHANCE)
        buffer_append_text(out, ": not told apart from chance");
}

/* What is over had its most, or of a fall its fewest. */
static void put_end(struct buffer *out, const struct database_rows *rows, size_t row)
{
    bool falls = is_kind(rows, row, "fall") || is_kind(rows, row, "site_low");
    buffer_append_text(out, "over since ");
    put(out, rows, row, ENDED_AT);
    if (is_kind(rows, row, "outage"))
        return;
    buffer_append_text(out, falls ? ", at least " : ", at most ");
    put(out, rows, row, PEAK);
}

static void put_what(struct buffer *out, const struct database_rows *rows, size_t row)
{
    if (text_of(rows, row, RATIO)) {
        put(out, rows, row, RATIO);
        buffer_append_text(out, " × expected: ");
        put(out, rows, row, VISITORS);
        buffer_append_text(out, " against ");
        put(out, rows, row, EXPECTED);
    }
    if (text_of(rows, row, CAUSE)) {
        buffer_append_text(out, "; from ");
        put(out, rows, row, CAUSE);
    }
    if (text_of(rows, row, ENDED_AT) && !is_kind(rows, row, "record")) {
        if (text_of(rows, row, RATIO))
            buffer_append_text(out, "; ");
        put_end(out, rows, row);
    }
}

static void put_summary(struct buffer *out, const struct database_rows *rows, size_t row)
{
    buffer_append_text(out, "<summary>");
    if (is_kind(rows, row, "headline"))
        put_headline_effect(out, rows, row);
    else
        put_what(out, rows, row);
    buffer_append_text(out, "</summary>\n");
}

static void put_link(struct buffer *out, const char *host, const char *path)
{
    struct buffer url;
    buffer_init(&url, PAGE_URL_MAX_BYTES);
    page_url_put(&url, host, path);
    buffer_append_text(out, "<link rel=\"alternate\" href=\"");
    if (url.status == STATUS_OK)
        xml_escape(out, url.data, url.len_bytes);
    else
        out->status = url.status;
    buffer_append_text(out, "\"/>\n");
    buffer_release(&url);
}

static void put_entry(struct buffer *out, const char *host, const struct database_rows *rows, size_t row)
{
    const char *began_at = text_of(rows, row, BEGAN_AT);
    buffer_append_format(out, "<entry>\n<id>tag:%s,%.*s:upbeat/event/", host, DATE_BYTES, began_at);
    put(out, rows, row, ID);
    buffer_append_format(out, "</id>\n<title>%s: ", words_of(text_of(rows, row, KIND)));
    if (text_of(rows, row, TITLE))
        put(out, rows, row, TITLE);
    else
        buffer_append_text(out, host);
    buffer_append_format(out, "</title>\n<published>%s</published>\n<updated>%s</updated>\n", began_at,
                         updated_of(rows, row));
    put_link(out, host, text_of(rows, row, PATH));
    buffer_append_text(out, "<category term=\"");
    put(out, rows, row, KIND);
    buffer_append_text(out, "\"/>\n");
    put_summary(out, rows, row);
    buffer_append_text(out, "</entry>\n");
}

void event_feed_write(struct buffer *out, const char *host, const struct database_rows *rows, int limit)
{
    const char *updated = "2000-01-01T00:00:00.000Z"; /* of a feed without entries, as long as it has none */
    int count = 0;
    for (size_t row = 0; row < database_rows_count(rows); row++) {
        if (database_int(rows, row, LIST, 0) == 1 && strcmp(updated_of(rows, row), updated) > 0)
            updated = updated_of(rows, row);
    }
    buffer_append_format(out,
                         "<?xml version=\"1.0\" encoding=\"utf-8\"?>\n"
                         "<feed xmlns=\"http://www.w3.org/2005/Atom\" xml:base=\"https://%s/\">\n"
                         "<id>tag:%s,2026-01-01:upbeat/events</id>\n<title>%s: what happens</title>\n"
                         "<updated>%s</updated>\n<author><name>upbeat</name></author>\n",
                         page_url_site(host), host, host, updated);
    put_link(out, host, NULL);
    for (size_t row = 0; row < database_rows_count(rows) && count < limit; row++) {
        if (database_int(rows, row, LIST, 0) != 1)
            continue;
        put_entry(out, host, rows, row);
        count++;
    }
    buffer_append_text(out, "</feed>\n");
}
