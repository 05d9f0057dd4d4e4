#include "day.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { WOBBLE_STEP_S = 20, TRUTH_STEP_S = 20, SURGE_WARM_S = 2400 };

static const double STRONG_RATIO = 1.5;
static const double STRONG_MORE = 30;

struct page_model {
    double visitors; /* that it has at noon, without surges; of an article at its height */
    double born_s, fade_s, ramp_s;
    double wobble;
    int rise;      /* its surge, -1: none */
    int birth;     /* the rise that its publication is, -1: none */
    double factor; /* of its surge */
    double surge_ramp_s, surge_hold_s;
    double mean, mean_without; /* visitors without the noise of arrivals; and without the surge */
    int count;
};

static uint64_t state;

/* xorshift64* (Vigna 2016). In (0, 1]. */
static double uniform(void)
{
    state ^= state >> 12;
    state ^= state << 25;
    state ^= state >> 27;
    return (double)((state * UINT64_C(2685821657736338717) >> 11) + 1) / 9007199254740992.0;
}

static double between(double least, double most)
{
    return least + (most - least) * uniform();
}

static double normal(void)
{
    return sqrt(-2 * log(uniform())) * cos(6.283185307179586 * uniform());
}

/* Knuth's; a large mean by its normal approximation. */
static int poisson(double mean)
{
    if (mean > 60)
        return (int)fmax(0, lround(mean + sqrt(mean) * normal()));
    int count = 0;
    double least = exp(-mean);
    for (double product = uniform(); product > least; product *= uniform())
        count++;
    return count;
}

/* Of n, each with probability p: by the gaps between those that are taken. */
static int binomial(int n, double p)
{
    int count = 0;
    double at = 0;
    double log_rest = log1p(-p);
    while ((at += ceil(log(uniform()) / log_rest)) <= n)
        count++;
    return count;
}

struct day_options day_options(uint64_t seed)
{
    return (struct day_options){
        .seed = seed,
        .cadence_s = 5,
        .stay_s = 240,
        .largest = 700,
        .flicker = .15,
        .shared = .5,
        .flicker_s = 1200,
        .tide_depth = .75,
        .tide_peak_hour = 14,
        .tide_second = .2,
        .lasting = 60,
        .articles = 400,
        .surges = 30,
        .article_size = 400,
        .surge_most = 5,
        .onset_s = 240,
    };
}

static double tide(const struct day_options *o, double at_s)
{
    double hour = at_s / 3600;
    double first = .5 + .5 * cos(6.283185307179586 * (hour - o->tide_peak_hour) / 24);
    double second = exp(-pow((hour - 20.5) / 1.5, 2));
    return 1 - o->tide_depth + o->tide_depth * first + o->tide_second * second;
}

static struct day_rise *new_rise(struct day *day, int page, double at_s, bool is_article)
{
    struct day_rise *rise = &day->rises[day->rise_count++];
    *rise = (struct day_rise){.page = page, .at_s = at_s, .until_s = DAY_S, .is_article = is_article};
    return rise;
}

static struct page_model pages[DAY_PAGES_MAX];

static void plan_surge(const struct day_options *o, struct day *day)
{
    /* Of a page that has some visitors by then: a lasting one, or an article of the last hours. */
    double at_s = between(3600, DAY_S - 3600);
    int number = 0;
    for (int tries = 0; tries < 100; tries++) {
        number = (int)(uniform() * day->page_count) % day->page_count;
        struct page_model *page = &pages[number];
        double age_s = at_s - page->born_s;
        double level = page->visitors * tide(o, at_s) * exp(-fmax(0, age_s) / page->fade_s);
        if (page->rise < 0 && level > 15 && (page->fade_s > DAY_S || (age_s > SURGE_WARM_S && age_s < 20000)))
            break;
    }
    struct page_model *page = &pages[number];
    if (page->rise >= 0)
        return;
    page->rise = day->rise_count;
    page->factor = 1.6 * pow(o->surge_most / 1.6, uniform());
    page->surge_ramp_s = between(0, o->onset_s);
    page->surge_hold_s = between(1200, 5400);
    struct day_rise *rise = new_rise(day, number, at_s, false);
    rise->until_s = at_s + page->surge_ramp_s + page->surge_hold_s;
}

static void plan(const struct day_options *o, struct day *day)
{
    *day = (struct day){0};
    memset(pages, 0, sizeof pages);
    for (int i = 0; i < o->lasting; i++) {
        pages[i] = (struct page_model){
            .visitors = o->largest / pow(i + 1, .75), .fade_s = 1e12, .rise = -1, .birth = -1};
        day->page_count++;
    }
    for (int i = 0; i < o->articles; i++) {
        struct page_model *page = &pages[day->page_count];
        /* Half of them were published before the day began, or at night: as the tide goes. */
        double at_s = between(-14400, DAY_S);
        while (uniform() > tide(o, at_s))
            at_s = between(-14400, DAY_S);
        *page = (struct page_model){
            .visitors = o->article_size * pow(uniform(), 9) + 8,
            .born_s = at_s,
            .ramp_s = between(30, 2 * o->onset_s),
            .fade_s = between(3600, 14400),
            .rise = -1,
            .birth = -1,
        };
        if (at_s > 0) {
            page->birth = day->rise_count;
            new_rise(day, day->page_count, at_s, true)->until_s = at_s + .7 * page->fade_s;
        }
        day->page_count++;
    }
    for (int i = 0; i < o->surges; i++)
        plan_surge(o, day);
    for (int i = 0; i < day->page_count; i++) {
        struct page_model *page = &pages[i];
        page->wobble = normal();
        double age_s = -page->born_s;
        if (age_s >= 0)
            page->mean = page->visitors * tide(o, 0) * exp(-age_s / page->fade_s);
        page->mean_without = page->mean;
        page->count = poisson(page->mean);
    }
}

/* Visitors that its rate would keep, with and without its surge. */
static double level_of(const struct day_options *o, const struct day *day, const struct page_model *page,
                       double at_s, double flow, double *without_r)
{
    double age_s = at_s - page->born_s;
    *without_r = 0;
    if (age_s < 0)
        return 0;
    double level = page->visitors * flow;
    if (page->ramp_s > 0)
        level *= (1 - exp(-age_s / page->ramp_s)) * exp(-age_s / page->fade_s);
    level *= fmax(.05, 1 + o->flicker * sqrt(1 - o->shared) * page->wobble);
    *without_r = level;
    if (page->rise < 0 || at_s < day->rises[page->rise].at_s)
        return level;
    double surge_s = at_s - day->rises[page->rise].at_s;
    double part = page->surge_ramp_s > 0 ? fmin(1, surge_s / page->surge_ramp_s) : 1;
    double over_s = surge_s - page->surge_ramp_s - page->surge_hold_s;
    if (over_s > 0)
        part = exp(-over_s / 1200);
    return level * (1 + (page->factor - 1) * part);
}

static int by_visitors(const void *left, const void *right)
{
    const struct trend_entry *a = left;
    const struct trend_entry *b = right;
    if (a->visitors != b->visitors)
        return a->visitors < b->visitors ? 1 : -1;
    return (a->page > b->page) - (a->page < b->page);
}

static void note(struct day_rise *rise, double at_s, double mean, double without, double cutoff)
{
    double floor = fmax(without, cutoff);
    if (at_s < rise->at_s || at_s > rise->at_s + 1800 || at_s > rise->until_s + 600)
        return;
    rise->growth = fmax(rise->growth, mean / fmax(floor, 1));
    rise->more = fmax(rise->more, mean - floor);
    if (mean >= STRONG_RATIO * floor && mean - floor >= STRONG_MORE)
        rise->counts = true;
}

void day_run(const struct day_options *o, day_see *see, void *context, struct day *day)
{
    static struct trend_entry list[DAY_PAGES_MAX];
    state = o->seed * UINT64_C(0x9e3779b97f4a7c15) + 1;
    for (int i = 0; i < 8; i++)
        (void)uniform();
    plan(o, day);
    double shared = normal();
    double kept = exp(-WOBBLE_STEP_S / o->flicker_s);
    double fresh = sqrt(1 - kept * kept);
    int step_s = o->cadence_s < 5 ? o->cadence_s : 5;
    while (o->cadence_s % step_s)
        step_s--;
    double leave = 1 - exp(-step_s / o->stay_s);
    double cutoff = 0;
    for (int at_s = step_s; at_s <= DAY_S; at_s += step_s) {
        bool is_new_wobble = at_s / WOBBLE_STEP_S != (at_s - step_s) / WOBBLE_STEP_S;
        bool is_truth = at_s / TRUTH_STEP_S != (at_s - step_s) / TRUTH_STEP_S;
        if (is_new_wobble)
            shared = kept * shared + fresh * normal();
        double flow = tide(o, at_s) * fmax(.1, 1 + o->flicker * sqrt(o->shared) * shared);
        int count = 0;
        for (int i = 0; i < day->page_count; i++) {
            struct page_model *page = &pages[i];
            if (page->born_s > at_s)
                continue;
            if (is_new_wobble)
                page->wobble = kept * page->wobble + fresh * normal();
            double without = 0;
            double level = level_of(o, day, page, at_s, flow, &without);
            page->mean += (level - page->mean) * leave;
            page->mean_without += (without - page->mean_without) * leave;
            page->count += poisson(level * leave) - (page->count > 0 ? binomial(page->count, leave) : 0);
            if (is_truth && page->rise >= 0)
                note(&day->rises[page->rise], at_s, page->mean, page->mean_without, cutoff);
            if (is_truth && page->birth >= 0)
                note(&day->rises[page->birth], at_s, page->mean, 0, cutoff);
            if (page->count > 0)
                list[count++] = (struct trend_entry){(uint32_t)i, page->count};
        }
        if (at_s % o->cadence_s)
            continue;
        qsort(list, (size_t)count, sizeof *list, by_visitors);
        int listed = count < DAY_LISTED ? count : DAY_LISTED;
        cutoff = listed == DAY_LISTED ? list[listed - 1].visitors : 0;
        const struct trend_sample sample = {at_s * INT64_C(1000), DAY_LISTED, (size_t)listed, list};
        see(&sample, context);
    }
}
