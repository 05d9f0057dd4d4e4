/* The fetcher's end of the socket: accepts workers, reads what they ask, and sends them what came of it.
 * Never blocks. A connection is closed if it sends bytes that are no valid message, or does not read what it
 * is sent. */
#ifndef UPBEAT_REFRESH_SERVER_H
#define UPBEAT_REFRESH_SERVER_H

#include "base/status.h"
#include "refresh/protocol.h"
#include <poll.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    REFRESH_CONNECTIONS_MAX = 512,
    REFRESH_UNSENT_MAX_BYTES = 2048 * REFRESH_MESSAGE_BYTES, /* of one connection */
    REFRESH_POLL_MAX = REFRESH_CONNECTIONS_MAX + 1,
};

struct refresh_server;

struct refresh_server_calls {
    /* Called for a message that has come: REFRESH_ASK, for which refresh_server_answer() must follow once,
     * REFRESH_ASKED or REFRESH_USED. `connection` names where it came from, and no other ever after. */
    void (*take)(void *context, uint64_t connection, const struct refresh_message *message);
    /* The connection is gone: nothing is owed to it any more. */
    void (*lost)(void *context, uint64_t connection);
    void *context;
};

/* A server on a listening unix socket, which it makes non-blocking and does not own; -1: without one it has
 * no connections. STATUS_INVALID: the descriptor does not listen; STATUS_NO_MEMORY: *server_r is untouched.
 */
enum status refresh_server_new(struct refresh_server **server_r, int listen_fd,
                               const struct refresh_server_calls *calls) MUST_CHECK;

/* Closes all connections. NULL is allowed. */
void refresh_server_free(struct refresh_server *server);

/* For a fetcher that is to stop: accepts no connection any more, and closes each connection once nothing is
 * owed to it, so that its worker finds another fetcher. */
void refresh_server_drain(struct refresh_server *server);

/* What to wait for: puts descriptors with their events into fds_r, which holds REFRESH_POLL_MAX. Returns how
 * many. */
size_t refresh_server_poll_fds(const struct refresh_server *server, int64_t now_ms, struct pollfd *fds_r);

/* Accepts, reads and writes as far as that does not block. Calls back from within. */
void refresh_server_turn(struct refresh_server *server, int64_t now_ms);

/* Answers one ASK of a connection with a REFRESH_DONE; nothing happens where the connection is gone. It is
 * sent with the next turn. */
void refresh_server_answer(struct refresh_server *server, uint64_t connection,
                           const struct refresh_message *done);

/* Milliseconds until a sign of life is to be sent, or accepting goes on, by refresh_server_turn(); at most
 * max_ms. */
int refresh_server_wait_ms(const struct refresh_server *server, int64_t now_ms, int max_ms);

/* Is all sent that was to be sent? */
bool refresh_server_is_flushed(const struct refresh_server *server);

#endif
