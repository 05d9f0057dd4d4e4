#include "unit.h"

#include "api/body_cache.h"

#include <stdlib.h>

enum { SMALL_BYTES = 32 * 1024, TOTAL_BYTES = 2 * 1024 * 1024 };

static char bytes[TOTAL_BYTES + 1];

static struct request_params request_of(const char *host, int limit, enum request_format format,
                                        const char *callback, const char *cache_key_suffix)
{
    struct request_params request = {
        .limit = limit, .format = format, .callback = callback, .cache_key_suffix = cache_key_suffix};
    snprintf(request.host, sizeof request.host, "%s", host);
    return request;
}

static void put(struct body_cache *kept, const struct request_params *request, time_us taken_at,
                size_t len_bytes)
{
    struct buffer body;
    buffer_init(&body, sizeof bytes);
    buffer_append(&body, bytes, len_bytes);
    body_cache_put(kept, request, taken_at, &body);
    buffer_release(&body);
}

/* Bytes of the body that is found; 0: none. */
static size_t found(const struct body_cache *kept, const struct request_params *request, time_us taken_at)
{
    time_us at = 0;
    const struct buffer *body = body_cache_find(kept, request, &at);
    if (!body)
        return 0;
    assert_int_equal(at, taken_at);
    assert_memory_equal(body->data, bytes, body->len_bytes);
    return body->len_bytes;
}

static void test_what_an_answer_varies_with(void **state)
{
    (void)state;
    static const struct {
        const char *name, *host;
        int limit;
        enum request_format format;
        const char *callback, *cache_key_suffix;
    } others[] = {
        {"host", "b.example", 10, FORMAT_JSON, NULL, ""},
        {"limit", "a.example", 11, FORMAT_JSON, NULL, ""},
        {"format", "a.example", 10, FORMAT_CSV, NULL, ""},
        {"callback", "a.example", 10, FORMAT_JSON, "f", ""},
        {"cache_key_suffix", "a.example", 10, FORMAT_JSON, NULL, "x"},
    };
    struct body_cache *kept = body_cache_new();
    assert_non_null(kept);
    struct request_params request = request_of("a.example", 10, FORMAT_JSON, NULL, "");
    assert_int_equal(found(kept, &request, 0), 0);
    put(kept, &request, 7, 100);
    assert_int_equal(found(kept, &request, 7), 100);
    for (size_t i = 0; i < COUNT(others); i++) {
        struct request_params other = request_of(others[i].host, others[i].limit, others[i].format,
                                                 others[i].callback, others[i].cache_key_suffix);
        assert_case_int(others[i].name, found(kept, &other, 0), 0);
    }
    put(kept, &request, 8, 50);
    assert_int_equal(found(kept, &request, 8), 50);
    body_cache_free(kept);
}

static void test_sizes(void **state)
{
    (void)state;
    static const struct {
        size_t len_bytes;
        bool is_cacheable;
    } cases[] = {{0, false},          {1, true},
                 {SMALL_BYTES, true}, {SMALL_BYTES + 1, true},
                 {TOTAL_BYTES, true}, {TOTAL_BYTES + 1, false}};
    char name[32];
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct body_cache *kept = body_cache_new();
        struct request_params request = request_of("a.example", 10, FORMAT_JSON, NULL, "");
        snprintf(name, sizeof name, "%zu bytes", cases[i].len_bytes);
        put(kept, &request, 7, cases[i].len_bytes);
        assert_case_int(name, found(kept, &request, 7), cases[i].is_cacheable ? cases[i].len_bytes : 0);
        body_cache_free(kept);
    }
}

/* Bodies of all sizes in any order: the newest is always there, and all large ones together have a bound. */
static void test_large_bodies_have_a_bound(void **state)
{
    (void)state;
    enum { PUTS = 1000, REQUESTS = 150 };
    static struct request_params requests[REQUESTS];
    struct body_cache *kept = body_cache_new();
    srand(5);
    for (int i = 0; i < REQUESTS; i++)
        requests[i] = request_of("a.example", i + 1, FORMAT_JSON, NULL, "");
    for (time_us taken_at = 1; taken_at <= PUTS; taken_at++) {
        const struct request_params *request = &requests[rand() % REQUESTS];
        size_t len_bytes = 1 + (size_t)rand() % (rand() % 2 ? SMALL_BYTES : TOTAL_BYTES / 4);
        put(kept, request, taken_at, len_bytes);
        assert_int_equal(found(kept, request, taken_at), len_bytes);
        size_t large_bytes = 0;
        for (int i = 0; i < REQUESTS; i++) {
            time_us at = 0;
            const struct buffer *body = body_cache_find(kept, &requests[i], &at);
            large_bytes += body && body->len_bytes > SMALL_BYTES ? body->len_bytes : 0;
        }
        assert_true(large_bytes <= TOTAL_BYTES);
    }
    body_cache_free(kept);
}

static void put_lists(struct body_cache *kept, const char *host, time_us taken_at, size_t newer, size_t older)
{
    const struct list_cache_lists lists = {bytes, newer, older > 0 ? bytes + 5 : NULL, older};
    list_cache_put(kept, host, &lists, taken_at);
}

/* Whether the lists of that time and these lengths are found. */
static bool has_lists(const struct body_cache *kept, const char *host, time_us taken_at, size_t newer,
                      size_t older)
{
    struct list_cache_lists lists;
    time_us at = 0;
    if (!list_cache_find(kept, host, &lists, &at))
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
    enum { ALL_BYTES = 4 * 1024 * 1024 };
    struct body_cache *kept = body_cache_new();
    assert_false(has_lists(kept, "a.example", 0, 0, 0));
    put_lists(kept, "a.example", 7, 100, 0);
    assert_true(has_lists(kept, "a.example", 7, 100, 0));
    assert_false(has_lists(kept, "b.example", 7, 100, 0));
    put_lists(kept, "q.example", 7, 0, 0);
    assert_true(has_lists(kept, "q.example", 7, 0, 0));
    put_lists(kept, "a.example", 8, 50, 60);
    assert_true(has_lists(kept, "a.example", 8, 50, 60));
    put_lists(kept, "a.example", 9, TOTAL_BYTES, TOTAL_BYTES - 5);
    assert_true(has_lists(kept, "a.example", 9, TOTAL_BYTES, TOTAL_BYTES - 5));
    /* All that there is room for is taken: others give way. */
    put_lists(kept, "c.example", 9, TOTAL_BYTES / 2, TOTAL_BYTES / 2);
    assert_true(has_lists(kept, "c.example", 9, TOTAL_BYTES / 2, TOTAL_BYTES / 2));
    assert_false(has_lists(kept, "a.example", 9, 0, 0));
    const struct list_cache_lists too_long = {bytes, TOTAL_BYTES, bytes, (size_t)ALL_BYTES};
    list_cache_put(kept, "c.example", &too_long, 10);
    assert_false(has_lists(kept, "c.example", 10, 0, 0));
    body_cache_free(kept);
}

int main(void)
{
    for (size_t i = 0; i < sizeof bytes; i++)
        bytes[i] = (char)('a' + i % 23);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_an_answer_varies_with),
        cmocka_unit_test(test_sizes),
        cmocka_unit_test(test_large_bodies_have_a_bound),
        cmocka_unit_test(test_lists),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
