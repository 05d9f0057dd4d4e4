/* Which pages really rise or fall: the newest minutes of each page against its own last half hour, less what
 * the whole site does. A pure function over minute means and the newest samples.
 *
 * For each page, over a window W that ends at as_of:
 *
 * - R = mean of its visitors over the samples of the last r seconds; r = W / 15, within 60 s and 300 s.
 * - B = its means in the whole minutes of the window before these r seconds. Minutes without a sample are
 *   left out.
 * - Where it is not listed, in R and in B, the cut-off stands for it: the smallest count of a full list, 0 of
 *   a short one.
 * - If W >= 1 h, B is scaled in each minute by G_R / G, the site's total of the listed pages: the sum of
 * their means, less the cut-off for each page beyond the row limit, which took turns with others.
 * - b = median of B; site_factor s = median of R / b, weighted by b, over the pages that were always listed,
 * 1 where these are fewer than 10.
 * - E = s * b; phi, the wobble of the site = 1.4826 * median |R / E - 1| over the always listed pages with
 * E >= 40, held between 0.03 and 0.35, 0.10 where these are fewer than 10.
 * - sigma = max(1.4826 * median |B - b|, sqrt(E + 1 + (phi * E)^2)); score = (R - E) / sigma.
 *
 * Median and MAD (1.4826: of a normal distribution, Hampel 1974) withstand bursts; sqrt(E + 1) is the Poisson
 * noise of a count, below which no spread is believed. A large page wobbles by much more than that, in
 * proportion to its size and over more than half an hour, which its own MAD cannot know: phi says how much
 * the site's pages do at this look. */
#ifndef UPBEAT_PAGES_TREND_MODEL_H
#define UPBEAT_PAGES_TREND_MODEL_H

#include "base/arena.h"
#include "base/status.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    TREND_WINDOW_MIN_S = 300,
    TREND_WINDOW_MAX_S = 86400,
    TREND_WINDOW_S = 1800, /* where nobody says */
    TREND_MIN_CHANGE = 5,  /* |R - E| of what is called rising or falling */
    TREND_MIN_VISITORS = 10,
    TREND_HUNDREDTHS_MAX = 100000000, /* a million visitors */
};

#define TREND_MIN_SCORE 2.8
#define TREND_MIN_RATIO 1.0

/* A page that was listed: its number, from 0, and its visitors, in hundredths in means, whole in samples. */
struct trend_entry {
    uint32_t page;
    int32_t visitors;
};

/* One snapshot. */
struct trend_sample {
    int64_t at_ms;
    int32_t row_limit; /* rows asked for: a list of as many is full */
    size_t count;
    struct trend_entry *entries;
};

/* The means of one minute of which anything is known. */
struct trend_minute {
    int64_t minute;  /* since 1970 */
    int32_t samples; /* > 0 */
    int32_t cutoff;  /* hundredths; mean over its samples */
    size_t count;
    struct trend_entry *entries; /* the pages that stood in any of its samples */
};

struct trend_input {
    int64_t as_of_ms;
    int64_t window_ms;
    size_t page_count;
    int32_t row_limit;
    const struct trend_minute *minutes; /* ascending; those outside the baseline are passed over */
    size_t minute_count;
    const struct trend_sample *samples; /* in any order; those outside the last r seconds are passed over */
    size_t sample_count;
};

struct trend_page {
    uint32_t page;
    double visitors; /* R */
    double expected; /* E */
    double change;   /* R - median of B before it was scaled */
    double baseline; /* b */
    double sigma;
    double score;
    int32_t rank;     /* by R, 1 for the largest; 0: not listed now */
    int32_t old_rank; /* by b; 0: not listed then */
    bool is_new;      /* listed now, and in no minute of the baseline */
    bool
        is_lower_bound; /* what it changed is at least this much: a cut-off stands for its start or its end */
};

struct trend {
    bool has_enough_data; /* else no page has a score, and `pages` is empty */
    int64_t recent_ms;
    int32_t baseline_minutes; /* of which anything is known */
    int32_t window_minutes;   /* that the baseline could have */
    int32_t recent_samples;
    int64_t samples;      /* in all */
    double site_visitors; /* G_R */
    double site_expected; /* median of G */
    double site_factor;
    double site_wobble;       /* phi */
    struct trend_page *pages; /* in no order */
    size_t page_count;
};

/* r for a window. */
int64_t trend_recent_ms(int64_t window_ms);

/* Weighs every page that is listed anywhere in the window. The arena owns the pages. STATUS_NO_MEMORY:
 * *trend_r is untouched. */
enum status trend_weigh(const struct trend_input *input, struct arena *arena,
                        struct trend *trend_r) MUST_CHECK;

enum trend_direction { TREND_UP, TREND_DOWN, TREND_BOTH };

struct trend_bounds {
    enum trend_direction direction;
    double min_score;
    double min_visitors;
    double min_ratio; /* of R to E where a page rises, of E to R where it falls */
};

/* Rising: score >= min_score, R - E >= TREND_MIN_CHANGE, R >= min_visitors, R >= min_ratio * E. Falling: the
 * mirror image, with E >= min_visitors and E >= min_ratio * R. */
bool trend_is_shown(const struct trend_page *page, const struct trend_bounds *bounds);

enum trend_sort { TREND_BY_SCORE, TREND_BY_CHANGE, TREND_BY_VISITORS };

struct trend_path {
    const char *bytes;
    size_t len_bytes;
};

/* Sorts by the size of the score, then of the change, then visitors, each descending, then path by bytes;
 * another `sort` comes before these. `paths` are by page number. */
void trend_sort(struct trend_page *pages, size_t count, enum trend_sort sort, const struct trend_path *paths);

/* Mean in hundredths over a minute's samples, rounded half up, at most TREND_HUNDREDTHS_MAX: visitor_sum over
 * those that list the page, cutoff_sum over the others. samples > 0. */
int32_t trend_mean(int64_t visitor_sum, int64_t cutoff_sum, int32_t samples);

/* The smallest count of a full list, 0 of a short one. */
int32_t trend_cutoff(const struct trend_sample *sample);

#endif
