#include "peers.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

enum {
    STEP_S = 2,        /* a peer may take so long for one read or write */
    PARTIAL_MS = 3000, /* and so long to send the rest of a request */
    SILENT_MS = 50,    /* nginx sends as soon as it has connected, if the machine lets it */
};

static enum up_result check_listener(int fd)
{
    int listens = 0;
    socklen_t len = sizeof listens;
    if (getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listens, &len) != 0 || !listens)
        return UP_INVALID;
    int flags = fcntl(fd, F_GETFL);
    return flags >= 0 && fcntl(fd, F_SETFL, flags | O_NONBLOCK) == 0 ? UP_OK : UP_FAILED;
}

enum up_result peers_init(struct peers *peers, int listen_fd)
{
    peers->listen_fd = listen_fd;
    peers->epoll_fd = -1;
    enum up_result result = check_listener(listen_fd);
    if (result != UP_OK)
        return result;
    peers->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    return peers->epoll_fd >= 0 && FCGX_Init() == 0 ? UP_OK : UP_FAILED;
}

static void lose(struct peers *peers, struct peer *peer)
{
    peer->is_open = false;
    peer->is_busy = false;
    peers->open_count--;
}

static void close_peer(struct peers *peers, struct peer *peer)
{
    peer->fcgi.detached = 1; /* else libfcgi waits up to 2 s for the peer to close its side */
    FCGX_Free(&peer->fcgi, 1);
    lose(peers, peer);
}

void peers_release(struct peers *peers)
{
    for (size_t i = 0; i < PEERS_MAX; i++) {
        if (peers->all[i].is_open)
            close_peer(peers, &peers->all[i]);
    }
    if (peers->epoll_fd >= 0)
        close(peers->epoll_fd);
    peers->epoll_fd = -1;
}

void peers_listen(struct peers *peers, bool listen)
{
    struct epoll_event event = {.events = EPOLLIN | EPOLLEXCLUSIVE, .data.u32 = PEERS_LISTENER};
    if (peers->is_listening == listen)
        return;
    if (epoll_ctl(peers->epoll_fd, listen ? EPOLL_CTL_ADD : EPOLL_CTL_DEL, peers->listen_fd, &event) == 0)
        peers->is_listening = listen;
}

bool peers_has_room(const struct peers *peers)
{
    return peers->open_count < PEERS_MAX;
}

static struct peer *free_peer(struct peers *peers)
{
    for (size_t i = 0; i < PEERS_MAX; i++) {
        if (!peers->all[i].is_open)
            return &peers->all[i];
    }
    return NULL;
}

bool peers_accept(struct peers *peers)
{
    struct peer *peer = free_peer(peers);
    int fd = peer ? accept4(peers->listen_fd, NULL, NULL, SOCK_CLOEXEC) : -1;
    if (fd < 0)
        return false; /* somebody else was faster, or it is gone again */
    const struct timeval step = {.tv_sec = STEP_S};
    struct epoll_event event = {.events = EPOLLIN | EPOLLRDHUP, .data.u32 = (uint32_t)(peer - peers->all)};
    /* Without a listening socket of its own libfcgi can't go and accept behind our back. */
    if (setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &step, sizeof step) != 0 ||
        setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &step, sizeof step) != 0 ||
        FCGX_InitRequest(&peer->fcgi, -1, FCGI_FAIL_ACCEPT_ON_INTR) != 0 ||
        epoll_ctl(peers->epoll_fd, EPOLL_CTL_ADD, fd, &event) != 0) {
        close(fd);
        return true;
    }
    peer->fcgi.ipcFd = fd;
    peer->is_open = true;
    peer->is_busy = false;
    peer->has_served = false;
    peer->is_partial = false;
    peer->silent_until = deadline_in(SILENT_MS);
    peers->open_count++;
    return true;
}

int peers_newcomers_ms(const struct peers *peers)
{
    int longest_ms = 0;
    for (size_t i = 0; i < PEERS_MAX; i++) {
        const struct peer *peer = &peers->all[i];
        bool is_silent = peer->is_open && !peer->is_busy && !peer->has_served && !peer->is_partial;
        int left_ms = is_silent ? deadline_left_ms(peer->silent_until) : 0;
        if (left_ms > longest_ms)
            longest_ms = left_ms;
    }
    return longest_ms;
}

/* While a part of a request has come, only what is new wakes us. */
static void watch(struct peers *peers, struct peer *peer, bool is_partial)
{
    struct epoll_event event = {.events = EPOLLIN | EPOLLRDHUP | (is_partial ? EPOLLET : 0),
                                .data.u32 = (uint32_t)(peer - peers->all)};
    if (peer->is_partial == is_partial)
        return;
    if (is_partial)
        peer->partial_until = deadline_in(PARTIAL_MS);
    peer->is_partial = is_partial;
    if (epoll_ctl(peers->epoll_fd, EPOLL_CTL_MOD, peer->fcgi.ipcFd, &event) != 0)
        close_peer(peers, peer);
}

/* Reads the request that has arrived; false where the peer is gone, or sent none in time. */
static bool read_request(struct peers *peers, struct peer *peer, bool keep)
{
    /* Else FCGX_Accept_r would close the connection that it is to read from. */
    peer->fcgi.keepConnection = 1;
    if (FCGX_Accept_r(&peer->fcgi) != 0) {
        if (peer->fcgi.ipcFd >= 0)
            close_peer(peers, peer);
        else
            lose(peers, peer);
        return false;
    }
    /* nginx sends an empty body; it has to be read, or it stands in front of the next request. */
    if (FCGX_GetChar(peer->fcgi.in) != EOF || !keep)
        peer->fcgi.keepConnection = 0;
    peer->is_busy = true;
    return true;
}

/* libfcgi reads only what is there as a whole, since it would wait for the rest with all others behind it. */
struct peer *peers_hear(struct peers *peers, uint32_t number, bool keep)
{
    struct peer *peer = &peers->all[number];
    if (!peer->is_open || peer->is_busy)
        return NULL;
    ssize_t len = recv(peer->fcgi.ipcFd, peers->peeked, sizeof peers->peeked, MSG_PEEK | MSG_DONTWAIT);
    if (len < 0 && (errno == EAGAIN || errno == EINTR))
        return NULL;
    enum record_state state = len > 0 ? record_state_of(peers->peeked, (size_t)len) : RECORD_BAD;
    if (state == RECORD_BAD ||
        (state == RECORD_PARTIAL && peer->is_partial && deadline_left_ms(peer->partial_until) == 0)) {
        close_peer(peers, peer);
        return NULL;
    }
    watch(peers, peer, state == RECORD_PARTIAL);
    return state == RECORD_WHOLE && peer->is_open && read_request(peers, peer, keep) ? peer : NULL;
}

void peers_sent(struct peers *peers, struct peer *peer)
{
    peer->fcgi.detached = 1; /* as in close_peer() */
    FCGX_Finish_r(&peer->fcgi);
    peer->is_busy = false;
    peer->has_served = true;
    if (peer->fcgi.ipcFd < 0)
        lose(peers, peer);
}

void peers_close_idle(struct peers *peers)
{
    char byte;
    for (size_t i = 0; i < PEERS_MAX; i++) {
        struct peer *peer = &peers->all[i];
        if (peer->is_open && !peer->is_busy && peer->has_served &&
            recv(peer->fcgi.ipcFd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) <= 0)
            close_peer(peers, peer);
    }
}

bool peers_close_late(struct peers *peers)
{
    bool any = false;
    for (size_t i = 0; i < PEERS_MAX; i++) {
        struct peer *peer = &peers->all[i];
        if (!peer->is_open || !peer->is_partial)
            continue;
        if (deadline_left_ms(peer->partial_until) == 0)
            close_peer(peers, peer);
        else
            any = true;
    }
    return any;
}
