/* One-minute means out of samples as they come: what the database's minute_means() says, to the hundredth. */
#ifndef UPBEAT_PAGES_MINUTE_MEANS_H
#define UPBEAT_PAGES_MINUTE_MEANS_H

#include "pages/trend_model.h"

struct minutes;

/* NULL: no memory. */
struct minutes *minutes_new(void);

/* NULL is allowed. */
void minutes_free(struct minutes *minutes);

/* Adds a sample; it holds each page once. STATUS_INVALID: it is of an earlier minute than the one before it.
 * STATUS_NO_MEMORY: nothing is added. */
enum status minutes_add(struct minutes *minutes, const struct trend_sample *sample) MUST_CHECK;

/* Ends the minute that is being added to. STATUS_NO_MEMORY. */
enum status minutes_end(struct minutes *minutes) MUST_CHECK;

/* Forgets the minutes before this one. */
void minutes_forget(struct minutes *minutes, int64_t minute);

/* Those that have ended, ascending; owned by `minutes`, and valid until the next call that changes it. */
const struct trend_minute *minutes_list(const struct minutes *minutes, size_t *count_r);

#endif
