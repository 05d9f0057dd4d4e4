/* What the database knows of a host over a window of time, as trend_weigh() wants it, and the words to it. */
#ifndef UPBEAT_STORE_TREND_INPUT_H
#define UPBEAT_STORE_TREND_INPUT_H

#include "base/arena.h"
#include "base/clock.h"
#include "db/database.h"
#include "pages/page_list.h"
#include "pages/trend_model.h"

/* Where the visitors of a page came from: means over the samples that list it. */
struct window_sources {
    double now[PAGE_SOURCES];  /* over the newest r seconds */
    double then[PAGE_SOURCES]; /* over the first r seconds of the window */
    int32_t now_count;         /* samples; 0: nothing is known */
    int32_t then_count;
};

struct window_page {
    struct page page; /* path, title, sections */
    time_us first_seen;
    time_us since; /* when the rise, takeoff or fall began that is not over; 0: there is none */
    struct window_sources sources;
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
