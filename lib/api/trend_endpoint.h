/* The endpoint /trends: its parameters, and its answer out of a window that was trend_result. */
#ifndef UPBEAT_API_TREND_ENDPOINT_H
#define UPBEAT_API_TREND_ENDPOINT_H

#include "api/trend_cache.h"
#include "base/arena.h"
#include "base/buffer.h"
#include "http/params.h"
#include "pages/trend_model.h"

struct trends_request {
    int64_t window_ms;
    struct trend_bounds bounds;
    enum trend_sort sort;
    bool is_all;         /* every page that is listed now, whether it moves or not; bounds do not count */
    bool has_sparklines; /* the rows carry spark and spark_since */
    const char *section; /* pages of this section alone; "": all. The arena owns it. */
};

/* Reads window, direction, min_score, min_visitors, min_ratio, sort, section and spark out of params->query,
 * and says them in params->cache_key_suffix. STATUS_INVALID: *problem_r says what to answer.
 * STATUS_NO_MEMORY. */
enum status trends_read(struct request_params *params, struct arena *arena, struct trends_request *trends_r,
                        struct problem *problem_r) MUST_CHECK;

/* Appends the body: the pages of a window that rise or fall, in the request's format. is_stale: the newest
 * snapshot is older than it should be. is_late: so old that it says nothing of now, and nothing has a score.
 * usual: what the site usually has at this time. See out->status. STATUS_NO_MEMORY. */
enum status trends_write(struct buffer *out, const struct request_params *params,
                         const struct trends_request *trends, const struct trend_result *trend_result,
                         const struct site_usual *usual, bool is_stale, bool is_late,
                         struct arena *arena) MUST_CHECK;

/* Makes a body of trends_write() say that it is stale. One in CSV does not say it. */
void trends_mark_stale(struct buffer *body);

#endif
