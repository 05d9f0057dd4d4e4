/* The events that upbeat-backtest --events would have told. */
#ifndef UPBEAT_FCGI_BACKTEST_EVENTS_H
#define UPBEAT_FCGI_BACKTEST_EVENTS_H

#include "pages/event_rules.h"
#include "pages/trend_model.h"
#include <stdio.h>

struct backtest_events;

/* NULL: no memory. */
struct backtest_events *backtest_events_new(const struct event_bounds *bounds);

/* NULL is allowed. */
void backtest_events_free(struct backtest_events *events);

/* Looks at the next sample, which is younger than the one before; `sources` by its entries, NULL where they
 * are not known. STATUS_NO_MEMORY. */
enum status backtest_events_look(struct backtest_events *events, const struct trend_sample *sample,
                                 const uint32_t (*sources)[PAGE_SOURCES]) MUST_CHECK;

/* Prints a line for each event, in the order of their begin, and on `summary` how many a day there were.
 * `paths` are by page number. STATUS_NO_MEMORY; STATUS_FAILED: `out` can't be written to. */
enum status backtest_events_print(struct backtest_events *events, const struct trend_path *paths, bool json,
                                  FILE *out, FILE *summary) MUST_CHECK;

#endif
