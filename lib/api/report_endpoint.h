/* The endpoints that say what is remembered: their parameters, and their answer out of one round trip. What
 * each says is a function in sql/functions; its rows are put into words here. */
#ifndef UPBEAT_API_REPORT_ENDPOINT_H
#define UPBEAT_API_REPORT_ENDPOINT_H

#include "base/arena.h"
#include "base/buffer.h"
#include "base/clock.h"
#include "base/timestamp.h"
#include "http/params.h"
#include "store/reports.h"

enum {
    REPORT_STEPS_MAX = 10000, /* of one answer of history or hours */
    REPORT_DAYS = 28,
    REPORT_DAYS_MAX = 365,
};

struct report_request {
    enum report_kind kind;
    const char *path; /* NULL: the whole site. The arena owns it, as tz. */
    const char *tz;   /* NULL: the host's */
    struct timestamp from;
    struct timestamp to;
    struct timestamp at;
    int64_t step_ms;
    int days;
    const char *kinds; /* of events, joined by commas; NULL: all */
    const char *open;  /* "true": only those that are open; "false": only those that are over; NULL: both */
    bool has_sources;  /* of a history: where the page's visitors came from, too */
};

/* Reads what this kind takes out of params->query, and checks it. `to` and `at` are by default the end and
 * the start of the minute of now_ms; `from` is by default so long before `to` as the step suggests.
 * STATUS_INVALID: *problem_r says what to answer. STATUS_NO_MEMORY. */
enum status report_read(enum report_kind kind, const struct request_params *params, int64_t now_ms,
                        struct arena *arena, struct report_request *report_r,
                        struct problem *problem_r) MUST_CHECK;

/* Asks the database and appends the body in the request's format; see out->status. Dates are midnights in
 * the zone of the question, tz or the host's. STATUS_INVALID: the database knows no time zone of that name,
 * dates leave no time or too much of it between from and to, or there is no host (a key that was accepted for
 * none): *problem_r says what to answer. STATUS_UNREACHABLE, STATUS_TIMEOUT, STATUS_FAILED, STATUS_NO_MEMORY
 * as in database.h. On an error nothing was appended. */
enum status report_write(struct buffer *out, struct database *database, const struct request_params *params,
                         const struct report_request *report, struct arena *arena, struct deadline deadline,
                         struct problem *problem_r) MUST_CHECK;

#endif
