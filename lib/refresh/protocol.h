/* The messages between a worker, which serves clients, and the fetcher, which alone talks to Chartbeat: of
 * one size, over a unix stream socket. Pure: bytes in, bytes out.
 *
 * The life of a connection: the worker connects and sends REFRESH and ASKED whenever it wants to. The fetcher
 * answers each REFRESH with one DONE. While it owes a connection a DONE, it sends ALIVE at least every
 * REFRESH_ALIVE_MS. A worker that is owed a DONE and hears nothing for REFRESH_SILENCE_MS takes the fetcher
 * for frozen: it closes the connection and connects again, and the other fetcher, which accepts from the same
 * listening socket, takes it. A message of another version is the end of the connection for both sides. */
#ifndef UPBEAT_REFRESH_PROTOCOL_H
#define UPBEAT_REFRESH_PROTOCOL_H

#include "base/secret_box.h"
#include "base/status.h"
#include "base/validate.h"

#include <stdbool.h>
#include <stdint.h>

enum {
    REFRESH_VERSION = 2,
    REFRESH_MESSAGE_BYTES = 640,
    REFRESH_ALIVE_MS = 250,
    REFRESH_SILENCE_MS = 1000,
};

enum refresh_type {
    REFRESH_ASK = 1, /* worker to fetcher: make this host's row new; host, digest, has_key, key, check */
    REFRESH_ASKED,   /* worker to fetcher: somebody asked for this host, at most once a minute; host */
    REFRESH_DONE,    /* fetcher to worker, one for each ASK: host, digest, check, outcome, wait_ms */
    REFRESH_ALIVE,   /* fetcher to worker: it is at work; nothing else is set */
    REFRESH_USED,    /* worker to fetcher: so many requests with a view token more; token_id, requests */
};

/* How a refresh ended. The worker words the answer of a client that can't be given a row by it. */
enum refresh_outcome {
    REFRESH_STORED,       /* the row is new, or was already: look it up again */
    REFRESH_KEY_REFUSED,  /* Chartbeat refused the key that was used: look up again */
    REFRESH_UNREACHABLE,  /* no connection to Chartbeat */
    REFRESH_TIMED_OUT,    /* Chartbeat did not answer in time */
    REFRESH_RATE_LIMITED, /* Chartbeat said 429; not before wait_ms */
    REFRESH_USELESS,      /* another status, or an answer that is none; not before wait_ms */
    REFRESH_BACKOFF,      /* Chartbeat failed before, or the rate budget is used up; not before wait_ms */
    REFRESH_BAD_KEYS,     /* too many keys that were never accepted were tried for this host; wait_ms */
    REFRESH_NO_KEY,       /* there is no accepted key to ask with */
    REFRESH_DATABASE,     /* the database can't be reached, or would not store it */
    REFRESH_BUSY,         /* the fetcher has as much to do as it may take */
    REFRESH_OUTCOMES      /* how many there are; not an outcome */
};

struct refresh_message {
    enum refresh_type type;
    char host[HOST_MAX_BYTES +
              1]; /* checked by validate_host() on both sides; "" only in REFRESH_ALIVE and REFRESH_USED */
    struct digest digest;        /* of the client's key */
    bool check;                  /* ask Chartbeat with the client's key, however new the row is */
    bool has_key;                /* the client's key comes along: it may be one that is not stored yet */
    char key[KEY_MAX_BYTES + 1]; /* "" without has_key; to be wiped by whoever has it */
    enum refresh_outcome outcome;
    int wait_ms;  /* Chartbeat is not asked for this host before; 0: no such bound */
    int token_id; /* REFRESH_USED: at least 1; else 0, as requests */
    int requests;
};

/* Writes the message as REFRESH_MESSAGE_BYTES bytes, the unused ones 0. The bytes of an ASK hold the key: the
 * caller wipes them once they were sent. */
void refresh_encode(const struct refresh_message *message, unsigned char bytes_r[REFRESH_MESSAGE_BYTES]);

/* Reads one. STATUS_INVALID: another version, an unknown type or outcome, or a host or key that is none, a
 * view token among them, since none may reach Chartbeat;
 * *message_r is then undefined, and the connection is to be closed. */
enum status refresh_decode(const unsigned char bytes[REFRESH_MESSAGE_BYTES],
                           struct refresh_message *message_r) MUST_CHECK;

#endif
