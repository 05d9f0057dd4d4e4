#include "connections.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

enum {
    STEP_S = 2,        /* a connection may take so long for one read or write */
    PARTIAL_MS = 3000, /* and so long to send the rest of a request */
    SILENT_MS = 50,    /* nginx sends as soon as it has connected, if the machine lets it */
};

static enum status check_listener(int fd)
{
    int listens = 0;
    socklen_t len = sizeof listens;
    if (getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listens, &len) != 0 || !listens)
        return STATUS_INVALID;
    int flags = fcntl(fd, F_GETFL);
    return flags >= 0 && fcntl(fd, F_SETFL, flags | O_NONBLOCK) == 0 ? STATUS_OK : STATUS_FAILED;
}

enum status connections_init(struct connections *connections, int listen_fd)
{
    connections->listen_fd = listen_fd;
    connections->epoll_fd = -1;
    enum status result = check_listener(listen_fd);
    if (result != STATUS_OK)
        return result;
    connections->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    return connections->epoll_fd >= 0 && FCGX_Init() == 0 ? STATUS_OK : STATUS_FAILED;
}

static void lose(struct connections *connections, struct connection *connection)
{
    connection->is_open = false;
    connection->is_busy = false;
    connections->open_count--;
}

static void close_peer(struct connections *connections, struct connection *connection)
{
    connection->fcgi.detached = 1; /* else libfcgi waits up to 2 s for the connection to close its side */
    FCGX_Free(&connection->fcgi, 1);
    lose(connections, connection);
}

void connections_release(struct connections *connections)
{
    for (size_t i = 0; i < CONNECTIONS_MAX; i++) {
        if (connections->all[i].is_open)
            close_peer(connections, &connections->all[i]);
    }
    if (connections->epoll_fd >= 0)
        close(connections->epoll_fd);
    connections->epoll_fd = -1;
}

void connections_listen(struct connections *connections, bool listen)
{
    struct epoll_event event = {.events = EPOLLIN | EPOLLEXCLUSIVE, .data.u32 = CONNECTIONS_LISTENER};
    if (connections->is_listening == listen)
        return;
    if (epoll_ctl(connections->epoll_fd, listen ? EPOLL_CTL_ADD : EPOLL_CTL_DEL, connections->listen_fd,
                  &event) == 0)
        connections->is_listening = listen;
}

bool connections_has_room(const struct connections *connections)
{
    return connections->open_count < CONNECTIONS_MAX;
}

static struct connection *free_peer(struct connections *connections)
{
    for (size_t i = 0; i < CONNECTIONS_MAX; i++) {
        if (!connections->all[i].is_open)
            return &connections->all[i];
    }
    return NULL;
}

bool connections_accept(struct connections *connections)
{
    struct connection *connection = free_peer(connections);
    int fd = connection ? accept4(connections->listen_fd, NULL, NULL, SOCK_CLOEXEC) : -1;
    if (fd < 0)
        return false; /* somebody else was faster, or it is gone again */
    const struct timeval step = {.tv_sec = STEP_S};
    struct epoll_event event = {.events = EPOLLIN | EPOLLRDHUP,
                                .data.u32 = (uint32_t)(connection - connections->all)};
    /* Without a listening socket of its own libfcgi can't go and accept behind our back. */
    if (setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &step, sizeof step) != 0 ||
        setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &step, sizeof step) != 0 ||
        FCGX_InitRequest(&connection->fcgi, -1, FCGI_FAIL_ACCEPT_ON_INTR) != 0 ||
        epoll_ctl(connections->epoll_fd, EPOLL_CTL_ADD, fd, &event) != 0) {
        close(fd);
        return true;
    }
    connection->fcgi.ipcFd = fd;
    connection->is_open = true;
    connection->is_busy = false;
    connection->has_served = false;
    connection->is_partial = false;
    connection->silent_until = deadline_in(SILENT_MS);
    connections->open_count++;
    return true;
}

int connections_newcomers_ms(const struct connections *connections)
{
    int longest_ms = 0;
    for (size_t i = 0; i < CONNECTIONS_MAX; i++) {
        const struct connection *connection = &connections->all[i];
        bool is_silent =
            connection->is_open && !connection->is_busy && !connection->has_served && !connection->is_partial;
        int left_ms = is_silent ? deadline_left_ms(connection->silent_until) : 0;
        if (left_ms > longest_ms)
            longest_ms = left_ms;
    }
    return longest_ms;
}

/* While a part of a request has come, only what is new wakes us. */
static void watch(struct connections *connections, struct connection *connection, bool is_partial)
{
    struct epoll_event event = {.events = EPOLLIN | EPOLLRDHUP | (is_partial ? EPOLLET : 0),
                                .data.u32 = (uint32_t)(connection - connections->all)};
    if (connection->is_partial == is_partial)
        return;
    if (is_partial)
        connection->partial_until = deadline_in(PARTIAL_MS);
    connection->is_partial = is_partial;
    if (epoll_ctl(connections->epoll_fd, EPOLL_CTL_MOD, connection->fcgi.ipcFd, &event) != 0)
        close_peer(connections, connection);
}

/* Reads the request that has arrived; false where the connection is gone, or sent none in time. */
static bool read_request(struct connections *connections, struct connection *connection, bool keep)
{
    /* Else FCGX_Accept_r would close the connection that it is to read from. */
    connection->fcgi.keepConnection = 1;
    if (FCGX_Accept_r(&connection->fcgi) != 0) {
        if (connection->fcgi.ipcFd >= 0)
            close_peer(connections, connection);
        else
            lose(connections, connection);
        return false;
    }
    /* nginx sends an empty body; it has to be read, or it stands in front of the next request. */
    if (FCGX_GetChar(connection->fcgi.in) != EOF || !keep)
        connection->fcgi.keepConnection = 0;
    connection->is_busy = true;
    return true;
}

/* libfcgi reads only what is there as a whole, since it would wait for the rest with all others behind it. */
struct connection *connections_hear(struct connections *connections, uint32_t number, bool keep)
{
    struct connection *connection = &connections->all[number];
    if (!connection->is_open || connection->is_busy)
        return NULL;
    ssize_t len = recv(connection->fcgi.ipcFd, connections->peeked, sizeof connections->peeked,
                       MSG_PEEK | MSG_DONTWAIT);
    if (len < 0 && (errno == EAGAIN || errno == EINTR))
        return NULL;
    enum record_state state = len > 0 ? record_state_of(connections->peeked, (size_t)len) : RECORD_BAD;
    if (state == RECORD_BAD || (state == RECORD_PARTIAL && connection->is_partial &&
                                deadline_left_ms(connection->partial_until) == 0)) {
        close_peer(connections, connection);
        return NULL;
    }
    watch(connections, connection, state == RECORD_PARTIAL);
    return state == RECORD_WHOLE && connection->is_open && read_request(connections, connection, keep)
               ? connection
               : NULL;
}

void connections_sent(struct connections *connections, struct connection *connection)
{
    connection->fcgi.detached = 1; /* as in close_peer() */
    FCGX_Finish_r(&connection->fcgi);
    connection->is_busy = false;
    connection->has_served = true;
    if (connection->fcgi.ipcFd < 0)
        lose(connections, connection);
}

void connections_close_idle(struct connections *connections)
{
    char byte;
    for (size_t i = 0; i < CONNECTIONS_MAX; i++) {
        struct connection *connection = &connections->all[i];
        if (connection->is_open && !connection->is_busy && connection->has_served &&
            recv(connection->fcgi.ipcFd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) <= 0)
            close_peer(connections, connection);
    }
}

bool connections_close_late(struct connections *connections)
{
    bool any = false;
    for (size_t i = 0; i < CONNECTIONS_MAX; i++) {
        struct connection *connection = &connections->all[i];
        if (!connection->is_open || !connection->is_partial)
            continue;
        if (deadline_left_ms(connection->partial_until) == 0)
            close_peer(connections, connection);
        else
            any = true;
    }
    return any;
}
