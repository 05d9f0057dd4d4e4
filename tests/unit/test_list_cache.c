#include "unit.h"

#include "api/list_cache.h"

enum { LIST_BYTES = 2 * 1024 * 1024, ALL_MAX_BYTES = 4 * 1024 * 1024 };

static char bytes[LIST_BYTES + 1];

static void put_lists(struct list_cache *cache, const char *host, time_us taken_at, size_t newer,
                      size_t older)
{
    const struct list_cache_lists lists = {bytes, newer, older > 0 ? bytes + 5 : NULL, older};
    list_cache_put(cache, host, &lists, taken_at);
}

/* Whether the lists of that time and these lengths are found. */
static bool has_lists(const struct list_cache *cache, const char *host, time_us taken_at, size_t newer,
                      size_t older)
{
    struct list_cache_lists lists;
    time_us at = 0;
    if (!list_cache_find(cache, host, &lists, &at))
        return false;
    assert_int_equal(at, taken_at);
    assert_non_null(lists.pages); /* of a quiet site, too */
    assert_int_equal(lists.pages_bytes, newer);
    assert_int_equal(lists.previous_bytes, older);
    assert_memory_equal(lists.pages, bytes, newer);
    if (older > 0)
        assert_memory_equal(lists.previous_pages, bytes + 5, older);
    else
        assert_null(lists.previous_pages);
    return true;
}

static void test_lists(void **state)
{
    (void)state;
    struct list_cache *cache = list_cache_new();
    assert_false(has_lists(cache, "a.example", 0, 0, 0));
    put_lists(cache, "a.example", 7, 100, 0);
    assert_true(has_lists(cache, "a.example", 7, 100, 0));
    assert_false(has_lists(cache, "b.example", 7, 100, 0));
    put_lists(cache, "q.example", 7, 0, 0);
    assert_true(has_lists(cache, "q.example", 7, 0, 0));
    put_lists(cache, "a.example", 8, 50, 60);
    assert_true(has_lists(cache, "a.example", 8, 50, 60));
    put_lists(cache, "a.example", 9, LIST_BYTES, LIST_BYTES - 200);
    assert_true(has_lists(cache, "a.example", 9, LIST_BYTES, LIST_BYTES - 200));
    /* The other lists have taken nearly all the room, so they are dropped. */
    put_lists(cache, "c.example", 9, LIST_BYTES, LIST_BYTES / 2);
    assert_true(has_lists(cache, "c.example", 9, LIST_BYTES, LIST_BYTES / 2));
    assert_false(has_lists(cache, "a.example", 9, 0, 0));
    const struct list_cache_lists too_long = {bytes, LIST_BYTES, bytes, (size_t)ALL_MAX_BYTES};
    list_cache_put(cache, "c.example", &too_long, 10);
    assert_false(has_lists(cache, "c.example", 10, 0, 0));
    list_cache_free(cache);
    list_cache_free(NULL);
}

static void test_lists_of_the_same_time_are_not_copied_again(void **state)
{
    (void)state;
    struct list_cache *cache = list_cache_new();
    put_lists(cache, "a.example", 7, 100, 0);
    put_lists(cache, "a.example", 7, 50, 0);
    assert_true(has_lists(cache, "a.example", 7, 100, 0));
    list_cache_free(cache);
}

static void test_the_least_recently_used_host_goes(void **state)
{
    (void)state;
    enum { HOSTS = 17 };
    char host[32];
    struct list_cache *cache = list_cache_new();
    for (int n = 0; n < HOSTS; n++) {
        snprintf(host, sizeof host, "h%d.example", n);
        put_lists(cache, host, 7, 100, 100);
        assert_true(has_lists(cache, "h0.example", 7, 100, 100));
    }
    assert_false(has_lists(cache, "h1.example", 7, 100, 100));
    assert_true(has_lists(cache, "h16.example", 7, 100, 100));
    list_cache_free(cache);
}

int main(void)
{
    for (size_t i = 0; i < sizeof bytes; i++)
        bytes[i] = (char)('a' + i % 23);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_lists),
        cmocka_unit_test(test_lists_of_the_same_time_are_not_copied_again),
        cmocka_unit_test(test_the_least_recently_used_host_goes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
