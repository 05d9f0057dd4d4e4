#include "api/report_endpoint.h"

#include "base/duration.h"
#include "base/timestamp.h"
#include "base/writer.h"
#include "pages/page_list.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    COLUMNS_MAX = 20,
    LISTS_MAX = 2,
    ARGUMENTS_MAX = 5,
    WORD_BYTES = 32,
    MINUTE_MS = 60000,
    ZONE_MAX_BYTES = 64,
};

static const time_us MINUTE_US = INT64_C(60000000);

/* What a statement is given, in its order. */
enum argument { NO_ARGUMENT, HOST, PATH, FROM, TO, STEP, DAYS, ZONE, AT, DIGEST };

/* A value comes as text: a string, or what is a number or truth value as it is. */
struct column {
    const char *name;
    bool is_string;
};

struct list {
    const char *name;
    struct column columns[COLUMNS_MAX];
};

/* Rows of a statement: 0 and the members of the answer, then 1 or 2 and those of an item of a list. */
struct report {
    struct statement statement;
    enum argument arguments[ARGUMENTS_MAX];
    struct column members[COLUMNS_MAX];
    struct list lists[LISTS_MAX];
    int needed;            /* the member that is never null, or 0 */
    struct problem if_not; /* what to answer where it is */
};

#define BAD_ZONE                                                                                             \
    {                                                                                                        \
        .status = 400, .parameter = "tz", .detail = "is not the name of a time zone",                        \
        .bound = "an IANA name, as Europe/Berlin"                                                            \
    }

/* Was this page, or without a path the host, ever seen? */
#define IS_KNOWN                                                                                             \
    "(case when $2::text is null then exists (select from cache where host = $1::text)"                      \
    " else page_number($1::text, $2::text) > 0 end)::text"

static const struct report REPORTS[] = {
    [REPORT_HISTORY] =
        {.statement = {"upbeat_history",
                       "select 0, $1::text, $2::text, " IS_KNOWN ","
                       " utc_text(date_bin($5::interval, $3::timestamptz, 'epoch')),"
                       " utc_text($4::timestamptz), extract(epoch from $5::interval)::integer::text"
                       " union all select 1, utc_text(t), visitors::text, low::text, high::text, null, null"
                       " from page_history($1, $2, $3, $4, $5)"
                       " union all select 2, utc_text(t), path, title, was, null, null"
                       " from headline_changes($1, $2, $3, $4)",
                       5, false},
         .arguments = {HOST, PATH, FROM, TO, STEP},
         .members = {{"host", true},
                     {"path", true},
                     {"known", false},
                     {"from", true},
                     {"to", true},
                     {"step_s", false}},
         .lists = {{"points", {{"t", true}, {"visitors", false}, {"low", false}, {"high", false}}},
                   {"headlines", {{"t", true}, {"path", true}, {"i", true}, {"was", true}}}}},
    [REPORT_HOURS] =
        {.statement =
             {"upbeat_hours",
              "with z as materialized (select zone_of($1::text, $5::text) as tz)"
              " select 0, $1, $2::text, z.tz, " IS_KNOWN ","
              " utc_text($3::timestamptz), utc_text($4::timestamptz),"
              " null, null, null, null, null, null, null, null, null, null, null, null, null from z"
              " union all select 1, utc_text(hour), local_text(hour, z.tz), minutes::text, listed::text,"
              " round(sum, 2)::text, round(cutoff_sum, 2)::text, avg_listed::text, avg_low::text,"
              " avg_high::text, round(min, 2)::text, round(max, 2)::text, round(first, 2)::text,"
              " utc_text(first_at), round(last, 2)::text, utc_text(last_at), round(rise, 2)::text,"
              " round(fall, 2)::text, round(change, 2)::text, change_prev::text"
              " from z cross join lateral page_hours($1, $2, $3, $4, z.tz)",
              5, false},
         .arguments = {HOST, PATH, FROM, TO, ZONE},
         .members =
             {{"host", true}, {"path", true}, {"tz", true}, {"known", false}, {"from", true}, {"to", true}},
         .lists = {{"hours",
                    {{"hour", true},
                     {"local", true},
                     {"minutes", false},
                     {"listed", false},
                     {"sum", false},
                     {"cutoff_sum", false},
                     {"avg_listed", false},
                     {"avg_low", false},
                     {"avg_high", false},
                     {"min", false},
                     {"max", false},
                     {"first", false},
                     {"first_at", true},
                     {"last", false},
                     {"last_at", true},
                     {"rise", false},
                     {"fall", false},
                     {"change", false},
                     {"change_prev", false}}}},
         .needed = 3,
         .if_not = BAD_ZONE},
    [REPORT_PROFILE] =
        {.statement = {"upbeat_profile",
                       "with z as materialized (select zone_of($1::text, $4::text) as tz)"
                       " select 0, $1, $2::text, z.tz, " IS_KNOWN ", $3::text, null, null, null, null from z"
                       " union all select 1, hour::text, days::text, median::text, p25::text, p75::text,"
                       " mean::text, min::text, max::text, change::text"
                       " from z cross join lateral page_profile($1, $2, $3::integer, z.tz)",
                       4, false},
         .arguments = {HOST, PATH, DAYS, ZONE},
         .members = {{"host", true}, {"path", true}, {"tz", true}, {"known", false}, {"days", false}},
         .lists = {{"hours",
                    {{"hour", false},
                     {"days", false},
                     {"median", false},
                     {"p25", false},
                     {"p75", false},
                     {"mean", false},
                     {"min", false},
                     {"max", false},
                     {"change", false}}}},
         .needed = 3,
         .if_not = BAD_ZONE},
    [REPORT_USUAL] = {.statement =
                          {"upbeat_usual",
                           "with z as materialized (select zone_of($1::text, $3::text) as tz)"
                           " select 0, $1, $2::text, z.tz, " IS_KNOWN ","
                           " utc_text(as_of), utc_text(slot), local_text(slot, z.tz),"
                           " visitors::text, rank::text, usual::text, usual_low::text, usual_high::text,"
                           " vs_usual::text, basis, n::text, usual_for_rank::text"
                           " from z left join lateral page_usual($1, $2, z.tz) on true",
                           3, false},
                      .arguments = {HOST, PATH, ZONE},
                      .members = {{"host", true},
                                  {"path", true},
                                  {"tz", true},
                                  {"known", false},
                                  {"as_of", true},
                                  {"slot", true},
                                  {"local", true},
                                  {"visitors", false},
                                  {"rank", false},
                                  {"usual", false},
                                  {"usual_low", false},
                                  {"usual_high", false},
                                  {"vs_usual", false},
                                  {"basis", true},
                                  {"n", false},
                                  {"usual_for_rank", false}},
                      .needed = 3,
                      .if_not = BAD_ZONE},
    [REPORT_PAGES] =
        {.statement = {"upbeat_pages",
                       "with p as materialized (select * from pages_at($1::text, $2::timestamptz))"
                       " select 0, $1, utc_text($2), utc_text(max(minute)), max(samples)::text,"
                       " round(max(cutoff), 2)::text from p"
                       " union all (select 1, rank::text, title, path, round(visitors, 2)::text, null from p"
                       " where rank is not null order by p.rank)",
                       2, false},
         .arguments = {HOST, AT},
         .members = {{"host", true}, {"at", true}, {"minute", true}, {"samples", false}, {"cutoff", false}},
         .lists = {{"pages", {{"rank", false}, {"i", true}, {"path", true}, {"visitors", false}}}}},
    [REPORT_HOSTS] =
        {.statement =
             {"upbeat_hosts",
              "with h as materialized (select * from key_hosts($1::bytea))"
              " select 0, case when exists (select from h) then 'is known' end,"
              " null, null, null, null, null, null, null, null"
              " union all select 1, host, (as_of is not null)::text, utc_text(as_of), extract(epoch from "
              "age)::bigint::text,"
              " extract(epoch from poll_every)::text, utc_text(next_poll), failures::text, last_error,"
              " left_alone from h",
              1, false},
         .arguments = {DIGEST},
         .lists = {{"hosts",
                    {{"host", true},
                     {"known", false},
                     {"as_of", true},
                     {"age_s", false},
                     {"poll_every_s", false},
                     {"next_poll", true},
                     {"failures", false},
                     {"last_error", true},
                     {"left_alone", true}}}},
         .needed = 1,
         .if_not = {.status = 403,
                    .parameter = "apikey",
                    .detail = "is not known here for any host",
                    .bound = "a key that Chartbeat accepted for a host that was asked for with it"}},
};

/* --- Parameters --------------------------------------------------------------------------------------------
 */

static bool takes(const struct report_request *report, enum argument argument)
{
    for (size_t i = 0; i < ARGUMENTS_MAX; i++) {
        if (REPORTS[report->kind].arguments[i] == argument)
            return true;
    }
    return false;
}

static enum status read_path(const struct query *query, struct arena *arena, struct report_request *report,
                             struct problem *problem)
{
    const struct query_parameter *parameter = takes(report, PATH) ? query_find(query, "path") : NULL;
    if (!parameter)
        return STATUS_OK;
    report->path = parameter->value;
    if (parameter->value[0] == '/' && parameter->value_bytes <= PATH_MAX_BYTES)
        return STATUS_OK;
    return params_refuse(parameter, "is not a path", "a path from its first slash on, at most 2000 bytes",
                         arena, problem);
}

/* A plus that was not encoded has become a space, and no name has a space: "Etc/GMT+5". */
static const char *with_plus(const char *text, size_t len_bytes, struct arena *arena)
{
    char *copy = arena_copy(arena, text, len_bytes);
    for (char *at = copy; at && *at; at++) {
        if (*at == ' ')
            *at = '+';
    }
    return copy;
}

static enum status read_zone(const struct query *query, struct arena *arena, struct report_request *report,
                             struct problem *problem)
{
    bool has_zone = takes(report, ZONE) || takes(report, FROM) || takes(report, AT);
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
    const struct query_parameter *parameter = takes(report, STEP) ? query_find(query, "step") : NULL;
    report->step_ms = takes(report, STEP) ? MINUTE_MS : INT64_C(60) * MINUTE_MS;
    if (!parameter)
        return STATUS_OK;
    for (size_t i = 0; i < sizeof steps / sizeof *steps; i++) {
        if (strcmp(parameter->value, steps[i]) == 0)
            return duration_parse(parameter->value, &report->step_ms);
    }
    return params_refuse(parameter, "is none of these", "1m, 15m or 1h", arena, problem);
}

/* Hours of a day, quarters of a day, minutes of an hour, hours of a week where they are steps. */
static int64_t default_span_ms(const struct report_request *report)
{
    const int64_t hour_ms = INT64_C(60) * MINUTE_MS;
    if (!takes(report, STEP))
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
    if (!takes(report, FROM))
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
    const struct query_parameter *parameter = takes(report, DAYS) ? query_find(query, "days") : NULL;
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

enum status report_read(enum report_kind kind, const struct request_params *params, int64_t now_ms,
                        struct arena *arena, struct report_request *report_r, struct problem *problem_r)
{
    const struct query *query = &params->query;
    *report_r = (struct report_request){.kind = kind, .at = {.at = now_ms / MINUTE_MS * MINUTE_US}};
    enum status result = read_path(query, arena, report_r, problem_r);
    if (result == STATUS_OK)
        result = read_zone(query, arena, report_r, problem_r);
    if (result == STATUS_OK)
        result = read_step(query, arena, report_r, problem_r);
    if (result == STATUS_OK)
        result = read_span(query, now_ms, arena, report_r, problem_r);
    if (result == STATUS_OK)
        result = read_days(query, arena, report_r, problem_r);
    if (result == STATUS_OK && takes(report_r, AT))
        result = read_time(query, "at", arena, &report_r->at, problem_r);
    return result;
}

/* --- Dates -------------------------------------------------------------------------------------------------
 */

/* The zone that is meant, and the midnights of up to three dates in it. */
static const struct statement DATES_STATEMENT = {
    "upbeat_dates",
    "with z as materialized (select zone_of($1::text, $2::text) as tz)"
    " select tz, utc_text($3::timestamp at time zone tz), utc_text($4::timestamp at time zone tz),"
    " utc_text($5::timestamp at time zone tz) from z",
    5, false};

static struct sql_param date_of(const struct timestamp *time, char word[WORD_BYTES])
{
    timestamp_write(time->at, word);
    word[strcspn(word, "T")] = '\0';
    return (struct sql_param){.bytes = time->is_date ? word : NULL};
}

static bool take_midnight(const struct database_rows *rows, int column, struct timestamp *time)
{
    size_t unused = 0;
    const char *why = NULL;
    const char *text = database_bytes(rows, 0, column, &unused);
    return !time->is_date || (text && timestamp_parse(text, time, &why) == STATUS_OK);
}

/* Only the database knows the zone of a host and all zones by their names, so a question with a date, or with
 * a zone that its statement has no use for, asks it once more. */
static enum status resolve_dates(struct report_request *report, struct database *database,
                                 const struct request_params *params, struct arena *arena,
                                 struct deadline deadline, struct problem *problem_r)
{
    bool has_date = report->from.is_date || report->to.is_date || report->at.is_date;
    if (!has_date && (!report->tz || takes(report, ZONE)))
        return STATUS_OK;
    char words[3][WORD_BYTES];
    struct database_rows *rows = NULL;
    size_t unused = 0;
    const struct sql_param parameters[] = {{.bytes = params->host},
                                           {.bytes = report->tz},
                                           date_of(&report->from, words[0]),
                                           date_of(&report->to, words[1]),
                                           date_of(&report->at, words[2])};
    enum status result = database_run(database, &DATES_STATEMENT, parameters, 1, deadline, &rows);
    if (result != STATUS_OK)
        return result;
    if (!database_bytes(rows, 0, 0, &unused)) {
        *problem_r = (struct problem)BAD_ZONE;
        problem_r->sent = report->tz;
        result = STATUS_INVALID;
    } else if (!take_midnight(rows, 1, &report->from) || !take_midnight(rows, 2, &report->to) ||
               !take_midnight(rows, 3, &report->at)) {
        result = STATUS_FAILED;
    }
    database_rows_free(rows);
    if (result != STATUS_OK || !takes(report, FROM))
        return result;
    if (!query_find(&params->query, "from"))
        report->from.at = report->to.at - default_span_ms(report) * 1000;
    return check_span(&params->query, arena, report, problem_r);
}

/* --- Answer ------------------------------------------------------------------------------------------------
 */

static struct sql_param parameter_of(enum argument argument, const struct request_params *params,
                                     const struct report_request *report, char word[WORD_BYTES])
{
    switch (argument) {
    case HOST:
        return (struct sql_param){.bytes = params->host};
    case PATH:
        return (struct sql_param){.bytes = report->path};
    case ZONE:
        return (struct sql_param){.bytes = report->tz};
    case FROM:
        timestamp_write(report->from.at, word);
        break;
    case TO:
        timestamp_write(report->to.at, word);
        break;
    case AT:
        timestamp_write(report->at.at / MINUTE_US * MINUTE_US, word);
        break;
    case STEP:
        snprintf(word, WORD_BYTES, "%" PRId64 " s", report->step_ms / 1000);
        break;
    case DAYS:
        snprintf(word, WORD_BYTES, "%d", report->days);
        break;
    case DIGEST:
        return (struct sql_param){(const char *)params->digest.bytes, sizeof params->digest.bytes, true};
    default:
        break;
    }
    return (struct sql_param){.bytes = word};
}

/* The fields of a row: those that its kind of row has, behind the number that says which kind it is. */
static void put_fields(struct writer *writer, const struct database_rows *rows, size_t row,
                       const struct column *columns)
{
    for (int i = 0; i < COLUMNS_MAX && columns[i].name; i++) {
        size_t len = 0;
        const char *bytes = database_bytes(rows, row, i + 1, &len);
        if (columns[i].is_string)
            writer_text(writer, columns[i].name, bytes, len);
        else
            writer_raw(writer, columns[i].name, bytes, len);
    }
}

/* The rows of the list of this number; 0: the row of the members. */
static void put_rows(struct writer *writer, const struct database_rows *rows, int list,
                     const struct column *columns, int limit)
{
    int count = 0;
    for (size_t row = 0; row < database_rows_count(rows) && count < limit; row++) {
        if (database_int(rows, row, 0, 0) != list)
            continue;
        writer_row_begin(writer);
        put_fields(writer, rows, row, columns);
        writer_row_end(writer);
        count++;
    }
}

/* CSV has room for one table: the first list, or the members of an answer that has no list. */
static void put_csv(struct writer *writer, const struct report *report, const struct database_rows *rows,
                    int limit)
{
    bool has_list = report->lists[0].name != NULL;
    const struct column *columns = has_list ? report->lists[0].columns : report->members;
    const char *names[COLUMNS_MAX];
    size_t count = 0;
    for (; count < COLUMNS_MAX && columns[count].name; count++)
        names[count] = columns[count].name;
    writer_header(writer, names, count);
    put_rows(writer, rows, has_list, columns, limit);
}

static void put_json(struct writer *writer, const struct report *report, const struct database_rows *rows,
                     int limit)
{
    writer_object_begin(writer, NULL);
    put_fields(writer, rows, 0, report->members);
    for (int list = 0; list < LISTS_MAX && report->lists[list].name; list++) {
        writer_rows_begin(writer, report->lists[list].name);
        put_rows(writer, rows, list + 1, report->lists[list].columns, limit);
        writer_rows_end(writer);
    }
    writer_object_end(writer);
}

static void put_report(struct buffer *out, const struct report *report, const struct database_rows *rows,
                       const struct request_params *params)
{
    struct writer writer;
    bool is_csv = params->format == FORMAT_CSV;
    writer_begin(&writer, out, is_csv ? WRITE_CSV : WRITE_JSON, params->callback);
    if (is_csv)
        put_csv(&writer, report, rows, params->limit);
    else
        put_json(&writer, report, rows, params->limit);
    writer_end(&writer);
}

enum status report_write(struct buffer *out, struct database *database, const struct request_params *params,
                         const struct report_request *asked, struct arena *arena, struct deadline deadline,
                         struct problem *problem_r)
{
    const struct report *what = &REPORTS[asked->kind];
    struct report_request resolved = *asked;
    const struct report_request *report = &resolved;
    struct sql_param parameters[ARGUMENTS_MAX];
    char words[ARGUMENTS_MAX][WORD_BYTES];
    struct database_rows *rows = NULL;
    size_t unused = 0;
    enum status result = resolve_dates(&resolved, database, params, arena, deadline, problem_r);
    if (result != STATUS_OK)
        return result;
    for (int i = 0; i < what->statement.parameters; i++)
        parameters[i] = parameter_of(what->arguments[i], params, report, words[i]);
    result = database_run(database, &what->statement, parameters, 1, deadline, &rows);
    if (result != STATUS_OK)
        return result;
    if (what->needed > 0 && !database_bytes(rows, 0, what->needed, &unused)) {
        *problem_r = what->if_not;
        if (report->tz)
            problem_r->sent = arena_copy(arena, report->tz, strlen(report->tz));
        result = STATUS_INVALID;
    } else {
        put_report(out, what, rows, params);
    }
    database_rows_free(rows);
    return result;
}
