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
    CONNECTIONS_MAX = 4608,                 /* of one worker: more than its requests may wait */
    CONNECTIONS_LISTENER = CONNECTIONS_MAX, /* among the connections' numbers in epoll's data */
    CONNECTIONS_FETCHER,                    /* the socket to the fetcher is watched by the same epoll */
};

/* A connection of nginx. libfcgi's request of it lives as long, since it holds what was read ahead. */
struct connection {
    FCGX_Request fcgi;
    bool is_open;
    bool is_new;     /* no request has come on it yet */
    bool is_busy;    /* its request is being answered, or waits */
    bool is_partial; /* a part of a request has come; the rest has until partial_until */
    bool is_edge;    /* epoll reports only new bytes of it */
    struct deadline partial_until;
    void *owner; /* of the caller: the request that is_busy tells of */
};

enum heard {
    HEARD_NOTHING,
    HEARD_REQUEST, /* a whole request was read: the connection is busy until connections_sent() */
    HEARD_GONE,    /* the client of a busy connection has gone: call connections_drop() */
};

enum accepted {
    ACCEPTED,
    ACCEPT_NOBODY, /* the queue is empty, or another worker was faster */
    ACCEPT_FULL,   /* no room for another connection, here or in the system: pause */
};

struct connections {
    int listen_fd; /* not owned */
    int epoll_fd;
    int first_free; /* no place before it is free */
    int end;        /* no place from it on is open */
    bool is_listening;
    struct connection all[CONNECTIONS_MAX];
    unsigned char peeked[RECORD_REQUEST_MAX_BYTES];
};

/* Starts without connections; epoll does not report new ones yet. STATUS_INVALID: it is no listening socket.
 * STATUS_FAILED: errno says why. */
enum status connections_init(struct connections *connections, int listen_fd) MUST_CHECK;

/* Closes all. */
void connections_release(struct connections *connections);

/* Says whether epoll reports new connections. */
void connections_listen(struct connections *connections, bool listen);

/* Accepts one connection, if one is in the queue of the listening socket. */
enum accepted connections_accept(struct connections *connections) MUST_CHECK;

/* Looks at what has come on the connection of this number. keep: the connection, after its request. The
 * connection is *connection_r, but for HEARD_NOTHING. */
enum heard connections_hear(struct connections *connections, uint32_t number, bool keep,
                            struct connection **connection_r) MUST_CHECK;

/* The answer is written to connection->fcgi.out: sends it, and ends the request. */
void connections_sent(struct connections *connections, struct connection *connection);

/* Closes a busy connection without an answer. */
void connections_drop(struct connections *connections, struct connection *connection);

/* Are there some on which no request has come yet? nginx sends one at once, and answers 502 where it finds
 * such a connection closed; an older one it replaces. */
bool connections_any_new(const struct connections *connections);

/* Closes those that never send the rest of a request. True: there are some whose time is not yet up. */
bool connections_close_late(struct connections *connections);

#endif
