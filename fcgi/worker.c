/* One turn of the loop: hear what is ready; look up the rows of all requests that need one, in one go; answer
 * them; make one of the queries that take longer. Requests that wait for the fetcher are parked in lib/api,
 * and come back into the look-up of a later turn. */
#include "worker.h"

#include "api/api.h"
#include "base/clock.h"
#include "base/log.h"
#include "connections.h"
#include "http/copies.h"
#include "program.h"

#include <assert.h>
#include <errno.h>
#include <malloc.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/epoll.h>

enum {
    EVENTS_MAX = 32,       /* in one turn */
    ACCEPTS_MAX = 32,      /* in one turn: a burst is shared with the workers that it has woken, too */
    WAIT_MS = 60000,       /* the longest wait of a turn */
    PARTIAL_LOOK_MS = 500, /* how often connections are looked at that have sent a part of a request */
    ACCEPT_PAUSE_MS = 100, /* before the next accept, after there was no room for a connection */
    DRAIN_MS = 4000,       /* the longest time for the open requests after the signal to stop */
    DRAIN_QUIET_MS = 50,   /* if no request comes for so long, nginx has noticed that we stop */
    SPARE_MAX = 16,        /* requests kept for the next ones */
    CROWD = 64,            /* after so many requests at once, free memory is given back to the system */
};

static_assert(CONNECTIONS_MAX > (int)SETTINGS_WAITING_MAX,
              "however many wait, there is room for who does not");

/* A request and the connection that its answer goes to. */
struct job {
    struct request request; /* first, so that a request is its job */
    struct connection *connection;
    struct job *next_spare;
};

struct queue {
    struct request *items[CONNECTIONS_MAX];
    size_t count;
};

struct worker {
    sigset_t wait_mask;
    struct api *api;
    struct connections connections;
    struct queue lookups; /* REQUEST_LOOKUP */
    struct queue queries; /* REQUEST_QUERY, oldest first */
    struct job *spare;
    int spare_count, job_count, job_peak;
    bool is_draining;
    bool accept_paused;
    struct deadline accept_again;
    struct copies copies; /* of nginx */
    size_t taken;         /* requests in this turn */
};

static volatile sig_atomic_t stop_asked;

static void ask_stop(int number)
{
    (void)number;
    stop_asked = 1;
}

/* Signals are let in only while we wait: nothing else has to expect them. */
static void set_up_signals(sigset_t *wait_mask)
{
    static const int stops[] = {SIGTERM, SIGUSR1, SIGINT};
    struct sigaction action = {.sa_handler = ask_stop};
    sigset_t blocked;
    sigemptyset(&blocked);
    for (size_t i = 0; i < sizeof stops / sizeof *stops; i++) {
        sigaction(stops[i], &action, NULL);
        sigaddset(&blocked, stops[i]);
    }
    action.sa_handler = SIG_IGN;
    sigaction(SIGHUP, &action, NULL);
    sigaction(SIGPIPE, &action, NULL);
    sigprocmask(SIG_BLOCK, &blocked, wait_mask);
    for (size_t i = 0; i < sizeof stops / sizeof *stops; i++)
        sigdelset(wait_mask, stops[i]);
}

/* Under constant load the wait never sees a signal, so it is looked for after each turn too. */
static bool must_stop(void)
{
    sigset_t pending;
    if (sigpending(&pending) == 0 &&
        (sigismember(&pending, SIGTERM) || sigismember(&pending, SIGUSR1) || sigismember(&pending, SIGINT)))
        stop_asked = 1;
    return stop_asked;
}

/* --- Jobs -------------------------------------------------------------------------------------------------
 */

static struct job *new_job(struct worker *worker)
{
    struct job *job = worker->spare;
    if (job) {
        worker->spare = job->next_spare;
        worker->spare_count--;
    } else {
        job = calloc(1, sizeof *job);
        if (!job)
            return NULL;
        request_init(&job->request);
    }
    worker->job_count++;
    if (worker->job_count > worker->job_peak)
        worker->job_peak = worker->job_count;
    return job;
}

/* After a crowd the heap has free memory that the system gets back only by malloc_trim(). */
static void end_job(struct worker *worker, struct job *job)
{
    worker->job_count--;
    if (worker->spare_count < SPARE_MAX) {
        request_clear(&job->request);
        job->next_spare = worker->spare;
        worker->spare = job;
        worker->spare_count++;
    } else {
        request_release(&job->request);
        free(job);
    }
    if (worker->job_count == 0 && worker->job_peak > CROWD)
        malloc_trim(0);
    if (worker->job_count == 0)
        worker->job_peak = 0;
}

static void push(struct queue *queue, struct request *request)
{
    queue->items[queue->count++] = request;
}

static void take_out(struct queue *queue, const struct request *request)
{
    size_t left = 0;
    for (size_t i = 0; i < queue->count; i++) {
        if (queue->items[i] != request)
            queue->items[left++] = queue->items[i];
    }
    queue->count = left;
}

static void send_response(struct worker *worker, struct job *job)
{
    struct response *response = &job->request.response;
    FCGX_Stream *out = job->connection->fcgi.out;
    FCGX_PutStr(response->head.data, (int)response->head.len_bytes, out);
    if (response->body.len_bytes > 0)
        FCGX_PutStr(response->body.data, (int)response->body.len_bytes, out);
    connections_sent(&worker->connections, job->connection);
    end_job(worker, job);
}

/* Puts a request that has changed its state where its new state belongs. */
static void go_on(struct worker *worker, struct request *request)
{
    switch (request->state) {
    case REQUEST_LOOKUP:
        push(&worker->lookups, request);
        break;
    case REQUEST_QUERY:
        push(&worker->queries, request);
        break;
    case REQUEST_WAITING: /* it comes back by api_next_woken() */
        break;
    case REQUEST_DONE:
        send_response(worker, (struct job *)request);
        break;
    }
}

/* --- What comes in ----------------------------------------------------------------------------------------
 */

static void take_request(struct worker *worker, struct connection *connection)
{
    FCGX_ParamArray params = connection->fcgi.envp;
    const char *copies = FCGX_GetParam("UPBEAT_CACHE", params); /* the folder where nginx keeps them */
    struct job *job = new_job(worker);
    if (!job) {
        connections_drop(&worker->connections, connection);
        return;
    }
    worker->taken++;
    job->connection = connection;
    connection->owner = job;
    job->request.head = (struct request_head){
        .method = FCGX_GetParam("REQUEST_METHOD", params),
        .path = FCGX_GetParam("SCRIPT_NAME", params),
        .query = FCGX_GetParam("QUERY_STRING", params),
        .key = FCGX_GetParam("HTTP_X_CB_AK", params),
        .token = FCGX_GetParam("UPBEAT_BEARER", params),
        .origin = FCGX_GetParam("HTTP_ORIGIN", params),
        .accept = FCGX_GetParam("HTTP_ACCEPT", params),
        .asked_headers = FCGX_GetParam("HTTP_ACCESS_CONTROL_REQUEST_HEADERS", params),
        .if_none_match = FCGX_GetParam("HTTP_IF_NONE_MATCH", params),
        .if_modified_since = worker->api->standby ? FCGX_GetParam("HTTP_IF_MODIFIED_SINCE", params) : NULL,
        .id = FCGX_GetParam("REQUEST_ID", params),
        .is_behind_cache = copies && copies_have_room(&worker->copies, copies, clock_monotonic_ms()),
    };
    job->request.response.nginx_adds_headers = FCGX_GetParam("UPBEAT_FRONTED", params) != NULL;
    request_begin(&job->request, worker->api);
    go_on(worker, &job->request);
}

/* nginx has closed the connection of a request that is not answered yet: its client has gone. */
static void lose_request(struct worker *worker, struct connection *connection)
{
    struct job *job = connection->owner;
    api_forget(worker->api, &job->request);
    take_out(&worker->lookups, &job->request);
    take_out(&worker->queries, &job->request);
    connections_drop(&worker->connections, connection);
    request_release(&job->request); /* in whatever state it is */
    request_init(&job->request);
    end_job(worker, job);
}

static void hear_connection(struct worker *worker, uint32_t number)
{
    struct connection *connection = NULL;
    switch (connections_hear(&worker->connections, number, !worker->is_draining, &connection)) {
    case HEARD_REQUEST:
        take_request(worker, connection);
        break;
    case HEARD_GONE:
        lose_request(worker, connection);
        break;
    case HEARD_NOTHING:
        break;
    }
}

static void hear_listener(struct worker *worker)
{
    enum accepted accepted = ACCEPTED;
    for (int i = 0; i < ACCEPTS_MAX && accepted == ACCEPTED; i++)
        accepted = connections_accept(&worker->connections);
    if (accepted == ACCEPT_FULL) {
        connections_listen(&worker->connections, false);
        worker->accept_paused = true;
        worker->accept_again = deadline_in(ACCEPT_PAUSE_MS);
    }
}

static void listen_again(struct worker *worker)
{
    if (!worker->accept_paused || deadline_left_ms(worker->accept_again) > 0)
        return;
    worker->accept_paused = false;
    connections_listen(&worker->connections, !worker->is_draining);
}

static void tend_fetcher(struct worker *worker)
{
    struct epoll_event event = {.events = EPOLLIN, .data.u32 = CONNECTIONS_FETCHER};
    struct request *request = NULL;
    if (api_tend(worker->api, clock_monotonic_ms()) && api_fetcher_fd(worker->api) >= 0)
        (void)epoll_ctl(worker->connections.epoll_fd, EPOLL_CTL_ADD, api_fetcher_fd(worker->api), &event);
    while ((request = api_next_woken(worker->api)))
        go_on(worker, request);
}

/* Returns how long the loop may wait if no event comes, at most max_ms. */
static int wait_ms(struct worker *worker, int max_ms)
{
    if (worker->lookups.count > 0 || worker->queries.count > 0)
        return 0;
    if (connections_close_late(&worker->connections) && max_ms > PARTIAL_LOOK_MS)
        max_ms = PARTIAL_LOOK_MS;
    if (worker->accept_paused && max_ms > deadline_left_ms(worker->accept_again))
        max_ms = deadline_left_ms(worker->accept_again);
    return api_timeout_ms(worker->api, clock_monotonic_ms(), max_ms);
}

/* --- The turn ---------------------------------------------------------------------------------------------
 */

static void look_up(struct worker *worker)
{
    struct queue *queue = &worker->lookups;
    struct request *requests[CONNECTIONS_MAX];
    size_t count = queue->count;
    for (size_t i = 0; i < count; i++)
        requests[i] = queue->items[i];
    queue->count = 0; /* what has to be looked up again is for the next turn */
    for (size_t done = 0, taken = 0; done < count; done += taken) {
        api_look_up(worker->api, requests + done, count - done, &taken);
        for (size_t i = done; i < done + taken; i++)
            go_on(worker, requests[i]);
    }
}

/* A turn makes one query only, so that requests that need no more than a look-up do not wait behind all
 * queries. */
static void make_query(struct worker *worker)
{
    struct request *request = worker->queries.count > 0 ? worker->queries.items[0] : NULL;
    if (!request)
        return;
    take_out(&worker->queries, request);
    request_query(request, worker->api);
    go_on(worker, request);
}

/* False: epoll failed. The woken come first: a request is then in one queue alone when its client goes. */
static bool take_turn(struct worker *worker, int max_ms)
{
    struct epoll_event events[EVENTS_MAX];
    worker->taken = 0;
    program_say_alive();
    int ready = epoll_pwait(worker->connections.epoll_fd, events, EVENTS_MAX,
                            program_wait_ms(wait_ms(worker, max_ms)), &worker->wait_mask);
    if (ready < 0 && errno != EINTR)
        return false;
    tend_fetcher(worker);
    listen_again(worker);
    for (int i = 0; i < ready; i++) {
        if (events[i].data.u32 == CONNECTIONS_LISTENER)
            hear_listener(worker);
        else if (events[i].data.u32 < CONNECTIONS_MAX)
            hear_connection(worker, events[i].data.u32);
    }
    look_up(worker);
    make_query(worker);
    return true;
}

/* Answers the requests that have come by now, and those that still come on connections that nginx keeps open,
 * and closes each connection after its answer. It ends once no request has come for DRAIN_QUIET_MS, and each
 * connection has had one. */
static enum status drain(struct worker *worker)
{
    struct deadline until = deadline_in(DRAIN_MS);
    struct deadline quiet_until = deadline_in(DRAIN_QUIET_MS);
    worker->is_draining = true;
    while (connections_accept(&worker->connections) == ACCEPTED)
        ;
    connections_listen(&worker->connections, false);
    bool was_quiet = false;
    while (!was_quiet && deadline_left_ms(until) > 0) {
        int left_ms = deadline_left_ms(quiet_until);
        if (!take_turn(worker, left_ms > 0 ? left_ms : DRAIN_QUIET_MS))
            return STATUS_FAILED;
        if (worker->taken > 0)
            quiet_until = deadline_in(DRAIN_QUIET_MS);
        was_quiet = worker->taken == 0 && worker->job_count == 0 && deadline_left_ms(quiet_until) == 0 &&
                    !connections_any_new(&worker->connections);
    }
    return STATUS_OK;
}

enum status worker_run(struct worker *worker)
{
    program_say_ready();
    while (!must_stop()) {
        if (!take_turn(worker, WAIT_MS))
            return STATUS_FAILED;
    }
    return drain(worker);
}

enum status worker_new(struct worker **worker_r, int listen_fd, const struct settings *settings)
{
    struct worker *worker = calloc(1, sizeof *worker);
    if (!worker)
        return STATUS_NO_MEMORY;
    enum status status = connections_init(&worker->connections, listen_fd);
    if (status == STATUS_OK)
        status = api_new(&worker->api, settings);
    if (status == STATUS_OK) {
        set_up_signals(&worker->wait_mask);
        connections_listen(&worker->connections, true);
        *worker_r = worker;
        return STATUS_OK;
    }
    int why = errno;
    worker_free(worker);
    errno = why;
    return status;
}

static void free_spare(struct worker *worker)
{
    while (worker->spare) {
        struct job *job = worker->spare;
        worker->spare = job->next_spare;
        request_release(&job->request);
        free(job);
    }
}

void worker_free(struct worker *worker)
{
    if (!worker)
        return;
    for (size_t i = 0; i < CONNECTIONS_MAX; i++) {
        struct connection *connection = &worker->connections.all[i];
        if (connection->is_open && connection->is_busy && connection->owner)
            lose_request(worker, connection);
    }
    free_spare(worker);
    api_free(worker->api);
    connections_release(&worker->connections);
    free(worker);
}
