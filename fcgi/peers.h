/* The connections of nginx to one worker: accepting them, and the requests that come on them. The only module
 * that calls libfcgi for what comes in. Never waits: a request is read once it is there as a whole. */
#ifndef UPBEAT_PEERS_H
#define UPBEAT_PEERS_H

#include "deadline.h"
#include "record.h"
#include "result.h"

#include <fcgiapp.h>
#include <stdbool.h>
#include <stdint.h>

enum {
    PEERS_MAX = 256,            /* connections kept alive by one worker */
    PEERS_LISTENER = PEERS_MAX, /* among the peers' numbers in epoll's data */
    PEERS_OTHERS,               /* free for others from here on */
};

/* A connection. libfcgi's request of it lives as long, since it holds what was read ahead. */
struct peer {
    FCGX_Request fcgi;
    bool is_open;
    bool is_busy;    /* a request of it is being answered */
    bool has_served; /* nginx asks elsewhere when it finds this connection closed; a new one's loss it reports
                      */
    bool is_partial; /* a part of a request has come; the rest has until partial_until */
    struct deadline partial_until;
    struct deadline silent_until; /* whose first request has not come by then is not waited for */
};

struct peers {
    int listen_fd; /* not owned */
    int epoll_fd;
    int open_count;
    bool is_listening;
    struct peer all[PEERS_MAX];
    unsigned char peeked[RECORD_REQUEST_MAX_BYTES];
};

/* No connections yet, nor does epoll tell of newcomers. UP_INVALID: it is no listening socket. UP_FAILED:
 * errno says why. */
enum up_result peers_init(struct peers *peers, int listen_fd) MUST_CHECK;

/* Closes all. */
void peers_release(struct peers *peers);

/* Shall epoll tell of newcomers? */
void peers_listen(struct peers *peers, bool listen);

bool peers_has_room(const struct peers *peers);

/* Takes one newcomer. False: there is none, or no room. */
bool peers_accept(struct peers *peers);

/* For how long at most a newcomer's first request may still be on its way. 0: each has sent it, or is not
 * about to. */
int peers_newcomers_ms(const struct peers *peers);

/* Looks at what has come on the connection of this number. The peer, if that is a whole request: it is read,
 * and the peer is busy until peers_sent(); else NULL. keep: the connection afterwards. */
struct peer *peers_hear(struct peers *peers, uint32_t number, bool keep) MUST_CHECK;

/* The answer is written to peer->fcgi.out: sends it, and ends the request. */
void peers_sent(struct peers *peers, struct peer *peer);

/* Closes the connections on which nothing is under way: nginx opens them again elsewhere. Not those on which
 * nothing was answered yet, nor those on which a request has just come in. */
void peers_close_idle(struct peers *peers);

/* Closes those that never send the rest of a request. True: there are some whose time is not yet up. */
bool peers_close_late(struct peers *peers);

#endif
