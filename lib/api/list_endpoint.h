/* The endpoint /increasingconcurrents, and the headers of every answer out of a snapshot. Pure. */
#ifndef UPBEAT_API_LIST_ENDPOINT_H
#define UPBEAT_API_LIST_ENDPOINT_H

#include "api/policy.h"
#include "base/arena.h"
#include "base/status.h"
#include "http/params.h"
#include "http/response.h"
#include "store/store.h"

enum answer_freshness {
    ANSWER_FRESH,
    ANSWER_STALE,       /* a refresh is under way */
    ANSWER_STALE_ERROR, /* it could not be refreshed */
};

/* When the newest snapshot was taken that the client says it has seen: by the ETags of ours in If-None-Match
 * and by If-Modified-Since, which is in whole seconds. 0: it says nothing of that. */
time_us answer_seen_at(const struct request_head *input);

/* Begins an answer out of a snapshot, a report that nginx may keep until the next one is due: status,
 * headers, type. True: it is the 304 that the client's If-None-Match asks for, and there is no body to write.
 */
bool answer_begin(struct response *response, const struct request_head *input,
                  const struct request_params *params, const struct store_lookup *lookup,
                  const struct policy_bounds *bounds, enum answer_freshness freshness);

/* Writes the whole answer of /increasingconcurrents, or the 304 that stands for it; the caller ends the
 * response. Where `body` is given it is what the lists of the lookup come to, written before. STATUS_INVALID:
 * a list that is not in the form of pages_decode(). STATUS_NO_MEMORY. On an error the response is to be begun
 * again. */
enum status answer_increase(struct response *response, const struct request_head *input,
                            const struct request_params *params, const struct store_lookup *lookup,
                            const struct policy_bounds *bounds, enum answer_freshness freshness,
                            const struct buffer *body, struct arena *arena) MUST_CHECK;

#endif
