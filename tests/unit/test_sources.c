#include "unit.h"

#include "pages/sources.h"

#include <math.h>

enum { COUNT_MAX = 8 };

/* Each change is what came now less what was expected of that source. */
struct sources_case {
    const char *name;
    struct trend_page page;
    double now[PAGE_SOURCES];
    int32_t now_count;
    struct source_sample before[COUNT_MAX]; /* the first without visitors ends them */
    bool is_known;
    double change[PAGE_SOURCES];
};

static const struct sources_case CASES[] = {
    {"twice as many, all by social",
     {.visitors = 200, .expected = 100, .change = 100, .rank = 1},
     {20, 140, 20, 10, 10},
     40,
     {{NULL, 100, {20, 40, 20, 10, 10}}, {NULL, 100, {20, 40, 20, 10, 10}}},
     true,
     {0, 100, 0, 0, 0}},
    {"the whole site grows by a half, and the page with it, but by search",
     {.visitors = 200, .expected = 150, .change = 100, .rank = 1},
     {80, 60, 30, 15, 15},
     1,
     {{NULL, 100, {20, 40, 20, 10, 10}}},
     true,
     {50, 0, 0, 0, 0}},
    {"a rise that has begun does not become what is usual",
     {.visitors = 300, .expected = 100, .change = 200, .rank = 1},
     {20, 240, 20, 10, 10},
     3,
     {{NULL, 100, {20, 40, 20, 10, 10}},
      {NULL, 102, {20, 42, 20, 10, 10}},
      {NULL, 98, {20, 38, 20, 10, 10}},
      {NULL, 290, {20, 230, 20, 10, 10}},
      {NULL, 310, {20, 250, 20, 10, 10}}},
     true,
     {0, 200, 0, 0, 0}},
    {"a new page has all that it has by the sources of now",
     {.visitors = 100, .expected = 10, .change = 90, .rank = 1},
     {50, 30, 20, 0, 0},
     2,
     {{0}},
     true,
     {45, 27, 18, 0, 0}},
    {"a page that left the list has at most the cut-off, by its sources before",
     {.visitors = 10, .expected = 100, .change = -90, .rank = 0},
     {0},
     0,
     {{NULL, 100, {50, 30, 20, 0, 0}}},
     true,
     {-45, -27, -18, 0, 0}},
    {"nothing is said of sources now",
     {.visitors = 100, .expected = 50, .change = 50, .rank = 1},
     {0},
     0,
     {{NULL, 50, {50, 0, 0, 0, 0}}},
     false,
     {0}},
    {"nothing was said of sources before of a page that left the list",
     {.visitors = 10, .expected = 100, .change = -90, .rank = 0},
     {0},
     0,
     {{0}},
     false,
     {0}},
    {"some visitors have no source",
     {.visitors = 100, .expected = 50, .change = 50, .rank = 1},
     {30, 0, 0, 0, 0},
     1,
     {{NULL, 50, {10, 0, 0, 0, 0}}},
     true,
     {20, 0, 0, 0, 0}},
    {"nobody was there before, and nobody now",
     {.visitors = 0, .expected = 0, .change = 0, .rank = 1},
     {0},
     1,
     {{0}},
     true,
     {0}},
};

static void test_changes(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(CASES); i++) {
        const struct sources_case *one = &CASES[i];
        struct source_sample before[COUNT_MAX];
        const struct source_sample *list = NULL;
        struct page_sources sources = {.now_count = one->now_count};
        memcpy(sources.now, one->now, sizeof sources.now);
        for (size_t n = 0; n < COUNT_MAX && one->before[n].visitors > 0; n++) {
            before[n] = one->before[n];
            before[n].next = list;
            list = &before[n];
        }
        sources_compare(&sources, list, &one->page);
        assert_case_int(one->name, sources.is_known, one->is_known);
        for (size_t n = 0; one->is_known && n < PAGE_SOURCES; n++) {
            if (fabs(sources.change[n] - one->change[n]) > 1e-6)
                fail_msg("%s: source %zu changed by %g, not %g", one->name, n, sources.change[n],
                         one->change[n]);
        }
    }
}

/* More samples than anybody has: the first of the list count. */
static void test_a_long_list(void **state)
{
    (void)state;
    static struct source_sample samples[1000];
    struct page_sources sources = {.now = {0, 90, 0, 0, 0}, .now_count = 1};
    for (size_t i = 0; i < 1000; i++)
        samples[i] = (struct source_sample){i + 1 < 1000 ? &samples[i + 1] : NULL, 10, {10, 0, 0, 0, 0}};
    sources_compare(&sources, samples,
                    &(struct trend_page){.visitors = 90, .expected = 10, .change = 80, .rank = 1});
    assert_true(fabs(sources.change[SOURCE_SEARCH] + 10) < 1e-6);
    assert_true(fabs(sources.change[SOURCE_SOCIAL] - 90) < 1e-6);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_changes),
        cmocka_unit_test(test_a_long_list),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
