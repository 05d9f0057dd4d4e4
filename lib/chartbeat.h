/* The client of Chartbeat: GET requests, many at once, each bounded in time and size. The only module that
 * calls libcurl. */
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
    const char *body; /* owned by the client, until the next call of any of its functions */
    size_t body_bytes;
    const char
        *reason; /* why it failed, in words without key or address (owned by the client); "" on UP_OK */
};

/* Of a request that could not be started. */
extern const struct chartbeat_answer chartbeat_no_answer;

/* A client of at most `connections` (1 to 256) requests at a time, to be made after the fork. UP_NO_MEMORY or
 * UP_INVALID (an address libcurl does not take): *client_r is untouched. */
enum up_result chartbeat_new(struct chartbeat **client_r, const struct chartbeat_config *config,
                             int connections) MUST_CHECK;

/* Breaks off what is under way. NULL is allowed. */
void chartbeat_free(struct chartbeat *client);

bool chartbeat_has_room(const struct chartbeat *client);

/* Starts to ask for the top pages of a host (checked by access_host) with a key (checked by access_key), by
 * the deadline and within timeout_ms, where there is room. `context` comes back with the answer. Requests go
 * on only in here and in chartbeat_next(); one that is not looked at in time has timed out, whatever has
 * come. UP_INVALID or UP_NO_MEMORY: nothing was started. */
enum up_result chartbeat_start(struct chartbeat *client, const char *host, const char *key,
                               struct deadline deadline, void *context) MUST_CHECK;

/* Waits until something has come for a request, at most for timeout_ms. True: one has ended, and its context,
 * result and answer are there. *result_r: UP_OK: status 200 and a body. UP_REFUSED: 401 or 403.
 * UP_LIMITED: 429. UP_FAILED: another status. UP_TIMEOUT, UP_UNREACHABLE. UP_TOO_LARGE: over
 * ANSWER_MAX_BYTES. UP_INVALID: broken off or not decodable. UP_NO_MEMORY. */
bool chartbeat_next(struct chartbeat *client, int timeout_ms, void **context_r, enum up_result *result_r,
                    struct chartbeat_answer *answer_r);

/* Frees the answer that came last. */
void chartbeat_drop(struct chartbeat *client);

#endif
