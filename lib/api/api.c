#include "api/api.h"

#include "api/asked.h"
#include "api/token_use.h"
#include "base/log.h"
#include "base/metrics.h"

#include <stdlib.h>
#include <string.h>

enum { ROWS_MAX_BYTES = 40 * 1024 * 1024 }; /* API_LOOKUP_MAX rows of two lists each */

static enum status make_parts(struct api *api)
{
    const struct settings *settings = api->settings;
    const struct store_config store = {settings->database, settings->ttl_ms, settings->prepare, ROLE_WORKER};
    api->bounds = (struct policy_bounds){settings->ttl_ms, settings->stale_ms, settings->stale_error_ms,
                                         settings->wait_ms};
    arena_init(&api->rows, ROWS_MAX_BYTES);
    api->bodies = body_cache_new();
    api->lists = list_cache_new();
    api->trends = trend_cache_new();
    api->answers = answer_cache_new();
    api->waiting = waiting_new(settings->waiting_max);
    api->asked = asked_new();
    api->token_use = token_use_new();
    api->metrics = metrics_endpoint_new(settings->site_metrics);
    if (!api->bodies || !api->lists || !api->trends || !api->answers || !api->waiting || !api->asked ||
        !api->token_use || !api->metrics)
        return STATUS_NO_MEMORY;
    enum status status = store_new(&api->store, &store);
    if (status == STATUS_OK && *settings->database_read) {
        const struct store_config read = {settings->database_read, settings->ttl_ms, settings->prepare,
                                          ROLE_WORKER};
        status = standby_new(&api->standby, &read, &api->bounds);
    }
    settings_fetch_socket(settings, api->fetch_socket, sizeof api->fetch_socket);
    return status == STATUS_OK ? refresh_client_new(&api->fetcher, api->fetch_socket) : status;
}

enum status api_new(struct api **api_r, const struct settings *settings)
{
    struct api *api = calloc(1, sizeof *api);
    if (!api)
        return STATUS_NO_MEMORY;
    api->settings = settings;
    enum status status = make_parts(api);
    if (status == STATUS_OK)
        *api_r = api;
    else
        api_free(api);
    return status;
}

void api_free(struct api *api)
{
    if (!api)
        return;
    refresh_client_free(api->fetcher);
    waiting_free(api->waiting);
    asked_free(api->asked);
    token_use_free(api->token_use);
    metrics_endpoint_free(api->metrics);
    body_cache_free(api->bodies);
    list_cache_free(api->lists);
    trend_cache_free(api->trends);
    answer_cache_free(api->answers);
    store_free(api->store);
    standby_free(api->standby);
    arena_release(&api->rows);
    free(api);
}

/* --- The fetcher ------------------------------------------------------------------------------------------
 */

static bool send(struct api *api, enum refresh_type type, const struct wanted *wanted, const char *key,
                 int64_t now_ms)
{
    struct refresh_message message = {.type = type, .check = wanted->check, .has_key = key != NULL};
    memcpy(message.host, wanted->host, strnlen(wanted->host, HOST_MAX_BYTES));
    if (wanted->digest)
        message.digest = *wanted->digest;
    if (key)
        memcpy(message.key, key, strnlen(key, KEY_MAX_BYTES));
    bool is_sent = refresh_client_send(api->fetcher, &message, now_ms);
    secret_box_wipe(&message, sizeof message);
    return is_sent;
}

static struct request *request_of(struct waiter *waiter)
{
    return (struct request *)(void *)((char *)waiter - offsetof(struct request, waiter));
}

/* The key to ask Chartbeat with; NULL: one that is stored. A view token never leaves the worker. */
static const char *key_of(const struct request *request)
{
    return request->params.is_token ? NULL : request->params.key;
}

static void ask_again(void *context, const struct wanted *wanted, struct waiter *first)
{
    struct api *api = context;
    (void)send(api, REFRESH_ASK, wanted, key_of(request_of(first)), clock_monotonic_ms());
}

/* A lost fetcher has read all questions and may have claimed leases, which stay held for some seconds.
 * Another fetcher could not refresh those hosts either, so all waiting requests are answered at once. A
 * broken fetcher may not have read the questions, so they are asked again on the next connection. */
static void take_event(struct api *api, enum client_event event)
{
    if (event == CLIENT_LOST)
        waiting_lose(api->waiting);
    if (event == CLIENT_LOST || event == CLIENT_BROKEN)
        log_line(LEVEL_WARNING, NULL, "the fetcher %s",
                 event == CLIENT_LOST ? "has gone" : "does not answer");
    if (event == CLIENT_CONNECTED)
        waiting_ask_again(api->waiting, ask_again, api);
}

/* What can't be sent is counted on. */
static void tell_of_tokens(struct api *api, int64_t now_ms)
{
    struct refresh_message message = {.type = REFRESH_USED};
    while (refresh_client_fd(api->fetcher) >= 0 &&
           token_use_next(api->token_use, now_ms, &message.token_id, &message.requests)) {
        if (!refresh_client_send(api->fetcher, &message, now_ms)) {
            token_use_count(api->token_use, message.token_id, message.requests, now_ms);
            return;
        }
    }
}

static void note_away(struct api *api)
{
    if (!store_is_away(api->store))
        api->away_since_ms = 0;
    else if (api->away_since_ms == 0)
        api->away_since_ms = clock_monotonic_ms();
}

bool api_tend(struct api *api, int64_t now_ms)
{
    struct refresh_message message;
    bool is_another = false;
    while (refresh_client_receive(api->fetcher, &message, now_ms))
        waiting_end(api->waiting, &message, now_ms);
    for (enum client_event event = CLIENT_CONNECTED; event != CLIENT_SAME;) {
        event = refresh_client_tend(api->fetcher, waiting_is_owed(api->waiting), now_ms);
        take_event(api, event);
        is_another |= event != CLIENT_SAME;
    }
    /* If no other fetcher could be connected to in this turn, no request waits for one. */
    if (refresh_client_fd(api->fetcher) < 0)
        waiting_lose(api->waiting);
    waiting_expire(api->waiting, now_ms);
    metrics_set(METRIC_WAITING, 0, (uint64_t)waiting_count(api->waiting));
    store_tend(api->store);
    standby_tend(api->standby, now_ms);
    note_away(api);
    tell_of_tokens(api, now_ms);
    return is_another;
}

struct request *api_next_woken(struct api *api)
{
    struct waiter *waiter = waiting_next_woken(api->waiting);
    if (!waiter)
        return NULL;
    request_wake(request_of(waiter), api);
    return request_of(waiter);
}

int api_fetcher_fd(const struct api *api)
{
    return refresh_client_fd(api->fetcher);
}

int api_timeout_ms(const struct api *api, int64_t now_ms, int max_ms)
{
    max_ms = store_tend_timeout_ms(api->store, max_ms);
    max_ms = standby_timeout_ms(api->standby, now_ms, max_ms);
    if (refresh_client_fd(api->fetcher) >= 0)
        max_ms = token_use_timeout_ms(api->token_use, now_ms, max_ms);
    int wait_ms = waiting_timeout_ms(api->waiting, now_ms, max_ms);
    return refresh_client_timeout_ms(api->fetcher, waiting_is_owed(api->waiting), now_ms, wait_ms);
}

static struct wanted wanted_of(const struct request *request, bool check)
{
    return (struct wanted){request->params.host, &request->params.digest, check};
}

/* True: it was sent, or did not have to be. Where it can't be sent the refresh ends at once, for all. */
static bool ask_fetcher(struct api *api, const struct request *request, const struct wanted *wanted,
                        int64_t now_ms)
{
    (void)asked_is_due(api->asked, request->params.host, now_ms); /* to ask for a refresh is to ask */
    if (send(api, REFRESH_ASK, wanted, key_of(request), now_ms))
        return true;
    waiting_lose(api->waiting);
    return false;
}

void api_want_refresh(struct api *api, const struct request *request, int64_t now_ms)
{
    const struct wanted wanted = wanted_of(request, false);
    if (waiting_want(api->waiting, &wanted, now_ms) == WAITING_ASK)
        (void)ask_fetcher(api, request, &wanted, now_ms);
}

bool api_park(struct api *api, struct request *request, bool check, int64_t until_ms, int64_t now_ms)
{
    const struct wanted wanted = wanted_of(request, check);
    if (refresh_client_fd(api->fetcher) < 0) {
        request->waiter.reason = WAKE_LOST;
        metrics_count(METRIC_WAITS_REFUSED, REFUSAL_NO_FETCHER, 1);
        return false;
    }
    enum waiting_answer answer = waiting_park(api->waiting, &wanted, &request->waiter, until_ms, now_ms);
    if (answer == WAITING_ASK)
        (void)ask_fetcher(api, request, &wanted, now_ms); /* if that fails, it is woken like all others */
    if (answer == WAITING_REFUSED)
        metrics_count(METRIC_WAITS_REFUSED,
                      request->waiter.reason == WAKE_FULL ? REFUSAL_FULL : REFUSAL_PAUSED, 1);
    metrics_set(METRIC_WAITING, 0, (uint64_t)waiting_count(api->waiting));
    return answer != WAITING_REFUSED;
}

void api_say_asked(struct api *api, const struct request *request, int64_t now_ms)
{
    const struct wanted wanted = {.host = request->params.host};
    if (refresh_client_fd(api->fetcher) >= 0 && asked_is_due(api->asked, request->params.host, now_ms))
        (void)send(api, REFRESH_ASKED, &wanted, NULL, now_ms);
}

void api_count_token(struct api *api, int token_id, int64_t now_ms)
{
    token_use_count(api->token_use, token_id, 1, now_ms);
}

void api_forget(struct api *api, struct request *request)
{
    if (request->state == REQUEST_WAITING)
        metrics_observe(METRIC_WAIT_DURATION, WAIT_GONE, clock_monotonic_us() - request->parked_us);
    metrics_count(METRIC_REQUESTS_ABANDONED, 0, 1);
    waiting_remove(api->waiting, &request->waiter);
}

/* --- Look-ups ---------------------------------------------------------------------------------------------
 */

static bool ask_the_same(const struct store_lookup *a, const struct store_lookup *b)
{
    return a->if_changed_since == b->if_changed_since && a->needs_lists == b->needs_lists &&
           a->needs_primary == b->needs_primary && memcmp(a->digest, b->digest, sizeof *a->digest) == 0 &&
           strcmp(a->host, b->host) == 0;
}

/* The different rows that the first requests need, as many as fit: rows_r[i] is which of them the i-th needs.
 * *taken_r: of how many requests. */
static size_t gather(struct request **requests, size_t count, struct store_lookup *lookups,
                     unsigned char *rows_r, size_t *taken_r)
{
    size_t different = 0;
    size_t taken = 0;
    for (; taken < count; taken++) {
        size_t at = 0;
        while (at < different && !ask_the_same(&lookups[at], &requests[taken]->lookup))
            at++;
        if (at == API_LOOKUP_MAX)
            break;
        if (at == different)
            lookups[different++] = requests[taken]->lookup;
        if (requests[taken]->lookup.seen_at > lookups[at].seen_at)
            lookups[at].seen_at = requests[taken]->lookup.seen_at;
        rows_r[taken] = (unsigned char)at;
    }
    *taken_r = taken;
    return different;
}

static void take_row(struct request *request, const struct store_lookup *row)
{
    const struct store_lookup asked = request->lookup;
    request->lookup = *row;
    request->lookup.host = asked.host;
    request->lookup.digest = asked.digest;
    request->lookup.seen_at = asked.seen_at;
}

static enum metric_lookup lookup_outcome(enum status status)
{
    return status == STATUS_OK            ? LOOKUP_OK
           : status == STATUS_TIMEOUT     ? LOOKUP_TIMEOUT
           : status == STATUS_UNREACHABLE ? LOOKUP_UNREACHABLE
                                          : LOOKUP_FAILED;
}

/* How long a look-up may take: where each of the requests has an answer in memory, which is repeated if the
 * database does not reply, it is given up sooner. */
static int look_up_ms(const struct api *api, struct request **requests, size_t count)
{
    enum { WITH_ANSWER_MS = 300, WITHOUT_MS = 800 };
    for (size_t i = 0; i < count; i++) {
        if (!answer_cache_has(api->answers, &requests[i]->head, &requests[i]->params))
            return WITHOUT_MS;
    }
    return WITH_ANSWER_MS;
}

bool api_copies_may_stand_in(const struct api *api, int64_t now_ms)
{
    return api->away_since_ms == 0 || now_ms - api->away_since_ms <= api->bounds.stale_error_ms / 2;
}

/* A database that does not reply costs one time-out for all who are here; while it is away nobody waits. */
static enum status read_rows(struct api *api, struct store_lookup *lookups, size_t count,
                             struct deadline deadline)
{
    if (store_is_away(api->store))
        return STATUS_UNREACHABLE;
    if (deadline_left_ms(deadline) == 0)
        return STATUS_TIMEOUT; /* which says nothing of the database */
    int64_t from_us = clock_monotonic_us();
    enum status status = store_read(api->store, lookups, count, &api->rows, deadline);
    metrics_observe(METRIC_LOOKUP_DURATION, 0, clock_monotonic_us() - from_us);
    metrics_count(METRIC_LOOKUPS, lookup_outcome(status), 1);
    metrics_count(METRIC_LOOKUP_ROWS, 0, count);
    note_away(api);
    return status;
}

static size_t take_left(const struct store_lookup *lookups, size_t count, const struct standby_rows *rows,
                        struct store_lookup *left_r)
{
    size_t left_count = 0;
    for (size_t i = 0; i < count; i++) {
        if (!rows->is_taken[i])
            left_r[left_count++] = lookups[i];
    }
    return left_count;
}

/* Rows of which a standby has the newest come from there, and the others from the primary; if that is away,
 * these come from the standby, too, for what they are worth. What the standby takes of the time of this
 * look-up is no loss to the primary. statuses_r[i] says how it ended for the i-th. */
static void read_everywhere(struct api *api, struct store_lookup *lookups, size_t count,
                            struct deadline deadline, int primary_ms, enum status *statuses_r)
{
    struct store_lookup left[API_LOOKUP_MAX];
    struct standby_rows rows;
    enum status status = STATUS_OK;
    if (!api->standby) {
        status = read_rows(api, lookups, count, deadline_within(deadline, primary_ms));
        for (size_t i = 0; i < count; i++)
            statuses_r[i] = status;
        return;
    }
    standby_look_up(api->standby, lookups, count, &api->rows, deadline, &rows);
    size_t left_count = take_left(lookups, count, &rows, left);
    if (left_count > 0)
        status = read_rows(api, left, left_count, deadline_within(deadline, primary_ms));
    bool is_away = status == STATUS_UNREACHABLE || status == STATUS_TIMEOUT;
    if (is_away) {
        (void)take_left(lookups, count, &rows, left); /* some may have been filled in */
        if (standby_look_up_all(api->standby, left, left_count, &api->rows, deadline) == STATUS_OK)
            status = STATUS_OK;
    }
    for (size_t i = count; i-- > 0;) {
        bool is_taken = rows.is_taken[i] && status != STATUS_NO_MEMORY; /* then all are read once more */
        statuses_r[i] = is_taken ? STATUS_OK : status;
        if (!rows.is_taken[i] && status == STATUS_OK)
            lookups[i] = left[--left_count];
    }
    if (status == STATUS_OK && !is_away)
        standby_compare(api->standby, lookups, count, &rows);
}

/* The lists of several hosts together may not fit into the arena; those of one host always do. */
static enum status look_up_one(struct api *api, struct store_lookup *lookup, struct deadline deadline)
{
    arena_clear(&api->rows);
    lookup->pages = lookup->previous_pages = NULL;
    return read_rows(api, lookup, 1, deadline);
}

/* The latest of the deadlines: a request that is late must not cost the others their look-up. */
static struct deadline last_deadline(struct request **requests, size_t count)
{
    struct deadline last = requests[0]->deadline;
    for (size_t i = 1; i < count; i++) {
        if (requests[i]->deadline.at_ms > last.at_ms)
            last = requests[i]->deadline;
    }
    return last;
}

void api_look_up(struct api *api, struct request **requests, size_t count, size_t *taken_r)
{
    enum { TOGETHER_MAX = 1024 };
    struct store_lookup lookups[API_LOOKUP_MAX];
    enum status statuses[API_LOOKUP_MAX];
    unsigned char rows[TOGETHER_MAX];
    size_t different = gather(requests, count < TOGETHER_MAX ? count : TOGETHER_MAX, lookups, rows, taken_r);
    arena_clear(&api->rows);
    read_everywhere(api, lookups, different, last_deadline(requests, *taken_r),
                    look_up_ms(api, requests, *taken_r), statuses);
    int64_t now_ms = clock_monotonic_ms();
    for (size_t i = 0; i < *taken_r; i++) {
        struct store_lookup *row = &lookups[rows[i]];
        enum status status = statuses[rows[i]];
        if (status == STATUS_NO_MEMORY && different > 1)
            status = look_up_one(api, row, requests[i]->deadline);
        take_row(requests[i], row);
        request_take_row(requests[i], api, status, now_ms);
    }
}
