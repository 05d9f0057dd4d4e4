#include "unit.h"

#include "api/policy.h"

#include <limits.h>

static const struct policy_bounds BOUNDS = {
    .ttl_ms = 3000, .stale_ms = 10000, .stale_error_ms = 300000, .wait_ms = 300};

enum { CHECKED = 1000, YEAR_MS = INT_MAX };

struct view_case {
    const char *name;
    struct cache_row_state view; /* has_snapshot, age, key_status, check age, failures */
    enum policy_action action;
    bool may_serve_stale;
};

static const struct view_case CASES[] = {
    /* The edges of TTL and stale, to the millisecond. */
    {"new", {true, 0, KEY_ACCEPTED, CHECKED, 0}, POLICY_ANSWER, true},
    {"at the TTL", {true, 3000, KEY_ACCEPTED, CHECKED, 0}, POLICY_ANSWER, true},
    {"past the TTL", {true, 3001, KEY_ACCEPTED, CHECKED, 0}, POLICY_WAIT, true},
    {"at stale", {true, 10000, KEY_ACCEPTED, CHECKED, 0}, POLICY_WAIT, true},
    {"past stale", {true, 10001, KEY_ACCEPTED, CHECKED, 0}, POLICY_WAIT, true},
    {"at stale-error", {true, 300000, KEY_ACCEPTED, CHECKED, 0}, POLICY_WAIT, true},
    {"past stale-error", {true, 300001, KEY_ACCEPTED, CHECKED, 0}, POLICY_WAIT, false},
    {"ages old", {true, INT64_MAX, KEY_ACCEPTED, CHECKED, 0}, POLICY_WAIT, false},
    {"no snapshot", {false, 0, KEY_ACCEPTED, CHECKED, 0}, POLICY_WAIT, false},

    /* While Chartbeat fails nobody waits for what may be served. */
    {"failing, past the TTL", {true, 3001, KEY_ACCEPTED, CHECKED, 1}, POLICY_ANSWER_AND_ASK, true},
    {"failing, fresh", {true, 3000, KEY_ACCEPTED, CHECKED, 1}, POLICY_ANSWER, true},
    {"failing, past stale", {true, 10001, KEY_ACCEPTED, CHECKED, 1}, POLICY_ANSWER_AND_ASK, true},
    {"failing, at stale-error", {true, 300000, KEY_ACCEPTED, CHECKED, 9}, POLICY_ANSWER_AND_ASK, true},
    {"failing, past stale-error", {true, 300001, KEY_ACCEPTED, CHECKED, 9}, POLICY_WAIT, false},
    {"failing, no snapshot", {false, 0, KEY_ACCEPTED, CHECKED, 9}, POLICY_WAIT, false},

    /* A clock that jumped: up to a TTL ahead is believed, more is void. */
    {"just ahead", {true, -1, KEY_ACCEPTED, CHECKED, 0}, POLICY_ANSWER, true},
    {"ahead by the TTL", {true, -3000, KEY_ACCEPTED, CHECKED, 0}, POLICY_ANSWER, true},
    {"ahead by more", {true, -3001, KEY_ACCEPTED, CHECKED, 0}, POLICY_WAIT, false},
    {"ahead by more, failing", {true, -3001, KEY_ACCEPTED, CHECKED, 3}, POLICY_WAIT, false},
    {"ahead by an hour", {true, -3600000, KEY_ACCEPTED, CHECKED, 0}, POLICY_WAIT, false},
    {"ahead by ages", {true, INT64_MIN, KEY_ACCEPTED, CHECKED, 0}, POLICY_WAIT, false},

    /* Revocation: the key's check, to the millisecond, comes before everything. */
    {"check at its bound", {true, 0, KEY_ACCEPTED, REVOCATION_MS, 0}, POLICY_ANSWER, true},
    {"check past its bound", {true, 0, KEY_ACCEPTED, REVOCATION_MS + 1, 0}, POLICY_CHECK_KEY, false},
    {"check past its bound, stale",
     {true, 5000, KEY_ACCEPTED, REVOCATION_MS + 1, 0},
     POLICY_CHECK_KEY,
     false},
    {"check past its bound, failing", {true, 0, KEY_ACCEPTED, 300001, 5}, POLICY_CHECK_KEY, false},
    {"check just ahead", {true, 0, KEY_ACCEPTED, -1, 0}, POLICY_ANSWER, true},
    {"check ahead by its bound", {true, 0, KEY_ACCEPTED, -REVOCATION_MS, 0}, POLICY_ANSWER, true},
    {"check ahead by more", {true, 0, KEY_ACCEPTED, -REVOCATION_MS - 1, 0}, POLICY_CHECK_KEY, false},
    {"check a year old", {true, 0, KEY_ACCEPTED, YEAR_MS, 0}, POLICY_CHECK_KEY, false},

    /* A key that is not known, or known to be bad. */
    {"unknown key, fresh", {true, 0, KEY_UNKNOWN, 0, 0}, POLICY_CHECK_KEY, false},
    {"unknown key, failing", {true, 50000, KEY_UNKNOWN, 0, 9}, POLICY_CHECK_KEY, false},
    {"unknown key, no snapshot", {false, 0, KEY_UNKNOWN, 0, 0}, POLICY_CHECK_KEY, false},
    {"refused key, fresh", {true, 0, KEY_REFUSED, 0, 0}, POLICY_REFUSE, false},
    {"refused key, stale", {true, 5000, KEY_REFUSED, 0, 0}, POLICY_REFUSE, false},
    {"refused key, no snapshot", {false, 0, KEY_REFUSED, 0, 0}, POLICY_REFUSE, false},
    {"refused key, checked ages ago", {true, 0, KEY_REFUSED, YEAR_MS, 0}, POLICY_REFUSE, false},
};

static void test_decide(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(CASES); i++)
        assert_case_int(CASES[i].name, policy_decide(&CASES[i].view, &BOUNDS).action, CASES[i].action);
}

static void test_wait(void **state)
{
    (void)state;
    static const struct policy_bounds AT_ONCE = {.ttl_ms = 3000, .stale_ms = 10000, .stale_error_ms = 300000};
    static const struct {
        const char *name;
        struct cache_row_state row;
        const struct policy_bounds *bounds;
        enum policy_action action;
        int wait_ms;
    } cases[] = {
        {"fresh", {true, 0, KEY_ACCEPTED, CHECKED, 0}, &BOUNDS, POLICY_ANSWER, 0},
        {"past the TTL", {true, 3001, KEY_ACCEPTED, CHECKED, 0}, &BOUNDS, POLICY_WAIT, 300},
        {"past the TTL, no wait set",
         {true, 3001, KEY_ACCEPTED, CHECKED, 0},
         &AT_ONCE,
         POLICY_ANSWER_AND_ASK,
         0},
        {"past stale", {true, 10001, KEY_ACCEPTED, CHECKED, 0}, &BOUNDS, POLICY_WAIT, POLICY_WAIT_MAX_MS},
        {"past stale, no wait set",
         {true, 10001, KEY_ACCEPTED, CHECKED, 0},
         &AT_ONCE,
         POLICY_WAIT,
         POLICY_WAIT_MAX_MS},
        {"no snapshot", {false, 0, KEY_ACCEPTED, CHECKED, 0}, &BOUNDS, POLICY_WAIT, POLICY_WAIT_MAX_MS},
        {"unknown key", {true, 0, KEY_UNKNOWN, 0, 0}, &BOUNDS, POLICY_CHECK_KEY, POLICY_WAIT_MAX_MS},
        {"failing", {true, 5000, KEY_ACCEPTED, CHECKED, 2}, &BOUNDS, POLICY_ANSWER_AND_ASK, 0},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        const struct policy_decision decision = policy_decide(&cases[i].row, cases[i].bounds);
        assert_case_int(cases[i].name, decision.action, cases[i].action);
        assert_case_int(cases[i].name, decision.wait_ms, cases[i].wait_ms);
    }
}

static void test_may_serve_stale(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(CASES); i++)
        assert_case_int(CASES[i].name, policy_may_serve_stale(&CASES[i].view, &BOUNDS),
                        CASES[i].may_serve_stale);
}

/* Whatever the numbers: nothing is served to a key that is not accepted, nor an answer without a snapshot. */
static void test_what_never_happens(void **state)
{
    (void)state;
    static const int64_t ages[] = {INT64_MIN, -3600000, -300001, -300000, -3001,  -3000,  -1,       0,
                                   3000,      3001,     10000,   10001,   300000, 300001, INT64_MAX};
    for (size_t age = 0; age < COUNT(ages); age++) {
        for (size_t check = 0; check < COUNT(ages); check++) {
            for (int bits = 0; bits < 12; bits++) {
                struct cache_row_state view = {bits & 1, ages[age], (enum key_status)(bits >> 2), ages[check],
                                               bits & 2};
                enum policy_action action = policy_decide(&view, &BOUNDS).action;
                bool is_served = action == POLICY_ANSWER || action == POLICY_ANSWER_AND_ASK ||
                                 policy_may_serve_stale(&view, &BOUNDS) ||
                                 policy_copy_ms(&view, &BOUNDS, POLICY_COPY_STALE_MS) > 0;
                assert_false(is_served && (view.key_status != KEY_ACCEPTED || !view.has_snapshot));
                assert_false(is_served && ages[check] > REVOCATION_MS);
                assert_false(is_served && ages[age] > BOUNDS.stale_error_ms);
                assert_true(action != POLICY_ANSWER || policy_is_fresh(&view, &BOUNDS));
            }
        }
    }
}

static void test_copy_while_no_worker_answers(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        struct cache_row_state view;
        int64_t copy_ms;
    } cases[] = {
        {"new", {true, 0, KEY_ACCEPTED, 0, 0}, 300000},
        {"older", {true, 100000, KEY_ACCEPTED, 0, 0}, 200000},
        {"too old", {true, 300001, KEY_ACCEPTED, 0, 0}, 0},
        {"the check runs out first", {true, 1000, KEY_ACCEPTED, REVOCATION_MS - 1500, 0}, 1500},
        {"the check at its bound", {true, 0, KEY_ACCEPTED, REVOCATION_MS + 1, 0}, 0},
        {"unknown key", {true, 0, KEY_UNKNOWN, 0, 0}, 0},
        {"no snapshot", {false, 0, KEY_ACCEPTED, 0, 0}, 0},
        {"ahead", {true, -2000, KEY_ACCEPTED, -100, 0}, 300000},
    };
    for (size_t i = 0; i < COUNT(cases); i++)
        assert_case_int(cases[i].name, policy_copy_error_ms(&cases[i].view, &BOUNDS), cases[i].copy_ms);
}

static void test_copy(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        struct cache_row_state view;
        int64_t copy_ms;
    } cases[] = {
        {"new", {true, 0, KEY_ACCEPTED, 0, 0}, 4000},
        {"a second old", {true, 1000, KEY_ACCEPTED, 0, 0}, 3000},
        {"a millisecond left", {true, 2999, KEY_ACCEPTED, 0, 0}, 1001},
        {"at the TTL", {true, 3000, KEY_ACCEPTED, 0, 0}, 1000},
        {"stale", {true, 3001, KEY_ACCEPTED, 0, 0}, 0},
        {"ahead", {true, -2000, KEY_ACCEPTED, 0, 0}, 4000},
        {"too far ahead", {true, -3001, KEY_ACCEPTED, 0, 0}, 0},
        {"no snapshot", {false, 0, KEY_ACCEPTED, 0, 0}, 0},
        {"unknown key", {true, 0, KEY_UNKNOWN, 0, 0}, 0},
        {"refused key", {true, 0, KEY_REFUSED, 0, 0}, 0},
        {"the check runs out first", {true, 0, KEY_ACCEPTED, REVOCATION_MS - 1500, 0}, 1500},
        {"the check's last millisecond", {true, 0, KEY_ACCEPTED, REVOCATION_MS - 1, 0}, 1},
        {"the check at its bound", {true, 0, KEY_ACCEPTED, REVOCATION_MS, 0}, 0},
        {"the check ahead", {true, 0, KEY_ACCEPTED, -200000, 0}, 4000},
    };
    for (size_t i = 0; i < COUNT(cases); i++)
        assert_case_int(cases[i].name, policy_copy_ms(&cases[i].view, &BOUNDS, POLICY_COPY_STALE_MS),
                        cases[i].copy_ms);
    static const struct policy_bounds SHORT = {
        .ttl_ms = POLICY_COPY_STALE_MS - 1, .stale_ms = 5000, .stale_error_ms = 9000};
    const struct cache_row_state view = {true, 100, KEY_ACCEPTED, 0, 0};
    assert_int_equal(policy_copy_ms(&view, &SHORT, POLICY_COPY_STALE_MS), SHORT.ttl_ms - view.age_ms);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_decide),
        cmocka_unit_test(test_wait),
        cmocka_unit_test(test_may_serve_stale),
        cmocka_unit_test(test_what_never_happens),
        cmocka_unit_test(test_copy),
        cmocka_unit_test(test_copy_while_no_worker_answers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
