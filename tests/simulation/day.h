/* A whole day of a site of which the truth is known: a tide, pages that wobble, articles that are published
 * and fade, and surges. Seeded: the same day each time. */
#ifndef UPBEAT_SIMULATION_DAY_H
#define UPBEAT_SIMULATION_DAY_H

#include "pages/trend_model.h"

#include <stdbool.h>
#include <stdint.h>

enum { DAY_S = 86400, DAY_STEP_S = 1, DAY_PAGES_MAX = 800, DAY_RISES_MAX = 600, DAY_LISTED = 100 };

struct day_options {
    uint64_t seed;
    int cadence_s;         /* seconds between samples */
    double stay_s;         /* that a visitor stays, on average */
    double largest;        /* visitors of the largest lasting page at noon */
    double flicker;        /* standard deviation of a page's rate, as a share of it */
    double shared;         /* part of its variance that all pages share */
    double flicker_s;      /* correlation time */
    double tide_depth;     /* 0: none; 0.8: the night has a fifth of the day */
    double tide_peak_hour; /* when the day is at its height */
    double tide_second;    /* a second peak in the evening, as a share of the first */
    int lasting;           /* pages that are always there */
    int articles, surges;
    double article_size; /* visitors of the largest article at its height, at noon */
    double surge_most;   /* factor of the largest surge; the smallest is 1.6 */
    double onset_s;      /* longest time in which a surge or an article comes to its height */
};

/* What truly rose. It counts where it makes 1.5 times and 30 visitors more than there would be without it,
 * and than the cut-off. */
struct day_rise {
    int page;
    double at_s,
        until_s; /* the first extra visitor can come at at_s; until_s: its rate is half of its height */
    double growth, more; /* the largest ratio and difference to what there would be without it */
    bool is_article;
    bool counts;
};

struct day {
    struct day_rise rises[DAY_RISES_MAX];
    int rise_count;
    int page_count;
};

typedef void day_see(const struct trend_sample *sample, void *context);

struct day_options day_options(uint64_t seed);

/* Plays the day: `see` gets each sample, page numbers as entries; the sample is gone after it. Fills *day_r.
 */
void day_run(const struct day_options *options, day_see *see, void *context, struct day *day_r);

#endif
