/* Computes one-minute means from samples in the order in which they were taken. SQL's minute_means() computes
 * the same for stored samples; the two agree to the hundredth, which a test checks. */
#ifndef UPBEAT_PAGES_MINUTE_MEANS_H
#define UPBEAT_PAGES_MINUTE_MEANS_H

#include "pages/trend_model.h"

struct minutes;

/* NULL: no memory. */
struct minutes *minutes_new(void);

/* NULL is allowed. */
void minutes_free(struct minutes *minutes);

/* Adds a sample, which lists each page once at most. STATUS_INVALID: its minute is earlier than that of the
 * sample before it. STATUS_NO_MEMORY: nothing is added. */
enum status minutes_add(struct minutes *minutes, const struct trend_sample *sample) MUST_CHECK;

/* Computes the means of the current minute, even though samples of it may be missing. STATUS_NO_MEMORY. */
enum status minutes_end(struct minutes *minutes) MUST_CHECK;

/* Frees the minutes before this one. */
void minutes_forget(struct minutes *minutes, int64_t minute);

/* The minutes that have ended, in ascending order. `minutes` owns them, until the next call that changes it.
 */
const struct trend_minute *minutes_list(const struct minutes *minutes, size_t *count_r);

#endif
