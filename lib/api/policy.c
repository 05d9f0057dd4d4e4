#include "api/policy.h"

static bool within(int64_t age_ms, int64_t least_ms, int64_t most_ms)
{
    return age_ms >= least_ms && age_ms <= most_ms;
}

static bool may_be_served(const struct cache_row_state *row)
{
    return row->key_status == KEY_ACCEPTED && within(row->check_age_ms, -REVOCATION_MS, REVOCATION_MS);
}

bool policy_is_fresh(const struct cache_row_state *row, const struct policy_bounds *bounds)
{
    return row->has_snapshot && within(row->age_ms, -(int64_t)bounds->ttl_ms, bounds->ttl_ms);
}

bool policy_may_serve_stale(const struct cache_row_state *row, const struct policy_bounds *bounds)
{
    return may_be_served(row) && row->has_snapshot &&
           within(row->age_ms, -(int64_t)bounds->ttl_ms, bounds->stale_error_ms);
}

int64_t policy_due_ms(const struct cache_row_state *row, const struct policy_bounds *bounds)
{
    if (!policy_is_fresh(row, bounds) || bounds->ttl_ms < POLICY_COPY_STALE_MS)
        return 0;
    int64_t ttl_left_ms = bounds->ttl_ms - (row->age_ms > 0 ? row->age_ms : 0);
    return ttl_left_ms < POLICY_COPY_DUE_MS ? ttl_left_ms : POLICY_COPY_DUE_MS;
}

int64_t policy_copy_ms(const struct cache_row_state *row, const struct policy_bounds *bounds, int64_t over_ms)
{
    if (!may_be_served(row) || !policy_is_fresh(row, bounds))
        return 0;
    /* With snapshots closer than that, some would never be seen. */
    if (bounds->ttl_ms < POLICY_COPY_STALE_MS)
        over_ms = 0;
    /* From a clock that has jumped back nothing is gained. */
    int64_t ttl_left_ms = bounds->ttl_ms - (row->age_ms > 0 ? row->age_ms : 0) + over_ms;
    int64_t check_left_ms = REVOCATION_MS - (row->check_age_ms > 0 ? row->check_age_ms : 0);
    int64_t left_ms = ttl_left_ms < check_left_ms ? ttl_left_ms : check_left_ms;
    return left_ms;
}

int64_t policy_copy_error_ms(const struct cache_row_state *row, const struct policy_bounds *bounds)
{
    if (!policy_may_serve_stale(row, bounds))
        return 0;
    int64_t stale_left_ms = bounds->stale_error_ms - (row->age_ms > 0 ? row->age_ms : 0);
    int64_t check_left_ms = REVOCATION_MS - (row->check_age_ms > 0 ? row->check_age_ms : 0);
    return stale_left_ms < check_left_ms ? stale_left_ms : check_left_ms;
}

static struct policy_decision decide(enum policy_action action, int wait_ms)
{
    return (struct policy_decision){action, wait_ms};
}

struct policy_decision policy_decide(const struct cache_row_state *row, const struct policy_bounds *bounds)
{
    if (row->key_status == KEY_REFUSED)
        return decide(POLICY_REFUSE, 0);
    if (!may_be_served(row))
        return decide(POLICY_CHECK_KEY, POLICY_WAIT_MAX_MS);
    if (policy_is_fresh(row, bounds))
        return decide(POLICY_ANSWER, 0);
    /* While Chartbeat fails, a request does not wait: the wait would most likely end without a new row. */
    if (row->failures > 0 && policy_may_serve_stale(row, bounds))
        return decide(POLICY_ANSWER_AND_ASK, 0);
    bool is_stale = row->has_snapshot && within(row->age_ms, -(int64_t)bounds->ttl_ms, bounds->stale_ms);
    if (is_stale && bounds->wait_ms == 0)
        return decide(POLICY_ANSWER_AND_ASK, 0);
    return decide(POLICY_WAIT, is_stale ? bounds->wait_ms : POLICY_WAIT_MAX_MS);
}
