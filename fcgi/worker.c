#include "worker.h"

#include "api/service.h"
#include "base/clock.h"
#include "base/log.h"
#include "connections.h"
#include "crew.h"
#include "http/copies.h"
#include "orders.h"

#include <assert.h>
#include <errno.h>
#include <malloc.h>
#include <signal.h>
#include <sys/epoll.h>

enum {
    PARTIAL_LOOK_MS = 500,
    LATE_MAX_MS = 3000,      /* a request keeps the rest of its deadline */
    DRAIN_MS = 4000,         /* for those who are here when we are told to stop */
    DRAIN_QUIET_MS = 50,     /* nothing more has come for so long: nginx has noticed */
    BATCH = STORE_BATCH,     /* requests answered from one read */
    WORKS = CONNECTIONS_MAX, /* requests under way: who blocks keeps nobody else from being heard */
    CONNECTIONS_FAIR = 128,  /* connections it takes by itself; once it has so many, again below half of it */
    TURN_MS = 10,            /* for so long a new connection is left to another worker */
    QUIET_MAX_MS = 250, /* after a refresh was due its host's is not wanted again for so long, or the TTL */
    LOOK_MS = 50,       /* how often one looks whether another could serve its connections as well */
    ORDERS = CONNECTIONS_OTHERS, /* among the connections' numbers in epoll's data */
};

static_assert((size_t)WORKS <= (size_t)SERVICE_SETTLE_MAX, "a crowd that blocks is settled as a whole");

struct work {
    struct connection *connection; /* NULL: free */
    struct request request;
};

struct worker {
    bool awaits_turn; /* somebody wants to connect, whom we leave to others until `turn` */
    struct deadline turn;
    struct crew crew;
    struct orders *orders;
    bool has_orders; /* from others, it may be */
    bool gives_back; /* connections, to one before it: each with its next answer */
    struct deadline next_look;
    sigset_t wait_mask;
    struct service *service;
    struct connections connections;
    struct copies copies;
    struct work works[WORKS]; /* who comes takes the first that is free */
    size_t prepared;          /* of works, from the first on: their requests may be used */
    size_t taken;             /* requests in this round */
    int64_t late_ms; /* what the last round's slow work took: who has come meanwhile has waited for so long */
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

/* Under constant load the wait never sees a signal, so it is looked for after each round too. */
static bool must_stop(void)
{
    sigset_t pending;
    if (sigpending(&pending) == 0 &&
        (sigismember(&pending, SIGTERM) || sigismember(&pending, SIGUSR1) || sigismember(&pending, SIGINT)))
        stop_asked = 1;
    return stop_asked;
}

/* A worker that blocks gives its idle connections back. */
static void give_way(void *context)
{
    struct worker *worker = context;
    crew_say_ready(&worker->crew, false);
    connections_close_idle(&worker->connections);
}

static struct work *free_work(struct worker *worker)
{
    struct work *work = worker->works;
    while (work < worker->works + worker->prepared && work->connection)
        work++;
    if (work == worker->works + worker->prepared) {
        request_init(&work->request);
        worker->prepared++;
    }
    return work;
}

static void take_request(struct worker *worker, struct connection *connection)
{
    struct work *work = free_work(worker);
    FCGX_ParamArray params = connection->fcgi.envp;
    const char *copies = FCGX_GetParam("UPBEAT_CACHE", params); /* where nginx keeps them */
    worker->taken++;
    work->connection = connection;
    work->request.head = (struct request_head){
        .method = FCGX_GetParam("REQUEST_METHOD", params),
        .path = FCGX_GetParam("SCRIPT_NAME", params),
        .query = FCGX_GetParam("QUERY_STRING", params),
        .key = FCGX_GetParam("HTTP_X_CB_AK", params),
        .accept = FCGX_GetParam("HTTP_ACCEPT", params),
        .asked_headers = FCGX_GetParam("HTTP_ACCESS_CONTROL_REQUEST_HEADERS", params),
        .if_none_match = FCGX_GetParam("HTTP_IF_NONE_MATCH", params),
        .id = FCGX_GetParam("REQUEST_ID", params),
        .is_behind_cache = copies && copies_have_room(&worker->copies, copies, clock_monotonic_ms()),
    };
    work->request.response.nginx_adds_headers = FCGX_GetParam("UPBEAT_FRONTED", params) != NULL;
    service_begin(worker->service, &work->request, (int)worker->late_ms);
}

static void send_response(struct worker *worker, struct work *work)
{
    const struct request *request = &work->request;
    struct response *response = &work->request.response;
    struct connection *connection = work->connection;
    FCGX_PutStr(response->head.data, (int)response->head.len_bytes, connection->fcgi.out);
    if (response->body.len_bytes > 0)
        FCGX_PutStr(response->body.data, (int)response->body.len_bytes, connection->fcgi.out);
    connections_sent(&worker->connections, connection);
    work->connection = NULL;
    response_clear(response);
    if (request->refresh_in_ms >= 0)
        orders_want(worker->orders, request->params.host, &request->params.digest,
                    request->lookup.view.age_ms, request->refresh_in_ms);
}

/* The fewer workers serve, the more requests each finds in a round, and answers from one read: so connections
 * go to the first by rank that is ready. */
static void look_around(struct worker *worker)
{
    if (worker->crew.rank == 0 || deadline_left_ms(worker->next_look) > 0)
        return;
    worker->next_look = deadline_in(LOOK_MS);
    worker->gives_back = crew_has_ready_before(&worker->crew);
}

/* A newcomer is left to the one that he should go to, for a moment, in case that it is frozen. */
static void hear_listener(struct worker *worker)
{
    if (worker->connections.open_count >= CONNECTIONS_FAIR || crew_has_ready_before(&worker->crew)) {
        connections_listen(&worker->connections, false);
        worker->awaits_turn = true;
        worker->turn = deadline_in(TURN_MS);
        return;
    }
    while (worker->connections.open_count < CONNECTIONS_FAIR && connections_accept(&worker->connections))
        ;
}

/* Our turn has come: whoever is still there is ours. All of them, as far as we take any by ourselves: if the
 * one that they should go to is frozen, the next of them would wait as long again. */
static void take_turn(struct worker *worker)
{
    worker->awaits_turn = false;
    while (connections_accept(&worker->connections) && worker->connections.open_count < CONNECTIONS_FAIR)
        ;
    connections_listen(&worker->connections, connections_has_room(&worker->connections));
}

/* Until there is something to do, even if nothing comes; at most max_ms. */
static int wait_ms(struct worker *worker, int max_ms)
{
    if (worker->has_orders)
        return 0;
    if (connections_close_late(&worker->connections) && max_ms > PARTIAL_LOOK_MS)
        max_ms = PARTIAL_LOOK_MS;
    if (worker->awaits_turn && max_ms > deadline_left_ms(worker->turn))
        max_ms = deadline_left_ms(worker->turn);
    return orders_wait_ms(worker->orders, max_ms);
}

/* Waits for what is ready and takes it, at most BATCH. False: epoll failed. Who is about to block accepts
 * nobody and keeps no connection: what comes on one would wait behind the fetch. */
static bool gather(struct worker *worker, int timeout_ms, bool may_accept)
{
    struct epoll_event events[BATCH];
    int ready = epoll_pwait(worker->connections.epoll_fd, events, BATCH, timeout_ms, &worker->wait_mask);
    if (ready < 0)
        return errno == EINTR;
    for (int i = 0; i < ready; i++) {
        if (events[i].data.u32 == CONNECTIONS_LISTENER) {
            if (may_accept)
                hear_listener(worker);
        } else if (events[i].data.u32 == ORDERS) {
            worker->has_orders = true;
        } else {
            bool keep = may_accept && !stop_asked && !worker->gives_back;
            struct connection *connection = connections_hear(&worker->connections, events[i].data.u32, keep);
            if (connection)
                take_request(worker, connection);
        }
    }
    return true;
}

/* Answers what can be answered from one read, in one round trip. */
static void answer_ready(struct worker *worker)
{
    struct request *requests[BATCH];
    size_t count = 0;
    for (size_t i = 0; i < worker->prepared; i++) {
        struct work *work = &worker->works[i];
        if (work->connection && work->request.state == REQUEST_LOOKUP)
            requests[count++] = &work->request;
    }
    service_read(worker->service, requests, count);
    for (size_t i = 0; i < worker->prepared; i++) {
        struct work *work = &worker->works[i];
        if (work->connection && work->request.state == REQUEST_DONE)
            send_response(worker, work);
    }
}

/* To another that is ready, and hears us: it may have died, or have too much to do. What was told in vain is
 * not told to the same one again: where there is no other, we do it. */
static bool hand_over(struct worker *worker, const struct order *order, bool pass_on)
{
    for (int tries = 0; tries < worker->crew.ready.count; tries++) {
        int rank = crew_next_ready(&worker->crew, pass_on || order->in_vain >= 0);
        if (rank < 0)
            return false;
        if (rank != order->in_vain && orders_hand_over(worker->orders, order, rank))
            return true;
        pass_on = true;
    }
    return false;
}

/* Who serves leaves them to others, if there are any: those that are due at the same time to one after the
 * other, since each does one refresh at a time. */
static bool next_order(struct worker *worker, struct order *order_r)
{
    for (size_t given = 0; orders_take_due(worker->orders, order_r); given++) {
        if (!hand_over(worker, order_r, given > 0))
            return true;
    }
    worker->has_orders = worker->has_orders && orders_receive(worker->orders, order_r);
    return worker->has_orders;
}

/* answer_ready() leaves only those that block. */
static bool is_blocking(const struct worker *worker)
{
    for (size_t i = 0; i < worker->prepared; i++) {
        if (worker->works[i].connection)
            return true;
    }
    return false;
}

static void send_settled(struct request *request, void *context)
{
    char *work = (char *)request - offsetof(struct work, request);
    send_response(context, (struct work *)(void *)work);
}

/* Room that is seldom needed. What is free below the end of the heap would else stay ours. */
static void release_crowd(struct worker *worker)
{
    if (worker->prepared <= BATCH)
        return;
    while (worker->prepared > BATCH)
        request_release(&worker->works[--worker->prepared].request);
    malloc_trim(0);
}

/* What may block comes last, when everybody who was quick to answer has been answered. */
static void do_slow_work(struct worker *worker, const struct order *order)
{
    struct request *requests[WORKS];
    size_t count = 0;
    for (size_t i = 0; i < worker->prepared; i++) {
        if (worker->works[i].connection)
            requests[count++] = &worker->works[i].request;
    }
    int64_t started_ms = clock_monotonic_ms();
    service_settle(worker->service, requests, count);
    release_crowd(worker);
    if (order && !service_refresh(worker->service, order->host, &order->digest))
        orders_put_off(worker->orders, order);
    worker->late_ms = clock_monotonic_ms() - started_ms;
    if (worker->late_ms > LATE_MAX_MS)
        worker->late_ms = LATE_MAX_MS;
}

/* Until nobody is here, nor about to send, who could be answered now. */
static bool hear_all(struct worker *worker)
{
    size_t before = 0;
    int newcomers_ms = 0;
    connections_listen(&worker->connections, false);
    do {
        before = worker->taken;
        newcomers_ms = connections_newcomers_ms(&worker->connections);
        if (!gather(worker, newcomers_ms, false))
            return false;
        answer_ready(worker);
    } while (worker->taken > before || newcomers_ms > 0);
    return true;
}

static bool serve_round(struct worker *worker, int timeout_ms)
{
    struct order order;
    worker->taken = 0;
    if (!gather(worker, wait_ms(worker, timeout_ms), true))
        return false;
    answer_ready(worker);
    worker->late_ms = 0;
    bool has_order = next_order(worker, &order);
    if (!has_order && !is_blocking(worker))
        return true;
    /* Idle connections first: who came between these two the other way round would wait behind a fetch. */
    give_way(worker);
    if (!hear_all(worker))
        return false;
    do_slow_work(worker, has_order ? &order : NULL);
    return true;
}

/* Who has come by now is answered, on a connection that is then closed; who comes later finds others, if
 * there are any. */
static enum status drain(struct worker *worker)
{
    struct deadline until = deadline_in(DRAIN_MS);
    struct deadline quiet_until = deadline_in(DRAIN_QUIET_MS);
    while (connections_accept(&worker->connections))
        ;
    connections_listen(&worker->connections, false);
    worker->awaits_turn = false;
    crew_say_ready(&worker->crew, false);
    bool was_quiet = false;
    while (!was_quiet && deadline_left_ms(until) > 0) {
        int wait_ms = deadline_left_ms(quiet_until);
        if (!serve_round(worker, wait_ms))
            return STATUS_FAILED;
        if (worker->taken > 0)
            quiet_until = deadline_in(DRAIN_QUIET_MS);
        was_quiet = wait_ms == 0 && worker->taken == 0; /* and the last look came after that time */
    }
    return STATUS_OK;
}

enum status worker_run(struct worker *worker)
{
    enum { WAIT_MS = 60000, READY_AGAIN_MS = 250 };
    while (!must_stop()) {
        bool has_room = worker->connections.open_count <
                        (crew_is_ready(&worker->crew) ? CONNECTIONS_FAIR : CONNECTIONS_FAIR / 2);
        crew_say_ready(&worker->crew, has_room && !worker->has_orders);
        look_around(worker);
        /* Another who looked just then may have kept us from saying so. */
        bool is_silent = has_room && !crew_is_ready(&worker->crew);
        if (!serve_round(worker, is_silent ? READY_AGAIN_MS : WAIT_MS))
            return STATUS_FAILED;
        if (worker->awaits_turn && deadline_left_ms(worker->turn) == 0)
            take_turn(worker);
        if (!worker->awaits_turn && !worker->connections.is_listening &&
            connections_has_room(&worker->connections))
            connections_listen(&worker->connections, true);
    }
    return drain(worker);
}

static enum status join_pool(struct worker *worker, const struct settings *settings)
{
    enum status result = crew_join(&worker->crew, settings->run_dir, settings->workers);
    if (result == STATUS_OK)
        result = orders_new(&worker->orders, settings->run_dir, worker->crew.rank,
                            settings->ttl_ms < QUIET_MAX_MS ? settings->ttl_ms : QUIET_MAX_MS);
    struct epoll_event event = {.events = EPOLLIN | EPOLLET, .data.u32 = ORDERS};
    if (result == STATUS_OK &&
        epoll_ctl(worker->connections.epoll_fd, EPOLL_CTL_ADD, orders_fd(worker->orders), &event) != 0)
        result = STATUS_FAILED;
    return result;
}

enum status worker_new(struct worker **worker_r, int listen_fd, const struct settings *settings,
                       const struct secret_box *secret_box)
{
    struct worker *worker = calloc(1, sizeof *worker);
    if (!worker)
        return STATUS_NO_MEMORY;
    worker->crew = (struct crew){.ready_slot = -1, .rank_slot = -1};
    enum status result = connections_init(&worker->connections, listen_fd);
    if (result == STATUS_OK)
        result = join_pool(worker, settings);
    const struct service_calls calls = {give_way, send_settled, worker};
    if (result == STATUS_OK)
        result = service_new(&worker->service, settings, secret_box, &calls);
    if (result == STATUS_OK) {
        set_up_signals(&worker->wait_mask);
        connections_listen(&worker->connections, true);
        *worker_r = worker;
        return STATUS_OK;
    }
    int why = errno;
    worker_free(worker);
    errno = why;
    return result;
}

void worker_free(struct worker *worker)
{
    if (!worker)
        return;
    orders_free(worker->orders);
    crew_leave(&worker->crew);
    for (size_t i = 0; i < worker->prepared; i++)
        request_release(&worker->works[i].request);
    service_free(worker->service);
    connections_release(&worker->connections);
    free(worker);
}
