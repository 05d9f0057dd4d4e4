/* What /metrics says of the database: service_metrics() in sql/, and the visitors of each site.
 *
 * Each call is one round trip. STATUS_OK; STATUS_UNREACHABLE, STATUS_TIMEOUT, STATUS_FAILED, STATUS_NO_MEMORY
 * as in database.h: outputs are untouched. */
#ifndef UPBEAT_STORE_SERVICE_METRICS_H
#define UPBEAT_STORE_SERVICE_METRICS_H

#include "base/arena.h"
#include "base/clock.h"
#include "base/metric_table.h"
#include "base/validate.h"
#include "db/database.h"

#include <stddef.h>
#include <stdint.h>

enum { SERVICE_METRICS_SITES = 50 }; /* those that have been known for longest, so that they stay the same */

/* One sample; the texts are the arena's. */
struct service_metric {
    enum metric metric;
    const char *labels[METRIC_LABELS_MAX]; /* "" where the family has none there */
    int64_t thousandths;
};

struct service_metrics {
    struct service_metric *items; /* the arena's; the samples of a family stand together */
    size_t count;
};

struct service_site {
    char host[HOST_MAX_BYTES + 1];
    int64_t visitors; /* of the newest snapshot */
    int64_t slot;     /* which quarter of an hour since 1970 that is of */
};

/* Reads what service_metrics() gives. */
enum status service_metrics_read(struct database *database, struct arena *arena, struct deadline deadline,
                                 struct service_metrics *metrics_r) MUST_CHECK;

/* Reads the visitors of at most SERVICE_METRICS_SITES sites that have a snapshot of the last day, by host.
 * *count_r: how many. */
enum status service_metrics_sites(struct database *database, struct deadline deadline,
                                  struct service_site *sites_r, size_t *count_r) MUST_CHECK;

#endif
