/* The clocks, and deadlines: one deadline per request, handed to every call that may wait. */
#ifndef UPBEAT_BASE_CLOCK_H
#define UPBEAT_BASE_CLOCK_H

#include <stdint.h>

/* A point in time: microseconds since 1970-01-01 UTC, which is how exactly PostgreSQL keeps time. */
typedef int64_t time_us;

/* A point of the monotonic clock, in milliseconds. */
struct deadline {
    int64_t at_ms;
};

/* The monotonic clock now, in milliseconds. */
int64_t clock_monotonic_ms(void);

/* The same in microseconds, for lengths of time that are measured. */
int64_t clock_monotonic_us(void);

/* The wall clock now, in milliseconds since 1970. */
int64_t clock_wall_ms(void);

/* The deadline after_ms from now. */
struct deadline deadline_in(int64_t after_ms);

/* The earlier of the deadline and after_ms from now: a bound of one step within the bound of the whole. */
struct deadline deadline_within(struct deadline deadline, int64_t after_ms);

/* Milliseconds left, 0 where it has passed; at most INT_MAX, so that poll() can take it. */
int deadline_left_ms(struct deadline deadline);

/* Sleeps for_ms, but not past the deadline, and not past a signal. */
void deadline_sleep(struct deadline deadline, int64_t for_ms);

#endif
