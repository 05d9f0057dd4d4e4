/* What can be asked for: the list of all endpoints, and for each how its parameters are read and its answer
 * is written. */
#ifndef UPBEAT_API_ROUTES_H
#define UPBEAT_API_ROUTES_H

#include "api/list_endpoint.h"
#include "api/policy.h"
#include "api/request.h"
#include "store/store.h"

/* Reads the request's request. STATUS_INVALID: *problem_r says what to answer. Else as params_read(). */
typedef enum status route_read(struct request *request, struct problem *problem_r);

/* Writes an answer out of the row that was read, and `body` where it was kept; the caller ends the response.
 * STATUS_INVALID: the row is damaged. STATUS_UNREACHABLE, STATUS_TIMEOUT, STATUS_FAILED, STATUS_NO_MEMORY. On
 * an error the response is to be begun again. */
typedef enum status route_write(struct request *request, struct store *store,
                                const struct policy_bounds *bounds, enum answer_freshness freshness,
                                const struct buffer *body);

/* Answers the request at once: of no host. */
typedef void route_finish(struct request *request, struct store *store, const struct policy_bounds *bounds);

struct route {
    const char *path;
    route_read *read;      /* with write, or NULL */
    route_write *write;    /* with read, or NULL */
    route_finish *finish;  /* or NULL */
    int refused_status;    /* where Chartbeat does not take the key for the host */
    bool needs_page_lists; /* of the row */
    bool is_cacheable;     /* the body is the same for one snapshot */
    bool allows_any_age;   /* the answer is of use however old the newest snapshot is */
    const char *help;
};

/* NULL: there is nothing. Static storage. */
const struct route *routes_find(const char *path);

#endif
