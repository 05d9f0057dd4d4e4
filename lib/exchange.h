/* One request and its answer, on the way from one to the other. */
#ifndef UPBEAT_EXCHANGE_H
#define UPBEAT_EXCHANGE_H

#include "arena.h"
#include "deadline.h"
#include "report.h"
#include "request.h"
#include "response.h"
#include "store.h"
#include "trends.h"
#include <stdbool.h>

struct route;

enum exchange_state {
    EXCHANGE_DONE,     /* the response is complete */
    EXCHANGE_READ,     /* wants service_read() */
    EXCHANGE_BLOCKING, /* wants service_settle() */
};

/* The caller sets `input`, and keeps it alive until the response was sent. */
struct exchange {
    struct request_input input;

    enum exchange_state state;
    const struct route *route;
    struct request request;
    struct trends_request trends;  /* of /trends */
    struct weighed_store *weighed; /* the worker's, or NULL: every window is weighed anew */
    struct report_request report;  /* of what is remembered */
    struct store_lookup lookup;
    struct response response;
    struct arena arena; /* what the request and its answer need, until that is complete */
    struct arena rows;  /* what was read for it */
    struct deadline deadline;
    int64_t refill_in_ms; /* once it is answered: -1 not, 0 it was stale, else when it will be */
};

/* Makes an exchange ready for its first use, and frees what it holds. */
void exchange_init(struct exchange *exchange);
void exchange_release(struct exchange *exchange);

/* End the response, which is then EXCHANGE_DONE: as it stands, with a problem, or with a text that is not to
 * be cached. */
void exchange_finish(struct exchange *exchange);
void exchange_finish_problem(struct exchange *exchange, const struct problem *problem);
void exchange_finish_text(struct exchange *exchange, const char *type, const char *text);

#endif
