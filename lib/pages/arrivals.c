#include "pages/arrivals.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum {
    SLOTS = 64,      /* of the newest ten minutes */
    SLOT_MS = 10000, /* at least, between two */
    HORIZONS = 6,
    MINUTES = 32, /* a ring by minute; the baseline needs 30 */
    BASELINE_FIRST = 30,
    BASELINE_LAST = 5, /* the newest whole minute that ended 4 minutes ago */
    MINUTE_MS = 60000,
    SETTLED_MS = 1200000,
    SITE_PAGES_MIN = 10,
    WOBBLE_LEAST_VISITORS = 30,
    WOBBLE_STEPS = 10, /* of the bisection */
};

static const struct horizon {
    int32_t span_ms;
    double threshold; /* z_T */
} HORIZON[HORIZONS] = {{60000, 6.6},   {120000, 6.2}, {180000, 5.9},
                       {240000, 5.35}, {360000, 5.0}, {600000, 4.8}};

static const double SCORE = 6;
static const double MIN_RATIO = 1.5;
static const double MIN_AHEAD = 25;
static const double MIN_NOW = 12;
static const double BASELINE_NOISE = 0.6;
static const double FLOOR_VARIANCE = 7;
static const double WOBBLE_WEIGHT = 1.5;
static const double WOBBLE_FIRST = 0.10, WOBBLE_LEAST = 0.04, WOBBLE_MOST = 0.35;
static const double WOBBLE_NOISE = 1.3;       /* of counts, in units of E: of the minute's mean and of b */
static const double WOBBLE_FOLLOW = 1.0 / 60; /* a minute's part of the hour over which phi is followed */
static const double ABOVE_CUTOFF = 1.3;       /* times the cut-off: such a page does not come and go */

/* What is known of a page. All of it is the excess over the cut-off, so that a page that was never listed is
 * all zeros. */
struct track {
    bool is_alive;
    bool is_old;               /* listed in the first sample of all, or for 20 minutes */
    int64_t first_ms, last_ms; /* when it was listed */
    double level, sum;         /* now; and its integral over seconds */
    float levels[SLOTS];       /* at the slots */
    double sums[SLOTS];
    float minutes[MINUTES]; /* sums over the samples of a minute */
    double baseline;        /* b, renewed each minute */
};

struct minute_slot {
    int64_t minute;
    int32_t samples;
    double cutoffs;
};

struct past {
    double span_s;
    int slot; /* -1: nothing that old is known, or something much older only */
};

struct arrivals {
    struct track **tracks; /* by page; NULL: never listed, or forgotten */
    size_t track_capacity;
    uint32_t *alive;
    size_t alive_count, alive_capacity;
    struct arrival *pages; /* as many as alive_capacity */
    struct ratio *ratios;
    double (*ahead)[HORIZONS + 1]; /* A by horizon, then the minute's mean */
    int64_t at_ms;                 /* of the newest sample; INT64_MIN: none */
    int64_t slot_ms[SLOTS];
    float slot_cutoffs[SLOTS];
    double slot_cutoff_sums[SLOTS];
    int newest, slot_count;
    double cutoff, cutoff_sum;
    struct minute_slot minutes[MINUTES];
    int baseline_minutes;
    double cutoff_baseline; /* b of a page that was not listed then */
    double factors[HORIZONS + 1];
    double wobble;
};

struct ratio {
    double ratio, weight;
};

struct arrivals *arrivals_new(void)
{
    struct arrivals *arrivals = calloc(1, sizeof *arrivals);
    if (!arrivals)
        return NULL;
    arrivals->at_ms = INT64_MIN;
    arrivals->newest = -1;
    arrivals->wobble = WOBBLE_FIRST;
    for (int i = 0; i < MINUTES; i++)
        arrivals->minutes[i].minute = INT64_MIN;
    return arrivals;
}

void arrivals_free(struct arrivals *arrivals)
{
    if (!arrivals)
        return;
    for (size_t i = 0; i < arrivals->track_capacity; i++)
        free(arrivals->tracks[i]);
    free(arrivals->tracks);
    free(arrivals->alive);
    free(arrivals->pages);
    free(arrivals->ratios);
    free(arrivals->ahead);
    free(arrivals);
}

/* --- Taking a sample in ------------------------------------------------------------------------------------
 */

static bool grow(void **items, size_t count, size_t size)
{
    void *more = realloc(*items, count * size);
    if (more)
        *items = more;
    return more != NULL;
}

static bool make_room(struct arrivals *a, const struct trend_sample *sample)
{
    size_t pages = 0;
    for (size_t i = 0; i < sample->count; i++) {
        if (sample->entries[i].page >= pages)
            pages = (size_t)sample->entries[i].page + 1;
    }
    if (pages > a->track_capacity) {
        pages += pages / 2 + 64;
        if (!grow((void **)&a->tracks, pages, sizeof(struct track *)))
            return false;
        memset(a->tracks + a->track_capacity, 0, (pages - a->track_capacity) * sizeof(struct track *));
        a->track_capacity = pages;
    }
    size_t most = a->alive_count + sample->count;
    if (most <= a->alive_capacity)
        return true;
    most += most / 2 + 64;
    if (!grow((void **)&a->alive, most, sizeof *a->alive) ||
        !grow((void **)&a->pages, most, sizeof *a->pages) ||
        !grow((void **)&a->ratios, most, sizeof *a->ratios) ||
        !grow((void **)&a->ahead, most, sizeof *a->ahead))
        return false;
    a->alive_capacity = most;
    return true;
}

/* All tracks that the sample needs, so that nothing can fail later. */
static bool make_tracks(struct arrivals *a, const struct trend_sample *sample)
{
    for (size_t i = 0; i < sample->count; i++) {
        struct track **track = &a->tracks[sample->entries[i].page];
        if (!*track)
            *track = calloc(1, sizeof **track);
        if (!*track)
            return false;
        if (!(*track)->is_alive) {
            (*track)->is_alive = true;
            (*track)->first_ms = sample->at_ms;
            (*track)->is_old = a->at_ms == INT64_MIN;
            (*track)->baseline = a->cutoff_baseline;
            a->alive[a->alive_count++] = sample->entries[i].page;
        }
        (*track)->last_ms = sample->at_ms;
        (*track)->is_old = (*track)->is_old || sample->at_ms - (*track)->first_ms >= SETTLED_MS;
    }
    return true;
}

static void forget_old(struct arrivals *a, int64_t at_ms)
{
    size_t kept = 0;
    for (size_t i = 0; i < a->alive_count; i++) {
        uint32_t page = a->alive[i];
        if (at_ms - a->tracks[page]->last_ms <= ARRIVALS_FORGET_MS) {
            a->alive[kept++] = page;
            continue;
        }
        free(a->tracks[page]);
        a->tracks[page] = NULL;
    }
    a->alive_count = kept;
}

/* The minute's slot of the ring; emptied where it held an older one. */
static void open_minute(struct arrivals *a, int64_t minute)
{
    struct minute_slot *slot = &a->minutes[minute % MINUTES];
    if (slot->minute == minute)
        return;
    *slot = (struct minute_slot){.minute = minute};
    for (size_t i = 0; i < a->alive_count; i++)
        a->tracks[a->alive[i]]->minutes[minute % MINUTES] = 0;
}

static void add_levels(struct arrivals *a, const struct trend_sample *sample)
{
    double cutoff = trend_cutoff(sample);
    double span_s = a->at_ms == INT64_MIN ? 0 : (double)(sample->at_ms - a->at_ms) / 1000;
    int64_t minute = sample->at_ms / MINUTE_MS;
    open_minute(a, minute);
    for (size_t i = 0; i < a->alive_count; i++) {
        struct track *track = a->tracks[a->alive[i]];
        track->sum += span_s * track->level / 2;
        track->level = 0;
    }
    for (size_t i = 0; i < sample->count; i++)
        a->tracks[sample->entries[i].page]->level = sample->entries[i].visitors - cutoff;
    bool is_slot = a->newest < 0 || sample->at_ms - a->slot_ms[a->newest] >= SLOT_MS;
    if (is_slot) {
        a->newest = (a->newest + 1) % SLOTS;
        a->slot_count += a->slot_count < SLOTS;
    }
    for (size_t i = 0; i < a->alive_count; i++) {
        struct track *track = a->tracks[a->alive[i]];
        track->sum += span_s * track->level / 2;
        track->minutes[minute % MINUTES] += (float)track->level;
        if (is_slot) {
            track->levels[a->newest] = (float)track->level;
            track->sums[a->newest] = track->sum;
        }
    }
    a->cutoff_sum += span_s * (a->cutoff + cutoff) / 2;
    a->cutoff = cutoff;
    a->minutes[minute % MINUTES].samples++;
    a->minutes[minute % MINUTES].cutoffs += cutoff;
    if (is_slot) {
        a->slot_ms[a->newest] = sample->at_ms;
        a->slot_cutoffs[a->newest] = (float)cutoff;
        a->slot_cutoff_sums[a->newest] = a->cutoff_sum;
    }
}

/* --- Weighing ----------------------------------------------------------------------------------------------
 */

/* The median of a few values, by insertion; takes them apart. */
static double median_of_few(double *values, int count)
{
    for (int i = 1; i < count; i++) {
        double value = values[i];
        int at = i;
        for (; at > 0 && values[at - 1] > value; at--)
            values[at] = values[at - 1];
        values[at] = value;
    }
    return count % 2 ? values[count / 2] : (values[count / 2 - 1] + values[count / 2]) / 2;
}

static void renew_baselines(struct arrivals *a, int64_t minute)
{
    int slots[MINUTES];
    double values[MINUTES];
    a->baseline_minutes = 0;
    for (int64_t m = minute - BASELINE_FIRST; m <= minute - BASELINE_LAST; m++) {
        if (m >= 0 && a->minutes[m % MINUTES].minute == m && a->minutes[m % MINUTES].samples > 0)
            slots[a->baseline_minutes++] = (int)(m % MINUTES);
    }
    a->cutoff_baseline = 0;
    if (a->baseline_minutes == 0)
        return;
    for (int k = 0; k < a->baseline_minutes; k++)
        values[k] = a->minutes[slots[k]].cutoffs / a->minutes[slots[k]].samples;
    a->cutoff_baseline = median_of_few(values, a->baseline_minutes);
    for (size_t i = 0; i < a->alive_count; i++) {
        struct track *track = a->tracks[a->alive[i]];
        for (int k = 0; k < a->baseline_minutes; k++) {
            const struct minute_slot *slot = &a->minutes[slots[k]];
            values[k] = (track->minutes[slots[k]] + slot->cutoffs) / slot->samples;
        }
        track->baseline = median_of_few(values, a->baseline_minutes);
    }
}

/* The slot that is at least so old, unless it is far older. */
static struct past find_past(const struct arrivals *a, int32_t span_ms)
{
    for (int back = 0; back < a->slot_count; back++) {
        int slot = (a->newest - back + SLOTS) % SLOTS;
        int64_t age_ms = a->at_ms - a->slot_ms[slot];
        if (age_ms >= span_ms)
            return (struct past){(double)age_ms / 1000, age_ms <= 2 * (int64_t)span_ms + SLOT_MS ? slot : -1};
    }
    return (struct past){0, -1};
}

static int by_ratio(const void *left, const void *right)
{
    const struct ratio *a = left;
    const struct ratio *b = right;
    return (a->ratio > b->ratio) - (a->ratio < b->ratio);
}

static bool is_settled(const struct arrivals *a, const struct track *track)
{
    return track->last_ms == a->at_ms && track->is_old && track->baseline > 0 &&
           track->baseline >= ABOVE_CUTOFF * a->cutoff;
}

static double site_factor(const struct arrivals *a, int horizon)
{
    size_t count = 0;
    double weight = 0;
    for (size_t i = 0; i < a->alive_count; i++) {
        const struct track *track = a->tracks[a->alive[i]];
        if (!is_settled(a, track))
            continue;
        a->ratios[count++] = (struct ratio){a->ahead[i][horizon] / track->baseline, track->baseline};
        weight += track->baseline;
    }
    if (count < SITE_PAGES_MIN)
        return 1;
    qsort(a->ratios, count, sizeof *a->ratios, by_ratio);
    double below = 0;
    size_t at = 0;
    while (at + 1 < count && (below += a->ratios[at].weight) < weight / 2)
        at++;
    return fmax(a->ratios[at].ratio, 0.01);
}

/* phi: such that half of the settled pages lie within 0.6745 of their spread about E, counts and wobble
 * together. By bisection, since the share of pages falls as phi grows. */
static void follow_wobble(struct arrivals *a)
{
    size_t count = 0;
    for (size_t i = 0; i < a->alive_count; i++) {
        const struct track *track = a->tracks[a->alive[i]];
        double expected = a->factors[HORIZONS] * track->baseline;
        if (is_settled(a, track) && expected >= WOBBLE_LEAST_VISITORS)
            a->ratios[count++] = (struct ratio){fabs(a->ahead[i][HORIZONS] - expected), expected};
    }
    if (count < SITE_PAGES_MIN)
        return;
    double low = 0;
    double high = WOBBLE_MOST;
    for (int step = 0; step < WOBBLE_STEPS; step++) {
        double middle = (low + high) / 2;
        size_t beyond = 0;
        for (size_t i = 0; i < count; i++) {
            double expected = a->ratios[i].weight;
            beyond += a->ratios[i].ratio >
                      0.6745 * sqrt(WOBBLE_NOISE * expected + middle * middle * expected * expected);
        }
        *(2 * beyond > count ? &low : &high) = middle;
    }
    a->wobble += (fmax(high, WOBBLE_LEAST) - a->wobble) * WOBBLE_FOLLOW;
}

static void find_ahead(struct arrivals *a, const struct past *pasts)
{
    for (size_t i = 0; i < a->alive_count; i++) {
        const struct track *track = a->tracks[a->alive[i]];
        double now = track->level + a->cutoff;
        for (int h = 0; h <= HORIZONS; h++) {
            const struct past *past = &pasts[h < HORIZONS ? h : 0];
            a->ahead[i][h] = now;
            if (past->slot < 0)
                continue;
            double before = track->levels[past->slot] + a->slot_cutoffs[past->slot];
            double sum =
                track->sum - track->sums[past->slot] + a->cutoff_sum - a->slot_cutoff_sums[past->slot];
            a->ahead[i][h] =
                sum / past->span_s + (h < HORIZONS ? ARRIVALS_STAY_S / past->span_s * (now - before) : 0);
        }
    }
}

static double score_of(const struct arrivals *a, size_t at, const struct past *pasts)
{
    const struct track *track = a->tracks[a->alive[at]];
    double now = track->level + a->cutoff;
    double usual = a->factors[HORIZONS] * track->baseline;
    double most = 0;
    for (int h = 0; h < HORIZONS; h++) {
        /* Both factors must agree: that of a level ahead is shaky where few pages make it. */
        double expected = a->factors[h] * track->baseline;
        double least = fmin(expected, usual);
        double most_expected = fmax(expected, usual);
        if (a->ahead[at][h] >= least && a->ahead[at][h] <= most_expected)
            continue;
        expected = a->ahead[at][h] < least ? least : most_expected;
        double more = a->ahead[at][h] - expected;
        if (pasts[h].slot < 0 || fabs(more) < MIN_AHEAD)
            continue;
        double ahead = fmax(a->ahead[at][h], 0);
        bool rises = ahead >= MIN_RATIO * expected && now - expected >= MIN_NOW;
        bool falls = expected >= MIN_RATIO * ahead && expected - now >= MIN_NOW;
        if (!rises && !falls)
            continue;
        double wobble = WOBBLE_WEIGHT * a->wobble * expected;
        double noise = 2 * expected * ARRIVALS_STAY_S / pasts[h].span_s + BASELINE_NOISE * expected;
        double score = SCORE / HORIZON[h].threshold * more / sqrt(noise + wobble * wobble + FLOOR_VARIANCE);
        if (fabs(score) > fabs(most))
            most = score;
    }
    return most;
}

static void weigh(struct arrivals *a, struct arrivals_look *look, bool is_new_minute)
{
    struct past pasts[HORIZONS];
    for (int h = 0; h < HORIZONS; h++)
        pasts[h] = find_past(a, HORIZON[h].span_ms);
    find_ahead(a, pasts);
    for (int h = 0; h <= HORIZONS; h++)
        a->factors[h] = site_factor(a, h);
    if (is_new_minute)
        follow_wobble(a);
    look->has_enough_data = a->baseline_minutes >= ARRIVALS_WARM_MINUTES;
    look->site_factor = a->factors[HORIZONS];
    look->site_wobble = a->wobble;
    look->pages = a->pages;
    look->count = a->alive_count;
    for (size_t i = 0; i < a->alive_count; i++) {
        const struct track *track = a->tracks[a->alive[i]];
        a->pages[i] = (struct arrival){
            .page = a->alive[i],
            .is_listed = track->last_ms == a->at_ms,
            .is_new = !track->is_old,
            .now = track->level + a->cutoff,
            .visitors = a->ahead[i][HORIZONS],
            .expected = a->factors[HORIZONS] * track->baseline,
            .score = look->has_enough_data ? score_of(a, i, pasts) : 0,
        };
    }
}

enum status arrivals_look(struct arrivals *a, const struct trend_sample *sample, struct arrivals_look *look_r)
{
    struct arrivals_look look = {0};
    if (sample->at_ms <= a->at_ms || sample->at_ms < 0)
        return STATUS_INVALID;
    if (!make_room(a, sample) || !make_tracks(a, sample))
        return STATUS_NO_MEMORY;
    bool is_new_minute = a->at_ms == INT64_MIN || sample->at_ms / MINUTE_MS != a->at_ms / MINUTE_MS;
    add_levels(a, sample);
    a->at_ms = sample->at_ms;
    if (is_new_minute) {
        forget_old(a, sample->at_ms);
        renew_baselines(a, sample->at_ms / MINUTE_MS);
    }
    for (size_t i = 0; i < sample->count; i++)
        look.total += sample->entries[i].visitors;
    weigh(a, &look, is_new_minute);
    *look_r = look;
    return STATUS_OK;
}

/* Sums of the means of the minutes from `first` on: of the page, and of all. False: too few are known. */
static bool sum_minutes(const struct arrivals *a, const struct track *track, int64_t first, double *page_r,
                        double *all_r)
{
    enum { SPAN = 15, LEAST = 8 };
    int known = 0;
    double page = 0;
    double all = 0;
    for (int64_t m = first; m < first + SPAN; m++) {
        const struct minute_slot *slot = &a->minutes[(m % MINUTES + MINUTES) % MINUTES];
        if (slot->minute != m || slot->samples == 0)
            continue;
        known++;
        page += (track->minutes[m % MINUTES] + slot->cutoffs) / slot->samples;
        for (size_t i = 0; i < a->alive_count; i++)
            all += (double)a->tracks[a->alive[i]]->minutes[m % MINUTES] / slot->samples;
    }
    if (known < LEAST)
        return false;
    *page_r = page / known;
    *all_r = all / known;
    return true;
}

bool arrivals_effect(const struct arrivals *a, uint32_t page, int64_t at_ms, struct arrivals_effect *effect_r)
{
    static const double noise =
        0.8; /* of two means over 15 minutes, in units of E: 2 * 2 tau / T, less their tails */
    enum { BEFORE = 15 };
    struct arrivals_effect effect = {0};
    double all_before = 0;
    double all_after = 0;
    int64_t minute = at_ms / MINUTE_MS;
    if (page >= a->track_capacity || !a->tracks[page] ||
        !sum_minutes(a, a->tracks[page], minute - BEFORE, &effect.before, &all_before) ||
        !sum_minutes(a, a->tracks[page], minute, &effect.after, &all_after))
        return false;
    double others_before = all_before - effect.before;
    double factor = others_before > 0 ? fmax(all_after - effect.after, 0) / others_before : 1;
    effect.expected = effect.before * factor;
    double wobble = a->wobble * effect.expected;
    effect.score = (effect.after - effect.expected) / sqrt(noise * effect.expected + wobble * wobble + 1);
    *effect_r = effect;
    return true;
}
