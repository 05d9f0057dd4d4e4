/* The connections of nginx to one worker: accepting them, and the requests that come on them. The only module
 * that calls libfcgi for what comes in. Never waits: a request is read once it is there as a whole. */
#ifndef UPBEAT_FCGI_CONNECTIONS_H
#define UPBEAT_FCGI_CONNECTIONS_H

#include "base/clock.h"
#include "base/status.h"
#include "record.h"

#include <fcgiapp.h>
#include <stdbool.h>
#include <stdint.h>

enum {
    CONNECTIONS_MAX = 256,                  /* connections kept alive by one worker */
    CONNECTIONS_LISTENER = CONNECTIONS_MAX, /* among the connections' numbers in epoll's data */
    CONNECTIONS_OTHERS,                     /* free for others from here on */
};

/* A connection. libfcgi's request of it lives as long, since it holds what was read ahead. */
struct connection {
    FCGX_Request fcgi;
    bool is_open;
    bool is_busy;    /* a request of it is being answered */
    bool has_served; /* nginx asks elsewhere when it finds this connection closed; a new one's loss it reports
                      */
    bool is_partial; /* a part of a request has come; the rest has until partial_until */
    struct deadline partial_until;
    struct deadline silent_until; /* whose first request has not come by then is not waited for */
};

struct connections {
    int listen_fd; /* not owned */
    int epoll_fd;
    int open_count;
    bool is_listening;
    struct connection all[CONNECTIONS_MAX];
    unsigned char peeked[RECORD_REQUEST_MAX_BYTES];
};

/* No connections yet, nor does epoll tell of newcomers. STATUS_INVALID: it is no listening socket.
 * STATUS_FAILED: errno says why. */
enum status connections_init(struct connections *connections, int listen_fd) MUST_CHECK;

/* Closes all. */
void connections_release(struct connections *connections);

/* Shall epoll tell of newcomers? */
void connections_listen(struct connections *connections, bool listen);

bool connections_has_room(const struct connections *connections);

/* Takes one newcomer. False: there is none, or no room. */
bool connections_accept(struct connections *connections);

/* For how long at most a newcomer's first request may still be on its way. 0: each has sent it, or is not
 * about to. */
int connections_newcomers_ms(const struct connections *connections);

/* Looks at what has come on the connection of this number. The connection, if that is a whole request: it is
 * read, and the connection is busy until connections_sent(); else NULL. keep: the connection afterwards. */
struct connection *connections_hear(struct connections *connections, uint32_t number, bool keep) MUST_CHECK;

/* The answer is written to connection->fcgi.out: sends it, and ends the request. */
void connections_sent(struct connections *connections, struct connection *connection);

/* Closes the connections on which nothing is under way: nginx opens them again elsewhere. Not those on which
 * nothing was answered yet, nor those on which a request has just come in. */
void connections_close_idle(struct connections *connections);

/* Closes those that never send the rest of a request. True: there are some whose time is not yet up. */
bool connections_close_late(struct connections *connections);

#endif
