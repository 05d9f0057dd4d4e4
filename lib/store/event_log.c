#include "store/event_log.h"

#include "base/timestamp.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define AT_US(N)   "timestamptz 'epoch' + $" #N "::text::bigint * interval '1 us'"
#define US(COLUMN) "(extract(epoch from " COLUMN ") * 1000000)::bigint"

static const struct statement HOSTS = {"upbeat_event_hosts", "select * from event_hosts()", 0, false};

static const struct statement SAMPLES = {
    "upbeat_event_samples", "select * from event_samples($1::text, " AT_US(2) ", " AT_US(3) ")", 3, false};

static const struct statement TITLES = {
    "upbeat_event_titles",
    "select t.page_id, " US("t.since") " from pages p join titles t using (page_id) where p.host = $1::text"
                                       " and t.since > " AT_US(2) " and t.since <= " AT_US(
                                           3) " and exists (select from titles o where o.page_id = t.page_id "
                                              "and o.since < t.since) order by t.since",
    3, false};

static const struct statement RECENT = {
    "upbeat_event_recent",
    "select page_id, kind::text, " US("began_at") ", " US("peak_at") ", " US(
        "ended_at") ", visitors::text, expected::text, score::text, peak::text, peak_expected::text,"
                    " sources[1]::text, sources[2]::text, sources[3]::text, sources[4]::text, "
                    "sources[5]::text"
                    " from events where host = $1::text and kind not in ('record', 'headline')"
                    " and (ended_at is null or ended_at > " AT_US(2) ") order by began_at",
    2, false};

static const struct statement USUAL = {
    "upbeat_event_usual",
    "select usual_low::text, usual_high::text from page_usual($1::text, null, zone_of($1::text, null))", 1,
    false};

static const struct statement RECORDS = {"upbeat_event_records",
                                         "select page_id, most::text from event_records($1::text)", 1, false};

static const struct statement RECORD = {
    "upbeat_event_record", "select record_events($1::text, " AT_US(2) ", " AT_US(3) ", $4::text::jsonb)", 4,
    true};

enum { NUMBER_BYTES = 24 };

static const char *number_text(time_us at, char text[NUMBER_BYTES])
{
    snprintf(text, NUMBER_BYTES, "%" PRId64, at);
    return text;
}

enum status event_log_hosts(struct database *database, struct deadline deadline,
                            struct database_rows **rows_r)
{
    return database_run(database, &HOSTS, NULL, 1, deadline, rows_r);
}

struct event_host event_log_host(const struct database_rows *rows, size_t number)
{
    size_t len = 0;
    return (struct event_host){
        .host = database_bytes(rows, number, 0, &len),
        .looked_at = database_int(rows, number, 1, 0),
        .taken_at = database_int(rows, number, 2, 0),
        .is_failing = database_bool(rows, number, 3),
    };
}

enum status event_log_samples(struct database *database, const char *host, time_us after, time_us until,
                              struct deadline deadline, struct database_rows **rows_r)
{
    char from[NUMBER_BYTES];
    char to[NUMBER_BYTES];
    const struct sql_param parameters[] = {
        {.bytes = host}, {.bytes = number_text(after, from)}, {.bytes = number_text(until, to)}};
    return database_run(database, &SAMPLES, parameters, 1, deadline, rows_r);
}

struct event_row event_log_row(const struct database_rows *rows, size_t number)
{
    struct event_row row = {
        .taken_at = database_int(rows, number, 0, 0),
        .row_limit = (int32_t)database_int(rows, number, 1, 0),
        .is_suspect = database_bool(rows, number, 2),
        .page_id = (int32_t)database_int(rows, number, 3, 0),
        .visitors = (int32_t)database_int(rows, number, 4, 0),
        .has_sources = database_int(rows, number, 5, -1) >= 0,
    };
    if (row.visitors > TREND_HUNDREDTHS_MAX / 100)
        row.visitors = TREND_HUNDREDTHS_MAX / 100;
    for (int i = 0; i < PAGE_SOURCES && row.has_sources; i++)
        row.sources[i] = (uint32_t)database_int(rows, number, 5 + i, 0);
    return row;
}

enum status event_log_titles(struct database *database, const char *host, time_us after, time_us until,
                             struct deadline deadline, struct database_rows **rows_r)
{
    char from[NUMBER_BYTES];
    char to[NUMBER_BYTES];
    const struct sql_param parameters[] = {
        {.bytes = host}, {.bytes = number_text(after, from)}, {.bytes = number_text(until, to)}};
    return database_run(database, &TITLES, parameters, 1, deadline, rows_r);
}

void event_log_title(const struct database_rows *rows, size_t number, int32_t *page_id_r, time_us *since_r)
{
    *page_id_r = (int32_t)database_int(rows, number, 0, 0);
    *since_r = database_int(rows, number, 1, 0);
}

enum status event_log_recent(struct database *database, const char *host, time_us since,
                             struct deadline deadline, struct database_rows **rows_r)
{
    char from[NUMBER_BYTES];
    const struct sql_param parameters[] = {{.bytes = host}, {.bytes = number_text(since, from)}};
    return database_run(database, &RECENT, parameters, 1, deadline, rows_r);
}

static double real(const struct database_rows *rows, size_t number, int column)
{
    size_t len = 0;
    const char *text = database_bytes(rows, number, column, &len);
    return text ? strtod(text, NULL) : NAN;
}

enum event_kind event_log_kind(const char *name)
{
    int kind = 0;
    while (kind < EVENT_KINDS - 1 && (!name || strcmp(name, event_kind_name((enum event_kind)kind)) != 0))
        kind++;
    return (enum event_kind)kind;
}

struct event event_log_event(const struct database_rows *rows, size_t number)
{
    size_t len = 0;
    int64_t page_id = database_int(rows, number, 0, 0);
    struct event event = {
        .kind = event_log_kind(database_bytes(rows, number, 1, &len)),
        .page = page_id > 0 ? (uint32_t)page_id : EVENT_SITE,
        .began_ms = database_int(rows, number, 2, 0) / 1000,
        .peak_ms = database_int(rows, number, 3, 0) / 1000,
        .ended_ms = database_int(rows, number, 4, 0) / 1000,
        .visitors = real(rows, number, 5),
        .expected = real(rows, number, 6),
        .score = real(rows, number, 7),
        .peak_visitors = real(rows, number, 8),
        .peak_expected = real(rows, number, 9),
        .has_sources = !isnan(real(rows, number, 10)),
    };
    for (int i = 0; i < PAGE_SOURCES && event.has_sources; i++)
        event.sources[i] = real(rows, number, 10 + i);
    event.causes = event.has_sources ? event_causes(event.sources, event.kind == EVENT_FALL) : 0;
    return event;
}

enum status event_log_usual(struct database *database, const char *host, struct deadline deadline,
                            struct event_usual *usual_r)
{
    const struct sql_param parameters[] = {{.bytes = host}};
    struct database_rows *rows = NULL;
    enum status result = database_run(database, &USUAL, parameters, 1, deadline, &rows);
    if (result != STATUS_OK)
        return result;
    *usual_r = (struct event_usual){NAN, NAN};
    if (database_rows_count(rows) > 0)
        *usual_r = (struct event_usual){real(rows, 0, 0), real(rows, 0, 1)};
    database_rows_free(rows);
    return STATUS_OK;
}

enum status event_log_records(struct database *database, const char *host, struct deadline deadline,
                              struct database_rows **rows_r)
{
    const struct sql_param parameters[] = {{.bytes = host}};
    return database_run(database, &RECORDS, parameters, 1, deadline, rows_r);
}

double event_log_most(const struct database_rows *rows, size_t number, int32_t *page_id_r)
{
    *page_id_r = (int32_t)database_int(rows, number, 0, 0);
    return real(rows, number, 1);
}

static void put_time(struct buffer *out, const char *name, int64_t at_ms)
{
    char text[TIMESTAMP_BYTES];
    timestamp_write(at_ms * 1000, text);
    buffer_append_format(out, ",\"%s\":\"%s\"", name, text);
}

void event_log_put(struct buffer *out, const struct event *event, int32_t page_id)
{
    buffer_append_format(out, "%s{\"page_id\":%d,\"kind\":\"%s\"", out->len_bytes > 1 ? "," : "", page_id,
                         event_kind_name(event->kind));
    put_time(out, "began_at", event->began_ms);
    put_time(out, "peak_at", event->peak_ms);
    if (event->ended_ms > 0)
        put_time(out, "ended_at", event->ended_ms);
    buffer_append_format(
        out, ",\"visitors\":%.4f,\"expected\":%.4f,\"score\":%.4f,\"peak\":%.4f,\"peak_expected\":%.4f",
        event->visitors, event->expected, event->score, event->peak_visitors, event->peak_expected);
    buffer_append_text(out, ",\"causes\":[");
    const char *comma = "";
    for (int i = 0; i < PAGE_SOURCES; i++) {
        if (event->causes & 1U << i) {
            buffer_append_format(out, "%s\"%s\"", comma, event_source_name((enum page_source)i));
            comma = ",";
        }
    }
    buffer_append_text(out, "]");
    for (int i = 0; i < PAGE_SOURCES && event->has_sources; i++)
        buffer_append_format(out, "%s%.4f", i == 0 ? ",\"sources\":[" : ",", event->sources[i]);
    buffer_append_text(out, event->has_sources ? "]}" : "}");
}

enum status event_log_record(struct database *database, const char *host, time_us from, time_us until,
                             const char *events, struct deadline deadline, bool *is_ours_r)
{
    char from_text[NUMBER_BYTES];
    char until_text[NUMBER_BYTES];
    const struct sql_param parameters[] = {{.bytes = host},
                                           {.bytes = from > 0 ? number_text(from, from_text) : NULL},
                                           {.bytes = number_text(until, until_text)},
                                           {.bytes = events}};
    struct database_rows *rows = NULL;
    enum status result = database_run(database, &RECORD, parameters, 1, deadline, &rows);
    if (result != STATUS_OK)
        return result;
    *is_ours_r = database_bool(rows, 0, 0);
    database_rows_free(rows);
    return STATUS_OK;
}
