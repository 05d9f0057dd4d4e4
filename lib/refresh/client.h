/* The worker's end of the socket to the fetcher. Never waits: it connects, sends and receives what it can.
 *
 * Its life: away -> connected -> away. A client that is away connects when its pause is over; pauses grow
 * from CLIENT_PAUSE_MIN_MS to CLIENT_PAUSE_MAX_MS while nobody listens. It goes away when the fetcher closes
 * the connection, sends a message of another version, or owes an answer and is silent (see
 * refresh/protocol.h). */
#ifndef UPBEAT_REFRESH_CLIENT_H
#define UPBEAT_REFRESH_CLIENT_H

#include "refresh/protocol.h"

enum {
    CLIENT_PAUSE_MIN_MS = 20,
    CLIENT_PAUSE_MAX_MS = 500,
    CLIENT_UNSENT_MAX = 512, /* messages that the fetcher has not taken yet */
};

struct refresh_client;

/* What became of the connection in refresh_client_tend(). */
enum client_event {
    CLIENT_SAME,      /* nothing: connected as before, or away as before */
    CLIENT_CONNECTED, /* anew: what was asked before is to be asked again */
    CLIENT_LOST,   /* the fetcher has closed it, having read all that was sent: it has ended, or was killed */
    CLIENT_BROKEN, /* it is frozen, or did not read all: another one may do what was asked */
};

/* A client that is away. `path`: of the fetcher's socket; must outlive the client. STATUS_NO_MEMORY;
 * STATUS_TOO_LARGE: the path does not fit into a socket's address. On an error *client_r is untouched. */
enum status refresh_client_new(struct refresh_client **client_r, const char *path) MUST_CHECK;

/* Closes the connection. NULL is allowed. */
void refresh_client_free(struct refresh_client *client);

/* The descriptor to wait for input on, or -1 while it is away. It is another one after CLIENT_CONNECTED. */
int refresh_client_fd(const struct refresh_client *client);

/* Connects where it is time to, sends what is unsent, and looks whether the fetcher has gone. is_owed: a DONE
 * is still to come. Call it in each turn of the loop, until it says CLIENT_SAME. */
enum client_event refresh_client_tend(struct refresh_client *client, bool is_owed, int64_t now_ms);

/* Sends a message, now or in refresh_client_tend(). False: it is away, or CLIENT_UNSENT_MAX are unsent. */
bool refresh_client_send(struct refresh_client *client, const struct refresh_message *message,
                         int64_t now_ms);

/* The next message that has come, or false. REFRESH_ALIVE is not passed on. What ends the connection is told
 * by the next refresh_client_tend(). */
bool refresh_client_receive(struct refresh_client *client, struct refresh_message *message_r, int64_t now_ms);

/* Milliseconds until refresh_client_tend() has something to do even if nothing comes, at most max_ms. */
int refresh_client_timeout_ms(const struct refresh_client *client, bool is_owed, int64_t now_ms, int max_ms);

#endif
