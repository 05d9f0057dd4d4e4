#include "http/cache_headers.h"

#include <inttypes.h>
#include <stdio.h>

static int seconds(int64_t ms)
{
    return ms > 0 ? (int)(ms / 1000) : 0;
}

/* A copy may be served once more only while the row that it was made from may be served. */
static int copy_stale_s(const struct cache_times *times, int64_t copied_for_ms)
{
    return times->copy_ms >= copied_for_ms + times->copy_stale_ms ? seconds(times->copy_stale_ms) : 0;
}

struct cache_headers cache_headers_of(const struct cache_times *times)
{
    struct cache_headers headers = {0};
    int64_t last_ms = times->now_ms + (times->due_ms > 0 ? times->due_ms : 0);
    if (last_ms - last_ms % 1000 + 1000 - times->now_ms > times->copy_ms)
        last_ms = times->now_ms;
    int64_t copied_for_ms = last_ms - last_ms % 1000 + 1000 - times->now_ms;
    if (times->is_behind_cache && copied_for_ms <= times->copy_ms)
        headers.copied_for_ms = copied_for_ms;
    headers.age_s = seconds(times->age_ms + headers.copied_for_ms);
    snprintf(headers.cache_control, sizeof headers.cache_control,
             "private, max-age=%d, stale-while-revalidate=%d, stale-if-error=%d", seconds(times->lifetime_ms),
             seconds(times->copy_stale_ms), seconds(times->stale_error_ms));
    if (!times->is_behind_cache)
        return headers;
    /* A copy that is out of date from the start lets nginx answer 304, and answer where no worker does. */
    int64_t second = last_ms / 1000;
    int64_t until = headers.copied_for_ms > 0 ? second : second - 1;
    snprintf(headers.x_accel_expires, sizeof headers.x_accel_expires, "@%" PRId64, until);
    snprintf(headers.nginx_cache_control, sizeof headers.nginx_cache_control,
             "stale-while-revalidate=%d, stale-if-error=%d", copy_stale_s(times, headers.copied_for_ms),
             seconds(times->copy_error_ms));
    snprintf(headers.good_in, sizeof headers.good_in, "%" PRId64 " %" PRId64,
             headers.copied_for_ms > 0 ? second : 0, headers.copied_for_ms > 0 ? second + 1 : 0);
    return headers;
}
