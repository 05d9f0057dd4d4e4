/* What holds of the measure whatever the site: a few hundred invented ones each, from a seed that a failure
 * names. */
#include "unit.h"

#include "pages/minute_means.h"
#include "pages/trend_model.h"

#include <math.h>
#include <stdlib.h>

enum { SITES = 300, PAGES_MAX = 60, SAMPLES_MAX = 1600, MINUTE_MS = 60000, ARENA_BYTES = 64 << 20 };

static uint64_t state;

/* xorshift64* (Vigna 2016): 0 to below - 1. */
static int dice(int below)
{
    state ^= state >> 12;
    state ^= state << 25;
    state ^= state >> 27;
    return (int)((state * UINT64_C(2685821657736338717) >> 33) % (uint64_t)below);
}

/* A recording and how to look at it; the look is at the end of the last minute. */
struct site {
    uint64_t seed;
    int64_t window_ms;
    int pages, row_limit, minutes;
    int levels[PAGES_MAX]; /* what each page has without noise */
    size_t count;
    struct trend_sample samples[SAMPLES_MAX];
    struct trend_entry entries[SAMPLES_MAX][PAGES_MAX];
};

static struct site site;
static struct arena arena, other_arena;

static int set_up(void **unused)
{
    (void)unused;
    arena_init(&arena, ARENA_BYTES);
    arena_init(&other_arena, ARENA_BYTES);
    return 0;
}

static int tear_down(void **unused)
{
    (void)unused;
    arena_release(&arena);
    arena_release(&other_arena);
    return 0;
}

/* Sizes, levels and window; no samples yet. */
static void invent(struct site *new, uint64_t seed)
{
    static const int windows_min[] = {5, 15, 30, 45, 60, 120};
    state = seed * UINT64_C(0x9e3779b97f4a7c15) + 1;
    for (int i = 0; i < 8; i++)
        (void)dice(2);
    new->seed = seed;
    new->minutes = windows_min[dice(COUNT(windows_min))];
    new->window_ms = (int64_t) new->minutes *MINUTE_MS;
    new->pages = 1 + dice(PAGES_MAX);
    new->row_limit = dice(2) ? 100 : 1 + dice(new->pages);
    new->count = 0;
    int spread = dice(2) ? 60 : 6;
    for (int page = 0; page < new->pages; page++)
        new->levels[page] = 12 * (1 + dice(spread));
}

/* Of pages with as many visitors now this one is listed and now that. */
static int turns[PAGES_MAX];

static int by_visitors(const void *left, const void *right)
{
    const struct trend_entry *a = left;
    const struct trend_entry *b = right;
    if (a->visitors != b->visitors)
        return a->visitors < b->visitors ? 1 : -1;
    return (turns[a->page] > turns[b->page]) - (turns[a->page] < turns[b->page]);
}

/* A list as Chartbeat would send it: the largest first, as many as the limit; visitors[page] each, none of
 * who has nobody. */
static void add_sample(struct site *to, int64_t at_ms, const int *visitors)
{
    struct trend_entry all[PAGES_MAX];
    struct trend_sample *sample = &to->samples[to->count];
    size_t count = 0;
    for (int page = 0; page < to->pages; page++) {
        turns[page] = dice(1000);
        if (visitors[page] > 0)
            all[count++] = (struct trend_entry){(uint32_t)page, visitors[page]};
    }
    qsort(all, count, sizeof *all, by_visitors);
    if (count > (size_t)to->row_limit)
        count = (size_t)to->row_limit;
    memcpy(to->entries[to->count], all, count * sizeof *all);
    *sample = (struct trend_sample){at_ms, to->row_limit, count, to->entries[to->count]};
    to->count++;
}

/* Visitors of each page in one minute. */
typedef void site_fill(const struct site *of, int minute, int *visitors);

/* Samples in all minutes, 1 to 12 of each at times of their own. */
static void record(struct site *to, site_fill *fill)
{
    for (int minute = 0; minute < to->minutes; minute++) {
        int many = 1 + dice(12);
        for (int n = 0; n < many; n++) {
            int visitors[PAGES_MAX];
            fill(to, minute, visitors);
            add_sample(to, (int64_t)minute * MINUTE_MS + n * (MINUTE_MS / many) + 1, visitors);
        }
    }
}

/* Spans without a sample, of the baseline or of the newest minutes too. */
static void fail_upstream(struct site *of)
{
    size_t kept = 0;
    int64_t until_ms = -1;
    for (size_t i = 0; i < of->count; i++) {
        if (dice(100) == 0)
            until_ms = of->samples[i].at_ms + dice(of->minutes * MINUTE_MS / 3);
        if (of->samples[i].at_ms > until_ms)
            of->samples[kept++] = of->samples[i];
    }
    of->count = kept;
}

static void shuffle(void *items, size_t count, size_t size)
{
    char *all = items;
    char held[sizeof(struct trend_page)];
    assert_in_range(size, 1, sizeof held);
    for (size_t i = count; i > 1; i--) {
        char *a = all + size * (i - 1);
        char *b = all + size * (size_t)dice((int)i);
        memcpy(held, a, size);
        memcpy(a, b, size);
        memcpy(b, held, size);
    }
}

/* is_shuffled: rows, and the newest samples, in another order. */
static struct trend weigh(struct site *of, bool is_shuffled, struct arena *room)
{
    struct trend trend = {0};
    struct minutes *minutes = minutes_new();
    assert_non_null(minutes);
    for (size_t i = 0; is_shuffled && i < of->count; i++)
        shuffle(of->samples[i].entries, of->samples[i].count, sizeof(struct trend_entry));
    for (size_t i = 0; i < of->count; i++)
        assert_int_equal(minutes_add(minutes, &of->samples[i]), STATUS_OK);
    assert_int_equal(minutes_end(minutes), STATUS_OK);
    if (is_shuffled)
        shuffle(of->samples, of->count, sizeof *of->samples);
    struct trend_input input = {.as_of_ms = (int64_t)of->minutes * MINUTE_MS,
                                .window_ms = of->window_ms,
                                .page_count = (size_t)of->pages,
                                .row_limit = of->row_limit,
                                .samples = of->samples,
                                .sample_count = of->count};
    input.minutes = minutes_list(minutes, &input.minute_count);
    arena_clear(room);
    assert_int_equal(trend_weigh(&input, room, &trend), STATUS_OK);
    minutes_free(minutes);
    return trend;
}

/* Every score is 0, and none is shown whatever the bounds are. */
static void assert_still(const struct site *of, const struct trend *trend)
{
    const struct trend_bounds all = {TREND_BOTH, 0, 0, 0};
    for (size_t i = 0; i < trend->page_count; i++) {
        if (fabs(trend->pages[i].score) > 1e-6 || trend_is_shown(&trend->pages[i], &all))
            fail_msg("seed %d: page %d of %d scores %f", (int)of->seed, (int)trend->pages[i].page, of->pages,
                     trend->pages[i].score);
    }
}

static void steady(const struct site *of, int minute, int *visitors)
{
    (void)minute;
    memcpy(visitors, of->levels, sizeof of->levels);
}

static void noisy(const struct site *of, int minute, int *visitors)
{
    for (int page = 0; page < of->pages; page++) {
        int level = of->levels[page] * (page % 7 == 3 && minute > of->minutes * 9 / 10 ? 4 : 1);
        visitors[page] = dice(9) == 0 ? 0 : level / 2 + dice(level);
    }
}

static void test_constant_counts_score_0(void **unused)
{
    (void)unused;
    for (uint64_t seed = 1; seed <= SITES; seed++) {
        invent(&site, seed);
        record(&site, steady);
        struct trend trend = weigh(&site, false, &arena);
        assert_true(trend.has_enough_data);
        assert_in_range(trend.page_count, site.pages < site.row_limit ? site.pages : site.row_limit,
                        site.pages);
        assert_still(&site, &trend);
    }
}

static void test_an_outage_creates_no_trend(void **unused)
{
    int warming = 0;
    (void)unused;
    for (uint64_t seed = 1; seed <= SITES; seed++) {
        invent(&site, seed);
        record(&site, steady);
        fail_upstream(&site);
        struct trend trend = weigh(&site, false, &arena);
        warming += !trend.has_enough_data;
        assert_int_equal(!trend.has_enough_data && trend.page_count > 0, false);
        assert_still(&site, &trend);
    }
    assert_in_range(warming, SITES / 20, SITES / 2); /* both kinds were there */
}

/* Steady, then all of it times a factor: within the newest minutes, or with a window of hours from any minute
 * on, again and again. */
static int factors[121];

static void scaled(const struct site *of, int minute, int *visitors)
{
    for (int page = 0; page < of->pages; page++)
        visitors[page] = of->levels[page] * factors[minute] / 12;
}

static void test_scaling_the_whole_site_flags_nothing(void **unused)
{
    (void)unused;
    for (uint64_t seed = 1; seed <= SITES; seed++) {
        invent(&site, seed);
        site.pages = 10 + dice(PAGES_MAX - 10);
        site.row_limit = dice(2) ? 100 : 10 + dice(site.pages - 9);
        for (int page = 0; page < site.pages; page++)
            site.levels[page] = 12 * (1 + dice(20) + (page < 10 ? 20 : 0)); /* ten are always listed */
        bool is_wave = site.minutes >= 60;
        int recent = (int)(trend_recent_ms(site.window_ms) / MINUTE_MS);
        int last = 1 + dice(48);
        for (int minute = 0; minute < site.minutes; minute++)
            factors[minute] = minute >= site.minutes - recent ? last : is_wave ? 1 + dice(48) : 12;
        record(&site, scaled);
        if (dice(2))
            fail_upstream(&site);
        struct trend trend = weigh(&site, false, &arena);
        assert_still(&site, &trend);
    }
}

/* Short paths, of which many start alike. */
static void name_pages(const struct site *of, struct trend_path *paths, char names[PAGES_MAX][8])
{
    for (int page = 0; page < of->pages; page++) {
        int len = snprintf(names[page], sizeof names[page], "/%x", page / 3 + (page % 3 << 8));
        paths[page] = (struct trend_path){names[page], (size_t)len};
    }
}

static void assert_same(const struct trend_page *a, const struct trend_page *b, uint64_t seed)
{
    if (a->page != b->page || a->visitors != b->visitors || a->expected != b->expected ||
        a->change != b->change || a->sigma != b->sigma || a->score != b->score || a->rank != b->rank ||
        a->old_rank != b->old_rank || a->is_new != b->is_new || a->is_lower_bound != b->is_lower_bound)
        fail_msg("seed %d: page %d is another than page %d", (int)seed, (int)a->page, (int)b->page);
}

static void test_the_order_of_rows_is_irrelevant(void **unused)
{
    struct trend_path paths[PAGES_MAX];
    char names[PAGES_MAX][8];
    size_t rising = 0;
    const struct trend_bounds bounds = {TREND_BOTH, TREND_MIN_SCORE, TREND_MIN_VISITORS, TREND_MIN_RATIO};
    (void)unused;
    for (uint64_t seed = 1; seed <= SITES; seed++) {
        enum trend_sort sort = (enum trend_sort)(seed % 3);
        invent(&site, seed);
        record(&site, noisy);
        name_pages(&site, paths, names);
        struct trend one = weigh(&site, false, &arena);
        struct trend two = weigh(&site, true, &other_arena);
        assert_int_equal(one.page_count, two.page_count);
        assert_true(one.site_factor == two.site_factor && one.site_expected == two.site_expected);
        shuffle(two.pages, two.page_count, sizeof *two.pages);
        trend_sort(one.pages, one.page_count, sort, paths);
        trend_sort(two.pages, two.page_count, sort, paths);
        for (size_t i = 0; i < one.page_count; i++) {
            assert_same(&one.pages[i], &two.pages[i], seed);
            rising += trend_is_shown(&one.pages[i], &bounds);
        }
    }
    assert_in_range(rising, SITES / 2, SITES * PAGES_MAX); /* there was something to get wrong */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_constant_counts_score_0),
        cmocka_unit_test(test_an_outage_creates_no_trend),
        cmocka_unit_test(test_scaling_the_whole_site_flags_nothing),
        cmocka_unit_test(test_the_order_of_rows_is_irrelevant),
    };
    return cmocka_run_group_tests_name("trend_properties", tests, set_up, tear_down);
}
