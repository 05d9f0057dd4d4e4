/* The lease row of a host: who may ask Chartbeat for it, and what came of that. Each call takes as many hosts
 * as are at hand, in one round trip and one transaction, since a commit costs as much as the work of a host.
 *
 * The calls of one batch name hosts in one order (lease_order()), so that two fetchers never wait for each
 * other's rows in a circle.
 *
 * Each call is bounded by its deadline and by LEASE_STEP_MS. STATUS_OK; STATUS_UNREACHABLE: no connection, or
 * it was lost; STATUS_TIMEOUT: the deadline passed; STATUS_FAILED: PostgreSQL refused the statement (logged);
 * STATUS_NO_MEMORY. Outputs are untouched on an error, and nothing of the batch is known to be stored. A call
 * that failed may have committed all the same; each may be repeated without harm. */
#ifndef UPBEAT_STORE_LEASE_H
#define UPBEAT_STORE_LEASE_H

#include "base/arena.h"
#include "base/clock.h"
#include "base/secret_box.h"
#include "base/status.h"
#include "db/database.h"
#include "store/page_columns.h"
#include <stdbool.h>
#include <stdint.h>

enum {
    LEASE_STEP_MS = 700,    /* of one call: a worker takes a fetcher that is silent for a second for frozen */
    LEASE_BATCH = 32,       /* hosts in one call */
    LEASE_TOKEN_BYTES = 16, /* a UUID */
};

enum claim_outcome {
    CLAIM_GRANTED,      /* the lease is ours */
    CLAIM_NOT_NEEDED,   /* another process has done it meanwhile: read again */
    CLAIM_HELD,         /* another process is at it */
    CLAIM_BACKOFF,      /* Chartbeat failed; not before wait_ms */
    CLAIM_RATE_LIMITED, /* the rate budget is used up; not before wait_ms */
    CLAIM_BAD_KEYS, /* too many keys that were never accepted were tried for this host; not before wait_ms */
    CLAIM_NO_KEY,   /* no accepted key to ask with */
    CLAIM_OUTCOMES  /* how many there are; not an outcome */
};

struct lease_bounds {
    int lease_ms;
    int rate_per_minute;
};

struct lease_request {
    const char *host;
    const struct digest *digest; /* of the client's key; NULL: it is the clock that asks */
    bool check;                  /* ask Chartbeat with that key, however new the row is */
    int ttl_ms;                  /* a row of this age needs no refresh */
};

struct lease_claim {
    enum claim_outcome outcome;
    int wait_ms;
    unsigned char token[LEASE_TOKEN_BYTES];
    time_us claimed_at;
    int64_t claimed_ms;   /* the same moment by our monotonic clock */
    struct digest digest; /* of the key to ask with */
    struct sealed sealed; /* that key; len_bytes 0: it is the caller's own */
};

/* None of it is owned. */
struct lease_publication {
    const char *host;
    const struct lease_claim *claim;
    const struct sealed *sealed; /* a key that is new to us; NULL: known */
    const struct page_columns *columns;
    int row_limit;
    int ttl_ms;
    int64_t answered_ms; /* when the answer came, by our monotonic clock */
    int rate_limit;      /* -1: not said */
    int rate_remaining;
    size_t refused_rows;
};

struct lease_failure {
    const char *host;
    const struct lease_claim *claim;
    const char *reason; /* in words */
    int retry_after_s;
};

struct due_host {
    char host[HOST_MAX_BYTES + 1];
    int64_t late_ms;  /* since it was due; -1: it never had a snapshot */
    int64_t every_ms; /* how often it is asked for */
};

struct due_list {
    struct due_host *items; /* longest due first */
    size_t count;
};

/* The order of hosts in a batch, as of strcmp(). */
int lease_order(const char *host, const char *other);

/* Asks for the leases of count (1 to LEASE_BATCH) hosts, in the order of lease_order(). */
enum status lease_claim(struct database *database, const struct lease_request *requests, size_t count,
                        const struct lease_bounds *bounds, struct deadline deadline,
                        struct lease_claim *claims_r) MUST_CHECK;

/* Stores what Chartbeat answered for count (1 to LEASE_BATCH) hosts, in the order of lease_order(), and gives
 * their leases back: all of them or, on an error, none. More than one: only of keys that are known.
 * stored_r[i]: a new snapshot; false: too late, or within the TTL. */
enum status lease_publish(struct database *database, const struct lease_publication *publications,
                          size_t count, struct deadline deadline, bool *stored_r) MUST_CHECK;

/* Records the failed requests of count (1 to LEASE_BATCH) hosts, in the order of lease_order(), and gives
 * their leases back; back_off_ms_r[i] says for how long Chartbeat is not asked now. */
enum status lease_fail(struct database *database, const struct lease_failure *failures, size_t count,
                       struct deadline deadline, int *back_off_ms_r) MUST_CHECK;

/* Records that Chartbeat refused the key of this claim for the host, and gives the lease back. */
enum status lease_refuse(struct database *database, const char *host, const struct lease_claim *claim,
                         const char *reason, struct deadline deadline) MUST_CHECK;

/* Says which of count (1 to LEASE_BATCH) hosts have no lease that a process holds. */
enum status lease_look(struct database *database, const char *const *hosts, size_t count, int lease_ms,
                       struct deadline deadline, bool *is_free_r) MUST_CHECK;

/* Notes that somebody asked for these (1 to LEASE_BATCH) hosts, where that was not noted within a minute. */
enum status lease_asked(struct database *database, const char *const *hosts, size_t count,
                        struct deadline deadline) MUST_CHECK;

/* Reads at most `limit` hosts that are due now and whose lease is free. `host`: that one alone; NULL: all.
 * The arena owns the list. */
enum status lease_due(struct database *database, const char *host, int limit, struct arena *arena,
                      struct deadline deadline, struct due_list *list_r) MUST_CHECK;

#endif
