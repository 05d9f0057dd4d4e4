#include "server.h"

#include "crew.h"
#include "deadline.h"
#include "log.h"
#include "orders.h"
#include "peers.h"
#include "service.h"

#include <assert.h>
#include <errno.h>
#include <malloc.h>
#include <signal.h>
#include <sys/epoll.h>

enum {
    PARTIAL_LOOK_MS = 500,
    LATE_MAX_MS = 3000,    /* a request keeps the rest of its deadline */
    DRAIN_MS = 4000,       /* for those who are here when we are told to stop */
    DRAIN_QUIET_MS = 50,   /* nothing more has come for so long: nginx has noticed */
    BATCH = STORE_BATCH,   /* requests answered from one read */
    WORKS = PEERS_MAX,     /* requests under way: who blocks keeps nobody else from being heard */
    PEERS_FAIR = 128,      /* connections it takes by itself; once it has so many, again below half of it */
    TURN_MS = 10,          /* for so long a new connection is left to another worker */
    QUIET_MAX_MS = 250,    /* after a refill was due its host's is not wanted again for so long, or the TTL */
    LOOK_MS = 50,          /* how often one looks whether another could serve its connections as well */
    ORDERS = PEERS_OTHERS, /* among the peers' numbers in epoll's data */
};

static_assert((size_t)WORKS <= (size_t)SERVICE_SETTLE_MAX, "a crowd that blocks is settled as a whole");

struct work {
    struct peer *peer; /* NULL: free */
    struct exchange exchange;
};

struct server {
    bool awaits_turn; /* somebody wants to connect, whom we leave to others until `turn` */
    struct deadline turn;
    struct crew crew;
    struct orders *orders;
    bool has_orders; /* from others, it may be */
    bool gives_back; /* connections, to one before it: each with its next answer */
    struct deadline next_look;
    sigset_t wait_mask;
    struct service *service;
    struct peers peers;
    struct work works[WORKS]; /* who comes takes the first that is free */
    size_t prepared;          /* of works, from the first on: their exchanges may be used */
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
    struct server *server = context;
    crew_say_ready(&server->crew, false);
    peers_close_idle(&server->peers);
}

static struct work *free_work(struct server *server)
{
    struct work *work = server->works;
    while (work < server->works + server->prepared && work->peer)
        work++;
    if (work == server->works + server->prepared) {
        exchange_init(&work->exchange);
        server->prepared++;
    }
    return work;
}

static void take_request(struct server *server, struct peer *peer)
{
    struct work *work = free_work(server);
    FCGX_ParamArray params = peer->fcgi.envp;
    server->taken++;
    work->peer = peer;
    work->exchange.input = (struct request_input){
        .method = FCGX_GetParam("REQUEST_METHOD", params),
        .path = FCGX_GetParam("SCRIPT_NAME", params),
        .query = FCGX_GetParam("QUERY_STRING", params),
        .key = FCGX_GetParam("HTTP_X_CB_AK", params),
        .accept = FCGX_GetParam("HTTP_ACCEPT", params),
        .if_none_match = FCGX_GetParam("HTTP_IF_NONE_MATCH", params),
        .id = FCGX_GetParam("REQUEST_ID", params),
        .is_copied = FCGX_GetParam("UPBEAT_CACHE", params) != NULL,
    };
    work->exchange.response.is_fronted = FCGX_GetParam("UPBEAT_FRONTED", params) != NULL;
    service_begin(server->service, &work->exchange, (int)server->late_ms);
}

static void send_response(struct server *server, struct work *work)
{
    const struct exchange *exchange = &work->exchange;
    struct response *response = &work->exchange.response;
    struct peer *peer = work->peer;
    FCGX_PutStr(response->head.data, (int)response->head.len_bytes, peer->fcgi.out);
    if (response->body.len_bytes > 0)
        FCGX_PutStr(response->body.data, (int)response->body.len_bytes, peer->fcgi.out);
    peers_sent(&server->peers, peer);
    work->peer = NULL;
    response_clear(response);
    if (exchange->refill_in_ms >= 0)
        orders_want(server->orders, exchange->request.host, &exchange->request.digest,
                    exchange->lookup.view.age_ms, exchange->refill_in_ms);
}

/* The fewer workers serve, the more requests each finds in a round, and answers from one read: so connections
 * go to the first by rank that is ready. */
static void look_around(struct server *server)
{
    if (server->crew.rank == 0 || deadline_left_ms(server->next_look) > 0)
        return;
    server->next_look = deadline_in(LOOK_MS);
    server->gives_back = crew_has_ready_before(&server->crew);
}

/* A newcomer is left to the one that he should go to, for a moment, in case that it is frozen. */
static void hear_listener(struct server *server)
{
    if (server->peers.open_count >= PEERS_FAIR || crew_has_ready_before(&server->crew)) {
        peers_listen(&server->peers, false);
        server->awaits_turn = true;
        server->turn = deadline_in(TURN_MS);
        return;
    }
    while (server->peers.open_count < PEERS_FAIR && peers_accept(&server->peers))
        ;
}

/* Our turn has come: whoever is still there is ours. All of them, as far as we take any by ourselves: if the
 * one that they should go to is frozen, the next of them would wait as long again. */
static void take_turn(struct server *server)
{
    server->awaits_turn = false;
    while (peers_accept(&server->peers) && server->peers.open_count < PEERS_FAIR)
        ;
    peers_listen(&server->peers, peers_has_room(&server->peers));
}

/* Until there is something to do, even if nothing comes; at most max_ms. */
static int wait_ms(struct server *server, int max_ms)
{
    if (server->has_orders)
        return 0;
    if (peers_close_late(&server->peers) && max_ms > PARTIAL_LOOK_MS)
        max_ms = PARTIAL_LOOK_MS;
    if (server->awaits_turn && max_ms > deadline_left_ms(server->turn))
        max_ms = deadline_left_ms(server->turn);
    return orders_wait_ms(server->orders, max_ms);
}

/* Waits for what is ready and takes it, at most BATCH. False: epoll failed. Who is about to block accepts
 * nobody and keeps no connection: what comes on one would wait behind the fetch. */
static bool gather(struct server *server, int timeout_ms, bool may_accept)
{
    struct epoll_event events[BATCH];
    int ready = epoll_pwait(server->peers.epoll_fd, events, BATCH, timeout_ms, &server->wait_mask);
    if (ready < 0)
        return errno == EINTR;
    for (int i = 0; i < ready; i++) {
        if (events[i].data.u32 == PEERS_LISTENER) {
            if (may_accept)
                hear_listener(server);
        } else if (events[i].data.u32 == ORDERS) {
            server->has_orders = true;
        } else {
            bool keep = may_accept && !stop_asked && !server->gives_back;
            struct peer *peer = peers_hear(&server->peers, events[i].data.u32, keep);
            if (peer)
                take_request(server, peer);
        }
    }
    return true;
}

/* Answers what can be answered from one read, in one round trip. */
static void answer_ready(struct server *server)
{
    struct exchange *exchanges[BATCH];
    size_t count = 0;
    for (size_t i = 0; i < server->prepared; i++) {
        struct work *work = &server->works[i];
        if (work->peer && work->exchange.state == EXCHANGE_READ)
            exchanges[count++] = &work->exchange;
    }
    service_read(server->service, exchanges, count);
    for (size_t i = 0; i < server->prepared; i++) {
        struct work *work = &server->works[i];
        if (work->peer && work->exchange.state == EXCHANGE_DONE)
            send_response(server, work);
    }
}

/* To another that is ready, and hears us: it may have died, or have too much to do. What was told in vain is
 * not told to the same one again: where there is no other, we do it. */
static bool hand_over(struct server *server, const struct order *order, bool pass_on)
{
    for (int tries = 0; tries < server->crew.ready.count; tries++) {
        int rank = crew_next_ready(&server->crew, pass_on || order->in_vain >= 0);
        if (rank < 0)
            return false;
        if (rank != order->in_vain && orders_hand_over(server->orders, order, rank))
            return true;
        pass_on = true;
    }
    return false;
}

/* Who serves leaves them to others, if there are any: those that are due at the same time to one after the
 * other, since each does one refill at a time. */
static bool next_order(struct server *server, struct order *order_r)
{
    for (size_t given = 0; orders_take_due(server->orders, order_r); given++) {
        if (!hand_over(server, order_r, given > 0))
            return true;
    }
    server->has_orders = server->has_orders && orders_receive(server->orders, order_r);
    return server->has_orders;
}

/* answer_ready() leaves only those that block. */
static bool is_blocking(const struct server *server)
{
    for (size_t i = 0; i < server->prepared; i++) {
        if (server->works[i].peer)
            return true;
    }
    return false;
}

static void send_settled(struct exchange *exchange, void *context)
{
    char *work = (char *)exchange - offsetof(struct work, exchange);
    send_response(context, (struct work *)(void *)work);
}

/* Room that is seldom needed. What is free below the end of the heap would else stay ours. */
static void release_crowd(struct server *server)
{
    if (server->prepared <= BATCH)
        return;
    while (server->prepared > BATCH)
        exchange_release(&server->works[--server->prepared].exchange);
    malloc_trim(0);
}

/* What may block comes last, when everybody who was quick to answer has been answered. */
static void do_slow_work(struct server *server, const struct order *order)
{
    struct exchange *exchanges[WORKS];
    size_t count = 0;
    for (size_t i = 0; i < server->prepared; i++) {
        if (server->works[i].peer)
            exchanges[count++] = &server->works[i].exchange;
    }
    int64_t started_ms = clock_monotonic_ms();
    service_settle(server->service, exchanges, count);
    release_crowd(server);
    if (order && !service_refill(server->service, order->host, &order->digest))
        orders_put_off(server->orders, order);
    server->late_ms = clock_monotonic_ms() - started_ms;
    if (server->late_ms > LATE_MAX_MS)
        server->late_ms = LATE_MAX_MS;
}

/* Until nobody is here, nor about to send, who could be answered now. */
static bool hear_all(struct server *server)
{
    size_t before = 0;
    int newcomers_ms = 0;
    peers_listen(&server->peers, false);
    do {
        before = server->taken;
        newcomers_ms = peers_newcomers_ms(&server->peers);
        if (!gather(server, newcomers_ms, false))
            return false;
        answer_ready(server);
    } while (server->taken > before || newcomers_ms > 0);
    return true;
}

static bool serve_round(struct server *server, int timeout_ms)
{
    struct order order;
    server->taken = 0;
    if (!gather(server, wait_ms(server, timeout_ms), true))
        return false;
    answer_ready(server);
    server->late_ms = 0;
    bool has_order = next_order(server, &order);
    if (!has_order && !is_blocking(server))
        return true;
    /* Idle connections first: who came between these two the other way round would wait behind a fetch. */
    give_way(server);
    if (!hear_all(server))
        return false;
    do_slow_work(server, has_order ? &order : NULL);
    return true;
}

/* Who has come by now is answered, on a connection that is then closed; who comes later finds others, if
 * there are any. */
static enum up_result drain(struct server *server)
{
    struct deadline until = deadline_in(DRAIN_MS);
    struct deadline quiet_until = deadline_in(DRAIN_QUIET_MS);
    while (peers_accept(&server->peers))
        ;
    peers_listen(&server->peers, false);
    server->awaits_turn = false;
    crew_say_ready(&server->crew, false);
    bool was_quiet = false;
    while (!was_quiet && deadline_left_ms(until) > 0) {
        int wait_ms = deadline_left_ms(quiet_until);
        if (!serve_round(server, wait_ms))
            return UP_FAILED;
        if (server->taken > 0)
            quiet_until = deadline_in(DRAIN_QUIET_MS);
        was_quiet = wait_ms == 0 && server->taken == 0; /* and the last look came after that time */
    }
    return UP_OK;
}

enum up_result server_run(struct server *server)
{
    enum { WAIT_MS = 60000, READY_AGAIN_MS = 250 };
    while (!must_stop()) {
        bool has_room =
            server->peers.open_count < (crew_is_ready(&server->crew) ? PEERS_FAIR : PEERS_FAIR / 2);
        crew_say_ready(&server->crew, has_room && !server->has_orders);
        look_around(server);
        /* Another who looked just then may have kept us from saying so. */
        bool is_silent = has_room && !crew_is_ready(&server->crew);
        if (!serve_round(server, is_silent ? READY_AGAIN_MS : WAIT_MS))
            return UP_FAILED;
        if (server->awaits_turn && deadline_left_ms(server->turn) == 0)
            take_turn(server);
        if (!server->awaits_turn && !server->peers.is_listening && peers_has_room(&server->peers))
            peers_listen(&server->peers, true);
    }
    return drain(server);
}

static enum up_result join_pool(struct server *server, const struct settings *settings)
{
    enum up_result result = crew_join(&server->crew, settings->run_dir, settings->workers);
    if (result == UP_OK)
        result = orders_new(&server->orders, settings->run_dir, server->crew.rank,
                            settings->ttl_ms < QUIET_MAX_MS ? settings->ttl_ms : QUIET_MAX_MS);
    struct epoll_event event = {.events = EPOLLIN | EPOLLET, .data.u32 = ORDERS};
    if (result == UP_OK &&
        epoll_ctl(server->peers.epoll_fd, EPOLL_CTL_ADD, orders_fd(server->orders), &event) != 0)
        result = UP_FAILED;
    return result;
}

enum up_result server_new(struct server **server_r, int listen_fd, const struct settings *settings,
                          const struct keyring *keyring)
{
    struct server *server = calloc(1, sizeof *server);
    if (!server)
        return UP_NO_MEMORY;
    server->crew = (struct crew){.ready_slot = -1, .rank_slot = -1};
    enum up_result result = peers_init(&server->peers, listen_fd);
    if (result == UP_OK)
        result = join_pool(server, settings);
    const struct service_calls calls = {give_way, send_settled, server};
    if (result == UP_OK)
        result = service_new(&server->service, settings, keyring, &calls);
    if (result == UP_OK) {
        set_up_signals(&server->wait_mask);
        peers_listen(&server->peers, true);
        *server_r = server;
        return UP_OK;
    }
    int why = errno;
    server_free(server);
    errno = why;
    return result;
}

void server_free(struct server *server)
{
    if (!server)
        return;
    orders_free(server->orders);
    crew_leave(&server->crew);
    for (size_t i = 0; i < server->prepared; i++)
        exchange_release(&server->works[i].exchange);
    service_free(server->service);
    peers_release(&server->peers);
    free(server);
}
