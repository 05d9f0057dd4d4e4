/* The client of Chartbeat: GET requests, many at once, each bounded in time and size. The only module that
 * calls libcurl. */
#ifndef UPBEAT_UPSTREAM_CHARTBEAT_H
#define UPBEAT_UPSTREAM_CHARTBEAT_H

#include "base/buffer.h"
#include "base/clock.h"
#include "base/status.h"
#include <poll.h>
#include <stdbool.h>
#include <stdint.h>

enum {
    ANSWER_ROW_BYTES = 5 * 1024,          /* an answer may have so much for each row that was asked for, */
    ANSWER_LEAST_BYTES = 2 * 1024 * 1024, /* but at least this, */
    ANSWER_MOST_BYTES = 64 * 1024 * 1024, /* and at most this, after decompression */
    RETRY_AFTER_MAX_S = 600,
    CHARTBEAT_POLL_MAX = 640, /* descriptors of the caller's in one wait */
};

struct chartbeat;

struct chartbeat_config {
    const char *url;     /* scheme, host and path; must outlive the client */
    int limit;           /* pages */
    int timeout_ms;      /* of one request, in all */
    const char *ca_file; /* certificates to trust; NULL or "": the system's. Must outlive the client. */
};

struct chartbeat_answer {
    long status; /* of HTTP; 0 where none came */
    bool has_retry_after;
    int retry_after_s; /* 0 where absent; clamped to RETRY_AFTER_MAX_S */
    int rate_limit;    /* X-RateLimit-Limit and -Remaining, or spelled X-Rate-Limit- or RateLimit-; the
                          smallest where several come; -1 where absent */
    int rate_remaining;
    const char *content_type; /* NULL where absent; owned as the body */
    const char *body;         /* owned by the client, until the next call of any of its functions */
    size_t body_bytes;
    const char
        *reason; /* why it failed, in words without key or address (owned by the client); "" on STATUS_OK */
};

/* The answer of a request that could not be started. */
extern const struct chartbeat_answer chartbeat_no_answer;

/* The bound of one answer, for so many pages. */
size_t chartbeat_answer_max_bytes(int limit);

/* A client of at most `connections` (1 to 256) requests at a time, to be made after the fork.
 * STATUS_NO_MEMORY or STATUS_INVALID (an address libcurl does not take): *client_r is untouched. */
enum status chartbeat_new(struct chartbeat **client_r, const struct chartbeat_config *config,
                          int connections) MUST_CHECK;

/* Breaks off what is under way. NULL is allowed. */
void chartbeat_free(struct chartbeat *client);

/* Starts to ask for the top pages of a host (checked by validate_host) with a key (checked by validate_key),
 * by the deadline and within timeout_ms, where there is room. `context` comes back with the answer. Requests
 * go on only in chartbeat_poll() and chartbeat_next(), in which their time runs; one that is not looked at in
 * time has timed out, whatever has come. STATUS_INVALID or STATUS_NO_MEMORY: nothing was started. */
enum status chartbeat_start(struct chartbeat *client, const char *host, const char *key,
                            struct deadline deadline, void *context) MUST_CHECK;

/* Waits until something has come for a request, or one of `count` (at most CHARTBEAT_POLL_MAX) descriptors of
 * the caller's is ready for its events, at most for timeout_ms; then goes on with the requests. Sets POLLIN
 * and POLLOUT in `revents`; a descriptor with an error has neither or both, and reading it tells. */
void chartbeat_poll(struct chartbeat *client, struct pollfd *fds, size_t count, int timeout_ms);

/* The next request that has ended. Where none has, waits as chartbeat_poll() does for one, at most for
 * timeout_ms; -1: does not wait, nor goes on with any. True: its context, result and answer are there.
 * *result_r: STATUS_OK: a whole answer, of any status; answer_kind_of() says what it amounts to.
 * STATUS_TIMEOUT, STATUS_UNREACHABLE. STATUS_TOO_LARGE: over chartbeat_answer_max_bytes(). STATUS_INVALID:
 * broken off or not decodable. STATUS_NO_MEMORY. */
bool chartbeat_next(struct chartbeat *client, int timeout_ms, void **context_r, enum status *result_r,
                    struct chartbeat_answer *answer_r);

/* Frees the answer that came last. */
void chartbeat_release_answer(struct chartbeat *client);

#endif
