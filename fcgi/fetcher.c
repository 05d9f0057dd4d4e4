#include "fetcher.h"
#include "store/roles.h"

#include "base/log.h"
#include "base/metrics.h"
#include "program.h"
#include "refreshes.h"
#include "store/tokens.h"

#include <assert.h>
#include <limits.h>
#include <signal.h>
#include <sys/signalfd.h>
#include <unistd.h>

enum {
    DUE_LOOK_MS = 150,       /* how often the hosts that are due are looked for */
    DUE_LOOK_SHARE = 10,     /* at most this part of the time is spent on looking */
    DUE_LOOK_MAX_MS = 10000, /* while the database is away */
    DUE_MAX = 100000,        /* hosts of one round */
    DUE_MAX_BYTES = 4 * 1024 * 1024,
    ASKED_MS = 250, /* hosts that somebody asked for are noted together */
    USED_MS = 1000, /* so is the use of view tokens */
    WAIT_MS = 60000,
    DRAIN_MS = 4500, /* for what is under way when we are told to stop */
    FLUSH_MS = 200,
};

static_assert(REFRESH_POLL_MAX + 1 <= CHARTBEAT_POLL_MAX, "every descriptor can be waited for");

struct fetcher {
    const struct settings *settings;
    struct refreshes refreshes;
    int signal_fd;
    bool stop_asked;
    int64_t due_look_at_ms;
    int due_pause_ms;
    int64_t asked_at_ms;
    size_t asked_count;
    char asked[LEASE_BATCH][HOST_MAX_BYTES + 1];
    int64_t used_at_ms;
    size_t used_count;
    int used_tokens[TOKENS_BATCH];
    int used_requests[TOKENS_BATCH];
};

/* --- What workers ask
 * --------------------------------------------------------------------------------------- */

static void note_asked(struct fetcher *fetcher)
{
    const char *hosts[LEASE_BATCH];
    for (size_t i = 0; i < fetcher->asked_count; i++)
        hosts[i] = fetcher->asked[i];
    enum status result = fetcher->asked_count == 0
                             ? STATUS_OK
                             : lease_asked(fetcher->refreshes.database, hosts, fetcher->asked_count,
                                           deadline_in(REFRESHES_STEP_MS));
    if (result != STATUS_OK)
        log_line(LEVEL_WARNING, NULL, "that hosts were asked for could not be noted: %s",
                 status_text(result));
    fetcher->asked_count = 0;
}

/* Collects the hosts for ASKED_MS, since a crowd asks for the same ones. A host that finds no room is left
 * out, since workers will name it again. */
static void keep_asked(struct fetcher *fetcher, const char *host)
{
    for (size_t i = 0; i < fetcher->asked_count; i++) {
        if (strcmp(fetcher->asked[i], host) == 0)
            return;
    }
    if (fetcher->asked_count == 0)
        fetcher->asked_at_ms = clock_monotonic_ms();
    if (fetcher->asked_count < LEASE_BATCH)
        snprintf(fetcher->asked[fetcher->asked_count++], sizeof fetcher->asked[0], "%s", host);
}

static void note_used(struct fetcher *fetcher)
{
    enum status result =
        fetcher->used_count == 0
            ? STATUS_OK
            : tokens_count(fetcher->refreshes.database, fetcher->used_tokens, fetcher->used_requests,
                           fetcher->used_count, deadline_in(REFRESHES_STEP_MS));
    if (result != STATUS_OK)
        log_line(LEVEL_WARNING, NULL, "the use of view tokens could not be noted: %s", status_text(result));
    fetcher->used_count = 0;
}

/* Several workers tell of the same token. */
static void keep_used(struct fetcher *fetcher, int token_id, int requests)
{
    size_t at = 0;
    while (at < fetcher->used_count && fetcher->used_tokens[at] != token_id)
        at++;
    if (at == TOKENS_BATCH) {
        note_used(fetcher);
        at = 0;
    }
    if (fetcher->used_count == 0)
        fetcher->used_at_ms = clock_monotonic_ms();
    if (at == fetcher->used_count) {
        fetcher->used_tokens[at] = token_id;
        fetcher->used_requests[at] = 0;
        fetcher->used_count++;
    }
    if (fetcher->used_requests[at] < INT_MAX - requests)
        fetcher->used_requests[at] += requests;
}

static void take_message(void *context, uint64_t connection, const struct refresh_message *message)
{
    struct fetcher *fetcher = context;
    const struct fetch_ask ask = {message->host, message->digest, message->check, message->key,
                                  fetcher->settings->ttl_ms};
    bool joined = false;
    if (message->type == REFRESH_ASKED) {
        keep_asked(fetcher, message->host);
        return;
    }
    if (message->type == REFRESH_USED) {
        keep_used(fetcher, message->token_id, message->requests);
        return;
    }
    enum status result =
        fetches_ask(fetcher->refreshes.fetches, &ask, connection, clock_monotonic_ms(), &joined);
    if (result == STATUS_OK && joined)
        keep_asked(fetcher, message->host); /* a claim notes it, but this may be the clock's, and claimed */
    if (result == STATUS_OK)
        return;
    metrics_count(METRIC_REFRESHES, REFRESH_BUSY, 1);
    struct refresh_message done = *message;
    done.type = REFRESH_DONE;
    done.outcome = REFRESH_BUSY;
    done.has_key = false;
    secret_box_wipe(done.key, sizeof done.key);
    refresh_server_answer(fetcher->refreshes.server, connection, &done);
}

static void lose_connection(void *context, uint64_t connection)
{
    struct fetcher *fetcher = context;
    fetches_forget(fetcher->refreshes.fetches, connection);
}

/* --- What is due
 * -------------------------------------------------------------------------------------------- */

/* A host that has ticks of its own is asked for at each of them, and the answer to one may have come late: so
 * the next may be a little closer than the TTL, by a quarter at most: standby_has_newest() counts on that. */
static int due_ttl_ms(const struct fetcher *fetcher, int64_t every_ms)
{
    int ttl_ms = fetcher->settings->ttl_ms;
    return every_ms >= ttl_ms ? ttl_ms - ttl_ms / 4 : ttl_ms;
}

enum status fetcher_due(struct fetcher *fetcher, const char *host, struct arena *arena,
                        struct due_list *list_r)
{
    return lease_due(fetcher->refreshes.database, host, DUE_MAX, arena, deadline_in(REFRESHES_STEP_MS),
                     list_r);
}

static void look_for_due(struct fetcher *fetcher)
{
    struct arena arena;
    struct due_list list = {0};
    int64_t from_ms = clock_monotonic_ms();
    int limit = 2 * fetcher->settings->connections - (int)fetches_queued(fetcher->refreshes.fetches);
    fetcher->due_look_at_ms = from_ms + DUE_LOOK_MS;
    if (limit <= 0)
        return;
    arena_init(&arena, DUE_MAX_BYTES);
    enum status result =
        lease_due(fetcher->refreshes.database, NULL, limit, &arena, deadline_in(REFRESHES_STEP_MS), &list);
    int64_t now_ms = clock_monotonic_ms();
    for (size_t i = 0; result == STATUS_OK && i < list.count; i++)
        result = fetches_due(fetcher->refreshes.fetches, list.items[i].host,
                             due_ttl_ms(fetcher, list.items[i].every_ms), now_ms);
    arena_release(&arena);
    int64_t pause_ms = (now_ms - from_ms) * DUE_LOOK_SHARE;
    if (result != STATUS_OK)
        pause_ms = 2 * fetcher->due_pause_ms < DUE_LOOK_MAX_MS ? 2 * fetcher->due_pause_ms : DUE_LOOK_MAX_MS;
    fetcher->due_pause_ms = (int)(pause_ms > DUE_LOOK_MS ? pause_ms : DUE_LOOK_MS);
    fetcher->due_look_at_ms = now_ms + fetcher->due_pause_ms;
}

/* --- The loop
 * ----------------------------------------------------------------------------------------------- */

static int earlier(int wait_ms, int64_t at_ms, int64_t now_ms)
{
    int64_t left_ms = at_ms - now_ms;
    return left_ms >= wait_ms ? wait_ms : left_ms > 0 ? (int)left_ms : 0;
}

/* Returns how long the loop may wait if no event comes, at most max_ms. */
static int wait_ms(const struct fetcher *fetcher, int64_t now_ms, bool looks_for_due, int max_ms)
{
    bool can_claim =
        fetches_queued(fetcher->refreshes.fetches) > 0 && refreshes_room(&fetcher->refreshes) > 0;
    if (fetcher->refreshes.has_more || fetcher->refreshes.unstored_count > 0 || can_claim)
        return 0;
    int left_ms = fetches_wait_ms(fetcher->refreshes.fetches, now_ms, max_ms);
    left_ms = refresh_server_wait_ms(fetcher->refreshes.server, now_ms, left_ms);
    if (looks_for_due)
        left_ms = earlier(left_ms, fetcher->due_look_at_ms, now_ms);
    if (fetcher->asked_count > 0)
        left_ms = earlier(left_ms, fetcher->asked_at_ms + ASKED_MS, now_ms);
    if (fetcher->used_count > 0)
        left_ms = earlier(left_ms, fetcher->used_at_ms + USED_MS, now_ms);
    return left_ms;
}

static void wait_for_events(struct fetcher *fetcher, bool looks_for_due, int max_ms)
{
    struct pollfd fds[REFRESH_POLL_MAX + 1];
    struct signalfd_siginfo told;
    int64_t now_ms = clock_monotonic_ms();
    program_say_alive();
    fds[0] = (struct pollfd){.fd = fetcher->signal_fd, .events = POLLIN};
    size_t count = 1 + refresh_server_poll_fds(fetcher->refreshes.server, now_ms, fds + 1);
    chartbeat_poll(fetcher->refreshes.chartbeat, fds, count,
                   program_wait_ms(wait_ms(fetcher, now_ms, looks_for_due, max_ms)));
    if (read(fetcher->signal_fd, &told, sizeof told) == (ssize_t)sizeof told)
        fetcher->stop_asked = true;
}

/* Each step that may wait for the database is followed by one in which workers hear of us. */
static void take_turn(struct fetcher *fetcher, bool looks_for_due, int max_ms)
{
    struct refreshes_answer late = {&fetcher->refreshes, REFRESH_TIMED_OUT, 0};
    wait_for_events(fetcher, looks_for_due, max_ms);
    refresh_server_turn(fetcher->refreshes.server, clock_monotonic_ms());
    refreshes_claim(&fetcher->refreshes);
    refresh_server_turn(fetcher->refreshes.server, clock_monotonic_ms());
    refreshes_store(&fetcher->refreshes);
    refresh_server_turn(fetcher->refreshes.server, clock_monotonic_ms());
    refreshes_look_at_held(&fetcher->refreshes);
    int64_t now_ms = clock_monotonic_ms();
    fetches_expire(fetcher->refreshes.fetches, now_ms, refreshes_answer_waiter, &late);
    refresh_server_turn(fetcher->refreshes.server, now_ms);
    if (fetcher->asked_count == LEASE_BATCH ||
        (fetcher->asked_count > 0 && now_ms - fetcher->asked_at_ms >= ASKED_MS)) {
        note_asked(fetcher);
        refresh_server_turn(fetcher->refreshes.server, clock_monotonic_ms());
    }
    if (fetcher->used_count > 0 && now_ms - fetcher->used_at_ms >= USED_MS) {
        note_used(fetcher);
        refresh_server_turn(fetcher->refreshes.server, clock_monotonic_ms());
    }
    if (looks_for_due && now_ms >= fetcher->due_look_at_ms) {
        look_for_due(fetcher);
        refresh_server_turn(fetcher->refreshes.server, clock_monotonic_ms());
    }
    metrics_set(METRIC_UPSTREAM_RUNNING, 0, (uint64_t)fetcher->refreshes.running);
    metrics_set(METRIC_QUEUED, 0, fetches_queued(fetcher->refreshes.fetches));
}

enum status fetcher_round(struct fetcher *fetcher, const struct due_list *list,
                          struct fetcher_totals *totals_r)
{
    size_t next = 0;
    fetcher->refreshes.totals = (struct fetcher_totals){.due = list->count};
    fetcher->refreshes.lost = STATUS_OK;
    while (fetches_count(fetcher->refreshes.fetches) > 0 || next < list->count) {
        if (fetcher->stop_asked || fetcher->refreshes.lost != STATUS_OK) {
            fetches_drop_due(fetcher->refreshes.fetches);
            next = list->count;
        }
        while (next < list->count && fetches_queued(fetcher->refreshes.fetches) < LEASE_BATCH &&
               fetches_due(fetcher->refreshes.fetches, list->items[next].host,
                           due_ttl_ms(fetcher, list->items[next].every_ms),
                           clock_monotonic_ms()) == STATUS_OK)
            next++;
        if (fetches_count(fetcher->refreshes.fetches) > 0)
            take_turn(fetcher, false, WAIT_MS);
    }
    *totals_r = fetcher->refreshes.totals;
    return fetcher->refreshes.lost;
}

static void drain(struct fetcher *fetcher)
{
    struct deadline until = deadline_in(DRAIN_MS);
    struct refreshes_answer late = {&fetcher->refreshes, REFRESH_BUSY, 0};
    refresh_server_drain(fetcher->refreshes.server);
    fetches_drop_due(fetcher->refreshes.fetches);
    while (fetches_count(fetcher->refreshes.fetches) > 0 && deadline_left_ms(until) > 0)
        take_turn(fetcher, false, deadline_left_ms(until));
    fetches_expire(fetcher->refreshes.fetches, INT64_MAX, refreshes_answer_waiter, &late);
    note_asked(fetcher);
    note_used(fetcher);
    until = deadline_in(FLUSH_MS);
    refresh_server_turn(fetcher->refreshes.server, clock_monotonic_ms());
    while (!refresh_server_is_flushed(fetcher->refreshes.server) && deadline_left_ms(until) > 0)
        take_turn(fetcher, false, deadline_left_ms(until));
}

void fetcher_run(struct fetcher *fetcher)
{
    program_say_ready();
    while (!fetcher->stop_asked)
        take_turn(fetcher, true, WAIT_MS);
    drain(fetcher);
}

/* Signals come over a descriptor, so that the wait for Chartbeat and workers is one for them too. */
static int open_signals(void)
{
    sigset_t stops;
    struct sigaction ignore = {.sa_handler = SIG_IGN};
    sigemptyset(&stops);
    sigaddset(&stops, SIGTERM);
    sigaddset(&stops, SIGINT);
    sigaddset(&stops, SIGUSR1); /* what multiwatch makes of TERM */
    sigprocmask(SIG_BLOCK, &stops, NULL);
    sigaction(SIGHUP, &ignore, NULL);
    sigaction(SIGPIPE, &ignore, NULL);
    return signalfd(-1, &stops, SFD_NONBLOCK | SFD_CLOEXEC);
}

static enum status init_parts(struct fetcher *fetcher, const struct settings *settings,
                              const struct secret_box *secret_box, int listen_fd)
{
    const struct chartbeat_config chartbeat = {settings->chartbeat_url, settings->chartbeat_limit,
                                               settings->upstream_timeout_ms, settings->ca_file};
    const struct refresh_server_calls calls = {take_message, lose_connection, fetcher};
    enum status result = fetcher->signal_fd >= 0 ? STATUS_OK : STATUS_FAILED;
    if (result == STATUS_OK)
        result =
            database_new(&fetcher->refreshes.database, settings->database, ROLE_FETCH, settings->prepare);
    if (result == STATUS_OK)
        result = chartbeat_new(&fetcher->refreshes.chartbeat, &chartbeat, settings->connections);
    if (result == STATUS_OK)
        result = fetches_new(&fetcher->refreshes.fetches);
    if (result == STATUS_OK)
        result = refresh_server_new(&fetcher->refreshes.server, listen_fd, &calls);
    fetcher->refreshes.parts = (struct refresh_parts){
        .database = fetcher->refreshes.database,
        .secret_box = secret_box,
        .bounds = {settings->upstream_timeout_ms + LEASE_MARGIN_MS, settings->rate_per_minute},
        .row_limit = settings->chartbeat_limit,
        .drop_parameters = settings->drop_parameters,
    };
    return result;
}

enum status fetcher_new(struct fetcher **fetcher_r, const struct settings *settings,
                        const struct secret_box *secret_box, int listen_fd, fetcher_report *report,
                        void *context)
{
    struct fetcher *fetcher = calloc(1, sizeof *fetcher);
    if (!fetcher)
        return STATUS_NO_MEMORY;
    fetcher->settings = settings;
    fetcher->refreshes.settings = settings;
    fetcher->refreshes.report = report;
    fetcher->refreshes.context = context;
    fetcher->due_pause_ms = DUE_LOOK_MS;
    fetcher->signal_fd = open_signals();
    enum status result = init_parts(fetcher, settings, secret_box, listen_fd);
    if (result == STATUS_OK)
        *fetcher_r = fetcher;
    else
        fetcher_free(fetcher);
    return result;
}

void fetcher_free(struct fetcher *fetcher)
{
    if (!fetcher)
        return;
    chartbeat_free(fetcher->refreshes.chartbeat);
    refresh_server_free(fetcher->refreshes.server);
    fetches_free(fetcher->refreshes.fetches, refreshes_drop_job);
    database_free(fetcher->refreshes.database);
    if (fetcher->signal_fd >= 0)
        close(fetcher->signal_fd);
    free(fetcher);
}
