#include "unit.h"

#include "api/trend_cache.h"

#include <stdlib.h>

enum { PAGES = 30, MINUTES = 30, RISES = 4, AS_OF_S = MINUTES * 60, ARENA_BYTES = 16 << 20 };

static const int64_t WINDOW_MS = INT64_C(1000) * AS_OF_S;

static struct arena arena;

static int set_up(void **state)
{
    (void)state;
    arena_init(&arena, ARENA_BYTES);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    arena_release(&arena);
    return 0;
}

static char titles[PAGES][8000];

/* Steady pages, of which RISES, from the last page on, have a hundred more in the newest minutes. */
static struct trend_result weigh(int title_bytes)
{
    static struct trend_entry entries[MINUTES][PAGES];
    static struct trend_minute minutes[MINUTES];
    static struct trend_sample sample;
    static struct window_page pages[PAGES];
    static struct trend_path paths[PAGES];
    static char names[PAGES][16];
    struct trend_result trend_result = {0};
    for (int page = 0; page < PAGES; page++) {
        snprintf(names[page], sizeof names[page], "/%02d", page);
        memset(titles[page], 'a' + page % 26, sizeof titles[page]);
        paths[page] = (struct trend_path){names[page], 3};
        pages[page] = (struct window_page){
            .page = {names[page], titles[page], "s", 3, (uint32_t)title_bytes, 1, 0, {0}}};
        for (int minute = 0; minute < MINUTES; minute++)
            entries[minute][page] = (struct trend_entry){(uint32_t)page, 2000};
    }
    for (int minute = 0; minute < MINUTES; minute++)
        minutes[minute] = (struct trend_minute){minute, 1, 0, PAGES, entries[minute]};
    static struct trend_entry newest[PAGES];
    for (int page = 0; page < PAGES; page++)
        newest[page] = (struct trend_entry){(uint32_t)page, page >= PAGES - RISES ? 120 + page : 20};
    sample = (struct trend_sample){WINDOW_MS, 100, PAGES, newest};
    const struct trend_window window = {{.as_of_ms = WINDOW_MS,
                                         .window_ms = WINDOW_MS,
                                         .page_count = PAGES,
                                         .row_limit = 100,
                                         .minutes = minutes,
                                         .minute_count = MINUTES,
                                         .samples = &sample,
                                         .sample_count = 1},
                                        pages,
                                        paths};
    arena_clear(&arena);
    assert_int_equal(trend_result_from(&window, &arena, &trend_result), STATUS_OK);
    return trend_result;
}

static void test_a_result_has_the_pages_that_are_listed_with_their_lines(void **state)
{
    (void)state;
    struct trend_result trend_result = weigh(5);
    assert_true(trend_result.trend.has_enough_data);
    assert_int_equal(trend_result.trend.page_count, PAGES);
    assert_int_equal(trend_result.minutes_known, MINUTES);
    assert_int_equal(trend_result.sparklines.count, MINUTES);
    for (uint32_t i = PAGES - RISES; i < PAGES; i++) {
        const struct trend_page *page = &trend_result.trend.pages[i];
        assert_int_equal(page->page, i);
        assert_true(page->score > 3 && page->visitors > 100);
        assert_int_equal(page->rank, PAGES - (int)i);
        assert_int_equal(trend_result.sparklines.values[i * MINUTES], 2000);
        assert_memory_equal(trend_result.paths[i].bytes, trend_result.pages[i].page.path, 3);
        assert_int_equal(trend_result.paths[i].bytes[1], '2');
        assert_int_equal(trend_result.paths[i].bytes[2], '6' + (int)i - (PAGES - RISES));
    }
}

static void test_a_result_is_found_by_host_window_and_snapshot(void **state)
{
    (void)state;
    struct trend_cache *cache = trend_cache_new();
    struct trend_result trend_result = weigh(5);
    assert_non_null(cache);
    assert_null(trend_cache_find(cache, "a.example", WINDOW_MS, 7));
    trend_cache_put(cache, "a.example", 7, &trend_result);
    const struct trend_result *found = trend_cache_find(cache, "a.example", WINDOW_MS, 7);
    assert_non_null(found);
    assert_null(trend_cache_find(cache, "a.example", WINDOW_MS, 8));
    assert_null(trend_cache_find(cache, "a.example", WINDOW_MS / 2, 7));
    assert_null(trend_cache_find(cache, "b.example", WINDOW_MS, 7));
    trend_cache_put(cache, "a.example", 8, &trend_result);
    assert_null(trend_cache_find(cache, "a.example", WINDOW_MS, 7));
    assert_non_null(trend_cache_find(cache, "a.example", WINDOW_MS, 8));
    trend_cache_free(cache);
}

static void test_the_cache_has_a_copy(void **state)
{
    (void)state;
    struct trend_cache *cache = trend_cache_new();
    struct trend_result trend_result = weigh(5);
    double score = trend_result.trend.pages[28].score;
    trend_cache_put(cache, "a.example", 7, &trend_result);
    trend_result.trend.pages[28].score = 0;
    memset(titles, 'X', sizeof titles);
    arena_release(&arena);
    const struct trend_result *found = trend_cache_find(cache, "a.example", WINDOW_MS, 7);
    assert_non_null(found);
    assert_int_equal(found->trend.page_count, PAGES);
    assert_int_equal(found->sparklines.values[28 * MINUTES + 3], 2000);
    assert_true(found->trend.pages[28].score == score && found->as_of_ms == WINDOW_MS);
    assert_memory_equal(found->pages[28].page.title, "ccccc", 5);
    assert_memory_equal(found->paths[28].bytes, "/28", 3);
    trend_cache_free(cache);
}

static void test_the_number_of_results_is_bounded(void **state)
{
    (void)state;
    struct trend_cache *cache = trend_cache_new();
    struct trend_result trend_result = weigh(5);
    char host[32];
    int found = 0;
    for (int n = 0; n < 200; n++) {
        snprintf(host, sizeof host, "h%d.example", n);
        trend_cache_put(cache, host, 7, &trend_result);
        assert_non_null(trend_cache_find(cache, host, WINDOW_MS, 7));
    }
    for (int n = 0; n < 200; n++) {
        snprintf(host, sizeof host, "h%d.example", n);
        found += trend_cache_find(cache, host, WINDOW_MS, 7) != NULL;
    }
    assert_int_equal(found, 16);
    trend_cache_free(cache);
}

static void test_a_result_that_is_too_large_replaces_the_old_one_by_none(void **state)
{
    (void)state;
    struct trend_cache *cache = trend_cache_new();
    struct trend_result trend_result = weigh(5);
    trend_cache_put(cache, "a.example", 7, &trend_result);
    for (size_t i = 0; i < PAGES; i++)
        trend_result.pages[i].page.title_bytes = sizeof titles; /* all of them, one after the other */
    for (size_t i = 0; i < PAGES; i++)
        trend_result.pages[i].page.title = titles[0];
    trend_cache_put(cache, "a.example", 8, &trend_result);
    assert_null(trend_cache_find(cache, "a.example", WINDOW_MS, 7));
    assert_null(trend_cache_find(cache, "a.example", WINDOW_MS, 8));
    trend_cache_free(cache);
    assert_null(trend_cache_find(NULL, "a.example", WINDOW_MS, 8));
    trend_cache_put(NULL, "a.example", 8, &trend_result);
    trend_cache_free(NULL);
}

static void
test_what_is_usual_is_found_for_a_quarter_of_an_hour_and_that_nothing_is_known_for_a_minute(void **state)
{
    (void)state;
    struct trend_cache *cache = trend_cache_new();
    const struct site_usual known = {true, 100, 90, 110};
    const struct site_usual unknown = {0};
    assert_null(trend_cache_find_usual(cache, "a.example", 0));
    trend_cache_put_usual(cache, "a.example", 60000, &known);
    assert_true(trend_cache_find_usual(cache, "a.example", 899999)->usual == 100);
    assert_null(trend_cache_find_usual(cache, "a.example", 900000));
    assert_null(trend_cache_find_usual(cache, "b.example", 60000));
    trend_cache_put_usual(cache, "a.example", 60000, &unknown);
    assert_false(trend_cache_find_usual(cache, "a.example", 119999)->is_known);
    assert_null(trend_cache_find_usual(cache, "a.example", 120000));
    trend_cache_free(cache);
    assert_null(trend_cache_find_usual(NULL, "a.example", 0));
    trend_cache_put_usual(NULL, "a.example", 0, &known);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_result_has_the_pages_that_are_listed_with_their_lines),
        cmocka_unit_test(test_a_result_is_found_by_host_window_and_snapshot),
        cmocka_unit_test(test_the_cache_has_a_copy),
        cmocka_unit_test(test_the_number_of_results_is_bounded),
        cmocka_unit_test(test_a_result_that_is_too_large_replaces_the_old_one_by_none),
        cmocka_unit_test(
            test_what_is_usual_is_found_for_a_quarter_of_an_hour_and_that_nothing_is_known_for_a_minute),
    };
    return cmocka_run_group_tests_name("trend_result", tests, set_up, tear_down);
}
