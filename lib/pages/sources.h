/* Where the visitors of a page came from, and which sources make up the difference from what was expected. */
#ifndef UPBEAT_PAGES_SOURCES_H
#define UPBEAT_PAGES_SOURCES_H

#include "pages/page_list.h"
#include "pages/trend_model.h"

/* What one snapshot of the baseline says of a page that it lists. */
struct source_sample {
    const struct source_sample *next; /* of the same page, in any order; NULL: there is none */
    uint32_t visitors;
    uint32_t of[PAGE_SOURCES];
};

struct page_sources {
    double now[PAGE_SOURCES];    /* means over the newest samples that list the page */
    double change[PAGE_SOURCES]; /* what came now, less what was expected of that source */
    int32_t now_count;           /* samples; 0: `now` is not known */
    bool is_known;               /* `change` is */
};

/* Fills in change and is_known of *sources, whose now and now_count are there. `page` is what trend_weigh()
 * made of the page, `before` the samples of its baseline; NULL: none lists it.
 *
 * What was expected of a source is the page's expected visitors times the share that the source had among
 * the samples nearest to the page's median: the nearer half of them, so that a rise that has long begun does
 * not become what is usual, as it does not in the median. Of a page that is in no sample the sources are
 * those of now; one that is not listed now has still those of before. So the changes add up to
 * page->visitors - page->expected, as far as all visitors have a source. */
void sources_compare(struct page_sources *sources, const struct source_sample *before,
                     const struct trend_page *page);

#endif
