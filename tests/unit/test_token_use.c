#include "unit.h"

#include "api/token_use.h"

static void test_counting(void **state)
{
    (void)state;
    struct token_use *use = token_use_new();
    int id = 0;
    int requests = 0;
    assert_non_null(use);
    assert_false(token_use_next(use, 1000000, &id, &requests));
    assert_int_equal(token_use_timeout_ms(use, 0, 60000), 60000);
    token_use_count(use, 7, 1, 100);
    token_use_count(use, 8, 1, 200);
    token_use_count(use, 7, 2, 300);
    assert_int_equal(token_use_timeout_ms(use, 100, 60000), TOKEN_USE_TELL_MS);
    assert_int_equal(token_use_timeout_ms(use, 100, 10), 10);
    assert_int_equal(token_use_timeout_ms(use, 100 + 2 * TOKEN_USE_TELL_MS, 60000), 0);
    assert_false(token_use_next(use, 99 + TOKEN_USE_TELL_MS, &id, &requests));
    assert_true(token_use_next(use, 100 + TOKEN_USE_TELL_MS, &id, &requests));
    assert_int_equal(id, 7);
    assert_int_equal(requests, 3);
    assert_false(token_use_next(use, 100 + TOKEN_USE_TELL_MS, &id, &requests));
    assert_true(token_use_next(use, 200 + TOKEN_USE_TELL_MS, &id, &requests));
    assert_int_equal(id, 8);
    assert_int_equal(requests, 1);
    token_use_free(use);
    token_use_free(NULL);
}

static void test_bounds(void **state)
{
    (void)state;
    struct token_use *use = token_use_new();
    int id = 0;
    int requests = 0;
    int told = 0;
    assert_non_null(use);
    for (int i = 1; i <= 2 * TOKEN_USE_MAX; i++)
        token_use_count(use, i, INT32_MAX, 0);
    token_use_count(use, 1, INT32_MAX, 0);
    while (token_use_next(use, TOKEN_USE_TELL_MS, &id, &requests)) {
        told++;
        assert_int_equal(requests, INT32_MAX);
    }
    assert_int_equal(told, TOKEN_USE_MAX);
    token_use_count(use, 1, 1, 0);
    token_use_free(use);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_counting),
        cmocka_unit_test(test_bounds),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
