/* What can be asked for: the list of all endpoints, and for each how its parameters are read and its answer
 * is written. */
#ifndef UPBEAT_API_ROUTES_H
#define UPBEAT_API_ROUTES_H

#include "api/api.h"
#include "api/request.h"
#include "base/metric_table.h"

/* Reads the parameters of a request. STATUS_INVALID: *problem_r says what to answer. Else as params_read().
 */
typedef enum status route_read(struct request *request, struct problem *problem_r);

/* Writes an answer out of the row that was looked up, and `body` where it was cached; the caller ends the
 * response. STATUS_INVALID: the row is damaged. STATUS_UNREACHABLE, STATUS_TIMEOUT, STATUS_FAILED,
 * STATUS_NO_MEMORY. On an error the partly written response must be discarded. */
typedef enum status route_write(struct request *request, struct api *api, enum answer_freshness freshness,
                                const struct buffer *body);

/* Answers a request that needs no row: it is then REQUEST_DONE. */
typedef void route_answer(struct request *request, struct api *api);

enum route_kind {
    ROUTE_PLAIN, /* answered at once */
    ROUTE_ROW,   /* of a host: its row is looked up first */
    ROUTE_QUERY, /* of no host, and it takes a query */
};

struct route {
    const char *path;
    enum route_kind kind;
    route_read *read;      /* ROUTE_ROW and ROUTE_QUERY */
    route_write *write;    /* ROUTE_ROW */
    route_answer *answer;  /* ROUTE_PLAIN and ROUTE_QUERY */
    int refused_status;    /* where Chartbeat does not take the key for the host */
    bool needs_page_lists; /* the answer is made of the row's page lists; else it takes a query of its own */
    bool is_cacheable;     /* the body is the same for one snapshot */
    bool allows_any_age;   /* the answer is of use however old the newest snapshot is */
    unsigned may;          /* which view tokens may ask for it: bits 1 << enum token_may */
    const char *help;
    enum metric_endpoint endpoint;
};

/* Makes a body that was written for a fresh row say that it is stale, where it says anything of it. */
void routes_mark_stale(const struct route *route, struct buffer *body);

/* NULL: there is nothing. Static storage. */
const struct route *routes_find(const char *path);

#endif
