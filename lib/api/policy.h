/* What to do with a request, from the age of the cached row and what is known of the key: the refresh policy,
 * without a clock. */
#ifndef UPBEAT_API_POLICY_H
#define UPBEAT_API_POLICY_H

#include <stdbool.h>
#include <stdint.h>

enum {
    REVOCATION_MS =
        300000, /* a key that was not checked for so long is not served before it is checked again */
};

enum {
    POLICY_COPY_STALE_MS = 1000, /* a copy may outlive the TTL by so much, and no more */
};

enum key_status {
    KEY_UNKNOWN,  /* Chartbeat was never asked, or its refusal is old enough to ask again */
    KEY_ACCEPTED, /* for this host */
    KEY_REFUSED,  /* for this host, and remembered */
};

/* Times of the database's clock, as differences to its now. */
struct cache_row_state {
    bool has_snapshot;
    int64_t age_ms; /* of the snapshot; below 0 after a jump of the clock */
    enum key_status key_status;
    int64_t check_age_ms; /* since the key was checked for this host */
    int failures;         /* refreshes of this host that failed in a row, 0 where the row is fresh */
};

struct policy_bounds {
    int ttl_ms;
    int stale_ms;
    int stale_error_ms;
};

enum policy_action {
    POLICY_ANSWER,             /* fresh */
    POLICY_ANSWER_AND_REFRESH, /* stale, or Chartbeat is in trouble: answer at once, refresh after */
    POLICY_REFILL_FIRST,       /* too old, or no snapshot: refresh, then answer */
    POLICY_CHECK_KEY,          /* ask Chartbeat with this key before anything is served to it */
    POLICY_REFUSE,             /* Chartbeat does not take this key for this host */
};

/* What to do. Total: every view has an action. */
enum policy_action policy_decide(const struct cache_row_state *view, const struct policy_bounds *bounds);

/* May this row be served although it could not be refilled? */
bool policy_may_serve_stale(const struct cache_row_state *view, const struct policy_bounds *bounds);

/* For how long may a copy of the answer be served: what is left of the TTL and POLICY_COPY_STALE_MS more, or
 * what is left of the bound on revocation, whichever is less; 0 where the row is not fresh. */
int64_t policy_copy_ms(const struct cache_row_state *view, const struct policy_bounds *bounds);

/* Is a row of this age still within the TTL? A row from the future beyond the TTL is void: the clock has
 * jumped. */
bool policy_is_fresh(const struct cache_row_state *view, const struct policy_bounds *bounds);

#endif
