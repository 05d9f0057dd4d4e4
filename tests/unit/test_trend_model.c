#include "unit.h"

#include "base/duration.h"
#include "pages/minute_means.h"
#include "pages/trend_model.h"

#include <math.h>
#include <stdlib.h>

enum { PAGES = 40, MINUTES = 30, LISTED = 30, WINDOW_MS = 1800000 };

static struct arena arena;

static int set_up(void **state)
{
    (void)state;
    arena_init(&arena, 16 << 20);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    arena_release(&arena);
    return 0;
}

/* A site: visitors of each page in each minute, one sample a minute, 30 s after its start; -1: not listed. */
struct site {
    int32_t visitors[MINUTES][PAGES];
    bool is_missing[MINUTES];
    int32_t row_limit;
    bool is_reversed; /* rows in another order */
};

static struct site constant(void)
{
    static struct site site;
    site = (struct site){.row_limit = PAGES};
    for (int minute = 0; minute < MINUTES; minute++) {
        for (int page = 0; page < PAGES; page++)
            site.visitors[minute][page] = 20 + 5 * page;
    }
    return site;
}

static struct trend weigh(const struct site *site)
{
    static struct trend_entry entries[MINUTES][PAGES];
    struct trend_sample samples[MINUTES];
    size_t count = 0;
    struct minutes *minutes = minutes_new();
    struct trend trend = {0};
    assert_non_null(minutes);
    for (int minute = 0; minute < MINUTES; minute++) {
        size_t rows = 0;
        for (int i = 0; i < PAGES; i++) {
            int page = site->is_reversed ? PAGES - 1 - i : i;
            if (site->visitors[minute][page] >= 0)
                entries[minute][rows++] = (struct trend_entry){(uint32_t)page, site->visitors[minute][page]};
        }
        if (site->is_missing[minute])
            continue;
        samples[count] =
            (struct trend_sample){minute * INT64_C(60000) + 30000, site->row_limit, rows, entries[minute]};
        assert_int_equal(minutes_add(minutes, &samples[count]), STATUS_OK);
        count++;
    }
    struct trend_input input = {.as_of_ms = MINUTES * INT64_C(60000),
                                .window_ms = WINDOW_MS,
                                .page_count = PAGES,
                                .row_limit = site->row_limit,
                                .samples = samples,
                                .sample_count = count};
    input.minutes = minutes_list(minutes, &input.minute_count);
    assert_int_equal(trend_weigh(&input, &arena, &trend), STATUS_OK);
    minutes_free(minutes);
    return trend;
}

static const struct trend_page *page_of(const struct trend *trend, uint32_t number)
{
    for (size_t i = 0; i < trend->page_count; i++) {
        if (trend->pages[i].page == number)
            return &trend->pages[i];
    }
    fail_msg("page %u is not there", number);
    return NULL;
}

static size_t shown(const struct trend *trend, enum trend_direction direction)
{
    const struct trend_bounds bounds = {direction, TREND_MIN_SCORE, TREND_MIN_VISITORS, TREND_MIN_RATIO};
    size_t count = 0;
    for (size_t i = 0; i < trend->page_count; i++)
        count += trend_is_shown(&trend->pages[i], &bounds);
    return count;
}

static bool is_near(double a, double b)
{
    return fabs(a - b) < 1e-9;
}

static void test_constant_counts_score_nothing(void **state)
{
    (void)state;
    struct site site = constant();
    struct trend trend = weigh(&site);
    assert_true(trend.has_enough_data);
    assert_int_equal(trend.page_count, PAGES);
    assert_int_equal(trend.baseline_minutes, 28);
    assert_int_equal(trend.recent_samples, 2);
    assert_int_equal(trend.samples, 30);
    assert_true(is_near(trend.site_factor, 1));
    for (uint32_t page = 0; page < PAGES; page++) {
        assert_true(is_near(page_of(&trend, page)->score, 0));
        assert_int_equal(page_of(&trend, page)->rank, PAGES - (int)page);
        assert_int_equal(page_of(&trend, page)->old_rank, PAGES - (int)page);
    }
}

/* By hand: b = 20, every other minute 2 more or less, so MAD 2 and 1.4826 * 2 = 2.9652 < sqrt(20 + 1 +
 * 0.6^2), for the other pages stand still, and phi is held at 0.03. */
static void test_one_page_by_hand(void **state)
{
    (void)state;
    struct site site = constant();
    for (int minute = 0; minute < MINUTES; minute++)
        site.visitors[minute][0] = minute >= 28 ? 50 : minute % 2 ? 22 : 18;
    struct trend trend = weigh(&site);
    const struct trend_page *page = page_of(&trend, 0);
    assert_true(is_near(page->visitors, 50));
    assert_true(is_near(page->baseline, 20));
    assert_true(is_near(page->expected, 20));
    assert_true(is_near(page->change, 30));
    assert_true(is_near(page->sigma, sqrt(21.36)));
    assert_true(is_near(page->score, 30 / sqrt(21.36)));
    assert_false(page->is_new);
    assert_false(page->is_lower_bound);
    assert_int_equal(shown(&trend, TREND_UP), 1);
    assert_int_equal(shown(&trend, TREND_DOWN), 0);
    for (int minute = 0; minute < 28; minute++)
        site.visitors[minute][0] = minute % 2 ? 40 : 0;
    trend = weigh(&site);
    assert_true(is_near(page_of(&trend, 0)->sigma, 1.4826 * 20));
}

/* A third of the large pages goes up, a third goes down, and the site as a whole stands still. */
static void test_the_wobble_of_a_site(void **state)
{
    (void)state;
    static const struct {
        int32_t step;  /* up or down, of 100 visitors */
        int large;     /* pages of 100 visitors; the others have 10 */
        double wobble; /* 1.4826 * step / 100, within its bounds */
    } cases[] = {{0, 36, .03}, {10, 36, .14826}, {10, 10, .14826}, {10, 9, .10}, {40, 36, .35}};
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct site site = constant();
        for (int minute = 0; minute < MINUTES; minute++) {
            for (int page = 0; page < PAGES; page++) {
                int32_t step = minute < 28 || page % 3 == 2 ? 0 : page % 3 ? -cases[i].step : cases[i].step;
                site.visitors[minute][page] = page < cases[i].large ? 100 + step : 10;
            }
        }
        struct trend trend = weigh(&site);
        double wobble = cases[i].wobble * 100;
        assert_true(is_near(trend.site_factor, 1));
        assert_true(is_near(trend.site_wobble, cases[i].wobble));
        assert_true(is_near(page_of(&trend, 0)->sigma, sqrt(101 + wobble * wobble)));
    }
}

static void test_the_smallest_ratio(void **state)
{
    (void)state;
    static const struct {
        double visitors, expected, min_ratio;
        bool is_shown;
    } cases[] = {{150, 100, 1, true},   {150, 100, 1.5, true},  {149, 100, 1.5, false},
                 {100, 150, 1.5, true}, {101, 150, 1.5, false}, {50, 0, 10, true}};
    for (size_t i = 0; i < COUNT(cases); i++) {
        double sign = cases[i].visitors > cases[i].expected ? 1 : -1;
        const struct trend_page page = {
            .visitors = cases[i].visitors, .expected = cases[i].expected, .score = 9 * sign};
        const struct trend_bounds bounds = {TREND_BOTH, TREND_MIN_SCORE, TREND_MIN_VISITORS,
                                            cases[i].min_ratio};
        assert_int_equal(trend_is_shown(&page, &bounds), cases[i].is_shown);
    }
}

static void test_a_site_that_grows_flags_nothing(void **state)
{
    (void)state;
    struct site site = constant();
    for (int page = 0; page < PAGES; page++) {
        site.visitors[28][page] *= 3;
        site.visitors[29][page] *= 3;
    }
    struct trend trend = weigh(&site);
    assert_true(is_near(trend.site_factor, 3));
    assert_int_equal(shown(&trend, TREND_BOTH), 0);
    assert_true(page_of(&trend, 7)->change > 0);
}

static void test_an_outage_creates_no_trend(void **state)
{
    (void)state;
    struct site site = constant();
    for (int minute = 8; minute < 20; minute++)
        site.is_missing[minute] = true;
    struct trend trend = weigh(&site);
    assert_true(trend.has_enough_data);
    assert_int_equal(trend.baseline_minutes, 16);
    assert_int_equal(shown(&trend, TREND_BOTH), 0);
}

static void test_too_little_is_known(void **state)
{
    (void)state;
    struct site site = constant();
    for (int minute = 0; minute < 15; minute++)
        site.is_missing[minute] = true;
    assert_false(weigh(&site).has_enough_data);
    site.is_missing[14] = false;
    assert_true(weigh(&site).has_enough_data);
    site.is_missing[28] = site.is_missing[29] = true;
    assert_false(weigh(&site).has_enough_data);
}

/* 40 pages of which 30 are listed: 30 to 39 come in, or go. */
static void test_newcomers_and_leavers(void **state)
{
    (void)state;
    struct site site = constant();
    site.row_limit = LISTED;
    for (int minute = 0; minute < MINUTES; minute++) {
        for (int page = LISTED; page < PAGES; page++)
            site.visitors[minute][page] = -1;
        site.visitors[minute][0] = 20;
    }
    for (int minute = 28; minute < MINUTES; minute++) {
        site.visitors[minute][0] = -1;   /* dropped out: at most 22 now */
        site.visitors[minute][1] = -1;   /* 25 before */
        site.visitors[minute][38] = 22;  /* crosses the cut-off of 20 */
        site.visitors[minute][39] = 150; /* jumps */
    }
    struct trend trend = weigh(&site);
    const struct trend_page *crosses = page_of(&trend, 38);
    const struct trend_page *jumps = page_of(&trend, 39);
    const struct trend_page *leaves = page_of(&trend, 1);
    assert_true(crosses->is_new && crosses->is_lower_bound && fabs(crosses->score) < 1);
    assert_true(jumps->is_new && jumps->is_lower_bound);
    assert_true(is_near(jumps->baseline, 20) && jumps->score > 20);
    assert_true(jumps->rank > 0 && jumps->old_rank == 0);
    assert_true(leaves->is_lower_bound && leaves->rank == 0 && is_near(leaves->visitors, 22));
    site.row_limit = PAGES; /* short lists: who is not listed has nobody */
    trend = weigh(&site);
    jumps = page_of(&trend, 39);
    assert_true(jumps->is_new && !jumps->is_lower_bound && is_near(jumps->baseline, 0));
    leaves = page_of(&trend, 1);
    assert_true(!leaves->is_lower_bound && is_near(leaves->visitors, 0) && leaves->score < -3);
}

static void test_the_order_of_rows_is_irrelevant(void **state)
{
    (void)state;
    struct site site = constant();
    for (int minute = 0; minute < MINUTES; minute++) {
        for (int page = 0; page < PAGES; page++)
            site.visitors[minute][page] += (minute * 7 + page * 13) % 11;
    }
    struct trend one = weigh(&site);
    site.is_reversed = true;
    struct trend other = weigh(&site);
    for (uint32_t page = 0; page < PAGES; page++) {
        assert_true(page_of(&one, page)->score == page_of(&other, page)->score);
        assert_int_equal(page_of(&one, page)->rank, page_of(&other, page)->rank);
    }
}

static void test_order_is_total(void **state)
{
    (void)state;
    static const struct trend_path paths[] = {{"/b", 2}, {"/a", 2}, {"/a/", 3}, {"/c", 2}, {"/d", 2}};
    struct trend_page pages[] = {
        {.page = 0, .score = 4, .change = 5, .visitors = 10},
        {.page = 1, .score = 4, .change = 5, .visitors = 10},
        {.page = 2, .score = 4, .change = 5, .visitors = 10},
        {.page = 3, .score = -5, .change = -5, .visitors = 2},
        {.page = 4, .score = 4, .change = 6, .visitors = 100},
    };
    static const uint32_t by_score[] = {3, 4, 1, 2, 0};
    static const uint32_t by_visitors[] = {4, 1, 2, 0, 3};
    trend_sort(pages, COUNT(pages), TREND_BY_SCORE, paths);
    for (size_t i = 0; i < COUNT(pages); i++)
        assert_int_equal(pages[i].page, by_score[i]);
    trend_sort(pages, COUNT(pages), TREND_BY_VISITORS, paths);
    for (size_t i = 0; i < COUNT(pages); i++)
        assert_int_equal(pages[i].page, by_visitors[i]);
}

static void test_means_in_hundredths(void **state)
{
    (void)state;
    static const struct {
        int64_t visitors, cutoffs;
        int32_t samples, mean;
    } cases[] = {{0, 0, 1, 0},   {7, 0, 1, 700}, {10, 0, 3, 333}, {20, 0, 3, 667},
                 {1, 0, 200, 1}, {1, 0, 201, 0}, {5, 5, 4, 250},  {3000000, 0, 1, 100000000}};
    for (size_t i = 0; i < COUNT(cases); i++)
        assert_int_equal(trend_mean(cases[i].visitors, cases[i].cutoffs, cases[i].samples), cases[i].mean);
}

static void test_recent(void **state)
{
    (void)state;
    static const int64_t cases[][2] = {{300, 60}, {900, 60}, {1800, 120}, {4500, 300}, {86400, 300}};
    for (size_t i = 0; i < COUNT(cases); i++)
        assert_int_equal(trend_recent_ms(cases[i][0] * 1000), cases[i][1] * 1000);
}

static void test_spans(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int64_t span_ms; /* -1: refused */
    } cases[] = {{"30m", 1800000},  {"90s", 90000}, {"24h", 86400000}, {"100d", 8640000000},
                 {"0s", 0},         {"101d", -1},   {"", -1},          {"m", -1},
                 {"30", -1},        {"30 m", -1},   {"-5m", -1},       {"5mm", -1},
                 {"99999999s", -1}, {"1w", -1}};
    for (size_t i = 0; i < COUNT(cases); i++) {
        int64_t span_ms = -1;
        enum status result = duration_parse(cases[i].text, &span_ms);
        assert_case_int(cases[i].text, span_ms, cases[i].span_ms);
        assert_case_int(cases[i].text, result, cases[i].span_ms < 0 ? STATUS_INVALID : STATUS_OK);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_constant_counts_score_nothing),
        cmocka_unit_test(test_one_page_by_hand),
        cmocka_unit_test(test_the_wobble_of_a_site),
        cmocka_unit_test(test_the_smallest_ratio),
        cmocka_unit_test(test_a_site_that_grows_flags_nothing),
        cmocka_unit_test(test_an_outage_creates_no_trend),
        cmocka_unit_test(test_too_little_is_known),
        cmocka_unit_test(test_newcomers_and_leavers),
        cmocka_unit_test(test_the_order_of_rows_is_irrelevant),
        cmocka_unit_test(test_order_is_total),
        cmocka_unit_test(test_means_in_hundredths),
        cmocka_unit_test(test_recent),
        cmocka_unit_test(test_spans),
    };
    return cmocka_run_group_tests_name("trend", tests, set_up, tear_down);
}
