#include "unit.h"

#include "pages/suspect.h"

#include <math.h>
#include <stdlib.h>

enum { PAGES = 100, MINUTE_MS = 60000, STEP_MS = 15000, STEPS_MAX = 200 };

/* From one time on a site of 100 pages, 20 to 119 visitors each, is another. */
struct part {
    int from_min;
    int rows;      /* that are sent */
    double factor; /* of the visitors of all but the largest */
    double largest;
};

static bool found[STEPS_MAX];
static int64_t undone_since_ms;

/* Plays `minutes`, and says how many samples were suspect at the end: those that were undone are not. */
static int play(const struct part *parts, size_t count, int minutes, int scale)
{
    struct suspect *suspect = suspect_new();
    int total = 0;
    assert_non_null(suspect);
    undone_since_ms = 0;
    for (int step = 0; step < minutes * (MINUTE_MS / STEP_MS); step++) {
        struct trend_entry entries[PAGES];
        const struct part *part = &parts[0];
        for (size_t i = 0; i < count; i++) {
            if (step * STEP_MS >= parts[i].from_min * MINUTE_MS)
                part = &parts[i];
        }
        for (int i = 0; i < PAGES; i++) {
            double visitors = (i == 0 ? part->largest * 5000 : part->factor * (119 - i)) / scale;
            entries[i] =
                (struct trend_entry){(uint32_t)i, (int32_t)visitors + (step + i) % 2 * (visitors > 4)};
        }
        const struct trend_sample sample = {(step + 1) * (int64_t)STEP_MS, PAGES, (size_t)part->rows,
                                            entries};
        enum suspect_verdict verdict = SUSPECT_NO;
        int64_t since_ms = 0;
        assert_int_equal(suspect_look(suspect, &sample, &verdict, &since_ms), STATUS_OK);
        found[step] = verdict == SUSPECT_YES;
        total += verdict == SUSPECT_YES;
        if (verdict == SUSPECT_UNDONE) {
            undone_since_ms = since_ms;
            total = 0;
        }
    }
    suspect_free(suspect);
    return total;
}

static void test_what_is_suspect(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        struct part parts[3];
        int minutes, scale, suspect; /* samples, four a minute */
        bool is_undone;
    } cases[] = {
        {"a steady site", {{0, 100, 1, .1}}, 30, 1, 0, false},
        {"three rows for two minutes", {{0, 100, 1, .1}, {15, 3, 1, .1}, {17, 100, 1, .1}}, 30, 1, 8, false},
        {"zeros for twenty minutes", {{0, 100, 1, .1}, {15, 100, 0, 0}, {35, 100, 1, .1}}, 40, 1, 80, false},
        {"an empty list", {{0, 100, 1, .1}, {15, 0, 1, .1}, {16, 100, 1, .1}}, 30, 1, 4, false},
        {"a tenth of all readers for two minutes",
         {{0, 100, 1, .1}, {15, 100, .1, .01}, {17, 100, 1, .1}},
         30,
         1,
         8,
         false},
        {"a tenth of them for good", {{0, 100, 1, .1}, {15, 100, .1, .01}}, 40, 1, 0, true},
        {"half of them", {{0, 100, 1, .1}, {15, 100, .5, .05}}, 30, 1, 0, false},
        {"the page that most read is gone", {{0, 100, .2, 1}, {15, 100, .2, .001}}, 30, 1, 0, false},
        {"a site of few readers loses most", {{0, 100, 0, .005}, {15, 100, 0, .001}}, 30, 2, 0, false},
        {"more readers", {{0, 100, .2, .1}, {15, 100, 1, .5}}, 30, 1, 0, false},
        {"from the start", {{0, 3, 1, .1}, {5, 100, 1, .1}}, 30, 1, 0, false},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        size_t parts = 1;
        while (parts < 3 && cases[i].parts[parts].from_min > 0)
            parts++;
        assert_case_int(cases[i].name, play(cases[i].parts, parts, cases[i].minutes, cases[i].scale),
                        cases[i].suspect);
        assert_case_int(cases[i].name, undone_since_ms, cases[i].is_undone ? 15 * MINUTE_MS + STEP_MS : 0);
    }
}

static void test_readers_who_leave_one_after_the_other_are_believed(void **state)
{
    (void)state;
    struct part parts[40];
    for (int i = 0; i < 40; i++)
        parts[i] = (struct part){i, 100, i < 15 ? 1 : fmax(.05, parts[i - 1].factor * .75), .01};
    assert_int_equal(play(parts, COUNT(parts), 40, 1), 0);
    assert_int_equal(undone_since_ms, 0);
}

static void test_after_half_an_hour_without_samples_there_is_nothing_to_compare_with(void **state)
{
    (void)state;
    struct trend_entry entries[PAGES];
    struct suspect *suspect = suspect_new();
    enum suspect_verdict verdict = SUSPECT_YES;
    int64_t since_ms = 0;
    for (int i = 0; i < PAGES; i++)
        entries[i] = (struct trend_entry){(uint32_t)i, 50};
    struct trend_sample sample = {MINUTE_MS, PAGES, PAGES, entries};
    assert_int_equal(suspect_look(suspect, &sample, &verdict, &since_ms), STATUS_OK);
    assert_int_equal(suspect_look(suspect, &sample, &verdict, &since_ms), STATUS_INVALID);
    sample = (struct trend_sample){20 * MINUTE_MS, PAGES, 2, entries};
    assert_int_equal(suspect_look(suspect, &sample, &verdict, &since_ms), STATUS_OK);
    assert_int_equal(verdict, SUSPECT_YES);
    assert_int_equal(since_ms, 20 * MINUTE_MS);
    sample.at_ms = 51 * MINUTE_MS;
    assert_int_equal(suspect_look(suspect, &sample, &verdict, &since_ms), STATUS_OK);
    assert_int_equal(verdict, SUSPECT_NO);
    suspect_free(suspect);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_is_suspect),
        cmocka_unit_test(test_readers_who_leave_one_after_the_other_are_believed),
        cmocka_unit_test(test_after_half_an_hour_without_samples_there_is_nothing_to_compare_with),
    };
    return cmocka_run_group_tests_name("suspect", tests, NULL, NULL);
}
