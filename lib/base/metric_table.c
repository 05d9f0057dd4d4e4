#include "base/metric_table.h"

#include <stddef.h>

#define NAMES(list) (list), sizeof(list) / sizeof *(list)

static const char *const ENDPOINT_NAMES[ENDPOINTS] = {
    [ENDPOINT_OTHER] = "other",
    [ENDPOINT_INDEX] = "index",
    [ENDPOINT_OPENAPI] = "openapi",
    [ENDPOINT_HEALTHZ] = "healthz",
    [ENDPOINT_READYZ] = "readyz",
    [ENDPOINT_METRICS] = "metrics",
    [ENDPOINT_INCREASING] = "increasingconcurrents",
    [ENDPOINT_TRENDS] = "trends",
    [ENDPOINT_HISTORY] = "history",
    [ENDPOINT_HOURS] = "hours",
    [ENDPOINT_PROFILE] = "profile",
    [ENDPOINT_USUAL] = "usual",
    [ENDPOINT_PAGES] = "pages",
    [ENDPOINT_EVENTS] = "events",
    [ENDPOINT_HOSTS] = "hosts",
};

static const int STATUSES[] = {0,   200, 204, 303, 304, 400, 401, 403, 404,
                               405, 406, 410, 429, 500, 502, 503, 504};
static const char *const STATUS_NAMES[] = {"none", "200", "204", "303", "304", "400", "401", "403", "404",
                                           "405",  "406", "410", "429", "500", "502", "503", "504", "other"};
enum { STATUS_OTHER = sizeof STATUSES / sizeof *STATUSES, STATUS_VALUES };

static const char *const FRESHNESS_NAMES[FRESHNESSES] = {
    [FRESHNESS_NONE] = "none",     [FRESHNESS_FRESH] = "fresh", [FRESHNESS_KEPT] = "kept",
    [FRESHNESS_WAITED] = "waited", [FRESHNESS_STALE] = "stale",
};
static const char *const WAIT_NAMES[WAITS] = {"refreshed", "failed", "timed_out", "lost", "gone"};
static const char *const REFUSAL_NAMES[REFUSALS] = {"full", "no_fetcher", "paused"};
static const char *const LOOKUP_NAMES[LOOKUPS] = {"ok", "timeout", "unreachable", "failed"};
static const char *const STANDBY_NAMES[STANDBYS] = {"served", "old", "failed", "resting"};
static const char *const REFRESH_NAMES[REFRESH_METRICS] = {
    "stored",   "key_refused", "unreachable", "timed_out", "rate_limited", "useless", "backoff",
    "bad_keys", "no_key",      "database",    "busy",      "not_needed",   "held"};
static const char *const REFRESH_END_NAMES[REFRESH_ENDS] = {"stored", "skipped", "failed"};
static const char *const PROGRAM_NAMES[PROGRAMS] = {"worker", "fetcher", "history", "alert"};

#define STATUS_LABEL                                                                                         \
    {                                                                                                        \
        "status", NAMES(STATUS_NAMES)                                                                        \
    }
#define PROGRAM_LABEL                                                                                        \
    {                                                                                                        \
        {                                                                                                    \
            "program", NAMES(PROGRAM_NAMES)                                                                  \
        }                                                                                                    \
    }

/* clang-format off */
static const struct metric_family FAMILIES[METRIC_FAMILIES] = {
    [METRIC_REQUESTS] = {"upbeat_requests_total", METRIC_COUNTER, "Requests that a worker has answered.",
        {{"endpoint", NAMES(ENDPOINT_NAMES)}, STATUS_LABEL, {"freshness", NAMES(FRESHNESS_NAMES)}}, true},
    [METRIC_REQUEST_DURATION] = {"upbeat_request_duration_seconds", METRIC_HISTOGRAM,
        "From the moment at which a worker has read a request to that at which its answer is complete.",
        {{"endpoint", NAMES(ENDPOINT_NAMES)}}, true},
    [METRIC_REQUESTS_ABANDONED] = {"upbeat_requests_abandoned_total", METRIC_COUNTER,
        "Requests whose client went away before the answer.", {{NULL, NULL, 0}}, false},
    [METRIC_WAITING] = {"upbeat_waiting_requests", METRIC_GAUGE, "Requests that wait for a refresh now.",
        {{NULL, NULL, 0}}, false},
    [METRIC_WAIT_DURATION] = {"upbeat_wait_duration_seconds", METRIC_HISTOGRAM,
        "How long a request waited for a refresh, by how the wait ended.", {{"outcome", NAMES(WAIT_NAMES)}}, false},
    [METRIC_WAITS_REFUSED] = {"upbeat_waits_refused_total", METRIC_COUNTER,
        "Requests that were to wait for a refresh, and could not.", {{"reason", NAMES(REFUSAL_NAMES)}}, false},
    [METRIC_LOOKUP_DURATION] = {"upbeat_lookup_duration_seconds", METRIC_HISTOGRAM,
        "One look-up of rows and keys in the database, for all requests of a turn.", {{NULL, NULL, 0}}, false},
    [METRIC_LOOKUPS] = {"upbeat_lookups_total", METRIC_COUNTER, "Look-ups, by how they ended.",
        {{"outcome", NAMES(LOOKUP_NAMES)}}, false},
    [METRIC_LOOKUP_ROWS] = {"upbeat_lookup_rows_total", METRIC_COUNTER, "Different rows that were looked up.",
        {{NULL, NULL, 0}}, false},
    [METRIC_STANDBY_READS] = {"upbeat_standby_reads_total", METRIC_COUNTER,
        "Rows and reports that a standby was to be asked for: served by it, or else by the primary.",
        {{"outcome", NAMES(STANDBY_NAMES)}}, false},
    [METRIC_REFRESHES] = {"upbeat_refreshes_total", METRIC_COUNTER, "Refreshes of hosts, by how they ended.",
        {{"outcome", NAMES(REFRESH_NAMES)}}, false},
    [METRIC_REFRESH_DURATION] = {"upbeat_refresh_duration_seconds", METRIC_HISTOGRAM,
        "From the moment at which a refresh was wanted to its end.", {{"outcome", NAMES(REFRESH_END_NAMES)}}, false},
    [METRIC_REFRESH_BYTES] = {"upbeat_upstream_received_bytes_total", METRIC_COUNTER,
        "Bytes of Chartbeat's answers, after decompression.", {{NULL, NULL, 0}}, false},
    [METRIC_UPSTREAM_RESPONSES] = {"upbeat_upstream_responses_total", METRIC_COUNTER,
        "Chartbeat's answers, by their status; none: no answer came.", {STATUS_LABEL}, false},
    [METRIC_UPSTREAM_DURATION] = {"upbeat_upstream_duration_seconds", METRIC_HISTOGRAM,
        "One request to Chartbeat.", {{NULL, NULL, 0}}, false},
    [METRIC_UPSTREAM_RUNNING] = {"upbeat_upstream_requests", METRIC_GAUGE, "Requests to Chartbeat under way now.",
        {{NULL, NULL, 0}}, false},
    [METRIC_QUEUED] = {"upbeat_fetch_queue_hosts", METRIC_GAUGE, "Refreshes that wait for their turn now.",
        {{NULL, NULL, 0}}, false},
    [METRIC_LEASE_WAIT] = {"upbeat_lease_wait_duration_seconds", METRIC_HISTOGRAM,
        "How long a refresh waited for the lease that another process held.", {{NULL, NULL, 0}}, false},
    [METRIC_DATABASE_RECONNECTS] = {"upbeat_database_reconnects_total", METRIC_COUNTER,
        "Connections to the database that were made anew.", PROGRAM_LABEL, false},
    [METRIC_DATABASE_CONNECT_FAILURES] = {"upbeat_database_connect_failures_total", METRIC_COUNTER,
        "Connections to the database that could not be made.", PROGRAM_LABEL, false},
    [METRIC_PROCESSES] = {"upbeat_processes", METRIC_GAUGE, "Processes that run now.", PROGRAM_LABEL, false},
    [METRIC_PROCESS_STARTS] = {"upbeat_process_starts_total", METRIC_COUNTER, "Processes that were started.",
        PROGRAM_LABEL, false},
    [METRIC_BUILD_INFO] = {"upbeat_build_info", METRIC_GAUGE, "1, with the version of the worker that answers.",
        {{"version", NULL, 0}}, false},
    [METRIC_DATABASE_UP] = {"upbeat_database_up", METRIC_GAUGE,
        "1: the database answers; 0: it can't be reached, and the families below are left out.",
        {{NULL, NULL, 0}}, false},
    [METRIC_HOSTS] = {"upbeat_hosts", METRIC_GAUGE, "Hosts, by how they are doing.", {{"state", NULL, 0}}, false},
    [METRIC_HOST_AGE] = {"upbeat_oldest_fresh_host_age_seconds", METRIC_GAUGE,
        "Age of the newest snapshot of that host, of the fresh ones, whose is the oldest.", {{NULL, NULL, 0}}, false},
    [METRIC_ROLLUP_LAG] = {"upbeat_rollup_lag_seconds", METRIC_GAUGE,
        "For how long the next quarter of an hour could have been rolled up.", {{NULL, NULL, 0}}, false},
    [METRIC_EVENTS] = {"upbeat_events", METRIC_GAUGE, "Events that are open, and that began in the last 24 hours and are over.",
        {{"kind", NULL, 0}, {"state", NULL, 0}}, false},
    [METRIC_DELIVERIES] = {"upbeat_deliveries", METRIC_GAUGE,
        "Alerts that wait to be delivered, and of the last 24 hours what became of the others.",
        {{"state", NULL, 0}}, false},
    [METRIC_SITE_VISITORS] = {"upbeat_site_visitors", METRIC_GAUGE, "Visitors of the site in its newest snapshot.",
        {{"host", NULL, 0}}, false},
    [METRIC_SITE_USUAL] = {"upbeat_site_usual", METRIC_GAUGE, "Visitors that the site usually has at this quarter of an hour.",
        {{"host", NULL, 0}}, false},
};
/* clang-format on */

const unsigned metric_buckets_us[METRIC_BUCKETS] = {250,   500,    1000,   2500,   5000,    10000,   25000,
                                                    50000, 100000, 250000, 500000, 1000000, 2500000, 5000000};

const struct metric_family *metric_family(enum metric metric)
{
    return &FAMILIES[metric];
}

unsigned metric_series_count(const struct metric_family *family)
{
    unsigned count = 1;
    for (unsigned i = 0; i < METRIC_LABELS_MAX && family->labels[i].name; i++)
        count *= family->labels[i].count;
    return count;
}

const char *metric_label_value(const struct metric_family *family, unsigned series, unsigned label)
{
    for (unsigned i = METRIC_LABELS_MAX - 1; i > label; i--) {
        if (family->labels[i].name)
            series /= family->labels[i].count;
    }
    return family->labels[label].values[series % family->labels[label].count];
}

unsigned metric_status(int http_status)
{
    unsigned at = 0;
    while (at < STATUS_OTHER && STATUSES[at] != http_status)
        at++;
    return at;
}

unsigned metric_request_series(enum metric_endpoint endpoint, int http_status,
                               enum metric_freshness freshness)
{
    unsigned of_endpoint = (unsigned)endpoint * STATUS_VALUES + metric_status(http_status);
    return of_endpoint * FRESHNESSES + (unsigned)freshness;
}
