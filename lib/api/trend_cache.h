/* The results of the trend model that this worker has computed. Each is answered from again, with whatever
 * bounds, order and format a request wants, while the snapshot at the end of its window is the newest. Every
 * request asks the database whether it is, and whether the key may see it, so results have no time limit of
 * their own. */
#ifndef UPBEAT_API_TREND_CACHE_H
#define UPBEAT_API_TREND_CACHE_H

#include "base/arena.h"
#include "base/clock.h"
#include "pages/trend_model.h"
#include "store/trend_input.h"

/* All that an answer takes from a window. It has only the pages that some bounds would show, numbered anew.
 */
struct trend_result {
    int64_t as_of_ms;
    int64_t window_ms;
    struct trend trend;
    struct window_page *pages; /* by number */
    struct trend_path *paths;  /* by number */
};

/* Runs the trend model over a window. The arena owns the arrays of the result; the texts belong to the
 * window. STATUS_NO_MEMORY: *result_r is untouched. */
enum status trend_result_from(const struct trend_window *window, struct arena *arena,
                              struct trend_result *result_r) MUST_CHECK;

struct trend_cache;

/* An empty cache of at most 16 results and 3 MB. NULL: no memory. */
struct trend_cache *trend_cache_new(void) MUST_CHECK;

/* NULL is allowed. */
void trend_cache_free(struct trend_cache *cache);

/* The result for this window of the host that ends at the snapshot of taken_at, or NULL. The cache owns it,
 * until the next trend_cache_put(). `cache` may be NULL: nothing is found. */
const struct trend_result *trend_cache_find(const struct trend_cache *cache, const char *host,
                                            int64_t window_ms, time_us taken_at);

/* Stores a copy in place of the result of another snapshot. Where it is larger than 192 kB, or memory ends,
 * the host has no result for this window in the cache afterwards. `cache` may be NULL: nothing happens. */
void trend_cache_put(struct trend_cache *cache, const char *host, time_us taken_at,
                     const struct trend_result *trend_result);

#endif
