/* Windows that were weighed, each to answer from again, with whatever bounds, order and format, while the
 * snapshot at its end is the newest. Whether it is, and whether the key may see it, is asked of the database
 * for every request: nothing in here grows old. */
#ifndef UPBEAT_WEIGHED_H
#define UPBEAT_WEIGHED_H

#include "arena.h"
#include "database.h"
#include "trend.h"
#include "window.h"

/* All that an answer takes from a window. Pages are numbered anew: those that some bounds would show. */
struct weighed {
    int64_t as_of_ms;
    int64_t window_ms;
    struct trend trend;
    struct window_page *pages; /* by number */
    struct trend_path *paths;  /* by number */
};

/* Weighs a window. The arena owns the arrays; the text is the window's. UP_NO_MEMORY: *weighed_r is
 * untouched. */
enum up_result weighed_from(const struct window *window, struct arena *arena,
                            struct weighed *weighed_r) MUST_CHECK;

struct weighed_store;

/* Room for a few windows, which is all that it ever takes. NULL: no memory. */
struct weighed_store *weighed_store_new(void);

/* NULL is allowed. */
void weighed_store_free(struct weighed_store *store);

/* What was kept of this window of the host, or NULL. Valid until the next weighed_keep(). A store that is
 * NULL has nothing. */
const struct weighed *weighed_find(const struct weighed_store *store, const char *host, int64_t window_ms,
                                   time_us taken_at);

/* Keeps a copy, in place of another; of one that is too large, or for want of memory, none. The store may be
 * NULL. */
void weighed_keep(struct weighed_store *store, const char *host, time_us taken_at,
                  const struct weighed *weighed);

#endif
