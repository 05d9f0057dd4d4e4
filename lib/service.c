#include "service_parts.h"

#include "log.h"
#include "routes.h"

#include <errno.h>

static enum up_result init_parts(struct service *service, const struct settings *settings,
                                 const struct keyring *keyring)
{
    const struct store_config store = {settings->database, settings->ttl_ms, settings->prepare};
    const struct chartbeat_config chartbeat = {settings->chartbeat_url, settings->chartbeat_limit,
                                               settings->upstream_timeout_ms};
    service->bounds = (struct policy_bounds){settings->ttl_ms, settings->stale_ms, settings->stale_error_ms};
    int workers = settings->workers;
    enum up_result result =
        slots_init(&service->blocked, settings->run_dir, "blocked", workers > 1 ? workers / 2 : 1);
    if (result == UP_OK)
        result = slots_init(&service->waiting, settings->run_dir, "waiting", workers > 4 ? workers / 4 : 1);
    if (result == UP_OK)
        result = store_new(&service->store, &store);
    if (result == UP_OK) {
        service->kept = kept_new();
        service->weighed = weighed_store_new();
        result = service->kept && service->weighed ? UP_OK : UP_NO_MEMORY;
    }
    if (result == UP_OK)
        result = chartbeat_new(&service->chartbeat, &chartbeat, SERVICE_FETCHES_MAX);
    service->refill = (struct refill_parts){
        .store = service->store,
        .keyring = keyring,
        .bounds = {settings->ttl_ms, settings->upstream_timeout_ms + LEASE_MARGIN_MS,
                   settings->rate_per_minute},
        .row_limit = settings->chartbeat_limit,
    };
    return result;
}

enum up_result service_new(struct service **service_r, const struct settings *settings,
                           const struct keyring *keyring, const struct service_calls *calls)
{
    struct service *service = calloc(1, sizeof *service);
    if (!service)
        return UP_NO_MEMORY;
    service->settings = settings;
    service->calls = *calls;
    enum up_result result = init_parts(service, settings, keyring);
    if (result == UP_OK) {
        *service_r = service;
        return UP_OK;
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
    kept_free(service->kept);
    weighed_store_free(service->weighed);
    store_free(service->store);
    free(service);
}

/* What is to be read: with may_be_kept, lists only of a snapshot of which we have neither body nor lists. */
static void ask_for_row(struct service *service, struct exchange *exchange, bool may_be_kept)
{
    struct kept_lists lists;
    time_us lists_at = 0;
    struct store_lookup *lookup = &exchange->lookup;
    bool wants_lists = exchange->route->wants_lists;
    *lookup = (struct store_lookup){.host = exchange->request.host, .digest = &exchange->request.digest};
    if (wants_lists && !may_be_kept)
        return;
    if (exchange->route->is_kept)
        (void)kept_find(service->kept, &exchange->request, &lookup->known_at);
    if (wants_lists && kept_find_lists(service->kept, exchange->request.host, &lists, &lists_at) &&
        lists_at > lookup->known_at)
        lookup->known_at = lists_at;
}

/* The body that was kept of the row that was read, or NULL. */
static const struct buffer *kept_body(const struct service *service, const struct exchange *exchange)
{
    time_us taken_at = 0;
    const struct buffer *body = exchange->lookup.pages || !exchange->route->is_kept
                                    ? NULL
                                    : kept_find(service->kept, &exchange->request, &taken_at);
    return body && taken_at == exchange->lookup.taken_at ? body : NULL;
}

/* Is there what the answer is made of? Not where another answer of this round has displaced it: it is then to
 * be read again. */
static bool has_lists(struct service *service, struct exchange *exchange)
{
    struct store_lookup *lookup = &exchange->lookup;
    struct kept_lists lists = {lookup->pages, lookup->pages_bytes, lookup->previous_pages,
                               lookup->previous_pages_bytes};
    time_us taken_at = 0;
    if (!exchange->route->wants_lists || !lookup->view.has_snapshot || kept_body(service, exchange))
        return true;
    if (lookup->pages) {
        kept_put_lists(service->kept, lookup->host, &lists, lookup->taken_at);
        return true;
    }
    if (!kept_find_lists(service->kept, lookup->host, &lists, &taken_at) || taken_at != lookup->taken_at)
        return false;
    lookup->pages = lists.pages;
    lookup->pages_bytes = lists.pages_bytes;
    lookup->previous_pages = lists.previous_pages;
    lookup->previous_pages_bytes = lists.previous_bytes;
    return true;
}

/* Reads the request, or answers why it can't be. */
static void begin_read(struct service *service, struct exchange *exchange)
{
    struct problem problem = {.status = 500, .detail = "The request could not be read."};
    struct problem refusal = {0};
    enum up_result result = exchange->route->read(exchange, &refusal);
    if (result == UP_OK) {
        ask_for_row(service, exchange, true);
        exchange->state = EXCHANGE_READ;
        return;
    }
    exchange_finish_problem(exchange, result == UP_INVALID ? &refusal : &problem);
}

/* A browser asks this before it lets a page of another site send the header. */
static void finish_options(struct exchange *exchange)
{
    response_begin(&exchange->response, 204, exchange->input.id);
    response_header(&exchange->response, "Allow", "GET, HEAD, OPTIONS");
    response_header(&exchange->response, "Access-Control-Allow-Methods", "GET, HEAD, OPTIONS");
    response_header(&exchange->response, "Access-Control-Allow-Headers", "X-CB-AK, If-None-Match, Accept");
    response_header(&exchange->response, "Access-Control-Max-Age", "86400");
    exchange_finish(exchange);
}

void service_begin(struct service *service, struct exchange *exchange, int late_ms)
{
    const char *method = exchange->input.method ? exchange->input.method : "";
    if (!exchange->input.id)
        exchange->input.id = "-";
    exchange->deadline = deadline_in(service->settings->deadline_ms - late_ms);
    exchange->refill_in_ms = -1;
    exchange->weighed = service->weighed;
    exchange->route = routes_find(exchange->input.path);
    if (!exchange->route)
        exchange_finish_problem(
            exchange,
            &(struct problem){.status = 404, .detail = "There is nothing here; / lists what there is."});
    else if (strcmp(method, "OPTIONS") == 0)
        finish_options(exchange);
    else if (strcmp(method, "GET") != 0 && strcmp(method, "HEAD") != 0)
        exchange_finish_problem(exchange,
                                &(struct problem){.status = 405,
                                                  .allow = "GET, HEAD, OPTIONS",
                                                  .detail = "This can be read only: GET, HEAD or OPTIONS."});
    else if (exchange->route->finish)
        exchange->route->finish(exchange, service->store, &service->bounds);
    else
        begin_read(service, exchange);
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
        if (obstacle->result == UP_TIMEOUT) {
            problem.status = 504;
            problem.detail = "Chartbeat did not answer in time.";
        } else if (obstacle->result == UP_LIMITED) {
            problem.detail = "Chartbeat says: too many requests.";
        } else if (obstacle->result != UP_UNREACHABLE) {
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
static void want_refill_of_copied(const struct service *service, struct exchange *exchange)
{
    enum { AFTER_TTL_MS = 5 }; /* so that it has ended by any clock */
    int64_t left_ms = service->bounds.ttl_ms - exchange->lookup.view.age_ms;
    int64_t rest_of_second_ms = 1000 - exchange->input.now_ms % 1000;
    if (exchange->input.is_copied && left_ms < rest_of_second_ms &&
        rest_of_second_ms <= policy_copy_ms(&exchange->lookup.view, &service->bounds))
        exchange->refill_in_ms = (left_ms > 0 ? left_ms : 0) + AFTER_TTL_MS;
}

static void finish_list(struct service *service, struct exchange *exchange, enum answer_freshness freshness)
{
    exchange->input.now_ms = clock_wall_ms();
    const struct buffer *body = kept_body(service, exchange);
    enum up_result result =
        exchange->route->write(exchange, service->store, &service->bounds, freshness, body);
    if (result == UP_UNREACHABLE || result == UP_TIMEOUT) {
        struct problem problem = problem_of(&(struct obstacle){.from = FROM_DATABASE, .result = result});
        exchange_finish_problem(exchange, &problem);
        return;
    }
    if (result == UP_OK) {
        if (!body && exchange->route->is_kept && exchange->response.status == 200 &&
            freshness == ANSWER_FRESH)
            kept_put(service->kept, &exchange->request, exchange->lookup.taken_at, &exchange->response.body);
        if (freshness == ANSWER_FRESH)
            want_refill_of_copied(service, exchange);
        exchange_finish(exchange);
        return;
    }
    log_line(LOG_ERROR, exchange->input.id, "the rows of %s can't be answered: %s", exchange->request.host,
             result_text(result));
    exchange_finish_problem(exchange,
                            &(struct problem){.status = 500, .detail = "The stored snapshot can't be read."});
}

static void finish_refused(struct exchange *exchange)
{
    exchange_finish_problem(exchange, &(struct problem){.status = exchange->route->refused_status,
                                                        .parameter = "apikey",
                                                        .detail = "is refused by Chartbeat for this host",
                                                        .bound = "a key that Chartbeat accepts for the host",
                                                        .sent = exchange->request.host});
}

/* What the policy is to know: of what is past a snapshot is never too old, if only the key may see it. */
static struct policy_view view_of(const struct service *service, const struct exchange *exchange)
{
    struct policy_view view = exchange->lookup.view;
    if (exchange->route->is_past && view.age_ms > service->bounds.stale_ms)
        view.age_ms = service->bounds.stale_ms;
    return view;
}

/* Answers from the row that was read, if the policy says so. */
static bool answer_from_row(struct service *service, struct exchange *exchange, enum policy_action *action_r)
{
    struct policy_view view = view_of(service, exchange);
    *action_r = policy_decide(&view, &service->bounds);
    bool is_answer = *action_r == POLICY_ANSWER || *action_r == POLICY_ANSWER_AND_REFILL;
    if (is_answer && !has_lists(service, exchange))
        return false;
    switch (*action_r) {
    case POLICY_ANSWER:
        finish_list(service, exchange, ANSWER_FRESH);
        return true;
    case POLICY_ANSWER_AND_REFILL:
        finish_list(service, exchange,
                    exchange->lookup.view.failures > 0 ? ANSWER_STALE_ERROR : ANSWER_STALE);
        exchange->refill_in_ms = 0;
        return true;
    case POLICY_REFUSE:
        finish_refused(exchange);
        return true;
    default:
        return false;
    }
}

void service_finish_obstacle(struct service *service, struct exchange *exchange,
                             const struct obstacle *obstacle)
{
    struct policy_view view = view_of(service, exchange);
    if (policy_may_serve_stale(&view, &service->bounds) && has_lists(service, exchange)) {
        finish_list(service, exchange, ANSWER_STALE_ERROR);
        return;
    }
    struct problem problem = problem_of(obstacle);
    log_line(LOG_INFO, exchange->input.id, "%d for %s: %s", problem.status, exchange->request.host,
             problem.detail);
    exchange_finish_problem(exchange, &problem);
}

bool service_is_slow(const struct service *service, const struct exchange *exchange)
{
    return !exchange->route->wants_lists && !kept_body(service, exchange);
}

static bool asks_the_same(const struct store_lookup *a, const struct store_lookup *b)
{
    return a->known_at == b->known_at && memcmp(a->digest, b->digest, sizeof *a->digest) == 0 &&
           strcmp(a->host, b->host) == 0;
}

/* What is to be read for all of them; places[i] is where the row of the i-th will be. One read answers all
 * who ask for the same host with the same key at the same time. */
static size_t gather_lookups(struct exchange **exchanges, size_t count, struct store_lookup *lookups,
                             size_t *places)
{
    size_t different = 0;
    for (size_t i = 0; i < count; i++) {
        size_t at = 0;
        while (at < different && !asks_the_same(&lookups[at], &exchanges[i]->lookup))
            at++;
        if (at == different)
            lookups[different++] = exchanges[i]->lookup;
        places[i] = at;
    }
    return different;
}

static void take_row(struct exchange *exchange, const struct store_lookup *row)
{
    const struct store_lookup asked = exchange->lookup;
    exchange->lookup = *row;
    exchange->lookup.host = asked.host;
    exchange->lookup.digest = asked.digest;
}

void service_read(struct service *service, struct exchange **exchanges, size_t count)
{
    struct store_lookup lookups[STORE_BATCH];
    size_t places[STORE_BATCH];
    if (count == 0)
        return;
    size_t different = gather_lookups(exchanges, count, lookups, places);
    arena_clear(&exchanges[0]->rows); /* for all of them: who is not answered here reads again for itself */
    enum up_result result =
        store_read(service->store, lookups, different, &exchanges[0]->rows, exchanges[0]->deadline);
    bool is_too_much = result == UP_NO_MEMORY && count > 1; /* together; each alone may fit */
    for (size_t i = 0; i < count; i++) {
        enum policy_action action = POLICY_ANSWER;
        take_row(exchanges[i], &lookups[places[i]]);
        if (result != UP_OK && !is_too_much)
            service_finish_obstacle(service, exchanges[i],
                                    &(struct obstacle){.from = FROM_DATABASE, .result = result});
        else if (is_too_much || service_is_slow(service, exchanges[i]) ||
                 !answer_from_row(service, exchanges[i], &action))
            exchanges[i]->state = EXCHANGE_BLOCKING;
    }
}

bool service_read_again(struct service *service, struct exchange *exchange, enum policy_action *action_r)
{
    arena_clear(&exchange->rows);
    /* What is kept may be displaced while a refill is waited for that then fails. */
    ask_for_row(service, exchange, false);
    enum up_result result =
        store_read(service->store, &exchange->lookup, 1, &exchange->rows, exchange->deadline);
    if (result == UP_OK)
        return answer_from_row(service, exchange, action_r);
    service_finish_obstacle(service, exchange, &(struct obstacle){.from = FROM_DATABASE, .result = result});
    return true;
}
