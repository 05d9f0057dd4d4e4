/* The half of the service that may block. The requests of a round are settled side by side: whose refresh
 * hangs keeps nobody else from theirs. */
#include "api/service_parts.h"

#include "api/routes.h"

enum {
    LEASE_LOOK_MS = 25,    /* how often who waits for another worker's refresh looks */
    FETCH_LOOK_MS = 100,   /* how often is looked who has waited for one of ours for too long */
    WAIT_MAX_MS = 2500,    /* from the start of the request */
    WAIT_RESERVE_MS = 500, /* of the deadline, kept back for the rest */
    FETCH_LEAST_MS =
        500,          /* with less left Chartbeat is not asked: its back-off would be for our being late */
    REFRESHS_MAX = 4, /* to settle one request: a key that was refused gives way to the next */
};

/* Of one round. */
struct settlement {
    struct service *service;
    size_t count;              /* of the service's settlings */
    size_t open;               /* not yet SETTLE_DONE */
    int slot;                  /* once somebody may block; else -1 */
    int wait_slot;             /* while somebody waits for a lease; else -1 */
    struct deadline next_look; /* at leases */
};

/* Those who wait so for this host look again. */
static void wake(struct settlement *settlement, enum settle_state waiting, const char *host)
{
    for (size_t i = 0; i < settlement->count; i++) {
        struct settling *one = &settlement->service->settlings[i];
        if (one->state == waiting && strcmp(one->request->params.host, host) == 0)
            one->state = SETTLE_LOOK;
    }
}

static void answered(struct service *service, struct request *request)
{
    service->calls.answered(request, service->calls.context);
    arena_clear(&request->rows);
}

static void end(struct settlement *settlement, struct settling *one)
{
    one->state = SETTLE_DONE;
    settlement->open--;
    answered(settlement->service, one->request);
    if (one->for_lease) /* of those who wait so only the first has looked */
        wake(settlement, SETTLE_WAIT_LEASE, one->request->params.host);
    one->for_lease = false;
}

static void give_up(struct settlement *settlement, struct settling *one)
{
    service_finish_obstacle(settlement->service, one->request, &one->obstacle);
    end(settlement, one);
}

/* Asks Chartbeat under a claim of ours. */
/* Claims; on STATUS_OK with CLAIM_GRANTED end_refresh() must follow. */
static enum status begin_refresh(const struct service *service, const char *host, const struct digest *digest,
                                 const char *key, bool check, struct deadline deadline,
                                 struct refresh_job *job)
{
    *job = (struct refresh_job){.host = host,
                                .has_asker = true,
                                .check = check,
                                .ttl_ms = service->settings->ttl_ms,
                                .digest = *digest};
    snprintf(job->key, sizeof job->key, "%s", key);
    enum status result = refresh_claim(&service->refresh, &job, 1, deadline);
    if (result == STATUS_OK && job->claim.outcome == CLAIM_GRANTED && job->result != STATUS_OK) {
        refresh_store(&service->refresh, &job, 1, deadline);
        result = STATUS_FAILED;
    }
    return result;
}

static void end_refresh(const struct service *service, struct refresh_job *job, enum status result,
                        const struct chartbeat_answer *answer, struct deadline deadline)
{
    refresh_read(&service->refresh, job, result, answer);
    refresh_store(&service->refresh, &job, 1, deadline);
}

static enum status start_fetch(struct service *service, const struct refresh_job *job,
                               struct deadline deadline, void *context)
{
    struct deadline fetch_deadline = {deadline.at_ms - PUBLISH_RESERVE_MS};
    return chartbeat_start(service->chartbeat, job->host, job->key, fetch_deadline, context);
}

static void end_fetch(struct settlement *settlement, struct settling *one, enum status result,
                      const struct chartbeat_answer *answer)
{
    const struct refresh_job *job = &one->job;
    end_refresh(settlement->service, &one->job, result, answer, one->request->deadline);
    one->state = SETTLE_LOOK;
    one->obstacle =
        (struct obstacle){job->from_database ? FROM_DATABASE : FROM_CHARTBEAT, job->result, job->wait_ms};
    if (job->result != STATUS_OK && job->result != STATUS_REFUSED)
        give_up(settlement, one);
    wake(settlement, SETTLE_WAIT_FETCH, one->job.host);
}

/* Ends a fetch, if one has come to its end within timeout_ms. */
static void take_ended(struct settlement *settlement, int timeout_ms)
{
    struct chartbeat *chartbeat = settlement->service->chartbeat;
    void *context = NULL;
    enum status result = STATUS_OK;
    struct chartbeat_answer answer;
    if (!chartbeat_next(chartbeat, timeout_ms, &context, &result, &answer))
        return;
    end_fetch(settlement, context, result, &answer);
    chartbeat_release_answer(chartbeat);
}

static void begin_fetch(struct settlement *settlement, struct settling *one)
{
    enum status result = start_fetch(settlement->service, &one->job, one->request->deadline, one);
    one->state = SETTLE_FETCH;
    one->for_lease = false;
    if (result != STATUS_OK)
        end_fetch(settlement, one, result, &chartbeat_no_answer);
}

static bool is_fetched_by_us(const struct settlement *settlement, const char *host)
{
    const struct settling *settlings = settlement->service->settlings;
    for (size_t i = 0; i < settlement->count; i++) {
        if (settlings[i].state == SETTLE_FETCH && strcmp(settlings[i].job.host, host) == 0)
            return true;
    }
    return false;
}

static bool may_wait(const struct service *service, const struct settling *one)
{
    int after_ms = service->settings->deadline_ms - WAIT_MAX_MS;
    return deadline_left_ms(one->request->deadline) >
           (after_ms > WAIT_RESERVE_MS ? after_ms : WAIT_RESERVE_MS);
}

/* For another worker's refresh: of few. */
static bool may_wait_for_lease(struct settlement *settlement, const struct settling *one)
{
    if (!may_wait(settlement->service, one))
        return false;
    if (settlement->wait_slot < 0)
        settlement->wait_slot = lockfile_take(&settlement->service->waiting, NULL);
    return settlement->wait_slot >= 0;
}

static void await_fetch(struct settling *one)
{
    one->for_lease = false;
    one->state = SETTLE_WAIT_FETCH;
}

/* The next look comes so long after the last of those who have looked: who looks for the first time is not
 * kept behind those who look again and again. */
static void await_lease(struct settlement *settlement, struct settling *one)
{
    one->for_lease = true;
    one->state = SETTLE_WAIT_LEASE;
    settlement->next_look = deadline_in(LEASE_LOOK_MS);
}

static struct obstacle obstacle_of(enum status result, const struct lease_claim *claim)
{
    if (result != STATUS_OK)
        return (struct obstacle){.from = result == STATUS_FAILED ? FROM_BACK_OFF : FROM_DATABASE,
                                 .result = result};
    return (struct obstacle){.wait_ms = claim->wait_ms,
                             .from = claim->outcome == CLAIM_HELD       ? FROM_POOL
                                     : claim->outcome == CLAIM_BAD_KEYS ? FROM_GUESSES
                                                                        : FROM_BACK_OFF};
}

/* Makes the host's refresh ours, or waits for whose it is. */
static void claim(struct settlement *settlement, struct settling *one, bool check)
{
    struct service *service = settlement->service;
    const struct request_params *request = &one->request->params;
    enum status result = begin_refresh(service, request->host, &request->digest, request->key, check,
                                       one->request->deadline, &one->job);
    enum claim_outcome outcome = one->job.claim.outcome;
    one->obstacle = obstacle_of(result, &one->job.claim);
    if (result == STATUS_OK && (outcome == CLAIM_GRANTED || outcome == CLAIM_NOT_NEEDED))
        one->refreshes++;
    if (result == STATUS_OK && outcome == CLAIM_GRANTED)
        begin_fetch(settlement, one);
    else if (result == STATUS_OK && outcome == CLAIM_HELD && may_wait_for_lease(settlement, one))
        await_lease(settlement, one);
    else if (result == STATUS_OK && outcome == CLAIM_NOT_NEEDED)
        one->state = SETTLE_LOOK;
    else
        give_up(settlement, one);
}

static bool may_block(struct settlement *settlement)
{
    if (settlement->slot < 0)
        settlement->slot = lockfile_take(&settlement->service->blocked, NULL);
    return settlement->slot >= 0;
}

/* The row was read a moment ago, and can't be answered. */
static void go_on(struct settlement *settlement, struct settling *one, enum policy_action action)
{
    const struct service *service = settlement->service;
    if (!may_block(settlement)) {
        give_up(settlement, one);
        return;
    }
    bool must_wait = is_fetched_by_us(settlement, one->request->params.host) ||
                     !chartbeat_has_capacity(service->chartbeat);
    bool has_time = deadline_left_ms(one->request->deadline) >= PUBLISH_RESERVE_MS + FETCH_LEAST_MS;
    if (one->refreshes < REFRESHS_MAX && must_wait && may_wait(service, one))
        await_fetch(one);
    else if (one->refreshes < REFRESHS_MAX && !must_wait && has_time)
        claim(settlement, one, action == POLICY_CHECK_KEY);
    else
        give_up(settlement, one);
}

static void look(struct settlement *settlement, struct settling *one)
{
    struct service *service = settlement->service;
    enum policy_action action = POLICY_ANSWER;
    if (service_is_slow(service, one->request))
        service->calls.before_block(service->calls.context);
    if (service_read_again(service, one->request, &action))
        end(settlement, one);
    else
        go_on(settlement, one, action);
}

/* Of those who wait for one host's lease the first looks. */
static void look_at_leases(struct settlement *settlement)
{
    struct settling *settlings = settlement->service->settlings;
    settlement->next_look = deadline_in(LEASE_LOOK_MS);
    for (size_t i = 0; i < settlement->count; i++) {
        const char *host = settlings[i].request->params.host;
        bool is_first = settlings[i].state == SETTLE_WAIT_LEASE;
        for (size_t before = 0; before < i && is_first; before++)
            is_first = settlings[before].state != SETTLE_LOOK ||
                       strcmp(settlings[before].request->params.host, host) != 0;
        if (is_first)
            settlings[i].state = SETTLE_LOOK;
    }
}

static bool is_any_for_lease(const struct settlement *settlement)
{
    for (size_t i = 0; i < settlement->count; i++) {
        if (settlement->service->settlings[i].for_lease)
            return true;
    }
    return false;
}

/* One of those who wait for room looks again, if there is any: each may need it, or not any more. */
static void wake_for_room(struct settlement *settlement)
{
    for (size_t i = 0; i < settlement->count && chartbeat_has_capacity(settlement->service->chartbeat); i++) {
        struct settling *one = &settlement->service->settlings[i];
        if (one->state == SETTLE_WAIT_FETCH && !is_fetched_by_us(settlement, one->request->params.host)) {
            one->state = SETTLE_LOOK;
            return;
        }
    }
}

static void give_up_late(struct settlement *settlement)
{
    for (size_t i = 0; i < settlement->count; i++) {
        struct settling *one = &settlement->service->settlings[i];
        if (one->state == SETTLE_WAIT_FETCH && !may_wait(settlement->service, one))
            give_up(settlement, one);
    }
}

/* Those who wait look again, or give up, when it is time, whoever else has to be looked at. */
static void tend_waiting(struct settlement *settlement)
{
    give_up_late(settlement);
    wake_for_room(settlement);
    if (!is_any_for_lease(settlement)) {
        lockfile_release(settlement->wait_slot);
        settlement->wait_slot = -1;
    } else if (deadline_left_ms(settlement->next_look) == 0) {
        look_at_leases(settlement);
    }
}

static struct settling *first_to_look(const struct settlement *settlement)
{
    struct settling *settlings = settlement->service->settlings;
    for (size_t i = 0; i < settlement->count; i++) {
        if (settlings[i].state == SETTLE_LOOK)
            return &settlings[i];
    }
    return NULL;
}

static int look_in_ms(const struct settlement *settlement)
{
    return is_any_for_lease(settlement) ? deadline_left_ms(settlement->next_look) : FETCH_LOOK_MS;
}

/* Fetches go on between two looks: else what has long come would be found when its time is up. */
static void settle(struct settlement *settlement)
{
    struct service *service = settlement->service;
    while (settlement->open > 0) {
        tend_waiting(settlement);
        struct settling *one = first_to_look(settlement);
        if (one)
            look(settlement, one);
        else
            service->calls.before_block(service->calls.context);
        take_ended(settlement, one ? 0 : look_in_ms(settlement));
    }
}

/* Moves those whose answer takes more than the row behind the others; how many others there are. */
static size_t slow_last(const struct service *service, struct request **requests, size_t count)
{
    size_t others = 0;
    for (size_t i = 0; i < count; i++) {
        struct request *request = requests[i];
        if (service_is_slow(service, request))
            continue;
        requests[i] = requests[others];
        requests[others++] = request;
    }
    return others;
}

static void add(struct settlement *settlement, struct request *request, enum settle_state state)
{
    settlement->service->settlings[settlement->count++] =
        (struct settling){.request = request, .state = state, .obstacle = {.from = FROM_POOL}};
    settlement->open++;
}

/* Who lost theirs to another of the round need no more than to be read again: before anybody's fetch begins,
 * which takes a claim. */
static void begin_others(struct settlement *settlement, struct request **requests, size_t count)
{
    struct service *service = settlement->service;
    enum policy_action actions[SERVICE_SETTLE_MAX];
    for (size_t i = 0; i < count; i++) {
        if (service_read_again(service, requests[i], &actions[settlement->count]))
            answered(service, requests[i]);
        else
            add(settlement, requests[i], SETTLE_WAIT_FETCH);
    }
    for (size_t i = 0; i < settlement->count; i++) {
        struct settling *one = &service->settlings[i];
        if (one->state == SETTLE_WAIT_FETCH)
            go_on(settlement, one, actions[i]);
        take_ended(settlement, 0);
    }
}

void service_settle(struct service *service, struct request **requests, size_t count)
{
    struct settlement settlement = {
        .service = service, .slot = -1, .wait_slot = -1, .next_look = deadline_in(LEASE_LOOK_MS)};
    size_t others = slow_last(service, requests, count);
    begin_others(&settlement, requests, others);
    /* A crowd of slow ones would else use up the time of those who need a fetch. */
    for (size_t i = others; i < count; i++)
        add(&settlement, requests[i], SETTLE_LOOK);
    settle(&settlement);
    lockfile_release(settlement.wait_slot);
    lockfile_release(settlement.slot);
}

bool service_refresh(struct service *service, const char *host, const struct digest *digest)
{
    struct refresh_job job;
    struct deadline deadline = deadline_in(service->settings->deadline_ms);
    int slot = lockfile_take(&service->blocked, NULL);
    if (slot < 0)
        return false;
    enum status result = begin_refresh(service, host, digest, "", false, deadline, &job);
    if (result == STATUS_OK && job.claim.outcome == CLAIM_GRANTED) {
        struct chartbeat_answer answer = chartbeat_no_answer;
        void *context = NULL;
        service->calls.before_block(service->calls.context);
        result = start_fetch(service, &job, deadline, NULL);
        if (result == STATUS_OK) {
            while (!chartbeat_next(service->chartbeat, FETCH_LOOK_MS, &context, &result, &answer))
                ;
        }
        end_refresh(service, &job, result, &answer, deadline);
        chartbeat_release_answer(service->chartbeat);
    }
    lockfile_release(slot);
    return true;
}
