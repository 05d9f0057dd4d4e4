#include "unit.h"

#include "base/metrics.h"
#include "db/database.h"

/* In the pause after a round of attempts that failed, nothing is attempted, however often it is asked for. */
static void test_a_failure_counts_once(void **state)
{
    (void)state;
    static const struct statement statement = {"unit_one", "select 1", 0, false};
    static struct metrics_sum sum;
    struct database *database = NULL;
    struct database_rows *rows = NULL;
    assert_int_equal(database_new(&database, "host=/nonexistent dbname=x", "x", true), STATUS_OK);
    for (int i = 0; i < 1000; i++) {
        if (i % 2 == 0)
            database_tend(database);
        else
            assert_int_equal(database_run(database, &statement, NULL, 1, deadline_in(1000), &rows),
                             STATUS_UNREACHABLE);
        assert_int_equal(database_is_away(database), i > 0);
    }
    metrics_add_up(&sum);
    uint64_t failures = metrics_value(&sum, METRIC_DATABASE_CONNECT_FAILURES, metrics_program());
    assert_in_range(failures, 1, 5); /* a slow machine may have outlasted a pause */
    database_free(database);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_a_failure_counts_once)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
