/* Requests that wait for the fetcher. Pure: the caller gives the clock, and sends and receives the messages.
 *
 * The life of a request that waits: waiting_park() puts it beside the others that need the same refresh, and
 * says whether the fetcher is still to be asked for it: once for all of them. It leaves the table in one of
 * four ways, each with a reason that its owner words: the fetcher says that the refresh has ended
 * (waiting_end()), its time is up (waiting_expire()), the fetcher is lost (waiting_lose()), or its client
 * goes away (waiting_remove()). After the first three waiting_next_woken() gives it back, and its owner looks
 * the row up again: all who waited for one host come back together, so one look-up serves them.
 *
 * A refresh is named by its host, or, where a key is to be checked, by host and key. A refresh that ended
 * badly stays in the table for a moment: requests that come meanwhile are told the same at once, and the
 * fetcher is not asked again and again for a host that it cannot refresh. */
#ifndef UPBEAT_API_WAITING_H
#define UPBEAT_API_WAITING_H

#include "base/secret_box.h"
#include "base/status.h"
#include "http/response.h"
#include "refresh/protocol.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    WAITING_HOSTS_MAX = 4096,   /* refreshes in the table, under way and remembered */
    WAITING_PAUSE_MIN_MS = 100, /* between a refresh that ended badly and the next question */
    WAITING_PAUSE_MAX_MS = 1000,
};

struct waiting;
struct awaited;

/* Why a request does not wait, or no longer waits. */
enum wake_reason {
    WAKE_NOT_ASKED, /* it has not waited yet */
    WAKE_ENDED,     /* the refresh has ended: outcome and wait_ms say how */
    WAKE_EXPIRED,   /* its time is up */
    WAKE_LOST,      /* there is no fetcher */
    WAKE_FULL,      /* too many wait already */
};

/* Part of a request. All of it is written here, and read by the request's owner. */
struct waiter {
    struct waiter *next, *previous; /* in its list; NULL outside */
    struct awaited *awaited;        /* what it waits for; NULL: it does not wait */
    int64_t until_ms;               /* of the monotonic clock */
    enum wake_reason reason;
    enum refresh_outcome outcome; /* where reason is WAKE_ENDED */
    int wait_ms;                  /* the same: Chartbeat is not asked before; 0: no such bound */
};

/* Names a refresh. `check`: Chartbeat is to be asked with this key. */
struct wanted {
    const char *host;
    const struct digest *digest;
    bool check;
};

enum waiting_answer {
    WAITING_ASK,     /* send the fetcher a REFRESH_ASK for it */
    WAITING_ASKED,   /* that was done */
    WAITING_REFUSED, /* nothing was parked, and nothing is to be sent: the waiter's reason says why */
};

/* An empty table in which at most waiters_max requests wait. NULL: no memory. */
struct waiting *waiting_new(int waiters_max) MUST_CHECK;

/* Frees the table; no request may wait in it. NULL is allowed. */
void waiting_free(struct waiting *waiting);

/* Lets a request wait until until_ms. The waiter must stay where it is in memory until it is woken or
 * removed. */
enum waiting_answer waiting_park(struct waiting *waiting, const struct wanted *wanted, struct waiter *waiter,
                                 int64_t until_ms, int64_t now_ms) MUST_CHECK;

/* Says that somebody wants the refresh who does not wait for it. WAITING_REFUSED: it ended badly a moment
 * ago, or there is no room to remember that it was asked for. */
enum waiting_answer waiting_want(struct waiting *waiting, const struct wanted *wanted,
                                 int64_t now_ms) MUST_CHECK;

/* Takes the end of a refresh: wakes all who wait for it. A bad end is remembered even if no request waits. */
void waiting_end(struct waiting *waiting, const struct refresh_message *done, int64_t now_ms);

/* Wakes those whose time is up. */
void waiting_expire(struct waiting *waiting, int64_t now_ms);

/* Wakes all, since there is no fetcher any more, and forgets all that was asked. */
void waiting_lose(struct waiting *waiting);

/* Calls ask() for each refresh that was asked for and has not ended: for a new connection to the fetcher. */
void waiting_ask_again(struct waiting *waiting,
                       void (*ask)(void *context, const struct wanted *wanted, struct waiter *first),
                       void *context);

/* Takes a request out whose client has gone. One that does not wait is left as it is. */
void waiting_remove(struct waiting *waiting, struct waiter *waiter);

/* The next of those that were woken, or NULL. */
struct waiter *waiting_next_woken(struct waiting *waiting);

/* Is any refresh asked for that has not ended? */
bool waiting_is_owed(const struct waiting *waiting);

/* What to tell a request that can't be answered from a row: status and sentence by the waiter's reason and
 * outcome, Retry-After by its wait_ms. The texts are constants. */
struct problem waiting_problem(const struct waiter *waiter);

/* How many wait. */
int waiting_count(const struct waiting *waiting);

/* Milliseconds until the next one's time is up, at most max_ms. */
int waiting_timeout_ms(const struct waiting *waiting, int64_t now_ms, int max_ms);

#endif
