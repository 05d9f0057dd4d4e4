#include "routes.h"

#include "openapi.h"
#include "window.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static route_finish finish_index;
static route_finish finish_openapi;
static route_finish finish_health;
static route_finish finish_ready;
static route_finish finish_hosts;
static route_read read_increase;
static route_read read_trends;
static route_read read_history;
static route_read read_hours;
static route_read read_profile;
static route_read read_usual;
static route_read read_pages;
static route_write write_increase;
static route_write write_trends;
static route_write write_report;

#define BOTH "limit, callback, format"

static const struct route ROUTES[] = {
    {"/api/v1.0/increasingconcurrents", read_increase, write_increase, NULL, 400, true, true, false,
     "pages whose concurrents increase; parameters host, " BOTH},
    {"/api/v1.0/trends", read_trends, write_trends, NULL, 403, false, true, false,
     "pages that really rise or fall; parameters host, window, direction, min_score, min_visitors, sort, "
     "section, " BOTH},
    {"/api/v1.0/history", read_history, write_report, NULL, 403, false, false, true,
     "a page or the site over time, and its headlines; parameters host, path, from, to, step, " BOTH},
    {"/api/v1.0/hours", read_hours, write_report, NULL, 403, false, false, true,
     "a page or the site by local hours; parameters host, path, from, to, tz, " BOTH},
    {"/api/v1.0/profile", read_profile, write_report, NULL, 403, false, false, true,
     "the hours of a usual day; parameters host, path, days, tz, " BOTH},
    {"/api/v1.0/usual", read_usual, write_report, NULL, 403, false, false, false,
     "what is usual now, and now against it; parameters host, path, tz, " BOTH},
    {"/api/v1.0/pages", read_pages, write_report, NULL, 403, false, false, true,
     "the list as it stood at a minute; parameters host, at, " BOTH},
    {"/api/v1.0/hosts", NULL, NULL, finish_hosts, 403, false, false, true,
     "the hosts of a key, and how fresh each is; parameters " BOTH},
    {"/api/v1.0/openapi.json", NULL, NULL, finish_openapi, 0, false, false, false,
     "all of this in full (OpenAPI 3.1)"},
    {"/", NULL, NULL, finish_index, 0, false, false, false, "this list"},
    {"/healthz", NULL, NULL, finish_health, 0, false, false, false, "is the process up?"},
    {"/readyz", NULL, NULL, finish_ready, 0, false, false, false, "is the database reachable and migrated?"},
};

const struct route *routes_find(const char *path)
{
    for (size_t i = 0; path && i < sizeof ROUTES / sizeof *ROUTES; i++) {
        if (strcmp(ROUTES[i].path, path) == 0)
            return &ROUTES[i];
    }
    return NULL;
}

/* --- Of no host --------------------------------------------------------------------------------------------
 */

static void finish_index(struct exchange *exchange, struct store *store, const struct policy_bounds *bounds)
{
    (void)store;
    (void)bounds;
    struct buffer text;
    buffer_init(&text, 4096);
    buffer_append_text(&text, "{\"service\":\"upbeat\",\"version\":\"" UPBEAT_VERSION
                              "\",\"openapi\":\"/api/v1.0/openapi.json\",\"endpoints\":{");
    for (size_t i = 0; i < sizeof ROUTES / sizeof *ROUTES; i++)
        buffer_append_format(&text, "%s\"%s\":\"%s\"", i == 0 ? "" : ",", ROUTES[i].path, ROUTES[i].help);
    buffer_append_text(&text, "}}\n");
    exchange_finish_text(exchange, "application/json", text.status == UP_OK ? text.data : "{}\n");
    buffer_release(&text);
}

static void finish_openapi(struct exchange *exchange, struct store *store, const struct policy_bounds *bounds)
{
    (void)store;
    (void)bounds;
    response_begin(&exchange->response, 200, exchange->input.id);
    response_header(&exchange->response, "Content-Type", "application/json");
    response_header(&exchange->response, "Cache-Control", "public, max-age=300");
    buffer_append(&exchange->response.body, openapi_text, openapi_bytes);
    exchange_finish(exchange);
}

static void finish_health(struct exchange *exchange, struct store *store, const struct policy_bounds *bounds)
{
    (void)store;
    (void)bounds;
    exchange_finish_text(exchange, "text/plain; charset=utf-8", "ok\n");
}

static void finish_ready(struct exchange *exchange, struct store *store, const struct policy_bounds *bounds)
{
    (void)bounds;
    enum up_result result = store_ready(store, exchange->deadline);
    if (result == UP_OK) {
        exchange_finish_text(exchange, "text/plain; charset=utf-8", "ready\n");
        return;
    }
    exchange_finish_problem(exchange,
                            &(struct problem){.status = 503,
                                              .retry_after_s = 1,
                                              .detail = result == UP_INVALID
                                                            ? "The database is not migrated: run sql/migrate."
                                                            : "The database can't be reached."});
}

/* --- What is remembered ------------------------------------------------------------------------------------
 */

/* FNV-1a (Fowler, Noll, Vo): tells bodies of one snapshot apart, guards nothing. */
static uint64_t hash_of(const struct buffer *body)
{
    uint64_t hash = UINT64_C(14695981039346656037);
    for (size_t i = 0; i < body->len_bytes; i++)
        hash = (hash ^ (unsigned char)body->data[i]) * UINT64_C(1099511628211);
    return hash;
}

/* The body first: its ETag is made of what it says, since what is remembered grows between two snapshots too.
 */
static enum up_result write_report(struct exchange *exchange, struct store *store,
                                   const struct policy_bounds *bounds, enum answer_freshness freshness,
                                   const struct buffer *body)
{
    char variant[24];
    struct buffer text;
    struct problem problem = {0};
    (void)body;
    buffer_init(&text, exchange->response.body.max_bytes);
    enum up_result result = report_write(&text, store_database(store), &exchange->request, &exchange->report,
                                         &exchange->arena, exchange->deadline, &problem);
    if (result == UP_OK && text.status != UP_OK)
        result = text.status;
    if (result == UP_OK) {
        snprintf(variant, sizeof variant, "%016" PRIx64, hash_of(&text));
        exchange->request.variant = variant;
        if (!answer_begin(&exchange->response, &exchange->input, &exchange->request, &exchange->lookup,
                          bounds, freshness))
            buffer_append(&exchange->response.body, text.data, text.len_bytes);
        exchange->request.variant = "";
    } else if (result == UP_INVALID) {
        response_problem(&exchange->response, exchange->input.id, &problem);
        result = UP_OK;
    }
    buffer_release(&text);
    return result;
}

static enum up_result read_report(struct exchange *exchange, enum report_kind kind, int host_status,
                                  struct problem *problem_r)
{
    enum up_result result =
        request_read(&exchange->input, host_status, &exchange->arena, &exchange->request, problem_r);
    if (result != UP_OK)
        return result;
    return report_read(kind, &exchange->request, clock_wall_ms(), &exchange->arena, &exchange->report,
                       problem_r);
}

static enum up_result read_history(struct exchange *exchange, struct problem *problem_r)
{
    return read_report(exchange, REPORT_HISTORY, 400, problem_r);
}

static enum up_result read_hours(struct exchange *exchange, struct problem *problem_r)
{
    return read_report(exchange, REPORT_HOURS, 400, problem_r);
}

static enum up_result read_profile(struct exchange *exchange, struct problem *problem_r)
{
    return read_report(exchange, REPORT_PROFILE, 400, problem_r);
}

static enum up_result read_usual(struct exchange *exchange, struct problem *problem_r)
{
    return read_report(exchange, REPORT_USUAL, 400, problem_r);
}

static enum up_result read_pages(struct exchange *exchange, struct problem *problem_r)
{
    return read_report(exchange, REPORT_PAGES, 400, problem_r);
}

static void finish_hosts(struct exchange *exchange, struct store *store, const struct policy_bounds *bounds)
{
    struct problem problem = {.status = 503, .retry_after_s = 1, .detail = "The database can't be reached."};
    enum up_result result = read_report(exchange, REPORT_HOSTS, REQUEST_NO_HOST, &problem);
    exchange->input.now_ms = clock_wall_ms();
    /* Of many snapshots, so it is dated by the clock. */
    exchange->lookup = (struct store_lookup){.taken_at = exchange->input.now_ms / 1000 * 1000000,
                                             .rate_limit = -1,
                                             .rate_remaining = -1,
                                             .view = {.has_snapshot = true, .verdict = KEY_ACCEPTED}};
    if (result == UP_OK)
        result = write_report(exchange, store, bounds, ANSWER_FRESH, NULL);
    if (result == UP_OK)
        exchange_finish(exchange);
    else
        exchange_finish_problem(exchange, &problem);
}

/* --- What is now -------------------------------------------------------------------------------------------
 */

static enum up_result read_increase(struct exchange *exchange, struct problem *problem_r)
{
    return request_read(&exchange->input, 401, &exchange->arena, &exchange->request, problem_r);
}

static enum up_result write_increase(struct exchange *exchange, struct store *store,
                                     const struct policy_bounds *bounds, enum answer_freshness freshness,
                                     const struct buffer *body)
{
    (void)store;
    return answer_increase(&exchange->response, &exchange->input, &exchange->request, &exchange->lookup,
                           bounds, freshness, body, &exchange->arena);
}

static enum up_result read_trends(struct exchange *exchange, struct problem *problem_r)
{
    enum up_result result =
        request_read(&exchange->input, 400, &exchange->arena, &exchange->request, problem_r);
    if (result != UP_OK)
        return result;
    return trends_read(&exchange->request, &exchange->arena, &exchange->trends, problem_r);
}

/* The window that ends at the newest snapshot, weighed: kept, or read in one round trip, into *room.
 */
static enum up_result weigh(struct exchange *exchange, struct store *store, struct weighed *room,
                            const struct weighed **weighed_r)
{
    struct window window;
    const char *host = exchange->request.host;
    time_us as_of = exchange->lookup.taken_at;
    int64_t window_ms = exchange->trends.window_ms;
    *weighed_r = weighed_find(exchange->weighed, host, window_ms, as_of);
    if (*weighed_r)
        return UP_OK;
    enum up_result result = window_read(store_database(store), host, as_of, window_ms, &exchange->arena,
                                        exchange->deadline, &window);
    if (result == UP_OK)
        result = weighed_from(&window, &exchange->arena, room);
    if (result != UP_OK)
        return result;
    weighed_keep(exchange->weighed, host, as_of, room);
    *weighed_r = room;
    return UP_OK;
}

static enum up_result write_trends(struct exchange *exchange, struct store *store,
                                   const struct policy_bounds *bounds, enum answer_freshness freshness,
                                   const struct buffer *body)
{
    struct weighed room;
    const struct weighed *weighed = NULL;
    bool is_stale = freshness != ANSWER_FRESH;
    if (answer_begin(&exchange->response, &exchange->input, &exchange->request, &exchange->lookup, bounds,
                     freshness))
        return UP_OK;
    if (body && !is_stale) {
        buffer_append(&exchange->response.body, body->data, body->len_bytes);
        return UP_OK;
    }
    enum up_result result = weigh(exchange, store, &room, &weighed);
    if (result != UP_OK)
        return result;
    bool is_late = exchange->lookup.view.age_ms > trend_recent_ms(exchange->trends.window_ms);
    return trends_write(&exchange->response.body, &exchange->request, &exchange->trends, weighed, is_stale,
                        is_late, &exchange->arena);
}
