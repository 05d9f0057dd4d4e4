#include "unit.h"

#include "api/standby.h"

static const struct policy_bounds BOUNDS = {
    .ttl_ms = 3000, .stale_ms = 10000, .stale_error_ms = 300000, .wait_ms = 300};

enum { CHECKED = 1000, SEEN = 1000000, TAKEN = 2000000, LATER = 3000000 };

/* A row is taken from a standby only if nobody can have seen a newer one. */
static void test_the_newest_row(void **state)
{
    static const struct {
        const char *name;
        struct cache_row_state view;
        time_us seen_at, if_changed_since;
        bool is_newest;
    } cases[] = {
        {"new", {true, 0, KEY_ACCEPTED, CHECKED, 0}, 0, 0, true},
        {"just younger than any refresh", {true, 2249, KEY_ACCEPTED, CHECKED, 0}, 0, 0, true},
        {"as old as a refresh by the clock may find it", {true, 2250, KEY_ACCEPTED, CHECKED, 0}, 0, 0, false},
        {"at the TTL", {true, 3000, KEY_ACCEPTED, CHECKED, 0}, 0, 0, false},
        {"old", {true, 13000, KEY_ACCEPTED, CHECKED, 0}, 0, 0, false},
        {"old, failing", {true, 13000, KEY_ACCEPTED, CHECKED, 3}, 0, 0, false},
        {"ahead: the clocks do not agree", {true, -1, KEY_ACCEPTED, CHECKED, 0}, 0, 0, false},
        {"no snapshot", {false, 0, KEY_ACCEPTED, CHECKED, 0}, 0, 0, false},

        {"a key that is not known here", {true, 0, KEY_UNKNOWN, 0, 0}, 0, 0, false},
        {"a key that was refused", {true, 0, KEY_REFUSED, 0, 0}, 0, 0, false},
        {"a check at its bound", {true, 0, KEY_ACCEPTED, REVOCATION_MS, 0}, 0, 0, true},
        {"a check past its bound", {true, 0, KEY_ACCEPTED, REVOCATION_MS + 1, 0}, 0, 0, false},

        {"the client has seen an older one", {true, 0, KEY_ACCEPTED, CHECKED, 0}, SEEN, 0, true},
        {"the client has seen this one", {true, 0, KEY_ACCEPTED, CHECKED, 0}, TAKEN, 0, true},
        {"the client has seen a newer one", {true, 0, KEY_ACCEPTED, CHECKED, 0}, LATER, 0, false},
        {"the worker has an older one", {true, 0, KEY_ACCEPTED, CHECKED, 0}, 0, SEEN, true},
        {"the worker has this one", {true, 0, KEY_ACCEPTED, CHECKED, 0}, 0, TAKEN, true},
        {"the worker has a newer one", {true, 0, KEY_ACCEPTED, CHECKED, 0}, 0, LATER, false},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        const struct store_lookup row = {.view = cases[i].view,
                                         .taken_at = TAKEN,
                                         .seen_at = cases[i].seen_at,
                                         .if_changed_since = cases[i].if_changed_since};
        assert_case_int(cases[i].name, standby_has_newest(&row, &BOUNDS), cases[i].is_newest);
    }
}

/* The primary's newest snapshot is of the 100th second, and the one before it of the 97th. */
static void test_too_far_behind(void **state)
{
    enum { SECOND_US = 1000000 };
    static const struct {
        const char *name;
        time_us taken_at; /* of the standby's */
        int64_t age_ms;   /* of the primary's */
        bool is_behind;
    } cases[] = {
        {"has it", 100, 3000, false},
        {"has a newer one: the primary has changed", 103, 3000, false},
        {"lacks it since it was taken", 97, 0, false},
        {"lacks it for half of the TTL", 97, 1500, false},
        {"lacks it for longer", 97, 1501, true},
        {"lacks the one before it, too", 94, 0, true},
        {"has nothing", 0, 0, true},
        {"lacks it, and the clock has jumped back", 97, -5000, false},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        const struct store_lookup row = {.taken_at = 100 * SECOND_US,
                                         .previous_at = 97 * SECOND_US,
                                         .view = {.has_snapshot = true, .age_ms = cases[i].age_ms}};
        assert_case_int(cases[i].name, standby_is_behind(cases[i].taken_at * SECOND_US, &row, &BOUNDS),
                        cases[i].is_behind);
    }
    const struct store_lookup first = {.taken_at = SECOND_US, .view = {.has_snapshot = true}};
    assert_false(standby_is_behind(0, &first, &BOUNDS));
}

static void test_an_answer(void **state)
{
    static const struct {
        enum status status;
        bool is_answer;
    } cases[] = {
        {STATUS_OK, true},        {STATUS_INVALID, true},  {STATUS_TOO_LARGE, true},
        {STATUS_NO_MEMORY, true}, {STATUS_TIMEOUT, false}, {STATUS_UNREACHABLE, false},
        {STATUS_FAILED, false},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++)
        assert_case_int(status_text(cases[i].status), standby_has_answered(cases[i].status),
                        cases[i].is_answer);
}

static void test_rests(void **state)
{
    static const struct {
        const char *name;
        int failures, least_ms, most_ms;
    } cases[] = {
        {"first", 1, 250, 500},   {"second", 2, 500, 1000}, {"third", 3, 1000, 2000},
        {"fifth", 5, 4000, 8000}, {"sixth", 6, 4000, 8000}, {"after a day", 100000, 4000, 8000},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        int span_ms = cases[i].most_ms - cases[i].least_ms;
        assert_case_int(cases[i].name, standby_rest_ms(cases[i].failures, 0), cases[i].least_ms);
        assert_case_int(cases[i].name, standby_rest_ms(cases[i].failures, (uint32_t)span_ms),
                        cases[i].most_ms);
        for (uint32_t random = 1; random > 0; random *= 3) {
            int rest_ms = standby_rest_ms(cases[i].failures, random);
            assert_case(cases[i].name, rest_ms >= cases[i].least_ms && rest_ms <= cases[i].most_ms);
            if (random > UINT32_MAX / 3)
                break;
        }
    }
}

/* Where there is no standby nothing happens, and nobody waits for it. */
static void test_no_standby(void **state)
{
    (void)state;
    struct store_lookup row = {.host = "a.example"};
    struct standby_rows rows;
    standby_tend(NULL, 1);
    assert_int_equal(standby_timeout_ms(NULL, 1, 60000), 60000);
    assert_false(standby_is_ready(NULL, 1));
    standby_look_up(NULL, &row, 1, NULL, deadline_in(1000), &rows);
    assert_false(rows.is_asked[0] || rows.is_taken[0]);
    standby_compare(NULL, &row, 1, &rows);
    assert_int_equal(standby_look_up_all(NULL, &row, 1, NULL, deadline_in(1000)), STATUS_UNREACHABLE);
    assert_null(standby_begin(NULL, &row, deadline_in(1000)));
    standby_free(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_newest_row), cmocka_unit_test(test_too_far_behind),
        cmocka_unit_test(test_an_answer),      cmocka_unit_test(test_rests),
        cmocka_unit_test(test_no_standby),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
