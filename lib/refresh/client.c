#include "refresh/client.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

enum { RECEIVE_MESSAGES = 32 };

struct refresh_client {
    int fd; /* -1: away */
    struct sockaddr_un address;
    bool is_ended;         /* the fetcher has closed the connection, or it is of no use any more */
    bool is_broken;        /* and it did not read all that was sent */
    int64_t next_at_ms;    /* away: not before */
    int pause_ms;          /* away: the next pause */
    bool is_owed;          /* a DONE is still to come */
    int64_t heard_at_ms;   /* when the last message came, or when the fetcher began to owe one */
    size_t unsent_bytes;   /* at the start of `unsent` */
    size_t received_bytes; /* at the start of `received` */
    unsigned char received[RECEIVE_MESSAGES * REFRESH_MESSAGE_BYTES];
    unsigned char unsent[CLIENT_UNSENT_MAX * REFRESH_MESSAGE_BYTES];
};

enum status refresh_client_new(struct refresh_client **client_r, const char *path)
{
    size_t len = strlen(path);
    struct refresh_client *client = calloc(1, sizeof *client);
    if (!client)
        return STATUS_NO_MEMORY;
    if (len >= sizeof client->address.sun_path) {
        free(client);
        return STATUS_TOO_LARGE;
    }
    client->fd = -1;
    client->pause_ms = CLIENT_PAUSE_MIN_MS;
    client->address.sun_family = AF_UNIX;
    memcpy(client->address.sun_path, path, len + 1);
    *client_r = client;
    return STATUS_OK;
}

/* Messages that were not sent hold keys. */
static void close_connection(struct refresh_client *client)
{
    if (client->fd >= 0)
        close(client->fd);
    client->fd = -1;
    secret_box_wipe(client->unsent, client->unsent_bytes);
    client->unsent_bytes = 0;
    client->received_bytes = 0;
    client->is_ended = client->is_broken = false;
}

void refresh_client_free(struct refresh_client *client)
{
    if (!client)
        return;
    close_connection(client);
    free(client);
}

int refresh_client_fd(const struct refresh_client *client)
{
    return client->fd;
}

/* A unix socket is connected at once or not at all. */
static bool connect_now(struct refresh_client *client, int64_t now_ms)
{
    if (now_ms < client->next_at_ms)
        return false;
    client->next_at_ms = now_ms + client->pause_ms;
    client->pause_ms =
        client->pause_ms * 2 < CLIENT_PAUSE_MAX_MS ? client->pause_ms * 2 : CLIENT_PAUSE_MAX_MS;
    client->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (client->fd < 0)
        return false;
    if (connect(client->fd, (const struct sockaddr *)&client->address, sizeof client->address) != 0) {
        close_connection(client);
        return false;
    }
    client->heard_at_ms = now_ms;
    client->is_owed = false;
    return true;
}

static void send_unsent(struct refresh_client *client)
{
    while (client->unsent_bytes > 0 && !client->is_ended) {
        ssize_t sent = send(client->fd, client->unsent, client->unsent_bytes, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (sent < 0 && errno == EINTR)
            continue;
        if (sent < 0 && errno != EAGAIN)
            client->is_ended = client->is_broken = true;
        if (sent <= 0)
            return;
        client->unsent_bytes -= (size_t)sent;
        memmove(client->unsent, client->unsent + sent, client->unsent_bytes);
        secret_box_wipe(client->unsent + client->unsent_bytes, (size_t)sent);
    }
}

enum client_event refresh_client_tend(struct refresh_client *client, bool is_owed, int64_t now_ms)
{
    if (client->fd < 0)
        return connect_now(client, now_ms) ? CLIENT_CONNECTED : CLIENT_SAME;
    send_unsent(client);
    /* A fetcher that owes nothing, but does not read either, is as silent as one that owes an answer. */
    client->is_owed = is_owed || client->unsent_bytes > 0;
    if (!client->is_owed)
        client->heard_at_ms = now_ms;
    if (now_ms - client->heard_at_ms >= REFRESH_SILENCE_MS)
        client->is_ended = client->is_broken = true;
    if (!client->is_ended)
        return CLIENT_SAME;
    enum client_event event = client->is_broken ? CLIENT_BROKEN : CLIENT_LOST;
    close_connection(client);
    return event;
}

bool refresh_client_send(struct refresh_client *client, const struct refresh_message *message, int64_t now_ms)
{
    if (client->fd < 0 || client->is_ended ||
        client->unsent_bytes + REFRESH_MESSAGE_BYTES > sizeof client->unsent)
        return false;
    if (!client->is_owed && message->type == REFRESH_ASK) {
        client->heard_at_ms = now_ms; /* the turn may have begun long ago */
        client->is_owed = true;
    }
    refresh_encode(message, client->unsent + client->unsent_bytes);
    client->unsent_bytes += REFRESH_MESSAGE_BYTES;
    send_unsent(client);
    return true;
}

/* Reads what is there. At the end of the connection the messages before it are still passed on. */
static void receive_bytes(struct refresh_client *client)
{
    ssize_t got = 0;
    do
        got = recv(client->fd, client->received + client->received_bytes,
                   sizeof client->received - client->received_bytes, MSG_DONTWAIT);
    while (got < 0 && errno == EINTR);
    if (got > 0)
        client->received_bytes += (size_t)got;
    else if (got == 0 || errno != EAGAIN) {
        client->is_ended = true;
        client->is_broken |= got < 0;
    }
}

static bool take_message(struct refresh_client *client, struct refresh_message *message_r)
{
    if (client->received_bytes < REFRESH_MESSAGE_BYTES)
        return false;
    enum status status = refresh_decode(client->received, message_r);
    client->received_bytes -= REFRESH_MESSAGE_BYTES;
    memmove(client->received, client->received + REFRESH_MESSAGE_BYTES, client->received_bytes);
    if (status == STATUS_OK && (message_r->type == REFRESH_DONE || message_r->type == REFRESH_ALIVE))
        return true;
    client->received_bytes = 0;
    client->is_ended = true;
    return false;
}

bool refresh_client_receive(struct refresh_client *client, struct refresh_message *message_r, int64_t now_ms)
{
    if (client->fd < 0)
        return false;
    for (;;) {
        if (client->received_bytes < REFRESH_MESSAGE_BYTES && !client->is_ended)
            receive_bytes(client);
        if (!take_message(client, message_r))
            return false;
        client->heard_at_ms = now_ms;
        client->pause_ms = CLIENT_PAUSE_MIN_MS;
        client->next_at_ms = 0;
        if (message_r->type == REFRESH_DONE)
            return true;
    }
}

int refresh_client_timeout_ms(const struct refresh_client *client, bool is_owed, int64_t now_ms, int max_ms)
{
    int64_t left_ms = max_ms;
    if (client->fd < 0)
        left_ms = client->next_at_ms - now_ms;
    else if (client->is_ended)
        left_ms = 0;
    else if (client->unsent_bytes > 0)
        left_ms = 10; /* the socket is full: the fetcher is behind, and epoll does not tell of room */
    else if (is_owed)
        left_ms = client->heard_at_ms + REFRESH_SILENCE_MS - now_ms;
    return left_ms < 0 ? 0 : left_ms < max_ms ? (int)left_ms : max_ms;
}
