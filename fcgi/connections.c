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

static void forget(struct connections *connections, struct connection *connection)
{
    int place = (int)(connection - connections->all);
    connection->is_open = false;
    connection->is_busy = false;
    if (connections->first_free > place)
        connections->first_free = place;
    while (connections->end > 0 && !connections->all[connections->end - 1].is_open)
        connections->end--;
}

static void close_connection(struct connections *connections, struct connection *connection)
{
    connection->fcgi.detached = 1; /* else libfcgi waits up to 2 s for the connection to close its side */
    FCGX_Free(&connection->fcgi, 1);
    forget(connections, connection);
}

void connections_release(struct connections *connections)
{
    for (int i = connections->end; i-- > 0;) {
        if (connections->all[i].is_open)
            close_connection(connections, &connections->all[i]);
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

static struct connection *free_connection(struct connections *connections)
{
    while (connections->first_free < CONNECTIONS_MAX && connections->all[connections->first_free].is_open)
        connections->first_free++;
    return connections->first_free < CONNECTIONS_MAX ? &connections->all[connections->first_free] : NULL;
}

/* libfcgi gets no listening socket, so that it cannot accept a connection by itself. */
static bool set_up(struct connections *connections, struct connection *connection, int fd)
{
    const struct timeval step = {.tv_sec = STEP_S};
    struct epoll_event event = {.events = EPOLLIN | EPOLLRDHUP,
                                .data.u32 = (uint32_t)(connection - connections->all)};
    return setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &step, sizeof step) == 0 &&
           setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &step, sizeof step) == 0 &&
           FCGX_InitRequest(&connection->fcgi, -1, FCGI_FAIL_ACCEPT_ON_INTR) == 0 &&
           epoll_ctl(connections->epoll_fd, EPOLL_CTL_ADD, fd, &event) == 0;
}

enum accepted connections_accept(struct connections *connections)
{
    struct connection *connection = free_connection(connections);
    if (!connection)
        return ACCEPT_FULL;
    int fd = accept4(connections->listen_fd, NULL, NULL, SOCK_CLOEXEC);
    if (fd < 0)
        return errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM ? ACCEPT_FULL
                                                                                         : ACCEPT_NOBODY;
    if (!set_up(connections, connection, fd)) {
        close(fd);
        return ACCEPT_FULL;
    }
    connection->fcgi.ipcFd = fd;
    connection->is_open = true;
    connection->is_new = true;
    connection->is_busy = false;
    connection->is_partial = false;
    connection->is_edge = false;
    if (connections->end <= connections->first_free)
        connections->end = connections->first_free + 1;
    return ACCEPTED;
}

/* Bytes that have come but cannot be used yet would wake the loop in each turn. With is_edge epoll reports
 * only new bytes. */
static bool watch(struct connections *connections, struct connection *connection, bool is_edge)
{
    struct epoll_event event = {.events = EPOLLIN | EPOLLRDHUP | (is_edge ? EPOLLET : 0),
                                .data.u32 = (uint32_t)(connection - connections->all)};
    if (connection->is_edge == is_edge)
        return true;
    connection->is_edge = is_edge;
    return epoll_ctl(connections->epoll_fd, EPOLL_CTL_MOD, connection->fcgi.ipcFd, &event) == 0;
}

/* Reads the request that has arrived; false where the connection is gone, or sent none in time. */
static bool read_request(struct connections *connections, struct connection *connection, bool keep)
{
    /* Without this FCGX_Accept_r would close the connection that it is to read from. */
    connection->fcgi.keepConnection = 1;
    if (FCGX_Accept_r(&connection->fcgi) != 0) {
        if (connection->fcgi.ipcFd >= 0)
            close_connection(connections, connection);
        else
            forget(connections, connection);
        return false;
    }
    /* nginx sends an empty body; it has to be read, or it stands in front of the next request. */
    if (FCGX_GetChar(connection->fcgi.in) != EOF || !keep)
        connection->fcgi.keepConnection = 0;
    connection->is_new = false;
    connection->is_busy = true;
    return true;
}

/* nginx closes the connection when its own client has gone. */
static enum heard hear_busy(struct connections *connections, struct connection *connection)
{
    char byte;
    ssize_t len = recv(connection->fcgi.ipcFd, &byte, 1, MSG_PEEK | MSG_DONTWAIT);
    if (len == 0 || (len < 0 && errno != EAGAIN && errno != EINTR))
        return HEARD_GONE;
    return watch(connections, connection, true) ? HEARD_NOTHING : HEARD_GONE;
}

/* libfcgi reads only what is there as a whole, since it would wait for the rest with all others behind it. */
enum heard connections_hear(struct connections *connections, uint32_t number, bool keep,
                            struct connection **connection_r)
{
    struct connection *connection = *connection_r = &connections->all[number];
    if (!connection->is_open)
        return HEARD_NOTHING;
    if (connection->is_busy)
        return hear_busy(connections, connection);
    ssize_t len = recv(connection->fcgi.ipcFd, connections->peeked, sizeof connections->peeked,
                       MSG_PEEK | MSG_DONTWAIT);
    if (len < 0 && (errno == EAGAIN || errno == EINTR))
        return HEARD_NOTHING;
    enum record_state state = len > 0 ? record_state_of(connections->peeked, (size_t)len) : RECORD_BAD;
    bool is_partial = state == RECORD_PARTIAL;
    if (state == RECORD_BAD ||
        (is_partial && connection->is_partial && deadline_left_ms(connection->partial_until) == 0) ||
        !watch(connections, connection, is_partial)) {
        close_connection(connections, connection);
        return HEARD_NOTHING;
    }
    if (is_partial && !connection->is_partial)
        connection->partial_until = deadline_in(PARTIAL_MS);
    connection->is_partial = is_partial;
    return !is_partial && read_request(connections, connection, keep) ? HEARD_REQUEST : HEARD_NOTHING;
}

void connections_sent(struct connections *connections, struct connection *connection)
{
    connection->fcgi.detached = 1; /* as in close_connection() */
    FCGX_Finish_r(&connection->fcgi);
    connection->is_busy = false;
    connection->owner = NULL;
    if (connection->fcgi.ipcFd < 0)
        forget(connections, connection);
    else if (!watch(connections, connection, false))
        close_connection(connections, connection);
}

void connections_drop(struct connections *connections, struct connection *connection)
{
    close_connection(connections, connection);
}

bool connections_any_new(const struct connections *connections)
{
    for (int i = 0; i < connections->end; i++) {
        if (connections->all[i].is_open && connections->all[i].is_new)
            return true;
    }
    return false;
}

bool connections_close_late(struct connections *connections)
{
    bool any = false;
    for (int i = connections->end; i-- > 0;) {
        struct connection *connection = &connections->all[i];
        if (!connection->is_open || !connection->is_partial)
            continue;
        if (deadline_left_ms(connection->partial_until) == 0)
            close_connection(connections, connection);
        else
            any = true;
    }
    return any;
}
