#include "unit.h"

#include "pages/sparkline.h"

#define MINUTE INT64_C(60000)

struct fixture {
    struct arena arena;
};

static int setup(void **state)
{
    static struct fixture fixture;
    arena_init(&fixture.arena, 1 << 20);
    *state = &fixture;
    return 0;
}

static int teardown(void **state)
{
    arena_release(&((struct fixture *)*state)->arena);
    return 0;
}

/* Minutes 1 to 6 of a window that ends in minute 6; page 1 is listed from minute 4 on, nothing is known of
 * minute 3. */
static struct sparklines make(struct fixture *f, int64_t window_ms, int32_t cutoff)
{
    static struct trend_entry entries[6][2];
    static struct trend_minute minutes[6];
    size_t count = 0;
    for (int64_t m = 1; m <= 6; m++) {
        if (m == 3)
            continue;
        entries[m - 1][0] = (struct trend_entry){0, 100 * (int32_t)m};
        entries[m - 1][1] = (struct trend_entry){1, 1000};
        minutes[count++] = (struct trend_minute){m, 1, cutoff, m >= 4 ? 2 : 1, entries[m - 1]};
    }
    struct trend_input input = {.as_of_ms = 6 * MINUTE + 30000,
                                .window_ms = window_ms,
                                .page_count = 2,
                                .minutes = minutes,
                                .minute_count = count};
    struct sparklines lines;
    assert_int_equal(sparklines_make(&input, &f->arena, &lines), STATUS_OK);
    return lines;
}

static void assert_values(const struct sparklines *lines, size_t page, const int32_t *expected, size_t count)
{
    assert_int_equal(lines->count, count);
    assert_memory_equal(lines->values + page * count, expected, count * sizeof *expected);
}

static void test_a_minute_each_oldest_first(void **state)
{
    struct sparklines lines = make(*state, 6 * MINUTE, 50);
    assert_int_equal(lines.step_minutes, 1);
    assert_int_equal(lines.first_minute, 1);
    assert_values(&lines, 0, (int32_t[]){100, 200, -1, 400, 500, 600}, 6);
    assert_values(&lines, 1, (int32_t[]){-1, -1, -1, 1000, 1000, 1000}, 6);
}

static void test_a_short_list_without_the_page_is_a_zero(void **state)
{
    struct sparklines lines = make(*state, 6 * MINUTE, 0);
    assert_values(&lines, 1, (int32_t[]){0, 0, -1, 1000, 1000, 1000}, 6);
}

static void test_what_is_outside_of_the_window_is_passed_over(void **state)
{
    struct sparklines lines = make(*state, 2 * MINUTE, 0);
    assert_values(&lines, 0, (int32_t[]){500, 600}, 2);
}

static void test_at_most_sixty_numbers(void **state)
{
    static const struct {
        int64_t minutes;
        size_t count;
        int32_t step;
    } rows[] = {{5, 5, 1}, {30, 30, 1}, {60, 60, 1}, {61, 31, 2}, {90, 45, 2}, {120, 60, 2}, {1440, 60, 24}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct sparklines lines = make(*state, rows[i].minutes * MINUTE, 0);
        assert_int_equal(lines.count, rows[i].count);
        assert_int_equal(lines.step_minutes, rows[i].step);
        int32_t last = lines.values[lines.count - 1];
        assert_int_equal(last, rows[i].step == 1 ? 600 : rows[i].step == 2 ? 550 : 360);
    }
}

static void test_chosen_and_copied_lines_are_those_of_the_pages(void **state)
{
    struct fixture *f = *state;
    struct sparklines lines = make(f, 2 * MINUTE, 0);
    assert_int_equal(sparklines_choose(&lines, (uint32_t[]){1}, 1, &f->arena), STATUS_OK);
    assert_values(&lines, 0, (int32_t[]){1000, 1000}, 2);
}

static void test_since_when(void **state)
{
    static const struct {
        int32_t values[6];
        int sign;
        int64_t since; /* a minute from 100 on; -1: it is not under way */
    } rows[] = {
        {{1000, 1000, 1000, 1000, 1000, 1000}, 1, -1},
        {{1000, 1000, 1000, 1500, 1500, 1500}, 1, 103},
        {{1500, 1500, 1000, 1500, 1500, 1500}, 1, 103},
        {{1500, 1500, -1, 1500, 1500, 1500}, 1, 100},
        {{-1, -1, -1, 1500, -1, 1500}, 1, 103},
        {{1500, 1500, 1500, 1500, 1500, 1100}, 1, -1},
        {{1000, 1000, 1000, 500, 500, 500}, -1, 103},
        {{1000, 1000, 1000, 500, 500, 500}, 1, -1},
        {{-1, -1, -1, -1, -1, -1}, 1, -1},
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        int32_t values[6];
        memcpy(values, rows[i].values, sizeof values);
        const struct sparklines lines = {6, 1, 100, values};
        assert_int_equal(sparkline_since(&lines, 0, 10.0, 2.0, rows[i].sign), rows[i].since);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_a_minute_each_oldest_first, setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_short_list_without_the_page_is_a_zero, setup, teardown),
        cmocka_unit_test_setup_teardown(test_what_is_outside_of_the_window_is_passed_over, setup, teardown),
        cmocka_unit_test_setup_teardown(test_at_most_sixty_numbers, setup, teardown),
        cmocka_unit_test_setup_teardown(test_chosen_and_copied_lines_are_those_of_the_pages, setup, teardown),
        cmocka_unit_test_setup_teardown(test_since_when, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
