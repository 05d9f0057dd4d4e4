/* Points in time as text (ISO 8601 as in RFC 3339, and seconds or milliseconds since 1970). */
#ifndef UPBEAT_BASE_TIMESTAMP_H
#define UPBEAT_BASE_TIMESTAMP_H

#include "base/buffer.h"
#include "base/clock.h"
#include "base/status.h"
#include <stdbool.h>

enum { TIMESTAMP_BYTES = 32 };

/* A time as it was written. A date alone means its midnight in a time zone that only the question knows. */
struct timestamp {
    time_us at;   /* where is_date: midnight in UTC of that date */
    bool is_date; /* no more than a date was written */
};

/* Reads one of
 * - "2026-11-24T16:00Z", "2026-11-24T17:00:30.123456789+01:00": date, T, hour and minute, maybe seconds with
 *   any number of decimals behind a point or comma, and Z, UTC or an offset of +hh:mm, +hhmm or +hh; t and z
 *   may be small, T may be a space, another one may stand before the offset, and the plus may be a space,
 *   which is what it becomes in a query that was not encoded; decimals beyond microseconds are dropped,
 *   as are names in brackets behind the offset, "[Europe/Berlin]" (RFC 9557);
 * - "2026-11-24": a date;
 * - "1764086400", "1764086400123", "1764086400.123": seconds or milliseconds since 1970, whichever gives one
 *   of the years, maybe with decimals.
 * The years are 2000 to 2099. STATUS_INVALID: *why_r says in words that follow the parameter's name what is
 * wrong (static storage), and *timestamp_r is untouched. */
enum status timestamp_parse(const char *text, struct timestamp *timestamp_r, const char **why_r) MUST_CHECK;

/* Writes "2026-11-24T16:00:00.000000Z" into `text`, for PostgreSQL. */
void timestamp_write(time_us at, char text[TIMESTAMP_BYTES]);

/* Appends "2026-11-24T16:00:00.000Z", cut (not rounded) to milliseconds, for an answer. */
void timestamp_put(struct buffer *out, time_us at);

#endif
