/* The results of the trend model that this worker has computed. Each is answered from again, with whatever
 * bounds, order and format a request wants, while the snapshot at the end of its window is the newest. Every
 * request asks the database whether it is, and whether the key may see it, so results have no time limit of
 * their own. */
#ifndef UPBEAT_API_TREND_CACHE_H
#define UPBEAT_API_TREND_CACHE_H

#include "base/arena.h"
#include "base/clock.h"
#include "pages/sparkline.h"
#include "pages/trend_model.h"
#include "store/site_usual.h"
#include "store/trend_input.h"

/* All that an answer takes from a window. It has only the pages that are listed now, or that some bounds
 * would show, numbered anew. */
struct trend_result {
    int64_t as_of_ms;
    int64_t window_ms;
    struct trend trend;
    struct window_page *pages;    /* by number */
    struct trend_path *paths;     /* by number */
    struct sparklines sparklines; /* by number */
    int32_t minutes_known;        /* minutes of the window of which anything is known */
};

/* Runs the trend model over a window. The arena owns the arrays of the result; the texts belong to the
 * window. STATUS_NO_MEMORY: *result_r is untouched. */
enum status trend_result_from(const struct trend_window *window, struct arena *arena,
                              struct trend_result *result_r) MUST_CHECK;

struct trend_cache;

/* An empty cache of at most 16 results and 4 MB, and of what is usual for 64 hosts. NULL: no memory. */
struct trend_cache *trend_cache_new(void) MUST_CHECK;

/* NULL is allowed. */
void trend_cache_free(struct trend_cache *cache);

/* The result for this window of the host that ends at the snapshot of taken_at, or NULL. The cache owns it,
 * until the next trend_cache_put(). `cache` may be NULL: nothing is found. */
const struct trend_result *trend_cache_find(const struct trend_cache *cache, const char *host,
                                            int64_t window_ms, time_us taken_at);

/* Stores a copy in place of the result of another snapshot. Where it is larger than 1 MB, or memory ends,
 * the host has no result for this window in the cache afterwards. `cache` may be NULL: nothing happens. */
void trend_cache_put(struct trend_cache *cache, const char *host, time_us taken_at,
                     const struct trend_result *trend_result);

/* What is usual for the host's site at the quarter of an hour of as_of_ms, or NULL; that nothing is known is
 * kept for a minute. The cache owns it, until the next trend_cache_put_usual(). `cache` may be NULL: nothing
 * is found. */
const struct site_usual *trend_cache_find_usual(const struct trend_cache *cache, const char *host,
                                                int64_t as_of_ms);

/* Stores a copy in place of what is there of the host. `cache` may be NULL: nothing happens. */
void trend_cache_put_usual(struct trend_cache *cache, const char *host, int64_t as_of_ms,
                           const struct site_usual *usual);

#endif
