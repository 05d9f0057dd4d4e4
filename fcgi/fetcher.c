#include "fetcher.h"
#include "store/roles.h"

#include "base/log.h"
#include "program.h"
#include "refresh/server.h"
#include "store/tokens.h"
#include "upstream/chartbeat.h"
#include "upstream/fetches.h"
#include "upstream/refresh.h"

#include <assert.h>
#include <limits.h>
#include <signal.h>
#include <sys/signalfd.h>
#include <unistd.h>

enum {
    DATABASE_MS = 800,   /* of one step in all: workers hear nothing meanwhile, see REFRESH_SILENCE_MS */
    STORE_BATCH_MAX = 8, /* answers read before they are stored: lists of new pages take a while */
    STORE_BYTES_MAX = 4 * 1024 * 1024,
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
    struct database *database;
    struct chartbeat *chartbeat;
    struct refresh_parts refresh;
    struct fetches *fetches;
    struct refresh_server *server;
    int signal_fd;
    bool stop_asked;
    fetcher_report *report;
    void *context;
    struct fetcher_totals totals;
    enum status lost;                    /* of the database, in a round */
    int running;                         /* requests to Chartbeat */
    struct fetch *unstored[LEASE_BATCH]; /* could not be asked for: their failure is to be recorded */
    size_t unstored_count;
    bool has_more; /* answers that were not read in this turn */
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

/* --- Answers
 * ------------------------------------------------------------------------------------------------ */

struct answering {
    struct fetcher *fetcher;
    enum refresh_outcome outcome;
    int wait_ms;
};

static void answer_waiter(void *context, const struct fetch *fetch, const struct fetch_waiter *waiter)
{
    const struct answering *answering = context;
    struct refresh_message done = {.type = REFRESH_DONE,
                                   .digest = waiter->digest,
                                   .check = waiter->check,
                                   .outcome = answering->outcome,
                                   .wait_ms = answering->wait_ms};
    memcpy(done.host, fetch->host, sizeof done.host);
    refresh_server_answer(answering->fetcher->server, waiter->connection, &done);
}

static void say(struct fetcher *fetcher, const struct fetch *fetch, enum fetcher_outcome outcome,
                const char *why)
{
    fetcher->totals.stored += outcome == FETCHER_STORED;
    fetcher->totals.skipped += outcome == FETCHER_SKIPPED;
    fetcher->totals.failed += outcome == FETCHER_FAILED;
    const struct fetcher_event event = {fetch->host, outcome, why, clock_monotonic_ms() - fetch->queued_ms};
    if (fetcher->report)
        fetcher->report(fetcher->context, &event);
}

static void drop_job(void *job)
{
    refresh_drop(job);
    free(job);
}

/* The end of every refresh. */
static void end(struct fetcher *fetcher, struct fetch *fetch, enum refresh_outcome outcome, int wait_ms)
{
    struct answering answering = {fetcher, outcome, wait_ms > 0 ? wait_ms : 0};
    bool of_key_alone = outcome == REFRESH_KEY_REFUSED || outcome == REFRESH_BAD_KEYS;
    if (fetch->job)
        drop_job(fetch->job);
    fetches_end(fetcher->fetches, fetch, of_key_alone, clock_monotonic_ms(), answer_waiter, &answering);
}

/* --- Claiming
 * ----------------------------------------------------------------------------------------------- */

static void end_claim(struct fetcher *fetcher, struct fetch *fetch, const struct lease_claim *claim)
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
    say(fetcher, fetch, FETCHER_SKIPPED, ends[claim->outcome].why);
    end(fetcher, fetch, ends[claim->outcome].outcome, claim->wait_ms);
}

static void start(struct fetcher *fetcher, struct fetch *fetch)
{
    struct refresh_job *job = fetch->job;
    enum status result = job->result;
    if (result == STATUS_OK) {
        result = chartbeat_start(fetcher->chartbeat, fetch->host, job->key,
                                 deadline_in(fetcher->settings->upstream_timeout_ms), fetch);
        if (result != STATUS_OK)
            refresh_read(&fetcher->refresh, job, result, &chartbeat_no_answer);
    }
    if (result == STATUS_OK)
        fetcher->running++;
    else
        fetcher->unstored[fetcher->unstored_count++] = fetch;
}

static void take_claim(struct fetcher *fetcher, struct fetch *fetch)
{
    const struct refresh_job *job = fetch->job;
    if (job->claim.outcome == CLAIM_GRANTED)
        start(fetcher, fetch);
    else if (job->claim.outcome != CLAIM_HELD || !fetches_hold(fetcher->fetches, fetch, clock_monotonic_ms()))
        end_claim(fetcher, fetch, &job->claim);
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
static void claim(struct fetcher *fetcher, struct fetch **fetches, size_t count)
{
    struct refresh_job *jobs[LEASE_BATCH];
    for (size_t i = 0; i < count; i++)
        jobs[i] = fetches[i]->job;
    enum status result = refresh_claim(&fetcher->refresh, jobs, count, deadline_in(DATABASE_MS));
    for (size_t i = 0; i < count; i++) {
        if (result == STATUS_OK) {
            take_claim(fetcher, fetches[i]);
        } else if (result == STATUS_FAILED && count > 1) {
            claim(fetcher, &fetches[i], 1);
        } else {
            fetcher->lost = result == STATUS_FAILED ? fetcher->lost : result;
            say(fetcher, fetches[i], FETCHER_FAILED, "the database can't be reached");
            end(fetcher, fetches[i], REFRESH_DATABASE, 0);
        }
    }
}

static int room(const struct fetcher *fetcher)
{
    return fetcher->settings->connections - fetcher->running - (int)fetcher->unstored_count;
}

/* Claims as many hosts as Chartbeat may be asked for now, in one round trip. */
static void claim_queued(struct fetcher *fetcher)
{
    struct fetch *fetches[LEASE_BATCH];
    size_t count = 0;
    struct fetch *fetch = NULL;
    while (count < LEASE_BATCH && fetcher->unstored_count == 0 && (int)count < room(fetcher) &&
           (fetch = fetches_next(fetcher->fetches))) {
        if (prepare_job(fetch))
            fetches[count++] = fetch;
        else
            end(fetcher, fetch, REFRESH_BUSY, 0);
    }
    if (count == 0)
        return;
    claim(fetcher, fetches, count);
    chartbeat_poll(fetcher->chartbeat, NULL, 0,
                   0); /* the requests leave before we wait for the database again */
}

/* The lease of another process is over once its row says so: then the claim says what came of it. */
static void look_at_held(struct fetcher *fetcher)
{
    struct fetch *fetches[LEASE_BATCH];
    const char *hosts[LEASE_BATCH];
    bool is_free[LEASE_BATCH] = {false};
    size_t count = fetches_to_look_at(fetcher->fetches, clock_monotonic_ms(), fetches, LEASE_BATCH);
    if (count == 0)
        return;
    for (size_t i = 0; i < count; i++)
        hosts[i] = fetches[i]->host;
    enum status result = lease_look(fetcher->database, hosts, count, fetcher->refresh.bounds.lease_ms,
                                    deadline_in(DATABASE_MS), is_free);
    for (size_t i = 0; i < count; i++) {
        if (result != STATUS_OK)
            end(fetcher, fetches[i], REFRESH_DATABASE, 0);
        else if (is_free[i] && fetches[i]->waiters)
            fetches_queue_again(fetcher->fetches, fetches[i]);
        else if (!fetches_hold(fetcher->fetches, fetches[i], clock_monotonic_ms()))
            end(fetcher, fetches[i], REFRESH_STORED, 0);
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

static void end_stored(struct fetcher *fetcher, struct fetch *fetch)
{
    const struct refresh_job *job = fetch->job;
    say(fetcher, fetch, job->result == STATUS_OK ? FETCHER_STORED : FETCHER_FAILED,
        job->is_useless ? "Chartbeat's answer was of no use" : job->reason);
    end(fetcher, fetch, outcome_of(job), job->wait_ms);
}

/* Reads the answers that have come, as many as are stored in one round trip. */
static void store_ended(struct fetcher *fetcher)
{
    struct fetch *fetches[LEASE_BATCH];
    struct refresh_job *jobs[LEASE_BATCH];
    size_t count = fetcher->unstored_count;
    size_t columns_bytes = 0;
    void *ended = NULL;
    enum status result = STATUS_OK;
    struct chartbeat_answer answer;
    for (size_t i = 0; i < count; i++)
        fetches[i] = fetcher->unstored[i];
    fetcher->unstored_count = 0;
    fetcher->has_more = true;
    while (count < STORE_BATCH_MAX && columns_bytes < STORE_BYTES_MAX) {
        if (!chartbeat_next(fetcher->chartbeat, -1, &ended, &result, &answer)) {
            fetcher->has_more = false;
            break;
        }
        struct fetch *fetch = ended;
        refresh_read(&fetcher->refresh, fetch->job, result, &answer);
        columns_bytes += refresh_columns_bytes(fetch->job);
        fetches[count++] = fetch;
        fetcher->running--;
    }
    chartbeat_release_answer(fetcher->chartbeat);
    if (count == 0)
        return;
    for (size_t i = 0; i < count; i++)
        jobs[i] = fetches[i]->job;
    refresh_store(&fetcher->refresh, jobs, count, deadline_in(DATABASE_MS));
    for (size_t i = 0; i < count; i++)
        end_stored(fetcher, fetches[i]);
}

/* --- What workers ask
 * --------------------------------------------------------------------------------------- */

static void note_asked(struct fetcher *fetcher)
{
    const char *hosts[LEASE_BATCH];
    for (size_t i = 0; i < fetcher->asked_count; i++)
        hosts[i] = fetcher->asked[i];
    enum status result =
        fetcher->asked_count == 0
            ? STATUS_OK
            : lease_asked(fetcher->database, hosts, fetcher->asked_count, deadline_in(DATABASE_MS));
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
    enum status result = fetcher->used_count == 0
                             ? STATUS_OK
                             : tokens_count(fetcher->database, fetcher->used_tokens, fetcher->used_requests,
                                            fetcher->used_count, deadline_in(DATABASE_MS));
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
    enum status result = fetches_ask(fetcher->fetches, &ask, connection, clock_monotonic_ms(), &joined);
    if (result == STATUS_OK && joined)
        keep_asked(fetcher, message->host); /* a claim notes it, but this may be the clock's, and claimed */
    if (result == STATUS_OK)
        return;
    struct refresh_message done = *message;
    done.type = REFRESH_DONE;
    done.outcome = REFRESH_BUSY;
    done.has_key = false;
    secret_box_wipe(done.key, sizeof done.key);
    refresh_server_answer(fetcher->server, connection, &done);
}

static void lose_connection(void *context, uint64_t connection)
{
    struct fetcher *fetcher = context;
    fetches_forget(fetcher->fetches, connection);
}

/* --- What is due
 * -------------------------------------------------------------------------------------------- */

/* A host that has ticks of its own is asked for at each of them, and the answer to one may have come late: so
 * the next may be a little closer than the TTL. */
static int due_ttl_ms(const struct fetcher *fetcher, int64_t every_ms)
{
    int ttl_ms = fetcher->settings->ttl_ms;
    return every_ms >= ttl_ms ? ttl_ms - ttl_ms / 4 : ttl_ms;
}

enum status fetcher_due(struct fetcher *fetcher, const char *host, struct arena *arena,
                        struct due_list *list_r)
{
    return lease_due(fetcher->database, host, DUE_MAX, arena, deadline_in(DATABASE_MS), list_r);
}

static void look_for_due(struct fetcher *fetcher)
{
    struct arena arena;
    struct due_list list = {0};
    int64_t from_ms = clock_monotonic_ms();
    int limit = 2 * fetcher->settings->connections - (int)fetches_queued(fetcher->fetches);
    fetcher->due_look_at_ms = from_ms + DUE_LOOK_MS;
    if (limit <= 0)
        return;
    arena_init(&arena, DUE_MAX_BYTES);
    enum status result = lease_due(fetcher->database, NULL, limit, &arena, deadline_in(DATABASE_MS), &list);
    int64_t now_ms = clock_monotonic_ms();
    for (size_t i = 0; result == STATUS_OK && i < list.count; i++)
        result = fetches_due(fetcher->fetches, list.items[i].host,
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
    bool can_claim = fetches_queued(fetcher->fetches) > 0 && room(fetcher) > 0;
    if (fetcher->has_more || fetcher->unstored_count > 0 || can_claim)
        return 0;
    int left_ms = fetches_wait_ms(fetcher->fetches, now_ms, max_ms);
    left_ms = refresh_server_wait_ms(fetcher->server, now_ms, left_ms);
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
    size_t count = 1 + refresh_server_poll_fds(fetcher->server, now_ms, fds + 1);
    chartbeat_poll(fetcher->chartbeat, fds, count,
                   program_wait_ms(wait_ms(fetcher, now_ms, looks_for_due, max_ms)));
    if (read(fetcher->signal_fd, &told, sizeof told) == (ssize_t)sizeof told)
        fetcher->stop_asked = true;
}

/* Each step that may wait for the database is followed by one in which workers hear of us. */
static void take_turn(struct fetcher *fetcher, bool looks_for_due, int max_ms)
{
    struct answering late = {fetcher, REFRESH_TIMED_OUT, 0};
    wait_for_events(fetcher, looks_for_due, max_ms);
    refresh_server_turn(fetcher->server, clock_monotonic_ms());
    claim_queued(fetcher);
    refresh_server_turn(fetcher->server, clock_monotonic_ms());
    store_ended(fetcher);
    refresh_server_turn(fetcher->server, clock_monotonic_ms());
    look_at_held(fetcher);
    int64_t now_ms = clock_monotonic_ms();
    fetches_expire(fetcher->fetches, now_ms, answer_waiter, &late);
    refresh_server_turn(fetcher->server, now_ms);
    if (fetcher->asked_count == LEASE_BATCH ||
        (fetcher->asked_count > 0 && now_ms - fetcher->asked_at_ms >= ASKED_MS)) {
        note_asked(fetcher);
        refresh_server_turn(fetcher->server, clock_monotonic_ms());
    }
    if (now_ms - fetcher->used_at_ms >= USED_MS)
        note_used(fetcher);
    if (looks_for_due && now_ms >= fetcher->due_look_at_ms) {
        look_for_due(fetcher);
        refresh_server_turn(fetcher->server, clock_monotonic_ms());
    }
}

enum status fetcher_round(struct fetcher *fetcher, const struct due_list *list,
                          struct fetcher_totals *totals_r)
{
    size_t next = 0;
    fetcher->totals = (struct fetcher_totals){.due = list->count};
    fetcher->lost = STATUS_OK;
    while (fetches_count(fetcher->fetches) > 0 || next < list->count) {
        if (fetcher->stop_asked || fetcher->lost != STATUS_OK) {
            fetches_drop_due(fetcher->fetches);
            next = list->count;
        }
        while (next < list->count && fetches_queued(fetcher->fetches) < LEASE_BATCH &&
               fetches_due(fetcher->fetches, list->items[next].host,
                           due_ttl_ms(fetcher, list->items[next].every_ms),
                           clock_monotonic_ms()) == STATUS_OK)
            next++;
        if (fetches_count(fetcher->fetches) > 0)
            take_turn(fetcher, false, WAIT_MS);
    }
    *totals_r = fetcher->totals;
    return fetcher->lost;
}

static void drain(struct fetcher *fetcher)
{
    struct deadline until = deadline_in(DRAIN_MS);
    struct answering late = {fetcher, REFRESH_BUSY, 0};
    refresh_server_drain(fetcher->server);
    fetches_drop_due(fetcher->fetches);
    while (fetches_count(fetcher->fetches) > 0 && deadline_left_ms(until) > 0)
        take_turn(fetcher, false, deadline_left_ms(until));
    fetches_expire(fetcher->fetches, INT64_MAX, answer_waiter, &late);
    note_asked(fetcher);
    note_used(fetcher);
    until = deadline_in(FLUSH_MS);
    refresh_server_turn(fetcher->server, clock_monotonic_ms());
    while (!refresh_server_is_flushed(fetcher->server) && deadline_left_ms(until) > 0)
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
        result = database_new(&fetcher->database, settings->database, ROLE_FETCH, settings->prepare);
    if (result == STATUS_OK)
        result = chartbeat_new(&fetcher->chartbeat, &chartbeat, settings->connections);
    if (result == STATUS_OK)
        result = fetches_new(&fetcher->fetches);
    if (result == STATUS_OK)
        result = refresh_server_new(&fetcher->server, listen_fd, &calls);
    fetcher->refresh = (struct refresh_parts){
        .database = fetcher->database,
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
    fetcher->report = report;
    fetcher->context = context;
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
    chartbeat_free(fetcher->chartbeat);
    refresh_server_free(fetcher->server);
    fetches_free(fetcher->fetches, drop_job);
    database_free(fetcher->database);
    if (fetcher->signal_fd >= 0)
        close(fetcher->signal_fd);
    free(fetcher);
}
