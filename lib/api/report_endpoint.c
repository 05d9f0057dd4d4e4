#include "api/report_endpoint.h"

#include "api/event_feed.h"
#include "api/report_form.h"
#include "base/duration.h"
#include "base/timestamp.h"
#include "base/writer.h"
#include "pages/event_rules.h"
#include "pages/page_path.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    MINUTE_MS = 60000,
    ZONE_MAX_BYTES = 64,
};

static const time_us MINUTE_US = INT64_C(60000000);

/* --- Parameters --------------------------------------------------------------------------------------------
 */

static bool takes(const struct report_request *report, enum report_takes parameter)
{
    return (report_form(report->kind)->takes & (int)parameter) != 0;
}

static enum status read_path(const struct request_params *params, struct arena *arena,
                             struct report_request *report, struct problem *problem)
{
    const struct query *query = &params->query;
    const struct page_path_rules rules = {params->host, params->drop_parameters};
    char path[PATH_MAX_BYTES];
    size_t path_bytes = 0;
    const struct query_parameter *parameter = takes(report, TAKES_PATH) ? query_find(query, "path") : NULL;
    if (!parameter)
        return STATUS_OK;
    const char *fault = NULL;
    if (parameter->value_bytes == 0)
        fault = "is empty";
    else if (page_path_normal(parameter->value, parameter->value_bytes, &rules, path, &path_bytes) !=
             STATUS_OK)
        fault = "is longer than 2000 bytes";
    if (fault)
        return params_refuse(parameter, fault, "the address of a page, at most 2000 bytes", arena, problem);
    report->path = arena_copy(arena, path, path_bytes);
    return report->path ? STATUS_OK : STATUS_NO_MEMORY;
}

/* A plus that was not encoded has become a space before digits: "Etc/GMT+5". No name has a space. */
static const char *with_plus(const char *text, size_t len_bytes, struct arena *arena)
{
    char *copy = arena_copy(arena, text, len_bytes);
    char *space = copy ? strchr(copy, ' ') : NULL;
    if (space && space[1] >= '0' && space[1] <= '9')
        *space = '+';
    return copy;
}

static enum status read_zone(const struct query *query, struct arena *arena, struct report_request *report,
                             struct problem *problem)
{
    bool has_zone = takes(report, TAKES_ZONE) || takes(report, TAKES_SPAN) || takes(report, TAKES_AT) ||
                    takes(report, TAKES_EVENTS);
    const struct query_parameter *parameter = has_zone ? query_find(query, "tz") : NULL;
    if (!parameter)
        return STATUS_OK;
    report->tz = with_plus(parameter->value, parameter->value_bytes, arena);
    if (!report->tz)
        return STATUS_NO_MEMORY;
    if (parameter->value_bytes > 0 && parameter->value_bytes <= ZONE_MAX_BYTES)
        return STATUS_OK;
    return params_refuse(parameter, "is not the name of a time zone",
                         "an IANA name, as Europe/Berlin, at most 64 bytes", arena, problem);
}

static enum status read_time(const struct query *query, const char *name, struct arena *arena,
                             struct timestamp *time, struct problem *problem)
{
    const struct query_parameter *parameter = query_find(query, name);
    const char *why = NULL;
    if (!parameter || timestamp_parse(parameter->value, time, &why) == STATUS_OK)
        return STATUS_OK;
    return params_refuse(
        parameter, why,
        "a time as 2026-11-24T16:00Z or 2026-11-24T17:00:30.5+01:00, a date as 2026-11-24, or"
        " seconds or milliseconds since 1970; years 2000 to 2099",
        arena, problem);
}

static enum status read_step(const struct query *query, struct arena *arena, struct report_request *report,
                             struct problem *problem)
{
    static const char *const steps[] = {"1m", "15m", "1h"};
    const struct query_parameter *parameter = takes(report, TAKES_STEP) ? query_find(query, "step") : NULL;
    report->step_ms = takes(report, TAKES_STEP) ? MINUTE_MS : INT64_C(60) * MINUTE_MS;
    if (!parameter)
        return STATUS_OK;
    for (size_t i = 0; i < sizeof steps / sizeof *steps; i++) {
        if (strcmp(parameter->value, steps[i]) == 0)
            return duration_parse(parameter->value, &report->step_ms);
    }
    return params_refuse(parameter, "is none of these", "1m, 15m or 1h", arena, problem);
}

/* Only a page has sources over time: those of a site would be sums over all pages of all snapshots. */
static enum status read_sources(const struct request_params *params, struct arena *arena,
                                struct report_request *report, struct problem *problem)
{
    const struct query_parameter *parameter =
        report->kind == REPORT_HISTORY ? query_find(&params->query, "sources") : NULL;
    if (!parameter || strcmp(parameter->value, "0") == 0)
        return STATUS_OK;
    if (strcmp(parameter->value, "1") != 0)
        return params_refuse(parameter, "is none of these", "0 or 1", arena, problem);
    if (!report->path)
        return params_refuse(parameter, "needs a page", "1 beside path", arena, problem);
    report->has_sources = params_sees(params, "sources");
    return STATUS_OK;
}

/* Hours of a day, quarters of a day, minutes of an hour, hours of a week where they are steps. */
static int64_t default_span_ms(const struct report_request *report)
{
    const int64_t hour_ms = INT64_C(60) * MINUTE_MS;
    if (!takes(report, TAKES_STEP))
        return hour_ms * 24;
    return report->step_ms == MINUTE_MS ? hour_ms
           : report->step_ms < hour_ms  ? hour_ms * 24
                                        : hour_ms * 7 * 24;
}

/* Of times whose dates have become times. */
static enum status check_span(const struct query *query, struct arena *arena,
                              const struct report_request *report, struct problem *problem)
{
    const struct query_parameter *named = query_find(query, query_find(query, "from") ? "from" : "to");
    time_us span = report->to.at - report->from.at;
    if (named && span <= 0)
        return params_refuse(named, "leaves no time between from and to", "from before to", arena, problem);
    if (named && span > REPORT_STEPS_MAX * report->step_ms * 1000)
        return params_refuse(named, "asks for too many steps", "at most 10000 steps between from and to",
                             arena, problem);
    return STATUS_OK;
}

static enum status read_span(const struct query *query, int64_t now_ms, struct arena *arena,
                             struct report_request *report, struct problem *problem)
{
    if (!takes(report, TAKES_SPAN))
        return STATUS_OK;
    report->to.at = (now_ms / MINUTE_MS + 1) * MINUTE_US;
    enum status result = read_time(query, "to", arena, &report->to, problem);
    report->from.at = report->to.at - default_span_ms(report) * 1000;
    if (result == STATUS_OK)
        result = read_time(query, "from", arena, &report->from, problem);
    if (result != STATUS_OK || report->from.is_date || report->to.is_date)
        return result;
    return check_span(query, arena, report, problem);
}

static enum status read_days(const struct query *query, struct arena *arena, struct report_request *report,
                             struct problem *problem)
{
    const struct query_parameter *parameter = takes(report, TAKES_DAYS) ? query_find(query, "days") : NULL;
    report->days = REPORT_DAYS;
    if (!parameter)
        return STATUS_OK;
    size_t digits = strspn(parameter->value, "0123456789");
    report->days =
        digits == parameter->value_bytes && digits <= 3 ? (int)strtol(parameter->value, NULL, 10) : 0;
    if (report->days >= 1 && report->days <= REPORT_DAYS_MAX)
        return STATUS_OK;
    return params_refuse(parameter, "is not such a number", "a whole number from 1 to 365", arena, problem);
}

static bool is_kind(const char *name, size_t len_bytes)
{
    for (int kind = 0; kind < EVENT_KINDS; kind++) {
        const char *known = event_kind_name((enum event_kind)kind);
        if (strlen(known) == len_bytes && memcmp(known, name, len_bytes) == 0)
            return true;
    }
    return false;
}

static enum status read_kinds(const struct query *query, struct arena *arena, struct report_request *report,
                              struct problem *problem)
{
    const struct query_parameter *parameter = query_find(query, "kind");
    if (!parameter)
        return STATUS_OK;
    report->kinds = parameter->value;
    for (const char *at = parameter->value;; at++) {
        size_t len_bytes = strcspn(at, ",");
        if (!is_kind(at, len_bytes))
            return params_refuse(parameter, "is none of these",
                                 "rise, takeoff, fall, record, site_high, site_low, headline, outage, or some"
                                 " of them joined by commas",
                                 arena, problem);
        at += len_bytes;
        if (*at == '\0')
            return STATUS_OK;
    }
}

/* The events that began within a span: by default the 24 hours before now. */
static enum status read_events(const struct query *query, int64_t now_ms, struct arena *arena,
                               struct report_request *report, struct problem *problem)
{
    const struct query_parameter *open = query_find(query, "open");
    if (!takes(report, TAKES_EVENTS))
        return STATUS_OK;
    report->to.at = (now_ms / MINUTE_MS + 1) * MINUTE_US;
    enum status result = read_time(query, "until", arena, &report->to, problem);
    report->from.at = report->to.at - INT64_C(1440) * MINUTE_US;
    if (result == STATUS_OK)
        result = read_time(query, "since", arena, &report->from, problem);
    if (result == STATUS_OK)
        result = read_kinds(query, arena, report, problem);
    if (result != STATUS_OK || !open)
        return result;
    report->open = open->value;
    if (strcmp(open->value, "true") == 0 || strcmp(open->value, "false") == 0)
        return STATUS_OK;
    return params_refuse(open, "is none of these", "true or false", arena, problem);
}

enum status report_read(enum report_kind kind, const struct request_params *params, int64_t now_ms,
                        struct arena *arena, struct report_request *report_r, struct problem *problem_r)
{
    const struct query *query = &params->query;
    *report_r = (struct report_request){.kind = kind};
    report_r->at.at = now_ms / MINUTE_MS * MINUTE_US;
    enum status result = read_path(params, arena, report_r, problem_r);
    if (result == STATUS_OK)
        result = read_zone(query, arena, report_r, problem_r);
    if (result == STATUS_OK)
        result = read_step(query, arena, report_r, problem_r);
    if (result == STATUS_OK)
        result = read_sources(params, arena, report_r, problem_r);
    if (result == STATUS_OK)
        result = read_span(query, now_ms, arena, report_r, problem_r);
    if (result == STATUS_OK)
        result = read_days(query, arena, report_r, problem_r);
    if (result == STATUS_OK)
        result = read_events(query, now_ms, arena, report_r, problem_r);
    if (result == STATUS_OK && takes(report_r, TAKES_AT))
        result = read_time(query, "at", arena, &report_r->at, problem_r);
    return result;
}

/* --- Dates -------------------------------------------------------------------------------------------------
 */

/* A question with a date, or with a zone that its report has no use for, asks the database once more. */
static enum status resolve_dates(struct report_request *report, struct database *database,
                                 const struct request_params *params, struct arena *arena,
                                 struct deadline deadline, struct problem *problem_r)
{
    bool has_date = report->from.is_date || report->to.is_date || report->at.is_date;
    if (!has_date && (!report->tz || takes(report, TAKES_ZONE)))
        return STATUS_OK;
    struct timestamp *const dates[REPORTS_DATES] = {&report->from, &report->to, &report->at};
    enum status result = reports_dates(database, params->host, report->tz, dates, deadline);
    if (result == STATUS_INVALID) {
        *problem_r = (struct problem)REPORT_BAD_ZONE;
        problem_r->sent = report->tz;
    }
    if (result != STATUS_OK || !takes(report, TAKES_SPAN))
        return result;
    if (!query_find(&params->query, "from"))
        report->from.at = report->to.at - default_span_ms(report) * 1000;
    return check_span(&params->query, arena, report, problem_r);
}

/* --- Answer ------------------------------------------------------------------------------------------------
 */

/* A cutoff is a number of visitors. */
static bool is_seen(const char *name, const struct request_params *params)
{
    return params_sees(params, strcmp(name, "cutoff") == 0 ? "visitors" : name);
}

/* The fields of a row: those that its kind of row has, behind the number that says which kind it is. */
static void put_fields(struct writer *writer, const struct database_rows *rows, size_t row,
                       const struct report_column *columns, const struct request_params *params)
{
    for (int i = 0; i < REPORT_COLUMNS_MAX && columns[i].name; i++) {
        size_t len = 0;
        const char *bytes = database_bytes(rows, row, i + 1, &len);
        if (!is_seen(columns[i].name, params))
            continue;
        if (columns[i].is_string)
            writer_text(writer, columns[i].name, bytes, len);
        else
            writer_raw(writer, columns[i].name, bytes, len);
    }
}

/* The rows of the list of this number; 0: the row of the members. */
static void put_rows(struct writer *writer, const struct database_rows *rows, int list,
                     const struct report_column *columns, const struct request_params *params)
{
    int count = 0;
    for (size_t row = 0; row < database_rows_count(rows) && count < params->limit; row++) {
        if (database_int(rows, row, 0, 0) != list)
            continue;
        writer_row_begin(writer);
        put_fields(writer, rows, row, columns, params);
        writer_row_end(writer);
        count++;
    }
}

/* CSV has room for one table: the first list, or the members of an answer that has no list. */
static void put_csv(struct writer *writer, const struct report_form *report, const struct database_rows *rows,
                    const struct request_params *params)
{
    bool has_list = report->lists[0].name != NULL;
    const struct report_column *columns = has_list ? report->lists[0].columns : report->members;
    const char *names[REPORT_COLUMNS_MAX];
    size_t count = 0;
    for (int i = 0; i < REPORT_COLUMNS_MAX && columns[i].name; i++) {
        if (is_seen(columns[i].name, params))
            names[count++] = columns[i].name;
    }
    writer_header(writer, names, count);
    put_rows(writer, rows, has_list, columns, params);
}

static void put_json(struct writer *writer, const struct report_form *report, int lists,
                     const struct database_rows *rows, const struct request_params *params)
{
    writer_object_begin(writer, NULL);
    put_fields(writer, rows, 0, report->members, params);
    for (int list = 0; list < lists && report->lists[list].name; list++) {
        writer_rows_begin(writer, report->lists[list].name);
        put_rows(writer, rows, list + 1, report->lists[list].columns, params);
        writer_rows_end(writer);
    }
    writer_object_end(writer);
}

static void put_report(struct buffer *out, const struct report_form *report, int lists,
                       const struct database_rows *rows, const struct request_params *params)
{
    struct writer writer;
    bool is_csv = params->format == FORMAT_CSV;
    if (params->format == FORMAT_ATOM) {
        event_feed_write(out, params->host, rows, params->limit);
        return;
    }
    writer_begin(&writer, out, is_csv ? WRITE_CSV : WRITE_JSON, params->callback);
    if (is_csv)
        put_csv(&writer, report, rows, params);
    else
        put_json(&writer, report, lists, rows, params);
    writer_end(&writer);
}

enum status report_write(struct buffer *out, struct database *database, const struct request_params *params,
                         const struct report_request *report, struct arena *arena, struct deadline deadline,
                         struct problem *problem_r)
{
    const struct report_form *what = report_form(report->kind);
    struct report_request resolved = *report;
    struct database_rows *rows = NULL;
    size_t unused = 0;
    enum status result = resolve_dates(&resolved, database, params, arena, deadline, problem_r);
    if (result != STATUS_OK)
        return result;
    const struct report_arguments arguments = {
        .host = params->host,
        .path = resolved.path,
        .tz = resolved.tz,
        .from = resolved.from.at,
        .to = resolved.to.at,
        .at = resolved.at.at,
        .step_ms = report->step_ms,
        .days = report->days,
        .digest = &params->digest,
        .kinds = report->kinds,
        .open = report->open,
        .has_sources = report->has_sources,
    };
    result = reports_read(database, report->kind, &arguments, deadline, &rows);
    if (result != STATUS_OK)
        return result;
    if (what->needed > 0 && !database_bytes(rows, 0, what->needed, &unused)) {
        *problem_r = what->if_not;
        if (report->tz)
            problem_r->sent = arena_copy(arena, report->tz, strlen(report->tz));
        result = STATUS_INVALID;
    } else {
        /* The last list is the one that must be asked for. */
        put_report(out, what, report->has_sources ? REPORT_LISTS_MAX : REPORT_LISTS_MAX - 1, rows, params);
    }
    database_rows_free(rows);
    return result;
}
