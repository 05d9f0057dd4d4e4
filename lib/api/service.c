#include "api/service_parts.h"

#include "api/routes.h"
#include "base/log.h"

#include <errno.h>

static enum status init_parts(struct service *service, const struct settings *settings,
                              const struct secret_box *secret_box)
{
    const struct store_config store = {settings->database, settings->ttl_ms, settings->prepare};
    const struct chartbeat_config chartbeat = {settings->chartbeat_url, settings->chartbeat_limit,
                                               settings->upstream_timeout_ms};
    service->bounds = (struct policy_bounds){settings->ttl_ms, settings->stale_ms, settings->stale_error_ms};
    int workers = settings->workers;
    enum status result =
        lockfile_init(&service->blocked, settings->run_dir, "blocked", workers > 1 ? workers / 2 : 1);
    if (result == STATUS_OK)
        result =
            lockfile_init(&service->waiting, settings->run_dir, "waiting", workers > 4 ? workers / 4 : 1);
    if (result == STATUS_OK)
        result = store_new(&service->store, &store);
    if (result == STATUS_OK) {
        service->kept = body_cache_new();
        service->trend_result = trend_cache_new();
        result = service->kept && service->trend_result ? STATUS_OK : STATUS_NO_MEMORY;
    }
    if (result == STATUS_OK)
        result = chartbeat_new(&service->chartbeat, &chartbeat, SERVICE_FETCHES_MAX);
    service->refresh = (struct refresh_parts){
        .store = service->store,
        .secret_box = secret_box,
        .bounds = {settings->ttl_ms, settings->upstream_timeout_ms + LEASE_MARGIN_MS,
                   settings->rate_per_minute},
        .row_limit = settings->chartbeat_limit,
        .drop_parameters = settings->drop_parameters,
    };
    return result;
}

enum status service_new(struct service **service_r, const struct settings *settings,
                        const struct secret_box *secret_box, const struct service_calls *calls)
{
    struct service *service = calloc(1, sizeof *service);
    if (!service)
        return STATUS_NO_MEMORY;
    service->settings = settings;
    service->calls = *calls;
    enum status result = init_parts(service, settings, secret_box);
    if (result == STATUS_OK) {
        *service_r = service;
        return STATUS_OK;
    }
    int why = errno;
    service_free(service);
    errno = why;
    return result;
}

void service_free(struct service *service)
{
    if (!service)
        return;
    chartbeat_free(service->chartbeat);
    body_cache_free(service->kept);
    trend_cache_free(service->trend_result);
    store_free(service->store);
    free(service);
}

/* What is to be read: with may_be_kept, lists only of a snapshot of which we have neither body nor lists. */
static void ask_for_row(struct service *service, struct request *request, bool may_be_kept)
{
    struct list_cache_lists lists;
    time_us lists_at = 0;
    struct store_lookup *lookup = &request->lookup;
    bool needs_page_lists = request->route->needs_page_lists;
    *lookup = (struct store_lookup){.host = request->params.host, .digest = &request->params.digest};
    if (needs_page_lists && !may_be_kept)
        return;
    if (request->route->is_cacheable)
        (void)body_cache_find(service->kept, &request->params, &lookup->if_changed_since);
    if (needs_page_lists && list_cache_find(service->kept, request->params.host, &lists, &lists_at) &&
        lists_at > lookup->if_changed_since)
        lookup->if_changed_since = lists_at;
}

/* The body that was kept of the row that was read, or NULL. */
static const struct buffer *kept_body(const struct service *service, const struct request *request)
{
    time_us taken_at = 0;
    const struct buffer *body = request->lookup.pages || !request->route->is_cacheable
                                    ? NULL
                                    : body_cache_find(service->kept, &request->params, &taken_at);
    return body && taken_at == request->lookup.taken_at ? body : NULL;
}

/* Is there what the answer is made of? Not where another answer of this round has displaced it: it is then to
 * be read again. */
static bool has_lists(struct service *service, struct request *request)
{
    struct store_lookup *lookup = &request->lookup;
    struct list_cache_lists lists = {lookup->pages, lookup->pages_bytes, lookup->previous_pages,
                                     lookup->previous_pages_bytes};
    time_us taken_at = 0;
    if (!request->route->needs_page_lists || !lookup->view.has_snapshot || kept_body(service, request))
        return true;
    if (lookup->pages) {
        list_cache_put(service->kept, lookup->host, &lists, lookup->taken_at);
        return true;
    }
    if (!list_cache_find(service->kept, lookup->host, &lists, &taken_at) || taken_at != lookup->taken_at)
        return false;
    lookup->pages = lists.pages;
    lookup->pages_bytes = lists.pages_bytes;
    lookup->previous_pages = lists.previous_pages;
    lookup->previous_pages_bytes = lists.previous_bytes;
    return true;
}

/* Reads the request, or answers why it can't be. */
static void begin_read(struct service *service, struct request *request)
{
    struct problem problem = {.status = 500, .detail = "The request could not be read."};
    struct problem refusal = {0};
    enum status result = request->route->read(request, &refusal);
    if (result == STATUS_OK) {
        ask_for_row(service, request, true);
        request->state = REQUEST_LOOKUP;
        return;
    }
    request_finish_problem(request, result == STATUS_INVALID ? &refusal : &problem);
}

/* A browser asks this before it lets a page of another site send the header. */
static void finish_options(struct request *request)
{
    response_begin(&request->response, 204, request->head.id);
    response_header(&request->response, "Allow", "GET, HEAD, OPTIONS");
    response_header(&request->response, "Access-Control-Allow-Methods", "GET, HEAD, OPTIONS");
    response_header(&request->response, "Access-Control-Allow-Headers", "X-CB-AK, If-None-Match, Accept");
    response_header(&request->response, "Access-Control-Max-Age", "86400");
    request_finish(request);
}

void service_begin(struct service *service, struct request *request, int late_ms)
{
    const char *method = request->head.method ? request->head.method : "";
    if (!request->head.id)
        request->head.id = "-";
    request->deadline = deadline_in(service->settings->deadline_ms - late_ms);
    request->refresh_in_ms = -1;
    request->trend_result = service->trend_result;
    request->head.drop_parameters = service->settings->drop_parameters;
    request->route = routes_find(request->head.path);
    if (!request->route)
        request_finish_problem(
            request,
            &(struct problem){.status = 404, .detail = "There is nothing here; / lists what there is."});
    else if (strcmp(method, "OPTIONS") == 0)
        finish_options(request);
    else if (strcmp(method, "GET") != 0 && strcmp(method, "HEAD") != 0)
        request_finish_problem(request,
                               &(struct problem){.status = 405,
                                                 .allow = "GET, HEAD, OPTIONS",
                                                 .detail = "This can be read only: GET, HEAD or OPTIONS."});
    else if (request->route->finish)
        request->route->finish(request, service->store, &service->bounds);
    else
        begin_read(service, request);
}

static struct problem problem_of(const struct obstacle *obstacle)
{
    int retry_after_s = obstacle->wait_ms > 0 ? (obstacle->wait_ms + 999) / 1000 : 1;
    struct problem problem = {.status = 503, .retry_after_s = retry_after_s};
    switch (obstacle->from) {
    case FROM_DATABASE:
        problem.detail = "The database can't be reached.";
        break;
    case FROM_GUESSES:
        problem.status = 429;
        problem.detail = "Too many keys that Chartbeat does not accept were tried for this host.";
        break;
    case FROM_BACK_OFF:
        problem.detail = "Chartbeat could not be asked a moment ago; it is asked again after a pause.";
        break;
    case FROM_CHARTBEAT:
        problem.detail = "Chartbeat can't be reached.";
        if (obstacle->result == STATUS_TIMEOUT) {
            problem.status = 504;
            problem.detail = "Chartbeat did not answer in time.";
        } else if (obstacle->result == STATUS_RATE_LIMITED) {
            problem.detail = "Chartbeat says: too many requests.";
        } else if (obstacle->result != STATUS_UNREACHABLE) {
            problem.status = 502;
            problem.detail = "Chartbeat's answer was of no use.";
        }
        break;
    default:
        problem.detail = "Chartbeat is being asked, and too many wait for that already.";
        break;
    }
    return problem;
}

/* A copy in front may outlive the row by less than a second, and keeps us from hearing of those who ask. */
static void want_refill_of_copied(const struct service *service, struct request *request)
{
    enum { AFTER_TTL_MS = 5 }; /* so that it has ended by any clock */
    int64_t left_ms = service->bounds.ttl_ms - request->lookup.view.age_ms;
    int64_t rest_of_second_ms = 1000 - request->head.now_ms % 1000;
    if (request->head.is_behind_cache && left_ms < rest_of_second_ms &&
        rest_of_second_ms <= policy_copy_ms(&request->lookup.view, &service->bounds))
        request->refresh_in_ms = (left_ms > 0 ? left_ms : 0) + AFTER_TTL_MS;
}

static void finish_list(struct service *service, struct request *request, enum answer_freshness freshness)
{
    request->head.now_ms = clock_wall_ms();
    const struct buffer *body = kept_body(service, request);
    enum status result = request->route->write(request, service->store, &service->bounds, freshness, body);
    if (result == STATUS_UNREACHABLE || result == STATUS_TIMEOUT) {
        struct problem problem = problem_of(&(struct obstacle){.from = FROM_DATABASE, .result = result});
        request_finish_problem(request, &problem);
        return;
    }
    if (result == STATUS_OK) {
        if (!body && request->route->is_cacheable && request->response.status == 200 &&
            freshness == ANSWER_FRESH)
            body_cache_put(service->kept, &request->params, request->lookup.taken_at,
                           &request->response.body);
        if (freshness == ANSWER_FRESH)
            want_refill_of_copied(service, request);
        request_finish(request);
        return;
    }
    log_line(LEVEL_ERROR, request->head.id, "the rows of %s can't be answered: %s", request->params.host,
             status_text(result));
    request_finish_problem(request,
                           &(struct problem){.status = 500, .detail = "The stored snapshot can't be read."});
}

static void finish_refused(struct request *request)
{
    request_finish_problem(request, &(struct problem){.status = request->route->refused_status,
                                                      .parameter = "apikey",
                                                      .detail = "is refused by Chartbeat for this host",
                                                      .bound = "a key that Chartbeat accepts for the host",
                                                      .sent = request->params.host});
}

/* What the policy is to know: of what is past a snapshot is never too old, if only the key may see it. */
static struct cache_row_state view_of(const struct service *service, const struct request *request)
{
    struct cache_row_state view = request->lookup.view;
    if (request->route->allows_any_age && view.age_ms > service->bounds.stale_ms)
        view.age_ms = service->bounds.stale_ms;
    return view;
}

/* Answers from the row that was read, if the policy says so. */
static bool answer_from_row(struct service *service, struct request *request, enum policy_action *action_r)
{
    struct cache_row_state view = view_of(service, request);
    *action_r = policy_decide(&view, &service->bounds);
    bool is_answer = *action_r == POLICY_ANSWER || *action_r == POLICY_ANSWER_AND_REFRESH;
    if (is_answer && !has_lists(service, request))
        return false;
    switch (*action_r) {
    case POLICY_ANSWER:
        finish_list(service, request, ANSWER_FRESH);
        return true;
    case POLICY_ANSWER_AND_REFRESH:
        finish_list(service, request, request->lookup.view.failures > 0 ? ANSWER_STALE_ERROR : ANSWER_STALE);
        request->refresh_in_ms = 0;
        return true;
    case POLICY_REFUSE:
        finish_refused(request);
        return true;
    default:
        return false;
    }
}

void service_finish_obstacle(struct service *service, struct request *request,
                             const struct obstacle *obstacle)
{
    struct cache_row_state view = view_of(service, request);
    if (policy_may_serve_stale(&view, &service->bounds) && has_lists(service, request)) {
        finish_list(service, request, ANSWER_STALE_ERROR);
        return;
    }
    struct problem problem = problem_of(obstacle);
    log_line(LEVEL_INFO, request->head.id, "%d for %s: %s", problem.status, request->params.host,
             problem.detail);
    request_finish_problem(request, &problem);
}

bool service_is_slow(const struct service *service, const struct request *request)
{
    return !request->route->needs_page_lists && !kept_body(service, request);
}

static bool asks_the_same(const struct store_lookup *a, const struct store_lookup *b)
{
    return a->if_changed_since == b->if_changed_since &&
           memcmp(a->digest, b->digest, sizeof *a->digest) == 0 && strcmp(a->host, b->host) == 0;
}

/* What is to be read for all of them; places[i] is where the row of the i-th will be. One read answers all
 * who ask for the same host with the same key at the same time. */
static size_t gather_lookups(struct request **requests, size_t count, struct store_lookup *lookups,
                             size_t *places)
{
    size_t different = 0;
    for (size_t i = 0; i < count; i++) {
        size_t at = 0;
        while (at < different && !asks_the_same(&lookups[at], &requests[i]->lookup))
            at++;
        if (at == different)
            lookups[different++] = requests[i]->lookup;
        places[i] = at;
    }
    return different;
}

static void take_row(struct request *request, const struct store_lookup *row)
{
    const struct store_lookup asked = request->lookup;
    request->lookup = *row;
    request->lookup.host = asked.host;
    request->lookup.digest = asked.digest;
}

void service_read(struct service *service, struct request **requests, size_t count)
{
    struct store_lookup lookups[STORE_BATCH];
    size_t places[STORE_BATCH];
    if (count == 0)
        return;
    size_t different = gather_lookups(requests, count, lookups, places);
    arena_clear(&requests[0]->rows); /* for all of them: who is not answered here reads again for itself */
    enum status result =
        store_read(service->store, lookups, different, &requests[0]->rows, requests[0]->deadline);
    bool is_too_much = result == STATUS_NO_MEMORY && count > 1; /* together; each alone may fit */
    for (size_t i = 0; i < count; i++) {
        enum policy_action action = POLICY_ANSWER;
        take_row(requests[i], &lookups[places[i]]);
        if (result != STATUS_OK && !is_too_much)
            service_finish_obstacle(service, requests[i],
                                    &(struct obstacle){.from = FROM_DATABASE, .result = result});
        else if (is_too_much || service_is_slow(service, requests[i]) ||
                 !answer_from_row(service, requests[i], &action))
            requests[i]->state = REQUEST_WAITING;
    }
}

bool service_read_again(struct service *service, struct request *request, enum policy_action *action_r)
{
    arena_clear(&request->rows);
    /* What is kept may be displaced while a refresh is waited for that then fails. */
    ask_for_row(service, request, false);
    enum status result = store_read(service->store, &request->lookup, 1, &request->rows, request->deadline);
    if (result == STATUS_OK)
        return answer_from_row(service, request, action_r);
    service_finish_obstacle(service, request, &(struct obstacle){.from = FROM_DATABASE, .result = result});
    return true;
}
