#include "pages/trend_model.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum {
    MINUTE_MS = 60000,
    HOUR_MS = 3600000,
    RECENT_MIN_MS = 60000,
    RECENT_MAX_MS = 300000,
    RECENT_SHARE = 15,
    BASELINE_MIN = 3, /* minutes */
    FACTOR_PAGES_MIN = 10,
    WOBBLE_PAGES_MIN = 10,
    WOBBLE_VISITORS_MIN = 40, /* a smaller page shows the noise of counts, not its wobble */
};

static const double MAD_TO_SIGMA = 1.4826;
static const double WOBBLE_LEAST = 0.03;
static const double WOBBLE_MOST = 0.35;
static const double WOBBLE_UNKNOWN = 0.10;

int64_t trend_recent_ms(int64_t window_ms)
{
    int64_t recent_ms = window_ms / RECENT_SHARE;
    return recent_ms < RECENT_MIN_MS ? RECENT_MIN_MS : recent_ms > RECENT_MAX_MS ? RECENT_MAX_MS : recent_ms;
}

int32_t trend_mean(int64_t visitor_sum, int64_t cutoff_sum, int32_t samples)
{
    int64_t mean = (200 * (visitor_sum + cutoff_sum) + samples) / (2 * (int64_t)samples);
    return mean < TREND_HUNDREDTHS_MAX ? (int32_t)mean : TREND_HUNDREDTHS_MAX;
}

int32_t trend_cutoff(const struct trend_sample *sample)
{
    if (sample->count == 0 || sample->count < (size_t)sample->row_limit)
        return 0;
    int32_t least = sample->entries[0].visitors;
    for (size_t i = 1; i < sample->count; i++) {
        if (sample->entries[i].visitors < least)
            least = sample->entries[i].visitors;
    }
    return least;
}

/* What is known of one page: where its minutes stand in `listed`, and its recent samples. */
struct track {
    size_t first, count;
    int64_t recent_sum;    /* over the recent samples that list it */
    int64_t recent_cutoff; /* sum of the cut-offs of these */
    int32_t recent_count;
};

struct listed {
    int32_t at; /* which of the baseline's minutes */
    int32_t visitors;
};

struct weighing {
    const struct trend_input *input;
    const struct trend_minute **minutes; /* of the baseline */
    int32_t minute_count;
    struct track *tracks; /* by page */
    struct listed *listed;
    double *scales; /* G_R / G of each minute, or 1 */
    double *means;  /* room for one page's minutes */
    double *room;
    int32_t recent_samples;
    int64_t recent_cutoff_sum;
    double recent_cutoff;
};

/* The value that would stand at `nth` if they were sorted; afterwards none before it is larger. Quickselect
 * (Hoare 1961): the windows of a day have 1,440 minutes for each of a thousand pages. */
static double select_nth(double *values, size_t count, size_t nth)
{
    size_t low = 0;
    size_t high = count - 1;
    while (low < high) {
        double pivot = values[low + (high - low) / 2];
        size_t i = low;
        size_t j = high;
        while (i <= j) {
            while (values[i] < pivot)
                i++;
            while (values[j] > pivot)
                j--;
            if (i > j)
                break;
            double other = values[i];
            values[i++] = values[j];
            values[j] = other;
            if (j == 0)
                break;
            j--;
        }
        if (nth <= j)
            high = j;
        else if (nth >= i)
            low = i;
        else
            break;
    }
    return values[nth];
}

/* Takes values apart; count > 0. */
static double median(double *values, size_t count)
{
    double upper = select_nth(values, count, count / 2);
    if (count % 2)
        return upper;
    double lower = values[0];
    for (size_t i = 1; i < count / 2; i++) {
        if (values[i] > lower)
            lower = values[i];
    }
    return (lower + upper) / 2;
}

static enum status take_minutes(struct weighing *w, struct arena *arena, int64_t recent_ms)
{
    const struct trend_input *in = w->input;
    w->minutes = arena_alloc(arena, (in->minute_count + 1) * sizeof(const struct trend_minute *));
    if (!w->minutes)
        return STATUS_NO_MEMORY;
    for (size_t i = 0; i < in->minute_count; i++) {
        int64_t from_ms = in->minutes[i].minute * MINUTE_MS;
        if (from_ms >= in->as_of_ms - in->window_ms && from_ms + MINUTE_MS <= in->as_of_ms - recent_ms)
            w->minutes[w->minute_count++] = &in->minutes[i];
    }
    return STATUS_OK;
}

static void take_samples(struct weighing *w, int64_t recent_ms)
{
    const struct trend_input *in = w->input;
    for (size_t i = 0; i < in->sample_count; i++) {
        const struct trend_sample *sample = &in->samples[i];
        if (sample->at_ms <= in->as_of_ms - recent_ms || sample->at_ms > in->as_of_ms)
            continue;
        int32_t cutoff = trend_cutoff(sample);
        w->recent_samples++;
        w->recent_cutoff_sum += cutoff;
        for (size_t j = 0; j < sample->count; j++) {
            struct track *track = &w->tracks[sample->entries[j].page];
            track->recent_sum += sample->entries[j].visitors;
            track->recent_cutoff += cutoff;
            track->recent_count++;
        }
    }
}

/* The minutes of each page, one after the other. */
static enum status sort_minutes(struct weighing *w, struct arena *arena)
{
    size_t total = 0;
    for (int32_t k = 0; k < w->minute_count; k++) {
        for (size_t j = 0; j < w->minutes[k]->count; j++)
            w->tracks[w->minutes[k]->entries[j].page].count++;
        total += w->minutes[k]->count;
    }
    w->listed = arena_alloc(arena, (total + 1) * sizeof *w->listed);
    if (!w->listed)
        return STATUS_NO_MEMORY;
    size_t first = 0;
    for (size_t page = 0; page < w->input->page_count; page++) {
        w->tracks[page].first = first;
        first += w->tracks[page].count;
        w->tracks[page].count = 0;
    }
    for (int32_t k = 0; k < w->minute_count; k++) {
        for (size_t j = 0; j < w->minutes[k]->count; j++) {
            struct track *track = &w->tracks[w->minutes[k]->entries[j].page];
            w->listed[track->first + track->count++] = (struct listed){k, w->minutes[k]->entries[j].visitors};
        }
    }
    return STATUS_OK;
}

static enum status prepare(struct weighing *w, struct arena *arena, int64_t recent_ms)
{
    size_t pages = w->input->page_count;
    enum status result = take_minutes(w, arena, recent_ms);
    w->tracks = arena_alloc(arena, (pages + 1) * sizeof *w->tracks);
    if (result != STATUS_OK || !w->tracks)
        return STATUS_NO_MEMORY;
    memset(w->tracks, 0, pages * sizeof *w->tracks);
    take_samples(w, recent_ms);
    if (w->recent_samples > 0)
        w->recent_cutoff = (double)w->recent_cutoff_sum / w->recent_samples;
    size_t most = (size_t)w->minute_count + pages + 1;
    w->scales = arena_alloc(arena, most * sizeof *w->scales);
    w->means = arena_alloc(arena, most * sizeof *w->means);
    w->room = arena_alloc(arena, most * sizeof *w->room);
    return w->scales && w->means && w->room ? sort_minutes(w, arena) : STATUS_NO_MEMORY;
}

/* R: the cut-off of each sample stands for a page that it does not list. */
static double recent_of(const struct weighing *w, const struct track *track)
{
    return (double)(track->recent_sum + w->recent_cutoff_sum - track->recent_cutoff) / w->recent_samples;
}

/* The total of a list, out of the means of all pages that were listed in some of its samples: those above the
 * row limit stood there for others, and the cut-off is what each added to the sum. */
static double total_of(double sum, size_t pages, int32_t row_limit, double cutoff)
{
    return cutoff > 0 && pages > (size_t)row_limit ? sum - cutoff * (double)(pages - (size_t)row_limit) : sum;
}

static void weigh_site(struct weighing *w, struct trend *trend)
{
    size_t pages = 0;
    double sum = 0;
    for (size_t page = 0; page < w->input->page_count; page++) {
        if (w->tracks[page].recent_count > 0) {
            sum += recent_of(w, &w->tracks[page]);
            pages++;
        }
    }
    trend->site_visitors = total_of(sum, pages, w->input->row_limit, w->recent_cutoff);
    for (int32_t k = 0; k < w->minute_count; k++) {
        const struct trend_minute *minute = w->minutes[k];
        int64_t hundredths = 0;
        for (size_t j = 0; j < minute->count; j++)
            hundredths += minute->entries[j].visitors;
        w->room[k] =
            total_of((double)hundredths / 100, minute->count, w->input->row_limit, minute->cutoff / 100.0);
        bool is_scaled = w->input->window_ms >= HOUR_MS && w->room[k] > 0 && trend->site_visitors > 0;
        w->scales[k] = is_scaled ? trend->site_visitors / w->room[k] : 1;
    }
    trend->site_expected = median(w->room, (size_t)w->minute_count);
}

/* B into `means`, as it is or scaled. */
static void baseline_of(struct weighing *w, const struct track *track, bool is_scaled)
{
    for (int32_t k = 0; k < w->minute_count; k++)
        w->means[k] = w->minutes[k]->cutoff / 100.0;
    for (size_t j = 0; j < track->count; j++)
        w->means[w->listed[track->first + j].at] = w->listed[track->first + j].visitors / 100.0;
    for (int32_t k = 0; is_scaled && k < w->minute_count; k++)
        w->means[k] *= w->scales[k];
}

static double median_of_means(struct weighing *w)
{
    memcpy(w->room, w->means, (size_t)w->minute_count * sizeof *w->room);
    return median(w->room, (size_t)w->minute_count);
}

/* b, the raw median, and for now the spread in place of sigma. */
static void weigh_page(struct weighing *w, size_t number, struct trend_page *page)
{
    const struct track *track = &w->tracks[number];
    bool is_scaled = w->input->window_ms >= HOUR_MS;
    baseline_of(w, track, false);
    double raw = median_of_means(w);
    if (is_scaled)
        baseline_of(w, track, true);
    double b = is_scaled ? median_of_means(w) : raw;
    for (int32_t k = 0; k < w->minute_count; k++)
        w->room[k] = fabs(w->means[k] - b);
    double visitors = recent_of(w, track);
    bool is_listed = track->recent_count > 0;
    *page = (struct trend_page){
        .page = (uint32_t)number,
        .visitors = visitors,
        .change = visitors - raw,
        .baseline = b,
        .sigma = MAD_TO_SIGMA * median(w->room, (size_t)w->minute_count),
        .is_new = is_listed && track->count == 0,
        .is_lower_bound = (is_listed && track->count == 0 && raw > 0) || (!is_listed && w->recent_cutoff > 0),
    };
}

struct weighted {
    double ratio, weight;
};

static int by_ratio(const void *left, const void *right)
{
    const struct weighted *a = left;
    const struct weighted *b = right;
    return (a->ratio > b->ratio) - (a->ratio < b->ratio);
}

static bool is_always_listed(const struct weighing *w, const struct trend_page *page)
{
    const struct track *track = &w->tracks[page->page];
    return track->count == (size_t)w->minute_count && track->recent_count == w->recent_samples;
}

static enum status find_site_factor(const struct weighing *w, struct arena *arena, struct trend *trend)
{
    struct weighted *all = arena_alloc(arena, (trend->page_count + 1) * sizeof *all);
    size_t count = 0;
    double weight = 0;
    if (!all)
        return STATUS_NO_MEMORY;
    for (size_t i = 0; i < trend->page_count; i++) {
        const struct trend_page *page = &trend->pages[i];
        if (!is_always_listed(w, page) || page->baseline <= 0)
            continue;
        all[count++] = (struct weighted){page->visitors / page->baseline, page->baseline};
        weight += page->baseline;
    }
    trend->site_factor = 1;
    if (count < FACTOR_PAGES_MIN)
        return STATUS_OK;
    qsort(all, count, sizeof *all, by_ratio);
    double below = 0;
    for (size_t i = 0; i < count; i++) {
        below += all[i].weight;
        if (below >= weight / 2) {
            trend->site_factor = all[i].ratio;
            break;
        }
    }
    return STATUS_OK;
}

static int by_visitors(const void *left, const void *right)
{
    const struct trend_page *const *a = left;
    const struct trend_page *const *b = right;
    if ((*a)->visitors != (*b)->visitors)
        return (*a)->visitors < (*b)->visitors ? 1 : -1;
    return ((*a)->page > (*b)->page) - ((*a)->page < (*b)->page);
}

static int by_baseline(const void *left, const void *right)
{
    const struct trend_page *const *a = left;
    const struct trend_page *const *b = right;
    if ((*a)->baseline != (*b)->baseline)
        return (*a)->baseline < (*b)->baseline ? 1 : -1;
    return ((*a)->page > (*b)->page) - ((*a)->page < (*b)->page);
}

static enum status find_ranks(const struct weighing *w, struct arena *arena, struct trend *trend)
{
    struct trend_page **order = arena_alloc(arena, (trend->page_count + 1) * sizeof(struct trend_page *));
    if (!order)
        return STATUS_NO_MEMORY;
    for (int is_then = 0; is_then < 2; is_then++) {
        size_t count = 0;
        for (size_t i = 0; i < trend->page_count; i++) {
            const struct track *track = &w->tracks[trend->pages[i].page];
            if (is_then ? track->count > 0 : track->recent_count > 0)
                order[count++] = &trend->pages[i];
        }
        if (count > 1)
            qsort(order, count, sizeof(struct trend_page *), is_then ? by_baseline : by_visitors);
        for (size_t i = 0; i < count; i++)
            *(is_then ? &order[i]->old_rank : &order[i]->rank) = (int32_t)i + 1;
    }
    return STATUS_OK;
}

static double find_wobble(struct weighing *w, const struct trend *trend)
{
    size_t count = 0;
    for (size_t i = 0; i < trend->page_count; i++) {
        const struct trend_page *page = &trend->pages[i];
        if (is_always_listed(w, page) && page->expected >= WOBBLE_VISITORS_MIN)
            w->room[count++] = fabs(page->visitors / page->expected - 1);
    }
    if (count < WOBBLE_PAGES_MIN)
        return WOBBLE_UNKNOWN;
    return fmin(fmax(MAD_TO_SIGMA * median(w->room, count), WOBBLE_LEAST), WOBBLE_MOST);
}

static void score(struct weighing *w, struct trend *trend)
{
    for (size_t i = 0; i < trend->page_count; i++)
        trend->pages[i].expected = trend->site_factor * trend->pages[i].baseline;
    trend->site_wobble = find_wobble(w, trend);
    for (size_t i = 0; i < trend->page_count; i++) {
        struct trend_page *page = &trend->pages[i];
        double wobble = trend->site_wobble * page->expected;
        double floor = sqrt(page->expected + 1 + wobble * wobble);
        if (page->sigma < floor)
            page->sigma = floor;
        page->score = (page->visitors - page->expected) / page->sigma;
    }
}

static enum status weigh_pages(struct weighing *w, struct arena *arena, struct trend *trend)
{
    trend->pages = arena_alloc(arena, (w->input->page_count + 1) * sizeof *trend->pages);
    if (!trend->pages)
        return STATUS_NO_MEMORY;
    for (size_t page = 0; page < w->input->page_count; page++) {
        if (w->tracks[page].count > 0 || w->tracks[page].recent_count > 0)
            weigh_page(w, page, &trend->pages[trend->page_count++]);
    }
    enum status result = find_site_factor(w, arena, trend);
    if (result == STATUS_OK)
        result = find_ranks(w, arena, trend);
    if (result == STATUS_OK)
        score(w, trend);
    return result;
}

enum status trend_weigh(const struct trend_input *input, struct arena *arena, struct trend *trend_r)
{
    struct weighing w = {.input = input};
    int64_t recent_ms = trend_recent_ms(input->window_ms);
    struct trend trend = {
        .recent_ms = recent_ms,
        .window_minutes = (int32_t)((input->window_ms - recent_ms) / MINUTE_MS),
        .site_factor = 1,
    };
    enum status result = prepare(&w, arena, recent_ms);
    if (result != STATUS_OK)
        return result;
    trend.baseline_minutes = w.minute_count;
    trend.recent_samples = w.recent_samples;
    trend.samples = w.recent_samples;
    for (int32_t k = 0; k < w.minute_count; k++)
        trend.samples += w.minutes[k]->samples;
    trend.has_enough_data =
        w.recent_samples > 0 && w.minute_count >= BASELINE_MIN && 2 * w.minute_count >= trend.window_minutes;
    if (trend.has_enough_data) {
        weigh_site(&w, &trend);
        result = weigh_pages(&w, arena, &trend);
    }
    if (result == STATUS_OK)
        *trend_r = trend;
    return result;
}

bool trend_is_shown(const struct trend_page *page, const struct trend_bounds *bounds)
{
    double more = page->visitors - page->expected;
    bool rises = page->score >= bounds->min_score && more >= TREND_MIN_CHANGE &&
                 page->visitors >= bounds->min_visitors &&
                 page->visitors >= bounds->min_ratio * page->expected;
    bool falls = page->score <= -bounds->min_score && -more >= TREND_MIN_CHANGE &&
                 page->expected >= bounds->min_visitors &&
                 page->expected >= bounds->min_ratio * page->visitors;
    return (rises && bounds->direction != TREND_DOWN) || (falls && bounds->direction != TREND_UP);
}

struct order {
    enum trend_sort sort;
    const struct trend_path *paths;
};

static int descending(double a, double b)
{
    return (a < b) - (a > b);
}

static int by_order(const void *left, const void *right, void *context)
{
    const struct trend_page *a = left;
    const struct trend_page *b = right;
    const struct order *order = context;
    int sign = order->sort == TREND_BY_SCORE    ? descending(fabs(a->score), fabs(b->score))
               : order->sort == TREND_BY_CHANGE ? descending(fabs(a->change), fabs(b->change))
                                                : descending(a->visitors, b->visitors);
    if (sign == 0)
        sign = descending(fabs(a->score), fabs(b->score));
    if (sign == 0)
        sign = descending(fabs(a->change), fabs(b->change));
    if (sign == 0)
        sign = descending(a->visitors, b->visitors);
    if (sign != 0)
        return sign;
    const struct trend_path *x = &order->paths[a->page];
    const struct trend_path *y = &order->paths[b->page];
    sign = memcmp(x->bytes, y->bytes, x->len_bytes < y->len_bytes ? x->len_bytes : y->len_bytes);
    return sign != 0 ? sign : (x->len_bytes > y->len_bytes) - (x->len_bytes < y->len_bytes);
}

void trend_sort(struct trend_page *pages, size_t count, enum trend_sort sort, const struct trend_path *paths)
{
    struct order order = {sort, paths};
    if (count > 1)
        qsort_r(pages, count, sizeof *pages, by_order, &order);
}
