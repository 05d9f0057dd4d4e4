/* One request of a client and its response.
 *
 * Its life, from the moment at which it is read as a whole:
 *
 *   REQUEST_LOOKUP   its row is to be looked up, together with those of all others in this state
 *   REQUEST_WAITING  its row can't be answered, or is to be refreshed first: it waits for the fetcher
 *   REQUEST_QUERY    its row is good, and its answer takes a query of its own
 *   REQUEST_DONE     its response is complete
 *
 *                  row is fresh, or stale and allowed
 *   begin ──> LOOKUP ──────────────────────────────────────────────────────> DONE
 *     │        │  ^ │                                                          ^
 *     │        │  │ └─ the answer takes more than the row ──> QUERY ───────────┤
 *     │        │  └─ the refresh ended, or its time is up ─┐                   │
 *     │        └─ the row is to be refreshed first ──> WAITING                 │
 *     └─ it needs no row (also ──> QUERY), or can't be read ───────────────────┘
 *
 * Every transition is made by request_go(), in request.c. A request that comes back from WAITING is looked up
 * again; where that still gives no answer, and asking again is of no use, it is told why. */
#ifndef UPBEAT_API_REQUEST_H
#define UPBEAT_API_REQUEST_H

#include "api/list_endpoint.h"
#include "api/report_endpoint.h"
#include "api/trend_endpoint.h"
#include "api/waiting.h"
#include "base/arena.h"
#include "base/clock.h"
#include "http/params.h"
#include "http/response.h"
#include "store/store.h"
#include <stdbool.h>

struct api;
struct route;

enum request_state { REQUEST_LOOKUP, REQUEST_WAITING, REQUEST_QUERY, REQUEST_DONE };

/* The caller sets `head`, and keeps what it points to until the response was sent. */
struct request {
    struct request_head head;
    enum request_state state;
    const struct route *route;
    struct request_params params;
    struct trends_request trends;    /* of /trends */
    struct report_request report;    /* of the reports */
    struct store_lookup lookup;      /* what was looked up, and what came of it */
    bool needs_lists;                /* the next look-up is to bring the page lists, whatever is cached */
    enum answer_freshness freshness; /* REQUEST_QUERY: of the row */
    struct waiter waiter;            /* REQUEST_WAITING: its place among those who wait */
    int rounds;                      /* how often it has waited */
    bool is_counted;                 /* as a use of its view token */
    bool is_kept;                    /* its body was in the cache of the worker */
    bool copy_may_stand_in;          /* nginx may serve the copy that it has in place of our 503 */
    struct response response;
    struct arena arena; /* what the request and its answer need, until that is complete */
    int64_t started_ms; /* of the monotonic clock */
    int64_t started_us; /* the same, for its duration */
    int64_t parked_us;  /* REQUEST_WAITING: since when */
    struct deadline deadline;
};

/* Makes a request ready for its first use, and frees what it holds. Between two uses request_clear(). */
void request_init(struct request *request);
void request_clear(struct request *request);
void request_release(struct request *request);

/* Starts a request: route, method, parameters. Afterwards it is REQUEST_LOOKUP, REQUEST_QUERY or
 * REQUEST_DONE. */
void request_begin(struct request *request, struct api *api);

/* Goes on after a look-up, of which `status` is the result and request->lookup what came. `now_ms` of the
 * monotonic clock. Afterwards it is REQUEST_DONE, REQUEST_WAITING, REQUEST_QUERY, or, where its page lists
 * are not in the cache any more, REQUEST_LOOKUP. */
void request_take_row(struct request *request, struct api *api, enum status status, int64_t now_ms);

/* Makes the query that a REQUEST_QUERY needs, by its deadline, and answers: it is then REQUEST_DONE. */
void request_query(struct request *request, struct api *api);

/* A REQUEST_WAITING was woken: it is to be looked up again. */
void request_wake(struct request *request, struct api *api);

/* End the response: as it stands, with a problem, or with a text that is not to be cached. */
void request_finish(struct request *request);
void request_finish_problem(struct request *request, const struct problem *problem);
void request_finish_text(struct request *request, const char *type, const char *text);

#endif
