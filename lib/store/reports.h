/* The reports over what is remembered of a host: history, hours, profile, what is usual, the list of a
 * minute, the hosts of a key. Each is a function of that name in sql/functions; here are its call and its
 * parameters.
 *
 * A report is one statement. Its rows have a number first, 0: the members of the answer (one row), from 1: an
 * item of its list of that number; then the values as text, in the order that the kind below names. */
#ifndef UPBEAT_STORE_REPORTS_H
#define UPBEAT_STORE_REPORTS_H

#include "base/clock.h"
#include "base/secret_box.h"
#include "base/status.h"
#include "base/timestamp.h"
#include "db/database.h"
#include <stdint.h>

enum report_kind {
    REPORT_HISTORY, /* host, path, known, from, to, step_s; points: t, visitors, low, high, suspect;
                       headlines: t, path, i, was; where asked for sources: t, search, social, links, direct,
                       internal */
    REPORT_HOURS,   /* host, path, tz, known, from, to; hours: hour, local, minutes, listed, sum, cutoff_sum,
                     * avg_listed, avg_low, avg_high, min, max, first, first_at, last, last_at, rise, fall,
                     * change, change_prev */
    REPORT_PROFILE, /* host, path, tz, known, days; hours: hour, days, median, p25, p75, mean, min, max,
                       change */
    REPORT_USUAL,  /* host, path, tz, known, as_of, slot, local, visitors, rank, usual, usual_low, usual_high,
                    * vs_usual, basis, n, usual_for_rank */
    REPORT_PAGES,  /* host, at, minute, samples, cutoff; pages: rank, i, path, visitors */
    REPORT_EVENTS, /* host, since, until; events, newest first: id, kind, path, i, began_at, peak_at,
                    * ended_at, visitors, expected, ratio, score, peak, peak_expected, cause, search, social,
                    * links, direct, internal */
    REPORT_HOSTS,  /* "is known" or null; hosts: host, known, as_of, age_s, poll_every_s, next_poll, failures,
                    * last_error, left_alone */
};

/* A kind reads those that it needs. Times are of the database's clock; strings must not be NULL but where
 * said. */
struct report_arguments {
    const char *host;
    const char *path; /* NULL: the whole site */
    const char *tz;   /* NULL: the host's. Where there is none of that name, the tz of the answer is null */
    time_us from;     /* included */
    time_us to;
    time_us at;
    int64_t step_ms; /* a minute, or quarters of an hour */
    int days;
    const struct digest *digest;
    const char *kinds; /* "rise,fall"; NULL: all */
    const char *open;  /* "true" or "false"; NULL: both */
    bool has_sources;  /* of a history: those of its page, too */
};

/* Reads a report over the connection of a store. The caller frees *rows_r. STATUS_UNREACHABLE,
 * STATUS_TIMEOUT, STATUS_FAILED, STATUS_NO_MEMORY as in database.h; *rows_r is untouched then. */
enum status reports_read(struct database *database, enum report_kind kind,
                         const struct report_arguments *arguments, struct deadline deadline,
                         struct database_rows **rows_r) MUST_CHECK;

enum { REPORTS_DATES = 3 };

/* Makes midnights of those of the three times that are dates (is_date), in the time zone `tz`, NULL: the
 * host's. Only the database knows the zone of a host, and all zones by their names. STATUS_INVALID: there is
 * no zone of that name. Else as reports_read(). */
enum status reports_dates(struct database *database, const char *host, const char *tz,
                          struct timestamp *const dates[REPORTS_DATES], struct deadline deadline) MUST_CHECK;

#endif
