/* The table of refreshes, with a clock that the tests set. */
#include "unit.h"

#include "upstream/fetches.h"

enum { TTL_MS = 3000 };

static const struct digest KEY_A = {{1}};
static const struct digest KEY_B = {{2}};

struct answers {
    size_t count;
    uint64_t connections[100];
};

static void note_answer(void *context, const struct fetch *fetch, const struct fetch_waiter *waiter)
{
    struct answers *answers = context;
    (void)fetch;
    answers->connections[answers->count++] = waiter->connection;
}

static struct fetches *new_table(void)
{
    struct fetches *fetches = NULL;
    assert_int_equal(fetches_new(&fetches), STATUS_OK);
    return fetches;
}

/* The job of a test is a number on the stack. */
static void drop_job(void *job)
{
    ++*(int *)job;
}

static bool ask(struct fetches *fetches, const char *host, const struct digest *digest, bool check,
                uint64_t connection, int64_t now_ms)
{
    bool joined = false;
    const struct fetch_ask what = {host, *digest, check, check ? "key-00001" : "", TTL_MS};
    assert_int_equal(fetches_ask(fetches, &what, connection, now_ms, &joined), STATUS_OK);
    return joined;
}

static struct answers end(struct fetches *fetches, struct fetch *fetch, bool of_key_alone)
{
    struct answers answers = {0};
    fetches_end(fetches, fetch, of_key_alone, 0, note_answer, &answers);
    return answers;
}

static void test_all_who_ask_for_a_host_are_answered_together(void **state)
{
    (void)state;
    struct fetches *fetches = new_table();
    assert_false(ask(fetches, "a", &KEY_A, false, 1, 0));
    assert_true(ask(fetches, "a", &KEY_B, false, 2, 10));
    struct fetch *fetch = fetches_next(fetches);
    assert_string_equal(fetch->host, "a");
    assert_int_equal(fetch->state, FETCH_RUNNING);
    assert_memory_equal(fetch->digest.bytes, KEY_A.bytes, DIGEST_BYTES);
    assert_true(ask(fetches, "a", &KEY_A, false, 1, 20));
    assert_null(fetches_next(fetches));
    assert_int_equal(fetches_waiting(fetches), 3);
    const struct answers answers = end(fetches, fetch, false);
    assert_int_equal(answers.count, 3);
    assert_int_equal(answers.connections[1], 2);
    assert_int_equal(fetches_count(fetches) + fetches_waiting(fetches), 0);
    fetches_free(fetches, drop_job);
}

static void test_who_asked_comes_before_the_clock(void **state)
{
    (void)state;
    struct fetches *fetches = new_table();
    assert_int_equal(fetches_due(fetches, "d1", TTL_MS, 0), STATUS_OK);
    assert_int_equal(fetches_due(fetches, "d2", TTL_MS, 0), STATUS_OK);
    assert_int_equal(fetches_due(fetches, "d2", TTL_MS, 0), STATUS_OK);
    ask(fetches, "a", &KEY_A, false, 1, 0);
    ask(fetches, "d2", &KEY_A, false, 1, 0);
    static const char *const order[] = {"a", "d2", "d1"};
    for (size_t i = 0; i < COUNT(order); i++) {
        struct fetch *fetch = fetches_next(fetches);
        assert_string_equal(fetch->host, order[i]);
        assert_int_equal(fetch->has_asker, i < 2);
    }
    assert_null(fetches_next(fetches));
    fetches_free(fetches, drop_job);
}

static void test_the_check_of_another_key_stays_behind(void **state)
{
    (void)state;
    struct fetches *fetches = new_table();
    ask(fetches, "a", &KEY_A, true, 1, 0);
    assert_false(ask(fetches, "a", &KEY_B, true, 2, 0));
    assert_true(ask(fetches, "a", &KEY_A, true, 3, 0));
    assert_true(ask(fetches, "a", &KEY_B, false, 4, 0)); /* the row alone: joins the first */
    struct fetch *first = fetches_next(fetches);
    assert_null(fetches_next(fetches));
    assert_int_equal(end(fetches, first, false).count, 3);
    struct fetch *second = fetches_next(fetches);
    assert_memory_equal(second->digest.bytes, KEY_B.bytes, DIGEST_BYTES);
    assert_string_equal(second->key, "key-00001");
    assert_int_equal(end(fetches, second, false).connections[0], 2);
    fetches_free(fetches, drop_job);
}

static void test_a_refused_key_is_no_answer_to_who_wants_the_row(void **state)
{
    (void)state;
    struct fetches *fetches = new_table();
    ask(fetches, "a", &KEY_B, true, 1, 0);
    ask(fetches, "a", &KEY_A, false, 2, 0);
    ask(fetches, "a", &KEY_A, true, 3, 0);
    const struct answers first = end(fetches, fetches_next(fetches), true);
    assert_int_equal(first.count, 1);
    assert_int_equal(first.connections[0], 1);
    struct fetch *plain = fetches_next(fetches);
    assert_false(plain->check);
    assert_int_equal(end(fetches, plain, true).connections[0], 2);
    struct fetch *last = fetches_next(fetches);
    assert_true(last->check);
    assert_int_equal(end(fetches, last, true).connections[0], 3);
    assert_int_equal(fetches_count(fetches), 0);
    fetches_free(fetches, drop_job);
}

static void test_a_held_lease_is_looked_at_while_anyone_waits(void **state)
{
    (void)state;
    struct fetches *fetches = new_table();
    struct fetch *found[4];
    ask(fetches, "a", &KEY_A, false, 1, 1000);
    assert_int_equal(fetches_due(fetches, "d", TTL_MS, 1000), STATUS_OK);
    struct fetch *asked = fetches_next(fetches);
    struct fetch *due = fetches_next(fetches);
    assert_true(fetches_hold(fetches, asked, 1000));
    assert_false(fetches_hold(fetches, due, 1000));
    assert_int_equal(end(fetches, due, false).count, 0);
    assert_int_equal(fetches_wait_ms(fetches, 1010, 60000), FETCH_LOOK_MS - 10);
    assert_int_equal(fetches_to_look_at(fetches, 1000 + FETCH_LOOK_MS - 1, found, 4), 0);
    assert_int_equal(fetches_to_look_at(fetches, 1000 + FETCH_LOOK_MS, found, 4), 1);
    assert_true(fetches_hold(fetches, found[0], 1050));
    assert_int_equal(fetches_to_look_at(fetches, 1100, found, 4), 1);
    fetches_queue_again(fetches, found[0]);
    assert_ptr_equal(fetches_next(fetches), asked);
    assert_int_equal(end(fetches, asked, false).count, 1);
    fetches_free(fetches, drop_job);
}

static void test_nobody_waits_for_longer_than_the_bound(void **state)
{
    (void)state;
    struct fetches *fetches = new_table();
    struct answers answers = {0};
    ask(fetches, "a", &KEY_A, false, 1, 0);
    struct fetch *fetch = fetches_next(fetches);
    ask(fetches, "a", &KEY_A, false, 2, 100);
    assert_int_equal(fetches_wait_ms(fetches, 0, 60000), FETCH_WAIT_MAX_MS);
    fetches_expire(fetches, FETCH_WAIT_MAX_MS - 1, note_answer, &answers);
    assert_int_equal(answers.count, 0);
    fetches_expire(fetches, FETCH_WAIT_MAX_MS, note_answer, &answers);
    assert_int_equal(answers.count, 1);
    assert_int_equal(answers.connections[0], 1);
    assert_int_equal(end(fetches, fetch, false).connections[0], 2);
    fetches_free(fetches, drop_job);
}

static void test_a_lost_connection_is_owed_nothing(void **state)
{
    (void)state;
    struct fetches *fetches = new_table();
    ask(fetches, "a", &KEY_A, false, 1, 0);
    ask(fetches, "a", &KEY_A, false, 2, 0);
    ask(fetches, "b", &KEY_A, false, 1, 0);
    fetches_forget(fetches, 1);
    assert_int_equal(fetches_waiting(fetches), 1);
    assert_int_equal(end(fetches, fetches_next(fetches), false).connections[0], 2);
    assert_string_equal(fetches_next(fetches)->host, "b"); /* it is refreshed all the same */
    fetches_free(fetches, drop_job);
}

static void test_the_table_is_bounded(void **state)
{
    (void)state;
    struct fetches *fetches = new_table();
    bool joined = false;
    char host[16];
    struct digest digest = {{0}};
    for (int i = 0; i < FETCHES_OF_HOST_MAX; i++) {
        digest.bytes[0] = (unsigned char)i;
        ask(fetches, "a", &digest, true, 1, 0);
    }
    digest.bytes[1] = 1;
    struct fetch_ask what = {"a", digest, true, "", TTL_MS};
    assert_int_equal(fetches_ask(fetches, &what, 1, 0, &joined), STATUS_TOO_LARGE);
    for (int i = FETCHES_OF_HOST_MAX; i < FETCHES_MAX; i++) {
        snprintf(host, sizeof host, "h%d", i);
        assert_int_equal(fetches_due(fetches, host, TTL_MS, 0), STATUS_OK);
    }
    assert_int_equal(fetches_due(fetches, "z", TTL_MS, 0), STATUS_TOO_LARGE);
    what.host = "z";
    assert_int_equal(fetches_ask(fetches, &what, 1, 0, &joined), STATUS_TOO_LARGE);
    assert_int_equal(fetches_count(fetches), FETCHES_MAX);
    what = (struct fetch_ask){"h99", digest, false, "", TTL_MS};
    for (size_t i = fetches_waiting(fetches); i < FETCH_WAITERS_MAX; i++)
        assert_int_equal(fetches_ask(fetches, &what, 2, 0, &joined), STATUS_OK);
    assert_int_equal(fetches_ask(fetches, &what, 2, 0, &joined), STATUS_TOO_LARGE);
    fetches_free(fetches, drop_job);
}

static void test_at_the_end_what_the_clock_wants_is_dropped(void **state)
{
    (void)state;
    struct fetches *fetches = new_table();
    int dropped = 0;
    assert_int_equal(fetches_due(fetches, "d1", TTL_MS, 0), STATUS_OK);
    assert_int_equal(fetches_due(fetches, "d2", TTL_MS, 0), STATUS_OK);
    struct fetch *running = fetches_next(fetches);
    running->job = &dropped;
    ask(fetches, "a", &KEY_A, false, 1, 0);
    fetches_drop_due(fetches);
    assert_int_equal(fetches_count(fetches), 2);
    assert_int_equal(fetches_queued(fetches), 1);
    fetches_free(fetches, drop_job);
    assert_int_equal(dropped, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_all_who_ask_for_a_host_are_answered_together),
        cmocka_unit_test(test_who_asked_comes_before_the_clock),
        cmocka_unit_test(test_the_check_of_another_key_stays_behind),
        cmocka_unit_test(test_a_refused_key_is_no_answer_to_who_wants_the_row),
        cmocka_unit_test(test_a_held_lease_is_looked_at_while_anyone_waits),
        cmocka_unit_test(test_nobody_waits_for_longer_than_the_bound),
        cmocka_unit_test(test_a_lost_connection_is_owed_nothing),
        cmocka_unit_test(test_the_table_is_bounded),
        cmocka_unit_test(test_at_the_end_what_the_clock_wants_is_dropped),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
