/* Windows that were trend_result, each to answer from again, with whatever bounds, order and format, while
 * the snapshot at its end is the newest. Whether it is, and whether the key may see it, is asked of the
 * database for every request: nothing in here grows old. */
#ifndef UPBEAT_API_TREND_CACHE_H
#define UPBEAT_API_TREND_CACHE_H

#include "base/arena.h"
#include "db/database.h"
#include "pages/sparkline.h"
#include "pages/trend_model.h"
#include "store/site_usual.h"
#include "store/trend_input.h"

/* All that an answer takes from a window. Pages are numbered anew: those that are listed now, or that some
 * bounds would show. */
struct trend_result {
    int64_t as_of_ms;
    int64_t window_ms;
    struct trend trend;
    struct window_page *pages;    /* by number */
    struct trend_path *paths;     /* by number */
    struct sparklines sparklines; /* by number */
    int32_t minutes_known;        /* minutes of the window of which anything is known */
};

/* Weighs a window. The arena owns the arrays; the text is the window's. STATUS_NO_MEMORY: *weighed_r is
 * untouched. */
enum status trend_result_from(const struct trend_window *window, struct arena *arena,
                              struct trend_result *weighed_r) MUST_CHECK;

struct trend_cache;

/* Room for a few windows, which is all that it ever takes. NULL: no memory. */
struct trend_cache *trend_cache_new(void);

/* NULL is allowed. */
void trend_cache_free(struct trend_cache *store);

/* What was kept of this window of the host, or NULL. Valid until the next trend_cache_put(). A store that is
 * NULL has nothing. */
const struct trend_result *trend_cache_find(const struct trend_cache *store, const char *host,
                                            int64_t window_ms, time_us taken_at);

/* Keeps a copy, in place of another; of one that is too large, or for want of memory, none. The store may be
 * NULL. */
void trend_cache_put(struct trend_cache *store, const char *host, time_us taken_at,
                     const struct trend_result *trend_result);

/* What was kept as usual for the host's site at the quarter of an hour of as_of_ms, or NULL. Valid until the
 * next trend_cache_put_usual(). A cache that is NULL has nothing. */
const struct site_usual *trend_cache_find_usual(const struct trend_cache *cache, const char *host,
                                                int64_t as_of_ms);

/* Keeps it, in place of another. The cache may be NULL. */
void trend_cache_put_usual(struct trend_cache *cache, const char *host, int64_t as_of_ms,
                           const struct site_usual *usual);

#endif
