#include "unit.h"

#include "api/asked.h"

static void test_once_a_minute(void **state)
{
    (void)state;
    struct asked *asked = asked_new();
    assert_non_null(asked);
    assert_true(asked_is_due(asked, "a.example", 0));
    assert_false(asked_is_due(asked, "a.example", ASKED_EVERY_MS - 1));
    assert_true(asked_is_due(asked, "b.example", 1));
    assert_true(asked_is_due(asked, "a.example", ASKED_EVERY_MS));
    assert_false(asked_is_due(asked, "a.example", ASKED_EVERY_MS + 1));
    asked_free(asked);
}

static void test_bound(void **state)
{
    (void)state;
    struct asked *asked = asked_new();
    char host[32];
    assert_non_null(asked);
    for (int i = 0; i <= ASKED_HOSTS_MAX; i++) {
        snprintf(host, sizeof host, "h%d.example", i);
        assert_true(asked_is_due(asked, host, i));
    }
    assert_false(asked_is_due(asked, "h1.example", ASKED_HOSTS_MAX));
    assert_true(asked_is_due(asked, "h0.example", ASKED_HOSTS_MAX)); /* told of longest ago: it made room */
    asked_free(asked);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_once_a_minute),
        cmocka_unit_test(test_bound),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
