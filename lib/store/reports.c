#include "store/reports.h"

#include "base/timestamp.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum {
    ARGUMENTS_MAX = 6,
    WORD_BYTES = 32,
};

/* What a statement is given, in its order. */
enum argument { HOST, PATH, FROM, TO, STEP, DAYS, ZONE, AT, DIGEST, KINDS, OPEN, SOURCES };

struct report {
    struct statement statement;
    enum argument arguments[ARGUMENTS_MAX];
};

/* Was this page, or without a path the host, ever seen? */
#define IS_KNOWN                                                                                             \
    "(case when $2::text is null then exists (select from cache where host = $1::text)"                      \
    " else page_number($1::text, $2::text) > 0 end)::text"

static const struct report REPORTS[] = {
    [REPORT_HISTORY] =
        {{"upbeat_history",
          "select 0, $1::text, $2::text, " IS_KNOWN ","
          " utc_text(date_bin($5::interval, $3::timestamptz, 'epoch')),"
          " utc_text($4::timestamptz), extract(epoch from $5::interval)::integer::text"
          " union all select 1, utc_text(t), visitors::text, low::text, high::text, suspect::text, null"
          " from page_history($1, $2, $3, $4, $5)"
          " union all select 2, utc_text(t), path, title, was, null, null"
          " from headline_changes($1, $2, $3, $4)"
          " union all select 3, utc_text(t), search::text, social::text, links::text, direct::text,"
          " internal::text from page_sources($1, $2, $3, $4, $5) where $6::boolean",
          6, false},
         {HOST, PATH, FROM, TO, STEP, SOURCES}},
    [REPORT_HOURS] =
        {{"upbeat_hours",
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
         {HOST, PATH, FROM, TO, ZONE}},
    [REPORT_PROFILE] = {{"upbeat_profile",
                         "with z as materialized (select zone_of($1::text, $4::text) as tz)"
                         " select 0, $1, $2::text, z.tz, " IS_KNOWN
                         ", $3::text, null, null, null, null from z"
                         " union all select 1, hour::text, days::text, median::text, p25::text, p75::text,"
                         " mean::text, min::text, max::text, change::text"
                         " from z cross join lateral page_profile($1, $2, $3::integer, z.tz)",
                         4, false},
                        {HOST, PATH, DAYS, ZONE}},
    [REPORT_USUAL] = {{"upbeat_usual",
                       "with z as materialized (select zone_of($1::text, $3::text) as tz)"
                       " select 0, $1, $2::text, z.tz, " IS_KNOWN ","
                       " utc_text(as_of), utc_text(slot), local_text(slot, z.tz),"
                       " visitors::text, rank::text, usual::text, usual_low::text, usual_high::text,"
                       " vs_usual::text, basis, n::text, usual_for_rank::text"
                       " from z left join lateral page_usual($1, $2, z.tz) on true",
                       3, false},
                      {HOST, PATH, ZONE}},
    [REPORT_PAGES] = {{"upbeat_pages",
                       "with p as materialized (select * from pages_at($1::text, $2::timestamptz))"
                       " select 0, $1, utc_text($2), utc_text(max(minute)), max(samples)::text,"
                       " round(max(cutoff), 2)::text from p"
                       " union all (select 1, rank::text, title, path, round(visitors, 2)::text, null from p"
                       " where rank is not null order by p.rank)",
                       2, false},
                      {HOST, AT}},
    [REPORT_EVENTS] =
        {{"upbeat_events",
          "select 0, $1::text, utc_text($2::timestamptz), utc_text($3::timestamptz), null, null, null, null,"
          " null, null, null, null, null, null, null, null, null, null, null, null"
          " union all select 1, event_id::text, kind::text, path, title, utc_text(began_at), "
          "utc_text(peak_at),"
          " utc_text(ended_at), round(visitors::numeric, 2)::text, round(expected::numeric, 2)::text,"
          " round((visitors / nullif(expected, 0))::numeric, 4)::text, round(score::numeric, 2)::text,"
          " round(peak::numeric, 2)::text, round(peak_expected::numeric, 2)::text,"
          " nullif(array_to_string(causes, '+'), ''), round(sources[1]::numeric, 2)::text,"
          " round(sources[2]::numeric, 2)::text, round(sources[3]::numeric, 2)::text,"
          " round(sources[4]::numeric, 2)::text, round(sources[5]::numeric, 2)::text"
          " from host_events($1, $2, $3, string_to_array($4::text, ','), $5::boolean, 10000)",
          5, false},
         {HOST, FROM, TO, KINDS, OPEN}},
    [REPORT_HOSTS] =
        {{"upbeat_hosts",
          "with h as materialized (select * from key_hosts($1::bytea))"
          " select 0, case when exists (select from h) then 'is known' end,"
          " null, null, null, null, null, null, null, null"
          " union all select 1, host, (as_of is not null)::text, utc_text(as_of), extract(epoch from "
          "age)::bigint::text,"
          " extract(epoch from poll_every)::text, utc_text(next_poll), failures::text, last_error,"
          " left_alone from h",
          1, false},
         {DIGEST}},
};

/* The zone that is meant, and the midnights of up to three dates in it. */
static const struct statement DATES = {
    "upbeat_dates",
    "with z as materialized (select zone_of($1::text, $2::text) as tz)"
    " select tz, utc_text($3::timestamp at time zone tz), utc_text($4::timestamp at time zone tz),"
    " utc_text($5::timestamp at time zone tz) from z",
    5, false};

static struct sql_param parameter_of(enum argument argument, const struct report_arguments *arguments,
                                     char word[WORD_BYTES])
{
    static const time_us minute_us = INT64_C(60000000);
    switch (argument) {
    case HOST:
        return (struct sql_param){.bytes = arguments->host};
    case PATH:
        return (struct sql_param){.bytes = arguments->path};
    case ZONE:
        return (struct sql_param){.bytes = arguments->tz};
    case KINDS:
        return (struct sql_param){.bytes = arguments->kinds};
    case OPEN:
        return (struct sql_param){.bytes = arguments->open};
    case SOURCES:
        return (struct sql_param){.bytes = arguments->has_sources ? "true" : "false"};
    case DIGEST:
        return (struct sql_param){(const char *)arguments->digest->bytes, DIGEST_BYTES, true};
    case FROM:
        timestamp_write(arguments->from, word);
        break;
    case TO:
        timestamp_write(arguments->to, word);
        break;
    case AT:
        timestamp_write(arguments->at / minute_us * minute_us, word);
        break;
    case STEP:
        snprintf(word, WORD_BYTES, "%" PRId64 " s", arguments->step_ms / 1000);
        break;
    case DAYS:
        snprintf(word, WORD_BYTES, "%d", arguments->days);
        break;
    }
    return (struct sql_param){.bytes = word};
}

enum status reports_read(struct database *database, enum report_kind kind,
                         const struct report_arguments *arguments, struct deadline deadline,
                         struct database_rows **rows_r)
{
    const struct report *report = &REPORTS[kind];
    struct sql_param parameters[ARGUMENTS_MAX];
    char words[ARGUMENTS_MAX][WORD_BYTES];
    for (int i = 0; i < report->statement.parameters; i++)
        parameters[i] = parameter_of(report->arguments[i], arguments, words[i]);
    return database_run(database, &report->statement, parameters, 1, deadline, rows_r);
}

/* The day alone, as PostgreSQL reads it; null where the time is none. */
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

enum status reports_dates(struct database *database, const char *host, const char *tz,
                          struct timestamp *const dates[REPORTS_DATES], struct deadline deadline)
{
    char words[REPORTS_DATES][WORD_BYTES];
    struct sql_param parameters[2 + REPORTS_DATES] = {{.bytes = host}, {.bytes = tz}};
    struct database_rows *rows = NULL;
    size_t unused = 0;
    for (int i = 0; i < REPORTS_DATES; i++)
        parameters[2 + i] = date_of(dates[i], words[i]);
    enum status status = database_run(database, &DATES, parameters, 1, deadline, &rows);
    if (status == STATUS_OK && !database_bytes(rows, 0, 0, &unused))
        status = STATUS_INVALID;
    for (int i = 0; status == STATUS_OK && i < REPORTS_DATES; i++) {
        if (!take_midnight(rows, 1 + i, dates[i]))
            status = STATUS_FAILED;
    }
    database_rows_free(rows);
    return status;
}
