#include "store/reports.h"

#include "base/timestamp.h"

#include <inttypes.h>
#include <stdio.h>

enum {
    STATEMENT_NUMBER = 31, /* the first; beside those of store.c and trend_input.c, on their connection */
    ARGUMENTS_MAX = 5,
    WORD_BYTES = 32,
};

/* What a statement is given, in its order. */
enum argument { HOST, PATH, FROM, TO, STEP, DAYS, ZONE, AT, DIGEST };

struct report {
    struct statement statement;
    enum argument arguments[ARGUMENTS_MAX];
};

static const struct report REPORTS[] = {
    [REPORT_HISTORY] =
        {{STATEMENT_NUMBER + REPORT_HISTORY, "upbeat_history",
          "select 0, $1::text, $2::text, utc_text(date_bin($5::interval, $3::timestamptz, 'epoch')),"
          " utc_text($4::timestamptz), extract(epoch from $5::interval)::integer::text"
          " union all select 1, utc_text(t), visitors::text, low::text, high::text, null"
          " from page_history($1, $2, $3, $4, $5)"
          " union all select 2, utc_text(t), path, title, was, null"
          " from headline_changes($1, $2, $3, $4)",
          5, false},
         {HOST, PATH, FROM, TO, STEP}},
    [REPORT_HOURS] =
        {{STATEMENT_NUMBER + REPORT_HOURS, "upbeat_hours",
          "with z as materialized (select zone_of($1::text, $5::text) as tz)"
          " select 0, $1, $2::text, z.tz, utc_text($3::timestamptz), utc_text($4::timestamptz),"
          " null, null, null, null, null, null, null, null, null, null, null, null, null, null from z"
          " union all select 1, utc_text(hour), local_text(hour, z.tz), minutes::text, listed::text,"
          " round(sum, 2)::text, round(cutoff_sum, 2)::text, avg_listed::text, avg_low::text,"
          " avg_high::text, round(min, 2)::text, round(max, 2)::text, round(first, 2)::text,"
          " utc_text(first_at), round(last, 2)::text, utc_text(last_at), round(rise, 2)::text,"
          " round(fall, 2)::text, round(change, 2)::text, change_prev::text"
          " from z cross join lateral page_hours($1, $2, $3, $4, z.tz)",
          5, false},
         {HOST, PATH, FROM, TO, ZONE}},
    [REPORT_PROFILE] = {{STATEMENT_NUMBER + REPORT_PROFILE, "upbeat_profile",
                         "with z as materialized (select zone_of($1::text, $4::text) as tz)"
                         " select 0, $1, $2::text, z.tz, $3::text, null, null, null, null, null from z"
                         " union all select 1, hour::text, days::text, median::text, p25::text, p75::text,"
                         " mean::text, min::text, max::text, change::text"
                         " from z cross join lateral page_profile($1, $2, $3::integer, z.tz)",
                         4, false},
                        {HOST, PATH, DAYS, ZONE}},
    [REPORT_USUAL] =
        {{STATEMENT_NUMBER + REPORT_USUAL, "upbeat_usual",
          "with z as materialized (select zone_of($1::text, $3::text) as tz)"
          " select 0, $1, $2::text, z.tz, utc_text(as_of), utc_text(slot), local_text(slot, z.tz),"
          " visitors::text, rank::text, usual::text, usual_low::text, usual_high::text,"
          " vs_usual::text, basis, n::text, usual_for_rank::text"
          " from z left join lateral page_usual($1, $2, z.tz) on true",
          3, false},
         {HOST, PATH, ZONE}},
    [REPORT_PAGES] = {{STATEMENT_NUMBER + REPORT_PAGES, "upbeat_pages",
                       "with p as materialized (select * from pages_at($1::text, $2::timestamptz))"
                       " select 0, $1, utc_text($2), utc_text(max(minute)), max(samples)::text,"
                       " round(max(cutoff), 2)::text from p"
                       " union all (select 1, rank::text, title, path, round(visitors, 2)::text, null from p"
                       " where rank is not null order by p.rank)",
                       2, false},
                      {HOST, AT}},
    [REPORT_HOSTS] =
        {{STATEMENT_NUMBER + REPORT_HOSTS, "upbeat_hosts",
          "with h as materialized (select * from key_hosts($1::bytea))"
          " select 0, case when exists (select from h) then 'is known' end,"
          " null, null, null, null, null, null, null"
          " union all select 1, host, utc_text(as_of), extract(epoch from age)::bigint::text,"
          " extract(epoch from poll_every)::text, utc_text(next_poll), failures::text, last_error,"
          " left_alone from h",
          1, false},
         {DIGEST}},
};

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
