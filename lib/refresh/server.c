#include "refresh/server.h"

#include "base/buffer.h"
#include "base/log.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
    ACCEPT_PAUSE_MS = 100,  /* after accept() failed for want of descriptors or memory */
    READ_MESSAGES_MAX = 64, /* of one connection in one turn, so that one does not keep the others waiting */
    ALIVE_MS = REFRESH_ALIVE_MS - 50,        /* the turn itself takes a while */
    KEEP_BYTES = 16 * REFRESH_MESSAGE_BYTES, /* of a connection's storage that is not in use */
};

struct connection {
    int fd;        /* -1: free */
    uint64_t name; /* its number, times REFRESH_CONNECTIONS_MAX, and its place in the table */
    size_t owed;   /* answers */
    int64_t sent_ms;
    unsigned char in[REFRESH_MESSAGE_BYTES];
    size_t in_bytes;
    struct buffer out;
    size_t out_sent_bytes;
};

struct refresh_server {
    struct refresh_server_calls calls;
    int listen_fd; /* -1: none */
    int64_t accept_not_before_ms;
    bool is_draining;
    size_t connected;
    uint64_t last_number;
    struct connection *connections[REFRESH_CONNECTIONS_MAX]; /* NULL: never needed yet */
};

enum status refresh_server_new(struct refresh_server **server_r, int listen_fd,
                               const struct refresh_server_calls *calls)
{
    int listens = 0;
    socklen_t size = sizeof listens;
    if (listen_fd >= 0 &&
        (getsockopt(listen_fd, SOL_SOCKET, SO_ACCEPTCONN, &listens, &size) != 0 || !listens ||
         fcntl(listen_fd, F_SETFL, fcntl(listen_fd, F_GETFL) | O_NONBLOCK) != 0))
        return STATUS_INVALID;
    struct refresh_server *server = calloc(1, sizeof *server);
    if (!server)
        return STATUS_NO_MEMORY;
    server->calls = *calls;
    server->listen_fd = listen_fd;
    *server_r = server;
    return STATUS_OK;
}

/* The bytes may hold keys. */
static void close_connection(struct refresh_server *server, struct connection *connection, bool tell)
{
    close(connection->fd);
    connection->fd = -1;
    connection->in_bytes = 0;
    connection->owed = 0;
    secret_box_wipe(connection->in, sizeof connection->in);
    buffer_release(&connection->out);
    server->connected--;
    if (tell)
        server->calls.lost(server->calls.context, connection->name);
}

void refresh_server_free(struct refresh_server *server)
{
    if (!server)
        return;
    for (size_t i = 0; i < REFRESH_CONNECTIONS_MAX && server->connections[i]; i++) {
        if (server->connections[i]->fd >= 0)
            close_connection(server, server->connections[i], false);
        free(server->connections[i]);
    }
    free(server);
}

void refresh_server_drain(struct refresh_server *server)
{
    server->listen_fd = -1;
    server->is_draining = true;
}

static bool may_accept(const struct refresh_server *server, int64_t now_ms)
{
    return server->listen_fd >= 0 && server->connected < REFRESH_CONNECTIONS_MAX &&
           now_ms >= server->accept_not_before_ms;
}

static bool has_unsent(const struct connection *connection)
{
    return connection->out.len_bytes > connection->out_sent_bytes;
}

size_t refresh_server_poll_fds(const struct refresh_server *server, int64_t now_ms, struct pollfd *fds_r)
{
    size_t count = 0;
    if (may_accept(server, now_ms))
        fds_r[count++] = (struct pollfd){.fd = server->listen_fd, .events = POLLIN};
    for (size_t i = 0; i < REFRESH_CONNECTIONS_MAX && server->connections[i]; i++) {
        const struct connection *connection = server->connections[i];
        if (connection->fd >= 0)
            fds_r[count++] = (struct pollfd){
                .fd = connection->fd, .events = (short)(has_unsent(connection) ? POLLIN | POLLOUT : POLLIN)};
    }
    return count;
}

static struct connection *free_connection(struct refresh_server *server, size_t *index_r)
{
    size_t i = 0;
    while (i < REFRESH_CONNECTIONS_MAX && server->connections[i] && server->connections[i]->fd >= 0)
        i++;
    if (i == REFRESH_CONNECTIONS_MAX)
        return NULL;
    if (!server->connections[i])
        server->connections[i] = calloc(1, sizeof *server->connections[i]);
    *index_r = i;
    return server->connections[i];
}

/* False: no connection is in the queue, or none can be accepted now. */
static bool accept_one(struct refresh_server *server, int64_t now_ms)
{
    size_t index = 0;
    int fd = accept4(server->listen_fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    /* The listener stays readable, so a wait that follows at once would come back at once. */
    if (fd < 0 && (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM)) {
        log_line(LEVEL_WARNING, NULL, "no connection can be taken: %s", strerror(errno));
        server->accept_not_before_ms = now_ms + ACCEPT_PAUSE_MS;
    }
    if (fd < 0)
        return false;
    struct connection *connection = free_connection(server, &index);
    if (!connection) {
        close(fd);
        return false;
    }
    connection->fd = fd;
    connection->name = ++server->last_number * REFRESH_CONNECTIONS_MAX + index;
    connection->sent_ms = now_ms;
    connection->out_sent_bytes = 0;
    buffer_init(&connection->out, REFRESH_UNSENT_MAX_BYTES);
    server->connected++;
    return true;
}

/* False: it is no message of ours. */
static bool take_message(struct refresh_server *server, struct connection *connection)
{
    struct refresh_message message;
    bool is_sound =
        refresh_decode(connection->in, &message) == STATUS_OK &&
        (message.type == REFRESH_ASK || message.type == REFRESH_ASKED || message.type == REFRESH_USED);
    if (is_sound) {
        connection->owed += message.type == REFRESH_ASK;
        server->calls.take(server->calls.context, connection->name, &message);
    } else {
        log_line(LEVEL_WARNING, NULL, "a client that speaks no version %d of our messages is sent away",
                 REFRESH_VERSION);
    }
    secret_box_wipe(&message, sizeof message);
    secret_box_wipe(connection->in, sizeof connection->in);
    connection->in_bytes = 0;
    return is_sound;
}

/* False: the connection is at its end. */
static bool read_messages(struct refresh_server *server, struct connection *connection)
{
    for (int taken = 0; taken < READ_MESSAGES_MAX;) {
        ssize_t got = read(connection->fd, connection->in + connection->in_bytes,
                           sizeof connection->in - connection->in_bytes);
        if (got < 0)
            return errno == EAGAIN || errno == EINTR;
        if (got == 0)
            return false;
        connection->in_bytes += (size_t)got;
        /* The version alone tells whether there is anything to wait for. */
        if (connection->in[0] != REFRESH_VERSION || connection->in_bytes == sizeof connection->in) {
            if (!take_message(server, connection))
                return false;
            taken++;
        }
    }
    return true;
}

static void append_message(struct connection *connection, const struct refresh_message *message)
{
    unsigned char bytes[REFRESH_MESSAGE_BYTES];
    refresh_encode(message, bytes);
    buffer_append(&connection->out, bytes, sizeof bytes);
}

/* False: the connection is at its end, or has been sent more than it reads. */
static bool send_unsent(struct connection *connection, int64_t now_ms)
{
    if (connection->out.status != STATUS_OK)
        return false;
    while (has_unsent(connection)) {
        ssize_t sent = send(connection->fd, connection->out.data + connection->out_sent_bytes,
                            connection->out.len_bytes - connection->out_sent_bytes, MSG_NOSIGNAL);
        if (sent < 0)
            return errno == EAGAIN || errno == EINTR;
        connection->out_sent_bytes += (size_t)sent;
        connection->sent_ms = now_ms;
    }
    buffer_clear(&connection->out, KEEP_BYTES);
    connection->out_sent_bytes = 0;
    return true;
}

static bool must_show_life(const struct connection *connection, int64_t now_ms)
{
    return connection->owed > 0 && !has_unsent(connection) && now_ms - connection->sent_ms >= ALIVE_MS;
}

void refresh_server_turn(struct refresh_server *server, int64_t now_ms)
{
    static const struct refresh_message alive = {.type = REFRESH_ALIVE};
    while (may_accept(server, now_ms) && accept_one(server, now_ms))
        ;
    for (size_t i = 0; i < REFRESH_CONNECTIONS_MAX && server->connections[i]; i++) {
        struct connection *connection = server->connections[i];
        if (connection->fd < 0)
            continue;
        bool is_open = read_messages(server, connection);
        if (is_open && must_show_life(connection, now_ms))
            append_message(connection, &alive);
        if (!is_open || !send_unsent(connection, now_ms) ||
            (server->is_draining && connection->owed == 0 && !has_unsent(connection)))
            close_connection(server, connection, true);
    }
}

void refresh_server_answer(struct refresh_server *server, uint64_t connection,
                           const struct refresh_message *done)
{
    struct connection *owed = server->connections[connection % REFRESH_CONNECTIONS_MAX];
    if (!owed || owed->fd < 0 || owed->name != connection)
        return;
    owed->owed -= owed->owed > 0;
    append_message(owed, done);
}

int refresh_server_wait_ms(const struct refresh_server *server, int64_t now_ms, int max_ms)
{
    int64_t at_ms = now_ms + max_ms;
    if (server->listen_fd >= 0 && server->accept_not_before_ms > now_ms &&
        server->accept_not_before_ms < at_ms)
        at_ms = server->accept_not_before_ms;
    for (size_t i = 0; i < REFRESH_CONNECTIONS_MAX && server->connections[i]; i++) {
        const struct connection *connection = server->connections[i];
        if (connection->fd >= 0 && connection->owed > 0 && !has_unsent(connection) &&
            connection->sent_ms + ALIVE_MS < at_ms)
            at_ms = connection->sent_ms + ALIVE_MS;
    }
    return at_ms > now_ms ? (int)(at_ms - now_ms) : 0;
}

bool refresh_server_is_flushed(const struct refresh_server *server)
{
    for (size_t i = 0; i < REFRESH_CONNECTIONS_MAX && server->connections[i]; i++) {
        if (server->connections[i]->fd >= 0 && has_unsent(server->connections[i]))
            return false;
    }
    return true;
}
