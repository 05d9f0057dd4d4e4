#include "api/metrics_endpoint.h"

#include "base/metrics_text.h"
#include "store/service_metrics.h"
#include "store/site_usual.h"
#include "store/store.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { TEXT_MAX_BYTES = 256 * 1024 };

/* What is usual for a site, as it was last read. */
struct usual {
    char host[HOST_MAX_BYTES + 1];
    int64_t slot; /* for which quarter of an hour it was read */
    struct site_usual value;
};

struct metrics_endpoint {
    bool tells_sites;
    int64_t read_ms;       /* when the database was last asked; 0: never */
    bool is_up;            /* it answered then */
    struct buffer service; /* what it said of the service; empty where it did not */
    struct buffer sites;   /* the same, of the sites */
    struct usual usual[SERVICE_METRICS_SITES];
    size_t usual_count;
};

struct metrics_endpoint *metrics_endpoint_new(bool tells_sites)
{
    struct metrics_endpoint *endpoint = calloc(1, sizeof *endpoint);
    if (!endpoint)
        return NULL;
    endpoint->tells_sites = tells_sites;
    buffer_init(&endpoint->service, TEXT_MAX_BYTES);
    buffer_init(&endpoint->sites, TEXT_MAX_BYTES);
    return endpoint;
}

void metrics_endpoint_free(struct metrics_endpoint *endpoint)
{
    if (!endpoint)
        return;
    buffer_release(&endpoint->service);
    buffer_release(&endpoint->sites);
    free(endpoint);
}

static enum status write_service(struct metrics_endpoint *endpoint, struct database *database,
                                 struct arena *arena, struct deadline deadline)
{
    struct service_metrics metrics = {0};
    enum status result = service_metrics_read(database, arena, deadline, &metrics);
    for (size_t i = 0; result == STATUS_OK && i < metrics.count; i++) {
        const struct service_metric *item = &metrics.items[i];
        if (i == 0 || metrics.items[i - 1].metric != item->metric)
            metrics_text_family(&endpoint->service, item->metric);
        metrics_text_sample(&endpoint->service, item->metric, item->labels, item->thousandths);
    }
    return result;
}

static struct usual *find_usual(struct metrics_endpoint *endpoint, const char *host)
{
    for (size_t i = 0; i < endpoint->usual_count; i++) {
        if (strcmp(endpoint->usual[i].host, host) == 0)
            return &endpoint->usual[i];
    }
    return NULL;
}

/* Brings the table of what is usual to the sites of this scrape. It changes with each quarter of an hour;
 * until the turn of a site comes, its value of the last quarter holds. */
static enum status read_usual(struct metrics_endpoint *endpoint, struct database *database,
                              const struct service_site *sites, size_t count, struct deadline deadline)
{
    struct usual now[SERVICE_METRICS_SITES] = {{{0}, 0, {0}}};
    int read = 0;
    enum status result = STATUS_OK;
    for (size_t i = 0; i < count; i++) {
        const struct usual *known = find_usual(endpoint, sites[i].host);
        now[i] = known ? *known : (struct usual){.slot = -1};
        memcpy(now[i].host, sites[i].host, sizeof now[i].host);
        if (result != STATUS_OK || now[i].slot == sites[i].slot || read == METRICS_USUAL_AT_ONCE)
            continue;
        result = site_usual_read(database, sites[i].host, deadline, &now[i].value);
        now[i].slot = result == STATUS_OK ? sites[i].slot : now[i].slot;
        read++;
    }
    memcpy(endpoint->usual, now, count * sizeof *now);
    endpoint->usual_count = count;
    return result;
}

static enum status write_sites(struct metrics_endpoint *endpoint, struct database *database,
                               struct deadline deadline)
{
    struct service_site sites[SERVICE_METRICS_SITES];
    size_t count = 0;
    enum status result = service_metrics_sites(database, deadline, sites, &count);
    if (result == STATUS_OK)
        result = read_usual(endpoint, database, sites, count, deadline);
    if (result != STATUS_OK || count == 0)
        return result;
    metrics_text_family(&endpoint->sites, METRIC_SITE_VISITORS);
    for (size_t i = 0; i < count; i++) {
        const char *const labels[METRIC_LABELS_MAX] = {sites[i].host};
        metrics_text_sample(&endpoint->sites, METRIC_SITE_VISITORS, labels, 1000 * sites[i].visitors);
    }
    metrics_text_family(&endpoint->sites, METRIC_SITE_USUAL);
    for (size_t i = 0; i < count; i++) {
        const struct usual *usual = &endpoint->usual[i];
        const char *const labels[METRIC_LABELS_MAX] = {usual->host};
        if (usual->value.is_known)
            metrics_text_sample(&endpoint->sites, METRIC_SITE_USUAL, labels,
                                llround(1000 * usual->value.usual));
    }
    return STATUS_OK;
}

static void drop_unless(enum status result, struct buffer *text)
{
    if (result != STATUS_OK || text->status != STATUS_OK)
        buffer_clear(text, TEXT_MAX_BYTES);
}

/* A query that fails or takes too long costs what it would have told; whether the database is up is asked
 * first, and by itself. One that is known to be away is not waited for. */
static void read_database(struct metrics_endpoint *endpoint, struct store *store, struct arena *arena,
                          struct deadline deadline)
{
    struct deadline until = deadline_within(deadline, METRICS_STEP_MS);
    buffer_clear(&endpoint->service, TEXT_MAX_BYTES);
    buffer_clear(&endpoint->sites, TEXT_MAX_BYTES);
    enum status up = store_is_away(store) ? STATUS_UNREACHABLE : store_ready(store, until);
    endpoint->is_up = up != STATUS_UNREACHABLE && up != STATUS_TIMEOUT;
    if (endpoint->is_up)
        drop_unless(write_service(endpoint, store_database(store), arena, until), &endpoint->service);
    if (endpoint->is_up && endpoint->tells_sites)
        drop_unless(write_sites(endpoint, store_database(store), until), &endpoint->sites);
    endpoint->read_ms = clock_monotonic_ms();
}

static bool is_to_be_read(const struct metrics_endpoint *endpoint, struct deadline deadline)
{
    bool is_old = endpoint->read_ms == 0 || clock_monotonic_ms() - endpoint->read_ms >= METRICS_HOLDS_MS;
    return is_old && deadline_left_ms(deadline) >= METRICS_LEAST_MS;
}

void metrics_endpoint_write(struct metrics_endpoint *endpoint, struct store *store, struct arena *arena,
                            struct deadline deadline, struct buffer *out)
{
    const char *const version[METRIC_LABELS_MAX] = {UPBEAT_VERSION};
    const char *const none[METRIC_LABELS_MAX] = {"", "", ""};
    if (is_to_be_read(endpoint, deadline))
        read_database(endpoint, store, arena, deadline);
    metrics_text_family(out, METRIC_BUILD_INFO);
    metrics_text_sample(out, METRIC_BUILD_INFO, version, 1000);
    if (endpoint->read_ms != 0) {
        metrics_text_family(out, METRIC_DATABASE_UP);
        metrics_text_sample(out, METRIC_DATABASE_UP, none, endpoint->is_up ? 1000 : 0);
    }
    buffer_append(out, endpoint->service.data, endpoint->service.len_bytes);
    buffer_append(out, endpoint->sites.data, endpoint->sites.len_bytes);
    metrics_text_counted(out);
}
