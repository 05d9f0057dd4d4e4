/* Points in time as text (RFC 3339). */
#ifndef UPBEAT_BASE_TIMESTAMP_H
#define UPBEAT_BASE_TIMESTAMP_H

#include "base/buffer.h"
#include "base/clock.h"
#include "base/status.h"

enum { TIMESTAMP_BYTES = 32 };

/* "2026-11-24T16:00Z", "2026-11-24T17:00:30.5+01:00": date, T, hour and minute, maybe seconds with at most
 * six decimals, and Z or an offset, of which the sign may be a space, which is what "+" is in a query that
 * was not encoded. The years are 2000 to 2099. STATUS_INVALID: not of this form, or no such day or time;
 * *at_r is untouched. */
enum status timestamp_parse(const char *text, time_us *at_r) MUST_CHECK;

/* Writes "2026-11-24T16:00:00.000000Z" into `text`, for PostgreSQL. */
void timestamp_write(time_us at, char text[TIMESTAMP_BYTES]);

/* Appends "2026-11-24T16:00:00.000Z", cut (not rounded) to milliseconds, for an answer. */
void timestamp_put(struct buffer *out, time_us at);

#endif
