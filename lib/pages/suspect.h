/* Whether a sample can be believed: Chartbeat sometimes sends a list of a few rows, or of zeros, for some
 * minutes.
 *
 * A sample is suspect where its rows or its total have dropped below 0.4 of the sample before and of the
 * median of the last 10 minutes, by more than 4 times the root of each (twice what the noise of counts
 * allows), and more than half of the pages that stood in the sample before have dropped as far or are gone.
 * While that lasts it is held against what was before. After 10 minutes it is real, for a site can lose its
 * readers; but not while nobody at all is counted. A sample after half an hour without any is believed, since
 * there is nothing to hold it against. */
#ifndef UPBEAT_PAGES_SUSPECT_H
#define UPBEAT_PAGES_SUSPECT_H

#include "pages/trend_model.h"

enum suspect_verdict {
    SUSPECT_NO,
    SUSPECT_YES,
    SUSPECT_UNDONE, /* this sample is good, and those since *since_ms_r were good too */
};

struct suspect;

/* NULL: no memory. */
struct suspect *suspect_new(void);

/* NULL is allowed. */
void suspect_free(struct suspect *suspect);

/* Judges the next sample, which holds each page once. *since_ms_r: of SUSPECT_YES and SUSPECT_UNDONE the time
 * of the first one that was suspect. STATUS_INVALID: it is not younger than the one before. STATUS_NO_MEMORY.
 * On an error the outputs are untouched. */
enum status suspect_look(struct suspect *suspect, const struct trend_sample *sample,
                         enum suspect_verdict *verdict_r, int64_t *since_ms_r) MUST_CHECK;

#endif
