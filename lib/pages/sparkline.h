/* The minute means of each page of a window as a short row of numbers, to be drawn as a small line. */
#ifndef UPBEAT_PAGES_SPARKLINE_H
#define UPBEAT_PAGES_SPARKLINE_H

#include "base/arena.h"
#include "base/status.h"
#include "pages/trend_model.h"

enum {
    SPARKLINE_MAX = 60,     /* numbers of one page */
    SPARKLINE_UNKNOWN = -1, /* in place of a number */
};

/* `count` numbers for each page, oldest first; the last one holds the minute of as_of. A number is the mean
 * over the minutes of its step in which the page was listed, in hundredths; 0 where all lists of the step
 * were short and did not hold the page; SPARKLINE_UNKNOWN where there was no snapshot, or where the page may
 * have stood below the cut-off. */
struct sparklines {
    size_t count;
    int32_t step_minutes; /* 1 for windows of up to an hour */
    int64_t first_minute; /* of the first step, since 1970 */
    int32_t *values;      /* of page n from n * count on; an arena owns them */
};

/* Makes the lines of all pages of a window. STATUS_NO_MEMORY: *lines_r is untouched. */
enum status sparklines_make(const struct trend_input *input, struct arena *arena,
                            struct sparklines *lines_r) MUST_CHECK;

/* Keeps the lines of these pages, in this order, in new memory of the arena. STATUS_NO_MEMORY: *lines is as
 * it was. */
enum status sparklines_choose(struct sparklines *lines, const uint32_t *pages, size_t page_count,
                              struct arena *arena) MUST_CHECK;

/* Moves the lines of the first page_count pages into the arena. STATUS_NO_MEMORY: *lines is as it was. */
enum status sparklines_copy(struct sparklines *lines, size_t page_count, struct arena *arena) MUST_CHECK;

/* The start of the step, in minutes since 1970, from which on a page has stayed above its expected visitors
 * by its spread (`sign` 1), or below by it (`sign` -1), up to now; steps of which nothing is known are passed
 * over. That is when the rise or the fall that is under way began, within the window. -1: it is not under
 * way. */
int64_t sparkline_since(const struct sparklines *lines, size_t page, double expected, double sigma, int sign);

#endif
