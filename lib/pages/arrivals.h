/* Whether readers arrive at a page at another rate than before: what events begin by. One look per sample.
 *
 * Visitors lag behind arrivals by the length of a stay. Where visitors stay tau on average, a page of N
 * visitors whose arrivals are lambda changes by dN = (lambda - N / tau) dt, so the level to which its newest
 * arrivals lead can be told before it is there. Over the last T:
 *
 * - A = mean of N + tau / T * (N now - N before T): the level ahead. Its noise while nothing happens is that
 * of arrivals and departures: variance 2 E tau / T.
 * - b = median of its minute means from 30 to 4 minutes ago; site_factor s = median of A / b, weighted by b,
 * over the pages that were listed for 20 minutes, or from the start, and stand well above the cut-off, 1
 * where these are fewer than 10.
 * - E = s * b; z = (A - E) / sqrt(2 E tau / T + 0.6 E + (1.5 phi E)^2 + 7). 0.6 E is the noise of b itself, 7
 * keeps pages of a few visitors quiet; phi is the wobble of the site's pages, that part of their spread about
 * E which counts do not explain, followed over an hour.
 *   Where the site_factor of the newest minute gives an E that is nearer to A, that one is taken.
 * - score = 6 z / z_T, the largest over the horizons T of 60 s (z_T = 6.6), 120 s (6.2), 180 s (5.9), 240 s
 * (5.35), 360 s (5.0) and 600 s (4.8): fast rules that are strict beside slow ones that are sure. A horizon
 * speaks where A >= 1.5 E, A - E >= 25, and N - E >= 12 has already come. Falling is the mirror image.
 *
 * It is a test of the sum of innovations over several windows side by side (Willsky and Jones 1976, "A
 * generalized likelihood ratio approach"): where arrivals change at once by a half of what makes a sure case,
 * it knows after tau / 2, and the plain level after 0.7 tau. Where a page is not listed, the cut-off of the
 * list stands for it. */
#ifndef UPBEAT_PAGES_ARRIVALS_H
#define UPBEAT_PAGES_ARRIVALS_H

#include "pages/trend_model.h"

enum {
    ARRIVALS_STAY_S = 240,        /* tau */
    ARRIVALS_WARM_MINUTES = 10,   /* of the baseline's 26 that must be known */
    ARRIVALS_FORGET_MS = 2700000, /* a page that was not listed for so long is forgotten */
};

struct arrivals;

/* A page at a look. */
struct arrival {
    uint32_t page;
    bool is_listed;
    bool
        is_new; /* listed for the first time within the last 20 minutes, and not in the first sample of all */
    double now; /* N; the cut-off where it is not listed */
    double visitors; /* mean of N over a minute */
    double expected; /* E of that minute */
    double score;    /* 0 where no horizon speaks; negative: it falls */
};

struct arrivals_look {
    const struct arrival *pages; /* owned by the arrivals, valid until the next look */
    size_t count;
    bool has_enough_data; /* else every score is 0 */
    double total;         /* of the listed pages */
    double site_factor, site_wobble;
};

/* NULL: no memory. */
struct arrivals *arrivals_new(void);

/* NULL is allowed. */
void arrivals_free(struct arrivals *arrivals);

/* Takes a sample in and weighs every page that is or was listed lately. The sample holds each page once; page
 * numbers are small, since there is an array by them. STATUS_INVALID: it is not younger than the one before.
 * STATUS_NO_MEMORY. On an error *look_r is untouched. */
enum status arrivals_look(struct arrivals *arrivals, const struct trend_sample *sample,
                          struct arrivals_look *look_r) MUST_CHECK;

/* What a change at `at_ms` did to a page: means of its visitors over the 15 minutes before and after. */
struct arrivals_effect {
    double before, after;
    double expected; /* `before` times what the other pages did meanwhile */
    double score;    /* (after - expected) in sigmas of counts and wobble; below 2 chance does as much */
};

/* False: fewer than 8 of the minutes on one side are known, and *effect_r is untouched. Call it 15 to 16
 * minutes after `at_ms`. */
bool arrivals_effect(const struct arrivals *arrivals, uint32_t page, int64_t at_ms,
                     struct arrivals_effect *effect_r) MUST_CHECK;

#endif
