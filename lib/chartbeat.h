/* The client of Chartbeat: one GET, bounded in time and size. The only module that calls libcurl. */
#ifndef UPBEAT_CHARTBEAT_H
#define UPBEAT_CHARTBEAT_H

#include "buffer.h"
#include "deadline.h"
#include "result.h"
#include <stdbool.h>
#include <stdint.h>

enum {
    ANSWER_MAX_BYTES = 2 * 1024 * 1024, /* after decompression */
    RETRY_AFTER_MAX_S = 600,
};

struct chartbeat;

struct chartbeat_config {
    const char *url; /* scheme, host and path; must outlive the client */
    int limit;       /* pages */
    int timeout_ms;  /* of one request, in all */
};

struct chartbeat_answer {
    long status;       /* of HTTP; 0 where none came */
    int retry_after_s; /* 0 where absent; clamped to RETRY_AFTER_MAX_S */
    int rate_limit;    /* X-RateLimit-Limit and -Remaining; -1 where absent */
    int rate_remaining;
    const char *body; /* owned by the client, until the next call */
    size_t body_bytes;
    const char
        *reason; /* why it failed, in words without key or address (owned by the client); "" on UP_OK */
};

/* A client with one connection to keep alive, to be made after the fork. UP_NO_MEMORY or UP_INVALID (an
 * address libcurl does not take): *client_r is untouched. */
enum up_result chartbeat_new(struct chartbeat **client_r, const struct chartbeat_config *config) MUST_CHECK;

/* NULL is allowed. */
void chartbeat_free(struct chartbeat *client);

/* Asks for the top pages of a host (checked by access_host) with a key (checked by access_key), by the
 * deadline and within timeout_ms. *answer_r is always filled in. UP_OK: status 200 and a body. UP_REFUSED:
 * 401 or 403. UP_LIMITED: 429. UP_FAILED: another status. UP_TIMEOUT, UP_UNREACHABLE. UP_TOO_LARGE: over
 * ANSWER_MAX_BYTES. UP_INVALID: broken off or not decodable. UP_NO_MEMORY. */
enum up_result chartbeat_fetch(struct chartbeat *client, const char *host, const char *key,
                               struct deadline deadline, struct chartbeat_answer *answer_r) MUST_CHECK;

/* Many requests at once, each with a deadline of its own: for the collector. */
struct chartbeat_crowd;

/* A crowd of at most `connections` (1 to 256) requests at a time. Errors as chartbeat_new(). */
enum up_result chartbeat_crowd_new(struct chartbeat_crowd **crowd_r, const struct chartbeat_config *config,
                                   int connections) MUST_CHECK;

/* Breaks off what is under way. NULL is allowed. */
void chartbeat_crowd_free(struct chartbeat_crowd *crowd);

bool chartbeat_crowd_has_room(const struct chartbeat_crowd *crowd);

/* Starts what chartbeat_fetch() does, in a crowd that has room. `context` comes back with the answer.
 * UP_INVALID or UP_NO_MEMORY: nothing was started. */
enum up_result chartbeat_crowd_start(struct chartbeat_crowd *crowd, const char *host, const char *key,
                                     struct deadline deadline, void *context) MUST_CHECK;

/* Waits for timeout_ms, at most until a request has ended. True: one has, and its context, result and answer,
 * as of chartbeat_fetch(), are there; the answer until the next call. */
bool chartbeat_crowd_next(struct chartbeat_crowd *crowd, int timeout_ms, void **context_r,
                          enum up_result *result_r, struct chartbeat_answer *answer_r);

#endif
