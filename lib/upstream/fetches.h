/* The table of refreshes: which host is to be refreshed, who waits for it, and when to look at it again.
 * Pure: it talks to nobody, and is told what time it is.
 *
 * The life of a refresh: somebody asks for a host, or the clock does (FETCH_QUEUED). Those who ask for a host
 * that is in the table already join its refresh, so that one request to Chartbeat serves all. The fetcher
 * takes the next one and claims its lease (FETCH_RUNNING). If another process holds the lease, the refresh
 * waits (FETCH_HELD), and its row is looked at every FETCH_LOOK_MS while anyone waits for it; once the lease
 * is free it is queued again. When the refresh ends, all who wait are answered, and it leaves the table.
 *
 * The check of a key is a refresh of its own: only those who ask with the same key can join it. It stays
 * behind the host's other refreshes (FETCH_BEHIND), since a host has one lease. An asker who only wants a new
 * row joins a check too; if Chartbeat refuses that key, the row is still old, and the asker gets a refresh of
 * its own. */
#ifndef UPBEAT_UPSTREAM_FETCHES_H
#define UPBEAT_UPSTREAM_FETCHES_H

#include "base/secret_box.h"
#include "base/status.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    FETCH_LOOK_MS = 50,        /* how often a lease that another process holds is looked at */
    FETCH_WAIT_MAX_MS = 4500,  /* the longest that an asker waits for an answer */
    FETCHES_MAX = 10000,       /* refreshes in the table */
    FETCHES_OF_HOST_MAX = 64,  /* of one host: one under way, and checks of keys behind it */
    FETCH_WAITERS_MAX = 50000, /* of all refreshes */
};

enum fetch_state {
    FETCH_BEHIND,  /* waits for another refresh of the same host to end */
    FETCH_QUEUED,  /* waits for its turn to be claimed */
    FETCH_RUNNING, /* is being claimed, asked for, or stored */
    FETCH_HELD,    /* waits for another process to give the lease back */
};

/* A question of an asker. */
struct fetch_ask {
    const char *host; /* checked by validate_host() */
    struct digest digest;
    bool check;      /* ask Chartbeat with this key, however new the row is */
    const char *key; /* the key itself; "" where the asker does not hand it over */
    int ttl_ms;      /* a row of this age needs no refresh */
};

/* Somebody who is owed an answer. */
struct fetch_waiter {
    uint64_t connection;
    struct digest digest;
    bool check;
    int64_t until_ms;
    struct fetch *fetch;
    struct fetch_waiter *prev, *next;   /* of the same refresh */
    struct fetch_waiter *older, *newer; /* of all; they came in the order of until_ms */
};

/* Fields are for reading only, but for `job`, which is the caller's. */
struct fetch {
    char host[HOST_MAX_BYTES + 1];
    enum fetch_state state;
    bool has_asker; /* somebody asked; false: only the clock */
    bool check;
    struct digest digest;        /* with has_asker: of the key of the first who asked */
    char key[KEY_MAX_BYTES + 1]; /* that key, or "" */
    int ttl_ms;                  /* a row of this age needs no refresh */
    int64_t look_at_ms;          /* FETCH_HELD: when to look at the lease again */
    int64_t held_ms;             /* since when it has waited for the lease; 0: it does not */
    int64_t queued_ms;           /* when it came into the table */
    struct fetch_waiter *waiters;
    void *job;
};

struct fetches;

/* Is told of a waiter that is to be answered, which is gone after the call. */
typedef void fetches_answer(void *context, const struct fetch *fetch, const struct fetch_waiter *waiter);

/* An empty table. STATUS_NO_MEMORY: *fetches_r is untouched. */
enum status fetches_new(struct fetches **fetches_r) MUST_CHECK;

/* Forgets all; keys are wiped, and drop_job() is called with each job that is not NULL. NULL is allowed. */
void fetches_free(struct fetches *fetches, void (*drop_job)(void *job));

/* Takes an ask of a connection, which is answered once. STATUS_TOO_LARGE: the table, or the host's part of
 * it, is full; STATUS_NO_MEMORY: then nobody waits. *joined_r: it joined a refresh that was there. */
enum status fetches_ask(struct fetches *fetches, const struct fetch_ask *ask, uint64_t connection,
                        int64_t now_ms, bool *joined_r) MUST_CHECK;

/* The host is due by the clock. Where it is in the table already, nothing changes. Errors as of
 * fetches_ask(). */
enum status fetches_due(struct fetches *fetches, const char *host, int ttl_ms, int64_t now_ms) MUST_CHECK;

/* The next refresh to claim, which becomes FETCH_RUNNING: those that somebody asked for come before those of
 * the clock, and each of these in the order in which they came. NULL: there is none. */
struct fetch *fetches_next(struct fetches *fetches);

/* Another process holds the lease. True: the refresh is FETCH_HELD, to be looked at in FETCH_LOOK_MS. False:
 * nobody waits for it; end it. */
bool fetches_hold(struct fetches *fetches, struct fetch *fetch, int64_t now_ms) MUST_CHECK;

/* Puts up to `max` refreshes whose lease is to be looked at now into found_r; each is FETCH_RUNNING, until
 * fetches_hold() or fetches_queue_again(). Returns how many. */
size_t fetches_to_look_at(struct fetches *fetches, int64_t now_ms, struct fetch **found_r, size_t max);

/* The lease is free again: to be claimed next. */
void fetches_queue_again(struct fetches *fetches, struct fetch *fetch);

/* The refresh (FETCH_RUNNING) has ended: all who wait are answered, and the refresh is gone after the call.
 * `of_key_alone`: what came of it says something of its key only; then those who did not ask to check
 * that key are queued again in place of being answered. */
void fetches_end(struct fetches *fetches, struct fetch *fetch, bool of_key_alone, int64_t now_ms,
                 fetches_answer *answer, void *context);

/* Answers those who have waited for FETCH_WAIT_MAX_MS; the refreshes go on. */
void fetches_expire(struct fetches *fetches, int64_t now_ms, fetches_answer *answer, void *context);

/* The connection is gone: nobody waits on it any more. The refreshes go on. */
void fetches_forget(struct fetches *fetches, uint64_t connection);

/* Drops what is queued by the clock alone: for a fetcher that is to stop. */
void fetches_drop_due(struct fetches *fetches);

/* Refreshes in the table; those that are FETCH_QUEUED; those who wait. */
size_t fetches_count(const struct fetches *fetches);
size_t fetches_queued(const struct fetches *fetches);
size_t fetches_waiting(const struct fetches *fetches);

/* Milliseconds until something is to be done by the clock (a look, an answer that is due); 0: now; at most
 * max_ms. */
int fetches_wait_ms(const struct fetches *fetches, int64_t now_ms, int max_ms);

#endif
