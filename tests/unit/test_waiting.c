#include "unit.h"

#include "api/waiting.h"

#include <string.h>

enum { LIMIT = 4 };

static const struct digest ONE_KEY = {{1}};
static const struct digest OTHER_KEY = {{2}};

static struct wanted plain(const char *host)
{
    return (struct wanted){host, &ONE_KEY, false};
}

static struct wanted check(const char *host, const struct digest *digest)
{
    return (struct wanted){host, digest, true};
}

static struct refresh_message done(const struct wanted *wanted, enum refresh_outcome outcome, int wait_ms)
{
    struct refresh_message message = {.type = REFRESH_DONE,
                                      .digest = *wanted->digest,
                                      .check = wanted->check,
                                      .outcome = outcome,
                                      .wait_ms = wait_ms};
    snprintf(message.host, sizeof message.host, "%s", wanted->host);
    return message;
}

static int set_up(void **state)
{
    *state = waiting_new(LIMIT);
    return *state ? 0 : -1;
}

static int tear_down(void **state)
{
    waiting_free(*state);
    return 0;
}

static void end(struct waiting *waiting, struct wanted wanted, enum refresh_outcome outcome, int wait_ms,
                int64_t now_ms)
{
    const struct refresh_message message = done(&wanted, outcome, wait_ms);
    waiting_end(waiting, &message, now_ms);
}

static void test_one_question_for_all(void **state)
{
    struct waiting *waiting = *state;
    struct waiter waiters[3] = {0};
    const struct wanted wanted = plain("a.example");
    assert_int_equal(waiting_park(waiting, &wanted, &waiters[0], 300, 0), WAITING_ASK);
    assert_int_equal(waiting_park(waiting, &wanted, &waiters[1], 200, 0), WAITING_ASKED);
    assert_int_equal(waiting_want(waiting, &wanted, 0), WAITING_ASKED);
    assert_int_equal(
        waiting_park(waiting, &(struct wanted){"b.example", &ONE_KEY, false}, &waiters[2], 300, 0),
        WAITING_ASK);
    assert_int_equal(waiting_count(waiting), 3);
    assert_null(waiting_next_woken(waiting));
    end(waiting, wanted, REFRESH_STORED, 0, 50);
    for (int i = 0; i < 2; i++) {
        const struct waiter *woken = waiting_next_woken(waiting);
        assert_true(woken == &waiters[0] || woken == &waiters[1]);
        assert_int_equal(woken->reason, WAKE_ENDED);
        assert_int_equal(woken->outcome, REFRESH_STORED);
        assert_null(woken->awaited);
    }
    assert_null(waiting_next_woken(waiting));
    assert_int_equal(waiting_count(waiting), 1);
    assert_true(waiting_is_owed(waiting));
    waiting_remove(waiting, &waiters[2]);
    assert_int_equal(waiting_count(waiting), 0);
    assert_true(waiting_is_owed(waiting)); /* the fetcher is at it all the same */
    end(waiting, plain("b.example"), REFRESH_STORED, 0, 60);
    assert_false(waiting_is_owed(waiting));
}

static void test_keys_are_checked_apart(void **state)
{
    struct waiting *waiting = *state;
    struct waiter waiters[3] = {0};
    const struct wanted first = check("a.example", &ONE_KEY);
    const struct wanted second = check("a.example", &OTHER_KEY);
    const struct wanted row = plain("a.example");
    assert_int_equal(waiting_park(waiting, &first, &waiters[0], 300, 0), WAITING_ASK);
    assert_int_equal(waiting_park(waiting, &second, &waiters[1], 300, 0), WAITING_ASK);
    assert_int_equal(waiting_park(waiting, &row, &waiters[2], 300, 0), WAITING_ASK);
    end(waiting, second, REFRESH_KEY_REFUSED, 0, 10);
    assert_ptr_equal(waiting_next_woken(waiting), &waiters[1]);
    assert_null(waiting_next_woken(waiting));
    end(waiting, row, REFRESH_STORED, 0, 20);
    assert_ptr_equal(waiting_next_woken(waiting), &waiters[2]);
    assert_null(waiting_next_woken(waiting));
    end(waiting, first, REFRESH_STORED, 0, 20);
    assert_ptr_equal(waiting_next_woken(waiting), &waiters[0]);
}

static void test_time_is_up(void **state)
{
    struct waiting *waiting = *state;
    struct waiter waiters[2] = {0};
    const struct wanted wanted = plain("a.example");
    assert_int_equal(waiting_park(waiting, &wanted, &waiters[0], 300, 0), WAITING_ASK);
    assert_int_equal(waiting_park(waiting, &wanted, &waiters[1], 200, 0), WAITING_ASKED);
    assert_int_equal(waiting_timeout_ms(waiting, 50, 1000), 150);
    assert_int_equal(waiting_timeout_ms(waiting, 50, 100), 100);
    waiting_expire(waiting, 199);
    assert_null(waiting_next_woken(waiting));
    waiting_expire(waiting, 200);
    assert_int_equal(waiting_timeout_ms(waiting, 200, 1000), 0); /* somebody is woken */
    assert_ptr_equal(waiting_next_woken(waiting), &waiters[1]);
    assert_int_equal(waiters[1].reason, WAKE_EXPIRED);
    assert_int_equal(waiting_timeout_ms(waiting, 200, 1000), 100);
    waiting_expire(waiting, 500);
    assert_ptr_equal(waiting_next_woken(waiting), &waiters[0]);
    assert_int_equal(waiting_timeout_ms(waiting, 500, 1000), 1000);
    assert_int_equal(waiting_park(waiting, &wanted, &waiters[0], 900, 500),
                     WAITING_ASKED); /* still under way */
    waiting_remove(waiting, &waiters[0]);
}

static void test_what_ended_badly_is_remembered(void **state)
{
    struct waiting *waiting = *state;
    static const struct {
        const char *name;
        enum refresh_outcome outcome;
        int wait_ms;
        int pause_ms;
    } cases[] = {
        {"stored", REFRESH_STORED, 0, 0},
        {"key refused", REFRESH_KEY_REFUSED, 0, 0},
        {"unreachable", REFRESH_UNREACHABLE, 0, WAITING_PAUSE_MIN_MS},
        {"back-off of 400 ms", REFRESH_BACKOFF, 400, 400},
        {"back-off of a minute", REFRESH_BACKOFF, 60000, WAITING_PAUSE_MAX_MS},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        const int64_t at_ms = 10000 * (int64_t)(i + 1);
        struct waiter waiter = {0};
        const struct wanted wanted = plain("a.example");
        assert_case_int(cases[i].name, waiting_want(waiting, &wanted, at_ms), WAITING_ASK);
        end(waiting, wanted, cases[i].outcome, cases[i].wait_ms, at_ms);
        if (cases[i].pause_ms > 0) {
            assert_case_int(
                cases[i].name,
                waiting_park(waiting, &wanted, &waiter, at_ms + 5000, at_ms + cases[i].pause_ms - 1),
                WAITING_REFUSED);
            assert_case_int(cases[i].name, waiter.reason, WAKE_ENDED);
            assert_case_int(cases[i].name, waiter.outcome, cases[i].outcome);
            assert_case_int(cases[i].name, waiter.wait_ms,
                            cases[i].wait_ms > 0 ? cases[i].wait_ms - cases[i].pause_ms + 1 : 0);
        }
        assert_case_int(cases[i].name,
                        waiting_park(waiting, &wanted, &waiter, at_ms + 5000, at_ms + cases[i].pause_ms),
                        WAITING_ASK);
        waiting_remove(waiting, &waiter);
        end(waiting, wanted, REFRESH_STORED, 0, at_ms + 5000);
    }
}

static void test_lost(void **state)
{
    struct waiting *waiting = *state;
    struct waiter waiters[2] = {0};
    const struct wanted a = plain("a.example");
    const struct wanted b = plain("b.example");
    assert_int_equal(waiting_park(waiting, &a, &waiters[0], 300, 0), WAITING_ASK);
    assert_int_equal(waiting_park(waiting, &b, &waiters[1], 300, 0), WAITING_ASK);
    waiting_lose(waiting);
    assert_int_equal(waiting_count(waiting), 0);
    assert_false(waiting_is_owed(waiting));
    for (int i = 0; i < 2; i++)
        assert_int_equal(waiting_next_woken(waiting)->reason, WAKE_LOST);
    end(waiting, a, REFRESH_STORED, 0, 10); /* of nobody */
    assert_null(waiting_next_woken(waiting));
    assert_int_equal(waiting_park(waiting, &a, &waiters[0], 300, 0), WAITING_ASK);
    waiting_remove(waiting, &waiters[0]);
}

static void count_asked(void *context, const struct wanted *wanted, struct waiter *first)
{
    assert_non_null(first);
    assert_string_equal(wanted->host, "a.example");
    ++*(int *)context;
}

static void test_asked_again(void **state)
{
    struct waiting *waiting = *state;
    struct waiter waiter = {0};
    const struct wanted a = plain("a.example");
    const struct wanted b = plain("b.example");
    int asked = 0;
    assert_int_equal(waiting_park(waiting, &a, &waiter, 300, 0), WAITING_ASK);
    assert_int_equal(waiting_want(waiting, &b, 0), WAITING_ASK);
    waiting_ask_again(waiting, count_asked, &asked); /* b: nobody waits for it */
    assert_int_equal(asked, 1);
    assert_int_equal(waiting_want(waiting, &b, 0), WAITING_ASK);
    assert_int_equal(waiting_want(waiting, &a, 0), WAITING_ASKED);
    waiting_remove(waiting, &waiter);
}

static void test_bounds(void **state)
{
    struct waiting *waiting = *state;
    struct waiter waiters[LIMIT + 1] = {0};
    char host[32];
    const struct wanted wanted = plain("a.example");
    for (int i = 0; i < LIMIT; i++)
        assert_int_equal(waiting_park(waiting, &wanted, &waiters[i], 300, 0),
                         i == 0 ? WAITING_ASK : WAITING_ASKED);
    assert_int_equal(waiting_park(waiting, &wanted, &waiters[LIMIT], 300, 0), WAITING_REFUSED);
    assert_int_equal(waiters[LIMIT].reason, WAKE_FULL);
    for (int i = 0; i < LIMIT; i++)
        waiting_remove(waiting, &waiters[i]);
    for (int i = 1; i < WAITING_HOSTS_MAX; i++) {
        snprintf(host, sizeof host, "h%d.example", i);
        assert_int_equal(waiting_want(waiting, &(struct wanted){host, &ONE_KEY, false}, 0), WAITING_ASK);
    }
    const struct wanted over = plain("over.example");
    assert_int_equal(waiting_want(waiting, &over, 0), WAITING_REFUSED);
    end(waiting, wanted, REFRESH_BACKOFF, 0, 0);
    assert_int_equal(waiting_want(waiting, &over, WAITING_PAUSE_MIN_MS - 1), WAITING_REFUSED);
    assert_int_equal(waiting_want(waiting, &over, WAITING_PAUSE_MIN_MS),
                     WAITING_ASK); /* what has ended goes */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_one_question_for_all, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_keys_are_checked_apart, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_time_is_up, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_what_ended_badly_is_remembered, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_lost, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_asked_again, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_bounds, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
