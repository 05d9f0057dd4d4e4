/* What the database knows of a host over a window of time, as trend_weigh() wants it, and the words to it. */
#ifndef UPBEAT_STORE_TREND_INPUT_H
#define UPBEAT_STORE_TREND_INPUT_H

#include "base/arena.h"
#include "base/clock.h"
#include "db/database.h"
#include "pages/page_list.h"
#include "pages/sources.h"
#include "pages/trend_model.h"

struct window_page {
    struct page page; /* path, title, sections */
    time_us first_seen;
    time_us since;               /* when the rise, takeoff or fall began that is not over; 0: there is none */
    struct page_sources sources; /* of a window: now and now_count alone */
    /* Snapshots of a window's baseline, some 30. NULL: none of them lists the page; or it is that of a
     * result. */
    const struct source_sample *before;
};

struct trend_window {
    struct trend_input input;
    struct window_page *pages; /* by number */
    struct trend_path *paths;  /* by number */
};

/* Reads the window of window_ms that ends at the snapshot of as_of: the counts, and then what the pages in
 * them are. The arena owns all of it. STATUS_UNREACHABLE, STATUS_TIMEOUT, STATUS_FAILED, STATUS_NO_MEMORY as
 * in database.h; STATUS_INVALID: rows that can't be. On an error *window_r is untouched. */
enum status trend_input_read(struct database *database, const char *host, time_us as_of, int64_t window_ms,
                             struct arena *arena, struct deadline deadline,
                             struct trend_window *window_r) MUST_CHECK;

#endif
