#include "api/routes.h"

#include "api/metrics_endpoint.h"
#include "api/openapi.h"
#include "api/repeat.h"
#include "base/metrics_text.h"
#include "store/trend_input.h"

#include <stdio.h>
#include <string.h>

static route_answer answer_index;
static route_answer answer_openapi;
static route_answer answer_health;
static route_answer answer_ready;
static route_answer answer_metrics;
static route_answer answer_hosts;
static route_read read_nothing;
static route_read read_hosts;
static route_read read_increase;
static route_read read_trends;
static route_read read_history;
static route_read read_hours;
static route_read read_profile;
static route_read read_usual;
static route_read read_pages;
static route_read read_events;
static route_write write_increase;
static route_write write_trends;
static route_write write_report;

#define BOTH "limit, callback, format"

enum {
    MAY_LIST = 1 << TOKEN_LIST,
    MAY_BOARD = 1 << TOKEN_BOARD,
    MAY_BOX = 1 << TOKEN_BOX,
    MAY_ALL = 1 << TOKEN_ALL,
};

static const struct route ROUTES[] = {
    {"/api/v1.0/increasingconcurrents", ROUTE_ROW, read_increase, write_increase, NULL, 400, true, true,
     false, MAY_LIST | MAY_BOARD | MAY_BOX | MAY_ALL,
     "pages whose concurrents increase; parameters host, " BOTH, ENDPOINT_INCREASING},
    {"/api/v1.0/trends", ROUTE_ROW, read_trends, write_trends, NULL, 403, false, true, false,
     MAY_BOARD | MAY_ALL,
     "pages that really rise or fall; parameters host, window, direction, min_score, min_visitors, "
     "min_ratio, sort, section, spark, " BOTH,
     ENDPOINT_TRENDS},
    {"/api/v1.0/history", ROUTE_ROW, read_history, write_report, NULL, 403, false, false, true,
     MAY_BOARD | MAY_ALL,
     "a page or the site over time, and its headlines; parameters host, path, from, to, step, " BOTH,
     ENDPOINT_HISTORY},
    {"/api/v1.0/hours", ROUTE_ROW, read_hours, write_report, NULL, 403, false, false, true, MAY_ALL,
     "a page or the site by local hours; parameters host, path, from, to, tz, " BOTH, ENDPOINT_HOURS},
    {"/api/v1.0/profile", ROUTE_ROW, read_profile, write_report, NULL, 403, false, false, true,
     MAY_BOARD | MAY_ALL, "the hours of a usual day; parameters host, path, days, tz, " BOTH,
     ENDPOINT_PROFILE},
    {"/api/v1.0/usual", ROUTE_ROW, read_usual, write_report, NULL, 403, false, false, false,
     MAY_BOARD | MAY_ALL, "what is usual now, and now against it; parameters host, path, tz, " BOTH,
     ENDPOINT_USUAL},
    {"/api/v1.0/pages", ROUTE_ROW, read_pages, write_report, NULL, 403, false, false, true,
     MAY_LIST | MAY_ALL, "the list as it stood at a minute; parameters host, at, " BOTH, ENDPOINT_PAGES},
    {"/api/v1.0/events", ROUTE_ROW, read_events, write_report, NULL, 403, false, false, true,
     MAY_BOARD | MAY_ALL, "what happened on the site; parameters host, since, until, kind, open, " BOTH,
     ENDPOINT_EVENTS},
    {"/api/v1.0/hosts", ROUTE_QUERY, read_hosts, NULL, answer_hosts, 403, false, false, true,
     MAY_BOARD | MAY_ALL, "the hosts of a key, and how fresh each is; parameters " BOTH, ENDPOINT_HOSTS},
    {"/api/v1.0/openapi.json", ROUTE_PLAIN, NULL, NULL, answer_openapi, 0, false, false, false, 0,
     "all of this in full (OpenAPI 3.1)", ENDPOINT_OPENAPI},
    {"/", ROUTE_PLAIN, NULL, NULL, answer_index, 0, false, false, false, 0, "this list", ENDPOINT_INDEX},
    {"/healthz", ROUTE_PLAIN, NULL, NULL, answer_health, 0, false, false, false, 0, "is the process up?",
     ENDPOINT_HEALTHZ},
    {"/readyz", ROUTE_QUERY, read_nothing, NULL, answer_ready, 0, false, false, false, 0,
     "is the database reachable and migrated?", ENDPOINT_READYZ},
    {"/metrics", ROUTE_QUERY, read_nothing, NULL, answer_metrics, 0, false, false, false, 0,
     "what all processes have counted, for Prometheus; for this machine and whom the operator lets in",
     ENDPOINT_METRICS},
};

const struct route *routes_find(const char *path)
{
    if (path && (strcmp(path, "/api/v1.0") == 0 || strcmp(path, "/api/v1.0/") == 0))
        path = "/";
    for (size_t i = 0; path && i < sizeof ROUTES / sizeof *ROUTES; i++) {
        if (strcmp(ROUTES[i].path, path) == 0)
            return &ROUTES[i];
    }
    return NULL;
}

/* --- Of no host --------------------------------------------------------------------------------------------
 */

static void answer_index(struct request *request, struct api *api)
{
    (void)api;
    struct buffer text;
    buffer_init(&text, 4096);
    buffer_append_text(&text, "{\"service\":\"upbeat\",\"version\":\"" UPBEAT_VERSION
                              "\",\"openapi\":\"/api/v1.0/openapi.json\",\"endpoints\":{");
    for (size_t i = 0; i < sizeof ROUTES / sizeof *ROUTES; i++)
        buffer_append_format(&text, "%s\"%s\":\"%s\"", i == 0 ? "" : ",", ROUTES[i].path, ROUTES[i].help);
    buffer_append_text(&text, "}}\n");
    request_finish_text(request, "application/json", text.status == STATUS_OK ? text.data : "{}\n");
    buffer_release(&text);
}

static void answer_openapi(struct request *request, struct api *api)
{
    (void)api;
    response_begin(&request->response, 200, request->head.id);
    response_header(&request->response, "Content-Type", "application/json");
    response_header(&request->response, "Cache-Control", "public, max-age=300");
    buffer_append(&request->response.body, openapi_text, openapi_bytes);
    request_finish(request);
}

static void answer_health(struct request *request, struct api *api)
{
    (void)api;
    request_finish_text(request, "text/plain; charset=utf-8", "ok\n");
}

static enum status read_nothing(struct request *request, struct problem *problem_r)
{
    (void)request;
    (void)problem_r;
    return STATUS_OK;
}

/* Many probes cost the database no more than one: the answer holds for a moment. */
static enum status ready_status(struct api *api, const struct request *request)
{
    enum { READY_HOLDS_MS = 250 };
    if (store_is_away(api->store))
        return api->ready_status = STATUS_UNREACHABLE;
    if (api->ready_checked_ms == 0 || clock_monotonic_ms() - api->ready_checked_ms > READY_HOLDS_MS) {
        api->ready_status = store_ready(api->store, request->deadline);
        api->ready_checked_ms = clock_monotonic_ms();
    }
    return api->ready_status;
}

static void answer_ready(struct request *request, struct api *api)
{
    struct problem problem = {.status = 503, .retry_after_s = 1};
    if (ready_status(api, request) == STATUS_INVALID)
        problem.detail = "The database is not migrated: run sql/migrate.";
    else if (api->ready_status != STATUS_OK)
        problem.detail = "The database can't be reached.";
    else if (api_fetcher_fd(api) < 0)
        problem.detail = "The fetcher, which asks Chartbeat, can't be reached.";
    if (problem.detail)
        request_finish_problem(request, &problem);
    else
        request_finish_text(request, "text/plain; charset=utf-8", "ready\n");
}

static void answer_metrics(struct request *request, struct api *api)
{
    response_begin(&request->response, 200, request->head.id);
    response_header(&request->response, "Content-Type", METRICS_TEXT_TYPE);
    response_header(&request->response, "Cache-Control", "no-store");
    metrics_endpoint_write(api->metrics, api->store, &request->arena, request->deadline,
                           &request->response.body);
    request_finish(request);
}

/* --- The query of a report ---------------------------------------------------------------------------------
 */

/* Makes it in this database. As route_write; *context is the caller's. */
typedef enum status route_query(struct request *request, struct api *api, struct database *database,
                                struct deadline deadline, void *context);

/* In a standby that has the row that was looked up, and otherwise, or where that fails, in the primary. */
static enum status make_query(struct request *request, struct api *api, route_query *query, void *context)
{
    bool has_row = request->route->kind == ROUTE_ROW;
    struct database *standby =
        has_row ? standby_begin(api->standby, &request->lookup, request->deadline) : NULL;
    if (standby) {
        int share_ms = deadline_left_ms(request->deadline) / STANDBY_REPORT_SHARE;
        enum status status = query(request, api, standby, deadline_in(share_ms), context);
        standby_end(api->standby, status);
        if (standby_has_answered(status))
            return status;
    }
    if (api->standby && store_is_away(api->store))
        return STATUS_UNREACHABLE;
    return query(request, api, store_database(api->store), request->deadline, context);
}

/* --- What is remembered ------------------------------------------------------------------------------------
 */

struct report_context {
    struct buffer text;
    struct problem problem;
};

static enum status query_report(struct request *request, struct api *api, struct database *database,
                                struct deadline deadline, void *context)
{
    struct report_context *report = context;
    (void)api;
    return report_write(&report->text, database, &request->params, &request->report, &request->arena,
                        deadline, &report->problem);
}

/* The body first: its ETag is made of what it says, since what is remembered grows between two snapshots too.
 */
static enum status write_report(struct request *request, struct api *api, enum answer_freshness freshness,
                                const struct buffer *body)
{
    char cache_key_suffix[REPEAT_SUFFIX_BYTES];
    struct report_context report = {.problem = {0}};
    struct buffer *text = &report.text;
    (void)body;
    buffer_init(text, request->response.body.max_bytes);
    enum status result = make_query(request, api, query_report, &report);
    if (result == STATUS_OK && text->status != STATUS_OK)
        result = text->status;
    if (result == STATUS_OK) {
        repeat_name_body(text, cache_key_suffix);
        request->params.cache_key_suffix = cache_key_suffix;
        if (!answer_begin(&request->response, &request->head, &request->params, &request->lookup,
                          &api->bounds, freshness))
            buffer_append(&request->response.body, text->data, text->len_bytes);
        request->params.cache_key_suffix = "";
    } else if (result == STATUS_INVALID) {
        report.problem.callback = request->params.callback;
        response_problem(&request->response, request->head.id, &report.problem);
        result = STATUS_OK;
    }
    buffer_release(text);
    return result;
}

static enum status read_report(struct request *request, enum report_kind kind, int host_status,
                               struct problem *problem_r)
{
    enum status result =
        params_read(&request->head, host_status, &request->arena, &request->params, problem_r);
    if (result != STATUS_OK)
        return result;
    return report_read(kind, &request->params, clock_wall_ms(), &request->arena, &request->report, problem_r);
}

static enum status read_history(struct request *request, struct problem *problem_r)
{
    return read_report(request, REPORT_HISTORY, 400, problem_r);
}

static enum status read_hours(struct request *request, struct problem *problem_r)
{
    return read_report(request, REPORT_HOURS, 400, problem_r);
}

static enum status read_profile(struct request *request, struct problem *problem_r)
{
    return read_report(request, REPORT_PROFILE, 400, problem_r);
}

static enum status read_usual(struct request *request, struct problem *problem_r)
{
    return read_report(request, REPORT_USUAL, 400, problem_r);
}

static enum status read_pages(struct request *request, struct problem *problem_r)
{
    return read_report(request, REPORT_PAGES, 400, problem_r);
}

static enum status read_events(struct request *request, struct problem *problem_r)
{
    return read_report(request, REPORT_EVENTS, 400, problem_r);
}

static enum status read_hosts(struct request *request, struct problem *problem_r)
{
    return read_report(request, REPORT_HOSTS, REQUEST_NO_HOST, problem_r);
}

static void answer_hosts(struct request *request, struct api *api)
{
    struct problem problem = {.status = 503, .retry_after_s = 1, .detail = "The database can't be reached."};
    request->head.now_ms = clock_wall_ms();
    /* The answer is made of many snapshots, so its date is that of the clock. */
    request->lookup = (struct store_lookup){.taken_at = request->head.now_ms / 1000 * 1000000,
                                            .rate_limit = -1,
                                            .rate_remaining = -1,
                                            .token = request->lookup.token,
                                            .view = {.has_snapshot = true, .key_status = KEY_ACCEPTED}};
    enum status result =
        store_is_away(api->store) ? STATUS_UNREACHABLE : write_report(request, api, ANSWER_FRESH, NULL);
    if (result == STATUS_OK) {
        repeat_keep(request, api);
        request_finish(request);
    } else if (!repeat_answer(request, api, 0)) {
        request_finish_problem(request, &problem);
    }
}

/* --- What is now -------------------------------------------------------------------------------------------
 */

static enum status read_increase(struct request *request, struct problem *problem_r)
{
    return params_read(&request->head, 401, &request->arena, &request->params, problem_r);
}

static enum status write_increase(struct request *request, struct api *api, enum answer_freshness freshness,
                                  const struct buffer *body)
{
    return answer_increase(&request->response, &request->head, &request->params, &request->lookup,
                           &api->bounds, freshness, body, &request->arena);
}

static enum status read_trends(struct request *request, struct problem *problem_r)
{
    enum status result = params_read(&request->head, 400, &request->arena, &request->params, problem_r);
    if (result != STATUS_OK)
        return result;
    return trends_read(&request->params, &request->arena, &request->trends, problem_r);
}

static enum status query_window(struct request *request, struct api *api, struct database *database,
                                struct deadline deadline, void *context)
{
    (void)api;
    return trend_input_read(database, request->params.host, request->lookup.taken_at,
                            request->trends.window_ms, &request->arena, deadline, context);
}

/* The window that ends at the newest snapshot, trend_result: kept, or read in one round trip, into *room.
 */
static enum status compute_trend(struct request *request, struct api *api, struct trend_result *room,
                                 const struct trend_result **trend_r)
{
    struct trend_window window;
    const char *host = request->params.host;
    time_us as_of = request->lookup.taken_at;
    *trend_r = trend_cache_find(api->trends, host, request->trends.window_ms, as_of);
    if (*trend_r)
        return STATUS_OK;
    enum status result = make_query(request, api, query_window, &window);
    if (result == STATUS_OK)
        result = trend_result_from(&window, &request->arena, room);
    if (result != STATUS_OK)
        return result;
    trend_cache_put(api->trends, host, as_of, room);
    *trend_r = room;
    return STATUS_OK;
}

static enum status query_usual(struct request *request, struct api *api, struct database *database,
                               struct deadline deadline, void *context)
{
    (void)api;
    return site_usual_read(database, request->params.host, deadline, context);
}

/* Finds the usual values of the site at the quarter of an hour of the newest snapshot, in the cache or in the
 * database. */
static enum status find_usual(struct request *request, struct api *api, int64_t as_of_ms,
                              struct site_usual *usual_r)
{
    const char *host = request->params.host;
    const struct site_usual *kept = trend_cache_find_usual(api->trends, host, as_of_ms);
    if (kept) {
        *usual_r = *kept;
        return STATUS_OK;
    }
    enum status result = make_query(request, api, query_usual, usual_r);
    if (result == STATUS_OK)
        trend_cache_put_usual(api->trends, host, as_of_ms, usual_r);
    return result;
}

static enum status write_trends(struct request *request, struct api *api, enum answer_freshness freshness,
                                const struct buffer *body)
{
    struct trend_result room;
    struct site_usual usual = {0};
    const struct trend_result *trend_result = NULL;
    bool is_stale = freshness != ANSWER_FRESH;
    if (answer_begin(&request->response, &request->head, &request->params, &request->lookup, &api->bounds,
                     freshness))
        return STATUS_OK;
    if (body && !is_stale) {
        buffer_append(&request->response.body, body->data, body->len_bytes);
        return STATUS_OK;
    }
    enum status result = compute_trend(request, api, &room, &trend_result);
    if (result == STATUS_OK)
        result = find_usual(request, api, trend_result->as_of_ms, &usual);
    if (result != STATUS_OK)
        return result;
    bool is_late = request->lookup.view.age_ms > trend_recent_ms(request->trends.window_ms);
    return trends_write(&request->response.body, &request->params, &request->trends, trend_result, &usual,
                        is_stale, is_late, &request->arena);
}

void routes_mark_stale(const struct route *route, struct buffer *body)
{
    if (route->write == write_trends)
        trends_mark_stale(body);
}
