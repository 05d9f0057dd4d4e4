/* The endpoint /trends: its parameters, and its answer out of a window that was weighed. */
#ifndef UPBEAT_TRENDS_H
#define UPBEAT_TRENDS_H

#include "arena.h"
#include "buffer.h"
#include "request.h"
#include "trend.h"
#include "weighed.h"

struct trends_request {
    int64_t window_ms;
    struct trend_bounds bounds;
    enum trend_sort sort;
    const char *section; /* pages of this section alone; "": all. The arena owns it. */
};

/* Reads window, direction, min_score, min_visitors, sort and section out of request->query, and says them in
 * request->variant. UP_INVALID: *problem_r says what to answer. UP_NO_MEMORY. */
enum up_result trends_read(struct request *request, struct arena *arena, struct trends_request *trends_r,
                           struct problem *problem_r) MUST_CHECK;

/* Appends the body: the pages of a window that rise or fall, in the request's format. is_stale: the newest
 * snapshot is older than it should be. is_late: so old that it says nothing of now, and nothing has a score.
 * See out->status. UP_NO_MEMORY. */
enum up_result trends_write(struct buffer *out, const struct request *request,
                            const struct trends_request *trends, const struct weighed *weighed, bool is_stale,
                            bool is_late, struct arena *arena) MUST_CHECK;

#endif
