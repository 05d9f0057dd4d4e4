#include "pages/sources.h"

#include <math.h>
#include <stdlib.h>

enum { SAMPLES_MAX = 60 }; /* of a page; what is more is passed over */

static const double SAME = 0.001; /* visitors; the medians are in hundredths */

static int compare(const void *a, const void *b)
{
    const double *x = a;
    const double *y = b;
    return (*x > *y) - (*x < *y);
}

/* How far the nearer half of the samples is from `visitors`; all that are equally far belong to it. */
static double reach_of(const struct source_sample *before, double visitors)
{
    double distances[SAMPLES_MAX];
    size_t count = 0;
    for (; before && count < SAMPLES_MAX; before = before->next)
        distances[count++] = fabs(before->visitors - visitors);
    if (count == 0)
        return 0;
    qsort(distances, count, sizeof *distances, compare);
    return distances[(count - 1) / 2];
}

/* The share of each source among the samples that are so near. False: nobody was there. */
static bool shares_of(const struct source_sample *before, double visitors, double shares_r[PAGE_SOURCES])
{
    double reach = reach_of(before, visitors);
    double all = 0;
    double sums[PAGE_SOURCES] = {0};
    for (size_t count = 0; before && count < SAMPLES_MAX; before = before->next, count++) {
        if (fabs(before->visitors - visitors) > reach + SAME)
            continue;
        all += before->visitors;
        for (size_t i = 0; i < PAGE_SOURCES; i++)
            sums[i] += before->of[i];
    }
    for (size_t i = 0; i < PAGE_SOURCES && all > 0; i++)
        shares_r[i] = sums[i] / all;
    return all > 0;
}

void sources_compare(struct page_sources *sources, const struct source_sample *before,
                     const struct trend_page *page)
{
    double shares[PAGE_SOURCES] = {0};
    bool is_listed = page->rank > 0;
    bool has_before = shares_of(before, page->visitors - page->change, shares);
    sources->is_known = is_listed ? sources->now_count > 0 : has_before;
    for (size_t i = 0; i < PAGE_SOURCES && sources->is_known; i++) {
        if (!has_before)
            shares[i] = page->visitors > 0 ? sources->now[i] / page->visitors : 0;
        double now = is_listed ? sources->now[i] : page->visitors * shares[i];
        sources->change[i] = now - page->expected * shares[i];
    }
}
