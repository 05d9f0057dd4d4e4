/* What to do with a request, from the age of the cache row and what is known of the key. Pure. This is the
 * one place that says when a row is fresh, stale, or too old, and how long a request waits for a new one. */
#ifndef UPBEAT_API_POLICY_H
#define UPBEAT_API_POLICY_H

#include "store/cache_row.h"

#include <stdbool.h>
#include <stdint.h>

enum {
    POLICY_COPY_STALE_MS = 1000, /* a copy in front may outlive the TTL by so much, and no more */
    POLICY_COPY_DUE_MS = 3000,   /* so long at most a copy of a report waits for the row to be due */
    POLICY_WAIT_MAX_MS = 2500,   /* of a request that can't be answered without a refresh */
};

struct policy_bounds {
    int ttl_ms;
    int stale_ms;
    int stale_error_ms;
    int wait_ms; /* of a request whose row is older than the TTL, but not than stale_ms */
};

enum policy_action {
    POLICY_ANSWER,         /* the row is fresh */
    POLICY_ANSWER_AND_ASK, /* answer at once with the row as it is, and have it refreshed */
    POLICY_WAIT,           /* have it refreshed, and wait for that, at most wait_ms since the request came */
    POLICY_CHECK_KEY, /* have Chartbeat asked with this key before anything is served to it; wait_ms too */
    POLICY_REFUSE,    /* Chartbeat does not take this key for this host */
};

struct policy_decision {
    enum policy_action action;
    int wait_ms; /* POLICY_WAIT and POLICY_CHECK_KEY; else 0 */
};

/* Decides what to do. Every state of a row has a decision. */
struct policy_decision policy_decide(const struct cache_row_state *row, const struct policy_bounds *bounds);

/* May this row be served although it could not be refreshed? */
bool policy_may_serve_stale(const struct cache_row_state *row, const struct policy_bounds *bounds);

/* For how long will there be no newer row: what is left of the TTL, at most POLICY_COPY_DUE_MS, since a copy
 * is also how long a view token outlives its revocation; 0 where the row is not fresh, or the TTL is below a
 * second. */
int64_t policy_due_ms(const struct cache_row_state *row, const struct policy_bounds *bounds);

/* For how long may a copy of the answer be served: what is left of the TTL and over_ms more, or what is
 * left of the bound on revocation, whichever is less; 0 where the row is not fresh. */
int64_t policy_copy_ms(const struct cache_row_state *row, const struct policy_bounds *bounds,
                       int64_t over_ms);

/* For how long may a copy be served while no worker gives an answer: to the end of stale_error_ms, and of the
 * bound on revocation; 0: not at all. */
int64_t policy_copy_error_ms(const struct cache_row_state *row, const struct policy_bounds *bounds);

/* Is a row of this age still within the TTL? A row from the future beyond the TTL is void: the clock has
 * jumped. */
bool policy_is_fresh(const struct cache_row_state *row, const struct policy_bounds *bounds);

#endif
