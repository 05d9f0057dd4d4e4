#include "api/policy.h"

static bool within(int64_t age_ms, int64_t least_ms, int64_t most_ms)
{
    return age_ms >= least_ms && age_ms <= most_ms;
}

static bool may_be_served(const struct cache_row_state *view)
{
    return view->key_status == KEY_ACCEPTED && within(view->check_age_ms, -REVOCATION_MS, REVOCATION_MS);
}

bool policy_is_fresh(const struct cache_row_state *view, const struct policy_bounds *bounds)
{
    return view->has_snapshot && within(view->age_ms, -(int64_t)bounds->ttl_ms, bounds->ttl_ms);
}

bool policy_may_serve_stale(const struct cache_row_state *view, const struct policy_bounds *bounds)
{
    return may_be_served(view) && view->has_snapshot &&
           within(view->age_ms, -(int64_t)bounds->ttl_ms, bounds->stale_error_ms);
}

int64_t policy_copy_ms(const struct cache_row_state *view, const struct policy_bounds *bounds)
{
    if (!may_be_served(view) || !policy_is_fresh(view, bounds))
        return 0;
    /* With snapshots closer than that, some would never be seen. */
    int64_t over_ms = bounds->ttl_ms >= POLICY_COPY_STALE_MS ? POLICY_COPY_STALE_MS : 0;
    /* From a clock that has jumped back nothing is gained. */
    int64_t ttl_left_ms = bounds->ttl_ms - (view->age_ms > 0 ? view->age_ms : 0) + over_ms;
    int64_t check_left_ms = REVOCATION_MS - (view->check_age_ms > 0 ? view->check_age_ms : 0);
    int64_t left_ms = ttl_left_ms < check_left_ms ? ttl_left_ms : check_left_ms;
    return left_ms;
}

enum policy_action policy_decide(const struct cache_row_state *view, const struct policy_bounds *bounds)
{
    if (view->key_status == KEY_REFUSED)
        return POLICY_REFUSE;
    if (!may_be_served(view))
        return POLICY_CHECK_KEY;
    if (policy_is_fresh(view, bounds))
        return POLICY_ANSWER;
    if (view->has_snapshot && within(view->age_ms, -(int64_t)bounds->ttl_ms, bounds->stale_ms))
        return POLICY_ANSWER_AND_REFRESH;
    /* Who comes while Chartbeat fails is not made to find out by waiting. */
    if (view->failures > 0 && policy_may_serve_stale(view, bounds))
        return POLICY_ANSWER_AND_REFRESH;
    return POLICY_REFILL_FIRST;
}
