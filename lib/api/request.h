/* One request and its answer, on the way from one to the other. */
#ifndef UPBEAT_API_REQUEST_H
#define UPBEAT_API_REQUEST_H

#include "api/report_endpoint.h"
#include "api/trend_endpoint.h"
#include "base/arena.h"
#include "base/clock.h"
#include "http/params.h"
#include "http/response.h"
#include "store/store.h"
#include <stdbool.h>

struct route;

enum request_state {
    REQUEST_DONE,    /* the response is complete */
    REQUEST_LOOKUP,  /* wants service_read() */
    REQUEST_WAITING, /* wants service_settle() */
};

/* The caller sets `input`, and keeps it alive until the response was sent. */
struct request {
    struct request_head head;

    enum request_state state;
    const struct route *route;
    struct request_params params;
    struct trends_request trends;     /* of /trends */
    struct trend_cache *trend_result; /* the worker's, or NULL: every window is trend_result anew */
    struct report_request report;     /* of what is remembered */
    struct store_lookup lookup;
    struct response response;
    struct arena arena; /* what the request and its answer need, until that is complete */
    struct arena rows;  /* what was read for it */
    struct deadline deadline;
    int64_t refresh_in_ms; /* once it is answered: -1 not, 0 it was stale, else when it will be */
};

/* Makes an request ready for its first use, and frees what it holds. */
void request_init(struct request *request);
void request_release(struct request *request);

/* End the response, which is then REQUEST_DONE: as it stands, with a problem, or with a text that is not to
 * be cached. */
void request_finish(struct request *request);
void request_finish_problem(struct request *request, const struct problem *problem);
void request_finish_text(struct request *request, const char *type, const char *text);

#endif
