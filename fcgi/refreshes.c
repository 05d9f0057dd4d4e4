#include "refreshes.h"

#include "base/metrics.h"

#include <assert.h>
#include <stdlib.h>

enum {
    STORE_BATCH_MAX = 8, /* answers read before they are stored: lists of new pages take a while */
    STORE_BYTES_MAX = 4 * 1024 * 1024,
};

static_assert((int)REFRESH_METRIC_NOT_NEEDED == (int)REFRESH_OUTCOMES,
              "the metric has the same outcomes, and two more");

/* --- Answers
 * ------------------------------------------------------------------------------------------------ */

void refreshes_answer_waiter(void *context, const struct fetch *fetch, const struct fetch_waiter *waiter)
{
    const struct refreshes_answer *answering = context;
    struct refresh_message done = {.type = REFRESH_DONE,
                                   .digest = waiter->digest,
                                   .check = waiter->check,
                                   .outcome = answering->outcome,
                                   .wait_ms = answering->wait_ms};
    memcpy(done.host, fetch->host, sizeof done.host);
    refresh_server_answer(answering->refreshes->server, waiter->connection, &done);
}

static void say(struct refreshes *refreshes, const struct fetch *fetch, enum fetcher_outcome outcome,
                const char *why)
{
    refreshes->totals.stored += outcome == FETCHER_STORED;
    refreshes->totals.skipped += outcome == FETCHER_SKIPPED;
    refreshes->totals.failed += outcome == FETCHER_FAILED;
    metrics_observe(METRIC_REFRESH_DURATION, (unsigned)outcome,
                    (clock_monotonic_ms() - fetch->queued_ms) * 1000);
    const struct fetcher_event event = {fetch->host, outcome, why, clock_monotonic_ms() - fetch->queued_ms};
    if (refreshes->report)
        refreshes->report(refreshes->context, &event);
}

void refreshes_drop_job(void *job)
{
    refresh_drop(job);
    free(job);
}

static void count_lease_wait(struct fetch *fetch)
{
    if (fetch->held_ms > 0)
        metrics_observe(METRIC_LEASE_WAIT, 0, (clock_monotonic_ms() - fetch->held_ms) * 1000);
    fetch->held_ms = 0;
}

static void end_uncounted(struct refreshes *refreshes, struct fetch *fetch, enum refresh_outcome outcome,
                          int wait_ms)
{
    struct refreshes_answer answering = {refreshes, outcome, wait_ms > 0 ? wait_ms : 0};
    bool of_key_alone = outcome == REFRESH_KEY_REFUSED || outcome == REFRESH_BAD_KEYS;
    count_lease_wait(fetch);
    if (fetch->job)
        refreshes_drop_job(fetch->job);
    fetches_end(refreshes->fetches, fetch, of_key_alone, clock_monotonic_ms(), refreshes_answer_waiter,
                &answering);
}

void refreshes_end(struct refreshes *refreshes, struct fetch *fetch, enum refresh_outcome outcome,
                   int wait_ms)
{
    metrics_count(METRIC_REFRESHES, (unsigned)outcome, 1);
    end_uncounted(refreshes, fetch, outcome, wait_ms);
}

/* --- Claiming
 * ----------------------------------------------------------------------------------------------- */

static void end_claim(struct refreshes *refreshes, struct fetch *fetch, const struct lease_claim *claim)
{
    static const struct {
        enum refresh_outcome outcome;
        const char *why;
    } ends[CLAIM_OUTCOMES] = {
        [CLAIM_NOT_NEEDED] = {REFRESH_STORED, "it has just been done"},
        [CLAIM_HELD] = {REFRESH_STORED, "somebody else is at it"}, /* there is no waiter */
        [CLAIM_BACKOFF] = {REFRESH_BACKOFF, "back-off"},
        [CLAIM_RATE_LIMITED] = {REFRESH_BACKOFF, "the rate budget is used up"},
        [CLAIM_BAD_KEYS] = {REFRESH_BAD_KEYS, "too many keys were guessed"},
        [CLAIM_NO_KEY] = {REFRESH_NO_KEY, "no key is accepted"},
    };
    say(refreshes, fetch, FETCHER_SKIPPED, ends[claim->outcome].why);
    unsigned metric = claim->outcome == CLAIM_NOT_NEEDED ? (unsigned)REFRESH_METRIC_NOT_NEEDED
                      : claim->outcome == CLAIM_HELD     ? (unsigned)REFRESH_METRIC_HELD
                                                         : (unsigned)ends[claim->outcome].outcome;
    metrics_count(METRIC_REFRESHES, metric, 1);
    end_uncounted(refreshes, fetch, ends[claim->outcome].outcome, claim->wait_ms);
}

static void start(struct refreshes *refreshes, struct fetch *fetch)
{
    struct refresh_job *job = fetch->job;
    enum status result = job->result;
    if (result == STATUS_OK) {
        result = chartbeat_start(refreshes->chartbeat, fetch->host, job->key,
                                 deadline_in(refreshes->settings->upstream_timeout_ms), fetch);
        if (result != STATUS_OK)
            refresh_read(&refreshes->parts, job, result, &chartbeat_no_answer);
    }
    if (result == STATUS_OK)
        refreshes->running++;
    else
        refreshes->unstored[refreshes->unstored_count++] = fetch;
}

static void take_claim(struct refreshes *refreshes, struct fetch *fetch)
{
    const struct refresh_job *job = fetch->job;
    if (job->claim.outcome == CLAIM_GRANTED)
        start(refreshes, fetch);
    else if (job->claim.outcome != CLAIM_HELD ||
             !fetches_hold(refreshes->fetches, fetch, clock_monotonic_ms()))
        end_claim(refreshes, fetch, &job->claim);
}

static bool prepare_job(struct fetch *fetch)
{
    struct refresh_job *job = fetch->job ? fetch->job : calloc(1, sizeof *job);
    fetch->job = job;
    if (!job)
        return false;
    *job = (struct refresh_job){.host = fetch->host,
                                .has_asker = fetch->has_asker,
                                .check = fetch->check,
                                .ttl_ms = fetch->ttl_ms,
                                .digest = fetch->digest};
    memcpy(job->key, fetch->key, sizeof job->key);
    return true;
}

/* Where PostgreSQL refuses one of a batch, it undoes all of it, and each is claimed by itself. */
static void claim(struct refreshes *refreshes, struct fetch **fetches, size_t count)
{
    struct refresh_job *jobs[LEASE_BATCH];
    for (size_t i = 0; i < count; i++)
        jobs[i] = fetches[i]->job;
    enum status result = refresh_claim(&refreshes->parts, jobs, count, deadline_in(REFRESHES_STEP_MS));
    for (size_t i = 0; i < count; i++) {
        if (result == STATUS_OK) {
            take_claim(refreshes, fetches[i]);
        } else if (result == STATUS_FAILED && count > 1) {
            claim(refreshes, &fetches[i], 1);
        } else {
            refreshes->lost = result == STATUS_FAILED ? refreshes->lost : result;
            say(refreshes, fetches[i], FETCHER_FAILED, "the database can't be reached");
            refreshes_end(refreshes, fetches[i], REFRESH_DATABASE, 0);
        }
    }
}

int refreshes_room(const struct refreshes *refreshes)
{
    return refreshes->settings->connections - refreshes->running - (int)refreshes->unstored_count;
}

/* Claims as many hosts as Chartbeat may be asked for now, in one round trip. */
void refreshes_claim(struct refreshes *refreshes)
{
    struct fetch *fetches[LEASE_BATCH];
    size_t count = 0;
    struct fetch *fetch = NULL;
    while (count < LEASE_BATCH && refreshes->unstored_count == 0 && (int)count < refreshes_room(refreshes) &&
           (fetch = fetches_next(refreshes->fetches))) {
        if (prepare_job(fetch))
            fetches[count++] = fetch;
        else
            refreshes_end(refreshes, fetch, REFRESH_BUSY, 0);
    }
    if (count == 0)
        return;
    claim(refreshes, fetches, count);
    chartbeat_poll(refreshes->chartbeat, NULL, 0,
                   0); /* the requests leave before we wait for the database again */
}

/* The lease of another process is over once its row says so: then the claim says what came of it. */
/* Nobody waits for it any more. */
static void end_held(struct refreshes *refreshes, struct fetch *fetch)
{
    metrics_count(METRIC_REFRESHES, REFRESH_METRIC_HELD, 1);
    end_uncounted(refreshes, fetch, REFRESH_STORED, 0);
}

void refreshes_look_at_held(struct refreshes *refreshes)
{
    struct fetch *fetches[LEASE_BATCH];
    const char *hosts[LEASE_BATCH];
    bool is_free[LEASE_BATCH] = {false};
    size_t count = fetches_to_look_at(refreshes->fetches, clock_monotonic_ms(), fetches, LEASE_BATCH);
    if (count == 0)
        return;
    for (size_t i = 0; i < count; i++)
        hosts[i] = fetches[i]->host;
    enum status result = lease_look(refreshes->database, hosts, count, refreshes->parts.bounds.lease_ms,
                                    deadline_in(REFRESHES_STEP_MS), is_free);
    for (size_t i = 0; i < count; i++) {
        if (result != STATUS_OK) {
            refreshes_end(refreshes, fetches[i], REFRESH_DATABASE, 0);
        } else if (is_free[i] && fetches[i]->waiters) {
            count_lease_wait(fetches[i]);
            fetches_queue_again(refreshes->fetches, fetches[i]);
        } else if (!fetches_hold(refreshes->fetches, fetches[i], clock_monotonic_ms())) {
            end_held(refreshes, fetches[i]);
        }
    }
}

/* --- Storing
 * ------------------------------------------------------------------------------------------------ */

static enum refresh_outcome outcome_of(const struct refresh_job *job)
{
    if (job->from_database)
        return REFRESH_DATABASE;
    if (job->is_useless)
        return REFRESH_USELESS;
    switch (job->result) {
    case STATUS_OK:
        return REFRESH_STORED;
    case STATUS_REFUSED:
        return REFRESH_KEY_REFUSED;
    case STATUS_RATE_LIMITED:
        return REFRESH_RATE_LIMITED;
    case STATUS_TIMEOUT:
        return REFRESH_TIMED_OUT;
    case STATUS_UNREACHABLE:
        return REFRESH_UNREACHABLE;
    default:
        return REFRESH_USELESS;
    }
}

static void end_stored(struct refreshes *refreshes, struct fetch *fetch)
{
    const struct refresh_job *job = fetch->job;
    say(refreshes, fetch, job->result == STATUS_OK ? FETCHER_STORED : FETCHER_FAILED,
        job->is_useless ? "Chartbeat's answer was of no use" : job->reason);
    refreshes_end(refreshes, fetch, outcome_of(job), job->wait_ms);
}

static void count_answer(const struct refresh_job *job, const struct chartbeat_answer *answer)
{
    metrics_count(METRIC_UPSTREAM_RESPONSES, metric_status((int)answer->status), 1);
    metrics_count(METRIC_REFRESH_BYTES, 0, answer->body_bytes);
    metrics_observe(METRIC_UPSTREAM_DURATION, 0, (job->answered_ms - job->claim.claimed_ms) * 1000);
}

/* Reads the answers that have come, as many as are stored in one round trip. */
void refreshes_store(struct refreshes *refreshes)
{
    struct fetch *fetches[LEASE_BATCH];
    struct refresh_job *jobs[LEASE_BATCH];
    size_t count = refreshes->unstored_count;
    size_t columns_bytes = 0;
    void *ended = NULL;
    enum status result = STATUS_OK;
    struct chartbeat_answer answer;
    for (size_t i = 0; i < count; i++)
        fetches[i] = refreshes->unstored[i];
    refreshes->unstored_count = 0;
    refreshes->has_more = true;
    while (count < STORE_BATCH_MAX && columns_bytes < STORE_BYTES_MAX) {
        if (!chartbeat_next(refreshes->chartbeat, -1, &ended, &result, &answer)) {
            refreshes->has_more = false;
            break;
        }
        struct fetch *fetch = ended;
        refresh_read(&refreshes->parts, fetch->job, result, &answer);
        count_answer(fetch->job, &answer);
        columns_bytes += refresh_columns_bytes(fetch->job);
        fetches[count++] = fetch;
        refreshes->running--;
    }
    chartbeat_release_answer(refreshes->chartbeat);
    if (count == 0)
        return;
    for (size_t i = 0; i < count; i++)
        jobs[i] = fetches[i]->job;
    refresh_store(&refreshes->parts, jobs, count, deadline_in(REFRESHES_STEP_MS));
    for (size_t i = 0; i < count; i++)
        end_stored(refreshes, fetches[i]);
}
