/* /metrics: what all processes have counted (base/metrics.h), and what stands in the database, as text for
 * Prometheus. A scrape always answers: where the database is away, upbeat_database_up is 0 and the families
 * that are read there are left out; where one query fails or takes too long, those that it would have told.
 * The database is read at most once in METRICS_HOLDS_MS by one worker, however often it is asked. */
#ifndef UPBEAT_API_METRICS_ENDPOINT_H
#define UPBEAT_API_METRICS_ENDPOINT_H

#include "base/arena.h"
#include "base/buffer.h"
#include "base/clock.h"

#include <stdbool.h>

enum {
    METRICS_HOLDS_MS = 5000,
    METRICS_LEAST_MS = 500,   /* with less time left, what was read last is told */
    METRICS_STEP_MS = 1500,   /* of all that is read in the database, within the deadline of the request */
    METRICS_USUAL_AT_ONCE = 5 /* hosts whose usual value is read for one scrape, since each takes a while */
};

struct metrics_endpoint;
struct store;

/* `tells_sites`: the visitors of each site are told too. NULL: no memory. */
struct metrics_endpoint *metrics_endpoint_new(bool tells_sites) MUST_CHECK;

/* NULL is allowed. */
void metrics_endpoint_free(struct metrics_endpoint *endpoint);

/* Appends the whole text to `out`; see its status. The arena holds what was read until the answer is written.
 */
void metrics_endpoint_write(struct metrics_endpoint *endpoint, struct store *store, struct arena *arena,
                            struct deadline deadline, struct buffer *out);

#endif
