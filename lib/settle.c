/* The half of the service that may block. The exchanges of a round are settled side by side: whose refill
 * hangs keeps nobody else from theirs. */
#include "service_parts.h"

#include "routes.h"

enum {
    POLL_LEASE_MS = 25,    /* how often who waits for another worker's refill looks */
    WAIT_MAX_MS = 2500,    /* and for how long, from the start of its request */
    WAIT_RESERVE_MS = 500, /* of the deadline, kept back for the last read */
    POLL_FETCH_MS = 500,   /* libcurl bounds the requests themselves */
    REFILLS_MAX = 4,       /* to settle one request: a key that was refused gives way to the next */
};

/* Of one round. */
struct settlement {
    struct service *service;
    size_t count;  /* of the service's settlings */
    size_t open;   /* not yet SETTLE_DONE */
    int wait_slot; /* -1: none yet */
};

static void end(struct settlement *settlement, struct settling *one)
{
    struct service *service = settlement->service;
    one->state = SETTLE_DONE;
    settlement->open--;
    service->calls.answered(one->exchange, service->calls.context);
}

static void give_up(struct settlement *settlement, struct settling *one)
{
    service_finish_obstacle(settlement->service, one->exchange, &one->obstacle);
    end(settlement, one);
}

/* Asks Chartbeat under a claim of ours. */
static enum up_result start_fetch(struct service *service, const struct refill_job *job,
                                  struct deadline deadline, void *context)
{
    struct deadline fetch_deadline = {deadline.at_ms - PUBLISH_RESERVE_MS};
    return chartbeat_start(service->chartbeat, job->host, job->key, fetch_deadline, context);
}

static void end_fetch(struct settlement *settlement, struct settling *one, enum up_result result,
                      const struct chartbeat_answer *answer)
{
    struct refill_report report;
    refill_end(&settlement->service->refill, &one->job, result, answer, one->exchange->deadline, &report);
    one->state = SETTLE_LOOK;
    one->obstacle = (struct obstacle){report.from_database ? FROM_DATABASE : FROM_CHARTBEAT, report.result,
                                      report.wait_ms};
    if (report.result != UP_OK && report.result != UP_REFUSED)
        give_up(settlement, one);
}

static void begin_fetch(struct settlement *settlement, struct settling *one)
{
    enum up_result result = start_fetch(settlement->service, &one->job, one->exchange->deadline, one);
    one->state = SETTLE_FETCH;
    if (result != UP_OK)
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

static bool has_time(const struct service *service, const struct settling *one)
{
    int after_ms = service->settings->deadline_ms - WAIT_MAX_MS;
    return deadline_left_ms(one->exchange->deadline) >
           (after_ms > WAIT_RESERVE_MS ? after_ms : WAIT_RESERVE_MS);
}

/* For another worker's refill. */
static bool may_wait(struct settlement *settlement, const struct settling *one)
{
    if (!has_time(settlement->service, one))
        return false;
    if (settlement->wait_slot < 0)
        settlement->wait_slot = slots_take(&settlement->service->waiting, NULL);
    return settlement->wait_slot >= 0;
}

static struct obstacle obstacle_of(enum up_result result, const struct store_claim *claim)
{
    if (result != UP_OK)
        return (struct obstacle){.from = result == UP_FAILED ? FROM_BACK_OFF : FROM_DATABASE,
                                 .result = result};
    return (struct obstacle){.wait_ms = claim->wait_ms,
                             .from = claim->outcome == STORE_LEASED    ? FROM_POOL
                                     : claim->outcome == STORE_GUESSES ? FROM_GUESSES
                                                                       : FROM_BACK_OFF};
}

/* Makes the host's refill ours, or waits for whose it is. */
static void claim(struct settlement *settlement, struct settling *one, bool check)
{
    struct service *service = settlement->service;
    const struct request *request = &one->exchange->request;
    enum up_result result = refill_begin(&service->refill, request->host, &request->digest, request->key,
                                         check, one->exchange->deadline, &one->job);
    enum store_outcome outcome = one->job.claim.outcome;
    one->obstacle = obstacle_of(result, &one->job.claim);
    if (result == UP_OK && (outcome == STORE_GRANTED || outcome == STORE_DONE))
        one->refills++;
    if (result == UP_OK && outcome == STORE_GRANTED)
        begin_fetch(settlement, one);
    else if (result == UP_OK && outcome == STORE_LEASED && may_wait(settlement, one))
        one->state = SETTLE_WAIT;
    else if (result != UP_OK || outcome != STORE_DONE)
        give_up(settlement, one);
}

/* Each time with a fresh look at the row: somebody may have refilled it, of this round too. */
static void look(struct settlement *settlement, struct settling *one)
{
    struct service *service = settlement->service;
    enum policy_action action = POLICY_ANSWER;
    if (is_fetched_by_us(settlement, one->exchange->request.host)) {
        one->state = SETTLE_WAIT;
        return;
    }
    if (service_read_again(service, one->exchange, &action)) {
        end(settlement, one);
        return;
    }
    bool may_try = one->refills < REFILLS_MAX;
    if (may_try && chartbeat_has_room(service->chartbeat))
        claim(settlement, one, action == POLICY_CHECK_KEY);
    else if (may_try && has_time(service, one))
        one->state = SETTLE_WAIT;
    else
        give_up(settlement, one);
}

/* Until something has ended, or it is time to look how far others are. */
static void await_any(struct settlement *settlement)
{
    struct service *service = settlement->service;
    void *context = NULL;
    enum up_result result = UP_OK;
    struct chartbeat_answer answer;
    int timeout_ms = settlement->wait_slot >= 0 ? POLL_LEASE_MS : POLL_FETCH_MS;
    if (chartbeat_next(service->chartbeat, timeout_ms, &context, &result, &answer))
        end_fetch(settlement, context, result, &answer);
    for (size_t i = 0; i < settlement->count; i++) {
        struct settling *one = &service->settlings[i];
        if (one->state == SETTLE_WAIT && !is_fetched_by_us(settlement, one->exchange->request.host))
            one->state = SETTLE_LOOK;
    }
}

static void settle(struct settlement *settlement)
{
    while (settlement->open > 0) {
        for (size_t i = 0; i < settlement->count; i++) {
            while (settlement->service->settlings[i].state == SETTLE_LOOK)
                look(settlement, &settlement->service->settlings[i]);
        }
        if (settlement->open > 0)
            await_any(settlement);
    }
    slots_release(settlement->wait_slot);
}

/* Those whose answer takes more than the row, but nothing from Chartbeat; the number of the others, which
 * are then the first. */
static size_t answer_slow(struct service *service, struct exchange **exchanges, size_t count)
{
    enum policy_action action = POLICY_ANSWER;
    size_t left = 0;
    for (size_t i = 0; i < count; i++) {
        bool is_slow = service_is_slow(service, exchanges[i]);
        if (is_slow)
            service->calls.before_block(service->calls.context);
        if (is_slow && service_read_again(service, exchanges[i], &action))
            service->calls.answered(exchanges[i], service->calls.context);
        else
            exchanges[left++] = exchanges[i];
    }
    return left;
}

void service_settle(struct service *service, struct exchange **exchanges, size_t count)
{
    count = answer_slow(service, exchanges, count);
    int slot = count > 0 ? slots_take(&service->blocked, NULL) : -1;
    if (slot >= 0)
        service->calls.before_block(service->calls.context);
    struct settlement settlement = {service, count, count, -1};
    for (size_t i = 0; i < count; i++)
        service->settlings[i] = (struct settling){.exchange = exchanges[i],
                                                  .refills = slot >= 0 ? 0 : REFILLS_MAX,
                                                  .obstacle = {.from = FROM_POOL}};
    settle(&settlement);
    slots_release(slot);
}

bool service_refill(struct service *service, const char *host, const struct digest *digest)
{
    struct refill_job job;
    struct deadline deadline = deadline_in(service->settings->deadline_ms);
    int slot = slots_take(&service->blocked, NULL);
    if (slot < 0)
        return false;
    enum up_result result = refill_begin(&service->refill, host, digest, NULL, false, deadline, &job);
    if (result == UP_OK && job.claim.outcome == STORE_GRANTED) {
        struct refill_report report;
        struct chartbeat_answer answer = chartbeat_no_answer;
        void *context = NULL;
        service->calls.before_block(service->calls.context);
        result = start_fetch(service, &job, deadline, NULL);
        if (result == UP_OK) {
            while (!chartbeat_next(service->chartbeat, POLL_FETCH_MS, &context, &result, &answer))
                ;
        }
        refill_end(&service->refill, &job, result, &answer, deadline, &report);
    }
    slots_release(slot);
    return true;
}
