#include "api/request.h"

#include "api/access.h"
#include "api/api.h"
#include "api/repeat.h"
#include "api/routes.h"
#include "base/log.h"
#include "base/metrics.h"

#include <assert.h>
#include <string.h>

enum {
    ARENA_MAX_BYTES = 48 * 1024 * 1024, /* a window of a day of many pages */
    LOOKUP_MS = 200,                    /* of the deadline, kept back for the look-up after a wait */
    ROUNDS_MAX = 4, /* how often one request waits: a key that was refused gives way to the next one */
};

void request_init(struct request *request)
{
    *request = (struct request){0};
    response_init(&request->response);
    arena_init(&request->arena, ARENA_MAX_BYTES);
}

void request_clear(struct request *request)
{
    response_clear(&request->response);
    request->waiter = (struct waiter){0};
    request->rounds = 0;
    request->needs_lists = false;
    request->is_counted = false;
    request->is_kept = false;
    request->freshness = ANSWER_FRESH;
    request->copy_may_stand_in = false;
    request->response.origin = NULL;
}

void request_release(struct request *request)
{
    response_release(&request->response);
    arena_release(&request->arena);
}

/* The one place where a request changes its state. */
static void request_go(struct request *request, enum request_state to)
{
    assert(request->state != REQUEST_WAITING || to == REQUEST_LOOKUP);
    assert(request->state != REQUEST_QUERY || to == REQUEST_DONE);
    assert(to == REQUEST_WAITING || request->waiter.awaited == NULL);
    request->state = to;
}

static enum metric_freshness freshness_of(const struct request *request)
{
    if (request->response.told_status >= 400 || !request->route || request->route->kind != ROUTE_ROW ||
        (request->head.method && strcmp(request->head.method, "OPTIONS") == 0))
        return FRESHNESS_NONE;
    if (request->freshness != ANSWER_FRESH)
        return FRESHNESS_STALE;
    if (request->rounds > 0)
        return FRESHNESS_WAITED;
    return request->is_kept ? FRESHNESS_KEPT : FRESHNESS_FRESH;
}

static void count_answer(const struct request *request)
{
    enum metric_endpoint endpoint = request->route ? request->route->endpoint : ENDPOINT_OTHER;
    metrics_count(METRIC_REQUESTS,
                  metric_request_series(endpoint, request->response.told_status, freshness_of(request)), 1);
    metrics_observe(METRIC_REQUEST_DURATION, endpoint, clock_monotonic_us() - request->started_us);
}

static void complete(struct request *request)
{
    const char *method = request->head.method;
    response_end(&request->response, method && strcmp(method, "HEAD") == 0);
    arena_clear(&request->arena);
    request_go(request, REQUEST_DONE);
}

void request_finish(struct request *request)
{
    complete(request);
    count_answer(request);
}

/* nginx serves the copy that it has in place of a 503, however old the copy is. Where that must not be, nginx
 * is told to ask once more, in a location that keeps no copies. */
static bool redirects_to_uncached(const struct request *request, const struct problem *problem)
{
    return problem->status == 503 && request->head.is_behind_cache && !request->copy_may_stand_in;
}

void request_finish_problem(struct request *request, const struct problem *problem)
{
    struct problem told = *problem;
    if (redirects_to_uncached(request, problem)) {
        response_begin(&request->response, 200, request->head.id);
        response_header(&request->response, "X-Accel-Redirect", "@upbeat_uncached");
        complete(request); /* the request that nginx makes of it is counted */
        return;
    }
    told.callback = params_callback(&request->head, &request->arena);
    response_problem(&request->response, request->head.id, &told);
    request_finish(request);
}

void request_finish_text(struct request *request, const char *type, const char *text)
{
    response_begin(&request->response, 200, request->head.id);
    response_header(&request->response, "Content-Type", "%s", type);
    response_header(&request->response, "Cache-Control", "no-store");
    buffer_append_text(&request->response.body, text);
    request_finish(request);
}

/* --- Its begin --------------------------------------------------------------------------------------------
 */

/* The page lists are fetched only of a snapshot of which there is neither a body nor the lists in the caches.
 */
static void prepare_lookup(struct request *request, const struct api *api)
{
    struct list_cache_lists lists;
    time_us lists_at = 0;
    struct store_lookup *lookup = &request->lookup;
    bool needs_page_lists = request->route->needs_page_lists;
    *lookup = (struct store_lookup){.host = request->params.host,
                                    .digest = &request->params.digest,
                                    .is_token = request->params.is_token,
                                    .needs_lists = needs_page_lists,
                                    .needs_primary = request->params.is_token || request->rounds > 0,
                                    .seen_at = api->standby ? answer_seen_at(&request->head) : 0};
    request_go(request, REQUEST_LOOKUP);
    if (request->needs_lists)
        return;
    /* What a token makes of the answer is not known before it was looked up, so no body is looked for. */
    if (request->route->is_cacheable && !request->params.is_token)
        (void)body_cache_find(api->bodies, &request->params, &lookup->if_changed_since);
    if (needs_page_lists && list_cache_find(api->lists, request->params.host, &lists, &lists_at) &&
        lists_at > lookup->if_changed_since)
        lookup->if_changed_since = lists_at;
}

static void begin_read(struct request *request, struct api *api)
{
    struct problem problem = {.status = 500, .detail = "The request could not be read."};
    struct problem refusal = {0};
    enum status status = request->route->read(request, &refusal);
    if (status != STATUS_OK)
        request_finish_problem(request, status == STATUS_INVALID ? &refusal : &problem);
    else if (request->route->kind == ROUTE_QUERY && !request->params.is_token)
        request_go(request, REQUEST_QUERY);
    else
        prepare_lookup(request, api);
}

/* A browser asks this before it lets a page of another site send the header, and would hide a 404 from it:
 * every path answers. It sends no key with that, but one in the address is there: where it is a token that is
 * bound to origins, these alone are let in. */
static void finish_options(struct request *request)
{
    response_preflight(&request->response, request->head.id, request->head.asked_headers);
    request_finish(request);
}

static bool has_token_in_query(const struct request *request)
{
    bool has_query = request->route && request->route->kind != ROUTE_PLAIN && request->head.query;
    return has_query && strstr(request->head.query, "apikey=ubt_") != NULL;
}

void request_begin(struct request *request, struct api *api)
{
    const char *method = request->head.method ? request->head.method : "";
    if (!request->head.id)
        request->head.id = "-";
    request->state = REQUEST_LOOKUP;
    request->head.drop_parameters = api->settings->drop_parameters;
    /* A route that reads none must not have those of the request before, and its token. */
    request->params = (struct request_params){.cache_key_suffix = "", .drop_parameters = ""};
    request->started_us = clock_monotonic_us();
    request->started_ms = request->started_us / 1000;
    request->deadline = deadline_in(api->settings->deadline_ms);
    request->route = routes_find(request->head.path);
    if (strcmp(method, "OPTIONS") == 0 && !has_token_in_query(request))
        finish_options(request);
    else if (!request->route)
        request_finish_problem(
            request,
            &(struct problem){.status = 404, .detail = "There is nothing here; / lists what there is."});
    else if (strcmp(method, "GET") != 0 && strcmp(method, "HEAD") != 0 && strcmp(method, "OPTIONS") != 0)
        request_finish_problem(request,
                               &(struct problem){.status = 405,
                                                 .allow = "GET, HEAD, OPTIONS",
                                                 .detail = "This can be read only: GET, HEAD or OPTIONS."});
    else if (request->route->kind == ROUTE_PLAIN)
        request->route->answer(request, api);
    else
        begin_read(request, api);
}

/* --- Its answers ------------------------------------------------------------------------------------------
 */

/* The cached body of the row that was looked up, or NULL. */
static const struct buffer *cached_body(const struct request *request, const struct api *api)
{
    time_us taken_at = 0;
    const struct buffer *body = request->lookup.pages || !request->route->is_cacheable
                                    ? NULL
                                    : body_cache_find(api->bodies, &request->params, &taken_at);
    return body && taken_at == request->lookup.taken_at ? body : NULL;
}

/* Finds the page lists that the answer is made of: in the row, which puts them into the cache, or in the
 * cache. False: they were in the cache when the look-up was prepared, and another answer has displaced them
 * since. */
static bool find_lists(struct request *request, struct api *api)
{
    struct store_lookup *lookup = &request->lookup;
    struct list_cache_lists lists = {lookup->pages, lookup->pages_bytes, lookup->previous_pages,
                                     lookup->previous_pages_bytes};
    time_us taken_at = 0;
    if (!request->route->needs_page_lists || !lookup->view.has_snapshot || cached_body(request, api))
        return true;
    if (lookup->pages) {
        list_cache_put(api->lists, lookup->host, &lists, lookup->taken_at);
        return true;
    }
    if (!list_cache_find(api->lists, lookup->host, &lists, &taken_at) || taken_at != lookup->taken_at)
        return false;
    lookup->pages = lists.pages;
    lookup->pages_bytes = lists.pages_bytes;
    lookup->previous_pages = lists.previous_pages;
    lookup->previous_pages_bytes = lists.previous_bytes;
    return true;
}

static void finish_without_database(struct request *request, struct api *api)
{
    const struct problem problem = {
        .status = 503, .retry_after_s = 1, .detail = "The database can't be reached."};
    bool is_kept = answer_cache_has(api->answers, &request->head, &request->params);
    if (repeat_answer(request, api, 0))
        return;
    request->copy_may_stand_in = !is_kept && api_copies_may_stand_in(api, clock_monotonic_ms());
    log_line(LEVEL_INFO, request->head.id, "%d for %s: %s", problem.status, request->params.host,
             problem.detail);
    request_finish_problem(request, &problem);
}

static void write_answer(struct request *request, struct api *api)
{
    request->head.now_ms = clock_wall_ms();
    bool is_fresh = request->freshness == ANSWER_FRESH;
    const struct buffer *body = cached_body(request, api);
    request->is_kept = body != NULL;
    enum status status = request->route->write(request, api, request->freshness, body);
    if (status == STATUS_OK) {
        repeat_keep(request, api);
        if (!body && request->route->is_cacheable && request->response.told_status == 200 && is_fresh)
            body_cache_put(api->bodies, &request->params, request->lookup.taken_at, &request->response.body);
        request_finish(request);
        return;
    }
    if (status == STATUS_UNREACHABLE || status == STATUS_TIMEOUT) {
        finish_without_database(request, api);
        return;
    }
    log_line(LEVEL_ERROR, request->head.id, "the rows of %s can't be answered: %s", request->params.host,
             status_text(status));
    request_finish_problem(request,
                           &(struct problem){.status = 500, .detail = "The stored snapshot can't be read."});
}

/* Answers with the row that was looked up; in a moment where that takes a query, or another look-up. */
static void answer(struct request *request, struct api *api, enum answer_freshness freshness)
{
    request->freshness = freshness;
    if (!request->route->needs_page_lists && !cached_body(request, api)) {
        request_go(request, REQUEST_QUERY);
        return;
    }
    if (find_lists(request, api)) {
        write_answer(request, api);
        return;
    }
    request->needs_lists = true;
    prepare_lookup(request, api);
}

static void finish_refused(struct request *request, struct api *api)
{
    answer_cache_refuse(api->answers, &request->params);
    request_finish_problem(request, &(struct problem){.status = request->route->refused_status,
                                                      .parameter = "apikey",
                                                      .detail = "is refused by Chartbeat for this host",
                                                      .bound = "a key that Chartbeat accepts for the host",
                                                      .sent = request->params.host});
}

static void finish_without_row(struct request *request, const struct problem *problem)
{
    log_line(LEVEL_INFO, request->head.id, "%d for %s: %s", problem->status, request->params.host,
             problem->detail);
    request_finish_problem(request, problem);
}

/* --- Its decisions ----------------------------------------------------------------------------------------
 */

/* No refresh is to be had, or none in time: the row as it is, where that may be served, else the reason. */
static void answer_anyway(struct request *request, struct api *api, const struct cache_row_state *row)
{
    bool has_failed = request->waiter.reason != WAKE_EXPIRED;
    if (policy_may_serve_stale(row, &api->bounds)) {
        answer(request, api, has_failed ? ANSWER_STALE_ERROR : ANSWER_STALE);
        return;
    }
    struct problem problem = waiting_problem(&request->waiter);
    finish_without_row(request, &problem);
}

/* Chartbeat has answered: the row is new, or another key may be tried. */
static bool was_refreshed(const struct waiter *waiter)
{
    return waiter->reason == WAKE_ENDED &&
           (waiter->outcome == REFRESH_STORED || waiter->outcome == REFRESH_KEY_REFUSED);
}

/* Is it of use to ask for a refresh, and to wait for it? Not where the last one has just ended badly, or the
 * time that this request may wait is up. */
static bool may_wait(const struct request *request, int64_t until_ms, int64_t now_ms)
{
    const struct waiter *waiter = &request->waiter;
    return request->rounds < ROUNDS_MAX && now_ms < until_ms &&
           (waiter->reason == WAKE_NOT_ASKED || was_refreshed(waiter));
}

static void wait_for_refresh(struct request *request, struct api *api, const struct cache_row_state *row,
                             bool check, int wait_ms, int64_t now_ms)
{
    int64_t until_ms = request->started_ms + wait_ms;
    if (until_ms > request->deadline.at_ms - LOOKUP_MS)
        until_ms = request->deadline.at_ms - LOOKUP_MS;
    if (request->waiter.reason == WAKE_NOT_ASKED && now_ms >= until_ms)
        request->waiter.reason = WAKE_EXPIRED; /* the look-up took all of it */
    if (!may_wait(request, until_ms, now_ms) || !api_park(api, request, check, until_ms, now_ms)) {
        answer_anyway(request, api, row);
        return;
    }
    request->rounds++;
    request->parked_us = clock_monotonic_us();
    request_go(request, REQUEST_WAITING);
}

/* Of a token that was revoked or has expired the refusal takes the place of the copy that nginx has, so that
 * the copy is not served if the database is lost later. */
static void finish_bad_token(struct request *request, struct api *api, const struct problem *problem)
{
    enum token_state state = request->lookup.token.state;
    if (state == TOKEN_REVOKED || state == TOKEN_EXPIRED) {
        answer_cache_refuse(api->answers, &request->params);
        struct problem told = *problem;
        told.callback = params_callback(&request->head, &request->arena);
        told.replaces_copy = request->head.is_behind_cache && !told.callback;
        response_problem(&request->response, request->head.id, &told);
        request_finish(request);
        return;
    }
    request_finish_problem(request, problem);
}

/* False: the request is answered, or needs a query of its own and no row. */
static bool take_token(struct request *request, struct api *api, int64_t now_ms)
{
    struct store_token *token = &request->lookup.token;
    struct problem problem = {0};
    /* The query of a report may come after the next look-up, with which its rows go. */
    token->origins = arena_copy(&request->arena, token->origins, strlen(token->origins));
    if (!token->origins) {
        request_finish_problem(
            request,
            &(struct problem){.status = 503, .retry_after_s = 1, .detail = "There is no memory left."});
        return false;
    }
    bool is_options = request->head.method && strcmp(request->head.method, "OPTIONS") == 0;
    bool is_allowed =
        access_check(token, request->route, &request->params, &request->arena, &problem) == STATUS_OK;
    if (token->state == TOKEN_VALID) {
        request->response.origin = access_origin(token, request->head.origin);
        if (!request->is_counted)
            api_count_token(api, token->id, now_ms);
        request->is_counted = true;
    }
    if (is_options)
        finish_options(request);
    else if (!is_allowed)
        finish_bad_token(request, api, &problem);
    else if (request->route->kind == ROUTE_QUERY)
        request_go(request, REQUEST_QUERY);
    else
        return true;
    return false;
}

void request_take_row(struct request *request, struct api *api, enum status status, int64_t now_ms)
{
    bool is_unknown = request->params.is_token && request->lookup.token.state == TOKEN_UNKNOWN;
    if (status != STATUS_OK || (is_unknown && request->lookup.is_second_best)) { /* which may be behind */
        finish_without_database(request, api);
        return;
    }
    if (request->params.is_token && !take_token(request, api, now_ms))
        return;
    const struct cache_row_state row = request->lookup.view;
    struct policy_decision decision = policy_decide(&row, &api->bounds);
    /* A report of the past is as good with an old newest snapshot: only the key has to be good. */
    if (decision.action == POLICY_WAIT && request->route->allows_any_age && row.has_snapshot)
        decision.action = POLICY_ANSWER_AND_ASK;
    bool is_second_best = request->lookup.is_second_best && decision.action != POLICY_REFUSE;
    if (is_second_best && repeat_answer(request, api, request->lookup.taken_at))
        return;
    if (is_second_best && decision.action != POLICY_ANSWER_AND_ASK) {
        finish_without_database(request, api);
        return;
    }
    switch (decision.action) {
    case POLICY_ANSWER:
        api_say_asked(api, request, now_ms);
        answer(request, api, ANSWER_FRESH);
        break;
    case POLICY_ANSWER_AND_ASK:
        api_want_refresh(api, request, now_ms);
        answer(request, api, row.failures > 0 ? ANSWER_STALE_ERROR : ANSWER_STALE);
        break;
    case POLICY_WAIT:
        wait_for_refresh(request, api, &row, false, decision.wait_ms, now_ms);
        break;
    case POLICY_CHECK_KEY:
        wait_for_refresh(request, api, &row, true, decision.wait_ms, now_ms);
        break;
    case POLICY_REFUSE:
        finish_refused(request, api);
        break;
    }
}

/* The board and the box ask for these every few seconds: if the database freezes in between, the last answer
 * must not wait for the deadline of all. Other reports may take long. */
static bool is_asked_often(const struct request *request)
{
    return request->head.is_behind_cache || !request->route->allows_any_age;
}

void request_query(struct request *request, struct api *api)
{
    enum { WITH_ANSWER_MS = 800 };
    if (is_asked_often(request) && answer_cache_has(api->answers, &request->head, &request->params))
        request->deadline = deadline_within(request->deadline, WITH_ANSWER_MS);
    bool is_away = store_is_away(api->store) && !standby_is_ready(api->standby, clock_monotonic_ms());
    if (request->route->kind != ROUTE_QUERY && is_away)
        finish_without_database(request, api);
    else if (request->route->kind == ROUTE_QUERY)
        request->route->answer(request, api);
    else
        write_answer(request, api);
}

static enum metric_wait how_it_ended(const struct waiter *waiter)
{
    if (waiter->reason != WAKE_ENDED)
        return waiter->reason == WAKE_EXPIRED ? WAIT_TIMED_OUT : WAIT_LOST;
    return was_refreshed(waiter) ? WAIT_REFRESHED : WAIT_FAILED;
}

void request_wake(struct request *request, struct api *api)
{
    enum metric_wait outcome = how_it_ended(&request->waiter);
    metrics_observe(METRIC_WAIT_DURATION, outcome, clock_monotonic_us() - request->parked_us);
    prepare_lookup(request, api);
}
