#include "store/service_metrics.h"

#include "db/sql_param.h"

#include <string.h>

enum { READ, SITES };

static const struct statement STATEMENTS[] = {
    [READ] = {"upbeat_service_metrics",
              "select metric, label, state, thousandths from service_metrics()"
              " order by metric, label, state",
              0, false},
    [SITES] = {"upbeat_service_sites",
               "select a.host, sum_counts(s.visitors),"
               " floor(extract(epoch from s.taken_at) / 900)::bigint"
               " from (select h.host, c.taken_at from hosts h join cache c on c.host = h.host"
               " where c.taken_at > clock_timestamp() - interval '1 day'"
               " order by h.created_at, h.host limit $1::integer) a"
               " join snapshots s on s.host = a.host and s.taken_at = a.taken_at order by a.host",
               1, false},
};

/* A family that this program does not know is left out: the database is of a newer version. */
static bool find_metric(const char *name, enum metric *metric_r)
{
    static const struct {
        const char *name;
        enum metric metric;
    } names[] = {
        {"hosts", METRIC_HOSTS},   {"host_age", METRIC_HOST_AGE},     {"rollup_lag", METRIC_ROLLUP_LAG},
        {"events", METRIC_EVENTS}, {"deliveries", METRIC_DELIVERIES},
    };
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        if (strcmp(names[i].name, name) == 0) {
            *metric_r = names[i].metric;
            return true;
        }
    }
    return false;
}

/* NULL: no memory. SQL's null is an empty text. */
static const char *take_text(const struct database_rows *rows, size_t row, int column, struct arena *arena)
{
    size_t len = 0;
    const char *bytes = database_bytes(rows, row, column, &len);
    char *text = arena_alloc(arena, len + 1);
    if (!text)
        return NULL;
    if (bytes)
        memcpy(text, bytes, len);
    text[len] = '\0';
    return text;
}

static enum status take_metrics(const struct database_rows *rows, struct arena *arena,
                                struct service_metrics *metrics_r)
{
    size_t count = database_rows_count(rows);
    struct service_metrics metrics = {arena_alloc(arena, (count + 1) * sizeof *metrics.items), 0};
    if (!metrics.items)
        return STATUS_NO_MEMORY;
    for (size_t row = 0; row < count; row++) {
        struct service_metric *item = &metrics.items[metrics.count];
        const char *name = take_text(rows, row, 0, arena);
        *item = (struct service_metric){
            .labels = {take_text(rows, row, 1, arena), take_text(rows, row, 2, arena), ""},
            .thousandths = database_int(rows, row, 3, 0)};
        if (!name || !item->labels[0] || !item->labels[1])
            return STATUS_NO_MEMORY;
        metrics.count += find_metric(name, &item->metric);
    }
    *metrics_r = metrics;
    return STATUS_OK;
}

enum status service_metrics_read(struct database *database, struct arena *arena, struct deadline deadline,
                                 struct service_metrics *metrics_r)
{
    struct database_rows *rows = NULL;
    enum status result = database_run(database, &STATEMENTS[READ], NULL, 1, deadline, &rows);
    if (result == STATUS_OK)
        result = take_metrics(rows, arena, metrics_r);
    database_rows_free(rows);
    return result;
}

enum status service_metrics_sites(struct database *database, struct deadline deadline,
                                  struct service_site *sites_r, size_t *count_r)
{
    union sql_param_storage room;
    const struct sql_param parameter = sql_param_int(SERVICE_METRICS_SITES, &room);
    struct database_rows *rows = NULL;
    enum status result = database_run(database, &STATEMENTS[SITES], &parameter, 1, deadline, &rows);
    size_t count = result == STATUS_OK ? database_rows_count(rows) : 0;
    for (size_t row = 0; row < count; row++) {
        size_t len = 0;
        const char *host = database_bytes(rows, row, 0, &len);
        sites_r[row] = (struct service_site){.visitors = database_int(rows, row, 1, 0),
                                             .slot = database_int(rows, row, 2, 0)};
        memcpy(sites_r[row].host, host ? host : "", host && len <= HOST_MAX_BYTES ? len : 0);
    }
    if (result == STATUS_OK)
        *count_r = count;
    database_rows_free(rows);
    return result;
}
