#include "unit.h"

#include "pages/event_rules.h"

#include <math.h>
#include <stdlib.h>

enum { PAGES = 40, EVENTS_MAX = 64, MINUTE_MS = 60000, STEP_MS = 15000 };

static struct event begun[EVENTS_MAX], ended[EVENTS_MAX];
static struct event peak; /* the newest */
static int begun_count, ended_count, peak_count;
static struct event_rules *rules;
static struct trend_entry entries[PAGES];
static uint32_t sources[PAGES][PAGE_SOURCES];
static int64_t now_ms;

static void note(const struct event *event, enum event_step step, void *context)
{
    (void)context;
    if (step == EVENT_BEGAN) {
        begun[begun_count++] = *event;
    } else if (step == EVENT_ENDED) {
        ended[ended_count++] = *event;
    } else {
        assert_true(event->ended_ms == 0 && event->peak_ms > event->began_ms);
        peak = *event;
        peak_count++;
    }
    assert_true(begun_count < EVENTS_MAX && ended_count < EVENTS_MAX);
}

/* A steady site: 40 pages of 40 to 235 visitors, all of them direct. */
static int set_up(void **state)
{
    (void)state;
    const struct event_bounds bounds = {.min_score = EVENT_MIN_SCORE};
    rules = event_rules_new(&bounds, note, NULL);
    begun_count = ended_count = peak_count = 0;
    now_ms = 0;
    memset(sources, 0, sizeof sources);
    for (uint32_t i = 0; i < PAGES; i++) {
        entries[i] = (struct trend_entry){i, 235 - 5 * (int32_t)i};
        sources[i][SOURCE_DIRECT] = (uint32_t)entries[i].visitors;
    }
    return rules ? 0 : -1;
}

static int tear_down(void **state)
{
    (void)state;
    event_rules_free(rules);
    return 0;
}

static void play_as(int minutes, size_t count, bool is_suspect, double usual_low, double usual_high)
{
    for (int step = 0; step < minutes * (MINUTE_MS / STEP_MS); step++) {
        now_ms += STEP_MS;
        const struct trend_sample list = {now_ms, 100, count, entries};
        const struct event_sample sample = {
            .list = &list,
            .sources = sources,
            .is_suspect = is_suspect,
            .usual_low = usual_low,
            .usual_high = usual_high,
        };
        assert_int_equal(event_rules_look(rules, &sample), STATUS_OK);
    }
}

static void play(int minutes)
{
    play_as(minutes, PAGES, false, NAN, NAN);
}

/* Page 20 has 135 visitors; more come, by this source. */
static void add(uint32_t page, int more, enum page_source source)
{
    entries[page].visitors += more;
    sources[page][source] += (uint32_t)more;
}

static void test_a_steady_site_has_no_events(void **state)
{
    (void)state;
    play(120);
    assert_int_equal(begun_count, 0);
}

static void test_a_rise_with_its_cause_and_its_end(void **state)
{
    (void)state;
    play(40);
    add(20, 250, SOURCE_SOCIAL);
    play(20);
    assert_int_equal(begun_count, 1);
    assert_int_equal(begun[0].kind, EVENT_RISE);
    assert_int_equal(begun[0].page, 20);
    assert_in_range(begun[0].began_ms, 40 * MINUTE_MS, 41 * MINUTE_MS);
    assert_int_equal(begun[0].causes, 1U << SOURCE_SOCIAL);
    assert_true(fabs(begun[0].expected - 135) < 1);
    add(20, -250, SOURCE_SOCIAL);
    play(120);
    assert_int_equal(begun_count, 1); /* it goes back, and does not fall */
    assert_int_equal(ended_count, 1);
    assert_true(fabs(ended[0].peak_visitors - 385) < 1);
    assert_true(peak_count > 1 && peak.began_ms == begun[0].began_ms && peak.peak_ms == ended[0].peak_ms);
    assert_in_range(ended[0].ended_ms, 60 * MINUTE_MS, 62 * MINUTE_MS);
}

static void test_a_rise_that_stays_ends_and_is_not_told_again(void **state)
{
    (void)state;
    play(40);
    add(20, 250, SOURCE_SEARCH);
    play(180);
    assert_int_equal(begun_count, 1);
    assert_int_equal(ended_count, 1);
}

static void test_a_fall_and_its_way_back(void **state)
{
    (void)state;
    play(40);
    add(5, -200, SOURCE_DIRECT);
    play(15);
    assert_int_equal(begun_count, 1);
    assert_int_equal(begun[0].kind, EVENT_FALL);
    assert_int_equal(begun[0].causes, 1U << SOURCE_DIRECT);
    add(5, 200, SOURCE_DIRECT);
    play(90);
    assert_int_equal(begun_count, 1);
    assert_int_equal(ended_count, 1);
}

static void test_a_page_of_the_lower_half_does_not_fall(void **state)
{
    (void)state;
    play(40);
    add(25, -108, SOURCE_DIRECT);
    play(30);
    assert_int_equal(begun_count, 0);
}

static void test_a_new_page_takes_off(void **state)
{
    (void)state;
    play_as(40, PAGES - 1, false, NAN, NAN);
    add(39, 200, SOURCE_LINKS);
    sources[39][SOURCE_DIRECT] = 0;
    play(5);
    assert_int_equal(begun_count, 1);
    assert_int_equal(begun[0].kind, EVENT_TAKEOFF);
    assert_int_equal(begun[0].causes, 1U << SOURCE_LINKS);
}

static void test_nothing_rises_after_a_start_a_gap_or_with_the_whole_site(void **state)
{
    (void)state;
    play(2);
    add(20, 250, SOURCE_SOCIAL);
    play(65);
    assert_int_equal(begun_count, 0);
    now_ms += 40 * MINUTE_MS;
    event_rules_wait(rules, now_ms);
    add(10, 250, SOURCE_SOCIAL);
    play(5);
    assert_int_equal(begun_count, 1);
    assert_int_equal(begun[0].kind, EVENT_OUTAGE);
    play(60);
    for (uint32_t i = 0; i < PAGES; i++)
        entries[i].visitors *= 3;
    play(60);
    assert_int_equal(begun_count, 1);
}

static void test_an_outage_of_the_measurement_is_one_and_leaves_no_trace(void **state)
{
    (void)state;
    play(40);
    play_as(20, 0, true, NAN, NAN);
    play(60);
    assert_int_equal(begun_count, 1);
    assert_int_equal(begun[0].kind, EVENT_OUTAGE);
    assert_int_equal(begun[0].began_ms, 40 * MINUTE_MS + STEP_MS);
    assert_int_equal(ended_count, 1);
    assert_int_equal(ended[0].ended_ms, 60 * MINUTE_MS + STEP_MS);
}

static void test_an_outage_of_chartbeat_begins_while_it_lasts(void **state)
{
    (void)state;
    play(10);
    event_rules_wait(rules, now_ms + 299999);
    assert_int_equal(begun_count, 0);
    event_rules_wait(rules, now_ms + 400000);
    event_rules_wait(rules, now_ms + 500000);
    assert_int_equal(begun_count, 1);
    assert_int_equal(begun[0].began_ms, 10 * MINUTE_MS + 300000);
    now_ms += 20 * MINUTE_MS;
    play(1);
    assert_int_equal(begun_count, 1);
    assert_int_equal(ended_count, 1);
}

static void test_the_site_outside_of_its_band(void **state)
{
    (void)state;
    double total = PAGES * (235 + 40) / 2.0;
    play_as(20, PAGES, false, total * .9, total * 1.1);
    assert_int_equal(begun_count, 0);
    play_as(4, PAGES, false, total * .2, total * .5);
    assert_int_equal(begun_count, 0);
    play_as(10, PAGES, false, total * .2, total * .5);
    assert_int_equal(begun_count, 1);
    assert_int_equal(begun[0].kind, EVENT_SITE_HIGH);
    play_as(10, PAGES, false, total * 2, total * 3);
    assert_int_equal(begun_count, 2);
    assert_int_equal(begun[1].kind, EVENT_SITE_LOW);
    assert_int_equal(ended_count, 1);
    play_as(1, PAGES, false, total, total);
    assert_int_equal(ended_count, 2);
}

static void test_records_are_told_once_a_day(void **state)
{
    (void)state;
    assert_int_equal(event_rules_record(rules, EVENT_SITE, 6000), STATUS_OK);
    assert_int_equal(event_rules_record(rules, 3, 230), STATUS_OK);
    play(20);
    assert_int_equal(begun_count, 0);
    for (uint32_t i = 0; i < PAGES; i++)
        entries[i].visitors += 30;
    play(60);
    assert_int_equal(begun_count, 2);
    assert_int_equal(begun[0].kind, EVENT_RECORD);
    assert_int_equal(begun[1].kind, EVENT_RECORD);
    assert_int_equal(ended_count, 2);
}

static void test_what_a_headline_did(void **state)
{
    (void)state;
    static const struct {
        int more;
        double least, most; /* score */
    } cases[] = {{0, -.5, .5}, {40, 2, 20}, {-40, -20, -2}};
    for (size_t i = 0; i < COUNT(cases); i++) {
        int before = begun_count;
        assert_int_equal(
            event_rules_look(
                rules, &(struct event_sample){.list = &(struct trend_sample){++now_ms, 100, PAGES, entries},
                                              .usual_low = NAN,
                                              .usual_high = NAN}),
            STATUS_OK);
        play(40);
        assert_int_equal(event_rules_headline(rules, 20, now_ms), STATUS_OK);
        add(20, cases[i].more, SOURCE_DIRECT);
        play(15);
        assert_int_equal(begun_count, before);
        play(3);
        assert_int_equal(begun_count, before + 1);
        assert_int_equal(begun[before].kind, EVENT_HEADLINE);
        assert_true(begun[before].score >= cases[i].least && begun[before].score <= cases[i].most);
        assert_true(fabs(begun[before].visitors - begun[before].peak_visitors - cases[i].more) < 6);
    }
}

static void test_an_open_event_of_an_earlier_run_goes_on(void **state)
{
    (void)state;
    play(40);
    add(20, 250, SOURCE_SOCIAL);
    play(2);
    assert_int_equal(begun_count, 1);
    const struct event open = begun[0];
    event_rules_free(rules);
    const struct event_bounds bounds = {.min_score = EVENT_MIN_SCORE};
    rules = event_rules_new(&bounds, note, NULL);
    now_ms = 0;
    add(20, -250, SOURCE_SOCIAL);
    play(40); /* what a new process reads of the past */
    assert_int_equal(event_rules_restore(rules, &open), STATUS_OK);
    add(20, 250, SOURCE_SOCIAL);
    play(20);
    assert_int_equal(begun_count, 1);
    add(20, -250, SOURCE_SOCIAL);
    play(20);
    assert_int_equal(begun_count, 1);
    assert_int_equal(ended_count, 1);
    assert_int_equal(ended[0].began_ms, open.began_ms);
}

static void test_the_smallest_set_that_makes_up_two_thirds(void **state)
{
    (void)state;
    static const struct {
        double change[PAGE_SOURCES];
        bool falls;
        uint32_t causes;
    } cases[] = {
        {{0, 260, 20, 10, 0}, false, 1U << SOURCE_SOCIAL},
        {{50, 50, 0, 0, 0}, false, 1U << SOURCE_SEARCH | 1U << SOURCE_SOCIAL},
        {{10, 10, 10, 10, 10},
         false,
         1U << SOURCE_SEARCH | 1U << SOURCE_SOCIAL | 1U << SOURCE_LINKS | 1U << SOURCE_DIRECT},
        {{-90, 60, 0, 0, 0}, false, 1U << SOURCE_SOCIAL},
        {{-90, 60, 0, 0, 0}, true, 1U << SOURCE_SEARCH},
        {{0, 0, 0, 0, 0}, false, 0},
        {{-1, -1, 0, 0, 0}, false, 0},
    };
    for (size_t i = 0; i < COUNT(cases); i++)
        assert_int_equal(event_causes(cases[i].change, cases[i].falls), cases[i].causes);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_a_steady_site_has_no_events, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_rise_with_its_cause_and_its_end, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_rise_that_stays_ends_and_is_not_told_again, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_fall_and_its_way_back, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_page_of_the_lower_half_does_not_fall, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_new_page_takes_off, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_nothing_rises_after_a_start_a_gap_or_with_the_whole_site, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(test_an_outage_of_the_measurement_is_one_and_leaves_no_trace, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(test_an_outage_of_chartbeat_begins_while_it_lasts, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_the_site_outside_of_its_band, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_records_are_told_once_a_day, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_what_a_headline_did, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_an_open_event_of_an_earlier_run_goes_on, set_up, tear_down),
        cmocka_unit_test(test_the_smallest_set_that_makes_up_two_thirds),
    };
    return cmocka_run_group_tests_name("event_rules", tests, NULL, NULL);
}
