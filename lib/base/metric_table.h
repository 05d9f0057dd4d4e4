/* All metrics of all programs: one table of names, kinds, helps and labels. METRICS.md beside the programs
 * documents the same for operators, and a test compares the two.
 *
 * A family is one name. Its series are all combinations of the values of its labels, which are few and fixed,
 * so that each has its cell in memory (base/metrics.h). The families behind METRICS have no cells: they are
 * read or made at the moment of the scrape, and so are the values of their labels. */
#ifndef UPBEAT_BASE_METRIC_TABLE_H
#define UPBEAT_BASE_METRIC_TABLE_H

#include <stdbool.h>

enum {
    METRIC_LABELS_MAX = 3,
    METRIC_BUCKETS = 14, /* of each histogram, beside that of +Inf */
};

enum metric {
    /* workers */
    METRIC_REQUESTS, /* metric_request_series() */
    METRIC_REQUEST_DURATION,
    METRIC_REQUESTS_ABANDONED,
    METRIC_WAITING,
    METRIC_WAIT_DURATION,
    METRIC_WAITS_REFUSED,
    METRIC_LOOKUP_DURATION,
    METRIC_LOOKUPS,
    METRIC_LOOKUP_ROWS,
    METRIC_STANDBY_READS,
    /* fetchers */
    METRIC_REFRESHES,
    METRIC_REFRESH_DURATION,
    METRIC_REFRESH_BYTES,
    METRIC_UPSTREAM_RESPONSES,
    METRIC_UPSTREAM_DURATION,
    METRIC_UPSTREAM_RUNNING,
    METRIC_QUEUED,
    METRIC_LEASE_WAIT,
    /* every program */
    METRIC_DATABASE_RECONNECTS,
    METRIC_DATABASE_CONNECT_FAILURES,
    METRIC_PROCESSES,
    METRIC_PROCESS_STARTS,
    METRICS, /* how many have cells; not a metric */

    /* made at the scrape */
    METRIC_BUILD_INFO = METRICS,
    METRIC_DATABASE_UP,
    METRIC_HOSTS,
    METRIC_HOST_AGE,
    METRIC_ROLLUP_LAG,
    METRIC_EVENTS,
    METRIC_DELIVERIES,
    METRIC_SITE_VISITORS,
    METRIC_SITE_USUAL,
    METRIC_FAMILIES /* how many there are; not a metric */
};

enum metric_kind { METRIC_COUNTER, METRIC_GAUGE, METRIC_HISTOGRAM };

struct metric_label {
    const char *name;          /* NULL: there is no such label */
    const char *const *values; /* NULL: they come from the database */
    unsigned count;
};

struct metric_family {
    const char *name;
    enum metric_kind kind; /* a histogram counts microseconds, and is told in seconds */
    const char *help;
    struct metric_label labels[METRIC_LABELS_MAX];
    bool is_sparse; /* so many series that those that are 0 are not told */
};

/* The values of the labels, in the order of the names in metric_table.c. */
enum metric_endpoint {
    ENDPOINT_OTHER,
    ENDPOINT_INDEX,
    ENDPOINT_OPENAPI,
    ENDPOINT_HEALTHZ,
    ENDPOINT_READYZ,
    ENDPOINT_METRICS,
    ENDPOINT_INCREASING,
    ENDPOINT_TRENDS,
    ENDPOINT_HISTORY,
    ENDPOINT_HOURS,
    ENDPOINT_PROFILE,
    ENDPOINT_USUAL,
    ENDPOINT_PAGES,
    ENDPOINT_EVENTS,
    ENDPOINT_HOSTS,
    ENDPOINTS
};

enum metric_freshness {
    FRESHNESS_NONE,   /* an error, or an answer that is made of no row */
    FRESHNESS_FRESH,  /* of a row within the TTL */
    FRESHNESS_KEPT,   /* the same, and the body was in the cache of the worker */
    FRESHNESS_WAITED, /* fresh, after the request waited for a refresh */
    FRESHNESS_STALE,  /* of a row older than the TTL */
    FRESHNESSES
};

enum metric_wait { WAIT_REFRESHED, WAIT_FAILED, WAIT_TIMED_OUT, WAIT_LOST, WAIT_GONE, WAITS };
enum metric_wait_refusal { REFUSAL_FULL, REFUSAL_NO_FETCHER, REFUSAL_PAUSED, REFUSALS };
enum metric_standby { STANDBY_SERVED, STANDBY_OLD, STANDBY_FAILED, STANDBY_RESTING, STANDBYS };
enum metric_lookup { LOOKUP_OK, LOOKUP_TIMEOUT, LOOKUP_UNREACHABLE, LOOKUP_FAILED, LOOKUPS };

/* The outcomes up to REFRESH_OUTCOMES are those of refresh/protocol.h. */
enum metric_refresh { REFRESH_METRIC_NOT_NEEDED = 11, REFRESH_METRIC_HELD, REFRESH_METRICS };
enum metric_refresh_end { REFRESH_END_STORED, REFRESH_END_SKIPPED, REFRESH_END_FAILED, REFRESH_ENDS };
enum metric_program { PROGRAM_WORKER, PROGRAM_FETCHER, PROGRAM_HISTORY, PROGRAM_ALERT, PROGRAMS };

/* The family of a metric, in static storage. */
const struct metric_family *metric_family(enum metric metric);

/* The upper bounds of the buckets in microseconds, METRIC_BUCKETS of them, the smallest first. */
extern const unsigned metric_buckets_us[METRIC_BUCKETS];

/* How many series a family has: the product of the numbers of values of its labels; 1 without labels. */
unsigned metric_series_count(const struct metric_family *family);

/* The value of the label in one of the series, which are numbered with the last label changing fastest. */
const char *metric_label_value(const struct metric_family *family, unsigned series, unsigned label);

/* The number of the value of the label "status" for a status of HTTP; 0 stands for no answer. A status that
 * has no value of its own counts as "other". */
unsigned metric_status(int http_status);

/* The series of METRIC_REQUESTS. */
unsigned metric_request_series(enum metric_endpoint endpoint, int http_status,
                               enum metric_freshness freshness);

#endif
