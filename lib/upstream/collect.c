#include "upstream/collect.h"

#include "base/log.h"
#include "store/store.h"
#include "upstream/chartbeat.h"
#include "upstream/refresh.h"

enum {
    DATABASE_MS = 5000,    /* of one call of the collector's: it can wait longer than a client */
    ROLL_UP_MS = 60000,    /* of one roll-up */
    MAINTAIN_MS = 3600000, /* how often partitions are looked after */
    POLL_MS = 200,
};

struct task {
    bool is_busy;
    int64_t started_ms;
    struct refresh_job job;
};

struct collector {
    const struct settings *settings;
    struct store *store;
    struct maintenance *history;
    struct chartbeat *chartbeat;
    struct refresh_parts refresh;
    int64_t maintained_ms; /* 0: not yet */
    int64_t forgot_ms;
    struct task *tasks; /* as many as connections */
};

/* What a round hands around. */
struct round {
    struct collector *collector;
    collect_report *report;
    void *context;
    struct collect_totals totals;
    size_t busy;
    enum status lost; /* of the database */
};

static enum status init_parts(struct collector *collector, const struct settings *settings,
                              const struct secret_box *secret_box)
{
    const struct store_config store = {settings->database, settings->ttl_ms, settings->prepare};
    const struct chartbeat_config chartbeat = {settings->chartbeat_url, settings->chartbeat_limit,
                                               settings->upstream_timeout_ms};
    collector->tasks = calloc((size_t)settings->connections, sizeof *collector->tasks);
    enum status result = collector->tasks ? STATUS_OK : STATUS_NO_MEMORY;
    if (result == STATUS_OK)
        result = store_new(&collector->store, &store);
    if (result == STATUS_OK)
        result = maintenance_new(&collector->history, settings->database, settings->prepare);
    if (result == STATUS_OK)
        result = chartbeat_new(&collector->chartbeat, &chartbeat, settings->connections);
    collector->refresh = (struct refresh_parts){
        .store = collector->store,
        .secret_box = secret_box,
        .bounds = {settings->ttl_ms, settings->upstream_timeout_ms + LEASE_MARGIN_MS,
                   settings->rate_per_minute},
        .row_limit = settings->chartbeat_limit,
        .drop_parameters = settings->drop_parameters,
    };
    return result;
}

enum status collect_new(struct collector **collector_r, const struct settings *settings,
                        const struct secret_box *secret_box)
{
    struct collector *collector = calloc(1, sizeof *collector);
    if (!collector)
        return STATUS_NO_MEMORY;
    collector->settings = settings;
    enum status result = init_parts(collector, settings, secret_box);
    if (result == STATUS_OK)
        *collector_r = collector;
    else
        collect_free(collector);
    return result;
}

void collect_free(struct collector *collector)
{
    if (!collector)
        return;
    chartbeat_free(collector->chartbeat);
    maintenance_free(collector->history);
    store_free(collector->store);
    free(collector->tasks);
    free(collector);
}

enum status collect_due(struct collector *collector, const char *host, struct arena *arena,
                        struct due_list *list_r)
{
    return maintenance_due(collector->history, host, collector->settings->ttl_ms, arena,
                           deadline_in(DATABASE_MS), list_r);
}

static void say(struct round *round, const char *host, enum collect_outcome outcome, const char *why,
                int64_t started_ms)
{
    const struct collect_event event = {host, outcome, why, clock_monotonic_ms() - started_ms};
    round->totals.stored += outcome == COLLECT_STORED;
    round->totals.skipped += outcome == COLLECT_SKIPPED;
    round->totals.failed += outcome == COLLECT_FAILED;
    round->report(round->context, &event);
}

static const char *why_skipped(enum claim_outcome outcome)
{
    static const char *const words[] = {
        [CLAIM_NOT_NEEDED] = "it has just been done",
        [CLAIM_HELD] = "somebody else is at it",
        [CLAIM_BACKOFF] = "back-off",
        [CLAIM_RATE_LIMITED] = "the rate budget is used up",
        [CLAIM_BAD_KEYS] = "too many keys were guessed",
        [CLAIM_NO_KEY] = "no key is accepted",
    };
    return words[outcome];
}

static struct task *free_task(struct collector *collector)
{
    struct task *task = collector->tasks;
    while (task->is_busy)
        task++;
    return task;
}

static void start_task(struct round *round, const char *host)
{
    struct collector *collector = round->collector;
    struct task *task = free_task(collector);
    task->started_ms = clock_monotonic_ms();
    enum status result =
        refresh_begin(&collector->refresh, host, NULL, NULL, false, deadline_in(DATABASE_MS), &task->job);
    if (result == STATUS_UNREACHABLE || result == STATUS_TIMEOUT)
        round->lost = result;
    if (result != STATUS_OK) {
        say(round, host, COLLECT_FAILED,
            result == STATUS_FAILED ? "its key can't be opened" : "the database can't be reached",
            task->started_ms);
        return;
    }
    if (task->job.claim.outcome != CLAIM_GRANTED) {
        say(round, host, COLLECT_SKIPPED, why_skipped(task->job.claim.outcome), task->started_ms);
        return;
    }
    result = chartbeat_start(collector->chartbeat, host, task->job.key,
                             deadline_in(collector->settings->upstream_timeout_ms), task);
    task->is_busy = result == STATUS_OK;
    round->busy += task->is_busy;
    if (result != STATUS_OK) {
        struct refresh_report report;
        refresh_end(&collector->refresh, &task->job, result, &chartbeat_no_answer, deadline_in(DATABASE_MS),
                    &report);
        say(round, host, COLLECT_FAILED, chartbeat_no_answer.reason, task->started_ms);
    }
}

static void end_task(struct round *round, struct task *task, enum status result,
                     const struct chartbeat_answer *answer)
{
    struct refresh_report report;
    refresh_end(&round->collector->refresh, &task->job, result, answer, deadline_in(DATABASE_MS), &report);
    task->is_busy = false;
    round->busy--;
    if (report.result == STATUS_OK)
        say(round, task->job.host, COLLECT_STORED, "", task->started_ms);
    else if (report.from_database)
        say(round, task->job.host, COLLECT_FAILED, "it could not be stored", task->started_ms);
    else
        say(round, task->job.host, COLLECT_FAILED,
            result == STATUS_OK ? "Chartbeat's answer was of no use" : answer->reason, task->started_ms);
}

enum status collect_round(struct collector *collector, const struct due_list *list,
                          const volatile sig_atomic_t *stop, collect_report *report, void *context,
                          struct collect_totals *totals_r)
{
    struct round round = {collector, report, context, {.due = list->count}, 0, STATUS_OK};
    size_t next = 0;
    while (round.busy > 0 || (next < list->count && !*stop && round.lost == STATUS_OK)) {
        if (next < list->count && !*stop && round.lost == STATUS_OK &&
            chartbeat_has_capacity(collector->chartbeat)) {
            start_task(&round, list->items[next++].host);
            /* A claim takes a moment: those who have their answer meanwhile are not kept waiting. */
        }
        struct task *task = NULL;
        void *ended = NULL;
        enum status result = STATUS_OK;
        struct chartbeat_answer answer;
        bool may_start = next < list->count && !*stop && round.lost == STATUS_OK &&
                         chartbeat_has_capacity(collector->chartbeat);
        if (round.busy == 0 ||
            !chartbeat_next(collector->chartbeat, may_start ? 0 : POLL_MS, &ended, &result, &answer))
            continue;
        task = ended;
        end_task(&round, task, result, &answer);
        chartbeat_release_answer(collector->chartbeat);
    }
    *totals_r = round.totals;
    return round.lost;
}

static struct maintenance_periods periods_of(const struct settings *settings)
{
    return (struct maintenance_periods){settings->keep_raw_hours, settings->keep_minute_days,
                                        settings->keep_quarter_months};
}

static bool is_due(int64_t last_ms)
{
    return last_ms == 0 || clock_monotonic_ms() - last_ms >= MAINTAIN_MS;
}

static enum status maintain(struct collector *collector)
{
    const struct maintenance_periods periods = periods_of(collector->settings);
    int done = 0;
    if (!is_due(collector->maintained_ms))
        return STATUS_OK;
    enum status result = maintenance_maintain(collector->history, &periods, deadline_in(ROLL_UP_MS), &done);
    if (result == STATUS_OK)
        collector->maintained_ms = clock_monotonic_ms();
    if (result == STATUS_OK && done > 0)
        log_line(LEVEL_INFO, "history", "%d partitions made or dropped", done);
    return result;
}

/* When everything else is done; what fails is for the next hour. */
static void forget(struct collector *collector, struct deadline until)
{
    const struct maintenance_periods periods = periods_of(collector->settings);
    enum status result = STATUS_OK;
    int done = 1;
    while (is_due(collector->forgot_ms) && deadline_left_ms(until) > 0) {
        result = maintenance_forget(collector->history, &periods, deadline_in(DATABASE_MS), &done);
        if (result != STATUS_OK)
            log_line(LEVEL_WARNING, "history", "pages could not be forgotten: %s", status_text(result));
        else if (done > 0)
            log_line(LEVEL_INFO, "history", "%d pages forgotten", done);
        if (result != STATUS_OK || done == 0)
            collector->forgot_ms = clock_monotonic_ms();
    }
}

enum status collect_remember(struct collector *collector, int for_ms, bool *more_r)
{
    struct deadline until = deadline_in(for_ms);
    int done = 1;
    int rolled = 0;
    enum status result = maintain(collector);
    while (result == STATUS_OK && done > 0 && deadline_left_ms(until) > 0) {
        result = maintenance_roll_up(collector->history, deadline_in(ROLL_UP_MS), &done);
        rolled += result == STATUS_OK ? done : 0;
    }
    if (rolled > 0)
        log_line(LEVEL_INFO, "history", "%d quarters rolled up", rolled);
    if (result != STATUS_OK)
        return result;
    *more_r = done > 0;
    if (done == 0)
        forget(collector, until);
    return STATUS_OK;
}
