/* What can be asked for: the list of all endpoints, and for each how its parameters are read and its answer
 * is written. */
#ifndef UPBEAT_ROUTES_H
#define UPBEAT_ROUTES_H

#include "answer.h"
#include "exchange.h"
#include "policy.h"
#include "store.h"

/* Reads the exchange's request. UP_INVALID: *problem_r says what to answer. Else as request_read(). */
typedef enum up_result route_read(struct exchange *exchange, struct problem *problem_r);

/* Writes an answer out of the row that was read, and `body` where it was kept; the caller ends the response.
 * UP_INVALID: the row is damaged. UP_UNREACHABLE, UP_TIMEOUT, UP_FAILED, UP_NO_MEMORY. On an error the
 * response is to be begun again. */
typedef enum up_result route_write(struct exchange *exchange, struct store *store,
                                   const struct policy_bounds *bounds, enum answer_freshness freshness,
                                   const struct buffer *body);

/* Answers the exchange at once: of no host. */
typedef void route_finish(struct exchange *exchange, struct store *store, const struct policy_bounds *bounds);

struct route {
    const char *path;
    route_read *read;     /* with write, or NULL */
    route_write *write;   /* with read, or NULL */
    route_finish *finish; /* or NULL */
    int refused_status;   /* where Chartbeat does not take the key for the host */
    bool wants_lists;     /* of the row */
    bool is_kept;         /* the body is the same for one snapshot */
    bool is_past;         /* the answer is of use however old the newest snapshot is */
    const char *help;
};

/* NULL: there is nothing. Static storage. */
const struct route *routes_find(const char *path);

#endif
